package metrics

import (
	"bytes"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gradecockpit/probes/clean"
)

// The families that are read; the names are the application's.
const (
	familyRequests = "http_requests_total"
	familyDuration = "http_request_duration_seconds"
	familyStart    = "process_start_time_seconds"
	familyCPU      = "process_cpu_seconds_total"
	familyResident = "process_resident_memory_bytes"
	familyOpenFDs  = "process_open_fds"
	familyMaxFDs   = "process_max_fds"
)

// reading is one answer of one process.
type reading struct {
	url                  string
	at                   time.Time
	skew                 time.Duration // the application's clock minus ours
	bytes, samples       int
	start, cpu, resident float64 // NaN: not said
	openFDs, maxFDs      float64 // NaN: not said
	series               map[key]*series
	domain               map[domainKey]*series
}

// parse reads the text format.
func parse(body []byte) (*reading, error) {
	// UTF8Validation is the wider scheme: an odd metric next to ours is no
	// reason to see nothing.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r := &reading{
		bytes:    len(body),
		start:    gauge(families[familyStart]),
		cpu:      gauge(families[familyCPU]),
		resident: gauge(families[familyResident]),
		openFDs:  gauge(families[familyOpenFDs]),
		maxFDs:   gauge(families[familyMaxFDs]),
		series:   map[key]*series{},
		domain:   map[domainKey]*series{},
	}
	for _, f := range families {
		r.samples += len(f.GetMetric())
	}
	for _, m := range families[familyRequests].GetMetric() {
		r.endpoint(m).addRequests(label(m, "status"), value(m))
	}
	for _, m := range families[familyDuration].GetMetric() {
		r.endpoint(m).addDurations(m)
	}
	r.addDomain(families)
	return r, nil
}

// endpoint gives the series of a metric's endpoint. Labels other than method and
// path are summed over.
func (r *reading) endpoint(m *dto.Metric) *series {
	k := keyOf(label(m, "method"), label(m, "path"))
	s := r.series[k]
	if s == nil {
		s = newSeries()
		r.series[k] = s
	}
	return s
}

// keyOf makes a key of labels, which anybody on the net can choose.
func keyOf(method, path string) key { return key{clean.Capped(method, 16), clean.Capped(path, 200)} }

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// value reads a counter whatever its TYPE line says; OpenMetrics calls the
// family by another name than its samples, which makes them untyped here.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return math.NaN()
}

// gauge reads the only metric of a family; NaN when there is none.
func gauge(f *dto.MetricFamily) float64 {
	if len(f.GetMetric()) == 0 || !sane(value(f.GetMetric()[0])) {
		return math.NaN()
	}
	return value(f.GetMetric()[0])
}
