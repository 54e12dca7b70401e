package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
)

// plantedApp counts, with Prometheus' own client library, what is planted anew
// before each scrape: so there is traffic between any two looks.
type plantedApp struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	start     prometheus.Gauge
	url       string
}

func plantApp(t *testing.T, buckets []float64, traffic func(*plantedApp)) *plantedApp {
	t.Helper()
	a := &plantedApp{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"method", "path", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds", Buckets: buckets}, []string{"method", "path"}),
		start:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "process_start_time_seconds"}),
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(a.requests, a.start)
	if buckets != nil {
		reg.MustRegister(a.durations)
	}
	a.start.Set(1000)
	handler := promhttp.HandlerFor(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		traffic(a)
		return reg.Gather()
	}), promhttp.HandlerOpts{})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	a.url = srv.URL + "/metrics"
	return a
}

func (a *plantedApp) serve(n int, path string, status int, seconds float64) {
	for range n {
		a.requests.WithLabelValues("GET", path, strconv.Itoa(status)).Inc()
		a.durations.WithLabelValues("GET", path).Observe(seconds)
	}
}

var appBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// rowsOf runs a command and gives its rows by their key.
func rowsOf(t *testing.T, env map[string]string, args ...string) (rows map[string]map[string]any, report map[string]any) {
	t.Helper()
	got := run(t, env, append(args, "-o", "json")...)
	if got.code != 0 {
		t.Fatalf("%v: code %d: %s", args, got.code, got.err)
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	rows = map[string]map[string]any{}
	for _, r := range report["rows"].([]any) {
		row := r.(map[string]any)
		key, _ := row["key"].(string)
		rows[key] = row
	}
	return rows, report
}

// Each condition is planted in a real /metrics served over HTTP and found
// through the pane, as text and for programs.
func TestPlantedInMetrics(t *testing.T) {
	tests := []struct {
		name    string
		buckets []float64
		traffic func(*plantedApp)
		shows   []string // of `show latency`
		json    map[string]any
		check   string // of `check`
	}{
		{"a slow endpoint", appBuckets, func(a *plantedApp) { a.serve(20, "/slow/", 200, 7); a.serve(50, "/quick/", 200, .02) },
			[]string{"/slow/", "P95"}, map[string]any{"p95.lower": 5.0, "p95.upper": 10.0, "5xx": 0.0}, "WARNING"},
		{"P95 above the top bucket", appBuckets, func(a *plantedApp) { a.serve(20, "/slow/", 200, 42) },
			[]string{">10s"}, map[string]any{"p95.above": true, "p95.upper": nil, "mean": 42.0}, "WARNING"},
		{"504", appBuckets, func(a *plantedApp) { a.serve(3, "/slow/", 200, .1); a.serve(1, "/slow/", 504, .1) },
			[]string{"25%"}, map[string]any{"504": .25, "5xx": .25, "4xx": 0.0}, "OK"},
		{"a burst of errors", appBuckets, func(a *plantedApp) {
			a.serve(1, "/slow/", 200, .1)
			a.serve(7, "/slow/", 500, .1)
			a.serve(2, "/slow/", 403, .1)
		},
			[]string{"70%", "20%"}, map[string]any{"5xx": .7, "4xx": .2, "504": 0.0}, "OK"},
		{"no buckets", nil, func(a *plantedApp) { a.serve(4, "/slow/", 200, 1) },
			[]string{"/slow/", "?"}, map[string]any{"p95": nil, "mean": nil, "5xx": 0.0}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"METRICS_URL": plantApp(t, tt.buckets, tt.traffic).url}
			rows, _ := rowsOf(t, env, "metrics")
			row := rows["GET /slow/"]
			for path, want := range tt.json {
				if got := at(row, path); got != want {
					t.Errorf("%s is %v, want %v in %v", path, got, want, row)
				}
			}
			got := run(t, env, "show", "latency")
			for _, s := range tt.shows {
				if got.code != 0 || !strings.Contains(got.out, s) {
					t.Errorf("show latency does not show %q:\n%s%s", s, got.out, got.err)
				}
			}
			if got := run(t, env, "check"); !strings.Contains(got.out, "GRADING "+tt.check) {
				t.Errorf("check says %s", got.out)
			}
		})
	}
}

