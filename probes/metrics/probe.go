package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// Config says what to scrape. Only URLs has no default.
type Config struct {
	URLs      []string      // each exactly as it is scraped; "http://host:port" gets "/metrics"
	Token     string        // sent as X-Metrics-Token, because query strings end up in access logs
	Timeout   time.Duration // for one answer; 4 s
	MaxBytes  int64         // of one answer, unpacked; 8 MiB
	MaxSeries int           // endpoints kept apart; 500. The path label of unknown URLs is raw, so anyone can make more
}

// maxScrapes is how often one Sample asks each URL: a single answer comes from
// one of several processes, and nothing lets us choose which.
const maxScrapes = 4

// Probe scrapes. Its Sample is called by one goroutine at a time, as the hub
// does.
type Probe struct {
	cfg    Config
	urls   []*url.URL
	client *http.Client
	track  *tracker
	now    func() time.Time
	cost   Cost // of the Sample that runs
}

// New checks the addresses and the token. Without a URL the probe exists and
// says that it is not configured.
func New(cfg Config) (*Probe, error) {
	cfg = cfg.withDefaults()
	p := &Probe{client: newClient(), track: newTracker(cfg.MaxSeries), now: time.Now}
	for _, raw := range cfg.URLs {
		u, err := parseURL(raw)
		if err != nil {
			return nil, err
		}
		cfg.Token = takeToken(u, cfg.Token)
		p.urls = append(p.urls, u)
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, errors.New("metrics token: it holds a control character, such as a line end")
	}
	p.cfg = cfg
	return p, nil
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 4 * time.Second
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 8 << 20
	}
	if c.MaxSeries <= 0 {
		c.MaxSeries = 500
	}
	return c
}

// parseURL checks one address. Its errors never repeat the address as given:
// it may hold a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("metrics URL: want http://host:port/metrics")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/metrics"
	}
	return u, nil
}

// takeToken moves the application's ?token= into the header, where access
// logs do not see it. A token that was set apart wins.
func takeToken(u *url.URL, token string) string {
	q := u.Query()
	if token == "" {
		token = q.Get("token")
	}
	q.Del("token")
	u.RawQuery = q.Encode()
	return token
}

// ID is "metrics".
func (p *Probe) ID() probes.ID { return ID }

// Source is the metrics endpoint.
func (p *Probe) Source() probes.SourceID { return probes.Metrics }

// Sample scrapes every URL a few times and gives an Overview. It fails only
// when no URL answers.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	if len(p.urls) == 0 {
		return nil, probes.NotConfigured(probes.Metrics, "METRICS_URL")
	}
	began, wall := p.now(), time.Now()
	p.cost = Cost{}
	var failed []error
	for i, u := range p.urls {
		if err := p.scrapeSome(ctx, u, len(p.urls)-i, began); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == len(p.urls) {
		return nil, failed[0]
	}
	o := p.track.overview(p.now())
	o.Cost = p.cost
	o.Cost.Took = time.Since(wall)
	if len(failed) > 0 {
		o.Note = strings.TrimSpace(fmt.Sprintf("%d of %d addresses failed: %v %s",
			len(failed), len(p.urls), failed[0], o.Note))
	}
	return o, nil
}

// scrapeSome asks one URL until a process answers again and all that are known
// there have answered, four times at most. Only the first failure is one: later
// ones just end it.
func (p *Probe) scrapeSome(ctx context.Context, u *url.URL, shares int, began time.Time) error {
	ctx, cancel := probes.Share(ctx, shares) // one address that hangs leaves something to the others
	defer cancel()
	for i := range maxScrapes {
		asked := time.Now()
		r, err := p.scrape(ctx, u)
		if err != nil && i == 0 {
			return err
		}
		if err != nil {
			return nil
		}
		p.cost.add(r)
		again := p.track.observe(r, began)
		if again && p.track.allMet(u.String(), began) || !roomFor(ctx, 2*time.Since(asked)) {
			return nil
		}
	}
	return nil
}

// add counts one scrape.
func (c *Cost) add(r *reading) {
	c.Requests++
	c.Bytes += r.bytes
	c.Samples += r.samples
}

func roomFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > d
}

// shown is an address without user, password and query.
func shown(u *url.URL) string {
	return clean.Capped((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 120)
}
