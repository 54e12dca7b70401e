package loki

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

// newHTTP makes a client that keeps one connection and follows no redirect: the
// token must not go anywhere else. The transport unpacks gzip by itself.
func newHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks and gives the body of a good answer.
func (c *Client) get(ctx context.Context, values url.Values) ([]byte, error) {
	u := *c.url
	u.RawQuery = values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, c.failure("the address cannot be asked", "Check LOKI_URL.", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "gradecockpit")
	// Else the labels of a stream hold what differs from line to line, such as the
	// level that Loki found in it.
	req.Header.Set("X-Loki-Response-Encoding-Flags", "categorize-labels")
	if c.cfg.Tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.cfg.Tenant)
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.netFailure(ctx, err)
	}
	defer resp.Body.Close()
	return c.read(ctx, resp)
}

// read takes the body, unpacked, up to the limit.
func (c *Client) read(ctx context.Context, resp *http.Response) ([]byte, error) {
	if next, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		return nil, c.failure("redirects to "+clean.Capped(next.Scheme+"://"+next.Host, 100)+", which is not followed",
			"Set LOKI_URL to the address that answers; a login page in front of Loki wants LOKI_TOKEN.", nil)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.cfg.MaxBytes+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, c.refusal(resp, body)
	case int64(len(body)) > c.cfg.MaxBytes:
		return nil, c.failure(fmt.Sprintf("the answer is longer than %d MB", c.cfg.MaxBytes>>20), "Select fewer streams with loki_query.", nil)
	case isHTML(resp, body):
		return nil, c.failure("answers a web page, not log lines", "Is that Grafana instead of Loki, or a login page? Loki itself listens on port 3100.", nil)
	case err != nil:
		return nil, c.netFailure(ctx, err)
	}
	return body, nil
}

func isHTML(resp *http.Response, body []byte) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// refusal says what a status other than 200 means. Loki explains itself in
// plain text, a proxy before it with a web page.
func (c *Client) refusal(resp *http.Response, body []byte) error {
	says := ""
	if !isHTML(resp, body) {
		says = c.words(errors.New(strings.TrimSpace(string(body[:min(len(body), 1000)]))))
	}
	e := c.failure(fmt.Sprintf("answers %d", resp.StatusCode), "", nil)
	if says != "" {
		e.Cause += ": " + says
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized && strings.Contains(says, "org id"):
		e.Denied, e.Next = true, "Set GRADECOCKPIT_LOKI_TENANT: this Loki has several tenants."
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Denied, e.Next = true, "Set LOKI_TOKEN, or user and password in LOKI_URL."
		if c.cfg.Token != "" {
			e.Next = "LOKI_TOKEN is not accepted: set it again."
		}
	case code == http.StatusBadRequest:
		e.Next = "Check loki_query: it is LogQL."
	case code == http.StatusNotFound:
		e.Next = "Set LOKI_URL to the address before /loki/api/v1."
	case code == http.StatusTooManyRequests:
		e.Next = "Loki has too many questions at once; it is asked again."
	case code == http.StatusGatewayTimeout:
		e.Next = "Select fewer streams with loki_query, or look less far back."
	case code >= 500:
		e.Next = "Loki itself fails: see its own log."
	}
	return e
}

// netFailure puts a failure of the network into words. The error of net/http
// repeats the URL, so only what it wraps is shown.
func (c *Client) netFailure(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	var dns *net.DNSError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return c.failure("stopped before the answer", "", context.Canceled)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
		return c.failure("no whole answer in time", "Select fewer streams with loki_query, or look less far back.", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return c.failure("nobody listens there (connection refused)", "Is Loki up, and is this its port?", err)
	case errors.As(err, &dns):
		return c.failure("host name not found", "Check LOKI_URL.", err)
	case errors.As(err, &header) || strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return c.failure("speaks http, not https", "Set LOKI_URL to the http address.", err)
	}
	return c.failure(c.words(err), "", err)
}

// words gives the text of an error, which may quote what the server sent,
// which may repeat our token.
func (c *Client) words(err error) string {
	text := err.Error()
	if c.cfg.Token != "" {
		text = strings.ReplaceAll(text, c.cfg.Token, "(token)")
	}
	return clean.Capped(text, 200)
}

func (c *Client) failure(cause, next string, err error) *probes.Error {
	return &probes.Error{Source: probes.Logs, Op: "ask Loki at " + c.Where(), Cause: cause, Next: next, Err: err}
}
