package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gradecockpit/actions"
	"gradecockpit/cmd/gradecockpit/internal/practice"
	"gradecockpit/probes/lab"
	"gradecockpit/tui"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// How long the end of a drill may take: all of it, one look at what became of
// a fault, and how long an action may take to show in the world.
const (
	debriefFor = 15 * time.Second
	truthFor   = 2 * time.Second
	showsAfter = 3 * time.Second
)

// exercise is a drill under way: it keeps the log, with the time, and asks the
// world what became of the faults. It is what the screen knows as tui.Drill.
type exercise struct {
	drill   practice.Drill
	guide   practice.Guide
	world   *lab.World
	journal actions.Journal
	now     func() time.Time

	judging sync.Mutex // held while the world is asked; mu never is: the screen needs it

	mu      sync.Mutex
	started time.Time // zero: the briefing is still open
	stopped time.Time // zero: the clock runs
	log     []practice.Event
	result  *practice.Debrief // nil before the end
}

func (x *exercise) Blind() bool { return x.guide.Blind }

func (x *exercise) Briefing() []dialog.Para { return paras(x.drill.Briefing(x.guide.Blind)) }

func paras(lines []practice.Line) []dialog.Para {
	out := make([]dialog.Para, len(lines))
	for i, l := range lines {
		out[i] = dialog.Para{Head: l.Head, Text: l.Text, Tone: l.Tone}
	}
	return out
}

// Begin starts the clock.
func (x *exercise) Begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.started.IsZero() {
		x.started = x.now()
	}
}

func (x *exercise) begun() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.started.IsZero()
}

// Clock is the time since the start and the points that are left.
func (x *exercise) Clock(now time.Time) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.result != nil:
		return fmt.Sprintf("finished in %s, %d points", ui.Fine(time.Duration(x.result.Lasted)), x.result.Points)
	case x.started.IsZero():
		return "not started"
	case !x.stopped.IsZero():
		now = x.stopped
	}
	return fmt.Sprintf("%s  %d points", ui.Fine(now.Sub(x.started)), practice.Left(x.log))
}

// note logs what the responder did, while the clock runs.
func (x *exercise) note(kind practice.Kind, what string) {
	if !x.started.IsZero() && x.stopped.IsZero() {
		x.log = append(x.log, practice.Event{At: x.now().Sub(x.started), Kind: kind, What: what})
	}
}

func (x *exercise) Saw(place string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note(practice.Looked, place)
}

func (x *exercise) Causes() (out []tui.DrillCause) {
	for _, c := range x.drill.Causes() {
		out = append(out, tui.DrillCause{ID: c.Fault, Title: c.Cause})
	}
	return out
}

// over answers whoever goes on when the clock has stopped.
const over = "The clock has stopped: this does not count any more. :finish shows the debrief."

// Answer notes a cause. Whether it is right is for the debrief.
func (x *exercise) Answer(cause string) string {
	for _, c := range x.drill.Causes() {
		if c.Fault == cause {
			x.mu.Lock()
			defer x.mu.Unlock()
			if !x.stopped.IsZero() {
				return over
			}
			x.note(practice.Answered, cause)
			return "Noted: " + c.Cause + ". Put it right where you can, then :finish. :answer names a further one."
		}
	}
	return "No cause is called " + cause + "; :answer alone lists them."
}

func (x *exercise) Hint() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.stopped.IsZero() {
		return over
	}
	h, ok := x.drill.NextHint(x.log)
	if !ok {
		return "There are no more hints. :finish ends the drill."
	}
	x.note(practice.Hinted, h.What)
	return fmt.Sprintf("For %d points: %s", practice.HintCosts, h.Says)
}

// Finish ends the drill. Whoever leaves meanwhile does not spoil it: the end
// takes its time, and is bounded.
func (x *exercise) Finish(ctx context.Context) []dialog.Para {
	return paras(x.end(context.WithoutCancel(ctx)).Lines())
}

// end judges the drill, once.
func (x *exercise) end(ctx context.Context) practice.Debrief {
	x.judging.Lock()
	defer x.judging.Unlock()
	log, done := x.stop()
	if done != nil {
		return *done
	}
	records, err := x.journal.Records()
	log = append(log, practice.FromRecords(x.started, records)...)
	d := practice.Score(x.drill, log, x.truths(ctx, len(records) > 0), x.guide)
	if err != nil {
		d.Unread = err.Error()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.result = &d
	return d
}

// stop stops the clock and gives the log, or the debrief where there is one.
func (x *exercise) stop() ([]practice.Event, *practice.Debrief) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.result == nil {
		x.note(practice.Finished, "")
		x.stopped = x.now()
	}
	return slices.Clone(x.log), x.result
}

// truths asks the world about every fault. What was acted on gets a moment to
// show it.
func (x *exercise) truths(ctx context.Context, acted bool) (out []practice.Truth) {
	ctx, cancel := context.WithTimeout(ctx, debriefFor)
	defer cancel()
	patience := time.NewTimer(showsAfter)
	defer patience.Stop()
	for _, fault := range slices.Concat(x.drill.Faults, x.drill.Distractors) {
		t := x.truth(ctx, fault)
		for waits := acted; waits && t.Known && !t.Gone; t = x.truth(ctx, fault) {
			select {
			case <-patience.C:
				waits, acted = false, false
			case <-ctx.Done():
				waits = false
			case <-time.After(truthFor / 10):
			}
		}
		out = append(out, t)
	}
	return out
}

func (x *exercise) truth(ctx context.Context, fault string) practice.Truth {
	ctx, cancel := context.WithTimeout(ctx, truthFor)
	defer cancel()
	shows, known, err := x.world.Shows(ctx, fault)
	return practice.Truth{Fault: fault, Targets: x.world.Targets(fault), Gone: err == nil && !shows, Known: known && err == nil}
}
