// Package audit holds the correction of the application's audit trail: adding
// one reconstructed event to a copy that lacks it, and taking that back.
//
// An event that is added says so: its metadata tells who added it, why, and of
// which time it tells, while its timestamp is the time of writing, as that
// column is in the application, which ignores any other. FINALIZE is refused on
// the deployed system: it looks for an event by the same actor before it writes
// one, so a success would go unrecorded, and two make it fail for ever.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	scan "gradecockpit/probes/audit"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

// Deps is what these actions need.
type Deps struct{ Writer *postgres.Writer }

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action { return []actions.Action{addEvent{d}, removeEvent{d}} }

// overview gives what the grading probe saw, or why there is nothing to judge by.
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

// possible says why events cannot be written here, with the GRANT that is
// missing. UPDATE on the copies is for holding a row: nothing of it is changed.
func possible(t rows.Tables) string {
	if t.Replica {
		return "This server is a read-only replica: nothing can be written here."
	}
	for _, check := range []func() string{
		func() string { return t.Lacks(grading.CopyID, grading.CopyStatus) },
		func() string { return t.Lacks(rows.EventFields...) },
		func() string { return t.MayUpdate(rows.StatusFields...) },
		func() string { return t.MayInsert(rows.EventFields...) },
	} {
		if why := check(); why != "" {
			return why
		}
	}
	return ""
}

// state is one copy as a plan sees it and an execution checks it again.
type state struct {
	tables rows.Tables
	copy   *rows.Copy
	trail  *rows.Trail
	found  []scan.Row
	locks  bool // locks are in use
}

// read holds the row of a copy, so that nothing of the application comes
// between, and reads what is on record about it.
func read(ctx context.Context, tx pgx.Tx, t rows.Tables, id string, locks bool) (*state, error) {
	held, err := t.Hold(ctx, tx, []string{id})
	if err != nil {
		return nil, err
	}
	copies, err := t.Read(ctx, tx, []string{id})
	if err != nil {
		return nil, err
	}
	s := &state{tables: t, copy: copies[id], locks: locks}
	switch {
	case s.copy == nil:
		return nil, &actions.Refusal{Why: "There is no copy " + clean.Text(id) + "."}
	case !held[id]:
		return nil, rows.Busy(s.copy.Label())
	}
	if s.trail, err = t.Trail(ctx, tx, id); err != nil {
		return nil, err
	}
	s.found, err = scan.Look(ctx, tx, t.Schema, locks, []string{id})
	return s, err
}

// settle finds out from the audit trail whether an event was written.
func (d Deps) settle(ctx context.Context, r actions.Record) actions.Verdict {
	var written []rows.Stored
	err := rows.Read(ctx, d.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if t.Has(rows.EventFields...) {
			written, err = t.Written(ctx, tx, r.ActionID, r.Target.ID)
		}
		return err
	})
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether this was done: the database cannot be read.", Evidence: []string{err.Error()}}
	case len(written) > 0:
		return actions.Verdict{Kind: actions.Fixed, Says: "It was done: the event is there.", Evidence: []string{describe(written[0])}}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: "It was not done: the event is not there.", Next: "Look again, then decide anew."}
}

func describe(e rows.Stored) string {
	return fmt.Sprintf("event %s: %s by user %s, written %s", clean.Text(e.ID), clean.Text(e.Action), clean.Text(e.Actor), clean.Text(e.At))
}

// stamp is a time as the metadata keeps it.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}
