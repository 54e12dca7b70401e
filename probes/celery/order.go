package celery

import (
	"cmp"
	"slices"
	"time"
)

// urgency is the order of the states: what needs a look first.
var urgency = []TaskState{
	TaskLost, TaskOrphaned, TaskBad, TaskFailed, TaskSwallowed, TaskRetrying, TaskRunning,
	TaskScheduled, TaskReserved, TaskWaiting, TaskRevoked, TaskDone,
}

// byUrgency orders rows by state. What ended is listed newest first, what goes
// on oldest first, and what waits as it came: next to run first.
func byUrgency(a, b TaskRow) int {
	age := a.Since.Compare(b.Since)
	switch {
	case a.State == TaskWaiting:
		age = 0
	case ended(a.State):
		age = -age
	}
	return cmp.Or(cmp.Compare(slices.Index(urgency, a.State), slices.Index(urgency, b.State)), age)
}

func ended(s TaskState) bool {
	return slices.Contains([]TaskState{TaskDone, TaskFailed, TaskSwallowed, TaskRevoked}, s)
}

// newest counts all results by state and gives the newest n of each. Results
// that have expired since are dropped.
func (l *ledger) newest(now time.Time, n int) (counts map[TaskState]int, rows []TaskRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	byState := map[TaskState][]*entry{}
	counts = map[TaskState]int{}
	for el := l.order.Front(); el != nil; {
		e, next := el.Value.(*entry), el.Next()
		switch {
		case e.result == "":
		case now.Sub(e.row.Since) > ResultTTL:
			l.order.Remove(el)
			delete(l.byID, e.row.ID)
		default:
			byState[e.row.State] = append(byState[e.row.State], e)
			counts[e.row.State]++
		}
		el = next
	}
	for _, entries := range byState {
		slices.SortFunc(entries, func(a, b *entry) int { return b.row.Since.Compare(a.row.Since) })
		for _, e := range entries[:min(n, len(entries))] {
			rows = append(rows, e.row)
		}
	}
	return counts, rows
}