// A rate needs a second scrape and nothing else does. What so short a time
// cannot tell is said.
func TestOnlyMetricsAreLookedAtTwice(t *testing.T) {
	env := map[string]string{"METRICS_URL": plantApp(t, appBuckets, func(a *plantedApp) { a.serve(4, "/quick/", 200, .1) }).url, "GRADING_LOG_DIR": t.TempDir()}
	glance(t, env, func(_ context.Context, l look) error {
		if scrapes, looks := l.set.Get(metrics.ID).Seq, l.set.Get(logs.ID).Seq; scrapes != 2 || looks != 1 {
			t.Errorf("%d looks at the metrics, %d at the logs", scrapes, looks)
		}
		for _, rule := range []string{"slow-endpoint", "slow-finalize", "http-504"} {
			if !slices.ContainsFunc(l.Judge(l.set, l.now).Blind, func(b diagnosis.Blind) bool {
				return b.Rule == rule && strings.HasPrefix(b.Why, "Only the requests of the last ")
			}) {
				t.Errorf("%s was judged by one second of requests", rule)
			}
		}
		return nil
	})
}

// at finds "p95.lower" in nested objects.
func at(row map[string]any, path string) any {
	var v any = row
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Sprintf("no %s", path)
		}
		v = m[name]
	}
	return v
}

// One endpoint with its charts, and what is said where there is none of the name.
func TestMetricsOfOneEndpoint(t *testing.T) {
	env := map[string]string{"METRICS_URL": plantApp(t, appBuckets, func(a *plantedApp) { a.serve(20, "/slow/", 200, 7) }).url}
	got := run(t, env, "metrics", "--endpoint", "GET /slow/")
	for _, s := range []string{"GET /slow/: P95 9.8s", "(5–10)", "P95 of each minute", "requests a second", "5xx of all requests", "└", "scraped, over"} {
		if got.code != 0 || !strings.Contains(got.out, s) {
			t.Errorf("no %q in (code %d, %s)\n%s", s, got.code, got.err, got.out)
		}
	}
	if plain := run(t, env, "metrics", "--endpoint", "GET /slow/", "--ascii"); strings.ContainsFunc(plain.out, func(r rune) bool { return r > '~' }) {
		t.Errorf("not only ASCII:\n%s", plain.out)
	}
	if got := run(t, env, "metrics", "--endpoint", "GET /nowhere/"); got.code != exitBad || !strings.Contains(got.err, `no endpoint "GET /nowhere/" was seen; there are "GET /slow/"`) {
		t.Errorf("code %d, %s", got.code, got.err)
	}
	if got := run(t, env, "metrics", "--endpoint", "GET /slow/", "--domain"); got.code == 0 {
		t.Error("two views at once are taken")
	}
}

// troubled is the last hour of two instances as a real Prometheus knows it: one
// was restarted half an hour ago and leaks since, and an endpoint fails.
func troubled(t *testing.T) *lab.PrometheusServer {
	var b strings.Builder
	now := time.Now().Truncate(time.Second)
	for _, instance := range []string{"a:8000", "b:8000"} {
		put := func(name, labels string, value func(age float64) float64) {
			for age := 4000.0; age >= 0; age -= 15 {
				fmt.Fprintf(&b, "%s{job=\"backend\",instance=%q%s} %g %d\n", name, instance, labels, value(age), now.Unix()-int64(age))
			}
		}
		grows := func(rate float64) func(float64) float64 {
			return func(age float64) float64 { return (5000 - age) * rate }
		}
		put("http_requests_total", `,method="POST",path="/finalize/",status="200"`, grows(1))
		put("http_requests_total", `,method="POST",path="/finalize/",status="504"`, grows(1))
		for _, le := range []struct {
			bound string
			rate  float64
		}{{"5", 1}, {"10", 1.5}, {"+Inf", 2}} {
			put("http_request_duration_seconds_bucket", `,method="POST",path="/finalize/",le="`+le.bound+`"`, grows(le.rate))
		}
		put("http_request_duration_seconds_count", `,method="POST",path="/finalize/"`, grows(2))
		put("http_request_duration_seconds_sum", `,method="POST",path="/finalize/"`, grows(40))
		put("process_start_time_seconds", "", func(age float64) float64 {
			if instance == "b:8000" && age < 1800 {
				return float64(now.Unix() - 1800)
			}
			return float64(now.Unix() - 9000)
		})
		put("process_resident_memory_bytes", "", func(age float64) float64 {
			if instance == "b:8000" {
				return 100e6 + 200e3*(4000-age)
			}
			return 150e6
		})
		put("process_open_fds", "", func(float64) float64 { return 1000 })
		put("process_max_fds", "", func(float64) float64 { return 1024 })
	}
	b.WriteString("# EOF\n")
	return labtest.Prometheus(t, lab.PrometheusOptions{Past: b.String()})
}

