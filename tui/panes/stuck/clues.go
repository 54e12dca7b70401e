package stuck

import (
	"strings"
	"unicode"
	"unicode/utf8"

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
	if o, _, ok := probes.Of[celery.Tasks](in.Set, celery.TasksID); ok {
		k.readLosses(o)
	}
	return k
}

// readLosses adds the tasks that nobody works on any more and nobody will.
func (k *clues) readLosses(o celery.Tasks) {
	for _, r := range o.Rows {
		switch r.State {
		case celery.TaskLost:
			k.put(ui.SignWarn+" its task is lost", r.CopyID, celery.AnonIn(r.Args))
		case celery.TaskOrphaned:
			k.put(ui.SignWarn+" its task is orphaned: the worker that took it is gone", r.CopyID, celery.AnonIn(r.Args))
		}
	}
}

// readTasks lets a running task speak before one that waits.
func (k *clues) readTasks(o celery.Overview) {
	for _, w := range o.Workers {
		for _, r := range w.Running {
			says := ui.SignWarn + " task " + r.State + " on " + r.Worker
			if r.State == "running" && !r.Started.IsZero() {
				says += " for " + ui.Duration(k.in.Now.Sub(r.Started))
			}
			k.put(says, r.CopyID, celery.AnonIn(r.Args))
		}
	}
	for _, q := range o.Queues {
		for _, m := range q.Sample {
			says := "task waits in " + q.Name
			if q.Consumed == celery.No {
				says += ", which no worker takes"
			}
			k.put(says, m.CopyID, celery.AnonIn(m.Args))
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
	return o.Unacked == 0 && pane.AllAnswered(o)
}

// why is the probe's reason with the error behind it, then the task there is or
// is not. What matters most comes first: the end is cut.
func (k clues) why(s grading.Stuck) string {
	task := k.task(s.Copy)
	waits := s.Cause == grading.CauseImport || s.Cause == grading.CauseInProgress
	if task == "" && waits && k.complete {
		task = "no task waits or runs for it"
	}
	return pane.Joined(because(strings.TrimRight(s.Why, "."), cause(k.lastWords(s.Copy.ID))), task)
}

// because puts a reason behind a fact, unless the fact holds it already.
func because(fact, reason string) string {
	switch {
	case reason == "" || strings.Contains(ui.Fold(fact), ui.Fold(reason)):
		return fact
	case strings.Contains(fact, ": "):
		return fact + " · " + reason
	}
	return fact + ": " + reason
}

// cause is the end of an error's message: what stands before a colon is the way
// to it, such as the class of an exception.
func cause(says string) string {
	for {
		_, after, found := strings.Cut(says, ": ")
		r, _ := utf8.DecodeRuneInString(after)
		if !found || !strings.Contains(after, " ") || !unicode.IsLetter(r) {
			return says
		}
		says = after
	}
}

// line is the last error about the copy.
func (k clues) line(id string) (logs.Line, bool) {
	line, ok := k.errors[id]
	if !ok {
		line, ok = k.errors[strings.ToLower(id)]
	}
	return line, ok
}

// lastWords is what the last error about the copy says; "" without one. The end
// of a traceback names the cause; the message above it often only says that
// there was one.
func (k clues) lastWords(id string) string {
	line, ok := k.line(id)
	if n := len(line.Trace); ok && n > 0 {
		return strings.TrimSpace(line.Trace[n-1])
	}
	return line.Message
}

// logged is the last error in full, with its time.
func (k clues) logged(id string) []string {
	line, ok := k.line(id)
	if !ok {
		return nil
	}
	at := ""
	if !line.At.IsZero() {
		at = " " + ui.Clock(line.At, k.in.Now, k.in.Zone)
	}
	says := line.Message
	if len(line.Trace) > 0 {
		says = pane.Joined(says, k.lastWords(id))
	}
	return []string{"last error in the log" + at + ": " + says}
}
