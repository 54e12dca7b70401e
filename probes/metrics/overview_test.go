package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var near = cmpopts.EquateApprox(1e-9, 1e-9)

func TestRatesAddUpOverProcesses(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000), newWorker(1001), newWorker(1002)}}
	for i, w := range a.workers {
		w.serve(finalize, 200, 100*(i+1), 9) // before we looked: must not count
	}
	p, clock := watch(t, a, Config{})
	if o := sample(t, p); o.Warming != "Rates need the same process scraped twice, a second apart; so far 3 answered." || o.Endpoints != nil {
		t.Errorf("first sample: %+v", o)
	}
	for _, w := range a.workers {
		w.serve(finalize, 200, 6, 0.03)
		w.serve(finalize, 409, 3, 0.03)
		w.serve(finalize, 500, 1, 0.2)
		w.serve("/api/exams/", 200, 20, 0.001)
	}
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	if o.Warming != "" || o.Note != "" || o.Window != 10*time.Second || len(o.Processes) != 3 || o.Processes[0].Start != time.Unix(1000, 0).UTC() {
		t.Errorf("got %+v", o)
	}
	got := endpointOf(t, o, finalize)
	want := Endpoint{Method: "POST", Path: finalize, RPS: 3, Requests: 30, ErrorShare: .1, ClientShare: .3,
		P50:  Quantile{Seconds: .025 + .025*15/27, Lower: .025, Upper: .05, Known: true},
		P95:  Quantile{Seconds: .1 + .15*1.5/3, Lower: .1, Upper: .25, Known: true},
		P99:  Quantile{Seconds: .1 + .15*2.7/3, Lower: .1, Upper: .25, Known: true},
		Mean: .047, Pain: .141, ByStatus: []Count{{"200", 18}, {"409", 9}, {"500", 3}},
	}
	if len(got.By) != 3 || got.By[0].RPS != 1 || len(got.Trend) != 1 {
		t.Errorf("processes %+v, trend %+v", got.By, got.Trend)
	}
	minute := Point{At: clock.Truncate(time.Minute), RPS: 3, Client: .3, Server: .1, P95: want.P95}
	if diff := cmp.Diff(minute, got.Trend[0], near); diff != "" {
		t.Error(diff)
	}
	got.By, got.Trend = nil, nil
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}
	if o.Total.Requests != 90 || math.Abs(o.Total.RPS-9) > 1e-9 || math.Abs(o.Total.ErrorShare-3.0/90) > 1e-9 {
		t.Errorf("total %+v", o.Total)
	}
	if o.Endpoints[0].Path != finalize || o.Endpoints[1].Path != "/api/exams/" {
		t.Error("the worst is not first")
	}
}

func TestAboveTheTopBucket(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	p, clock := watch(t, a, Config{})
	sample(t, p)
	a.workers[0].serve(finalize, 200, 10, 42)
	*clock = clock.Add(10 * time.Second)
	if got := endpointOf(t, sample(t, p), finalize).P95; got != (Quantile{Seconds: 10, Lower: 10, Upper: inf, Above: true, Known: true}) {
		t.Errorf("got %+v", got)
	}
}

func TestSummary(t *testing.T) {
	fast, slow := newWorker(1000), newWorker(1001)
	fast.summary, slow.summary = true, true
	fast.serve("/idle/", 200, 10, 7)
	a := &app{workers: []*worker{fast, slow}}
	p, clock := watch(t, a, Config{})
	sample(t, p)
	fast.serve(finalize, 200, 10, .1)
	slow.serve(finalize, 200, 10, 12.5)
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	if got := endpointOf(t, o, finalize); got.P95 != exactly(12.5) || got.RPS != 2 {
		t.Errorf("the worst process does not speak: %+v", got)
	}
	if got := endpointOf(t, o, "/idle/"); got.P95.Known || !math.IsNaN(got.ErrorShare) || got.RPS != 0 {
		t.Errorf("without a request there is something to say: %+v", got)
	}
	if o.Total.P95.Known {
		t.Error("quantiles of several endpoints were added up")
	}
}

func TestRestartIsNoNegativeRate(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	a.workers[0].serve(finalize, 200, 1000, .1)
	p, clock := watch(t, a, Config{})
	sample(t, p)
	*clock = clock.Add(10 * time.Second)
	sample(t, p)

	a.workers[0] = newWorker(2000)
	a.workers[0].serve(finalize, 200, 5, .1)
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	if o.Total.RPS != 0 || len(o.Processes) != 2 || o.Note != "1 of 2 processes answered only once: their requests are not in the rates yet." {
		t.Errorf("just restarted: %+v", o)
	}
	a.workers[0].serve(finalize, 200, 20, .1)
	*clock = clock.Add(10 * time.Second)
	if o := sample(t, p); o.Total.Requests != 20 || o.Note != "" {
		t.Errorf("after the restart: %+v", o)
	}
	*clock = clock.Add(forgetAfter)
	if o := sample(t, p); len(o.Processes) != 1 || o.Processes[0].Start != time.Unix(2000, 0).UTC() {
		t.Errorf("the old process is not forgotten: %+v", o.Processes)
	}
}

