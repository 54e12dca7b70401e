package tui

import (
	"errors"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/internal/sample"
)

const quiet = dialog.Quiet + 100*time.Millisecond

func TestLowRiskIsOneKey(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("C")
		s.sees("Clear expired locks expired locks", "low risk", "valid for")
		s.misses("y confirm")
		s.pass(quiet)
		s.sees("y confirm")
		s.press("C", "Y", "space", "enter", "enter")
		s.sees("Enter alone never confirms")
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("executed %d times before it was confirmed", n)
		}
		s.press("y")
		s.sees("✓ fixed", "Unlocked, and jmartin has not re-locked it.")
		if n := s.bench.clear.executed.Load(); n != 1 {
			t.Errorf("executed %d times, want once", n)
		}
		want := actions.Target{Kind: actions.OnLocks, ID: "expired", Label: "expired locks"}
		if diff := cmp.Diff([]actions.Target{want}, s.bench.clear.targets); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHighRiskNeedsReasonAndWord(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("down", "U")
		s.sees("DANGER", "Unsaved work in that browser can be lost.", "Type A3F2-0011 to go on")
		s.pass(quiet)
		s.press("enter")
		s.sees("A reason is needed")
		s.press("y", "backspace")
		s.press("'corrector left'", "enter", "'A3F2-0012'", "enter")
		s.sees("That is not A3F2-0011.")
		s.press("backspace", "'1'")
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("executed %d times before it was confirmed", n)
		}
		s.press("enter")
		s.sees("✓ fixed", "Z undo")
		records, _ := s.bench.journal.Records()
		if len(records) == 0 || records[0].Kind != actions.Intent || records[0].Reason != "corrector left" {
			t.Errorf("the journal begins with %+v", records)
		}
	})
}

func TestTypedAheadNeverAnswers(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.hold = make(chan struct{}) }, func(t *testing.T, s *stage) {
		s.press("C")
		s.sees("reading what is there now", "esc gives up")
		s.press("y", "y")
		close(s.bench.clear.hold)
		s.pump()
		s.sees("low risk", "…")
		s.misses("y confirm")
		for range 20 { // held down: the keyboard is never quiet
			s.press("y")
			s.sees("Keys are ignored")
			s.misses("y confirm")
			s.pass(100 * time.Millisecond)
		}
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("executed %d times by keys that were typed ahead", n)
		}
		s.pass(quiet)
		s.misses("Keys are ignored")
		s.press("y")
		s.sees("✓ fixed")
	})
}

// A plan that arrives while a command is typed takes the keys, but not as answers.
func TestPlanArrivesUnderTyping(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.hold = make(chan struct{}) }, func(t *testing.T, s *stage) {
		s.press("C", ":", "'cop'")
		close(s.bench.clear.hold)
		s.pump()
		s.sees("low risk")
		s.press("'y yy'", "enter")
		s.sees("Keys are ignored")
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("executed %d times by what was typed into the command line", n)
		}
		s.sees("low risk")
	})
}

func TestEscapeCancelsAndIsJournaled(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("C", "esc")
		s.sees("Cancelled: nothing was written.")
		s.misses("low risk")
		if n := s.bench.journal.kinds(actions.Cancel); n != 1 {
			t.Errorf("the journal has %d cancelled plans, want 1", n)
		}
	})
}

func TestReadingCanBeGivenUp(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.hold = make(chan struct{}) }, func(t *testing.T, s *stage) {
		s.press("C")
		s.press("2") // keys go on working
		s.sees("[2 Stuck")
		s.press("R")
		s.sees("reading what is there now")
		s.press("esc")
		s.sees("Given up; nothing was written.")
		close(s.bench.clear.hold)
		s.pump()
		s.misses("low risk")
		if n := s.bench.journal.kinds(actions.Cancel); n != 0 {
			t.Errorf("a plan that was never shown was journaled")
		}
	})
}

func TestImpossibleSaysWhy(t *testing.T) {
	play(t, 120, 36, nil, func(t *testing.T, s *stage) {
		s.press("2", "G", "k", "R")
		s.sees("This copy has no pages: a retry would grade an empty copy.")
		s.press("1", "P")
		s.sees("Purge works on a queue.", "Put the cursor on one first.")
		s.press("a")
		s.sees("Actions on A3F2-0010", "Purge works on a queue.")
		s.press("P")
		s.sees("Not now: Purge works on a queue.")
		s.press("g", "enter")
		s.sees("DANGER")
	})
}

