package tui

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	return []DrillCause{{"expired-locks", "Expired locks were not cleared"}, {"nothing", "Nothing is wrong"}}
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

func TestPagesAreToldToTheDrill(t *testing.T) {
	practise(t, 80, 24, func(t *testing.T, s *stage, x *exercise) {
		s.press("enter", "enter", "esc", ":", "'events'", "enter")
		if diff := cmp.Diff([]string{"saw page copy", "saw page events"}, x.told); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOutsidePracticeItsWordsAreNoCommands(t *testing.T) {
	play(t, 80, 24, nil, func(_ *testing.T, s *stage) {
		s.press(":", "'hint'", "enter")
		s.sees("No command is called hint.")
	})
}