// Workers forked from one loaded parent share a start time, and some endpoints
// tell none at all: counters that fall tell them apart.
func TestProcessesWithoutAStartOfTheirOwn(t *testing.T) {
	for name, start := range map[string]float64{"shared": 1000, "none": 0} {
		t.Run(name, func(t *testing.T) {
			a := &app{workers: []*worker{newWorker(start), newWorker(start)}}
			a.workers[0].serve(finalize, 200, 500, .1)
			a.workers[1].serve(finalize, 200, 100, .1)
			p, clock := watch(t, a, Config{})
			sample(t, p)
			a.workers[0].serve(finalize, 200, 7, .1)
			a.workers[1].serve(finalize, 200, 3, .1)
			*clock = clock.Add(10 * time.Second)
			o := sample(t, p)
			if o.Total.Requests != 10 || len(o.Processes) != 2 {
				t.Errorf("got %+v", o)
			}
			if said := strings.HasPrefix(o.Note, "The answers do not tell their process"); said != (start == 0) {
				t.Errorf("note %q", o.Note)
			}
		})
	}
}

func TestFollows(t *testing.T) {
	a, b := key{"GET", "/a"}, key{"GET", "/b"}
	prev := &reading{cpu: 2, series: map[key]*series{a: {requests: 5, observed: 5}}}
	tests := []struct {
		name string
		next reading
		want bool
	}{
		{"the same", reading{cpu: 2, series: map[key]*series{a: {requests: 5, observed: 5}}}, true},
		{"more, and a new endpoint", reading{cpu: 3, series: map[key]*series{a: {requests: 6, observed: 6}, b: {requests: 1}}}, true},
		{"CPU time not told", reading{cpu: math.NaN(), series: map[key]*series{a: {requests: 5, observed: 5}}}, true},
		{"less CPU time", reading{cpu: 1, series: map[key]*series{a: {requests: 6, observed: 6}}}, false},
		{"fewer requests", reading{cpu: 3, series: map[key]*series{a: {requests: 4, observed: 5}}}, false},
		{"fewer durations", reading{cpu: 3, series: map[key]*series{a: {requests: 5, observed: 4}}}, false},
		{"an endpoint is gone", reading{cpu: 3, series: map[key]*series{b: {requests: 9}}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.next.follows(prev); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Two scrapes in a row see little but each other.
func TestHalfASecondIsNoWindow(t *testing.T) {
	p, clock := watch(t, &app{workers: []*worker{newWorker(1000)}}, Config{})
	sample(t, p)
	*clock = clock.Add(500 * time.Millisecond)
	if o := sample(t, p); o.Warming == "" {
		t.Errorf("got %+v", o)
	}
}

func TestSampleStopsWhenAllProcessesAnswered(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000), newWorker(1001)}}
	p, clock := watch(t, a, Config{})
	sample(t, p)
	*clock = clock.Add(10 * time.Second)
	a.scrapes = 0
	sample(t, p)
	if a.scrapes != 3 { // the third shows that there is no third process
		t.Errorf("%d scrapes for 2 processes", a.scrapes)
	}
}

func TestWindowSlides(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	p, clock := watch(t, a, Config{})
	sample(t, p)
	a.workers[0].serve(finalize, 200, 1000, .1)
	var o Overview
	for range 200 {
		*clock = clock.Add(2 * time.Second)
		o = sample(t, p)
	}
	if o.Total.Requests != 0 || o.Window < window || o.Window > window+grain {
		t.Errorf("old requests still count: %+v", o)
	}
	if n := len(p.track.processes[0].readings); n > 9 {
		t.Errorf("%d readings are kept", n)
	}
	h := endpointOf(t, o, finalize).Trend
	if n := len(h); n != 7 || h[n-1].P95.Known || h[n-1].RPS != 0 || !math.IsNaN(h[n-1].Server) || !h[0].P95.Known {
		t.Errorf("trend %+v", h)
	}
}

func TestManyEndpoints(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	p, clock := watch(t, a, Config{MaxSeries: 50})
	a.workers[0].serve(finalize, 200, 50, .1)
	for i := range 300 {
		a.workers[0].serve(fmt.Sprintf("/wp-admin/%d\x1b[2J", i), 404, 1, .001)
	}
	sample(t, p)
	a.workers[0].serve(finalize, 200, 5, .1)
	a.workers[0].serve("/new/", 404, 4, .1)
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	if len(o.Endpoints) != 50 || o.Dropped != 252 || o.Total.Requests != 9 || endpointOf(t, o, finalize).Requests != 5 {
		t.Errorf("got %d endpoints, %d dropped, total %v", len(o.Endpoints), o.Dropped, o.Total.Requests)
	}
	if bad := slices.IndexFunc(o.Endpoints, func(e Endpoint) bool { return strings.Contains(e.Path, "\x1b") }); bad >= 0 {
		t.Errorf("path %q", o.Endpoints[bad].Path)
	}
}

func TestOddButLegalText(t *testing.T) {
	const head = "process_start_time_seconds 1000\n"
	tests := []struct {
		name, before, after string
		requests            float64
		p95                 Quantile
	}{
		{"no durations", `http_requests_total{method="G",path="/",status="200"} 1`, `http_requests_total{method="G",path="/",status="200"} 5`, 4, Quantile{}},
		{"no request counter, no +Inf bucket", hist(`_bucket{path="/",le="1"} 0`, `_count{path="/"} 0`), hist(`_bucket{path="/",le="1"} 10`, `_count{path="/"} 10`), 10, Quantile{Seconds: .95, Upper: 1, Known: true}},
		{"neither +Inf nor a count", hist(`_bucket{path="/",le="1"} 0`, `_bucket{path="/",le="2"} 0`), hist(`_bucket{path="/",le="1"} 5`, `_bucket{path="/",le="2"} 10`), 10, Quantile{}},
		{"a bucket is missing in between", hist(`_bucket{path="/",le="1"} 0`, `_bucket{path="/",le="+Inf"} 0`), hist(`_bucket{path="/",le="1"} 10`, `_bucket{path="/",le="+Inf"} 10`), 10, Quantile{Seconds: .95, Upper: 1, Known: true}},
		{"buckets in any order, twice", hist(`_bucket{path="/",le="+Inf"} 0`, `_bucket{path="/",le="1"} 0`), hist(`_bucket{path="/",le="+Inf",x="a"} 5`, `_bucket{path="/",le="1",x="a"} 5`, `_bucket{path="/",le="+Inf",x="b"} 5`, `_bucket{path="/",le="1",x="b"} 5`), 10, Quantile{Seconds: .95, Upper: 1, Known: true}},
		{"NaN and Inf are no counts", "http_requests_total{path=\"/\"} NaN\nhttp_requests_total{path=\"/\",x=\"1\"} 2", "http_requests_total{path=\"/\"} +Inf\nhttp_requests_total{path=\"/\",x=\"1\"} 5", 3, Quantile{}},
		{"a NaN summary", "# TYPE http_request_duration_seconds summary\nhttp_request_duration_seconds_count{path=\"/\"} 0", "# TYPE http_request_duration_seconds summary\nhttp_request_duration_seconds{path=\"/\",quantile=\"0.95\"} NaN\nhttp_request_duration_seconds_count{path=\"/\"} 2", 2, Quantile{}},
		{"OpenMetrics", "# TYPE http_requests counter\nhttp_requests_total{path=\"/\"} 1\n# EOF", "# TYPE http_requests counter\nhttp_requests_total{path=\"/\"} 4\n# EOF", 3, Quantile{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker(10)
			for i, text := range []string{tt.before, tt.after} {
				r, err := parse([]byte(head + text + "\n"))
				if err != nil {
					t.Fatal(err)
				}
				r.at = time.Unix(int64(10*i), 0)
				tr.observe(r, r.at)
			}
			o := tr.overview(time.Unix(10, 0))
			got := endpointOf(t, o, "/")
			if got.Requests != tt.requests {
				t.Errorf("%v requests", got.Requests)
			}
			if diff := cmp.Diff(tt.p95, got.P95, near); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func hist(lines ...string) string {
	const name = "http_request_duration_seconds"
	return "# TYPE " + name + " histogram\n" + name + strings.Join(lines, "\n"+name)
}

func BenchmarkSample(b *testing.B) {
	w := newWorker(1000)
	for i := range 60 {
		w.serve(fmt.Sprintf("/api/%d/", i), 200, 10, .1)
	}
	text := []byte(w.text())
	tr := newTracker(500)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := parse(text)
		if err != nil {
			b.Fatal(err)
		}
		tr.observe(r, r.at)
		tr.overview(r.at)
	}
}
