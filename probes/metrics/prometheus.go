package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// PrometheusConfig says which Prometheus to ask, and for what. Only URL has no
// default.
type PrometheusConfig struct {
	URL   string
	Match string // label matchers of the application's series, with or without braces; "" all
	Token string // sent as a bearer token

	Timeout    time.Duration // for one query; 4 s
	MaxBytes   int64         // of one answer, unpacked; 16 MiB
	MaxSeries  int           // endpoints; 300
	MaxHistory int           // endpoints whose last hour is asked for, the worst ones; 40
	Window     time.Duration // what rates look back on; 5 m, as in the playbook, which scrapes every minute still fill
}

// The grain of the last hour, and how often it is asked for again: in between
// it is known.
const (
	step        = time.Minute
	stepWindow  = 2 * time.Minute // two scrapes a minute apart are always in it
	askAgain    = 50 * time.Second
	mixedWindow = 15 * time.Minute
)

// PrometheusProbe asks a Prometheus server: four queries a look, and four more
// for the last hour once a minute, one after the other over one connection.
// Its Sample is called by one goroutine at a time, as the hub does.
type PrometheusProbe struct {
	cfg     PrometheusConfig
	api     promv1.API
	wire    *transport
	now     func() time.Time
	history history
}

// NewPrometheus checks the address and the token. It connects to nothing.
func NewPrometheus(cfg PrometheusConfig) (*PrometheusProbe, error) {
	cfg = cfg.withDefaults()
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("address of Prometheus: want http://host:port")
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, errors.New("token of Prometheus: it holds a control character, such as a line end")
	}
	cfg.Match = strings.Trim(strings.TrimSpace(cfg.Match), "{}, ")
	t := &transport{cfg: cfg, shown: shown(u), next: &http.Transport{MaxIdleConns: 1, MaxConnsPerHost: 1, MaxResponseHeaderBytes: 64 << 10}}
	// The path of the API is joined to that of the address, which a proxy may
	// have; a query in it would not be sent anyway.
	client, err := api.NewClient(api.Config{Address: u.String(), Client: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, errors.New("address of Prometheus: it cannot be used")
	}
	return &PrometheusProbe{cfg: cfg, api: promv1.NewAPI(client), wire: t, now: time.Now}, nil
}

func (c PrometheusConfig) withDefaults() PrometheusConfig {
	if c.Timeout <= 0 {
		c.Timeout = 4 * time.Second
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 16 << 20
	}
	if c.MaxSeries <= 0 {
		c.MaxSeries = 300
	}
	if c.MaxHistory <= 0 {
		c.MaxHistory = 40
	}
	if c.Window <= 0 {
		c.Window = 5 * time.Minute
	}
	return c
}

// ID is "prometheus".
func (p *PrometheusProbe) ID() probes.ID { return PrometheusID }

// Source is the Prometheus server.
func (p *PrometheusProbe) Source() probes.SourceID { return probes.Prometheus }

// Close lets go of the connection.
func (p *PrometheusProbe) Close() { p.wire.next.CloseIdleConnections() }

// Sample asks for the traffic of the window and gives an Overview. It fails
// when the first query does; of the others only their part is missing, and the
// note says so.
func (p *PrometheusProbe) Sample(ctx context.Context) (any, error) {
	began := time.Now()
	p.wire.cost = Cost{}
	a := answers{cfg: p.cfg}
	if err := p.instants(ctx, &a); err != nil {
		return nil, err
	}
	o := a.overview()
	if !a.at.IsZero() && p.now().Sub(p.history.asked) >= askAgain {
		p.ask(ctx, &a, o)
	}
	p.history.into(&o)
	o.Note = joinNotes(append(a.notes, p.history.notes...))
	o.Cost = p.wire.cost
	o.Cost.Samples, o.Cost.Took = a.samples, time.Since(began)
	return o, nil
}

// joinNotes makes one line of sentences, without repetitions.
func joinNotes(notes []string) string {
	var out []string
	seen := map[string]bool{}
	for _, n := range notes {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return clean.Capped(strings.Join(out, " "), 400)
}
