package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"gradecockpit/cmd/gradecockpit/internal/export"
	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestPaths(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	s := serve(t, map[string]string{"DATABASE_URL": db.ReaderDSN()})
	for _, tt := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/", http.StatusOK, `<a href="/metrics">`},
		{"GET", "/", http.StatusOK, `<a href="/healthz">`},
		{"HEAD", "/", http.StatusOK, ""},
		{"GET", "/healthz", http.StatusOK, "ok"},
		{"GET", "/metrics", http.StatusOK, "gradecockpit_build_info{"},
		{"HEAD", "/metrics", http.StatusOK, ""},
		{"POST", "/metrics", http.StatusMethodNotAllowed, ""},
		{"DELETE", "/healthz", http.StatusMethodNotAllowed, ""},
		{"GET", "/metrics/", http.StatusNotFound, ""},
		{"GET", "/etc/passwd", http.StatusNotFound, ""},
	} {
		status, body, _ := s.get(tt.method, tt.path)
		if status != tt.status || !strings.Contains(body, tt.says) || tt.method == "HEAD" && body != "" {
			t.Errorf("%s %s: %d %.200s, want %d with %q", tt.method, tt.path, status, body, tt.status, tt.says)
		}
	}
}

// TestHealth is well only while the hub runs.
func TestHealth(t *testing.T) {
	e := export.New(probes.NewHub(nil, nil), export.Options{Patient: time.Minute})
	h, err := e.Handler()
	if err != nil {
		t.Fatal(err)
	}
	ask := func() int {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return r.Code
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("before the hub runs: %d", got)
	}
	l, err := export.Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx, l) }()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("after its end: %d", got)
	}
}

func TestListen(t *testing.T) {
	taken, err := export.Listen(t.Context(), "localhost:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for address, says := range map[string]string{
		taken.Addr().String(): "is taken already",
		"0.0.0.0:0":           "can be reached from other machines",
		":0":                  "can be reached from other machines",
		"[::]:0":              "can be reached from other machines",
		"192.0.2.1:0":         "can be reached from other machines",
		"9810":                "is not host:port",
		"no.such.invalid:0":   "there is no such host",
	} {
		l, err := export.Listen(t.Context(), address, false)
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
	}
	all, err := export.Listen(t.Context(), "0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	if ip := all.Addr().(*net.TCPAddr).IP; !ip.IsUnspecified() {
		t.Errorf("%v", ip)
	}
	_ = all.Close()
}

// TestDashboard is valid by Grafana's own schema, and shows every metric.
func TestDashboard(t *testing.T) {
	text, err := export.Dashboard()
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins() // the schemas of panels and queries
	var d dashboard.Dashboard        //lint:ignore SA1019 the version that the dashboard is made in
	// Both give an empty list of errors, not nil, where there are none.
	if err := d.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Fatalf("not a dashboard: %v", err)
	}
	if d.UnmarshalJSONStrict(bytes.Replace(text, []byte(`"fillOpacity"`), []byte(`"fillOpacities"`), 1)).Error() == "" {
		t.Error("the schema takes anything")
	}
	if err := d.Validate(); err != nil && err.Error() != "" {
		t.Errorf("not valid: %v", err)
	}
	var plain struct {
		UID    string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr, LegendFormat string }
			GridPos struct{ X, Y, W, H int }
			Field   struct {
				Defaults struct{ Unit string }
			} `json:"fieldConfig"`
		}
	}
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	ids, shown := map[int]bool{}, ""
	for _, p := range plain.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("panel %q has the id %d, which is not its own", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("panel %q lies off the grid: %+v", p.Title, p.GridPos)
		}
		if p.Type == "row" {
			continue
		}
		if p.Field.Defaults.Unit == "" || len(p.Targets) != 1 || p.Targets[0].Expr == "" {
			t.Errorf("panel %q lacks a unit or a query", p.Title)
			continue
		}
		shown += p.Targets[0].Expr + "\n"
	}
	for _, m := range export.Metrics() {
		if !strings.Contains(shown, m.Name) {
			t.Errorf("no panel shows %s", m.Name)
		}
	}
	if plain.UID != "gradecockpit" {
		t.Errorf("uid %q", plain.UID)
	}
}
