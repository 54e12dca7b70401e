package metrics

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// askAt asks a server that a handler plays.
func askAt(t *testing.T, h http.HandlerFunc, cfg PrometheusConfig) error {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg.URL = strings.Replace(srv.URL, "//", "//user:hidden-pw@", 1)
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	p, err := NewPrometheus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	_, err = p.Sample(t.Context())
	return err
}

func checkPromError(t *testing.T, err error, denied bool, want ...string) {
	t.Helper()
	var e *probes.Error
	if !errors.As(err, &e) || e.Source != probes.Prometheus || e.Denied != denied {
		t.Fatalf("got %#v, want denied %v", err, denied)
	}
	for _, s := range want {
		if !strings.Contains(e.Error(), s) {
			t.Errorf("%q does not say %q", e, s)
		}
	}
	if strings.Contains(e.Error(), secret) || strings.Contains(e.Error(), "hidden") || strings.ContainsAny(e.Error(), "\x1b\n") {
		t.Errorf("unsafe to show: %q", e)
	}
}

func TestPrometheusFailures(t *testing.T) {
	answer := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	const js = "application/json"
	tests := []struct {
		name    string
		handler http.HandlerFunc
		token   string
		want    []string
		denied  bool
	}{
		{"a web page", answer(200, "text/html", "<!doctype html>"), "", []string{"answers a web page, not its API", "PROMETHEUS_URL"}, false},
		{"403", answer(403, "text/plain", "no "+secret), "", []string{"answers 403", "Set PROMETHEUS_TOKEN."}, true},
		{"401 with a token", answer(401, "text/plain", ""), secret, []string{"answers 401", "refused: set PROMETHEUS_TOKEN again"}, true},
		{"404", answer(404, "text/plain", "404 page not found"), "", []string{"answers 404", "Is this Prometheus?"}, false},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://user:hidden-pw@sso.example.org/"+secret, http.StatusFound)
		}, secret, []string{"redirects to http://sso.example.org, which is not followed"}, false},
		{"not JSON", answer(200, js, "hello "+secret+"\x1b[31m"), secret, []string{"answers something else than its API"}, false},
		{"JSON of another program", answer(200, js, `{"jsonrpc":"2.0"}`), "", []string{"prometheus: ask http://"}, false},
		{"a server error", answer(503, js, `{"status":"error","errorType":"unavailable","error":"TSDB not ready `+secret+`"}`), secret, []string{"TSDB not ready (token)"}, false},
		{"a scalar", answer(200, js, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`), "", []string{"answers a scalar where a vector is due"}, false},
		{"hanging up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", []string{"EOF"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkPromError(t, askAt(t, tt.handler, PrometheusConfig{Token: tt.token}), tt.denied, tt.want...)
		})
	}
}

// An answer that is too long is not read to its end, packed or not.
func TestPrometheusTooLong(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		for range 1 << 10 {
			z.Write([]byte(strings.Repeat(" ", 1<<14)))
		}
	}
	checkPromError(t, askAt(t, h, PrometheusConfig{MaxBytes: 1 << 20}), false, "the answer is longer than 1048576 bytes", "PROMETHEUS_MATCH")
}

// What is put between the braces is the operator's; a slip is named.
func TestPrometheusBadMatch(t *testing.T) {
	s := labtest.Prometheus(t, lab.PrometheusOptions{})
	p, err := NewPrometheus(PrometheusConfig{URL: s.URL(), Match: `job=backend`, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Sample(t.Context())
	checkPromError(t, err, false, "parse error", "Check PROMETHEUS_MATCH")
}

// A server that answers no more is given up after the time for one query.
func TestPrometheusThatHangs(t *testing.T) {
	s := labtest.Prometheus(t, lab.PrometheusOptions{})
	s.Pause()
	defer s.Resume()
	p, err := NewPrometheus(PrometheusConfig{URL: s.URL(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Sample(t.Context())
	checkPromError(t, err, false, "no whole answer in time")
}

func TestPrometheusIsAway(t *testing.T) {
	p, err := NewPrometheus(PrometheusConfig{URL: "http://admin:" + secret + "@127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Sample(t.Context())
	checkPromError(t, err, false, "ask http://127.0.0.1:1: nobody listens there")
}

func TestNewPrometheus(t *testing.T) {
	for _, bad := range []PrometheusConfig{
		{URL: "localhost:9090"}, {URL: "ftp://x"}, {URL: "http://" + secret + "\x00/"}, {URL: "http://x", Token: secret + "\n"},
	} {
		if _, err := NewPrometheus(bad); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad.URL, err)
		}
	}
}

// The token goes to Prometheus alone, and with every query.
func TestPrometheusToken(t *testing.T) {
	asked := 0
	h := func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusForbidden)
		}
		io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}
	if err := askAt(t, h, PrometheusConfig{Token: secret}); err != nil || asked != 4 {
		t.Errorf("%v after %d queries", err, asked)
	}
}

func TestWhichSourceIsBest(t *testing.T) {
	set := func(ours, theirs any, failed bool) probes.Set {
		s := probes.NewSet(probes.Snapshot{ID: ID, Source: probes.Metrics, Seq: 1, Payload: ours})
		if theirs == nil && !failed {
			return s
		}
		snap := probes.Snapshot{ID: PrometheusID, Source: probes.Prometheus, Seq: 1, Payload: theirs}
		if failed {
			snap.Err = &probes.Error{Source: probes.Prometheus, Cause: "answers 403."}
		}
		return s.With(snap)
	}
	good, cold, mixed := Overview{}, Overview{Warming: "No series."}, Overview{Mixed: true}
	tests := []struct {
		name         string
		ours, theirs any
		failed       bool
		want         probes.ID
		says         string
	}{
		{"only scraping", good, nil, false, ID, ""},
		{"both", good, good, false, PrometheusID, ""},
		{"only Prometheus", nil, good, false, PrometheusID, ""},
		{"scraping warms up", cold, good, false, PrometheusID, ""},
		{"Prometheus failed", good, good, true, ID, "Scraped directly: Prometheus: answers 403."},
		{"Prometheus never answered", good, nil, true, ID, "Scraped directly: Prometheus: answers 403."},
		{"Prometheus failed, nothing else", nil, good, true, PrometheusID, ""},
		{"Prometheus has none of ours", good, cold, false, ID, "Scraped directly: No series."},
		{"Prometheus mixes processes", good, mixed, false, ID, "Scraped directly: several processes answer"},
		{"mixed is better than nothing", cold, mixed, false, PrometheusID, ""},
		{"nothing at all", nil, nil, false, ID, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := set(tt.ours, tt.theirs, tt.failed)
			if got := Choose(s); got != tt.want {
				t.Errorf("got %s", got)
			}
			if got := Passed(s); !strings.HasPrefix(got, tt.says) || tt.says == "" && got != "" {
				t.Errorf("says %q", got)
			}
		})
	}
}
