package locks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// lockRow is a lock as the tables have it, but for its id.
func lockRow(b *bench.Bench, id string) string {
	sql := `SELECT l.token::text || ' ' || l.owner_id || ' ' || l.locked_at || ' ' || l.expires_at || ' ' || c.status || ' ' || c.locked_by_id || ' ' || c.locked_at
		FROM grading_copylock l JOIN exams_copy c ON c.id = l.copy_id WHERE c.id = $1`
	if b.Dialect == lab.Playbook {
		sql = `SELECT l.token || ' ' || l.locked_by_id || ' ' || l.created_at || ' ' || l.expires_at || ' ' || c.status
			FROM grading_copylock l JOIN exams_copy c ON c.id = l.copy_id WHERE c.id = $1`
	}
	return labtest.Get[string](b.DB, sql, id)
}

func TestUndoPutsTheSameLockBack(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		for _, left := range []time.Duration{8 * time.Minute, -52 * time.Minute} {
			id, _ := b.Locked("A3F2-"+left.String(), left)
			before := lockRow(b, id)
			if got := b.Do("force-unlock", bench.Copy(id, "A3F2"), ""); got.Verdict.Kind != actions.Fixed {
				t.Fatalf("%+v", got.Verdict)
			}
			action, target, _, ok := b.Runner.Undoable()
			if !ok {
				t.Fatal("nothing to undo")
			}
			p := b.Plan(action, target, "")
			if p.Risk != actions.Low || len(p.Steps) != 3 {
				t.Errorf("%+v", p)
			}
			if got := b.Run(p); got.Verdict.Kind != actions.Fixed {
				t.Fatalf("%+v", got.Verdict)
			}
			if after := lockRow(b, id); after != before {
				t.Errorf("was %s\nis  %s", before, after)
			}
			e := newest(t, b, id)
			if e.Action != "LOCK" || e.Actor != b.Operator || e.Meta["restored"] != true || e.Meta["undoes"] != target.ID {
				t.Errorf("%+v", e)
			}
			if _, again, _, ok := b.Runner.Undoable(); ok && again.ID == target.ID {
				t.Error("what was undone can be undone again")
			}
		}
	})
}

func TestALockThatRanOutMeanwhileGetsItsTimeBack(t *testing.T) {
	b := bench.New(t, bench.Options{})
	const since = 12 * time.Minute // what Locked gives
	for lease := time.Second / 2; ; lease *= 2 {
		id, _ := b.Locked(fmt.Sprint("A3F2-", lease), lease)
		if got := b.Do("force-unlock", bench.Copy(id, "A3F2"), ""); got.Verdict.Kind != actions.Fixed {
			t.Fatalf("%+v", got.Verdict)
		}
		action, target, _, _ := b.Runner.Undoable()
		b.Exec(`SELECT pg_sleep($1)`, lease.Seconds())
		b.Do(action, target, "")
		left := labtest.Get[float64](b.DB, `SELECT extract(epoch FROM expires_at - locked_at)::float8 FROM grading_copylock WHERE copy_id = $1`, id)
		switch ranOut := left == (since + lease).Seconds(); {
		case !ranOut && left < (since+lease).Seconds():
			t.Fatalf("the lock is valid for %f s since its beginning", left)
		case !ranOut:
			return
		case lease > 8*time.Second:
			t.Fatal("the lock got no time back")
		}
		// The machine was too slow: it had run out before it was deleted.
	}
}

func TestUndoIsRefusedOnceTheCopyWentOn(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	b.Do("force-unlock", bench.Copy(id, "A3F2"), "")
	action, target, _, _ := b.Runner.Undoable()
	p := b.Plan(action, target, "")
	b.AddLock(lab.LockRow{Copy: id, Owner: b.Other})
	if got := b.Run(p); got.Verdict.Kind != actions.Changed || !strings.Contains(got.Verdict.Says, "lbernard has locked it meanwhile") {
		t.Errorf("%+v", got.Verdict)
	}
	if no := refused(t, b, b.Runner, action, target, ""); !strings.Contains(no.Why, "lbernard has locked A3F2-0019 again") {
		t.Error(no)
	}
	b.Exec(`DELETE FROM grading_copylock`)
	b.Exec(`UPDATE exams_copy SET status = 'GRADED'`)
	if no := refused(t, b, b.Runner, action, target, ""); !strings.Contains(no.Why, "is GRADED by now") {
		t.Error(no)
	}
	if no := refused(t, b, b.Runner, "relock", actions.Target{Kind: actions.OnRecord, ID: "nothing"}, ""); !strings.Contains(no.Why, "knows no action") {
		t.Error(no)
	}
}

func TestAnEndlessLockIsDeletedAndPutBack(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", time.Minute)
	b.Exec(`UPDATE grading_copylock SET expires_at = 'infinity'`)
	if got := b.Do("force-unlock", bench.Copy(id, "A3F2"), ""); got.Verdict.Kind != actions.Fixed {
		t.Fatalf("%+v", got.Verdict)
	}
	action, target, _, _ := b.Runner.Undoable()
	b.Do(action, target, "")
	if got := labtest.Get[string](b.DB, `SELECT expires_at::text FROM grading_copylock WHERE copy_id = $1`, id); got != "infinity" {
		t.Error(got)
	}
}

