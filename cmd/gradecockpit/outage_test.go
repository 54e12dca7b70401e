package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// outage is one source that goes away and comes back.
type outage struct {
	name string
	says []string // what the screen shows while it is away
	down func()
	up   func()
}

// TestOutages: with each source away, one at a time and all together, keys
// answer, every pane says what happened, and all recovers without a restart.
func TestOutages(t *testing.T) {
	w := world(t, lab.Options{Seed: 1, Faults: lab.DefaultFaults(lab.Options{})})
	env, _ := settings(t, w)
	metrics := newGate(t, env["METRICS_URL"])
	env["METRICS_URL"] = metrics.url
	logs := env["GRADING_LOG_DIR"]
	all := []outage{
		{"postgres frozen", []string{"postgres ✗", "postgres: no answer"}, w.Postgres.Pause, w.Postgres.Resume},
		{"redis gone", []string{"redis ✗", "redis: "}, func() { must(t, w.Redis.Down()) }, func() { must(t, w.Redis.Up(labtest.Context(t))) }},
		{"metrics hanging", []string{"metrics ✗", "metrics: no whole answer"}, metrics.shut, metrics.open},
		{"logs missing", []string{"logs ✗"}, func() { must(t, os.Rename(logs, logs+".away")) }, func() {
			os.RemoveAll(logs) // the application may have begun a new one meanwhile
			must(t, os.Rename(logs+".away", logs))
		}},
	}
	s := open(t, 160, 40, env, binary)
	live := []string{"postgres ●", "redis ●", "metrics ●", "logs ●", "● live"}
	s.wait(append(live, fill...)...)
	for _, o := range all {
		t.Run(o.name, func(t *testing.T) {
			s := s.in(t)
			o.down()
			s.wait(o.says...)
			answers(s)
			o.up()
			s.wait(live...)
		})
	}
	t.Run("all together", func(t *testing.T) {
		s := s.in(t)
		var says []string
		for _, o := range all {
			o.down()
			says = append(says, o.says...)
		}
		s.wait(says...)
		answers(s)
		for _, o := range all {
			o.up()
		}
		s.wait(live...)
	})
	s.press("q")
	s.wait("[exit 0]")
	s.restored()
	leavesNoConnection(t, w)
}

// answers presses keys of every kind, which have to work while sources are away.
func answers(s *screen) {
	s.t.Helper()
	s.press("?")
	s.wait("force-unlock", "esc")
	s.press("Escape")
	s.gone("Keys in") // else the terminal takes esc and the next key for alt+key
	s.press("/")
	s.write("B771")
	s.wait("/B771")
	s.press("Escape")
	s.gone("/B771")
	s.press("f")
	s.gone("╭ 5 Audit")
	s.press("f")
	s.wait("╭ 5 Audit")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gate passes requests on to a server, or lets them hang.
type gate struct {
	url string

	mu   sync.Mutex
	wait chan struct{} // closed: open
}

func newGate(t *testing.T, target string) *gate {
	to, err := url.Parse(target)
	must(t, err)
	g := &gate{wait: make(chan struct{})}
	close(g.wait)
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		wait := g.wait
		g.mu.Unlock()
		select {
		case <-wait:
			pass.ServeHTTP(w, r)
		case <-r.Context().Done():
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}))
	t.Cleanup(func() { g.open(); server.Close() })
	g.url = server.URL + to.Path
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.wait:
	default:
		close(g.wait)
	}
}
