package lab

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// family is one metric family of the application.
type family struct {
	name, help, kind string
	buckets          []float64
}

// The families, in the order in which the application registers them.
var (
	famRequests  = family{name: "http_requests", kind: "counter", help: "Total HTTP requests by method, path, and status code"}
	famDuration  = family{name: "http_request_duration_seconds", kind: "histogram", help: "HTTP request duration in seconds by method and path", buckets: httpBuckets}
	famImport    = family{name: "grading_import_duration_seconds", kind: "histogram", help: "Time to import a copy", buckets: taskBuckets}
	famFinalize  = family{name: "grading_finalize_duration_seconds", kind: "histogram", help: "Time to finalize a copy", buckets: taskBuckets}
	famOCR       = family{name: "grading_ocr_errors", kind: "counter", help: "OCR errors by type"}
	famConflicts = family{name: "grading_lock_conflicts", kind: "counter", help: "Lock conflicts by type"}
	// famStatus is set in the worker process, so it never has a sample here.
	famStatus = family{name: "grading_copies_by_status", kind: "gauge", help: "Copies by status"}
	families  = []family{famRequests, famDuration, famImport, famFinalize, famOCR, famConflicts, famStatus}

	httpBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	taskBuckets = []float64{.1, .5, 1, 2.5, 5, 10, 30, 60, 120}
)

// webProcess is one gunicorn process: its counters since it started.
type webProcess struct {
	started  time.Time
	cpu      float64
	counters map[string]map[string]float64 // family, labels
	hists    map[string]map[string]*histogram
	created  map[string]float64 // unix seconds, by family and labels
}

type histogram struct {
	labels []string // name, value, …
	counts []float64
	sum    float64
	total  float64
}

func newWebProcess(started time.Time) *webProcess {
	return &webProcess{
		started: started, counters: map[string]map[string]float64{},
		hists: map[string]map[string]*histogram{}, created: map[string]float64{},
	}
}

func (p *webProcess) counter(f family, labels ...string) {
	if p.counters[f.name] == nil {
		p.counters[f.name] = map[string]float64{}
	}
	key := labelText(labels)
	p.counters[f.name][key]++
	p.touch(f, key)
}

func (p *webProcess) histogram(f family, seconds float64, labels ...string) {
	if p.hists[f.name] == nil {
		p.hists[f.name] = map[string]*histogram{}
	}
	key := labelText(labels)
	h := p.hists[f.name][key]
	if h == nil {
		h = &histogram{labels: labels, counts: make([]float64, len(f.buckets))}
		p.hists[f.name][key] = h
	}
	h.observe(f.buckets, seconds)
	p.touch(f, key)
}

func (p *webProcess) touch(f family, key string) {
	p.cpu += 0.012
	if _, seen := p.created[f.name+key]; !seen {
		p.created[f.name+key] = unixSeconds(p.started) + float64(len(p.created))
	}
}

func (h *histogram) observe(buckets []float64, seconds float64) {
	for i, bound := range buckets {
		if seconds <= bound {
			h.counts[i]++
		}
	}
	h.sum += seconds
	h.total++
}

// write gives the text exposition as Python's client library writes it.
func (p *webProcess) write(w io.Writer) {
	p.writeRuntime(w)
	for _, f := range families {
		switch f.kind {
		case "counter":
			p.writeCounter(w, f)
		case "histogram":
			p.writeHistogram(w, f)
		default:
			writeHead(w, f.name, f.help, f.kind)
		}
	}
}

func (p *webProcess) writeRuntime(w io.Writer) {
	writeHead(w, "python_gc_objects_collected_total", "Objects collected during gc", "counter")
	for i, n := range []float64{4821, 812, 96} {
		fmt.Fprintf(w, "python_gc_objects_collected_total{generation=\"%d\"} %s\n", i, promFloat(n))
	}
	writeHead(w, "python_info", "Python platform information", "gauge")
	fmt.Fprintln(w, `python_info{implementation="CPython",major="3",minor="11",patchlevel="9",version="3.11.9"} 1.0`)
	for _, g := range []struct {
		name, help, kind string
		value            float64
	}{
		{"process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", 412 << 20},
		{"process_resident_memory_bytes", "Resident memory size in bytes.", "gauge", 138<<20 + p.cpu*4096},
		{"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "gauge", unixSeconds(p.started)},
		{"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", p.cpu},
		{"process_open_fds", "Number of open file descriptors.", "gauge", 23},
		{"process_max_fds", "Maximum number of open file descriptors.", "gauge", 1048576},
	} {
		writeHead(w, g.name, g.help, g.kind)
		fmt.Fprintf(w, "%s %s\n", g.name, promFloat(g.value))
	}
}

func (p *webProcess) writeCounter(w io.Writer, f family) {
	values := p.counters[f.name]
	writeHead(w, f.name+"_total", f.help, "counter")
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(w, "%s_total{%s} %s\n", f.name, key, promFloat(values[key]))
	}
	p.writeCreated(w, f, slices.Sorted(maps.Keys(values)))
}

func (p *webProcess) writeHistogram(w io.Writer, f family) {
	writeHead(w, f.name, f.help, "histogram")
	keys := slices.Sorted(maps.Keys(p.hists[f.name]))
	for _, key := range keys {
		h := p.hists[f.name][key]
		for i, bound := range f.buckets {
			fmt.Fprintf(w, "%s_bucket{%s} %s\n", f.name, labelText(append([]string{"le", promFloat(bound)}, h.labels...)), promFloat(h.counts[i]))
		}
		fmt.Fprintf(w, "%s_bucket{%s} %s\n", f.name, labelText(append([]string{"le", "+Inf"}, h.labels...)), promFloat(h.total))
		fmt.Fprintf(w, "%s_count{%s} %s\n", f.name, key, promFloat(h.total))
		fmt.Fprintf(w, "%s_sum{%s} %s\n", f.name, key, promFloat(h.sum))
	}
	p.writeCreated(w, f, keys)
}

func (p *webProcess) writeCreated(w io.Writer, f family, keys []string) {
	if len(keys) == 0 {
		return
	}
	writeHead(w, f.name+"_created", f.help, "gauge")
	for _, key := range keys {
		fmt.Fprintf(w, "%s_created{%s} %s\n", f.name, key, promFloat(p.created[f.name+key]))
	}
}

func writeHead(w io.Writer, name, help, kind string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// labelText writes name, value, … sorted by name, as the client library does.
func labelText(labels []string) string {
	pairs := make([]string, 0, len(labels)/2)
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// promFloat writes a number as Python's client library does: repr, with an
// exponent from seven digits before the point on.
func promFloat(f float64) string {
	s := pyFloat(f)
	dot := strings.IndexByte(s, '.')
	if f > 0 && dot > 6 && !strings.Contains(s, "e") {
		mantissa := strings.TrimRight(s[:1]+"."+s[1:dot]+s[dot+1:], "0.")
		return mantissa + "e+0" + strconv.Itoa(dot-1)
	}
	return s
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
