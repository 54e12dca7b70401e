// Package queue is the pane of the broker: what waits in which queue and how
// fast it grows, who works on what, and what a purge would not reach.
package queue

import (
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "queue" }
func (spec) Title() string      { return "Queue" }
func (spec) Needs() []probes.ID { return []probes.ID{celery.ID, grading.ID, celery.TasksID} }
func (spec) Actions() []string  { return []string{"purge", "restore", "restore-orphans"} }

// Columns has one column only: queues, workers and messages have little in
// common, so every row spans the pane and is aligned with its own kind.
func (spec) Columns() []ui.Column { return []ui.Column{{Title: "QUEUE", Min: 10}} }

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[celery.Overview](in.Set, celery.ID)
	if !ok {
		return pane.Content{}
	}
	v := view{in: in, o: o, labels: pane.NamesIn(in.Set)}
	c := pane.Content{
		Summary: v.summary(),
		Empty:   "Redis has no queue, no worker and nothing unacknowledged. Is this the broker's database?",
	}
	for _, part := range [][]pane.Row{v.queues(), v.workers(), v.unacked(), v.quarantines(), v.samples()} {
		c.Rows = append(c.Rows, part...)
	}
	return c
}

// view is what the parts of the pane are made from.
type view struct {
	in     pane.Input
	o      celery.Overview
	labels pane.Names
}

func (v view) summary() string {
	running := ui.NotKnown
	if pane.AllAnswered(v.o) {
		running = ui.Count(int64(v.running()))
	}
	unacked := ""
	if v.o.Unacked > 0 {
		unacked = ui.Count(v.o.Unacked) + " unacked"
	}
	return pane.Joined(ui.Count(v.o.Waiting)+" waiting", running+" running", unacked)
}

func (v view) running() int {
	n := 0
	for _, w := range v.o.Workers {
		n += busy(w)
	}
	return n
}

// line is a row over the whole width.
func line(key string, cells ...ui.Cell) pane.Row {
	return pane.Row{Key: key, Span: true, Cells: cells}
}

// note is a line that the cursor passes over.
func note(key string, tone ui.Tone, says string) pane.Row {
	r := line(key, pane.Text(tone, says))
	r.Skip = true
	return r
}

// rest is what else tells one task from another: its arguments without the
// copy, which has a place of its own, and without ids that nobody knows by
// heart; of a path only the file.
func rest(args string) string {
	var out []string
	for _, arg := range strings.Split(args, ", ") {
		name, value, named := strings.Cut(arg, "=")
		switch {
		case named && (name == "copy_id" || name == "anonymous_id" || name == "exam_id"):
		case named && strings.Contains(value, "/"):
			out = append(out, value[strings.LastIndex(value, "/")+1:])
		default:
			out = append(out, arg)
		}
	}
	return strings.Join(out, ", ")
}

// widest is the width of the longest of the names, at most w.
func widest(names []string, w int) int {
	n := 0
	for _, s := range names {
		n = max(n, ui.Width(s))
	}
	return min(n, w)
}
