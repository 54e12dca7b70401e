package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/internal/sample"
)

// What was asked to look again looks at what is there after the key, not at what
// the probes saw before.
func TestARerunWaitsForNewData(t *testing.T) {
	f := &fakeSources{}
	play(t, 80, 24, guided(f), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		f.locks = lockTable(3)
		s.press("r")
		s.sees("looking again", "A3F2-0010")
		s.hub.news <- without(situations()[0].Set(), s.app.now)
		s.pass(time.Second)
		s.sees("OK: 3 rows, and nothing wrong with them.")
		f.locks = lockTable(5)
		s.press("r", "r")
		s.pass(rerunWithin + 2*time.Second) // the probes say nothing: it does not wait for ever
		s.sees("OK: 5 rows")
		if p := s.app.walks["lock-conflicts"]; p.walk.Steps[0].Runs != 3 || len(p.checks) != 0 {
			t.Errorf("it looked %d times, and %d looks are due", p.walk.Steps[0].Runs, len(p.checks))
		}
	})
}

// Each of two actions gets its second look, also where the step is skipped that
// was to take it.
func TestEveryActionIsCheckedAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []string
	}{{"two actions", nil}, {"the step is skipped meanwhile", []string{"left", "left", "left", "left", "s", "e"}}} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 120, 36, guided(&fakeSources{}), func(t *testing.T, s *stage) {
				s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "e")
				for range 2 {
					s.press("enter")
					s.pass(time.Second)
					s.press("y", "esc")
				}
				s.press(c.keys...)
				s.hub.news <- without(situations()[0].Set(), s.app.now)
				s.pass(time.Second)
				if n := strings.Count(s.frame(), "Checked again: ok."); n != 2 {
					t.Errorf("%d of 2 were checked:\n%s", n, s.frame())
				}
				s.misses("Checking again")
			})
		})
	}
}

// released is a finding about two copies, one of which an action takes out of it.
func released(left ...string) diagnosis.Finding {
	f := diagnosis.Finding{Rule: "expired-locks", Title: "Expired", Scenario: diagnosis.LockConflicts, Says: "Some.", CopyCount: len(left),
		Offers: []diagnosis.Offer{{Action: "retry", Kind: "copy", ID: sample.UUIDA, Label: "A3F2-0007"}}}
	for _, anon := range left {
		f.Copies = append(f.Copies, sample.Ref(anon))
	}
	return f
}

func TestWhatTheSecondLookSays(t *testing.T) {
	fixed, vain := actions.Verdict{Kind: actions.Fixed}, actions.Verdict{Kind: actions.NotFixed}
	a, b := released("A3F2-0007"), released("A3F2-0011")
	a.Copies[0].ID = sample.UUIDA
	cut := b
	cut.CopyCount = 30 // not all of them are named
	ok, still := &playbook.Result{Verdict: playbook.OK, Says: "Fine."}, &playbook.Result{Verdict: playbook.Cause, Says: "Old."}
	for _, c := range []struct {
		name    string
		report  diagnosis.Report
		verdict actions.Verdict
		step    *playbook.Result
		again   guide.Again
		says    string
	}{
		{"gone", diagnosis.Report{}, fixed, ok, guide.Well, "Fine."},
		{"gone, and no step looks", diagnosis.Report{}, fixed, nil, guide.Well, "This cause is not seen any more"},
		{"gone, and the step sees something else", diagnosis.Report{}, fixed, still, guide.Well, "This cause is not seen any more; the step says: Old."},
		{"the same copy", diagnosis.Report{Findings: []diagnosis.Finding{a}}, fixed, still, guide.Still, "Some."},
		{"other copies", diagnosis.Report{Findings: []diagnosis.Finding{b}}, fixed, still, guide.Well, "It is seen on other copies: Some."},
		{"other copies, not all named", diagnosis.Report{Findings: []diagnosis.Finding{cut}}, fixed, still, guide.Still, "Some."},
		{"the action says itself that it did not help", diagnosis.Report{Findings: []diagnosis.Finding{b}}, vain, still, guide.Still, "Some."},
		{"blind", diagnosis.Report{Blind: []diagnosis.Blind{{Rule: "expired-locks"}}}, fixed, ok, guide.Unclear, "The rule cannot be judged now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.report.At = sample.Now
			app := &App{report: c.report, now: sample.Now}
			p := &walkPage{tried: []guide.Tried{{Verdict: c.verdict, Offer: playbook.Offer{Offer: a.Offers[0], Finding: "expired-locks"}}}}
			due := &recheck{since: sample.Now}
			p.checks = []*recheck{due}
			app.settle(p, due, c.step)
			if got := p.tried[0]; got.Again != c.again || got.Says != c.says || len(p.checks) != 0 {
				t.Errorf("%v %q, want %v %q", got.Again, got.Says, c.again, c.says)
			}
		})
	}
}

