package celery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxResultSearch bounds the results that are gone through for one copy.
const maxResultSearch = 50_000

// CopyTasks finds the tasks about a copy in every state, those that need a look
// first: what waits, is held or runs, and what became of the others as far as
// results are kept. A finished task is told by the copy in what it returned or
// in its error, or by its id, when the task was seen before it ran. With
// *ErrIncomplete the tasks given exist and others may, unseen.
func (b *Broker) CopyTasks(ctx context.Context, copyID string) ([]TaskRow, error) {
	now := time.Now()
	l := newListing(now)
	live, err := b.Live(ctx, copyID)
	short, ok := incomplete(err)
	if !ok {
		return nil, err
	}
	orphans := b.orphanIDs(ctx, live)
	for _, r := range live {
		b.watch.tasks.learn(about{id: r.ID, task: r.Task, copyID: r.CopyID, args: r.Args, queue: r.Queue}, now)
		l.put(r.row(orphans[r.ID]))
	}
	if err := b.searchResults(ctx, newMatcher(copyID), now); err != nil {
		more, ok := incomplete(err)
		if !ok { // what is alive counts more than what has ended
			more = []string{err.Error()}
		}
		short = append(short, more...)
	}
	l.workers = b.watch.last(ctx, now)
	l.limit = l.workers.roster.limit()
	for _, r := range b.watch.tasks.ofCopy(NormalCopyID(copyID)) {
		l.result(r)
	}
	rows := l.tasks().Rows
	if len(short) > 0 {
		return rows, &ErrIncomplete{short}
	}
	return rows, nil
}

// incomplete gives the reasons of an *ErrIncomplete, none for nil; ok is false
// for another error.
func incomplete(err error) (why []string, ok bool) {
	var e *ErrIncomplete
	if errors.As(err, &e) {
		return e.Why, true
	}
	return nil, err == nil
}

// row shows what Live found as a task.
func (r Running) row(orphan bool) TaskRow {
	row := TaskRow{ID: r.ID, Task: r.Task, CopyID: r.CopyID, Args: r.Args, Worker: r.Worker, Queue: r.Queue, Since: r.Started}
	switch r.State {
	case "running":
		row.State = TaskRunning
	case "scheduled":
		row.State = TaskScheduled
	case StateWaiting:
		row.State = TaskWaiting
	default:
		row.State = TaskReserved
	}
	if orphan {
		row.State = TaskOrphaned
		row.Says = "no worker holds it: the one that took it is gone"
	}
	return row
}

// orphanIDs are the unacknowledged ones among some tasks that no worker holds.
func (b *Broker) orphanIDs(ctx context.Context, tasks []Running) map[string]bool {
	out := map[string]bool{}
	if !slices.ContainsFunc(tasks, func(r Running) bool { return r.State == StateUnacked }) {
		return out
	}
	orphans, _ := b.Orphans(ctx) // what it does not find stays unacknowledged
	for _, o := range orphans {
		out[o.ID] = o.ID != ""
	}
	return out
}

// searchResults reads the results that are about a copy into the ledger.
func (b *Broker) searchResults(ctx context.Context, want matcher, now time.Time) error {
	if b.resultsErr != nil {
		return b.resultsErr
	}
	var cursor uint64
	for read := 0; ; {
		keys, next, err := b.results.Scan(ctx, cursor, literal(resultKey(b.cfg.ResultPrefix, ""))+"*", scanCount).Result()
		if err != nil {
			return b.describe("look for results", err)
		}
		for page := range slices.Chunk(keys, resultPage) {
			if err := b.searchPage(ctx, page, want, now); err != nil {
				return err
			}
		}
		read += len(keys)
		if cursor = next; next == 0 {
			return nil
		}
		if read >= maxResultSearch {
			return &ErrIncomplete{[]string{fmt.Sprintf("%d results were searched, there are more", read)}}
		}
	}
}

func (b *Broker) searchPage(ctx context.Context, keys []string, want matcher, now time.Time) error {
	values, err := b.results.MGet(ctx, keys...).Result()
	if err != nil {
		return b.describe("read results", err)
	}
	var open []Result
	prefix := len(resultKey(b.cfg.ResultPrefix, ""))
	for i, v := range values {
		raw, _ := v.(string)
		said := want.result(raw)
		if !said && !b.watch.tasks.about(keys[i][prefix:], want.id) {
			continue
		}
		r, err := DecodeResult([]byte(raw))
		if err != nil {
			continue
		}
		b.watch.tasks.guess(r.TaskID, want.id)
		if r.Done.IsZero() {
			open = append(open, r)
			continue
		}
		b.watch.tasks.finish(r, r.Done, false)
	}
	return b.aged(ctx, open, b.watch.tasks, now, ResultTTL)
}

// result says that a result mentions the copy.
func (m matcher) result(raw string) bool { return len(m.needles) > 0 && m.within([]byte(raw)) }

// guess takes a task for one about a copy that its result mentions, unless its
// arguments were seen.
func (l *ledger) guess(id, copyID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.touch(id); e.row.CopyID == "" {
		e.row.CopyID = copyID
	}
}

// about says that a task is known to be about a copy.
func (l *ledger) about(id, copyID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byID[id]
	return ok && el.Value.(*entry).row.CopyID == copyID
}

// ofCopy gives the tasks about a copy of which a result is known.
func (l *ledger) ofCopy(copyID string) (rows []TaskRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for el := l.order.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); e.result != "" && e.row.CopyID == copyID {
			rows = append(rows, e.row)
		}
	}
	return rows
}

// last is what is known of the workers without asking them again, unless they
// never were.
func (w *watch) last(ctx context.Context, now time.Time) known {
	w.mu.Lock()
	k := known{w.census, w.at, w.err, w.roster}
	w.mu.Unlock()
	if !k.at.IsZero() {
		return k
	}
	return w.look(ctx, now, nil)
}
