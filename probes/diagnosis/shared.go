package diagnosis

import (
	"sync"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// shared is what several rules work out alike from the same input: once in a
// judgement. Whoever takes it must not change it.
type shared struct {
	failed func() []failedCopy
	names  func() map[string]grading.CopyRef
	locks  func() map[string]grading.Lock
	tasks  func() map[string]celery.TaskState
	stuck  func() map[string]grading.Stuck
	losses func() map[string][]logs.Line
}

func sharing(in Input) *shared {
	s := &shared{}
	in.shared = s
	s.failed = sync.OnceValue(func() []failedCopy { return gatherFailed(in) })
	s.names = sync.OnceValue(func() map[string]grading.CopyRef { return namesIn(in) })
	s.locks = sync.OnceValue(func() map[string]grading.Lock { return locksIn(in) })
	s.tasks = sync.OnceValue(func() map[string]celery.TaskState { return tasksIn(in) })
	s.stuck = sync.OnceValue(func() map[string]grading.Stuck { return stuckIn(in) })
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
