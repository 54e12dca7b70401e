package main_test

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// mute is an HTTP server that takes requests and never answers; it counts the
// connections that are open.
func mute(t *testing.T) (address string, open func() int) {
	t.Helper()
	conns := make(chan int, 1)
	conns <- 0
	count := func(by int) int {
		n := <-conns + by
		conns <- n
		return n
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			count(1)
		case http.StateClosed, http.StateHijacked:
			count(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, func() int { return count(0) }
}

// everySource points a cockpit at a world by all sources there are: the logs
// also by a command with a child of its own and by a Loki that is mute, the
// metrics also by a real Prometheus.
func everySource(t *testing.T, w *lab.World) (env map[string]string, state string, open func() int) {
	t.Helper()
	env, state = settings(t, w)
	env["HOME"], env["TMPDIR"] = state, state
	env["GRADECOCKPIT_LOG_COMMAND"] = fmt.Sprintf(`sh -c "tail -n 100 -F %s & tail -n 100 -F %s; wait"`,
		filepath.Join(env["GRADING_LOG_DIR"], "django.log"), filepath.Join(env["GRADING_LOG_DIR"], "audit.log"))
	env["LOKI_URL"], open = mute(t)
	app, err := url.Parse(env["METRICS_URL"])
	must(t, err)
	env["PROMETHEUS_URL"] = labtest.Prometheus(t, lab.PrometheusOptions{Targets: map[string][]string{"backend": {app.Host}}, Token: env["METRICS_TOKEN"]}).URL()
	return env, state, open
}

// cutOff is an upload that broke off: shorter than the others.
func cutOff(t *testing.T, w *lab.World) (name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.MediaDir(), "copies", "source", "copy_*.pdf"))
	must(t, err)
	least := int64(math.MaxInt64)
	for _, f := range files {
		info, err := os.Stat(f)
		must(t, err)
		if info.Size() < least {
			least, name = info.Size(), filepath.Join("copies", "source", filepath.Base(f))
		}
	}
	return name
}

// TestEverySourceIsLetGo: whichever way the cockpit is left while all of its
// sources are in use (one of them hanging) and a PDF is checked, no process of
// its own is left, no connection and no file.
func TestEverySourceIsLetGo(t *testing.T) {
	ways := map[string]func(*screen, []process){
		"q": func(s *screen, _ []process) {
			s.press("q")
			s.wait("Stuck copies")
			s.press("q")
			s.wait("[exit 0]")
			s.restored()
		},
		"SIGTERM": func(s *screen, all []process) { signal(s.t, all, syscall.SIGTERM); s.wait("[exit 143]"); s.restored() },
		"SIGHUP":  func(s *screen, all []process) { signal(s.t, all, syscall.SIGHUP); s.wait("[exit 129]"); s.restored() },
		"the terminal is closed": func(s *screen, _ []process) {
			s.kill()
		},
	}
	w := world(t, lab.Options{Seed: 1, Faults: []string{"corrupted-pdf-import"}})
	broken := cutOff(t, w)
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			env, state, open := everySource(t, w)
			s := open120(t, env)
			s.wait("1 Locks", "Host ")
			s.press(":")
			s.write("pdf " + broken)
			s.press("Enter")
			s.wait("damaged: cut off")
			all := descendants(t, s)
			for _, want := range []string{"django.log", "audit.log"} {
				if !runs(all, "tail", want) {
					t.Fatalf("no tail of %s among %v", want, all)
				}
			}
			leave(s, all)
			eventually(t, func() bool { return len(alive(all)) == 0 }, func() string { return fmt.Sprintf("still alive: %v", alive(all)) })
			eventually(t, func() bool { return open() == 0 }, func() string { return fmt.Sprintf("%d connections to Loki are left", open()) })
			leavesNoConnection(t, w)
			kept := map[string]bool{"gradecockpit.log": true, "journal.jsonl": true}
			must(t, filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() && !kept[d.Name()] {
					t.Errorf("left behind: %s", path)
				}
				return err
			}))
		})
	}
}

func open120(t *testing.T, env map[string]string) *screen { return open(t, 120, 36, env, binary) }

// runs tells whether a process of that program has a word in its arguments.
func runs(all []process, program, word string) bool {
	for _, p := range all {
		if strings.HasPrefix(p.args, program+" ") && strings.Contains(p.args, word) {
			return true
		}
	}
	return false
}
