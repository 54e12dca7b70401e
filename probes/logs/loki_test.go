package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/logs/loki"
	"gradecockpit/probes/logs/loki/lokitest"
)

// lokiOf is a source of a server, at noon.
func lokiOf(t *testing.T, url string) *Loki {
	t.Helper()
	l, err := NewLoki(loki.Config{URL: url, Query: `{compose_service=~"backend|celery"}`})
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return noon }
	t.Cleanup(l.Close)
	return l
}

// spread puts the lines of a text into Loki as a container's collector does: an
// entry a line, some microseconds apart.
func spread(s *lokitest.Server, service string, at time.Time, text string) {
	for i, line := range strings.Split(text, "\n") {
		s.Add(service, at.Add(time.Duration(i)*50*time.Microsecond), line)
	}
}

func lokiOverview(t *testing.T, l *Loki) Overview {
	t.Helper()
	o, err := l.Sample(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestLokiIsFollowed(t *testing.T) {
	s := lokitest.New(t)
	l := lokiOf(t, s.URL)
	s.Add("backend", noon.Add(-2*time.Hour), jsonText("ERROR", -7_200_000)) // longer ago than an hour
	s.Add("backend", noon.Add(time.Millisecond), jsonText("ERROR", 1))
	s.Add("nginx", noon.Add(time.Millisecond), jsonText("ERROR", 9))
	spread(s, "celery", noon.Add(2*time.Millisecond), stampAt(2*time.Millisecond)+" ERROR grading it failed for copy "+copyID(2)+"\nTraceback (most recent call last):\nValueError: boom")
	o := lokiOverview(t, l)
	if o.ErrorsLastHour != 2 || len(o.Recent) != 2 || o.Recent[1].Origin != "celery" || len(o.ByCopy[copyID(2)].Trace) != 2 {
		t.Fatalf("got %+v", o)
	}
	s.Add("backend", noon.Add(3*time.Millisecond), jsonText("WARNING", 3))
	s.Add("backend", noon.Add(3*time.Millisecond), "in no known format")
	o = lokiOverview(t, l)
	if o = lokiOverview(t, l); len(o.Recent) != 3 || o.WarningsLastHour != 1 || o.Unparsed != 1 {
		t.Errorf("got %+v", o)
	}
	if !strings.HasPrefix(o.Dir, "Loki http://127.0.0.1:") || o.Files[0].Format != formatJSON {
		t.Errorf("the source is %q, %+v", o.Dir, o.Files)
	}
}

// TestLokiBeginsWithTheNewest: an hour may hold more than anyone wants to wait for.
func TestLokiBeginsWithTheNewest(t *testing.T) {
	s := lokitest.New(t)
	for n := range 8000 {
		s.Add("backend", noon.Add(time.Duration(n-8000)*100*time.Millisecond), jsonText("ERROR", (n-8000)*100))
	}
	o := lokiOverview(t, lokiOf(t, s.URL))
	last := o.Recent[len(o.Recent)-1]
	if last.RequestID != "req--100" || o.ErrorsLastHour < firstPages*1000-firstPages || o.ErrorsLastHour > firstPages*1000 || !o.Since.After(noon.Add(-14*time.Minute)) {
		t.Errorf("got %d errors since %s, the newest %s; want the newest %d and since when they are", o.ErrorsLastHour, o.Since, last.RequestID, firstPages*1000)
	}
}

// TestLokiIsSearched: for records that are one entry and for those whose
// traceback is an entry a line, the same questions have the same answers.
func TestLokiIsSearched(t *testing.T) {
	asJSON, asText := lokitest.New(t), lokitest.New(t)
	record := func(after time.Duration, level, message, trace string) {
		exc := ""
		if trace != "" {
			exc = fmt.Sprintf(`, "exc_info": %q`, trace)
		}
		asJSON.Add("backend", noon.Add(after), fmt.Sprintf(`{"timestamp": %q, "level": %q, "logger": "grading.services", "message": %q%s, "request_id": "r-%d"}`, stampAt(after), level, message, exc, after/time.Minute))
		spread(asText, "backend", noon.Add(after), strings.TrimSuffix(stampAt(after)+" "+level+" grading.services "+message+"\n"+trace, "\n"))
	}
	record(-50*time.Hour, "ERROR", "an old one for copy "+copyID(1), "")
	record(-10*time.Minute, "WARNING", "slow request", "")
	record(-9*time.Minute, "ERROR", "PDF generation failed for copy "+copyID(1), "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: No pages found")
	record(-8*time.Minute, "INFO", "all is well, No pages found", "")
	for name, s := range map[string]*lokitest.Server{"an entry a record": asJSON, "an entry a line": asText} {
		t.Run(name, func(t *testing.T) {
			l := lokiOf(t, s.URL)
			lokiOverview(t, l)
			for _, c := range []struct {
				q    Query
				want []string
			}{
				{Query{}, []string{"all is", "PDF ge", "slow r", "an old"}},
				{Query{Since: noon.Add(-time.Hour)}, []string{"all is", "PDF ge", "slow r"}},
				{Query{Until: noon.Add(-8 * time.Minute)}, []string{"PDF ge", "slow r", "an old"}},
				{Query{Level: "WARNING", Since: noon.Add(-time.Hour)}, []string{"PDF ge", "slow r"}},
				{Query{Text: []string{"no pages FOUND"}}, []string{"all is", "PDF ge"}},
				{Query{Text: []string{"no pages found"}, Level: "ERROR"}, []string{"PDF ge"}},
				{Query{Text: []string{"valueerror", "pdf generation"}}, []string{"PDF ge"}},
				{Query{CopyID: copyID(1)}, []string{"PDF ge", "an old"}},
				{Query{Regexp: regexp.MustCompile(`^Traceback|slow\b`), Until: noon.Add(-9 * time.Minute)}, []string{"slow r"}},
				{Query{Not: []string{"pages"}}, []string{"slow r", "an old"}},
				{Query{Any: []string{"slow", "well"}}, []string{"all is", "slow r"}},
				{Query{Logger: "grading", Limit: 1}, []string{"all is"}},
				{Query{Text: []string{`"quoted" \ é`}}, nil},
			} {
				res, err := l.Search(context.Background(), c.q, nil)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, line := range res.Lines {
					got = append(got, line.Message[:6])
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v: got %q, want %q", c.q, got, c.want)
				}
				if !res.Done || res.Bytes == 0 && c.want != nil {
					t.Errorf("%+v: got %+v", c.q, res.Extent)
				}
			}
		})
	}
}

// TestLokiDoesTheSearch: what is looked for is in the question, not filtered
// out of everything here.
func TestLokiDoesTheSearch(t *testing.T) {
	s := lokitest.New(t)
	for n := range 3000 {
		s.Add("backend", noon.Add(time.Duration(-n)*time.Second), jsonText("INFO", -n*1000))
	}
	l := lokiOf(t, s.URL)
	lokiOverview(t, l)
	res, err := l.Search(context.Background(), Query{CopyID: copyID(1), Text: []string{"Attempt 1"}, Level: "error"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Bytes > 1000 {
		t.Errorf("%d bytes were transferred to find nothing", res.Bytes)
	}
	asked := s.Asked()
	for _, want := range []string{copyID(1), `(?i)Attempt 1`, "error|critical|fatal"} {
		if last := asked[len(asked)-1]; !strings.Contains(last, want) {
			t.Errorf("%s does not ask for %q", last, want)
		}
	}
}

// TestLokiSearchSaysHowFarItLooked, goes back in spans, and ends.
func TestLokiSearchSaysHowFarItLooked(t *testing.T) {
	s := lokitest.New(t)
	for n := range 30 {
		s.Add("backend", noon.Add(time.Duration(-n)*24*time.Hour), jsonText("ERROR", -n*24*3600*1000))
	}
	l := lokiOf(t, s.URL)
	res, err := l.Search(context.Background(), Query{}, nil)
	if err != nil || len(res.Lines) != 7 || res.Truncated || len(res.Skipped) != 1 || !strings.Contains(res.Skipped[0], "the last 7 days") {
		t.Errorf("got %d lines, %+v, %v", len(res.Lines), res.Extent, err)
	}
	res, err = l.Search(context.Background(), Query{Since: noon.Add(-20 * 24 * time.Hour)}, nil)
	if err != nil || len(res.Lines) != 21 || len(res.Skipped) != 0 || res.Oldest.After(noon.Add(-20*24*time.Hour)) {
		t.Errorf("got %d lines, %+v, %v", len(res.Lines), res.Extent, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	x, err := l.Each(ctx, Query{}, func(Line) bool {
		if n++; n == 2 {
			cancel()
		}
		return true
	})
	if !errors.Is(err, context.Canceled) || !x.Truncated || x.Oldest.IsZero() {
		t.Errorf("stopped: %+v, %v", x, err)
	}
}

func TestLokiRecordIsReadWhole(t *testing.T) {
	s := lokitest.New(t)
	spread(s, "celery", noon.Add(-time.Second), stampAt(-time.Second)+" ERROR grading before")
	spread(s, "celery", noon, stampAt(0)+" ERROR grading it failed\nTraceback:\n  one\n  two")
	spread(s, "backend", noon.Add(75*time.Microsecond), stampAt(0)+" INFO metrics of another stream")
	spread(s, "celery", noon.Add(time.Second), stampAt(time.Second)+" INFO grading after")
	l := lokiOf(t, s.URL)
	for _, q := range []Query{{Text: []string{"it failed"}}, {Text: []string{"  two"}}} {
		res, err := l.Search(context.Background(), q, nil)
		if err != nil || len(res.Lines) != 1 || !slices.Equal(res.Lines[0].Trace, []string{"Traceback:", "  one", "  two"}) {
			t.Fatalf("%+v: got %+v, %v", q, res.Lines, err)
		}
		r, err := l.ReadLine(context.Background(), res.Lines[0].Place)
		if err != nil || len(r.Text) != 4 || r.Message != "it failed" {
			t.Errorf("got %+v, %v", r, err)
		}
	}
	for _, place := range []string{"", "django.log:7", "loki:1:0", "loki:soon:1", "output:1:1"} {
		if _, err := l.ReadLine(context.Background(), place); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("place %q: %v", place, err)
		}
	}
}

func TestLokiThatFails(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "empty ring", http.StatusInternalServerError)
	}))
	defer s.Close()
	l := lokiOf(t, s.URL)
	if _, err := l.Sample(context.Background()); err == nil || !strings.Contains(err.Error(), "answers 500: empty ring") {
		t.Errorf("got %v", err)
	}
	if _, err := l.Search(context.Background(), Query{}, nil); err == nil {
		t.Error("a search must say why there is nothing")
	}
}
