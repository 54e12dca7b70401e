// Package locks holds the actions that free copies: force-unlock, the
// clearing of expired locks, giving back copies that are LOCKED without a lock,
// and the way back of all three. They do what the application's own release
// does, in one transaction: the lock row goes, the copy becomes READY, and an
// UNLOCK event tells who did it and why.
package locks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

// Deps is what these actions need.
type Deps struct {
	Writer *postgres.Writer
	// LockTTL is the application's, to infer heartbeats from expiries; zero
	// leaves them out.
	LockTTL time.Duration
	Timings Timings
}

// Timings bound the watching. Zero values take the defaults.
type Timings struct {
	Stay  time.Duration // how long a lock has to stay away to count as gone: 3 s
	Poll  time.Duration // between two looks: 500 ms
	Watch time.Duration // all of it: 10 s
}

func (t Timings) defaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Stay, 3*time.Second)
	set(&t.Poll, 500*time.Millisecond)
	set(&t.Watch, 10*time.Second)
	return t
}

// The limits of one plan: force-unlock is one transaction that has to end
// within a second, clearing is one transaction a batch.
const (
	maxUnlock  = 50
	maxExpired = 1000
	batchSize  = 50
)

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action {
	d.Timings = d.Timings.defaults()
	return []actions.Action{forceUnlock{d}, clearExpired{d}, releaseLocked{d}, relock{d}}
}

// seen is what a plan keeps for its execution.
type seen struct {
	tables     rows.Tables
	copies     []*rows.Copy
	keepLocked bool // leave LOCKED copies LOCKED
	unsigned   bool // no event can be signed
}

// givesBack tells whether a copy becomes READY: only from LOCKED, as in the
// application. Deleting the lock of a GRADED or STAGING copy leaves its status.
func (s *seen) givesBack(c *rows.Copy) bool { return c.Status == "LOCKED" && !s.keepLocked }

// Watch is the bound of Verify.
func (d Deps) Watch() time.Duration { return d.Timings.Watch }

// possible says why nothing of this package works on this database.
func (d Deps) possible(t rows.Tables, needsLock bool) string {
	checks := []func() string{
		func() string { return t.Lacks(grading.CopyID, grading.CopyStatus) },
		func() string { return t.MayUpdate(rows.StatusFields...) },
	}
	if needsLock {
		checks = append(checks,
			func() string { return t.Lacks(rows.LockFields...) },
			func() string { return t.MayDelete(grading.LockID) })
	}
	if t.Replica {
		return "This server is a read-only replica: nothing can be written here."
	}
	for _, check := range checks {
		if why := check(); why != "" {
			return why
		}
	}
	return ""
}

// impossible judges from the probes, without a target.
func (d Deps) impossible(set probes.Set, needsLock bool) string {
	ov, why := overview(set)
	if why != "" {
		return why
	}
	return d.possible(rows.Tables{Schema: ov.Schema}, needsLock)
}

// unsigned adds what keeps everybody from signing: doctor has to name that
// GRANT, too, while an action may still be allowed to leave a gap.
func (d Deps) unsigned(set probes.Set, needsLock bool) string {
	if why := d.impossible(set, needsLock); why != "" {
		return why
	}
	ov, _ := overview(set)
	t := rows.Tables{Schema: ov.Schema}
	if why := t.Lacks(rows.EventFields...); why != "" {
		return why
	}
	return t.MayInsert(rows.EventFields...)
}

// overview gives what the probe saw, or why there is nothing to judge by.
func overview(set probes.Set) (grading.Overview, string) {
	ov, snap, ok := probes.Of[grading.Overview](set, grading.ID)
	switch {
	case ok && ov.Schema != nil:
		return ov, ""
	case snap.Err != nil:
		return ov, "The database cannot be read: " + snap.Err.Error() + "."
	}
	return ov, "The database has not been read yet."
}

// signs finds out whether an event can be written in the actor's name. Without
// one the plan is refused, unless the operator has allowed the gap.
func signs(ctx context.Context, tx pgx.Tx, t rows.Tables, a actions.Actor) (bool, error) {
	why, next, err := unsignable(ctx, tx, t, a)
	switch {
	case err != nil:
		return false, err
	case why == "":
		return true, nil
	case a.Unsigned:
		return false, nil
	}
	return false, &actions.Refusal{Why: why, Next: next}
}

func unsignable(ctx context.Context, tx pgx.Tx, t rows.Tables, a actions.Actor) (why, next string, err error) {
	const name = "Name an account of the application with --as, or set unsigned: true and accept a gap in the audit trail."
	if why := t.Lacks(rows.EventFields...); why != "" {
		return "The audit trail cannot be written. " + why, "", nil
	}
	if why := t.MayInsert(rows.EventFields...); why != "" {
		return "The audit trail cannot be written. " + why, "", nil
	}
	if a.UserID == 0 && !t.Columns[grading.EventActor].NotNull {
		return "", "", nil
	}
	if a.UserID == 0 {
		return fmt.Sprintf("The application has no user %q, so nobody could sign the event.", clean.Text(a.Name)), name, nil
	}
	known, err := t.UserExists(ctx, tx, a.UserID)
	if err == nil && !known {
		return fmt.Sprintf("The application has no user number %d, so nobody could sign the event.", a.UserID), name, nil
	}
	return "", "", err
}

// look reads the copies of a target as they are now. A copy that is not there,
// or that an operation runs on, is a refusal.
func (d Deps) look(ctx context.Context, q actions.Request, needsLock bool) (*seen, error) {
	s := &seen{}
	targets := q.Target.All()
	if len(targets) > maxUnlock {
		return nil, &actions.Refusal{Why: fmt.Sprintf("%d copies are too many for one transaction; %d is the most.", len(targets), maxUnlock)}
	}
	err := rows.Look(ctx, d.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		if why := d.possible(t, needsLock); why != "" {
			return &actions.Refusal{Why: why}
		}
		signed, err := signs(ctx, tx, t, q.Actor)
		if err != nil {
			return err
		}
		s.tables, s.unsigned = t, !signed
		s.copies, err = free(ctx, tx, t, targets)
		return err
	})
	return s, err
}

// free gives the copies in the order of the targets, if nobody is at work on
// one of them.
func free(ctx context.Context, tx pgx.Tx, t rows.Tables, targets []actions.Target) ([]*rows.Copy, error) {
	var ids []string
	for _, one := range targets {
		ids = append(ids, one.ID)
	}
	held, err := t.Hold(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	found, err := t.Read(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var list []*rows.Copy
	for _, id := range ids {
		c := found[id]
		switch {
		case c == nil:
			return nil, &actions.Refusal{Why: "There is no copy " + clean.Text(id) + "."}
		case !held[id]:
			return nil, rows.Busy(c.Label())
		}
		list = append(list, c)
	}
	return list, nil
}

func labels(copies []*rows.Copy) []string {
	var out []string
	for _, c := range copies {
		out = append(out, c.Label())
	}
	return out
}

func ids(copies []*rows.Copy) []string {
	var out []string
	for _, c := range copies {
		out = append(out, c.ID)
	}
	return out
}

// filter keeps the copies for which keep says yes.
func filter(copies []*rows.Copy, keep func(*rows.Copy) bool) []*rows.Copy {
	return slices.DeleteFunc(slices.Clone(copies), func(c *rows.Copy) bool { return !keep(c) })
}

// subject names the copies of a plan: the one, or how many.
func subject(copies []*rows.Copy) string {
	if len(copies) == 1 {
		return copies[0].Label()
	}
	return fmt.Sprintf("%d copies", len(copies))
}
