package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
)

// PrometheusOptions shape a throwaway Prometheus.
type PrometheusOptions struct {
	// Targets are what it scrapes: job, then host:port. The path is /metrics.
	Targets map[string][]string
	// Interval between two scrapes; 250 ms.
	Interval time.Duration
	// Token is sent to the targets as the query parameter token, which the
	// application takes too: this old a server cannot set headers.
	Token string
	// Past is OpenMetrics text with times, which the server knows from its start.
	Past string
	// Rules is a file of alerting and recording rules.
	Rules string
}

// PrometheusServer is a running Prometheus; its end is Stop's, or ours.
type PrometheusServer struct {
	home *home
	port int
	opts PrometheusOptions
	proc *process
	once sync.Once
	err  error
}

// StartPrometheus serves until Stop, by the machine's prometheus. ctx bounds
// the start only.
func StartPrometheus(ctx context.Context, opts PrometheusOptions) (*PrometheusServer, error) {
	program, err := Program("prometheus")
	if err != nil {
		return nil, fmt.Errorf("start prometheus: %w", err)
	}
	h, err := newHome(nil)
	if err != nil {
		return nil, err
	}
	s := &PrometheusServer{home: h, opts: opts}
	if err = s.prepare(ctx); err == nil {
		err = withFreePort(func(port int) error {
			s.port = port
			return s.serve(ctx, program)
		}, func() bool { return strings.Contains(s.Log(), "address already in use") })
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// prepare writes the configuration and the past.
func (s *PrometheusServer) prepare(ctx context.Context) error {
	config, err := yaml.Marshal(s.config())
	if err != nil {
		return fmt.Errorf("configure prometheus: %w", err)
	}
	files := map[string]string{"prometheus.yml": string(config), "rules.yml": s.opts.Rules, "past.txt": s.opts.Past}
	for name, text := range files {
		if err := s.home.write(name, text); err != nil {
			return fmt.Errorf("configure prometheus: %w", err)
		}
	}
	if s.opts.Past == "" {
		return nil
	}
	promtool, err := Program("promtool")
	if err != nil {
		return fmt.Errorf("give prometheus a past: %w", err)
	}
	cmd, err := s.home.command("promtool", promtool, "tsdb", "create-blocks-from", "openmetrics", s.path("past.txt"), s.path("data"))
	if err != nil {
		return err
	}
	if err := s.home.run(ctx, "promtool", cmd); err != nil {
		return fmt.Errorf("give prometheus a past: %w\n%s", err, s.home.tail("promtool"))
	}
	return nil
}

func (s *PrometheusServer) config() map[string]any {
	interval := s.opts.Interval
	if interval <= 0 {
		interval = 250 * time.Millisecond
	}
	short := strconv.FormatInt(interval.Milliseconds(), 10) + "ms"
	jobs := []map[string]any{}
	for job, targets := range s.opts.Targets {
		j := map[string]any{"job_name": job, "static_configs": []map[string]any{{"targets": targets}}}
		if s.opts.Token != "" {
			j["params"] = map[string][]string{"token": {s.opts.Token}}
		}
		jobs = append(jobs, j)
	}
	c := map[string]any{
		"global":         map[string]any{"scrape_interval": short, "scrape_timeout": short, "evaluation_interval": short},
		"scrape_configs": jobs,
	}
	if s.opts.Rules != "" {
		c["rule_files"] = []string{s.path("rules.yml")}
	}
	return c
}

func (s *PrometheusServer) path(name string) string { return filepath.Join(s.home.path, name) }

func (s *PrometheusServer) serve(ctx context.Context, program string) error {
	cmd, err := s.home.command("prometheus", program, "--config.file="+s.path("prometheus.yml"),
		"--storage.tsdb.path="+s.path("data"), "--web.listen-address="+s.address(), "--log.level=warn")
	if err != nil {
		return err
	}
	if s.proc, err = s.home.spawn("prometheus", cmd); err != nil {
		return err
	}
	if err := s.proc.await(ctx, s.ready); err != nil {
		return fmt.Errorf("start prometheus: %w\n%s", err, s.Log())
	}
	return nil
}

func (s *PrometheusServer) address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// ready is the check that it answers queries.
func (s *PrometheusServer) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/-/ready", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("it says " + resp.Status)
	}
	return nil
}

// URL is the address of the server.
func (s *PrometheusServer) URL() string { return "http://" + s.address() }

// Dir is its private directory.
func (s *PrometheusServer) Dir() string { return s.home.path }

// Log is the end of the server's log.
func (s *PrometheusServer) Log() string { return s.home.tail("prometheus") }

// Pause freezes the server: connections stay open and are answered no more.
func (s *PrometheusServer) Pause() { s.proc.pause() }

// Resume lets a paused server go on.
func (s *PrometheusServer) Resume() { s.proc.resume() }

// Stop ends the server and removes its directory. Further calls return the same.
func (s *PrometheusServer) Stop() error {
	s.once.Do(func() {
		if s.proc != nil {
			s.proc.stop(syscall.SIGTERM)
		}
		s.err = s.home.remove()
	})
	return s.err
}
