package rows

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/grading"
)

// Hold locks the rows of copies until the transaction ends and gives the ids
// that it got. It never waits: a row that somebody holds means that an
// operation of the application runs on that copy.
func (t Tables) Hold(ctx context.Context, tx pgx.Tx, ids []string) (map[string]bool, error) {
	sql := fmt.Sprintf("select %[1]s::text from %[2]s where %[1]s = any(%[3]s) order by %[1]s for update skip locked",
		t.Col(grading.CopyID), t.Table(grading.CopyID), t.array(1, grading.CopyID))
	return collect(ctx, tx, "hold the copy rows", sql, ids)
}

// DeleteLocks deletes exactly the locks given, each by every value seen, and
// gives the ids of those that were still so.
func (t Tables) DeleteLocks(ctx context.Context, tx pgx.Tx, locks []*Lock) (map[string]bool, error) {
	if len(locks) == 0 {
		return nil, nil
	}
	var c [5][]string
	for _, l := range locks {
		for i, v := range []string{l.ID, l.CopyID, l.Token, stamp(l.Expires), fmt.Sprint(l.Owner.ID)} {
			c[i] = append(c[i], v)
		}
	}
	return collect(ctx, tx, "delete the locks", t.DeleteSQL(), c[0], c[1], c[2], c[3], c[4])
}

// DeleteSQL is the statement of DeleteLocks, for the journal.
func (t Tables) DeleteSQL() string {
	fields := []grading.Field{grading.LockID, grading.LockCopy, grading.LockToken, grading.LockExpires, grading.LockOwner}
	var same []string
	for i, f := range fields {
		same = append(same, fmt.Sprintf("l.%s = s.v%d::%s", t.Col(f), i+1, t.typ(f)))
	}
	return fmt.Sprintf(`delete from %s l using unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as s(v1, v2, v3, v4, v5) where %s returning l.%s::text`, t.Table(grading.LockID), strings.Join(same, " and "), t.Col(grading.LockID))
}

// GiveBack makes LOCKED copies READY and forgets who locked them, as the
// application's own release does. It gives the ids it changed.
func (t Tables) GiveBack(ctx context.Context, tx pgx.Tx, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return collect(ctx, tx, "update the copies", t.GiveBackSQL(), ids)
}

// GiveBackSQL is the statement of GiveBack, for the journal.
func (t Tables) GiveBackSQL() string {
	set := []string{t.Col(grading.CopyStatus) + " = 'READY'"}
	for _, f := range []grading.Field{grading.CopyLockedBy, grading.CopyLockedAt} {
		if t.Has(f) {
			set = append(set, t.Col(f)+" = null")
		}
	}
	return fmt.Sprintf("update %s set %s where %s = any(%s) and %s = 'LOCKED' returning %s::text",
		t.Table(grading.CopyID), strings.Join(set, ", "), t.Col(grading.CopyID), t.array(1, grading.CopyID),
		t.Col(grading.CopyStatus), t.Col(grading.CopyID))
}

// Restore makes READY copies LOCKED again with what they had before. It gives
// the ids it changed.
func (t Tables) Restore(ctx context.Context, tx pgx.Tx, copies []*Copy) (map[string]bool, error) {
	if len(copies) == 0 {
		return nil, nil
	}
	var ids, by, at []string
	for _, c := range copies {
		ids, by = append(ids, c.ID), append(by, fmt.Sprint(c.LockedBy))
		when := ""
		if !c.LockedAt.IsZero() {
			when = stamp(c.LockedAt)
		}
		at = append(at, when)
	}
	set := []string{t.Col(grading.CopyStatus) + " = 'LOCKED'"}
	if t.Has(grading.CopyLockedBy) {
		set = append(set, t.Col(grading.CopyLockedBy)+" = nullif(s.by, '0')::"+t.typ(grading.CopyLockedBy))
	}
	if t.Has(grading.CopyLockedAt) {
		set = append(set, t.Col(grading.CopyLockedAt)+" = nullif(s.at, '')::timestamptz")
	}
	sql := fmt.Sprintf(`update %s c set %s from unnest($1::text[], $2::text[], $3::text[]) as s(id, by, at) where c.%s = s.id::%s and c.%s = 'READY' returning c.%[3]s::text`, t.Table(grading.CopyID), strings.Join(set, ", "),
		t.Col(grading.CopyID), t.typ(grading.CopyID), t.Col(grading.CopyStatus))
	return collect(ctx, tx, "update the copies", sql, ids, by, at)
}

