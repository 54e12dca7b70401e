package locks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/actions/locks"
	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// forgetful is a journal without a disk.
type forgetful struct{}

func (forgetful) Append(actions.Record) error        { return nil }
func (forgetful) Records() ([]actions.Record, error) { return nil, nil }

// rival is what the application does to a copy while an operator decides. It
// says how many locks it met as they were seen: one if it came first, none if
// the operator did.
type rival struct {
	name string
	do   func(ctx context.Context, tx pgx.Tx, c contested) (met int64, err error)
}

// contested is a copy in a race.
type contested struct {
	b               *bench.Bench
	id, token, next string // next is the token of whoever takes it anew
}

func (c contested) exec(ctx context.Context, tx pgx.Tx, sql string, args ...any) (int64, error) {
	owner, since := "owner_id", "locked_at"
	if c.b.Dialect == lab.Playbook {
		owner, since = "locked_by_id", "created_at"
	}
	sql = strings.NewReplacer("{owner}", owner, "{since}", since).Replace(sql)
	tag, err := tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// take holds the copy row, as every service method of the application does.
func (c contested) take(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT FROM exams_copy WHERE id = $1 FOR UPDATE`, c.id)
	return err
}

const dropLock = `DELETE FROM grading_copylock WHERE copy_id = $1 AND token = $2`

var rivals = []rival{
	{"nobody", func(context.Context, pgx.Tx, contested) (int64, error) { return 0, nil }},
	{"renewed", func(ctx context.Context, tx pgx.Tx, c contested) (int64, error) {
		return c.exec(ctx, tx, `UPDATE grading_copylock SET expires_at = now() + interval '10 minutes' WHERE copy_id = $1 AND token = $2`, c.id, c.token)
	}},
	{"released", func(ctx context.Context, tx pgx.Tx, c contested) (int64, error) {
		if err := c.take(ctx, tx); err != nil {
			return 0, err
		}
		met, err := c.exec(ctx, tx, dropLock, c.id, c.token)
		if err == nil && met > 0 {
			_, err = c.exec(ctx, tx, `UPDATE exams_copy SET status = 'READY' WHERE id = $1`, c.id)
		}
		return met, err
	}},
	{"taken anew", func(ctx context.Context, tx pgx.Tx, c contested) (int64, error) {
		if err := c.take(ctx, tx); err != nil {
			return 0, err
		}
		met, err := c.exec(ctx, tx, dropLock, c.id, c.token)
		if err != nil {
			return 0, err
		}
		_, err = c.exec(ctx, tx, `INSERT INTO grading_copylock (copy_id, {owner}, {since}, expires_at, token)
			VALUES ($1, $2, now(), now() + interval '10 minutes', $3)`, c.id, c.b.Other, c.next)
		if err == nil {
			_, err = c.exec(ctx, tx, `UPDATE exams_copy SET status = 'LOCKED' WHERE id = $1`, c.id)
		}
		return met, err
	}},
	{"finalized", func(ctx context.Context, tx pgx.Tx, c contested) (int64, error) {
		if err := c.take(ctx, tx); err != nil {
			return 0, err
		}
		met, err := c.exec(ctx, tx, dropLock, c.id, c.token)
		if err == nil && met > 0 {
			_, err = c.exec(ctx, tx, `SELECT pg_sleep(0.005)`) // the PDF
		}
		if err == nil && met > 0 {
			_, err = c.exec(ctx, tx, `UPDATE exams_copy SET status = 'GRADED' WHERE id = $1`, c.id)
		}
		return met, err
	}},
}

// TestRaces lets the application move a lock between plan and execution, before
// or at the same moment, and looks after each round whether exactly one of the
// two was first and the rows, the event and the verdict say so.
func TestRaces(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	t.Run("force-unlock", func(t *testing.T) {
		t.Parallel()
		for _, d := range dialects {
			b := racing(t, d)
			race(t, b, "force-unlock", rounds*36/100, 3)
		}
	})
	t.Run("clear-expired", func(t *testing.T) {
		t.Parallel() // one at a time: it is about all expired locks
		race(t, racing(t, lab.Deployed), "clear-expired", rounds*30/100, 1)
	})
}

func racing(t *testing.T, d lab.Dialect) *bench.Bench {
	watch := locks.Timings{Stay: 1, Poll: 1}
	return bench.New(t, bench.Options{Dialect: d, Timings: catalogue.Timings{Locks: watch}})
}

func race(t *testing.T, b *bench.Bench, action string, rounds, workers int) {
	ids := make([]string, workers)
	for w := range ids {
		ids[w], _ = b.Locked(fmt.Sprintf("RACE-%s-%d", action, w), -time.Minute)
	}
	set := b.Set()
	var first, refusals atomic.Int64
	var wg sync.WaitGroup
	for w, id := range ids {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for range rounds / workers {
				r := round{b: b, set: set, action: action, rival: rivals[rng.IntN(len(rivals))], before: rng.IntN(3) == 0, live: action != "clear-expired" && rng.IntN(2) == 0}
				executed, err := r.run(labtest.Context(t), id)
				if err != nil {
					t.Errorf("%s against %s (before: %v, live: %v): %v", action, r.rival.name, r.before, r.live, err)
					return
				}
				if executed {
					first.Add(1)
				} else {
					refusals.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%s %s: the operator was first %d times, and refused %d times", b.Dialect, action, first.Load(), refusals.Load())
	if first.Load() == 0 || refusals.Load() == 0 {
		t.Error("the race was none: one side always won")
	}
}

type round struct {
	b            *bench.Bench
	set          probes.Set
	action       string
	rival        rival
	before, live bool
}

func (r round) run(ctx context.Context, id string) (executed bool, err error) {
	c := contested{b: r.b, id: id, token: uuid.NewString(), next: uuid.NewString()}
	if err := r.reset(ctx, c); err != nil {
		return false, err
	}
	cfg := r.b.Config
	cfg.Journal = forgetful{}
	runner := actions.NewRunner(cfg)
	target := bench.Copy(id, "RACE")
	if r.action == "clear-expired" {
		target = expired
	}
	p, err := runner.Plan(ctx, r.set, r.action, target, "")
	if err != nil {
		return false, fmt.Errorf("plan: %w", err)
	}
	var met int64
	var rivalErr error
	var wg sync.WaitGroup
	wg.Go(func() { met, rivalErr = r.interfere(ctx, c) })
	if r.before {
		wg.Wait()
	}
	got := bench.Run(ctx, runner, p)
	wg.Wait()
	return len(got.Effect.Did) > 0, errors.Join(rivalErr, r.check(ctx, c, p, got, met))
}

// reset gives the copy a fresh lock.
func (r round) reset(ctx context.Context, c contested) error {
	return pgx.BeginFunc(ctx, r.b.Pool, func(tx pgx.Tx) error {
		expires := "interval '-1 minute'"
		if r.live {
			expires = "interval '5 minutes'"
		}
		for _, step := range []struct {
			sql  string
			args []any
		}{
			{`DELETE FROM grading_copylock WHERE copy_id = $1`, []any{c.id}},
			{`UPDATE exams_copy SET status = 'LOCKED' WHERE id = $1`, []any{c.id}},
			{`INSERT INTO grading_copylock (copy_id, {owner}, {since}, expires_at, token) VALUES ($1, $2, now(), now() + ` + expires + `, $3)`,
				[]any{c.id, c.b.Teacher, c.token}},
		} {
			if _, err := c.exec(ctx, tx, step.sql, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r round) interfere(ctx context.Context, c contested) (met int64, err error) {
	if !r.before {
		wait := time.Duration(rand.N(25)) * time.Millisecond
		if _, err := r.b.Pool.Exec(ctx, `SELECT pg_sleep($1)`, wait.Seconds()); err != nil {
			return 0, err
		}
	}
	err = pgx.BeginFunc(ctx, r.b.Pool, func(tx pgx.Tx) (err error) {
		met, err = r.rival.do(ctx, tx, c)
		return err
	})
	return met, err
}

// check compares what is there with the only two orders that are possible.
func (r round) check(ctx context.Context, c contested, p actions.Plan, got actions.Result, met int64) error {
	executed := len(got.Effect.Did) > 0
	if executed == (met > 0) && r.rival.name != "nobody" {
		return fmt.Errorf("both or neither were first: %+v", got)
	}
	if r.rival.name == "nobody" && !executed {
		return fmt.Errorf("refused without a rival: %+v", got.Verdict)
	}
	if !executed && !explained(got.Verdict) {
		return fmt.Errorf("a refusal without an explanation: %+v", got.Verdict)
	}
	var status, token string
	var events int
	err := r.b.Pool.QueryRow(ctx, `SELECT status, coalesce((SELECT token::text FROM grading_copylock WHERE copy_id = c.id), ''),
		(SELECT count(*)::int FROM grading_gradingevent WHERE copy_id = c.id AND metadata ->> 'action_id' = $2) FROM exams_copy c WHERE id = $1`,
		c.id, p.ID).Scan(&status, &token, &events)
	if err != nil {
		return err
	}
	wantStatus, wantToken := r.outcome(c, executed)
	if status != wantStatus || token != wantToken || (events == 1) != executed || events > 1 {
		return fmt.Errorf("status %s, token %s, %d events; wanted %s, %s, executed %v", status, token, events, wantStatus, wantToken, executed)
	}
	return nil
}

// explained tells whether a responder learns what was in the way.
func explained(v actions.Verdict) bool {
	switch v.Kind {
	case actions.Changed:
		return len(v.Says) > len("Nothing was written. ") && (len(v.Evidence) > 0 || strings.Contains(v.Says, "RACE-"))
	case actions.WasRefuse:
		return strings.Contains(v.Says, "An operation is running on")
	}
	return false
}

func (r round) outcome(c contested, executed bool) (status, token string) {
	switch {
	case r.rival.name == "taken anew":
		return "LOCKED", c.next
	case executed, r.rival.name == "released":
		return "READY", ""
	case r.rival.name == "renewed":
		return "LOCKED", c.token
	}
	return "GRADED", ""
}
