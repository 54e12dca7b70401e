package audit_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes/lab/labtest"
)

// races lets another operator add the same event, or the application change
// the copy, at the same moment: one of the two is first, the other one is told,
// and never is the event there twice.
func races(t *testing.T, b *bench.Bench) {
	set := b.Set()
	ended := map[actions.VerdictKind]int{}
	rounds := 20
	if testing.Short() {
		rounds = 10
	}
	for i := range rounds {
		id, _ := annotated(b, "RACE-"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		plan := func(r *actions.Runner) actions.Plan {
			p, err := r.Plan(labtest.Context(t), set, "add-event", bench.Copy(id, "RACE"), "LOCK")
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		other := b.As(func(*actions.Config) {})
		mine, theirs := plan(b.Runner), plan(other)
		var results [2]actions.Result
		var wg sync.WaitGroup
		wg.Go(func() { results[0] = b.Run(mine) })
		if i%2 == 0 {
			wg.Go(func() { results[1] = bench.Run(labtest.Context(t), other, theirs) })
		} else {
			wg.Go(func() { acquire(t, b, id) })
		}
		wg.Wait()
		check(t, b, id, i%2 == 0, results)
		ended[results[0].Verdict.Kind]++
	}
	t.Logf("ended %v", ended)
	if ended[actions.Fixed] == 0 || ended[actions.Fixed] == rounds {
		t.Errorf("the race was none: %v", ended)
	}
}

// acquire is the application's, with the event that it writes.
func acquire(t *testing.T, b *bench.Bench, id string) {
	time.Sleep(rand.N(12 * time.Millisecond)) // anywhere within the other's transaction
	err := pgx.BeginFunc(t.Context(), b.Pool, func(tx pgx.Tx) error {
		if err := take(t, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `UPDATE exams_copy SET status = 'LOCKED', locked_by_id = $2 WHERE id = $1`, id, b.Other); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO grading_gradingevent (id, copy_id, action, actor_id, timestamp, metadata)
			VALUES (gen_random_uuid(), $1, 'LOCK', $2, now(), '{}')`, id, b.Other)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// check: of two operators exactly one wrote; against the application's own LOCK
// ours stands only if it came first.
func check(t *testing.T, b *bench.Bench, id string, operators bool, results [2]actions.Result) {
	t.Helper()
	ours := labtest.Get[int](b.DB, `SELECT count(*)::int FROM grading_gradingevent WHERE copy_id = $1 AND action = 'LOCK' AND metadata ->> 'tool' = 'gradecockpit'`, id)
	did := 0
	for _, r := range results {
		did += min(len(r.Effect.Did), 1)
		if k := r.Verdict.Kind; k != "" && k != actions.Fixed && (k != actions.Changed && k != actions.WasRefuse || !strings.Contains(r.Verdict.Says, "RACE")) {
			t.Errorf("%+v", r.Verdict)
		}
	}
	if ours != did || ours > 1 || operators && ours != 1 {
		t.Errorf("%d events of ours, %d were reported (operators: %v): %+v", ours, did, operators, results)
	}
}