// PutLocks inserts locks as they were. A row gets its old id only where the
// database gives none by itself.
func (t Tables) PutLocks(ctx context.Context, tx pgx.Tx, locks []*Lock) error {
	if len(locks) == 0 {
		return nil
	}
	fields := []grading.Field{
		grading.LockCopy, grading.LockOwner, grading.LockToken, grading.LockSince, grading.LockExpires,
	}
	if !t.Columns[grading.LockID].Default {
		fields = append(fields, grading.LockID)
	}
	columns := make([][]string, 6)
	for _, l := range locks {
		for i, v := range []string{l.CopyID, fmt.Sprint(l.Owner.ID), l.Token, stamp(l.Since), stamp(l.Expires), l.ID} {
			columns[i] = append(columns[i], v)
		}
	}
	var names, values, params []string
	var args []any
	for i, f := range fields {
		names, values = append(names, t.Col(f)), append(values, fmt.Sprintf("s.v%d::%s", i+1, t.typ(f)))
		params, args = append(params, fmt.Sprintf("$%d::text[]", i+1)), append(args, columns[i])
	}
	sql := fmt.Sprintf("insert into %s (%s) select %s from unnest(%s) as s(%s) returning %s::text", t.Table(grading.LockID),
		strings.Join(names, ", "), strings.Join(values, ", "), strings.Join(params, ", "), numbered(len(fields)), t.Col(grading.LockID))
	got, err := collect(ctx, tx, "insert the locks", sql, args...)
	if err == nil && len(got) != len(locks) {
		err = fmt.Errorf("insert the locks: %d of %d written", len(got), len(locks))
	}
	return err
}

// numbered is v1, v2, … vn.
func numbered(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("v%d", i+1)
	}
	return strings.Join(names, ", ")
}

// Event is a line for the application's own audit trail.
type Event struct {
	CopyID string
	Action string
	Actor  int64 // auth_user.id; 0 is written as null
	Meta   map[string]any
}

// InsertEvents writes events with the database's time, giving every column
// that the database does not fill in by itself.
func (t Tables) InsertEvents(ctx context.Context, tx pgx.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var ids, copies, words, actors, metas []string
	for _, e := range events {
		meta, err := json.Marshal(e.Meta)
		if err != nil {
			return fmt.Errorf("encode the event: %w", err)
		}
		ids, copies = append(ids, uuid.NewString()), append(copies, e.CopyID)
		words, actors, metas = append(words, e.Action), append(actors, fmt.Sprint(e.Actor)), append(metas, string(meta))
	}
	tag, err := tx.Exec(ctx, t.EventSQL(), ids, copies, words, actors, metas)
	if err == nil && tag.RowsAffected() != int64(len(events)) {
		err = fmt.Errorf("%d of %d written", tag.RowsAffected(), len(events))
	}
	if err != nil {
		return fmt.Errorf("insert the events: %w", err)
	}
	return nil
}

// EventSQL is the statement of InsertEvents, for the journal.
func (t Tables) EventSQL() string {
	fields := []grading.Field{grading.EventCopy, grading.EventAction, grading.EventActor, grading.EventMeta, grading.EventAt}
	values := []string{"s.copy", "s.action", "nullif(s.actor, '0')", "s.meta", "now()::text"}
	if t.typ(grading.EventID) == "uuid" && !t.Columns[grading.EventID].Default {
		fields, values = append(fields, grading.EventID), append(values, "s.id")
	}
	var names []string
	for i, f := range fields {
		names = append(names, t.Col(f))
		values[i] += "::" + t.typ(f)
	}
	return fmt.Sprintf(`insert into %s (%s) select %s from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as s(id, copy, action, actor, meta)`,
		t.Table(grading.EventID), strings.Join(names, ", "), strings.Join(values, ", "))
}

// Signed gives the copies that have an event of this action id: the proof that
// its transaction was committed.
func (t Tables) Signed(ctx context.Context, tx pgx.Tx, actionID string, ids []string) (map[string]bool, error) {
	sql := fmt.Sprintf("select distinct %[1]s::text from %[2]s where %[1]s = any(%[3]s) and %[4]s::jsonb ->> 'action_id' = $2",
		t.Col(grading.EventCopy), t.Table(grading.EventID), t.array(1, grading.EventCopy), t.Col(grading.EventMeta))
	return collect(ctx, tx, "read the events", sql, ids, actionID)
}

// SignedSince gives the copies with an event of this action id, whichever they
// are. It reads the audit trail from a moment on, so it is for settling only.
func (t Tables) SignedSince(ctx context.Context, tx pgx.Tx, actionID string, from time.Time) ([]string, error) {
	sql := fmt.Sprintf("select distinct %s::text from %s where %s >= $1::text::timestamptz and %s::jsonb ->> 'action_id' = $2",
		t.Col(grading.EventCopy), t.Table(grading.EventID), t.Col(grading.EventAt), t.Col(grading.EventMeta))
	set, err := collect(ctx, tx, "read the events", sql, stamp(from), actionID)
	return slices.Sorted(maps.Keys(set)), err
}

// collect gives the first column of a statement as a set.
func collect(ctx context.Context, tx pgx.Tx, op, sql string, args ...any) (map[string]bool, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	set := make(map[string]bool, len(got))
	for id := range slices.Values(got) {
		set[id] = true
	}
	return set, nil
}
