package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Targets names what an action against a fault that was made is aimed at: row
// ids of copies, ids of tasks, pids of database sessions. Empty where the fault
// is not made, or nothing of the kind is its trouble.
func (w *World) Targets(name string) []string {
	w.faultLock.Lock()
	defer w.faultLock.Unlock()
	in := w.active[name]
	if in == nil {
		return nil
	}
	var ids []string
	for _, c := range in.made {
		ids = append(ids, c.id)
	}
	for _, m := range in.blamed {
		ids = append(ids, m.id)
	}
	for _, pid := range in.holding {
		ids = append(ids, fmt.Sprint(pid))
	}
	return ids
}

// Shows tells whether a fault that was made is still to be seen, whoever put it
// right. known is false where only healing ends it: nothing that a cockpit can
// do would show in the world.
func (w *World) Shows(ctx context.Context, name string) (shows, known bool, err error) {
	w.faultLock.Lock()
	defer w.faultLock.Unlock()
	in, symptom := w.active[name], symptoms()[name]
	switch {
	case in == nil:
		return false, true, nil
	case symptom == nil:
		return true, false, nil
	}
	shows, err = symptom(ctx, in)
	if err != nil {
		return false, true, fmt.Errorf("look for %s: %w", name, err)
	}
	return shows, true, nil
}

// symptom looks for a fault in the world itself, not through any probe.
type symptom func(context.Context, *injection) (bool, error)

// symptoms are those of the faults that an action can put right.
func symptoms() map[string]symptom {
	return map[string]symptom{
		"expired-locks":          ofCopies(`SELECT EXISTS (SELECT FROM grading_copylock WHERE copy_id = ANY($1::uuid[]) AND expires_at < now())`),
		"lock-cleanup-cron":      ofCopies(`SELECT EXISTS (SELECT FROM grading_copylock WHERE copy_id = ANY($1::uuid[]) AND expires_at < now())`),
		"abandoned-locks":        ofCopies(`SELECT EXISTS (SELECT FROM grading_copylock WHERE copy_id = ANY($1::uuid[]))`),
		"locked-no-lock":         ofCopies(`SELECT EXISTS (SELECT FROM exams_copy WHERE id = ANY($1::uuid[]) AND status = 'LOCKED')`),
		"finalize-pymupdf-error": ofCopies(`SELECT count(*) FILTER (WHERE status = 'GRADED') = 0 FROM exams_copy WHERE id = ANY($1::uuid[])`),
		"finalize-idle-timeout":  ofCopies(`SELECT bool_or(status <> 'GRADED') FROM exams_copy WHERE id = ANY($1::uuid[])`),
		"blocked-session":        stillHolding,
		"open-transaction":       stillHolding,
		"workers-busy":           stillRunning,
		"poison-message":         stillWaiting,
		"orphaned-unacked":       stillHeld,
	}
}

// ofCopies asks a question about the copies that were made for the fault.
func ofCopies(sql string) symptom {
	return func(ctx context.Context, in *injection) (yes bool, err error) {
		ids := make([]string, len(in.made))
		for i, c := range in.made {
			ids[i] = c.id
		}
		err = in.w.pool.QueryRow(ctx, sql, ids).Scan(&yes)
		return yes, err
	}
}

// stillHolding: the session that others wait for is still connected.
func stillHolding(ctx context.Context, in *injection) (yes bool, err error) {
	pids := make([]int32, len(in.holding))
	for i, pid := range in.holding {
		pids[i] = int32(pid)
	}
	err = in.w.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY($1))`, pids).Scan(&yes)
	return yes, err
}

// stillRunning: no child of the worker is free for anything else.
func stillRunning(_ context.Context, in *injection) (bool, error) {
	free := false
	in.w.Worker.each(func(p *workerProcess) { free = p.free() })
	return !free, nil
}

// stillHeld: a message that was left behind lies where no worker finds it.
func stillHeld(ctx context.Context, in *injection) (bool, error) {
	for _, m := range in.blamed {
		if there, err := in.w.rdb.HExists(ctx, "unacked", m.tag).Result(); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// stillWaiting: the message waits for the next worker, or has just been taken.
// It goes to and fro between the two places, so one is looked at twice.
func stillWaiting(ctx context.Context, in *injection) (bool, error) {
	for _, look := range []symptom{stillQueued, stillHeld, stillQueued} {
		if there, err := look(ctx, in); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

func stillQueued(ctx context.Context, in *injection) (bool, error) {
	waiting, err := in.w.rdb.LRange(ctx, "celery", 0, -1).Result()
	for _, m := range in.blamed {
		if slices.ContainsFunc(waiting, func(raw string) bool { return strings.Contains(raw, m.tag) }) {
			return true, nil
		}
	}
	return false, err
}

// Mendable tells whether the world can see that an action put a fault right.
func Mendable(name string) bool { return symptoms()[name] != nil }
