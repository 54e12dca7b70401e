package pane

import (
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/ui"
)

// What several panes say of workers and tasks, so that they say it alike.

// Names are the copies that the grading probe has seen: what people call them,
// and which ones they are.
type Names struct {
	label map[string]string // by id in lower case
	id    map[string]string // by anonymous id in lower case
}

// NamesIn collects them.
func NamesIn(set probes.Set) Names {
	n := Names{map[string]string{}, map[string]string{}}
	o, _, _ := probes.Of[grading.Overview](set, grading.ID)
	add := func(c grading.CopyRef) {
		n.label[strings.ToLower(c.ID)] = c.Label()
		if c.Anon != "" {
			n.id[strings.ToLower(c.Anon)] = c.ID
		}
	}
	for _, e := range o.Events.Value.Rows {
		add(e.Copy)
	}
	for _, l := range o.Locks.Value.Rows {
		add(l.Copy)
	}
	for _, s := range o.Stuck.Value.Rows {
		add(s.Copy)
	}
	return n
}

// Of names the copy in a task's arguments: a known one as people do, else by
// the start of its id; "" when there is none.
func (n Names) Of(id, args string) string {
	if id == "" {
		return celery.AnonIn(args)
	}
	if l := n.label[strings.ToLower(id)]; l != "" {
		return l
	}
	return grading.CopyRef{ID: id}.Label()
}

// Copy is the id of the copy that a task is about: the one in its arguments,
// else the known copy that an import names by its anonymous id.
func (n Names) Copy(id, args string) string {
	if id != "" {
		return id
	}
	return n.id[strings.ToLower(celery.AnonIn(args))]
}

// TaskName is the last part of a task's dotted name, without the "async_" that
// the grading tasks have in common.
func TaskName(task string) string {
	task = task[strings.LastIndex(task, ".")+1:]
	return strings.TrimPrefix(task, "async_")
}

// Listening counts the workers in the list that take part in the control
// channel's census: one that is gone, deaf or stopping does not.
func Listening(o celery.Overview) int {
	n := 0
	for _, w := range o.Workers {
		if !slices.Contains([]celery.WorkerState{celery.Gone, celery.Deaf, celery.Stopping}, w.State) {
			n++
		}
	}
	return n
}

// Mute tells whether a worker in this state does not say what it runs.
func Mute(s celery.WorkerState) bool {
	return slices.Contains([]celery.WorkerState{celery.Frozen, celery.Deaf, celery.Stopping, celery.Unsure}, s)
}

// AllAnswered tells whether it is known what every worker runs.
func AllAnswered(o celery.Overview) bool {
	return o.WorkersErr == "" && Listening(o) >= o.Receivers &&
		!slices.ContainsFunc(o.Workers, func(w celery.Worker) bool { return Mute(w.State) })
}

// old is the age from which the workers' answer is marked: control is asked
// less often than depth.
const old = 30 * time.Second

// Silence says what is wrong with the workers' answers; "" when nothing is.
func Silence(o celery.Overview, now time.Time) (string, ui.Tone) {
	listed := Listening(o)
	switch {
	case o.WorkersErr != "":
		return ui.SignBad + " workers: " + o.WorkersErr, ui.Bad
	case o.WorkersAt.IsZero() && listed == 0:
		return "workers have not been asked yet", ui.Dim
	case listed == 0 && o.Receivers == 0:
		return ui.SignBad + " no worker listens: nothing runs until one is started", ui.Bad
	case listed < o.Receivers:
		return ui.SignWarn + " " + ui.Count(int64(o.Receivers-listed)) + " of " +
			ui.Plural(o.Receivers, "worker") + " did not answer in time; a busy one may be late", ui.Warn
	case now.Sub(o.WorkersAt) > old:
		return "workers, as of " + ui.Ago(now.Sub(o.WorkersAt)), ui.Dim
	}
	return "", ui.Plain
}

// NobodyTakes names the queues where tasks wait that no worker takes; "" when
// there are none.
func NobodyTakes(o celery.Overview) string {
	var lost, taken []string
	for _, q := range o.Queues {
		switch {
		case q.Consumed == celery.No && q.Depth > 0:
			lost = append(lost, q.Name+" ("+ui.Count(q.Depth)+" waiting)")
		case q.Consumed == celery.Yes:
			taken = append(taken, q.Name)
		}
	}
	if len(lost) == 0 {
		return ""
	}
	says := ui.SignWarn + " nobody takes " + strings.Join(lost, ", ")
	if len(taken) > 0 {
		says += ": workers take " + strings.Join(taken, ", ")
	}
	return says
}

// WorkerState is the state of a worker with its sign.
func WorkerState(s celery.WorkerState) (string, ui.Tone) {
	switch s {
	case celery.Healthy:
		return ui.SignGood + " " + string(s), ui.Good
	case celery.Busy, celery.PrefetchFull:
		return ui.SignDot + " " + string(s), ui.Warn
	case celery.Stopping:
		return ui.SignWarn + " " + string(s), ui.Warn
	case celery.Frozen, celery.Gone, celery.Deaf, celery.WrongQueue:
		return ui.SignBad + " " + string(s), ui.Bad
	}
	return ui.NotKnown + " " + string(celery.Unsure), ui.Dim
}

// Ails tells whether a worker needs a look: it is neither healthy nor merely
// busy. One that nothing judged does not.
func Ails(s celery.WorkerState) bool {
	return !slices.Contains([]celery.WorkerState{"", celery.Healthy, celery.Busy, celery.PrefetchFull}, s)
}

// RunTime is how long a task runs, beside the time after which its worker kills
// it (limit; 0 unknown). One past its limit is loud.
func RunTime(started, now time.Time, limit time.Duration) ui.Cell {
	if started.IsZero() {
		return ui.Cell{}
	}
	d := max(now.Sub(started), 0)
	c := Number(ui.Strong, ui.Duration(d), d.Seconds())
	if limit > 0 {
		c.Text += " of " + ui.Duration(limit)
	}
	if limit > 0 && d > limit {
		c.Text, c.Tone = ui.SignWarn+" "+c.Text, ui.Bad
	}
	return c
}
