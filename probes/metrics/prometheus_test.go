package metrics

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes"
)

// Two instances, one of which began half an hour ago in place of an older
// process and grows; an endpoint with failures, one beyond the top bucket.
func hourOfTrouble() *past {
	p := newPast()
	for i, instance := range []string{"a:8000", "b:8000"} {
		p.series(familyRequests, instance, fmt.Sprintf(`method="POST",path="%s",status="200"`, finalize), steady(0.5))
		p.series(familyRequests, instance, fmt.Sprintf(`method="POST",path="%s",status="409"`, finalize), steady(0.25))
		p.series(familyRequests, instance, fmt.Sprintf(`method="POST",path="%s",status="504"`, finalize), steady(0.25))
		p.traffic(instance, finalize, []float64{1, 10}, 0.5, 0.25, 0.25)
		p.series(familyRequests, instance, `method="GET",path="/api/exams/",status="200"`, steady(3))
		start := float64(p.end.Add(-3 * time.Hour).Unix())
		p.series(familyStart, instance, "", func(ago time.Duration) (float64, bool) {
			if i == 1 && ago < 30*time.Minute {
				return float64(p.end.Add(-30 * time.Minute).Unix()), true
			}
			return start, true
		})
		p.series(familyResident, instance, "", func(ago time.Duration) (float64, bool) {
			return 100<<20 + float64(i)*(2<<20)*(70*time.Minute-ago).Minutes(), true
		})
		p.series(familyOpenFDs, instance, "", always(40))
		p.series(familyMaxFDs, instance, "", always(1024))
		p.series(familyCPU, instance, "", steady(0.4))
		p.series("up", instance, "", always(1))
	}
	p.series(famConflicts, "a:8000", `conflict_type="already_locked"`, steady(0.01))
	p.traffic2(famFinalize, "a:8000", `status="failed",retry_attempt="2"`, []float64{30, 60}, 0.001, 0.003)
	// Another exporter, which is none of ours.
	p.series(familyResident, "node:9100", "", always(1))
	return p
}

// traffic2 writes a histogram without an overflow.
func (p *past) traffic2(family, instance, labels string, bounds []float64, perSecond ...float64) {
	all := 0.0
	for i, le := range bounds {
		all += perSecond[i]
		p.series(family+"_bucket", instance, fmt.Sprintf(`%s,le="%g"`, labels, le), steady(all))
	}
	p.series(family+"_bucket", instance, labels+`,le="+Inf"`, steady(all))
	p.series(family+"_count", instance, labels, steady(all))
}