// What was refused or cancelled wrote nothing: it is no attempt in vain.
func TestOnlyWhatWasDoneCountsAsInVain(t *testing.T) {
	for kind, want := range map[actions.VerdictKind]int{
		actions.Fixed: 0, actions.NotFixed: 1, actions.Failed: 1, actions.Unverdict: 1,
		actions.WasRefuse: 0, actions.Changed: 0, actions.Cancelled: 0,
	} {
		p := &walkPage{tried: []guide.Tried{{Verdict: actions.Verdict{Kind: kind}, Again: guide.Useless}}}
		if n := p.unhelpful(); n != want {
			t.Errorf("%s counts %d, want %d", kind, n, want)
		}
	}
}

// New findings do not move the cursor to another action under the key that plans it.
func TestTheCursorStaysOnItsOffer(t *testing.T) {
	first := true
	judge := func(_ *stage, c *Config) {
		c.Judge = func(in diagnosis.Input) diagnosis.Report {
			r := sample.Judge(in)
			for i, f := range r.Findings {
				if f.Rule != "expired-locks" {
					continue
				}
				if !first {
					r.Findings[i].Offers = append([]diagnosis.Offer{{Action: "ping", Kind: "worker", ID: "w1", Why: "New."}}, f.Offers[1:]...)
				}
			}
			return r
		}
	}
	play(t, 120, 36, guided(&fakeSources{}, judge), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "e", "down")
		s.sees("▌ R Retry A3F2-0007")
		first = false
		s.hub.news <- after(situations()[0].Set(), s.app.now)
		s.pass(time.Second)
		s.sees("▌ R Retry A3F2-0007", "ping w1")
		s.press("up")
		s.sees("▌ I ping w1")
		first = true
		s.hub.news <- after(situations()[0].Set(), s.app.now)
		s.pass(time.Second)
		s.misses("▌")
		s.press("enter")
		s.sees("The cursor is on no action")
		s.press("down")
		s.sees("▌ C Clear expired locks")
	})
}

// The copy stays chosen when it cannot be read again after an action.
func TestTheCopyIsKeptThoughItCannotBeReadAgain(t *testing.T) {
	broken := false
	place := func(_ *stage, c *Config) {
		good := c.Place
		c.Place = func(ctx context.Context, set probes.Set, id string) (playbook.Place, error) {
			if broken {
				return playbook.Place{Dialect: grading.Deployed}, errors.New("the database does not answer")
			}
			return good(ctx, set, id)
		}
	}
	play(t, 120, 36, guided(&fakeSources{}, place), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "e", "enter")
		s.pass(time.Second)
		broken = true
		s.press("y", "esc")
		s.sees("Lock conflicts · A3F2-0010")
	})
}

// A walkthrough that another copy replaced reads nothing any more.
func TestAReplacedWalkthroughStops(t *testing.T) {
	f := &fakeSources{}
	holds := func(*stage, *Config) { f.hold = make(chan struct{}) }
	play(t, 80, 24, guided(f, holds), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		old := s.app.walks["lock-conflicts"]
		old.queue = []int{0, 2}
		s.press(":", "'walkthrough lock-conflicts A3F2-0011'", "enter")
		runs := old.runs[0]
		close(f.hold)
		s.pass(time.Second)
		if old.runs[0] != runs || old.active != 0 {
			t.Errorf("it looks on: %+v, %d under way", old.runs, old.active)
		}
	})
}

// The help names the keys of a walkthrough there, and says of an action only what
// it would do there.
func TestHelpInAWalkthrough(t *testing.T) {
	play(t, 120, 72, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press("down", ":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "?")
		s.sees("Keys in a walkthrough", "skip this step", "a note on this step")
		for _, elsewhere := range []string{"force-unlock the copy", "filter the pane", "focus a pane by its number", "mark the row"} {
			s.misses(elsewhere)
		}
		s.press("esc", "e", "?")
		s.sees("force-unlock the copy")
		s.misses("force-unlock the copy. Not now")
		s.press("esc", "esc", "w", "?")
		s.sees("Keys in this page", "filter the pane")
		s.misses("focus a pane by its number")
	})
}
