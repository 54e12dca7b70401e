package loki

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gradecockpit/probes"
	"gradecockpit/probes/logs/loki/lokitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const both = `{compose_service=~"backend|celery"}`

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Query == "" {
		cfg.Query = both
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func texts(entries []Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Line)
	}
	return out
}

// walked collects the lines of a walk.
func walked(t *testing.T, c *Client, ask Ask) []string {
	t.Helper()
	var all []string
	if err := c.Walk(context.Background(), ask, func(e []Entry) bool { all = append(all, texts(e)...); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d lines %.300q, want %d %.300q", what, len(got), got, len(want), want)
	}
}

func TestEntriesOfSeveralStreamsInOrder(t *testing.T) {
	s := lokitest.New(t)
	s.Add("backend", noon, "b1")
	s.Add("celery", noon.Add(1), "c1")
	s.Add("backend", noon.Add(2), "b2")
	s.Add("nginx", noon.Add(2), "of no interest")
	s.Add("backend", noon.Add(3), "at the end, which is not in")
	c := client(t, Config{URL: s.URL})
	ask := Ask{From: noon, To: noon.Add(3), Limit: 10}
	got, err := c.Entries(context.Background(), ask)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "backward", texts(got), []string{"b2", "c1", "b1"})
	if got[1].Origin != "celery" || !got[1].At.Equal(noon.Add(1)) {
		t.Errorf("got %+v", got[1])
	}
	ask.Forward, ask.Limit = true, 2
	got, err = c.Entries(context.Background(), ask)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "forward", texts(got), []string{"b1", "c1"})
}

// TestFiltersAreEscaped: what is looked for arrives as it is, and the server
// does the search.
func TestFiltersAreEscaped(t *testing.T) {
	s := lokitest.New(t)
	hostile := []string{`say "hi"`, `back\slash`, "`tick`", `} |= "x"`, "é and 日本", "tab\there", `a.c`}
	for i, line := range append(hostile, "abc") {
		s.Add("backend", noon.Add(time.Duration(i)), line)
	}
	c := client(t, Config{URL: s.URL})
	for _, text := range hostile {
		ask := Ask{From: noon, To: noon.Add(time.Hour), Filters: []string{Contains(text)}}
		same(t, text, walked(t, c, ask), []string{text})
	}
	ask := Ask{From: noon, To: noon.Add(time.Hour), Filters: []string{Matches(`^a\.?.c$`), Contains("b")}}
	same(t, "a regular expression and a text", walked(t, c, ask), []string{"abc"})
}

// TestWalkGivesEachOnce: pages end anywhere, also between entries of the same
// nanosecond, and more of them than a page are not lost.
func TestWalkGivesEachOnce(t *testing.T) {
	s := lokitest.New(t)
	var want []string
	for i := range 2*page + 700 {
		at := noon.Add(time.Duration(i/7) * time.Millisecond)
		if i >= 1200 && i < 2500 {
			at = noon.Add(1200 / 7 * time.Millisecond) // more than a page at one instant
		}
		line := fmt.Sprint("line ", i)
		s.Add("backend", at, line)
		want = append(want, line)
	}
	slices.Sort(want)
	c := client(t, Config{URL: s.URL})
	for _, forward := range []bool{true, false} {
		got := walked(t, c, Ask{From: noon, To: noon.Add(time.Hour), Forward: forward})
		slices.Sort(got)
		same(t, fmt.Sprint("forward ", forward), got, want)
	}
}

// TestWalkStepsOverMoreThanLokiGives: more entries at one instant than Loki
// gives at once must not hold it up for ever.
func TestWalkStepsOverMoreThanLokiGives(t *testing.T) {
	s := lokitest.New(t)
	for i := range maxPage + 10 {
		s.Add("backend", noon, fmt.Sprint("line ", i))
	}
	s.Add("backend", noon.Add(-1), "before")
	s.Add("backend", noon.Add(1), "after")
	c := client(t, Config{URL: s.URL})
	got := walked(t, c, Ask{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)})
	if len(got) != maxPage+2 || got[0] != "after" || got[len(got)-1] != "before" {
		t.Errorf("got %d lines, want the %d that Loki gives of one instant and the two around it", len(got), maxPage+2)
	}
}

