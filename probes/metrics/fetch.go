package metrics

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// newClient makes a client that opens a connection for each scrape: a kept one
// would be answered by the same gunicorn process every time.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// A redirect is looked at first: the token must not follow it anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// scrape asks once and parses the answer.
func (p *Probe) scrape(ctx context.Context, u *url.URL) (*reading, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	a, err := p.fetch(ctx, u)
	if err != nil {
		return nil, err
	}
	r, err := parse(a.body)
	if err != nil {
		return nil, failure(u, p.words(err), "Is this the Prometheus text format?", err)
	}
	r.url, r.at = u.String(), p.now()
	if !a.date.IsZero() {
		r.skew = a.date.Sub(r.at)
	}
	return r, nil
}

// fetch follows one redirect, on the same host only. One that leads to https
// on the very same port is Django behind a TLS proxy that we bypass: asking
// again as that proxy would is what gets an answer.
func (p *Probe) fetch(ctx context.Context, u *url.URL) (answer, error) {
	a, err := p.get(ctx, u, "")
	if err != nil || a.next == nil {
		return a, err
	}
	next, forwarded := a.next, ""
	switch {
	case next.Hostname() != u.Hostname() || u.Scheme == "https" && next.Scheme != "https":
		return a, failure(u, "redirects to "+clean.Capped(next.Scheme+"://"+next.Host, 100)+", which is not followed",
			"Set METRICS_URL to the address that answers.", nil)
	case next.Host == u.Host && next.Scheme != u.Scheme:
		next, forwarded = u, "https"
	}
	a, err = p.get(ctx, next, forwarded)
	if err == nil && a.next != nil {
		return a, failure(u, "redirects again and again", "It wants https (SSL_ENABLED): set METRICS_URL to the https address.", nil)
	}
	return a, err
}

// answer is a body, or where else to ask.
type answer struct {
	body []byte
	next *url.URL
	date time.Time // by the application's clock; zero: not told
}

// get asks one address.
func (p *Probe) get(ctx context.Context, u *url.URL, forwardedProto string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return a, failure(u, "the address cannot be asked", "Check METRICS_URL.", err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	req.Header.Set("User-Agent", "gradecockpit")
	if p.cfg.Token != "" {
		req.Header.Set("X-Metrics-Token", p.cfg.Token)
	}
	if forwardedProto != "" {
		req.Header.Set("X-Forwarded-Proto", forwardedProto)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return a, p.netFailure(ctx, u, err)
	}
	defer resp.Body.Close()
	if next, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		return answer{next: next}, nil
	}
	if err := p.refusal(u, resp); err != nil {
		return a, err
	}
	if a.date, err = http.ParseTime(resp.Header.Get("Date")); err != nil {
		a.date = time.Time{}
	}
	a.body, err = p.read(ctx, u, resp)
	return a, err
}

// read takes the body, unpacked, up to the limit.
func (p *Probe) read(ctx context.Context, u *url.URL, resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, p.cfg.MaxBytes+1))
	switch {
	case int64(len(body)) > p.cfg.MaxBytes:
		return nil, failure(u, fmt.Sprintf("the answer is longer than %d bytes", p.cfg.MaxBytes), "Is this really a metrics endpoint?", nil)
	case isHTML(resp, body):
		return nil, failure(u, "answers a web page, not metrics",
			"nginx does not forward /metrics; ask backend:8000/metrics, from inside the compose network.", ErrWebPage)
	case err != nil:
		return nil, p.netFailure(ctx, u, err)
	}
	return body, nil
}

// ErrWebPage is that a web page was answered in the place of metrics, as nginx
// does for an address that it does not forward.
var ErrWebPage = errors.New("a web page, not metrics")

func isHTML(resp *http.Response, body []byte) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// refusal says what a status other than 200 means on the grading system.
func (p *Probe) refusal(u *url.URL, resp *http.Response) error {
	cause, next := fmt.Sprintf("answers %d", resp.StatusCode), ""
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusForbidden || code == http.StatusUnauthorized:
		e := failure(u, cause, "Set METRICS_TOKEN to the application's own METRICS_TOKEN.", nil)
		if p.cfg.Token != "" {
			e.Next = "The token that was sent is not the application's METRICS_TOKEN: set it again."
		}
		e.Denied = true
		return e
	case code == http.StatusBadRequest:
		next = "Is " + clean.Capped(u.Hostname(), 60) + " in the application's ALLOWED_HOSTS? Use a host name that is."
	case code == http.StatusNotFound && strings.HasSuffix(u.Path, "/"):
		next = "The address has no slash at its end: /metrics."
	case code == http.StatusNotFound:
		next = "The application serves exactly /metrics; versions before 2026-01-28 have none."
	case code >= 500:
		next = "The application itself fails: see its log."
	}
	return failure(u, cause, next, nil)
}

// netFailure puts a failure of the network into words. The error of net/http
// repeats the URL, so only what it wraps is shown.
func (p *Probe) netFailure(ctx context.Context, u *url.URL, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	var dns *net.DNSError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded), ctx.Err() == context.DeadlineExceeded:
		return failure(u, "no whole answer in time", "All workers may be busy: that is high latency itself.", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return failure(u, "nobody listens there (connection refused)", "Is the backend up, and is this its port?", err)
	case errors.As(err, &dns):
		return failure(u, "host name not found", "backend is known only inside the compose network.", err)
	case errors.As(err, &header) || strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return failure(u, "speaks http, not https", "Set METRICS_URL to the http address.", err)
	}
	return failure(u, p.words(err), "", err)
}

// words gives the text of an error, which may quote what the server sent,
// which may repeat our token.
func (p *Probe) words(err error) string {
	text := err.Error()
	if p.cfg.Token != "" {
		text = strings.ReplaceAll(text, p.cfg.Token, "(token)")
	}
	return clean.Capped(text, 200)
}

func failure(u *url.URL, cause, next string, err error) *probes.Error {
	return &probes.Error{Source: probes.Metrics, Op: "scrape " + shown(u), Cause: cause, Next: next, Err: err}
}
