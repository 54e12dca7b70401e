package diagnosis

import (
	"strings"
	"sync"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// shared is what several rules work out alike from the same input: once in a
// judgement. Whoever takes it must not change it.
type shared struct {
	failed func() []failedCopy
	names  func() map[string]grading.CopyRef
	folded func() map[string]grading.CopyRef
	locks  func() map[string]grading.Lock
	tasks  func() map[string]celery.TaskState
	stuck  func() map[string]grading.CopyRef
	losses func() map[string][]logs.Line
}

func sharing(in Input) *shared {
	s := &shared{}
	in.shared = s
	s.failed = sync.OnceValue(func() []failedCopy { return gatherFailed(in) })
	s.names = sync.OnceValue(func() map[string]grading.CopyRef { return namesIn(in) })
	s.folded = sync.OnceValue(func() map[string]grading.CopyRef { return foldedIn(in) })
	s.locks = sync.OnceValue(func() map[string]grading.Lock { return locksIn(in) })
	s.tasks = sync.OnceValue(func() map[string]celery.TaskState { return tasksIn(in) })
	s.stuck = sync.OnceValue(func() map[string]grading.CopyRef { return stuckIn(in) })
	s.losses = sync.OnceValue(func() map[string][]logs.Line { return lossesIn(in) })
	return s
}

// with gives what is shared, made for this call where nothing is: a rule that is
// judged alone.
func (in Input) with() *shared {
	if in.shared == nil {
		return sharing(in)
	}
	return in.shared
}

// foldedIn are the copies that the audit trail names, by their row ids in lower
// case: records write them as they like.
func foldedIn(in Input) map[string]grading.CopyRef {
	out := map[string]grading.CopyRef{}
	add := func(c grading.CopyRef) {
		if id := strings.ToLower(c.ID); out[id].ID == "" {
			out[id] = c
		}
	}
	a, _, _ := probes.Of[audit.Overview](in.Set, audit.ID)
	for _, r := range a.Rows {
		add(r.Copy)
	}
	g, _, _ := probes.Of[grading.Overview](in.Set, grading.ID)
	for _, e := range g.Events.Value.Rows {
		add(e.Copy)
	}
	return out
}

// unique keeps the first of equal values, in their order.
type unique[T comparable] struct {
	list []T
	has  map[T]bool
}

// add takes a value, and tells whether it is new.
func (u *unique[T]) add(v T) bool {
	if u.has[v] {
		return false
	}
	if u.has == nil {
		u.has = map[T]bool{}
	}
	u.has[v], u.list = true, append(u.list, v)
	return true
}
