package lab

import (
	"context"
	"time"
)

// lockFaults are the playbook's scenario 3.
func lockFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioLocks, inject: inject, locks: true}
	}
	noLock := fault("locked-no-lock", "Copies are LOCKED and no lock row says by whom.", lockedNoLock)
	blocked := fault("blocked-session", "A session holds the row of a copy, idle in its transaction; another waits for it.", blockedSession)
	noLock.locks, blocked.locks = false, false
	return []Fault{
		fault("expired-locks", "Browsers were closed and their locks ran out.", expiredLocks),
		fault("abandoned-locks", "Browsers were closed a moment ago: no heartbeat, not expired yet.", abandonedLocks),
		fault("lock-cleanup-cron", "Nothing ever clears expired locks: a great many piled up.", lockCleanup),
		fault("lock-conflicts", "A teacher tries again and again to open another's copy.", lockConflicts),
		fault("unlock-wrong-token", "A browser gave its lock back with the token of an older one: refused, and the lock stays.", unlockWrongToken),
		noLock, blocked,
	}
}

// left is a copy whose teacher went away some time before the lock ran out.
func (in *injection) left(expired time.Duration, holder int) spec {
	return spec{
		status: "LOCKED", owner: true, pages: 4, holder: holder, annotations: in.rng.IntN(4),
		age: expired + lockTTL + time.Duration(in.rng.IntN(15))*time.Minute, expires: ptr(-expired),
	}
}

func expiredLocks(ctx context.Context, in *injection) error {
	_, err := in.copies(ctx, in.scaled(7), func(i int) spec {
		return in.left(time.Duration(2+i%7*8)*time.Minute+time.Duration(in.rng.IntN(60))*time.Second, i)
	})
	return err
}

func abandonedLocks(ctx context.Context, in *injection) error {
	_, err := in.copies(ctx, in.scaled(3), func(i int) spec {
		silent := time.Duration(150+60*(i%5)) * time.Second // more than three heartbeats
		return spec{
			status: "LOCKED", owner: true, pages: 4, holder: i, annotations: 2,
			age: silent + 4*time.Minute, expires: ptr(lockTTL - silent),
		}
	})
	return err
}

func lockCleanup(ctx context.Context, in *injection) error {
	_, err := in.copies(ctx, in.scaled(120), func(i int) spec {
		return in.left(time.Hour+time.Duration(in.rng.IntN(72*60))*time.Minute, i)
	})
	return err
}

// lockedNoLock leaves copies behind whose lock row is gone. Where locks are not in
// use any more, they are from the time when they were.
func lockedNoLock(ctx context.Context, in *injection) error {
	_, err := in.copies(ctx, in.scaled(2), func(i int) spec {
		s := spec{status: "LOCKED", owner: true, pages: 4, holder: i, annotations: 3, age: time.Duration(35+20*i) * time.Minute}
		if !in.w.app.locking {
			s.age += 48 * time.Hour
			s.more = []seedEvent{{"LOCK", s.age, object{}}}
		}
		return s
	})
	return err
}

// lockConflicts keeps one lock alive and has another teacher knock at it.
func lockConflicts(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec {
		return spec{status: "LOCKED", owner: true, pages: 4, holder: 0, annotations: 2, age: 6 * time.Minute, expires: ptr(lockTTL)}
	})
	if err != nil {
		return err
	}
	c, other := made[0], in.w.cast.users[1]
	knock := func(ctx context.Context) {
		_ = in.w.app.beat(ctx, c.id, c.holder, c.token)
		started := time.Now()
		_, err := in.w.app.acquire(ctx, c.id, other)
		if ctx.Err() == nil {
			in.w.app.served("POST", "/api/grading/copies/"+c.id+"/lock/", other, time.Since(started), err)
		}
	}
	for range 8 {
		knock(ctx)
	}
	in.loop(6*time.Second, knock)
	return nil
}

// unlockWrongToken is a teacher with two windows on one copy: the one that is
// closed has the token of an older lock, the other one goes on. In a quiet world
// nobody sits at it, and the lock runs out.
func unlockWrongToken(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec {
		return spec{status: "LOCKED", owner: true, pages: 4, holder: 1, annotations: 2, age: 5 * time.Minute, expires: ptr(lockTTL - 5*time.Second)}
	})
	if err != nil {
		return err
	}
	c := made[0]
	err = in.w.app.release(ctx, c.id, c.holder, in.uuid())
	in.w.app.served("DELETE", "/api/grading/copies/"+c.id+"/lock/release/", c.holder, 20*time.Millisecond, err)
	if !in.w.opts.Quiet {
		in.loop(heartbeat, func(ctx context.Context) { _ = in.w.app.beat(ctx, c.id, c.holder, c.token) })
	}
	return nil
}

// blockedSession is a finalization that never comes to its end, and the next
// request for the same copy behind it.
func blockedSession(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return in.w.interrupted(7 * time.Minute) })
	if err != nil {
		return err
	}
	holder, err := in.session(ctx)
	if err != nil {
		return err
	}
	in.holding = append(in.holding, holder.PgConn().PID())
	if _, err := holder.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if _, err := holder.Exec(ctx, `UPDATE exams_copy SET status = 'GRADING_IN_PROGRESS' WHERE id = '`+made[0].id+`'`); err != nil {
		return err
	}
	return in.waits(ctx, `SELECT id FROM exams_copy WHERE id = '`+made[0].id+`' FOR UPDATE`)
}
