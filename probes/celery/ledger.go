package celery

import (
	"container/list"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes/clean"
)

// maxLedger bounds the tasks that are remembered, at about half a kilobyte
// each; maxTraced those whose traceback is kept, at up to eight.
const (
	maxLedger = 60_000
	maxTraced = 2000
)

// ledger remembers tasks by their id: what they are about, from wherever that
// was seen, since results do not say it, and what became of them.
type ledger struct {
	mu     sync.Mutex
	byID   map[string]*list.Element // of *entry
	order  *list.List               // the one touched last is first
	traced []*entry                 // with a traceback, oldest first
	riddle time.Time                // when a task began last of which nothing else is known
}

// entry is one task. Its row has no State until a result was seen.
type entry struct {
	row    TaskRow
	result string    // Celery's word: STARTED, SUCCESS, …
	seen   time.Time // first sight of the task in a queue
}

func newLedger() *ledger { return &ledger{byID: map[string]*list.Element{}, order: list.New()} }

// touch finds or makes an entry. It is called with the lock held.
func (l *ledger) touch(id string) *entry {
	if el, ok := l.byID[id]; ok {
		l.order.MoveToFront(el)
		return el.Value.(*entry)
	}
	e := &entry{row: TaskRow{ID: id}}
	l.byID[id] = l.order.PushFront(e)
	if l.order.Len() > maxLedger {
		last := l.order.Back()
		delete(l.byID, l.order.Remove(last).(*entry).row.ID)
	}
	return e
}

// about is what is to be learnt of a task.
type about struct {
	id, task, copyID, args, queue string
	retries                       int
}

// learn notes what a task is about and gives the time of its first sight.
func (l *ledger) learn(a about, now time.Time) (seen time.Time) {
	if a.id == "" {
		return now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.touch(a.id)
	e.learn(a)
	if e.seen.IsZero() {
		e.seen = now
	}
	return e.seen
}

func (e *entry) learn(a about) {
	e.row.Task = orElse(a.task, e.row.Task)
	e.row.CopyID = orElse(a.copyID, e.row.CopyID)
	e.row.Args = orElse(a.args, e.row.Args)
	e.row.Queue = orElse(a.queue, e.row.Queue)
	e.row.Retries = max(a.retries, e.row.Retries)
}

// finish notes a result. since is when it was written; atLeast says that it
// may have been earlier.
func (l *ledger) finish(r Result, since time.Time, atLeast bool) {
	l.finishUnless(func(string) bool { return false }, r, since, atLeast)
}

// finishUnless is finish, but for a task of which a better word is known.
// Whoever reads results or hears events is late at times: by then an end may
// have been announced. The check and the note are one step, because readers
// and listeners work side by side.
func (l *ledger) finishUnless(better func(known string) bool, r Result, since time.Time, atLeast bool) {
	if r.TaskID == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if el, ok := l.byID[r.TaskID]; ok && better(el.Value.(*entry).result) {
		return
	}
	e := l.touch(r.TaskID)
	if e.result = r.State; r.State == "STARTED" && e.row.Task == "" {
		l.riddle = since
	}
	e.learn(about{task: r.Task, copyID: orElse(r.CopyID, payloadCopy(r.Payload)), args: r.Args, queue: r.Queue, retries: r.Retries})
	e.row.State, e.row.Says = outcome(r)
	e.row.Worker = orElse(r.Worker, e.row.Worker)
	e.row.Since, e.row.AtLeast = since, atLeast
	if !r.Done.IsZero() {
		e.row.Since, e.row.AtLeast = r.Done, false
	}
	l.trace(e, r.Traceback)
}

func (l *ledger) trace(e *entry, text string) {
	e.row.Trace = nil
	if text == "" {
		return
	}
	e.row.Trace = shortTrace(text)
	if l.traced = append(l.traced, e); len(l.traced) > maxTraced {
		l.traced[0].row.Trace = nil
		l.traced = slices.Delete(l.traced, 0, 1)
	}
}

// maxTrace is how many lines of a traceback are kept of each task: its end
// names the error, its beginning the place in the application.
const maxTrace = 40

func shortTrace(s string) []string {
	lines := strings.Split(s, "\n")
	if extra := len(lines) - maxTrace; extra > 0 {
		cut := fmt.Sprintf("… %d lines left out …", extra+1)
		lines = slices.Concat(lines[:maxTrace/2], []string{cut}, lines[len(lines)-maxTrace/2+1:])
	}
	return slices.Clone(lines)
}

// event learns from a task event. Events carry arguments as Python prints
// them; only the copy is taken from those.
func (l *ledger) event(kind string, m map[string]json.RawMessage, at time.Time) {
	id := clean.Capped(text(m["uuid"]), 80)
	a := about{id: id, task: clean.Capped(text(m["name"]), 200), queue: clean.Capped(text(m["queue"]), 200), retries: whole(m["retries"])}
	if said := text(m["args"]) + " " + text(m["kwargs"]); said != " " {
		a.copyID, a.args = printedArgs(said)
	}
	if id == "" {
		return
	}
	l.learn(a, at)
	// The result may not say it: tracking may be off. Where there is one it is
	// better: events come in batches, and later than the result of a quick task.
	if kind == "task-started" {
		told := func(known string) bool { return known != "" }
		l.finishUnless(told, Result{TaskID: id, State: "STARTED", Worker: clean.Capped(text(m["hostname"]), 100)}, at, false)
	}
}

// riddles says when a task began last of which only its worker can tell more.
func (l *ledger) riddles() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.riddle
}

// dated says that it is known since when a task is in this state.
func (l *ledger) dated(r Result) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byID[r.TaskID]
	return ok && el.Value.(*entry).result == r.State && !el.Value.(*entry).row.Since.IsZero()
}

// ended says that a result is known which will not change any more.
func (l *ledger) ended(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byID[id]
	return ok && final(el.Value.(*entry).result)
}

func final(state string) bool {
	return state == "SUCCESS" || state == "FAILURE" || state == "REVOKED"
}

// outcome judges a result by its effect: a task that returns its error is not
// done.
func outcome(r Result) (TaskState, string) {
	switch r.State {
	case "SUCCESS":
		if status := scalar(r.Payload["status"]); status == "error" {
			return TaskSwallowed, orElse(scalar(r.Payload["detail"]), "it returned the status error without a detail")
		}
		return TaskDone, returned(r.Payload)
	case "FAILURE":
		return TaskFailed, orElse(r.Error, "failed without saying why")
	case "RETRY":
		return TaskRetrying, r.Error
	case "REVOKED":
		return TaskRevoked, r.Error
	case "STARTED":
		return TaskRunning, ""
	case "REJECTED", "IGNORED":
		return TaskRevoked, "its worker wrote " + r.State
	}
	return TaskRunning, "its task wrote " + r.State
}

func payloadCopy(p map[string]any) string {
	if id := scalar(p["copy_id"]); id != "" {
		return NormalCopyID(id)
	}
	return ""
}

// returned gives what a task returned in one line, without the copy, which has
// a column of its own.
func returned(p map[string]any) string {
	var parts []string
	for key, value := range p {
		if key != "copy_id" && !secretName().MatchString(key) {
			parts = append(parts, key+" "+shown(value))
		}
	}
	slices.Sort(parts)
	return clean.Capped(strings.Join(parts, ", "), 300)
}
