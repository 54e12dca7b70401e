package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gradecockpit/probes"
)

// The deadlines of the server. A scrape reads what is in memory, so it takes
// milliseconds; who is slower holds a connection and nothing else.
const (
	headerFor  = 5 * time.Second
	requestFor = 10 * time.Second
	idleFor    = 2 * time.Minute
	leaveFor   = 3 * time.Second
	scrapesAt  = 4 // at once; more are told to come back
	headerMost = 16 << 10
)

// Options shape an Exporter.
type Options struct {
	Sources []probes.SourceID // those that are configured
	Patient time.Duration     // what is older than this is withheld
	Log     *slog.Logger
}

// Exporter serves what a hub sees.
type Exporter struct {
	hub     *probes.Hub
	opts    Options
	began   time.Time
	running atomic.Bool
}

// New makes an Exporter; nothing runs before Serve.
func New(hub *probes.Hub, o Options) *Exporter {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Exporter{hub: hub, opts: o}
}

// Serve runs the hub and answers on the listener until ctx ends, which is no
// error. It closes the listener.
func (e *Exporter) Serve(ctx context.Context, l net.Listener) error {
	handler, err := e.Handler()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerFor, ReadTimeout: requestFor, WriteTimeout: requestFor,
		IdleTimeout: idleFor, MaxHeaderBytes: headerMost, ErrorLog: slog.NewLogLogger(e.opts.Log.Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { e.watch(ctx) })
	parts.Go(func() {
		<-ctx.Done()
		leave(server)
	})
	err = server.Serve(l)
	stop()
	parts.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// watch runs the hub, and says that it does.
func (e *Exporter) watch(ctx context.Context) {
	e.began = time.Now()
	e.running.Store(true)
	defer e.running.Store(false)
	e.hub.Run(ctx)
}

// leave lets answers under way be finished, within a bound.
func leave(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveFor)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}

// Handler answers GET and HEAD of /metrics, /healthz and /.
func (e *Exporter) Handler() (http.Handler, error) {
	registry := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{
		newCollector(Metrics(), e.look), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector(),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(e.opts.Log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAt, Timeout: requestFor / 2,
	}))
	mux.HandleFunc("GET /healthz", e.health)
	mux.HandleFunc("GET /{$}", index)
	return mux, nil
}

func (e *Exporter) look() look {
	return look{set: e.hub.Latest(), now: time.Now(), patient: e.opts.Patient, every: e.hub.Every, sources: e.opts.Sources, build: build()}
}

// health is well while the hub runs and some probe has looked of late. A source
// that fails is not the exporter's failure: its metrics tell of that.
func (e *Exporter) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if why := e.ails(time.Now()); why != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, why+"\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

func (e *Exporter) ails(now time.Time) string {
	if !e.running.Load() {
		return "the probes do not run"
	}
	newest, patient := e.began, e.opts.Patient
	for _, s := range e.hub.Latest().Snapshots() {
		if s.At.After(newest) {
			newest = s.At
		}
		patient = max(patient, missed*e.hub.Every(s.ID))
	}
	if age := now.Sub(newest); age > patient {
		return fmt.Sprintf("no probe has looked for %s", age.Round(time.Second))
	}
	return ""
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html>\n<title>gradecockpit</title>\n<h1>gradecockpit</h1>\n"+
		"<p><a href=\"/metrics\">metrics</a>, <a href=\"/healthz\">health</a></p>\n")
}

// build says what runs: version, revision and Go's version.
func build() []string {
	version, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return []string{version, revision, runtime.Version()}
}

// Listen takes an address. One that others can reach is refused unless anyone
// is set: what is served tells about pupils' exams, to whoever asks.
func Listen(ctx context.Context, address string, anyone bool) (net.Listener, error) {
	if !anyone {
		if err := loopback(ctx, address); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken already: another program listens there; give another one with --listen", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s is not allowed to us: ports below 1024 need a privilege; give another one with --listen", address)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

// loopback checks that an address cannot be reached from elsewhere.
func loopback(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen %q is not host:port, such as 127.0.0.1:9810", address)
	}
	all := []netip.Addr{netip.IPv4Unspecified()} // what no host stands for
	if host != "" {
		if all, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return fmt.Errorf("--listen %q: there is no such host", address)
		}
	}
	for _, ip := range all {
		if !ip.Unmap().IsLoopback() {
			return fmt.Errorf("--listen %s can be reached from other machines, and the metrics tell about pupils' exams; "+
				"add --anyone if that is meant, behind a firewall or a proxy that asks who it is", address)
		}
	}
	return nil
}
