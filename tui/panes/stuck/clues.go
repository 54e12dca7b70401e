package stuck

import (
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// clues is what the other sources know, by id or anonymous id in lower case.
type clues struct {
	in     pane.Input
	tasks  map[string]string
	errors map[string]logs.Line
	// complete: the broker and the workers showed every task, so that a copy
	// without one really has none.
	complete bool
}

func newClues(in pane.Input) clues {
	k := clues{in: in, tasks: map[string]string{}}
	if o, _, ok := probes.Of[logs.Overview](in.Set, logs.ID); ok {
		k.errors = o.ByCopy
	}
	if o, snap, ok := probes.Of[celery.Overview](in.Set, celery.ID); ok {
		k.readTasks(o)
		k.complete = snap.Err == nil && showsAll(o)
	}
	return k
}

// readTasks lets a running task speak before one that waits.
func (k *clues) readTasks(o celery.Overview) {
	for _, w := range o.Workers {
		for _, r := range w.Running {
			says := ui.SignWarn + " task " + r.State + " on " + r.Worker
			if r.State == "running" && !r.Started.IsZero() {
				says += " for " + ui.Duration(k.in.Now.Sub(r.Started))
			}
			k.put(says, r.CopyID, pane.AnonIn(r.Args))
		}
	}
	for _, q := range o.Queues {
		for _, m := range q.Sample {
			says := "task waits in " + q.Name
			if q.Consumed == celery.No {
				says += ", which no worker takes"
			}
			k.put(says, m.CopyID, pane.AnonIn(m.Args))
		}
	}
}

// put says something of a copy under each of its names. The first word counts.
func (k *clues) put(says string, names ...string) {
	for _, name := range names {
		id := strings.ToLower(name)
		if id != "" && k.tasks[id] == "" {
			k.tasks[id] = says
		}
	}
}

// task is what is known under either name of the copy.
func (k clues) task(c grading.CopyRef) string {
	if says := k.tasks[strings.ToLower(c.ID)]; says != "" {
		return says
	}
	return k.tasks[strings.ToLower(c.Anon)]
}

// showsAll is false when a task could hide: behind a sample, in the hands of a
// worker that did not answer, or among the unacknowledged.
func showsAll(o celery.Overview) bool {
	for _, q := range o.Queues {
		if q.Sampled {
			return false
		}
	}
	return o.WorkersErr == "" && o.Unacked == 0 && len(o.Workers) >= o.Receivers
}

// why is the probe's reason, then the task there is or is not, then the last
// error in the log.
func (k clues) why(s grading.Stuck) string {
	task := k.task(s.Copy)
	waits := s.Cause == grading.CauseImport || s.Cause == grading.CauseInProgress
	if task == "" && waits && k.complete {
		task = "no task waits or runs for it"
	}
	return pane.Joined(strings.TrimRight(s.Why, "."), task, k.logged(s.Copy.ID))
}

// logged is the last error about the copy. The end of a traceback names the
// cause; the message above it often only says that there was one.
func (k clues) logged(id string) string {
	line, ok := k.errors[id]
	if !ok {
		line, ok = k.errors[strings.ToLower(id)]
	}
	if !ok {
		return ""
	}
	says := line.Message
	if n := len(line.Trace); n > 0 {
		says = strings.TrimSpace(line.Trace[n-1])
	}
	return "log" + at(line.At, k.in) + ": " + says
}

func at(t time.Time, in pane.Input) string {
	if t.IsZero() {
		return ""
	}
	return " " + ui.Clock(t, in.Now, in.Zone)
}
