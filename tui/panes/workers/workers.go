// Package workers is the pane of the Celery workers: whether each of them is
// well by all the evidence there is, what it works on and for how long, which
// queues it takes, and which queues nobody takes.
package workers

import (
	"cmp"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "workers" }
func (spec) Title() string      { return "Workers" }
func (spec) Needs() []probes.ID { return []probes.ID{celery.ID, grading.ID, celery.TasksID} }
func (spec) Actions() []string  { return []string{"restart", "ping"} }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "STATE", Min: 15, Max: 15},
		{Title: "WORKER", Min: 8, Max: 28, Ends: true},
		{Title: "BUSY", Min: 4, Max: 7, Right: true},
		{Title: "RUNS", Min: 30, Max: 52},
		{Title: "TAKES", Min: 8, Max: 32, Drop: 1},
		{Title: "HOLDS", Min: 5, Max: 8, Right: true, Drop: 2},
		{Title: "LATER", Min: 5, Max: 6, Right: true, Drop: 3},
		{Title: "UP", Min: 4, Max: 6, Right: true, Drop: 4},
		{Title: "VERSION", Min: 12, Max: 14, Drop: 6},
		{Title: "DONE SINCE ITS START", Min: 20, Max: 60, Drop: 5},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[celery.Overview](in.Set, celery.ID)
	if !ok {
		return pane.Content{}
	}
	v := view{in: in, o: o, names: pane.NamesIn(in.Set)}
	if t, _, ok := probes.Of[celery.Tasks](in.Set, celery.TasksID); ok {
		v.limit = t.Limit
	}
	c := pane.Content{Summary: v.summary(), Notes: v.notes()}
	for _, w := range v.worstFirst() {
		c.Rows = append(c.Rows, v.rows(w)...)
	}
	if len(c.Rows) == 0 {
		c.Problem = v.nobody()
	}
	return c
}

// view is what the rows are made from.
type view struct {
	in    pane.Input
	o     celery.Overview
	names pane.Names
	limit time.Duration // after which a task is killed; 0 unknown
}

// ranks is the order of the rows and of the summary: the worst first.
var ranks = []celery.WorkerState{celery.Gone, celery.Frozen, celery.Deaf, celery.WrongQueue, celery.Stopping, celery.Unsure,
	celery.PrefetchFull, celery.Busy, celery.Healthy}

// state takes what nothing judged for unknown.
func state(w celery.Worker) celery.WorkerState {
	if w.State == "" {
		return celery.Unsure
	}
	return w.State
}

func (v view) worstFirst() []celery.Worker {
	return slices.SortedStableFunc(slices.Values(v.o.Workers), func(a, b celery.Worker) int {
		return cmp.Compare(slices.Index(ranks, state(a)), slices.Index(ranks, state(b)))
	})
}

// summary counts the workers by state, the worst first, then the slots of
// those that say how many they have.
func (v view) summary() string {
	var parts []string
	for _, s := range ranks {
		n := 0
		for _, w := range v.o.Workers {
			if state(w) == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, ui.Count(int64(n))+" "+string(s))
		}
		if n > 0 && len(parts) == 1 && pane.Ails(s) {
			parts[0] = ui.SignWarn + " " + parts[0]
		}
	}
	if len(parts) == 0 {
		return "none seen"
	}
	return pane.Joined(append(parts, v.slots())...)
}

func (v view) slots() string {
	used, all := 0, 0
	for _, w := range v.o.Workers {
		if w.Pool > 0 {
			used, all = used+busy(w), all+w.Pool
		}
	}
	if all == 0 {
		return ""
	}
	return ui.Count(int64(used)) + " of " + ui.Plural(all, "slot") + " busy"
}

// notes are about all workers together.
func (v view) notes() []ui.Cell {
	var out []ui.Cell
	if says := pane.NobodyTakes(v.o); says != "" {
		out = append(out, pane.Text(ui.Bad, says))
	}
	if says, tone := pane.Silence(v.o, v.in.Now); says != "" && len(v.o.Workers) > 0 {
		out = append(out, pane.Text(tone, says))
	}
	return out
}

// nobody says what it means that there is no worker to show, and what to do.
func (v view) nobody() string {
	waits := "No task waits"
	if v.o.Waiting > 0 {
		waits = ui.Plural(int(v.o.Waiting), "task") + " waiting"
	}
	switch {
	case v.o.WorkersErr != "":
		return "The workers could not be asked: " + v.o.WorkersErr + ". That does not say that they are down: see in the queue pane whether the queues get shorter."
	case v.o.WorkersAt.IsZero():
		return "The workers have not been asked yet."
	case v.o.Receivers == 0:
		return "No worker listens: nothing runs. " + waits + ". Start one (docker compose restart celery, systemctl restart celery-worker). " +
			"One that is up nevertheless has been deaf since Redis restarted: restart it."
	}
	return ui.Plural(v.o.Receivers, "worker") + " on the control channel, and no answer. " + waits +
		". With -P solo a worker is mute while it works; one that stays mute is frozen: restart it."
}

// busy counts what a worker runs now, without what it only holds.
func busy(w celery.Worker) int {
	n := 0
	for _, t := range w.Running {
		if t.State == "running" {
			n++
		}
	}
	return n
}
