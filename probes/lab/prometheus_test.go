package lab_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// answerOf asks a Prometheus and gives its answer as text.
func answerOf(t *testing.T, s *lab.PrometheusServer, query string) string {
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
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// It scrapes what it is told to, with the application's token, knows the past
// that it is given, follows rules, and leaves nothing.
func TestPrometheusScrapesAndHasAPast(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" || r.URL.Query().Get("token") != "s3cret" {
			http.Error(w, "Forbidden", http.StatusForbidden)
			return
		}
		io.WriteString(w, "seen 7\n")
	}))
	defer app.Close()
	before := time.Now().Add(-30 * time.Minute).Unix()
	s := labtest.Prometheus(t, lab.PrometheusOptions{
		Targets: map[string][]string{"backend": {strings.TrimPrefix(app.URL, "http://")}},
		Token:   "s3cret",
		Past:    fmt.Sprintf("past 3 %d\n# EOF\n", before),
		Rules:   "groups: [{name: g, rules: [{record: twice, expr: 2 * seen}]}]",
	})
	if got := answerOf(t, s, "max_over_time(past[1h])"); !strings.Contains(got, `"3"`) {
		t.Errorf("the past: %s", got)
	}
	labtest.Eventually(t, func() bool { return strings.Contains(answerOf(t, s, "twice"), `"14"`) })
	dir := s.Dir()
	if err := errors.Join(s.Stop(), s.Stop()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left %s", dir)
	}
}

// A past that promtool cannot read is an error with its words.
func TestPrometheusWithABadPast(t *testing.T) {
	labtest.Need(t, "prometheus")
	labtest.Need(t, "promtool")
	_, err := lab.StartPrometheus(labtest.Context(t), lab.PrometheusOptions{Past: "no end"})
	if err == nil || !strings.Contains(err.Error(), "give prometheus a past") {
		t.Errorf("got %v", err)
	}
}
