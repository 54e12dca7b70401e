package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes"
	"gradecockpit/probes/lab/labtest"
)

// forgetful is a journal without a disk.
type forgetful struct{}

func (forgetful) Append(actions.Record) error        { return nil }
func (forgetful) Records() ([]actions.Record, error) { return nil, nil }

// TestRaces lets sessions move on between plan and execution, before the signal
// or at the same moment. Whoever was refused has hit nobody; where nothing moved
// it hits; and a session beside it that does the same never notices.
func TestRaces(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 12
	}
	s := newStage(t, bench.Options{})
	s.Exec("create table race (pid int, step int)")
	set := s.set()
	for _, action := range []string{"cancel-query", "end-session"} {
		var first, refused atomic.Int64
		t.Run(action, func(t *testing.T) {
			var wg sync.WaitGroup
			for w := range 2 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(2, uint64(w)))
					for range rounds / 2 {
						r := round{s: s, set: set, action: action, moves: rng.IntN(4) > 0, before: rng.IntN(3) == 0, wait: time.Duration(rng.IntN(25)) * time.Millisecond}
						executed, err := r.run(labtest.Context(t))
						if err != nil {
							t.Errorf("moves %v, before %v: %v", r.moves, r.before, err)
							return
						}
						if executed {
							first.Add(1)
						} else {
							refused.Add(1)
						}
					}
				})
			}
			wg.Wait()
			t.Logf("%s: the operator was first %d times, and refused %d times", action, first.Load(), refused.Load())
			if first.Load() == 0 || refused.Load() == 0 {
				t.Error("the race was none: one side always won")
			}
		})
	}
}

// player is a session in a race. It runs a first thing, goes on to a second
// when it is told to, and ends when it is told to.
type player struct {
	conn         *pgx.Conn
	move, finish chan struct{}
	done         chan struct{}
	first, later error // what its first query ended with, and those after it
}

type round struct {
	s             *stage
	set           probes.Set
	action        string
	moves, before bool
	wait          time.Duration
}

func (r round) run(ctx context.Context) (executed bool, err error) {
	target, err := r.player(ctx)
	if err != nil {
		return false, err
	}
	beside, err := r.player(ctx)
	if err != nil {
		return false, errors.Join(err, r.over(ctx, target))
	}
	got, err := r.contend(ctx, target)
	err = errors.Join(err, r.over(ctx, target), r.over(ctx, beside))
	if err != nil {
		return false, err
	}
	executed = len(got.Effect.Did) > 0
	if beside.first != nil || beside.later != nil {
		return executed, fmt.Errorf("the session beside it was hit: %v, %v", beside.first, beside.later)
	}
	return executed, r.check(got, target, executed)
}

// contend plans, and runs the plan while the session moves on.
func (r round) contend(ctx context.Context, target *player) (got actions.Result, err error) {
	cfg := r.s.Config
	cfg.Journal = forgetful{}
	runner := actions.NewRunner(cfg)
	at := actions.Target{Kind: actions.OnSession, ID: fmt.Sprint(target.conn.PgConn().PID())}
	p, err := runner.Plan(ctx, r.set, r.action, at, "")
	if err != nil {
		return got, fmt.Errorf("plan: %w", err)
	}
	var wg sync.WaitGroup
	var failed error
	if r.moves {
		wg.Go(func() { failed = r.move(ctx, target) })
	}
	if r.moves && r.before {
		wg.Wait()
		if err := errors.Join(failed, r.await(ctx, target, "second")); err != nil {
			return got, err
		}
	}
	got = bench.Run(ctx, runner, p)
	wg.Wait()
	return got, failed
}

// move lets the session go on: at once, or at some moment.
func (r round) move(ctx context.Context, p *player) error {
	if !r.before {
		if _, err := r.s.Pool.Exec(ctx, "select pg_sleep($1)", r.wait.Seconds()); err != nil {
			return err
		}
	}
	close(p.move)
	return r.step(ctx, p, 1)
}

// step tells a running query that it may end.
func (r round) step(ctx context.Context, p *player, n int) error {
	_, err := r.s.Pool.Exec(ctx, "insert into race values ($1, $2)", p.conn.PgConn().PID(), n)
	return err
}

// check compares the end with what is possible.
func (r round) check(got actions.Result, target *player, executed bool) error {
	hit := target.first != nil || target.later != nil
	switch {
	case !executed && hit:
		return fmt.Errorf("refused (%s), and the session was hit: %v, %v", got.Verdict.Says, target.first, target.later)
	case !executed && (got.Verdict.Kind != actions.Changed || len(got.Verdict.Evidence) == 0):
		return fmt.Errorf("a refusal without an explanation: %+v", got.Verdict)
	case r.moves && r.before && executed:
		return fmt.Errorf("it had moved on, and was signalled: %+v", got)
	case !r.moves && (!executed || !hit || got.Verdict.Kind != actions.Fixed):
		return fmt.Errorf("nothing moved, and it was not hit: %+v", got)
	case !r.moves && r.action == "cancel-query" && (code(target.first) != "57014" || target.later != nil):
		return fmt.Errorf("not the query was cancelled: %v, %v", target.first, target.later)
	}
	return nil
}

// player starts a session and awaits its first thing: for a cancellation a
// query that runs, else a transaction that stands idle.
func (r round) player(ctx context.Context) (*player, error) {
	cfg, err := pgx.ParseConfig(r.s.DSN())
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &player{conn: conn, move: make(chan struct{}), finish: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if r.action == "cancel-query" {
			p.queries(ctx)
		} else {
			p.transactions(ctx)
		}
	}()
	return p, r.await(ctx, p, "first")
}

// transactions stands idle in one, and then in another.
func (p *player) transactions(ctx context.Context) {
	_, p.first = p.conn.Exec(ctx, "begin; select 'first'")
	select {
	case <-p.move:
		_, p.later = p.conn.Exec(ctx, "commit; begin; select 'second'")
		<-p.finish
	case <-p.finish:
	}
	if _, err := p.conn.Exec(ctx, "select 'last'"); p.later == nil {
		p.later = err
	}
}

// queries runs one that lasts until it is told to go on, and then another. They
// look every millisecond whether there is a row that says so.
func (p *player) queries(ctx context.Context) {
	const until = `do $$ begin /* %s */ while not exists (select from race where pid = %d and step >= %d) loop perform pg_sleep(0.001); end loop; end $$`
	pid := p.conn.PgConn().PID()
	_, p.first = p.conn.Exec(ctx, fmt.Sprintf(until, "first", pid, 1))
	_, p.later = p.conn.Exec(ctx, fmt.Sprintf(until, "second", pid, 2))
}

// await waits until a session is at something, as PostgreSQL sees it.
func (r round) await(ctx context.Context, p *player, what string) error {
	state := "idle in transaction"
	if r.action == "cancel-query" {
		state = "active"
	}
	for there := false; !there; {
		err := r.s.Pool.QueryRow(ctx, `select exists (select from pg_stat_activity where pid = $1 and state = $2 and query like '%' || $3 || '%')`,
			p.conn.PgConn().PID(), state, what).Scan(&there)
		if err != nil {
			return fmt.Errorf("await the %s: %w", what, err)
		}
	}
	return nil
}

// over lets a session come to its end.
func (r round) over(ctx context.Context, p *player) error {
	close(p.finish)
	err := r.step(ctx, p, 2)
	<-p.done
	p.conn.Close(ctx) // it may have been ended already
	return err
}
