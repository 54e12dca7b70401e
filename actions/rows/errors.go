package rows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

// Busy is the refusal for a copy whose row somebody holds: a finalization, an
// acquire or a release is in flight, and its end decides what there is to do.
func Busy(label string) *actions.Refusal {
	return &actions.Refusal{
		Why:  "An operation is running on " + label + " now.",
		Next: "Wait for it to end, then look again.",
	}
}

// Look runs fn in a transaction that is always rolled back, because seeing
// whether a row is held takes a lock that a read-only transaction may not take.
func Look(ctx context.Context, w *postgres.Writer, fn func(context.Context, pgx.Tx, Tables) error) error {
	if w == nil {
		return unconfigured()
	}
	looked := errors.New("looked")
	err := w.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		s, err := grading.Discover(ctx, tx)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx, Tables{s}); err != nil {
			return err
		}
		return looked // so that the transaction is rolled back
	})
	if errors.Is(err, looked) {
		return nil
	}
	return Explain("look at the copy", err)
}

// Read runs fn in a read-only transaction.
func Read(ctx context.Context, w *postgres.Writer, fn func(context.Context, pgx.Tx, Tables) error) error {
	if w == nil {
		return unconfigured()
	}
	return Explain("read the copy", w.Read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		s, err := grading.Discover(ctx, tx)
		if err != nil {
			return err
		}
		return fn(ctx, tx, Tables{s})
	}))
}

func unconfigured() error {
	return probes.NotConfigured(probes.Postgres, "DATABASE_URL, or PGHOST and PGDATABASE")
}

// Write runs fn in one transaction and commits it.
func Write(ctx context.Context, w *postgres.Writer, fn func(context.Context, pgx.Tx) error) error {
	return Explain("write", w.Tx(ctx, fn))
}

// Explain turns a failure into the refusals and doubts that an action reports.
// What it does not know comes back in a responder's words.
func Explain(op string, err error) error {
	var no *actions.Refusal
	var moved *actions.Moved
	var pg *pgconn.PgError
	var other *grading.NotGrading
	switch {
	case err == nil, errors.As(err, &no), errors.As(err, &moved):
		return err
	case errors.Is(err, postgres.ErrUnknownOutcome):
		return &actions.Unsure{Err: postgres.Describe(op, err)}
	case errors.Is(err, postgres.ErrReadOnly):
		return &actions.Refusal{Why: clean.Text(err.Error()) + "."}
	case errors.As(err, &other):
		return &actions.Refusal{Why: clean.Text(other.Error()) + ".", Next: other.Next()}
	case errors.As(err, &pg):
		return refused(op, pg, err)
	}
	return postgres.Describe(op, err)
}

// refused picks the SQLSTATEs that mean "not here" or "not now".
func refused(op string, pg *pgconn.PgError, err error) error {
	switch pg.Code {
	case "55P03":
		return Busy("this copy")
	case "23505":
		return &actions.Moved{Says: "Somebody has locked the copy since you looked."}
	case "22P02":
		return &actions.Refusal{Why: "That is not the id of a copy.", Next: "Give the row id or pick the copy on the screen."}
	case "42501":
		return &actions.Refusal{Why: clean.Text(pg.Message) + ".", Next: "Ask for the GRANT; doctor prints the exact line."}
	case "25006":
		return &actions.Refusal{Why: "This server is a read-only replica, or the session is read-only.", Next: "Point DATABASE_URL at the primary to act."}
	}
	return postgres.Describe(op, err)
}

// Lacks says which field of those needed is not here, with the GRANT that would
// bring it; "" when all are.
func (t Tables) Lacks(fields ...grading.Field) string {
	why, fix := t.Why(fields...)
	return strings.TrimSpace(why + " " + fix)
}

// MayDelete says why rows of a field's table may not be deleted; "" if they may.
func (t Tables) MayDelete(f grading.Field) string {
	if t.Rights[t.Columns[f].Table]["delete"] {
		return ""
	}
	return t.denied("delete from", "DELETE", f)
}

// MayUpdate says why one of the fields may not be updated; "" if all may.
func (t Tables) MayUpdate(fields ...grading.Field) string {
	for _, f := range fields {
		if c, ok := t.Columns[f]; ok && !c.Update {
			return t.denied("update", "UPDATE", fields...)
		}
	}
	return ""
}

// MayInsert says why a row of the fields' table cannot be inserted: a missing
// right, or a column that must be given and that no field stands for.
func (t Tables) MayInsert(fields ...grading.Field) string {
	known := map[string]bool{}
	for _, f := range fields {
		c := t.Columns[f]
		known[c.Name] = true
		if !c.Insert && !c.Default {
			return t.denied("insert into", "INSERT", fields...)
		}
	}
	table := t.Columns[fields[0]].Table
	for _, name := range t.Required[table] {
		if !known[name] {
			return fmt.Sprintf("%s needs a value for %s, which the cockpit does not know.", table, clean.Text(name))
		}
	}
	return ""
}

func (t Tables) denied(verb, grant string, fields ...grading.Field) string {
	table := t.Columns[fields[0]].Table
	return fmt.Sprintf("Role %s may not %s %s. GRANT %s%s ON %s TO %s;", clean.Text(t.User), verb, table,
		grant, t.columnList(grant, fields), t.Table(fields[0]), clean.Text(pgx.Identifier{t.User}.Sanitize()))
}

// columnList narrows a GRANT to the columns that are written; DELETE has none.
func (t Tables) columnList(grant string, fields []grading.Field) string {
	if grant == "DELETE" {
		return ""
	}
	var names []string
	for _, f := range fields {
		if t.Has(f) {
			names = append(names, t.Col(f))
		}
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// EventFields are all that an event is made of.
var EventFields = []grading.Field{
	grading.EventID, grading.EventCopy, grading.EventAction, grading.EventActor, grading.EventMeta, grading.EventAt,
}

// StatusFields are what giving a copy back writes; those that are not here are
// left out of the statement.
var StatusFields = []grading.Field{grading.CopyStatus, grading.CopyLockedBy, grading.CopyLockedAt}