// A restarted process, leaking memory, 504s and a P95 above the top bucket are
// found through Prometheus alone, at the first look.
func TestPlantedInPrometheus(t *testing.T) {
	s := troubled(t)
	env := map[string]string{"PROMETHEUS_URL": s.URL(), "GRADECOCKPIT_PROMETHEUS_MATCH": `job="backend"`}
	rows, report := rowsOf(t, env, "show", "latency")
	row := rows["POST /finalize/"]
	if at(row, "p95.above") != true || !between(at(row, "504"), .49, .51) || !between(at(row, "mean"), 19.9, 20.1) {
		t.Errorf("got %v", row)
	}
	if n := len(row["hour"].([]any)); n != 60 {
		t.Errorf("%d points of the last hour", n)
	}
	notes := fmt.Sprint(report["notes"])
	if !strings.Contains(notes, "memory of b:8000 grew by") || !strings.Contains(notes, "1 restart in the last hour") {
		t.Errorf("the notes are %s", notes)
	}
	if summary := report["summary"].(string); !strings.HasSuffix(summary, "· prometheus 5m") {
		t.Errorf("the summary does not say where it is from: %s", summary)
	}
	processes, _ := rowsOf(t, env, "metrics", "--processes")
	if p := processes["b:8000"]; p["leaks"] != true || p["restarts"] != 1.0 || p["open_fds"] != 1000.0 {
		t.Errorf("b is %v", p)
	}
	if p := processes["a:8000"]; p["leaks"] != false || p["restarts"] != 0.0 {
		t.Errorf("a is %v", p)
	}
	if got := run(t, env, "check"); got.code != int(levelWarning) || !strings.Contains(got.out, "P95 10.00s") {
		t.Errorf("check: %d %s", got.code, got.out)
	}
	if got := run(t, env, "metrics", "--endpoint", "POST /finalize/"); !strings.Contains(got.out, ">10s┤▲▲▲") || !strings.Contains(got.out, "Prometheus, over 5m") {
		t.Errorf("the chart has no band:\n%s%s", got.out, got.err)
	}
}

func between(v any, low, high float64) bool {
	f, ok := v.(float64)
	return ok && f >= low && f <= high
}

// With both sources the figures are Prometheus' while it answers, and scraped
// once it does not; the pane says which.
func TestPrometheusAndScraping(t *testing.T) {
	s := troubled(t)
	env := map[string]string{"PROMETHEUS_URL": s.URL(),
		"METRICS_URL": plantApp(t, appBuckets, func(a *plantedApp) { a.serve(20, "/scraped/", 200, .1) }).url}
	if rows, _ := rowsOf(t, env, "metrics"); rows["POST /finalize/"] == nil || rows["GET /scraped/"] != nil {
		t.Errorf("while it answers: %v", rows)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	rows, report := rowsOf(t, env, "metrics")
	if rows["GET /scraped/"] == nil || !strings.HasSuffix(report["summary"].(string), "· scraped") {
		t.Errorf("once it is away: %v", report)
	}
	if notes := fmt.Sprint(report["notes"]); !strings.Contains(notes, "Scraped directly: Prometheus: nobody listens there") {
		t.Errorf("why is not said: %s", notes)
	}
}

// The figures of grading are derived where they are not measured, in both
// dialects, with and without the lock table.
func TestDomainFiguresOfADatabase(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		for _, opts := range [][]labtest.Option{nil, {labtest.NoLocks}} {
			t.Run(fmt.Sprint(dialect, len(opts)), func(t *testing.T) {
				db := labtest.Postgres(t, dialect, opts...)
				user := db.AddUser("dupont")
				id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED", LockedBy: user, Pages: 1})
				db.AddEvent(lab.EventRow{Copy: id, Action: "FINALIZE", Actor: user})
				if opts == nil {
					db.AddLock(lab.LockRow{Copy: id, Owner: user, Expires: db.Now().Add(-time.Minute)})
				}
				got := run(t, map[string]string{"DATABASE_URL": db.DSN()}, "metrics", "--domain", "-o", "json")
				var report struct{ Rows []map[string]any }
				if err := json.Unmarshal([]byte(got.out), &report); err != nil {
					t.Fatalf("%v: %s%s", err, got.out, got.err)
				}
				want := map[string]float64{"FINALIZE events": 1, "LOCKED": 1}
				if opts == nil {
					want["expired locks"] = 1
				}
				for what, n := range want {
					i := slices.IndexFunc(report.Rows, func(r map[string]any) bool { return r["what"] == what })
					if i < 0 || report.Rows[i]["count"] != n || report.Rows[i]["derived"] != true {
						t.Errorf("%s is not %v: %v", what, n, report.Rows)
					}
				}
			})
		}
	}
}
