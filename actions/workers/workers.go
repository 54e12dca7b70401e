// Package workers holds the actions on Celery workers: ping, pool size, queues,
// rate limits, task events, warm shutdown, and the restart through the
// supervisor. A worker that does not answer ping gets nothing but that restart:
// whatever else it was sent it would do later, when it wakes up, whatever has
// happened until then.
package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
)

// Deps is what these actions need.
type Deps struct {
	Broker *celery.Broker
	// Restart is the supervisor's command, its words one by one: no shell sees
	// them. nil: none is configured.
	Restart    []string
	RestartFor time.Duration // how long that command may take; 0 is 60 s
	Timings    Timings
}

// Timings bound the watching. Zero values take the defaults.
type Timings struct {
	Watch time.Duration // how long a change is awaited: 30 s
	Drain time.Duration // how long a stop or a restart is watched: 90 s
	Poll  time.Duration // between two looks: 300 ms
}

func (t Timings) defaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Watch, 30*time.Second)
	set(&t.Drain, 90*time.Second)
	set(&t.Poll, 300*time.Millisecond)
	return t
}

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action {
	d.Timings = d.Timings.defaults()
	if d.RestartFor <= 0 {
		d.RestartFor = time.Minute
	}
	b := base{d}
	all := []actions.Action{ping{b}, restart{b}, shutdown{b}}
	for _, c := range commands() {
		all = append(all, command{b, c})
	}
	return all
}

// base is what all of them share.
type base struct{ Deps }

func (base) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnWorker} }

// Watch is the bound of Verify.
func (b base) Watch() time.Duration { return b.Timings.Watch }

// Impossible says why no worker can be reached here at all.
func (b base) Impossible(set probes.Set) string {
	_, why := b.overview(set)
	return why
}

func (b base) overview(set probes.Set) (celery.Overview, string) {
	ov, snap, ok := probes.Of[celery.Overview](set, celery.ID)
	switch {
	case b.Broker == nil:
		return ov, "No broker is configured: set CELERY_BROKER_URL."
	case ok:
		return ov, ""
	case snap.Err != nil:
		return ov, "The broker cannot be read: " + snap.Err.Error() + "."
	}
	return ov, "The broker has not been read yet."
}

// Disabled says why a worker gets no command now, by what the probe saw of it.
func (b base) Disabled(set probes.Set, t actions.Target) string {
	ov, why := b.overview(set)
	switch {
	case why != "":
		return why
	case len(t.More) > 0:
		return "One worker at a time."
	}
	if w, ok := find(ov, t.ID); ok && silent(w) {
		return fmt.Sprintf("%s is %s: what it is sent now it would do later, when it wakes up. Restart it.", w.Name, w.State)
	}
	return ""
}

func find(ov celery.Overview, name string) (celery.Worker, bool) {
	i := slices.IndexFunc(ov.Workers, func(w celery.Worker) bool { return w.Name == name })
	if i < 0 {
		return celery.Worker{}, false
	}
	return ov.Workers[i], true
}

// silent tells whether a worker answers nothing.
func silent(w celery.Worker) bool {
	return slices.Contains([]celery.WorkerState{celery.Frozen, celery.Gone, celery.Deaf, celery.Stopping}, w.State)
}

// awake asks a worker that is to get a command. One that keeps silent is a
// refusal.
func (b base) awake(ctx context.Context, name string) (celery.Worker, error) {
	w, err := b.Broker.Worker(ctx, name)
	return w, explain(err)
}

// same checks that a worker is the process that the plan saw.
func (b base) same(ctx context.Context, was celery.Worker) (celery.Worker, error) {
	now, err := b.awake(ctx, was.Name)
	if err == nil && now.PID != was.PID {
		err = &actions.Moved{Says: was.Name + " is another process by now.",
			Diffs: []actions.Diff{{Name: "pid", Was: fmt.Sprint(was.PID), Is: fmt.Sprint(now.PID)}}}
	}
	return now, err
}

// explain turns a failure of the broker into what an action reports.
func explain(err error) error {
	var quiet *celery.ErrSilent
	var readOnly *celery.ErrReadOnly
	var late *celery.ErrUnanswered
	switch {
	case err == nil:
		return nil
	case errors.As(err, &quiet):
		return &actions.Refusal{Why: clean.Text(orElse(quiet.Worker, "A worker")) + " does not answer.",
			Next: "It gets no command that it would run later; restart it through its supervisor."}
	case errors.Is(err, celery.ErrNoWorker):
		return &actions.Refusal{Why: "No worker listens.", Next: "Start one."}
	case errors.As(err, &readOnly):
		return &actions.Refusal{Why: "Nothing may be written: " + readOnly.Why + "."}
	case errors.As(err, &late):
		return &actions.Unsure{Err: late}
	}
	return err
}

// refusedBy is an answer that says no.
func refusedBy(s celery.Said) error {
	if s.Err == "" {
		return nil
	}
	return fmt.Errorf("%s refuses: %s", s.Worker, s.Err)
}

// lookFor is what a look at a worker takes at least; one that is cut short
// would tell of a silence that is none.
const lookFor = 100 * time.Millisecond

// pause waits between two looks; false: there is no time for another.
func (b base) pause(ctx context.Context) bool {
	if end, bounded := ctx.Deadline(); bounded && time.Until(end) < b.Timings.Poll+lookFor {
		return false
	}
	select {
	case <-time.After(b.Timings.Poll):
		return true
	case <-ctx.Done():
		return false
	}
}

// Settle has nothing to go by: a command leaves no trace with its sender's name.
func (b base) Settle(context.Context, actions.Record) actions.Verdict {
	return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the worker was told.", Next: "Look at the workers pane."}
}

// note keeps what was seen of a worker.
func note(seen map[string]string, w celery.Worker) {
	seen["worker"], seen["pid"] = w.Name, fmt.Sprint(w.PID)
	seen["processes"] = fmt.Sprint(len(w.Processes))
	seen["queues"] = actions.Names(w.Queues, 20)
	for _, state := range []string{"running", "reserved", "scheduled"} {
		seen[state] = fmt.Sprint(count(w, state))
	}
}

// count counts the tasks of a worker in a state.
func count(w celery.Worker, state string) int {
	n := 0
	for _, r := range w.Running {
		if r.State == state {
			n++
		}
	}
	return n
}

func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
