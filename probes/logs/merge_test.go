package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs/loki/lokitest"
)

// three sources with records in turn: a folder (1, 4, 7 …), a command (2, 5 …)
// and Loki (3, 6 …).
func three(t *testing.T, records int) (Source, *lokitest.Server) {
	t.Helper()
	d, dir := folder(t, Config{})
	server := lokitest.New(t)
	var file, output strings.Builder
	for n := 1; n <= records; n++ {
		switch line := jsonText("ERROR", n); n % 3 {
		case 1:
			file.WriteString(line + "\n")
		case 2:
			output.WriteString("backend-1  | " + line + "\n")
		default:
			server.Add("backend", noon.Add(time.Duration(n)*time.Millisecond), line)
		}
	}
	write(t, dir, "django.log", file.String())
	c, _ := printing(t, output.String())
	return mergeOf([]Source{d, c, lokiOf(t, server.URL)}), server
}

// backTo1 are the request ids of n records, newest first.
func backTo1(n int) []string {
	out := []string{}
	for ; n > 0; n-- {
		out = append(out, fmt.Sprint("req-", n))
	}
	return out
}

func TestSourcesMergeByTime(t *testing.T) {
	m, _ := three(t, 30)
	o := overviewOf(t, m, func(o Overview) bool { return len(o.Recent) == 30 })
	got := requests(o.Recent)
	slices.Reverse(got)
	if !slices.Equal(got, backTo1(30)) || o.ErrorsLastHour != 30 || len(o.ByCopy) != 30 || len(o.Files) != 3 || o.Note != "" {
		t.Errorf("got %q, %d errors, %d copies, %+v, %q", got, o.ErrorsLastHour, len(o.ByCopy), o.Files, o.Note)
	}
	if got := requests(everything(t, m, Query{})); !slices.Equal(got, backTo1(30)) {
		t.Errorf("each: got %q", got)
	}
	said := 0
	res, err := m.Search(context.Background(), Query{Limit: 7}, func(r Result) {
		said++
		if r.Done {
			t.Error("a part is not done")
		}
	})
	if err != nil || !slices.Equal(requests(res.Lines), backTo1(30)[:7]) || !res.Truncated || !res.Done || said < 3 {
		t.Errorf("search: got %q, %+v, said %d times, %v", requests(res.Lines), res.Extent, said, err)
	}
	n := 0
	x, err := m.Each(context.Background(), Query{}, func(Line) bool { n++; return n < 5 })
	if err != nil || n != 5 || !x.Truncated {
		t.Errorf("each until enough: %d, %+v, %v", n, x, err)
	}
	for _, l := range res.Lines {
		r, err := m.ReadLine(context.Background(), l.Place)
		if l.Place != "" && (err != nil || r.RequestID != l.RequestID) {
			t.Errorf("the record of %q: %+v, %v", l.Place, r, err)
		}
	}
	if _, err := m.ReadLine(context.Background(), "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestFailedSourceIsNamedAndTheOthersGoOn, with what it had said before.
func TestFailedSourceIsNamedAndTheOthersGoOn(t *testing.T) {
	m, server := three(t, 30)
	overviewOf(t, m, func(o Overview) bool { return len(o.Recent) == 30 })
	server.CloseClientConnections()
	server.Close()
	o := overviewOf(t, m, func(o Overview) bool { return o.Note != "" })
	if len(o.Recent) != 30 || !strings.Contains(o.Note, "Loki "+server.URL+": nobody listens there") {
		t.Errorf("got %d records, note %q", len(o.Recent), o.Note)
	}
	res, err := m.Search(context.Background(), Query{}, nil)
	if err != nil || len(res.Lines) != 20 || !res.Truncated || !slices.ContainsFunc(res.Skipped, func(s string) bool { return strings.HasPrefix(s, "Loki ") }) {
		t.Errorf("got %d lines, %+v, %v", len(res.Lines), res.Extent, err)
	}
	n := 0
	x, err := m.Each(context.Background(), Query{}, func(Line) bool { n++; return true })
	if err != nil || n != 20 || !x.Truncated || !slices.ContainsFunc(x.Skipped, func(s string) bool { return strings.HasPrefix(s, "Loki ") }) {
		t.Errorf("got %d lines, %+v, %v", n, x, err)
	}
}

func TestAllSourcesFail(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	m := mergeOf([]Source{NewFolder(Config{Dir: "/no/such/folder"}), lokiOf(t, s.URL)})
	_, err := m.Sample(context.Background())
	var e *probes.Error
	if !errors.As(err, &e) || e.Denied || !strings.Contains(e.Cause, "/no/such/folder does not exist; nobody listens there") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Search(context.Background(), Query{}, nil); err == nil {
		t.Error("a search must say why there is nothing")
	}
	if _, err := m.Each(context.Background(), Query{}, func(Line) bool { return true }); err == nil {
		t.Error("a search must say why there is nothing")
	}
}

func TestStoppedSearchOfSeveral(t *testing.T) {
	m, _ := three(t, 30)
	overviewOf(t, m, func(o Overview) bool { return len(o.Recent) == 30 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if res, err := m.Search(ctx, Query{}, nil); !errors.Is(err, context.Canceled) || !res.Truncated {
		t.Errorf("got %+v, %v", res, err)
	}
	if x, err := m.Each(ctx, Query{}, func(Line) bool { return true }); !errors.Is(err, context.Canceled) || !x.Truncated {
		t.Errorf("got %+v, %v", x, err)
	}
}

func TestExtentsTogether(t *testing.T) {
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	for _, c := range []struct {
		name string
		x, y Extent
		want time.Time
	}{
		{"both to the beginning", Extent{Oldest: at(1)}, Extent{Oldest: at(2)}, at(1)},
		{"both cut short", Extent{Oldest: at(1), Truncated: true}, Extent{Oldest: at(2), Truncated: true}, at(2)},
		{"one cut short", Extent{Oldest: at(1)}, Extent{Oldest: at(2), Truncated: true}, at(2)},
		{"one cut short, before the other begins", Extent{Oldest: at(2)}, Extent{Oldest: at(1), Truncated: true}, at(1)},
		{"one of nothing", Extent{}, Extent{Oldest: at(1)}, at(1)},
	} {
		if got, back := c.x.with(c.y).Oldest, c.y.with(c.x).Oldest; !got.Equal(c.want) || !back.Equal(c.want) {
			t.Errorf("%s: %s, %s, want %s", c.name, got, back, c.want)
		}
	}
}
