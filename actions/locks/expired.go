package locks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
)

// clearExpired clears the locks that nobody came back for.
type clearExpired struct{ Deps }

func (clearExpired) ID() string                  { return "clear-expired" }
func (clearExpired) Title() string               { return "Clear expired locks" }
func (clearExpired) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnLocks} }

// Impossible says why this cannot work here at all.
func (a clearExpired) Impossible(set probes.Set) string { return a.unsigned(set, true) }

func (a clearExpired) Disabled(set probes.Set, _ actions.Target) string {
	if why := a.impossible(set, true); why != "" {
		return why
	}
	ov, _ := overview(set)
	if ov.Locks.Here() && ov.Locks.Value.Expired == 0 {
		return "No lock has expired."
	}
	return ""
}

func (a clearExpired) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	s := &seen{}
	err := rows.Look(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		if why := a.possible(t, true); why != "" {
			return &actions.Refusal{Why: why}
		}
		signed, err := signs(ctx, tx, t, q.Actor)
		if err != nil {
			return err
		}
		s.tables, s.unsigned = t, !signed
		s.copies, err = t.Expired(ctx, tx, maxExpired)
		return err
	})
	if err != nil {
		return actions.Plan{}, err
	}
	if len(s.copies) == 0 {
		return actions.Plan{}, &actions.Refusal{Why: "No lock has expired."}
	}
	return a.describe(q, s), nil
}

func (a clearExpired) describe(q actions.Request, s *seen) actions.Plan {
	p := a.plan(a, q, s)
	p.Title = fmt.Sprintf("Clear %s", count(len(s.copies), "expired lock"))
	p.Says = []string{"Expired by the database's clock: " + actions.Names(labels(s.copies), 12) + "."}
	if len(s.copies) == maxExpired {
		p.Says = append(p.Says, fmt.Sprintf("These are the %d oldest; there may be more. Clear again afterwards.", maxExpired))
	}
	if back := filter(s.copies, s.givesBack); len(back) > 0 {
		p.Says = append(p.Says, fmt.Sprintf("%s from LOCKED to READY, as the application itself does at the next look.", verb(len(back), "copy goes", "copies go")))
		p.Warnings = append(p.Warnings, "If a finalization failed on one of them, retry that copy first. "+consequence(s))
	}
	p.StopsIf = "Leaves out, and names, every lock that was renewed or released since, and every copy that an operation runs on."
	p.Undo = "The same locks, where the copies are still free."
	return p
}

// Execute clears batch by batch. A batch that failed as a whole is named; what
// was cleared before stays cleared and is told.
func (a clearExpired) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	b := batch{seen: p.Private.(*seen), plan: p, request: q, lenient: true, expired: true}
	var done []*rows.Copy
	var left []mover
	for chunk := range slices.Chunk(b.copies, batchSize) {
		did, not, err := a.chunk(ctx, b, chunk)
		done, left = append(done, did...), append(left, not...)
		if err != nil {
			return b.effect(done, left), err
		}
	}
	if len(done) == 0 {
		return b.effect(nil, left), &actions.Moved{Says: "Not one of these locks is as it was: " + actions.Names(reasons(left), 5) + "."}
	}
	return b.effect(done, left), nil
}

// chunk clears one batch. When a lock row in it is held (a heartbeat under
// way), the batch is halved until only that one is left out.
func (a clearExpired) chunk(ctx context.Context, b batch, copies []*rows.Copy) (done []*rows.Copy, left []mover, err error) {
	err = rows.Write(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx) (err error) {
		// A heartbeat takes milliseconds; a whole batch must not wait long for one.
		if _, err = tx.Exec(ctx, "set local lock_timeout = '100ms'"); err != nil {
			return err
		}
		done, left, err = b.write(ctx, tx, copies)
		return err
	})
	var no *actions.Refusal
	switch {
	case err == nil:
		return done, left, nil
	case !errors.As(err, &no):
		return nil, nil, err
	case len(copies) == 1:
		return nil, []mover{{copy: copies[0], busy: true, says: "an operation is running on it now"}}, nil
	}
	half := len(copies) / 2
	done, left, err = a.chunk(ctx, b, copies[:half])
	if err != nil {
		return done, left, err
	}
	more, not, err := a.chunk(ctx, b, copies[half:])
	return append(done, more...), append(left, not...), err
}

func reasons(left []mover) []string {
	var out []string
	for _, l := range left {
		out = append(out, l.copy.Label()+": "+l.says)
	}
	return out
}

// Verify looks once: what was renewed meanwhile was left alone, so there is
// nothing to wait for.
func (a clearExpired) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	s := *p.Private.(*seen)
	s.copies = filter(s.copies, func(c *rows.Copy) bool { return !slices.ContainsFunc(e.Skip, skipOf(c)) })
	st, err := a.state(ctx, p.ID, ids(s.copies))
	if err != nil {
		return unwatched(err)
	}
	v, _ := s.judge(st)
	if v.Kind == actions.Fixed {
		v.Says = fmt.Sprintf("Cleared %s.", count(len(s.copies), "expired lock"))
	}
	if len(e.Skip) > 0 {
		v.Says += fmt.Sprintf(" Left alone: %s.", actions.Names(e.Skip, 3))
	}
	return v
}

func skipOf(c *rows.Copy) func(string) bool {
	prefix := c.Label() + ": "
	return func(s string) bool { return len(s) > len(prefix) && s[:len(prefix)] == prefix }
}

func (a clearExpired) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