func TestPrometheusGivesTheSameView(t *testing.T) {
	s := hourOfTrouble().server(t)
	o := ask(t, s, PrometheusConfig{Match: `{job="backend"}`})
	if o.Warming != "" || o.Note != "" || o.Via != probes.Prometheus || o.Window != 5*time.Minute || o.Mixed {
		t.Errorf("warming %q, note %q, %+v", o.Warming, o.Note, o)
	}
	e := endpointOf(t, o, finalize)
	near := cmpopts.EquateApprox(1e-3, 1e-6)
	want := Endpoint{Method: "POST", Path: finalize, RPS: 2, Requests: 600, ErrorShare: .25, ClientShare: .25, TimeoutShare: .25,
		P50:  Quantile{Seconds: 1, Lower: 0, Upper: 1, Known: true},
		P95:  Quantile{Seconds: 10, Lower: 10, Upper: inf, Above: true, Known: true},
		P99:  Quantile{Seconds: 10, Lower: 10, Upper: inf, Above: true, Known: true},
		Mean: .5*1 + .25*10 + .25*30, Pain: 2 * (.5*1 + .25*10 + .25*30),
		ByStatus: []Count{{"200", 300}, {"409", 150}, {"504", 150}},
		By:       []Share{{"a:8000", 1, math.NaN()}, {"b:8000", 1, math.NaN()}},
	}
	trend := e.Trend
	e.Trend = nil
	if diff := cmp.Diff(want, e, near, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	checkHour(t, trend)
	// The same, asked of the server in its own words.
	if got := promql(t, s, `sum(rate(http_requests_total{job="backend"}[5m]))`); math.Abs(got-o.Total.RPS) > 1e-3*got {
		t.Errorf("together %v/s, the server says %v", o.Total.RPS, got)
	}
	if o.Endpoints[0].Path != finalize || len(o.Endpoints) != 2 {
		t.Errorf("the worst is not first: %+v", o.Endpoints)
	}
	if o.Cost.Requests != 8 || o.Cost.Samples == 0 || o.Cost.Bytes == 0 {
		t.Errorf("cost %+v, want 8 queries", o.Cost)
	}
}

func checkHour(t *testing.T, trend []Point) {
	t.Helper()
	if n := len(trend); n != 60 {
		t.Fatalf("%d points, want 60", n)
	}
	for i, p := range trend {
		if math.Abs(p.RPS-2) > 1e-3 || math.Abs(p.Client-.25) > 1e-3 || math.Abs(p.Server-.25) > 1e-3 || !p.P95.Above {
			t.Fatalf("point %d is %+v", i, p)
		}
		if i > 0 && p.At.Sub(trend[i-1].At) != time.Minute {
			t.Fatalf("point %d is %v after the one before", i, p.At.Sub(trend[i-1].At))
		}
	}
}

func TestPrometheusKnowsProcesses(t *testing.T) {
	p := hourOfTrouble()
	o := ask(t, p.server(t), PrometheusConfig{})
	if len(o.Processes) != 2 {
		t.Fatalf("got %+v", o.Processes)
	}
	old, young := o.Processes[0], o.Processes[1]
	if old.Name != "a:8000" || old.Restarts != 0 || old.Leaks() || old.OpenFDs != 40 || old.MaxFDs != 1024 ||
		math.Abs(old.CPUShare-.4) > 1e-3 || math.Abs(old.RPS-4) > 1e-2 || old.LastSeen.IsZero() {
		t.Errorf("the old one: %+v", old)
	}
	if grown, over := young.Grown(); !young.Leaks() || young.Restarts != 1 || over != 59*time.Minute || math.Abs(grown-59*2<<20) > 1<<20 {
		t.Errorf("the young one grew %v in %v: %+v", grown, over, young)
	}
	if len(o.Restarts) != 1 || o.Restarts[0].Address != "b:8000" || !o.Restarts[0].At.Equal(p.end.Add(-30*time.Minute)) {
		t.Errorf("restarts %+v", o.Restarts)
	}
	if d := o.Domain; len(d.Conflicts) != 1 || math.Abs(d.Conflicts[0].Recent-36) > .1 || math.Abs(d.Conflicts[0].Total-72) > .1 {
		t.Errorf("conflicts %+v", d.Conflicts)
	}
	f := o.Domain.Finalize
	if len(f) != 1 || f[0].Status != "failed" || f[0].Group != "2" || math.Abs(f[0].Recent-14.4) > .1 || f[0].P95.Lower != 30 || f[0].P95.Upper != 60 {
		t.Errorf("finalize %+v", f)
	}
}

// Where several processes answer under one address, each with counters of its
// own, rate() takes every change of process for a reset.
func TestPrometheusSeesThatProcessesAreMixed(t *testing.T) {
	p := newPast()
	turn := 0
	p.series(familyStart, "a:8000", "", func(time.Duration) (float64, bool) { turn++; return float64(1000 + turn%3), true })
	p.series(familyRequests, "a:8000", `method="GET",path="/",status="200"`, steady(1))
	o := ask(t, p.server(t), PrometheusConfig{})
	if !o.Mixed || !strings.Contains(o.Note, "Several processes answer Prometheus' scrapes under one address") {
		t.Errorf("mixed %v, note %q", o.Mixed, o.Note)
	}
}

func TestPrometheusWithoutOurSeries(t *testing.T) {
	s := newPast().server(t)
	o := ask(t, s, PrometheusConfig{Match: `job="nobody"`})
	if !strings.Contains(o.Warming, `Prometheus has no http_requests_total{job="nobody"} scraped twice in the last 5 minutes: check PROMETHEUS_MATCH`) {
		t.Errorf("got %q", o.Warming)
	}
}

// Paths that anybody can make up must not break out of the query.
func TestPrometheusWithOddPaths(t *testing.T) {
	p := newPast()
	for _, path := range []string{`/a\"b}|.*`, `/ü\\d+\n`, ""} {
		p.series(familyRequests, "a:8000", `method="GET",path="`+path+`",status="200"`, steady(1))
	}
	o := ask(t, p.server(t), PrometheusConfig{})
	if o.Note != "" || len(o.Endpoints) != 3 {
		t.Errorf("note %q, endpoints %+v", o.Note, o.Endpoints)
	}
	for _, e := range o.Endpoints {
		if len(e.Trend) != 60 {
			t.Errorf("%q has %d points", e.Path, len(e.Trend))
		}
	}
}

func TestPrometheusIsBounded(t *testing.T) {
	p := newPast()
	for i := range 30 {
		p.series(familyRequests, "a:8000", fmt.Sprintf(`method="GET",path="/%d",status="404"`, i), steady(1+float64(i)))
	}
	o := ask(t, p.server(t), PrometheusConfig{MaxSeries: 5, MaxHistory: 2})
	if len(o.Endpoints) != 5 || o.Dropped == 0 {
		t.Errorf("%d endpoints, %d dropped", len(o.Endpoints), o.Dropped)
	}
	with := 0
	for _, e := range o.Endpoints {
		with += min(len(e.Trend), 1)
	}
	if with != 2 {
		t.Errorf("%d endpoints with an hour", with)
	}
}
