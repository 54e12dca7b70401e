package lab

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// webProcesses is how many gunicorn processes answer /metrics in turn, each
// with counters of its own: there is no multiprocess mode.
const webProcesses = 3

// appMetrics is the application's /metrics: what its processes counted, and
// the HTTP server that shows one of them at each scrape.
type appMetrics struct {
	token  string
	server *http.Server
	url    string

	mu        sync.Mutex
	rng       *rand.Rand
	processes []*webProcess
	scrapes   int
	html      bool // answer with the web page, as nginx does on the public port
	served    sync.WaitGroup
}

// newAppMetrics listens on a free port of the loopback. The processes started
// uptime ago, not in the same second.
func newAppMetrics(ctx context.Context, rng *rand.Rand, token string, uptime time.Duration) (*appMetrics, error) {
	m := &appMetrics{token: token, rng: rng}
	for i := range webProcesses {
		started := time.Now().Add(-uptime).Add(time.Duration(i) * 430 * time.Millisecond)
		m.processes = append(m.processes, newWebProcess(started))
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for /metrics: %w", err)
	}
	m.url = "http://" + listener.Addr().String() + "/metrics"
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: 5 * time.Second}
	m.served.Go(func() { _ = m.server.Serve(listener) })
	return m, nil
}

func (m *appMetrics) close() {
	_ = m.server.Close()
	m.served.Wait()
}

// ServeHTTP answers as the application does: exactly /metrics, GET, the token
// in a header or in the query.
func (m *appMetrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given := r.Header.Get("X-Metrics-Token")
	if given == "" {
		given = r.URL.Query().Get("token")
	}
	switch {
	case m.behindNginx():
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html lang=\"fr\"><head><title>Viatique</title></head><body><div id=\"app\"></div></body></html>\n")
	case r.URL.Path != "/metrics":
		http.Error(w, "Not Found", http.StatusNotFound)
	case r.Method != http.MethodGet:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case subtle.ConstantTimeCompare([]byte(given), []byte(m.token)) != 1:
		http.Error(w, "Forbidden", http.StatusForbidden)
	default:
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, m.scrape())
	}
}

func (m *appMetrics) behindNginx() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.html
}

func (m *appMetrics) scrape() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.processes[m.scrapes%len(m.processes)]
	m.scrapes++
	var b strings.Builder
	p.write(&b)
	return b.String()
}

// any gives the process that happens to answer a request.
func (m *appMetrics) any() *webProcess { return m.processes[m.rng.IntN(len(m.processes))] }

// httpRequest counts one request; path is already normalised.
func (m *appMetrics) httpRequest(method, path string, status int, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.any()
	p.counter(famRequests, "method", method, "path", path, "status", fmt.Sprint(status))
	p.histogram(famDuration, seconds, "method", method, "path", path)
}

// finalized counts one finalization; a failed one counts too although the
// database shows nothing of it.
func (m *appMetrics) finalized(status string, attempt int, seconds float64) {
	retry := "3+"
	if attempt < 3 {
		retry = fmt.Sprint(max(attempt, 1))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.any().histogram(famFinalize, seconds, "status", status, "retry_attempt", retry)
}

func (m *appMetrics) imported(status string, pages int, seconds float64) {
	bucket := "100+"
	switch {
	case pages <= 10:
		bucket = "1-10"
	case pages <= 50:
		bucket = "11-50"
	case pages <= 100:
		bucket = "51-100"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.any().histogram(famImport, seconds, "status", status, "pages_bucket", bucket)
}

func (m *appMetrics) ocrError(kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.any().counter(famOCR, "error_type", kind)
}

func (m *appMetrics) lockConflict(kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.any().counter(famConflicts, "conflict_type", kind)
}

// restart gives one process a new start time and empty counters, as gunicorn
// does with a worker that served its share of requests.
func (m *appMetrics) restart(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.processes[i%len(m.processes)] = newWebProcess(time.Now())
}

func (m *appMetrics) setHTML(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.html = on
}