// An action without a key is in the menu, and what fits the row comes first.
func TestTheMenuHasActionsWithoutAKey(t *testing.T) {
	grow := &fakeAction{id: "pool-grow", title: "Grow the pool", kinds: []actions.TargetKind{actions.OnWorker}, steps: 1}
	play(t, 120, 36, func(s *stage, _ *Config) { s.bench.more = []*fakeAction{grow} }, func(t *testing.T, s *stage) {
		s.press("6", "a")
		s.sees("Actions on ", "Grow the pool", "Purge works on a queue.")
		s.press("down", "enter") // the first works on all expired locks, wherever the cursor is
		if len(grow.targets) != 1 || grow.targets[0].Kind != actions.OnWorker {
			t.Errorf("%+v", grow.targets)
		}
	})
}

func TestReadOnlyIsTextAndRefuses(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.readOnly = "--read-only" }, func(t *testing.T, s *stage) {
		s.sees("READ-ONLY", "(U force-unlock)", "(C clear expired)")
		s.press("U")
		s.sees("Nothing may be written: --read-only.")
		s.press("?")
		s.sees("Not now: Nothing may be written: --read-only.")
	})
}

func TestMarkedRowsAreOnePlan(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("space", "space", "U")
		want := actions.Target{Kind: actions.OnCopy, ID: "id-A3F2-0010", Label: "A3F2-0010",
			More: []actions.Target{{Kind: actions.OnCopy, ID: "id-A3F2-0011", Label: "A3F2-0011"}}}
		if diff := cmp.Diff([]actions.Target{want}, s.bench.unlock.targets); diff != "" {
			t.Error(diff)
		}
	})
}

func TestChoiceReadsThePlanAgain(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("U")
		s.pass(quiet)
		s.press("'exam office asked'", "shift+tab", "2")
		s.sees("(x) 2 unlock, stay LOCKED, then retry", "exam office asked")
		if n := len(s.bench.unlock.targets); n != 2 {
			t.Errorf("planned %d times, want 2", n)
		}
	})
}

func TestOldPlanDoesNotRun(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("C")
		s.pass(121 * time.Second)
		s.press("y")
		s.sees("This plan is too old to run: ctrl+r reads again")
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("an old plan was executed")
		}
	})
}

func TestRefusalsAndErrorsAreSentences(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"refusal", &actions.Refusal{Why: "A finalization is running.", Next: "Wait for it."}, []string{"A finalization is running.", "Wait for it."}},
		{"moved", &actions.Moved{Says: "The lock changed.", Diffs: []actions.Diff{{Name: "expires_at", Was: "14:38", Is: "14:48"}}}, []string{"expires_at: was 14:38, is 14:48"}},
		{"error", errors.New("postgres: connection refused"), []string{"It could not be planned: postgres: connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.planErr = c.err }, func(t *testing.T, s *stage) {
				s.press("C")
				s.sees(append(c.want, "Nothing has been written.")...)
				s.press("esc")
				s.misses("Nothing has been written.")
			})
		})
	}
}

func TestPlanPanicIsOneLine(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.panics = true }, func(t *testing.T, s *stage) {
		s.press("C")
		s.sees("no plan today", "Nothing has been written.")
		s.press("esc", "2")
		s.sees("[2 Stuck")
	})
}

func TestMovedShowsTheDifferences(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) {
		s.bench.clear.execErr = &actions.Moved{Says: "The lock was renewed.", Diffs: []actions.Diff{{Name: "expires_at", Was: "14:38:02", Is: "14:48:02"}}}
	}, func(t *testing.T, s *stage) {
		s.press("C")
		s.pass(quiet)
		s.press("y")
		s.sees("target changed", "Nothing was written. The lock was renewed.", "expires_at: was 14:38:02, is 14:48:02", "Look again")
	})
}

