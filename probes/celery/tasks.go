package celery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
)

const (
	// maxListed is how many finished tasks of one state are listed.
	maxListed = 1000
	// assumedLimit is the hard limit of the grading tasks, for where no worker
	// tells its own.
	assumedLimit = 300 * time.Second
	// limitGrace is how much later than at its limit a task may end.
	limitGrace = 5 * time.Second
)

// TasksProbe follows tasks through their states. Its payload is a Tasks.
type TasksProbe struct {
	b *Broker

	mu       sync.Mutex
	bindings finder
	bound    []string
	cache    map[string]cached
	sweep    sweep
	expires  time.Duration        // how long results are kept; 0 not asked yet
	entries  map[string]time.Time // unacknowledged messages by tag, when first seen here
}

// NewTasksProbe makes the tasks probe of a broker.
func NewTasksProbe(b *Broker) *TasksProbe {
	return &TasksProbe{
		b: b, bindings: finder{pattern: literal(b.Names.bindings()) + "*"},
		cache: map[string]cached{}, sweep: sweep{b: b},
	}
}

// ID is "tasks".
func (p *TasksProbe) ID() probes.ID { return TasksID }

// Source is Redis.
func (p *TasksProbe) Source() probes.SourceID { return probes.Redis }

// Sample reads the ends of all queues, what is unacknowledged, what workers
// say that they hold, and a bounded part of the results. Places are read in
// the order in which a task goes through them: it is found in a later one when
// it moves meanwhile.
func (p *TasksProbe) Sample(ctx context.Context) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	l := newListing(now)
	depth, err := p.waiting(ctx, l)
	if err != nil {
		return nil, err
	}
	entries, n, err := p.unacked(ctx)
	if err != nil {
		l.left("unacknowledged tasks cannot be read: %s", probes.Brief(err))
	}
	l.workers = p.b.watch.look(ctx, now, depth)
	if l.workers.tooMany || n > maxHeld {
		l.left("%d unacknowledged tasks are too many to tell who holds them", n)
	}
	p.held(l, entries, err == nil && n <= maxHeld)
	if err := p.sweep.step(ctx, now, p.lifetime(ctx, l.workers)); err != nil {
		l.left("results cannot be read: %s", probes.Brief(err))
	}
	p.finished(l)
	out := l.tasks()
	out.Partial = p.sweep.ended.IsZero()
	return out, nil
}

// waiting lists both ends of every queue.
func (p *TasksProbe) waiting(ctx context.Context, l *listing) (depth map[string]int64, err error) {
	if ended, err := p.bindings.step(ctx, p.b.rdb, l.now); err == nil && ended {
		if bound, err := p.b.boundQueues(ctx, p.bindings.found); err == nil {
			p.bound = bound
		}
	}
	lists, _, err := p.b.look(ctx, p.b.known(p.bound))
	if err != nil {
		return nil, err
	}
	if p.cache, err = p.b.read(ctx, lists, p.cache); err != nil {
		return nil, err
	}
	listed, total := 0, 0
	for _, list := range lists {
		for _, m := range p.cache[list.key].messages {
			since := p.b.watch.tasks.learn(m.about(), l.now)
			l.put(m.row(TaskWaiting, since, true))
		}
		listed += len(p.cache[list.key].messages)
		total += int(list.len)
	}
	if listed < total {
		l.counts[TaskWaiting] += total - listed
		l.left("%d of %d waiting tasks are listed, from both ends of their queues", listed, total)
	}
	return depths(lists), nil
}

func (m Message) about() about { return about{m.ID, m.Task, m.CopyID, m.Args, m.Queue, m.Retries} }

// row shows a message as a task in some state; one that cannot be read has a
// state of its own.
func (m Message) row(state TaskState, since time.Time, atLeast bool) TaskRow {
	r := TaskRow{
		ID: m.ID, Task: m.Task, CopyID: m.CopyID, Args: m.Args, State: state, Queue: m.Queue,
		Priority: m.Priority, Retries: m.Retries, ETA: m.ETA, Since: since, AtLeast: atLeast,
	}
	if m.Bad != "" {
		r.State, r.Says = TaskBad, m.Bad
	}
	return r
}

