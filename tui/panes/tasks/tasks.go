// Package tasks is the pane of the tasks in every state: those that need a
// look first (lost, failed, orphaned, past their limit), then what runs, then
// what waits, then what is done.
package tasks

import (
	"cmp"
	"slices"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "tasks" }
func (spec) Title() string      { return "Tasks" }
func (spec) Needs() []probes.ID { return []probes.ID{celery.TasksID, grading.ID} }
func (spec) Actions() []string  { return []string{"retry", "revoke", "terminate", "restore-orphans"} }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "STATE", Min: 16, Max: 22},
		{Title: "TASK", Min: 13, Max: 22},
		{Title: "COPY", Min: 9, Max: 16},
		{Title: "FOR", Min: 10, Max: 12, Right: true},
		{Title: "TRIES", Min: 5, Max: 18, Drop: 3},
		{Title: "WHERE", Min: 6, Max: 28, Ends: true, Drop: 2},
		{Title: "SAYS", Min: 20, Drop: 1},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[celery.Tasks](in.Set, celery.TasksID)
	if !ok {
		return pane.Content{}
	}
	v := view{in: in, o: o, names: pane.NamesIn(in.Set)}
	c := pane.Content{
		Summary: v.summary(),
		Empty:   "No task waits, runs or has left a result. What is uploaded or finalized next shows up here; the queue pane shows whether anybody takes it.",
	}
	if o.Sampled != "" {
		c.Notes = append(c.Notes, pane.Text(ui.Warn, ui.SignWarn+" "+o.Sampled))
	}
	for _, r := range v.urgentFirst() {
		c.Rows = append(c.Rows, v.row(r))
	}
	unique(c.Rows)
	return c
}

// view is what the rows are made from.
type view struct {
	in    pane.Input
	o     celery.Tasks
	names pane.Names
}

// ranks is the order of the rows. One that runs past its limit comes after
// what is known to be broken.
var ranks = []celery.TaskState{
	celery.TaskLost, celery.TaskSwallowed, celery.TaskFailed, celery.TaskOrphaned, celery.TaskBad, late,
	celery.TaskRetrying, celery.TaskRunning, celery.TaskReserved, celery.TaskWaiting, celery.TaskScheduled,
	celery.TaskRevoked, celery.TaskDone,
}

// late is a running task that its worker should have killed by now.
const late celery.TaskState = "past its limit"

func (v view) state(r celery.TaskRow) celery.TaskState {
	if r.State == celery.TaskRunning && v.o.Limit > 0 && !r.Since.IsZero() && v.in.Now.Sub(r.Since) > v.o.Limit {
		return late
	}
	return r.State
}

// urgentFirst keeps the probe's order among tasks in the same state. Failures
// of either kind go together.
func (v view) urgentFirst() []celery.TaskRow {
	rank := func(r celery.TaskRow) int {
		s := v.state(r)
		switch {
		case s == celery.TaskFailed:
			s = celery.TaskSwallowed
		case doubtful(r):
			s = late
		}
		if i := slices.Index(ranks, s); i >= 0 {
			return i
		}
		return len(ranks)
	}
	return slices.SortedStableFunc(slices.Values(v.o.Rows), func(a, b celery.TaskRow) int { return cmp.Compare(rank(a), rank(b)) })
}

// summary counts what needs a look, then the rest.
func (v view) summary() string {
	n := func(states ...celery.TaskState) (sum int) {
		for _, s := range states {
			sum += v.o.Counts[s]
		}
		return sum
	}
	var parts []string
	add := func(n int, word string) {
		if n > 0 {
			parts = append(parts, ui.Count(int64(n))+" "+word)
		}
	}
	add(n(celery.TaskLost), "lost")
	add(n(celery.TaskFailed, celery.TaskSwallowed), "failed")
	add(n(celery.TaskOrphaned), "orphaned")
	add(n(celery.TaskBad), "cannot be decoded")
	add(v.late(), "past the limit")
	if len(parts) > 0 {
		parts[0] = ui.SignWarn + " " + parts[0]
	}
	add(n(celery.TaskRetrying), "retrying")
	add(n(celery.TaskRunning), "running")
	add(n(celery.TaskReserved, celery.TaskScheduled), "held")
	add(n(celery.TaskWaiting), "waiting")
	add(n(celery.TaskDone), "done")
	if len(parts) == 0 {
		return "none"
	}
	return pane.Joined(parts...)
}

func (v view) late() int {
	n := 0
	for _, r := range v.o.Rows {
		if v.state(r) == late {
			n++
		}
	}
	return n
}

// unique keeps keys apart: one id can be in several places at once, such as a
// message that was restored while its worker lived.
func unique(rows []pane.Row) {
	seen := map[string]int{}
	for i := range rows {
		key := rows[i].Key
		if seen[key]++; seen[key] > 1 {
			rows[i].Key = key + " again " + ui.Count(int64(seen[key]))
		}
	}
}
