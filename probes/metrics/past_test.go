package metrics

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// past writes OpenMetrics text of the last hour, a sample every 15 s.
type past struct {
	end time.Time
	b   strings.Builder
}

func newPast() *past { return &past{end: time.Now().Truncate(time.Second)} }

// series writes one series of one instance: what value gives for the time
// before the end.
func (p *past) series(name, instance, labels string, value func(ago time.Duration) (float64, bool)) {
	full := fmt.Sprintf(`%s{job="backend",instance="%s"`, name, instance)
	if labels != "" {
		full += "," + labels
	}
	for ago := 70 * time.Minute; ago >= 0; ago -= 15 * time.Second {
		if v, ok := value(ago); ok {
			fmt.Fprintf(&p.b, "%s} %s %d\n", full, strconv.FormatFloat(v, 'g', -1, 64), p.end.Add(-ago).Unix())
		}
	}
}

// steady grows by perSecond.
func steady(perSecond float64) func(time.Duration) (float64, bool) {
	return func(ago time.Duration) (float64, bool) { return (2*time.Hour - ago).Seconds() * perSecond, true }
}

// always is a value that stays.
func always(v float64) func(time.Duration) (float64, bool) {
	return func(time.Duration) (float64, bool) { return v, true }
}

// traffic writes an endpoint: how many requests a second are at most as long as
// each bound; the last is of those that are longer.
func (p *past) traffic(instance, path string, bounds []float64, perSecond ...float64) {
	labels := fmt.Sprintf(`method="POST",path="%s"`, path)
	all, sum := 0.0, 0.0
	for i, le := range bounds {
		all += perSecond[i]
		sum += perSecond[i] * le
		p.series(familyDuration+"_bucket", instance, fmt.Sprintf(`%s,le="%g"`, labels, le), steady(all))
	}
	all += perSecond[len(bounds)]
	sum += perSecond[len(bounds)] * 30
	p.series(familyDuration+"_bucket", instance, labels+`,le="+Inf"`, steady(all))
	p.series(familyDuration+"_count", instance, labels, steady(all))
	p.series(familyDuration+"_sum", instance, labels, steady(sum))
}

func (p *past) server(t *testing.T) *lab.PrometheusServer {
	t.Helper()
	return labtest.Prometheus(t, lab.PrometheusOptions{Past: p.b.String() + "# EOF\n"})
}

func ask(t *testing.T, s *lab.PrometheusServer, cfg PrometheusConfig) Overview {
	t.Helper()
	cfg.URL, cfg.Timeout = s.URL(), time.Minute
	p, err := NewPrometheus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	got, err := p.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got.(Overview)
}

// promql asks the server without any of the code under test: the first value
// of the answer.
func promql(t *testing.T, s *lab.PrometheusServer, query string) float64 {
	t.Helper()
	v, ok := promqlOf(t, s, query)
	if !ok {
		t.Fatalf("no answer to %s", query)
	}
	return v
}

func promqlOf(t *testing.T, s *lab.PrometheusServer, query string) (float64, bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(labtest.Context(t), http.MethodGet, s.URL()+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Error string
		Data  struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Error != "" {
		t.Fatalf("%s: %v %s", query, err, a.Error)
	}
	if len(a.Data.Result) == 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(a.Data.Result[0].Value[1].(string), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v, true
}