// unacked reads the unacknowledged messages, unless they are too many, and
// says how many there are.
func (p *TasksProbe) unacked(ctx context.Context) (entries []Orphan, n int64, err error) {
	n, err = p.b.rdb.HLen(ctx, p.b.Unacked()).Result()
	if err != nil && !isWrongType(err) {
		return nil, 0, p.b.describe("count unacknowledged messages", err)
	}
	if n == 0 || n > maxHeld {
		return nil, n, nil
	}
	entries, err = p.b.entries(ctx)
	return entries, n, err
}

// held lists what is unacknowledged and what workers say that they hold. whole
// says that all entries were read.
func (p *TasksProbe) held(l *listing, entries []Orphan, whole bool) {
	byID := map[string]TaskRow{}
	for _, r := range l.workers.held {
		byID[r.ID] = r
		p.b.watch.tasks.learn(about{id: r.ID, task: r.Task, copyID: r.CopyID, args: r.Args, queue: r.Queue}, l.now)
	}
	seen := make(map[string]time.Time, len(entries))
	for _, e := range entries {
		if seen[e.Tag] = p.entries[e.Tag]; seen[e.Tag].IsZero() {
			seen[e.Tag] = l.now
		}
		p.b.watch.tasks.learn(e.about(), l.now)
		row := e.row(TaskReserved, e.Delivered, false)
		if told, ok := byID[e.ID]; ok {
			row.State, row.Worker, row.ETA = told.State, told.Worker, told.ETA
			if told.State == TaskRunning {
				row.Since = told.Since
			}
			delete(byID, e.ID)
		} else if row.State != TaskBad {
			row.State, row.Says = l.unheld(e, seen[e.Tag])
		}
		l.put(row)
	}
	p.entries = seen
	for _, r := range l.workers.held {
		if _, alone := byID[r.ID]; !alone {
			continue
		}
		if r.State != TaskRunning && whole && l.now.Sub(l.workers.at) > askSoon {
			continue // acknowledged since: it runs or has ended
		}
		r.AtLeast = r.Since.IsZero()
		l.put(r)
	}
}

// unheld judges an unacknowledged message that no worker named.
func (l *listing) unheld(e Orphan, seen time.Time) (TaskState, string) {
	asked := l.workers.at
	old := seen.Before(asked) || !e.Delivered.IsZero() && e.Delivered.Before(asked.Add(-limitGrace))
	switch {
	case l.workers.err != nil || asked.IsZero():
		return TaskReserved, "which worker holds it is not known: workers could not be asked"
	case l.workers.tooMany || !l.workers.allHeld:
		return TaskReserved, "which worker holds it is not known: not every worker told what it holds"
	case !old:
		return TaskReserved, "taken a moment ago"
	case l.workers.limited[e.Task]:
		return TaskReserved, "no worker names it; one may hold it back for the rate limit of its task"
	case l.workers.roster.any(Stopping):
		return TaskReserved, "no worker names it; one that is stopping may give it back"
	case l.workers.receivers == 0:
		return TaskOrphaned, "no worker listens; without help it comes back only after the visibility timeout, once one runs"
	}
	return TaskOrphaned, "no worker holds it: the one that took it is gone. Without help it comes back after the visibility timeout"
}

func (r roster) any(state WorkerState) bool {
	for _, m := range r {
		if m.State == state {
			return true
		}
	}
	return false
}

// lifetime is how long results are kept, by a worker's settings, asked once.
func (p *TasksProbe) lifetime(ctx context.Context, k known) time.Duration {
	if p.expires == 0 && len(k.answers) > 0 {
		p.expires = ResultTTL
		if conf, err := p.b.Conf(ctx, k.answers[0].Name); err == nil && conf.ResultExpires > 0 {
			p.expires = conf.ResultExpires
		}
	}
	if p.expires == 0 {
		return ResultTTL
	}
	return p.expires
}

