package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// transport adds the token, and turns what is no answer of Prometheus into a
// sentence before the API client reads it.
type transport struct {
	cfg   PrometheusConfig
	shown string // the address without secrets
	next  *http.Transport
	cost  Cost
}

// RoundTrip asks once.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "gradecockpit")
	if t.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+t.cfg.Token)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	t.cost.Requests++
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.cfg.MaxBytes+1))
	t.cost.Bytes += len(body)
	if err == nil {
		err = t.refusal(resp, body)
	}
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// refusal is what is wrong with an answer that the API client should not see.
func (t *transport) refusal(resp *http.Response, body []byte) error {
	code := resp.StatusCode
	says := func(cause, next string) *probes.Error { return t.failure(cause, next, nil) }
	switch {
	case int64(len(body)) > t.cfg.MaxBytes:
		return says(fmt.Sprintf("the answer is longer than %d bytes", t.cfg.MaxBytes), "Narrow PROMETHEUS_MATCH down.")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e := says(fmt.Sprintf("answers %d", code), "Set PROMETHEUS_TOKEN.")
		if t.cfg.Token != "" {
			e.Next = "The token that was sent is refused: set PROMETHEUS_TOKEN again."
		}
		e.Denied = true
		return e
	case code/100 == 3:
		to := "elsewhere"
		if next, err := resp.Location(); err == nil {
			to = "to " + clean.Capped(next.Scheme+"://"+next.Host, 100)
		}
		return says("redirects "+to+", which is not followed", "Set PROMETHEUS_URL to the address that answers.")
	case isHTML(resp, body):
		return says("answers a web page, not its API", "Is PROMETHEUS_URL the address of Prometheus, with the path that a proxy puts before /api?")
	case code == http.StatusNotFound:
		return says("answers 404", "Is this Prometheus? It has no /api/v1/query.")
	}
	return nil
}

func (t *transport) failure(cause, next string, err error) *probes.Error {
	return &probes.Error{Source: probes.Prometheus, Op: "ask " + t.shown, Cause: cause, Next: next, Err: err}
}

// query asks for one vector, within the time for one query. The time of the
// answer is the server's own, whose clock may differ from ours.
func (p *PrometheusProbe) query(ctx context.Context, q string) (model.Vector, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	v, warnings, _, err := p.api.Query(ctx, q, time.Time{}, promv1.WithTimeout(p.cfg.Timeout))
	if err != nil {
		return nil, nil, p.wire.words(ctx, err)
	}
	vector, ok := v.(model.Vector)
	if !ok {
		return nil, nil, p.wire.other(v, "vector")
	}
	return vector, warnings, nil
}

// hourOf asks for a point a minute of the hour that ends at a moment.
func (p *PrometheusProbe) hourOf(ctx context.Context, q string, end time.Time) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	end = end.Truncate(step)
	v, _, _, err := p.api.QueryRange(ctx, q, promv1.Range{Start: end.Add(step - hourLen), End: end, Step: step}, promv1.WithTimeout(p.cfg.Timeout))
	if err != nil {
		return nil, p.wire.words(ctx, err)
	}
	matrix, ok := v.(model.Matrix)
	if !ok {
		return nil, p.wire.other(v, "matrix")
	}
	return matrix, nil
}

// other is an answer of another kind than was asked for; nil is none at all.
func (t *transport) other(v model.Value, due string) error {
	if v == nil {
		return t.failure("answers something else than its API", "Is this Prometheus?", nil)
	}
	return t.failure("answers a "+v.Type().String()+" where a "+due+" is due", "", nil)
}

// words puts a failure into a sentence.
func (t *transport) words(ctx context.Context, err error) error {
	var ours *probes.Error
	var theirs *promv1.Error
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &theirs) && theirs.Type == promv1.ErrBadData:
		return t.failure(t.clean(theirs.Msg), "Check PROMETHEUS_MATCH: it is put between { and }, as "+`job="backend"`+".", err)
	case errors.As(err, &theirs) && theirs.Type == promv1.ErrTimeout, ctx.Err() != nil,
		errors.As(err, &timeout) && timeout.Timeout():
		return t.failure("no whole answer in time", "Prometheus is busy, or the query is too much: narrow PROMETHEUS_MATCH down.", err)
	case errors.As(err, &theirs) && theirs.Type == promv1.ErrBadResponse:
		return t.failure("answers something else than its API", "Is this Prometheus?", err)
	case errors.As(err, &theirs):
		return t.failure(t.clean(theirs.Msg+detail(theirs.Detail)), "", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return t.failure("nobody listens there (connection refused)", "Is Prometheus up, and is this its port?", err)
	case errors.As(err, &dns):
		return t.failure("host name not found", "Check PROMETHEUS_URL.", err)
	}
	return t.failure(t.clean(err.Error()), "", err)
}

// detail is the reason in an answer that the API client did not read, because
// of its status.
func detail(body string) string {
	var a struct{ Error string }
	if json.Unmarshal([]byte(body), &a) != nil || a.Error == "" {
		return ""
	}
	return ": " + a.Error
}

// clean gives the text of an error without our token, which may be quoted, and
// without the address that the client repeats.
func (t *transport) clean(text string) string {
	if t.cfg.Token != "" {
		text = strings.ReplaceAll(text, t.cfg.Token, "(token)")
	}
	if i := strings.LastIndex(text, t.cfg.URL); i >= 0 && t.cfg.URL != "" {
		text = text[:i] + t.shown + text[i+len(t.cfg.URL):]
	}
	return clean.Capped(text, 200)
}