func TestRunsGoOnInTheBackground(t *testing.T) {
	play(t, 120, 36, func(s *stage, _ *Config) {
		s.bench.clear.watch, s.bench.retry.watch = make(chan struct{}), make(chan struct{})
	}, func(t *testing.T, s *stage) {
		s.press("C")
		s.pass(quiet)
		s.press("y")
		s.sees("running", "looking whether jmartin locks it again")
		s.press("esc", "2", "R")
		s.pass(quiet)
		s.press("y", "esc")
		s.sees("2 actions running")
		s.press("q")
		s.sees("An action is running", "Leaving stops the watching, not a write that has begun")
		s.press("q", "enter", "esc")
		if s.left {
			t.Fatal("left while actions run")
		}
		close(s.bench.retry.watch)
		s.pump()
		s.sees("✓ Retry A3F2-0007: fixed.", "1 action running")
		s.press(":", "'actions'", "enter")
		s.sees("Actions of this session", "running")
		close(s.bench.clear.watch)
		s.pump()
		s.press("down", "enter")
		s.sees("deleted the lock of jmartin")
	})
}

func TestUndoTakesTheLastEffectBack(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("Z")
		s.sees("The journal holds no action that can be undone.")
		s.press("U")
		s.pass(quiet)
		s.press("'x'", "enter", "'A3F2-0010'", "enter")
		s.sees("Z undo")
		s.press("Z")
		s.sees("Put locks back the lock of jmartin", "low risk")
	})
}

func TestQuitKeys(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("?", "q")
		if s.left {
			t.Fatal("q in a box left the program")
		}
		s.press("ctrl+c")
		if !s.left {
			t.Fatal("ctrl+c did not leave")
		}
	})
}

func TestWaitLetsARunEnd(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.watch = make(chan struct{}) }, func(t *testing.T, s *stage) {
		s.press("C")
		s.pass(quiet)
		s.press("y")
		if s.app.Wait(time.Second) {
			t.Fatal("did not wait for the run")
		}
		close(s.bench.clear.watch)
		if !s.app.Wait(time.Second) {
			t.Fatal("the run ended and Wait did not notice")
		}
		s.pump()
		s.press("esc", "C")
		s.pass(quiet)
		s.press("y")
		if n := s.bench.clear.executed.Load(); n != 1 {
			t.Errorf("an action began after the leaving: %d", n)
		}
	})
}

func TestPasteIsNeverKeys(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.send(tea.PasteMsg{Content: "Cy\nq"})
		s.sees("Pasted text is not taken as keys.")
		s.press("C")
		s.pass(quiet)
		s.send(tea.PasteMsg{Content: "y"})
		s.press("esc", "U")
		s.pass(quiet)
		s.send(tea.PasteMsg{Content: "left\x1b[2J early\n"})
		s.sees(`left\x1b[2J early`)
		s.press("enter")
		s.send(tea.PasteMsg{Content: "A3F2-0010"})
		s.sees("Type the word; pasting does not count.")
		s.press("enter")
		if n := s.bench.executed(); n != 0 || s.left {
			t.Fatalf("pasted text acted: executed %d, left %v", n, s.left)
		}
	})
}

// The row under the cursor vanishes between looking and acting: the key must
// not hit its neighbour.
func TestCursorNeverSlides(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("down")
		o := sample.Grading()
		o.Locks.Value.Rows = append(o.Locks.Value.Rows[:1:1], o.Locks.Value.Rows[2:]...)
		s.news(sample.Live(8, o, sample.Broker(), sample.Traffic(), sample.Logged()))
		s.sees("the row you were on is gone")
		s.press("U")
		s.sees("Put the cursor on one first.")
		if n := len(s.bench.unlock.targets); n != 0 {
			t.Errorf("planned on %v", s.bench.unlock.targets)
		}
		s.news(sample.Live(9, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged()))
		s.press("U")
		if got := s.bench.unlock.targets[0].Label; got != "A3F2-0011" {
			t.Errorf("planned on %s after the row came back", got)
		}
	})
}

// news hands a set over as the hub does.
func (s *stage) news(set probes.Set) {
	s.hub.news <- set
	s.pump()
}

func TestUnsettledIsShownFirst(t *testing.T) {
	left := actions.Unsettled{Record: actions.Record{Title: "Force-unlock A3F2-0019", At: sample.Now, Actor: "mdupont"},
		Verdict: actions.Verdict{Kind: actions.Unverdict, Says: "It cannot be known whether it was done.", Next: "Look at the lock."}}
	play(t, 80, 24, func(_ *stage, c *Config) { c.Unsettled = []actions.Unsettled{left} }, func(t *testing.T, s *stage) {
		s.sees("An earlier session ended in the middle", "unknown: It cannot be known whether it was done.", "Next: Look at the lock.")
	})
}
