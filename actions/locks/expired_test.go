package locks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

var expired = actions.Target{Kind: actions.OnLocks, ID: "expired"}

func TestClearExpiredLeavesOutAndNamesWhatMoved(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		gone, _ := b.Locked("GONE", -time.Minute)
		renewed, _ := b.Locked("RENEWED", -2*time.Minute)
		released, _ := b.Locked("RELEASED", -3*time.Minute)
		retaken, _ := b.Locked("RETAKEN", -4*time.Minute)
		busy, _ := b.Locked("BUSY", -5*time.Minute)
		live, _ := b.Locked("LIVE", time.Minute)
		graded := b.AddCopy(lab.CopyRow{Anon: "GRADED", Status: "GRADED", Pages: 1})
		b.AddLock(lab.LockRow{Copy: graded, Owner: b.Teacher, Expires: b.Now().Add(-time.Hour)})

		p := b.Plan("clear-expired", expired, "")
		if p.Title != "Clear 6 expired locks" || p.Risk != actions.Low || strings.Contains(strings.Join(p.Says, " "), "LIVE") {
			t.Errorf("%s: %q", p.Title, p.Says)
		}
		b.Exec(`UPDATE grading_copylock SET expires_at = now() + interval '10 minutes' WHERE copy_id = $1`, renewed)
		b.Exec(`DELETE FROM grading_copylock WHERE copy_id IN ($1, $2)`, released, retaken)
		b.AddLock(lab.LockRow{Copy: retaken, Owner: b.Other})
		tx, err := b.Pool.Begin(labtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(labtest.Context(t), `SELECT FROM grading_copylock WHERE copy_id = $1 FOR UPDATE`, busy); err != nil {
			t.Fatal(err)
		}
		got := b.Run(p)
		if err := tx.Rollback(labtest.Context(t)); err != nil {
			t.Fatal(err)
		}

		if got.Verdict.Kind != actions.Fixed || len(got.Effect.Did) != 2 {
			t.Errorf("%+v\n%q", got.Verdict, got.Effect.Did)
		}
		want := []string{
			"BUSY: an operation is running on it now",
			"RELEASED: the lock of jmartin was released meanwhile",
			"RENEWED: jmartin has renewed the lock meanwhile",
			"RETAKEN: lbernard has taken the lock meanwhile",
		}
		skipped := append([]string{}, got.Effect.Skip...)
		slices.Sort(skipped)
		if diff := cmp.Diff(want, skipped); diff != "" {
			t.Error(diff)
		}
		for id, status := range map[string]string{gone: "READY", graded: "GRADED", renewed: "LOCKED", released: "LOCKED", retaken: "LOCKED", busy: "LOCKED", live: "LOCKED"} {
			if b.Status(id) != status {
				t.Errorf("%s is %s", id, b.Status(id))
			}
		}
		for id, n := range map[string]int{gone: 1, graded: 1, renewed: 0, released: 0, retaken: 0, busy: 0, live: 0} {
			if b.Count("grading_gradingevent", id) != n {
				t.Errorf("%s has %d events", id, b.Count("grading_gradingevent", id))
			}
		}
	})
}

func TestClearExpiredGoesBatchByBatch(t *testing.T) {
	b := bench.New(t, bench.Options{})
	var ids []string
	for i := range 120 {
		id, _ := b.Locked(fmt.Sprintf("C-%03d", i), -time.Duration(i+1)*time.Minute)
		ids = append(ids, id)
	}
	got := b.Do("clear-expired", expired, "")
	if got.Verdict.Kind != actions.Fixed || got.Verdict.Says != "Cleared 120 expired locks." {
		t.Fatalf("%+v", got.Verdict)
	}
	const all = `SELECT count(*)::int FROM exams_copy c JOIN grading_gradingevent e ON e.copy_id = c.id WHERE c.status = 'READY' AND e.action = 'UNLOCK'`
	if n := labtest.Get[int](b.DB, all); n != 120 {
		t.Errorf("%d copies are READY with their event", n)
	}
	action, target, title, ok := b.Runner.Undoable()
	if !ok || title != "Undo: Clear 120 expired locks" {
		t.Fatalf("%s %v", title, ok)
	}
	b.AddLock(lab.LockRow{Copy: ids[7], Owner: b.Other})
	back := b.Do(action, target, "")
	if back.Verdict.Kind != actions.Fixed || len(back.Effect.Did) != 119 {
		t.Errorf("%+v, %d put back", back.Verdict, len(back.Effect.Did))
	}
	if !strings.Contains(strings.Join(back.Plan.Says, " "), "lbernard has locked C-007 again") {
		t.Errorf("%q", back.Plan.Says)
	}
	if n := labtest.Get[int](b.DB, `SELECT count(*)::int FROM grading_copylock WHERE expires_at < now()`); n != 119 {
		t.Errorf("%d expired locks are back", n)
	}
}

func TestAllLocksMovedIsAChangedTarget(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	p := b.Plan("clear-expired", expired, "")
	b.Exec(`UPDATE grading_copylock SET expires_at = now() + interval '10 minutes' WHERE copy_id = $1`, id)
	if got := b.Run(p); got.Verdict.Kind != actions.Changed || !strings.Contains(got.Verdict.Says, "renewed") {
		t.Errorf("%+v", got.Verdict)
	}
}