func TestFollowSeesWhatComesLateAndNothingTwice(t *testing.T) {
	s := lokitest.New(t)
	c := client(t, Config{URL: s.URL})
	f := c.Follow(noon)
	next := func() []string {
		t.Helper()
		var got []string
		if err := f.Next(context.Background(), noon, func(e Entry) { got = append(got, e.Line) }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	s.Add("backend", noon.Add(time.Second), "one")
	s.Add("backend", noon.Add(time.Second), "two")
	same(t, "the first", next(), []string{"one", "two"})
	same(t, "nothing new", next(), nil)
	s.Add("backend", noon.Add(time.Second), "three")
	s.Add("celery", noon.Add(time.Second), "one") // of another stream
	s.Add("backend", noon.Add(-2*time.Second), "late")
	same(t, "late ones", next(), []string{"late", "three", "one"})
	for i := range 3 * page {
		s.Add("backend", noon.Add(time.Minute+time.Duration(i)), fmt.Sprint(i))
	}
	if got := next(); len(got) != 3*page {
		t.Errorf("got %d lines of a burst of %d", len(got), 3*page)
	}
	same(t, "nothing after the burst", next(), nil)
	if len(f.seen) > 3*page {
		t.Errorf("%d entries are remembered: those before the overlap should be forgotten", len(f.seen))
	}
}

// TestAnswerWithMetadataAndStats: an entry may have more than a time and a line.
func TestAnswerWithMetadataAndStats(t *testing.T) {
	entries, err := decode([]byte(`{"status":"success","data":{"resultType":"streams","result":[
{"stream":{"job":"varlogs","service_name":"x"},"values":[["1569266497240578000","foo",{"structuredMetadata":{"trace":"1"}}],["1569266492548155000","bar"]]}],
"stats":{"summary":{"execTime":0.1}},"encodingFlags":["categorize-labels"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "lines", texts(entries), []string{"foo", "bar"})
	if entries[0].Origin != "x" || entries[0].At.UnixNano() != 1569266497240578000 {
		t.Errorf("got %+v", entries[0])
	}
}

// TestEveryFailureIsASentence that names Loki and holds no secret.
func TestEveryFailureIsASentence(t *testing.T) {
	type reply = func(w http.ResponseWriter, r *http.Request)
	status := func(code int, kind, body string) reply {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.CopyN(z, zeros{}, 4<<20)
		_ = z.Close()
	}
	never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, c := range []struct {
		name   string
		reply  reply
		says   string
		next   string
		denied bool
	}{
		{"401 without tenant", status(401, "text/plain", "no org id\n"), "answers 401: no org id", "LOKI_TENANT", true},
		{"401 of a proxy", status(401, "text/html", "<html>"), "answers 401", "LOKI_TOKEN is not accepted", true},
		{"403 that repeats the token", status(403, "text/plain", "bad geheim"), "answers 403: bad (token)", "LOKI_TOKEN", true},
		{"400", status(400, "text/plain", "parse error at line 1, col 9: syntax error: unexpected IDENTIFIER"), "parse error at line 1, col 9", "loki_query", false},
		{"404", status(404, "text/plain", "404 page not found"), "answers 404", "before /loki/api/v1", false},
		{"429", status(429, "text/plain", "too many outstanding requests"), "answers 429: too many outstanding requests", "asked again", false},
		{"500", status(500, "text/plain", "empty ring"), "answers 500: empty ring", "its own log", false},
		{"504", status(504, "text/plain", "context deadline exceeded"), "answers 504", "fewer streams", false},
		{"a web page", status(200, "text/html; charset=utf-8", "<!doctype html>"), "answers a web page", "Grafana", false},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example/?next=x", http.StatusFound)
		}, "redirects to https://login.example", "LOKI_URL", false},
		{"other JSON", status(200, "application/json", `{"hello": [1,2]}`), "not one of Loki's", "LOKI_URL", false},
		{"half an answer", status(200, "application/json", `{"status":"success","data":{"resultType":"streams","result":[{"str`), "not one of Loki's", "", false},
		{"a query that counts", status(200, "application/json", `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"]]}]}}`), "counts instead of", "loki_query", false},
		{"a strange entry", status(200, "application/json", `{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["soon","x"]]}]}}`), "not a time and a line", "", false},
		{"more than the limit", bomb, "longer than 1 MB", "loki_query", false},
		{"silence", never, "no whole answer in time", "fewer streams", false},
		{"an escape in the text", status(500, "text/plain", "\x1b]0;owned\x07"), `answers 500: \x1b]0;owned\x07`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(c.reply))
			defer s.Close()
			withUser := strings.Replace(s.URL, "://", "://me:passwort@", 1)
			limit := time.Minute
			if c.name == "silence" {
				limit = 50 * time.Millisecond
			}
			l := client(t, Config{URL: withUser, Token: "geheim", MaxBytes: 1 << 20, Timeout: limit})
			_, err := l.Entries(context.Background(), Ask{From: noon, To: noon.Add(1), Limit: 1})
			var e *probes.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			text := e.Error()
			if !strings.Contains(e.Cause, c.says) || !strings.Contains(e.Next, c.next) || e.Denied != c.denied {
				t.Errorf("got %q (denied %v), want %q and %q in it (denied %v)", text, e.Denied, c.says, c.next, c.denied)
			}
			if strings.Contains(text, "geheim") || strings.Contains(text, "passwort") || !strings.Contains(text, "Loki at "+s.URL) {
				t.Errorf("%q holds a secret, or does not say where", text)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := client(t, Config{URL: s.URL}).Entries(context.Background(), Ask{From: noon, To: noon.Add(1), Limit: 1})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestWhoAsks(t *testing.T) {
	var got http.Header
	var path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.URL.Path
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"streams","result":[]}}`)
	}))
	defer s.Close()
	for url, want := range map[string]string{
		s.URL:                                "/loki/api/v1/query_range",
		s.URL + "/":                          "/loki/api/v1/query_range",
		s.URL + "/gateway/":                  "/gateway/loki/api/v1/query_range",
		s.URL + "/x/loki/api/v1/query_range": "/x/loki/api/v1/query_range",
		strings.Replace(s.URL, "://", "://me:pw@", 1): "/loki/api/v1/query_range",
	} {
		c := client(t, Config{URL: url, Tenant: "grading"})
		if _, err := c.Entries(context.Background(), Ask{From: noon, To: noon.Add(1), Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if path != want {
			t.Errorf("%s was asked at %s, want %s", url, path, want)
		}
		if got.Get("X-Scope-OrgID") != "grading" || strings.HasPrefix(got.Get("Authorization"), "Basic ") != strings.Contains(url, "me:pw") {
			t.Errorf("sent %v", got)
		}
	}
	c := client(t, Config{URL: s.URL, Token: "geheim"})
	if _, err := c.Entries(context.Background(), Ask{From: noon, To: noon.Add(1), Limit: 1}); err != nil || got.Get("Authorization") != "Bearer geheim" {
		t.Errorf("sent %v, %v", got.Get("Authorization"), err)
	}
}

func TestBadSettings(t *testing.T) {
	for _, cfg := range []Config{{URL: "loki:3100", Query: both}, {URL: "ftp://loki", Query: both},
		{URL: "http://loki", Query: "rate({a=\"b\"}[1m])"}, {URL: "http://u:geheim@lo ki", Query: both}} {
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q and %q: %v", cfg.URL, cfg.Query, err)
		}
	}
}
