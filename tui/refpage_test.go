package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// listed is a pane and a page of rows: those of the query, or those that were read.
type listed struct {
	id    pane.ID
	needs probes.ID
}

func (l listed) ID() pane.ID        { return l.id }
func (listed) Title() string        { return "Listed" }
func (l listed) Needs() []probes.ID { return []probes.ID{l.needs} }
func (listed) Columns() []ui.Column { return []ui.Column{{Title: "WHAT", Min: 10}} }
func (listed) Actions() []string    { return []string{"retry"} }
func (listed) Seeks() string        { return "words; level:error" }
func (l listed) Content(in pane.Input) pane.Content {
	c := pane.Content{Empty: "Nothing.", Summary: in.Query}
	if in.Problem != "" {
		c.Notes = []ui.Cell{pane.Text(ui.Warn, in.Problem)}
	}
	if in.Seeking {
		c.Summary += " looking"
	}
	found, _ := in.Data.([]string)
	for _, s := range found {
		c.Rows = append(c.Rows, pane.Row{Key: s, Cells: []ui.Cell{pane.Text(ui.Plain, s)}, Opens: pane.Ref{Kind: pane.KindSession, ID: s},
			Links:  []pane.Ref{{Kind: pane.KindSession, ID: s}, {Kind: pane.KindTrace, ID: "req-" + s}},
			Target: &actions.Target{Kind: actions.OnCopy, ID: "id-" + s, Label: s}})
	}
	return c
}

// seeker is the same with its filter answered by a source; a page is not one.
type seeker struct{ listed }

type plain struct{ pane.Spec }

// readings are Readers that a test steers.
type readings struct {
	session error
	asked   int
}

func (r *readings) config(c *Config) {
	c.Pages = []page.Spec{
		{Kind: pane.KindSession, Title: "Session", Word: "session", Help: "a backend by its pid", Every: 5 * time.Second, Text: func(in page.Input) page.Text {
			return page.Text{Mark: "idle", Paras: []dialog.Para{{Text: fmt.Sprint("read: ", in.Data)}, {Exact: true, Text: "a  b\nc  d"}},
				Links: []pane.Ref{{Kind: pane.KindTrace, ID: "req-of-session"}}}
		}},
		{Kind: pane.KindTrace, Title: "Trace", Rows: func(ref pane.Ref) pane.Spec { return plain{listed{pane.ID("trace"), pane.ReadID}} }},
	}
	c.Read = map[pane.Kind]page.Reader{
		pane.KindSession: func(_ context.Context, ref pane.Ref) (any, error) {
			r.asked++
			if r.session != nil {
				return nil, r.session
			}
			return fmt.Sprint(ref.ID, " for the ", r.asked, ". time"), nil
		},
		pane.KindTrace: func(_ context.Context, ref pane.Ref) (any, error) {
			return []string{"step of " + ref.ID, "another"}, nil
		},
	}
}

func TestPageOfProse(t *testing.T) {
	r := &readings{}
	play(t, 100, 30, func(_ *stage, c *Config) { r.config(c) }, func(t *testing.T, s *stage) {
		s.press(":", "'session'", "enter")
		s.sees("session needs something to look at")
		s.press(":", "'session 4711'", "enter")
		s.sees("Session 4711", "idle", "read: 4711 for the 1. time", "a  b")
		s.press("ctrl+r")
		s.sees("for the 2. time")
		r.session = &probes.Error{Source: probes.Postgres, Op: "read", Cause: "connection refused", Next: "Start it."}
		s.pass(6 * time.Second)
		s.press("ctrl+r")
		s.sees("postgres: connection refused", "Start it.", "for the 2. time", "old")
		s.press("o")
		s.sees("step of req-of-session")
		s.press("esc", "esc")
		s.misses("Session 4711")
	})
}

func TestPageThatNeverAnswers(t *testing.T) {
	r := &readings{session: errors.New("no such session")}
	play(t, 100, 30, func(_ *stage, c *Config) { r.config(c) }, func(t *testing.T, s *stage) {
		s.press(":", "'session 1'", "enter")
		s.sees("no such session")
		s.misses("read:")
	})
}

// An open page is read again by itself, as often as it asks to be.
func TestPageIsReadAgain(t *testing.T) {
	r := &readings{}
	play(t, 100, 30, func(_ *stage, c *Config) { r.config(c) }, func(t *testing.T, s *stage) {
		s.press(":", "'session 1'", "enter")
		s.pass(4 * time.Second)
		s.hub.news <- s.app.set
		s.pump()
		if r.asked != 1 {
			t.Errorf("read %d times within its interval", r.asked)
		}
		s.pass(2 * time.Second)
		s.hub.news <- s.app.set
		s.pump()
		if r.asked != 2 {
			t.Errorf("read %d times after its interval", r.asked)
		}
	})
}

func TestPageOfRows(t *testing.T) {
	r := &readings{}
	play(t, 100, 30, func(_ *stage, c *Config) { r.config(c) }, func(t *testing.T, s *stage) {
		s.app.openRefNow(s, pane.Ref{Kind: pane.KindTrace, ID: "abc"})
		s.sees("step of abc", "another")
		s.press("/", "'anoth'", "enter")
		s.misses("step of abc")
		s.press("R") // aims at the row under the cursor, not at a pane below
		s.sees("Retry another")
		s.press("esc")
		s.press("o")
		s.sees("Follow", "session another", "trace req-another")
		s.press("enter")
		s.sees("Session another")
		s.press("esc", "esc", "esc")
		s.misses("step of")
	})
}

// openRefNow opens a page as a key would.
func (a *App) openRefNow(s *stage, ref pane.Ref) {
	s.do(a.openRef(ref))
	s.pump()
	s.send(wakeMsg{})
}

// A seeker's filter goes to its source; what comes late for an older filter is
// not shown, and every search that is over has ended.
func TestSeeker(t *testing.T) {
	var gates map[string]chan struct{}
	var ended chan string
	play(t, 100, 30, func(s *stage, c *Config) {
		gates = map[string]chan struct{}{"a": make(chan struct{}), "ab": make(chan struct{})}
		ended = make(chan string, 10)
		c.Specs = append([]pane.Spec{seeker{listed{"found", "logs"}}}, c.Specs...)
		c.Seek = map[pane.ID]func(context.Context, string, func(any)) (any, error){
			"found": func(ctx context.Context, query string, say func(any)) (any, error) {
				defer func() { ended <- query }()
				if query == "a(" {
					return nil, errors.New("the bracket is not closed")
				}
				say([]string{query + " first"})
				select {
				case <-gates[query]:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				return []string{query + " first", query + " second"}, nil
			},
		}
	}, func(t *testing.T, s *stage) {
		s.press("/", "'a'")
		s.sees("words; level:error", "a first", "looking")
		s.press("'b'")
		if q := <-ended; q != "a" {
			t.Errorf("%q ended first", q)
		}
		s.sees("ab first")
		close(gates["ab"])
		s.pump()
		s.sees("ab second")
		s.misses("looking")
		s.press("backspace", "'('")
		s.sees("the bracket is not closed")
		s.press("esc")
		s.misses("first")
		if got := []string{<-ended, <-ended, <-ended}; !slices.Contains(got, "a(") {
			t.Errorf("ended: %q", got)
		}
	})
}
