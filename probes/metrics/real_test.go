package metrics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// realApp is an application that measures itself with Prometheus' own client
// library, scraped over HTTP by us and by a real Prometheus.
type realApp struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	url       string
}

func newRealApp(t *testing.T) *realApp {
	t.Helper()
	reg := prometheus.NewRegistry()
	a := &realApp{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: familyRequests}, []string{"method", "path", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: familyDuration, Buckets: bounds}, []string{"method", "path"}),
	}
	reg.MustRegister(a.requests, a.durations, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	srv := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

func (a *realApp) serve(path string, status int, seconds float64) {
	a.requests.WithLabelValues("GET", path, fmt.Sprint(status)).Inc()
	a.durations.WithLabelValues("GET", path).Observe(seconds)
}

func (a *realApp) prometheus(t *testing.T, interval time.Duration) *lab.PrometheusServer {
	t.Helper()
	return labtest.Prometheus(t, lab.PrometheusOptions{Interval: interval,
		Targets: map[string][]string{"backend": {strings.TrimPrefix(a.url, "http://")}}})
}

// The same observations, read by both: our quantiles over what was observed
// since our first scrape are those that the server computes from the same
// buckets, and hold the true ones between their bounds.
func TestQuantilesAreThoseOfPrometheus(t *testing.T) {
	a := newRealApp(t)
	paths := []string{"/quick/", "/usual/", "/slow/", "/beyond/"}
	for _, path := range paths {
		a.durations.WithLabelValues("GET", path) // at 0 before we look
	}
	p, err := New(Config{URLs: []string{a.url}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Now()
	p.now = func() time.Time { return clock }
	sample(t, p)
	rnd, all := rand.New(rand.NewPCG(3, 4)), map[string][]float64{}
	for i, path := range paths {
		for range 500 {
			d := math.Exp(rnd.NormFloat64()*.8 + 1.8*float64(i) - 4)
			all[path] = append(all[path], d)
			a.serve(path, 200, d)
		}
	}
	clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	s := a.prometheus(t, 250*time.Millisecond)
	labtest.Eventually(t, func() bool {
		n, _ := promqlOf(t, s, `sum(http_request_duration_seconds_count)`)
		return n == 2000
	})
	for _, path := range paths {
		e := endpointOf(t, o, path)
		for i, q := range []Quantile{e.P50, e.P95, e.P99} {
			theirs := promql(t, s, fmt.Sprintf(`histogram_quantile(%v, http_request_duration_seconds_bucket{path="%s"})`, levels[i], path))
			if math.Abs(q.Seconds-theirs) > 1e-9 {
				t.Errorf("%s P%v is %v, Prometheus says %v", path, 100*levels[i], q.Seconds, theirs)
			}
			if v := trueQuantile(levels[i], all[path]); v <= q.Lower || v > q.Upper {
				t.Errorf("%s P%v is truly %v, not in (%v, %v]", path, 100*levels[i], v, q.Lower, q.Upper)
			}
		}
		if mean := total(all[path]) / 500; math.Abs(e.Mean-mean) > 1e-6 {
			t.Errorf("%s takes %v on average, truly %v", path, e.Mean, mean)
		}
	}
	if !endpointOf(t, o, "/beyond/").P95.Above {
		t.Error("nothing is above the top bucket")
	}
}

// Steady traffic, counted by two scrapers that look at different moments. Each
// misses or adds at most what comes between two scrapes at either end of its
// window, so both rates are within two intervals of the window of each other.
func TestRatesAreThoseOfPrometheus(t *testing.T) {
	a := newRealApp(t)
	const interval = 200 * time.Millisecond
	s := a.prometheus(t, interval)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	defer func() { stop(); <-done }()
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		// 100 a second, also when a busy machine lets ticks fall out.
		for start, i := time.Now(), 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for ; i < int(time.Since(start)/(10*time.Millisecond)); i++ {
				a.serve("/a/", []int{200, 200, 200, 503, 404}[i%5], .02)
			}
		}
	}()
	p, err := New(Config{URLs: []string{a.url}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	const span = 5 * time.Second
	var o Overview
	labtest.Eventually(t, func() bool {
		o = sample(t, p)
		n, _ := promqlOf(t, s, `min(count_over_time(http_requests_total[1m]))`)
		return o.Window >= span && n > float64(span/interval)+2 // then their window is full of samples
	})
	e := endpointOf(t, o, "/a/")
	window := fmt.Sprintf("[%dms]", span.Milliseconds())
	tolerance := 2 * interval.Seconds() / span.Seconds()
	for _, x := range []struct {
		what   string
		ours   float64
		theirs string
	}{
		{"requests", e.RPS, `sum(rate(http_requests_total` + window + `))`},
		{"5xx", e.RPS * e.ErrorShare, `sum(rate(http_requests_total{status=~"5.."}` + window + `))`},
		{"4xx", e.RPS * e.ClientShare, `sum(rate(http_requests_total{status=~"4.."}` + window + `))`},
		{"durations", e.RPS, `sum(rate(http_request_duration_seconds_count` + window + `))`},
	} {
		if theirs := promql(t, s, x.theirs); math.Abs(x.ours-theirs) > tolerance*theirs {
			t.Errorf("%s: %.1f/s, Prometheus says %.1f/s, allowed are %.0f %%", x.what, x.ours, theirs, 100*tolerance)
		}
	}
	if r := o.Processes[0]; r.Resident <= 0 || r.OpenFDs <= 0 || r.MaxFDs <= r.OpenFDs || !(r.CPUShare > 0) {
		t.Errorf("the process that the client library sees: %+v", r)
	}
}
