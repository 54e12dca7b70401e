package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bounds are the application's buckets.
var bounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

const finalize = "/api/grading/copies/<uuid>/finalize/"

// worker is one gunicorn process with a registry of its own.
type worker struct {
	start     float64            // 0: not told
	requests  map[string]float64 // by method, path and status, as label text
	durations map[string][]float64
	summary   bool
}

func newWorker(start float64) *worker {
	return &worker{start: start, requests: map[string]float64{}, durations: map[string][]float64{}}
}

// serve counts n requests of one duration.
func (w *worker) serve(path string, status, n int, seconds float64) {
	w.requests[fmt.Sprintf(`method="POST",path="%s",status="%d"`, path, status)] += float64(n)
	labels := fmt.Sprintf(`method="POST",path="%s"`, path)
	w.durations[labels] = append(w.durations[labels], slices.Repeat([]float64{seconds}, n)...)
}

// text is what the worker answers.
func (w *worker) text() string {
	var b strings.Builder
	if w.start > 0 {
		fmt.Fprintf(&b, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %f\n", w.start)
	}
	b.WriteString("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 4.2e7\n")
	b.WriteString("# HELP http_requests_total Requests\n# TYPE http_requests_total counter\n")
	for labels, n := range w.requests {
		fmt.Fprintf(&b, "http_requests_total{%s} %v\n", labels, n)
	}
	kind := map[bool]string{false: "histogram", true: "summary"}[w.summary]
	fmt.Fprintf(&b, "# TYPE http_request_duration_seconds %s\n", kind)
	for labels, all := range w.durations {
		w.writeDurations(&b, labels, all)
	}
	return b.String()
}

func (w *worker) writeDurations(b io.Writer, labels string, all []float64) {
	const name = "http_request_duration_seconds"
	fmt.Fprintf(b, "%s_count{%s} %d\n%s_sum{%s} %v\n", name, labels, len(all), name, labels, total(all))
	if w.summary {
		sorted := slices.Sorted(slices.Values(all))
		for _, q := range levels {
			fmt.Fprintf(b, "%s{%s,quantile=\"%v\"} %v\n", name, labels, q, sorted[int(q*float64(len(sorted)-1))])
		}
		return
	}
	for _, le := range bounds {
		fmt.Fprintf(b, "%s_bucket{%s,le=\"%v\"} %d\n", name, labels, le, atMost(all, le))
	}
	fmt.Fprintf(b, "%s_bucket{%s,le=\"+Inf\"} %d\n", name, labels, len(all))
}

func total(all []float64) (sum float64) {
	for _, d := range all {
		sum += d
	}
	return sum
}

func atMost(all []float64, le float64) (n int) {
	for _, d := range all {
		if d <= le {
			n++
		}
	}
	return n
}

// app answers each scrape with the next of its workers.
type app struct {
	mu      sync.Mutex
	workers []*worker
	next    int
	scrapes int
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	io.WriteString(w, a.workers[a.next%len(a.workers)].text())
	a.next++
	a.scrapes++
}

// watch makes a probe on a handler, with a clock that only the test moves.
func watch(t *testing.T, h http.Handler, cfg Config) (*Probe, *time.Time) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg.URLs = append(cfg.URLs, srv.URL)
	cfg.Timeout = time.Minute // a busy machine is no failure
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return clock }
	return p, &clock
}

func sample(t *testing.T, p *Probe) Overview {
	t.Helper()
	got, err := p.Sample(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got.(Overview)
}

// endpointOf finds a row by its path.
func endpointOf(t *testing.T, o Overview, path string) Endpoint {
	t.Helper()
	i := slices.IndexFunc(o.Endpoints, func(e Endpoint) bool { return e.Path == path })
	if i < 0 {
		t.Fatalf("no endpoint %s in %+v", path, o.Endpoints)
	}
	return o.Endpoints[i]
}
