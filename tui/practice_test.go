package tui

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/ui"
)

// exercise is a drill that only keeps what it was told.
type exercise struct {
	told  []string
	begun bool
	blind bool
}

func (x *exercise) tell(s string) { x.told = append(x.told, s) }

func (x *exercise) Briefing() []dialog.Para { return []dialog.Para{{Text: "The telephone rings."}} }
func (x *exercise) Begin()                  { x.begun = true }
func (x *exercise) Saw(place string)        { x.tell("saw " + place) }
func (x *exercise) Blind() bool             { return x.blind }
func (x *exercise) Hint() string            { x.tell("hint"); return "Look at the locks." }

func (x *exercise) Answer(cause string) string { x.tell("answer " + cause); return "Noted: " + cause }

func (x *exercise) Clock(time.Time) string {
	if x.begun {
		return "3s  90 points"
	}
	return "not started"
}

func (x *exercise) Causes() []DrillCause {
	return []DrillCause{{"expired-locks", "Expired locks were not cleared"}, {"nothing", "Nothing is wrong"}, {"unlock-wrong-token", "A lock was given back with another token"}}
}

func (x *exercise) Finish(context.Context) []dialog.Para {
	x.tell("finish")
	return []dialog.Para{{Text: "Solved.", Tone: ui.Good}}
}

// practise plays a drill, from the briefing on.
func practise(t *testing.T, w, h int, f func(*testing.T, *stage, *exercise)) {
	x := &exercise{}
	play(t, w, h, func(_ *stage, cfg *Config) { cfg.Drill, cfg.Pages = x, pages.All() }, func(t *testing.T, s *stage) { f(t, s, x) })
}

func TestADrillFromTheBriefingToTheDebrief(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 36}, {40, 12}} {
		practise(t, size.w, size.h, func(t *testing.T, s *stage, x *exercise) {
			s.sees("Practice", "The telephone rings.", "not started")
			s.press("j", "?")
			if x.begun {
				t.Fatal("the clock runs before the briefing was closed")
			}
			s.press("enter")
			s.sees("90 points")
			s.misses("The telephone rings.")
			s.press("2", ":", "'hint'", "enter")
			s.sees("Look at the locks.")
			s.press("esc", ":", "'answer'", "enter", "down", "enter")
			s.sees("Noted: nothing")
			s.press(":", "'answer exp'", "tab", "enter")
			s.sees("Noted: expired-locks")
			s.press(":", "'briefing'", "enter")
			s.sees("The telephone rings.")
			s.press("esc", ":", "'finish'", "enter")
			s.sees("Debrief", "Solved.", "q leave")
			want := []string{"saw stuck", "hint", "answer nothing", "answer expired-locks", "finish"}
			if diff := cmp.Diff(want, x.told); diff != "" {
				t.Errorf("what the drill was told: %s", diff)
			}
			s.press("esc")
			s.sees("90 points")
			s.misses("Debrief")
			s.press(":", "'finish'", "enter", "q")
			if !s.left {
				t.Error("q on the debrief does not leave")
			}
		})
	}
}

// TestWhatCanBeAnsweredStandsInColumns: also below the longest name.
func TestWhatCanBeAnsweredStandsInColumns(t *testing.T) {
	practise(t, 80, 24, func(t *testing.T, s *stage, _ *exercise) {
		s.press("enter", ":", "'answer '")
		at := map[int]bool{}
		for l := range strings.Lines(s.frame()) {
			for _, title := range []string{"Expired locks were not cleared", "Nothing is wrong", "A lock was given back"} {
				if i := strings.Index(l, title); i >= 0 {
					at[i] = true
				}
			}
		}
		if len(at) != 1 {
			t.Errorf("the titles begin in the columns %v:\n%s", at, s.frame())
		}
	})
}

func TestADrillIsNotFinishedUnderAnAction(t *testing.T) {
	practise(t, 80, 24, func(t *testing.T, s *stage, x *exercise) {
		s.bench.clear.watch = make(chan struct{})
		s.press("enter", "C")
		s.pass(quiet)
		s.press("y", "esc", ":", "'finish'", "enter")
		s.sees("An action still runs")
		close(s.bench.clear.watch)
		s.pump()
		s.press(":", "'finish'", "enter")
		s.sees("Debrief")
		if diff := cmp.Diff([]string{"finish"}, x.told); diff != "" {
			t.Error(diff)
		}
	})
}

// Whoever goes past the briefing has read it: the clock runs.
func TestGoingPastTheBriefingStartsTheClock(t *testing.T) {
	practise(t, 80, 24, func(t *testing.T, s *stage, x *exercise) {
		s.press("w")
		if !x.begun {
			t.Error("the findings are open, and the clock does not run")
		}
		s.press("esc")
		s.misses("The telephone rings.")
	})
}

func TestPagesAreToldToTheDrill(t *testing.T) {
	practise(t, 80, 24, func(t *testing.T, s *stage, x *exercise) {
		s.press("enter", "enter", "esc", ":", "'events'", "enter")
		if diff := cmp.Diff([]string{"saw page copy", "saw page events"}, x.told); diff != "" {
			t.Error(diff)
		}
	})
}

// TestBlindPracticeHidesTheFindings: neither on the second line nor under w; the
// walkthroughs stay, and the drill is told which was opened.
func TestBlindPracticeHidesTheFindings(t *testing.T) {
	for _, blind := range []bool{false, true} {
		x := &exercise{blind: blind}
		found := func(_ *stage, cfg *Config) {
			cfg.Drill, cfg.Books = x, playbook.Books()
			cfg.Judge = func(in diagnosis.Input) diagnosis.Report {
				return diagnosis.Report{At: in.Now, Judged: 1, Findings: []diagnosis.Finding{{Rule: "expired-locks", Title: "Expired locks", Says: "7 locks."}}}
			}
		}
		play(t, 120, 36, found, func(t *testing.T, s *stage) {
			s.press("enter")
			if shown := strings.Contains(s.frame(), "1 finding"); shown == blind {
				t.Errorf("blind %v, and the second line tells of findings: %v", blind, shown)
			}
			s.press("w")
			s.sees("Walkthroughs", "Import stuck")
			if shown := strings.Contains(s.frame(), "7 locks."); shown == blind {
				t.Errorf("blind %v, and the findings are shown: %v", blind, shown)
			}
			s.press("esc", ":", "'walkthrough import-stuck'", "enter", "enter") // the second picks the copy, where it asks
			if !slices.Contains(x.told, "saw import-stuck") {
				t.Errorf("the drill was told %v", x.told)
			}
		})
	}
}

func TestOutsidePracticeItsWordsAreNoCommands(t *testing.T) {
	play(t, 80, 24, nil, func(_ *testing.T, s *stage) {
		s.press(":", "'hint'", "enter")
		s.sees("No command is called hint.")
	})
}