// finished adds what results say of tasks that are nowhere else.
func (p *TasksProbe) finished(l *listing) {
	l.limit = l.workers.roster.limit()
	counts, rows := p.b.watch.tasks.newest(l.now, maxListed)
	unlisted := 0
	for state, n := range counts {
		unlisted += n - min(n, maxListed)
		l.counts[state] += n - min(n, maxListed)
	}
	for _, r := range rows {
		l.result(r)
	}
	if unlisted > 0 {
		l.left("%d older results are counted and not listed", unlisted)
	}
	if n := len(p.sweep.pending); n > 0 {
		l.left("%d results that were found are still to be read", n)
	}
	if p.sweep.running && !p.sweep.scanned {
		l.left("more results are being looked for")
	}
	if extra := p.sweep.total - maxLedger; extra > 0 {
		l.left("of %d results only %d are remembered", p.sweep.total, maxLedger)
	}
}

// limit is the longest hard limit that any worker has or had; 0 unknown.
func (r roster) limit() (longest time.Duration) {
	for _, m := range r {
		longest = max(longest, m.limit)
	}
	return longest
}

// listing gathers the rows of one look.
type listing struct {
	now     time.Time
	workers known
	limit   time.Duration
	rows    []TaskRow
	at      map[string]int    // where a task's row is, by id
	counts  map[TaskState]int // of what is not among the rows
	why     []string
}

func newListing(now time.Time) *listing {
	return &listing{now: now, at: map[string]int{}, counts: map[TaskState]int{}}
}

func (l *listing) left(format string, args ...any) {
	l.why = append(l.why, fmt.Sprintf(format, args...))
}

// put adds a row; a task that was found before is now in this place.
func (l *listing) put(r TaskRow) {
	if i, found := l.at[r.ID]; found && r.ID != "" {
		l.rows[i] = r
		return
	}
	l.at[r.ID] = len(l.rows)
	l.rows = append(l.rows, r)
}

// result adds a result, unless the task is in some other place: then the
// result only tells that it is being retried, or where it runs.
func (l *listing) result(r TaskRow) {
	var live TaskRow
	i, ok := l.at[r.ID]
	if ok {
		live = l.rows[i]
	}
	switch {
	case ok && r.State == TaskRetrying && live.State != TaskRunning && live.State != TaskOrphaned:
		live.State, live.Says, live.Trace = TaskRetrying, r.Says, r.Trace
		l.rows[i] = live
	case ok && !(live.State == TaskRunning && r.State != TaskRunning && r.Since.After(live.Since)):
	default:
		if r.State == TaskRunning {
			r = l.started(r)
		}
		l.put(r)
	}
}

// started judges a task whose result says STARTED and which no worker names.
func (l *listing) started(r TaskRow) TaskRow {
	limit, word := l.limit, "the time limit of "
	if limit == 0 {
		limit, word = assumedLimit, "no limit is known; assumed are "
	}
	age := l.now.Sub(r.Since)
	switch {
	case l.workers.err != nil || l.workers.at.IsZero() || r.Since.After(l.workers.at):
	case age <= limit+limitGrace:
		r.Nobody = l.workers.allHeld
		r.Says = orElse(r.Says, "no worker that answers runs it"+l.fate(r)+"; it counts as lost when its time is over ("+word+span(limit)+")")
	case l.workers.allHeld || l.workers.tooMany && l.workers.all:
		r.State, r.Nobody = TaskLost, true
		r.Says = fmt.Sprintf("started %s ago (%s%s), and no worker runs it%s. It may have ended all the same if it was sent with ignore_result, which leaves STARTED behind", span(age), word, span(limit), l.fate(r))
	default:
		r.Says = orElse(r.Says, "past its time limit, and not every worker told what it runs")
	}
	return r
}

// fate tells what became of the worker that began a task.
func (l *listing) fate(r TaskRow) string {
	m, ok := l.workers.roster[r.Worker]
	switch {
	case r.Worker == "":
		return ""
	case !ok:
		return ": " + r.Worker + " began it and is not there"
	case !m.missed.IsZero():
		return ": " + r.Worker + " began it and is " + string(m.State)
	case m.Uptime < l.now.Sub(r.Since):
		return ": " + r.Worker + " began it and has been started anew since"
	}
	return ": " + r.Worker + " began it and does not run it any more"
}

// tasks puts the rows in order: what needs a look first.
func (l *listing) tasks() Tasks {
	for _, r := range l.rows {
		l.counts[r.State]++
	}
	slices.SortStableFunc(l.rows, byUrgency)
	return Tasks{Rows: l.rows, Counts: l.counts, Sampled: strings.Join(l.why, "; "), Limit: l.limit}
}