func TestACopyLockedWithoutALockIsGivenBack(t *testing.T) {
	for name, o := range map[string]bench.Options{
		"deployed": {}, "playbook": {Dialect: lab.Playbook},
		"no lock table": {Tables: []labtest.Option{labtest.NoLocks}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, o)
			id := b.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED", Pages: 1, LockedBy: b.Teacher, LockedAt: b.Now()})
			if got := b.Do("release-locked", bench.Copy(id, "A3F2-0019"), ""); got.Verdict.Kind != actions.Fixed || b.Status(id) != "READY" {
				t.Fatalf("%+v", got.Verdict)
			}
			if e := newest(t, b, id); e.Action != "UNLOCK" || e.Meta["forced"] != true {
				t.Errorf("%+v", e)
			}
			action, target, _, _ := b.Runner.Undoable()
			if got := b.Do(action, target, ""); got.Verdict.Kind != actions.Fixed || b.Status(id) != "LOCKED" {
				t.Errorf("%+v", got.Verdict)
			}
			if b.Dialect == lab.Deployed && labtest.Get[int64](b.DB, `SELECT locked_by_id::bigint FROM exams_copy WHERE id = $1`, id) != b.Teacher {
				t.Error("undo forgot who locked the copy")
			}
		})
	}
}

func TestWithoutALockTableForceUnlockSaysSo(t *testing.T) {
	b := bench.New(t, bench.Options{Tables: []labtest.Option{labtest.NoLocks}})
	if why := b.Runner.Disabled(b.Set(), "force-unlock", bench.Copy("x", "x")); !strings.Contains(why, "no table grading_copylock") {
		t.Error(why)
	}
}

func TestALockTakenAgainIsToldAndNoFailure(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", time.Minute)
	p := b.Plan("force-unlock", bench.Copy(id, "A3F2"), "")
	ctx := labtest.Context(t)
	got := b.Runner.Run(ctx, p, actions.Confirmation{Word: p.Word, Reason: "x"}, func(pr actions.Progress) {
		if pr.Phase == actions.Verifying && pr.Says == "watching what follows" {
			b.AddLock(lab.LockRow{Copy: id, Owner: b.Other})
		}
	})
	if got.Verdict.Kind != actions.Fixed || !strings.Contains(got.Verdict.Says, "lbernard has locked A3F2-0019 again") {
		t.Errorf("%+v", got.Verdict)
	}
}

// killed is a journal of a session that dies after its first record: nothing
// that comes later reaches the disk.
type killed struct {
	actions.Journal
	n int
}

func (k *killed) Append(r actions.Record) error {
	if k.n++; k.n > 1 {
		return errors.New("killed")
	}
	r.Session = "elsewhere/2147483646"
	r.At = r.At.Add(-time.Hour)
	return k.Journal.Append(r)
}

func TestAKilledSessionIsSettled(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		id, _ := b.Locked("A3F2-0019", -time.Minute)
		dying := b.As(func(c *actions.Config) { c.Journal = &killed{Journal: b.Journal} })
		p, err := dying.Plan(labtest.Context(t), b.Set(), "force-unlock", bench.Copy(id, "A3F2"), "")
		if err != nil {
			t.Fatal(err)
		}
		bench.Run(labtest.Context(t), dying, p)

		left, err := b.As(func(*actions.Config) {}).Settle(labtest.Context(t))
		if err != nil || len(left) != 1 || left[0].Verdict.Kind != actions.Fixed {
			t.Fatalf("%v %+v", err, left)
		}
		if got := b.Records(); got[len(got)-1].Kind != actions.Outcome || got[len(got)-1].Verdict != actions.Fixed {
			t.Errorf("%+v", got[len(got)-1])
		}
	})
}

func TestAnIntentThatWasNeverExecutedIsSettledAsNotDone(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	dying := b.As(func(c *actions.Config) {
		c.Journal = &killed{Journal: b.Journal}
		c.Actions = []actions.Action{dead{c.Actions[0]}}
	})
	p, err := dying.Plan(labtest.Context(t), b.Set(), "force-unlock", bench.Copy(id, "A3F2"), "")
	if err != nil {
		t.Fatal(err)
	}
	bench.Run(labtest.Context(t), dying, p)
	left, err := b.Runner.Settle(labtest.Context(t))
	if err != nil || len(left) != 1 || left[0].Verdict.Kind != actions.NotFixed {
		t.Fatalf("%v %+v", err, left)
	}
}

// dead is an action whose session is killed before it writes.
type dead struct{ actions.Action }

func (dead) Execute(context.Context, actions.Plan, actions.Request) (actions.Effect, error) {
	return actions.Effect{}, errors.New("killed")
}
