package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// Parts are what the sources know.
type Parts struct {
	ID       string
	Copy     grading.CopyRef
	Logs     logs.Trace
	Events   []grading.Event
	Tasks    []celery.TaskRow
	Problems []string
	Unasked  []string
}

// Build puts the parts into one order of time.
func Build(p Parts) Trace {
	t := Trace{ID: p.ID, Copy: p.Copy, Problems: slices.Clone(p.Problems), Unasked: p.Unasked, Looked: p.Logs.Extent,
		Requests: p.Logs.Requests, Tasks: slices.Clone(p.Logs.Tasks), Copies: slices.Clone(p.Logs.Copies)}
	at := map[*Step]time.Time{}
	var steps []*Step
	put := func(s Step, when time.Time) {
		steps = append(steps, &s)
		at[&s] = when
	}
	for i := range p.Logs.Records {
		r := &p.Logs.Records[i]
		if begin, ok := begins(r); ok {
			put(begin, begin.At)
		}
		put(record(r), r.When)
	}
	for _, e := range p.Events {
		if e.Gap == "" {
			put(event(e), e.At)
		}
	}
	for _, r := range p.Tasks {
		put(task(r), r.Since)
		t.Tasks, t.Copies = with(t.Tasks, r.ID), with(t.Copies, r.CopyID)
	}
	slices.SortStableFunc(steps, func(a, b *Step) int {
		return cmp.Or(late(at[a], at[b]), at[a].Compare(at[b]), order(a, b))
	})
	for _, s := range steps {
		t.Steps = append(t.Steps, *s)
	}
	t.measure()
	if p.Logs.Truncated {
		t.Problems = append(t.Problems, "Logs: the search ended before the oldest record, or at its limit; older ones may exist.")
	}
	for _, s := range p.Logs.Skipped {
		t.Problems = append(t.Problems, "Logs: "+s+".")
	}
	return t
}

// late puts what has no time behind the rest: it is how things stand now.
func late(a, b time.Time) int {
	switch {
	case a.IsZero() == b.IsZero():
		return 0
	case a.IsZero():
		return 1
	}
	return -1
}

// order says what comes first at one moment: a derived beginning before all,
// the audit event before the record of the answer.
func order(a, b *Step) int {
	rank := func(s *Step) int {
		switch {
		case s.Derived:
			return 0
		case s.Kind == HTTP:
			return 2
		}
		return 1
	}
	if a.Line != nil && b.Line != nil && !a.Derived && !b.Derived {
		return 0 // as they stand in their file
	}
	return rank(a) - rank(b)
}

func with(list []string, id string) []string {
	if id == "" || slices.Contains(list, id) {
		return list
	}
	return append(list, id)
}

// measure fills in the time between the steps, and over all.
func (t *Trace) measure() {
	var first, last time.Time
	for i := range t.Steps {
		s := &t.Steps[i]
		if s.At.IsZero() {
			continue
		}
		if first.IsZero() {
			first, last = s.At, s.At
		}
		s.Gap, last = s.At.Sub(last), s.At
	}
	t.Took = last.Sub(first)
}

// record is a log record as a step.
func record(r *logs.Traced) Step {
	return Step{At: r.At, Kind: kind(&r.Line), From: r.Logger, Text: r.Message, Level: r.Level, Failed: r.Level == "ERROR" || r.Level == "CRITICAL",
		Why: r.Why, Trace: r.Line.Trace, Line: &r.Line, RequestID: r.RequestID, TaskID: r.TaskID, CopyID: r.CopyID}
}

// kind tells by the logger where in a request's way a record was made.
func kind(l *logs.Line) Kind {
	root, _, _ := strings.Cut(l.Logger, ".")
	module, _ := l.Value("module")
	switch {
	case l.TaskID != "", root == "celery", strings.HasPrefix(l.Logger, "celery/"), module == "tasks":
		return Task
	case root == "metrics", l.Logger == "django.request", l.Logger == "django.server":
		return HTTP
	}
	return Service
}

// begins is the beginning of a request whose record says how long it took: the
// application logs a request when it has ended only.
func begins(r *logs.Traced) (Step, bool) {
	if r.Duration <= 0 || r.At.IsZero() || kind(&r.Line) != HTTP {
		return Step{}, false
	}
	what := strings.TrimSpace(r.Method + " " + r.Path)
	return Step{At: r.At.Add(-r.Duration), Kind: HTTP, From: r.Logger, Text: cmp.Or(what, "the request") + " begins, from how long it took",
		Why: r.Why, Derived: true, RequestID: r.RequestID, CopyID: r.CopyID}, true
}

// event is a row of the audit trail as a step.
func event(e grading.Event) Step {
	text := e.Action
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return Step{At: e.At, Kind: Event, From: e.Actor.Name, Text: text, Failed: e.Failed, CopyID: e.Copy.ID}
}

// task is what queue and results know of a task.
func task(r celery.TaskRow) Step {
	s := Step{At: r.Since, Kind: Task, From: cmp.Or(r.Worker, r.Queue), TaskID: r.ID, CopyID: r.CopyID, Trace: r.Trace}
	switch r.State {
	case celery.TaskWaiting, celery.TaskReserved, celery.TaskScheduled, celery.TaskRunning, celery.TaskOrphaned:
		s.Kind = Queue
	case celery.TaskFailed, celery.TaskSwallowed, celery.TaskLost, celery.TaskBad:
		s.Failed = true
	}
	s.Text = fmt.Sprintf("%s %s", cmp.Or(short(r.Task), "task"), r.State)
	if r.Says != "" {
		s.Text += ": " + r.Says
	}
	if r.AtLeast {
		s.Text += " (seen then for the first time)"
	}
	return s
}

// short is the last part of a task's dotted name.
func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
