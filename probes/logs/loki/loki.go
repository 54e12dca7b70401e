// Package loki asks a Grafana Loki server for the log lines that a LogQL query
// selects, through /loki/api/v1/query_range: page by page, either way in time,
// with the text that is looked for handed to the server as line filters.
//
// It was compared with Loki 3.7.8. The tests ask package lokitest, which answers
// as the documentation says and as that server did: there is no package of Loki
// to start in a test.
package loki

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// Config says which server to ask, and for what.
type Config struct {
	URL    string // where the API is, without /loki/api/v1; user and password may be in it
	Query  string // LogQL that selects the streams: {compose_service="backend"}
	Tenant string // sent as X-Scope-OrgID; "" for a server with one tenant
	Token  string // sent as bearer token; "" none

	MaxBytes int64         // of one answer, unpacked; 32 MiB when 0
	Timeout  time.Duration // of one answer; 10 s when 0
}

// Client asks one server.
type Client struct {
	cfg  Config
	url  *url.URL
	http *http.Client
}

// New makes a client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &probes.Error{Source: probes.Logs, Op: "configure Loki", Cause: "LOKI_URL is no http address", Next: "Set LOKI_URL to one such as http://loki:3100."}
	}
	if !strings.HasPrefix(strings.TrimSpace(cfg.Query), "{") {
		return nil, &probes.Error{Source: probes.Logs, Op: "configure Loki", Cause: "the LogQL query does not select streams of lines",
			Next: `Let loki_query begin with a selector such as {compose_service="backend"}.`}
	}
	if before, _, found := strings.Cut(u.Path, "/loki/api/"); found {
		u.Path = before
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 32 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	return &Client{cfg: cfg, url: u.JoinPath("loki/api/v1/query_range"), http: newHTTP()}, nil
}

// Where names the server for people: its address without user and password.
func (c *Client) Where() string {
	return clean.Capped(c.url.Scheme+"://"+c.url.Host, 100)
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Entry is one line that Loki keeps.
type Entry struct {
	At     time.Time // UTC
	Line   string    // as it was sent to Loki, not cleaned
	Stream string    // its labels, always in the same order: two entries of one stream have the same
	Origin string    // the label that says which service or container it is of; not cleaned
}

// Ask is one question: the entries of [From, To) that pass all filters.
type Ask struct {
	From, To time.Time
	Filters  []string // of Contains and Matches
	Forward  bool     // oldest first; else newest first
	Limit    int      // how many at most
}

// Contains is the filter of lines with a text in them.
func Contains(text string) string { return "|= " + strconv.Quote(text) }

// Matches is the filter of lines that a regular expression (RE2, as Go's) finds
// something in.
func Matches(expr string) string { return "|~ " + strconv.Quote(expr) }

// Entries asks once. The entries are in the order of the question.
func (c *Client) Entries(ctx context.Context, ask Ask) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	body, err := c.get(ctx, c.values(ask))
	if err != nil {
		return nil, err
	}
	entries, err := decode(body)
	if err != nil {
		return nil, c.failure(c.words(err), "Is LOKI_URL the address of Loki, and loki_query a query for lines?", err)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if ask.Forward {
			return a.At.Compare(b.At)
		}
		return b.At.Compare(a.At)
	})
	return entries, nil
}

func (c *Client) values(ask Ask) url.Values {
	direction := "backward"
	if ask.Forward {
		direction = "forward"
	}
	return url.Values{
		"query": {strings.Join(append([]string{c.cfg.Query}, ask.Filters...), " ")},
		"start": {nanoseconds(ask.From)}, "end": {nanoseconds(ask.To)},
		"limit": {strconv.Itoa(ask.Limit)}, "direction": {direction},
	}
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// answer is what query_range answers to a query for lines.
type answer struct {
	Status string `json:"status"`
	Data   struct {
		ResultType string   `json:"resultType"`
		Result     []stream `json:"result"`
	} `json:"data"`
}

type stream struct {
	Labels map[string]string `json:"stream"`
	Values []value           `json:"values"`
}

// value is [nanoseconds, line], and structured metadata where there is some.
type value struct {
	at   int64
	line string
}

func (v *value) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var at string
	if len(parts) < 2 || json.Unmarshal(parts[0], &at) != nil || json.Unmarshal(parts[1], &v.line) != nil {
		return errNoLine
	}
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return errNoLine
	}
	v.at = n
	return nil
}

var (
	errNoLine  = errors.New("an entry is not a time and a line")
	errNotLoki = errors.New("the answer is not one of Loki's")
	errNumbers = errors.New("the query counts instead of selecting lines")
)

func decode(body []byte) ([]Entry, error) {
	var a answer
	err := json.Unmarshal(body, &a)
	switch {
	case a.Data.ResultType == "matrix" || a.Data.ResultType == "vector":
		return nil, errNumbers
	case errors.Is(err, errNoLine):
		return nil, err
	case err != nil || a.Status != "success" || a.Data.ResultType != "streams":
		return nil, errNotLoki
	}
	var entries []Entry
	for _, s := range a.Data.Result {
		name, origin := labels(s.Labels), origin(s.Labels)
		for _, v := range s.Values {
			entries = append(entries, Entry{At: time.Unix(0, v.at).UTC(), Line: v.line, Stream: name, Origin: origin})
		}
	}
	return entries, nil
}

// labels writes the labels of a stream in their order.
func labels(l map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l)) {
		b.WriteString(name + "=" + strconv.Quote(l[name]) + ",")
	}
	return b.String()
}

// origin finds the label that tells services apart, by the names that the
// common collectors give it.
func origin(l map[string]string) string {
	for _, name := range []string{"compose_service", "container", "container_name", "service", "app", "service_name", "unit", "job", "host"} {
		if l[name] != "" {
			return l[name]
		}
	}
	return ""
}
