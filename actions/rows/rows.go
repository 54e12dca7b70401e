// Package rows is how actions read and write the grading tables: the state of
// copies with their locks as a plan sees them and as an execution checks them
// again, and the few writes there are. All of it works on sets of copies, so
// that one copy and a thousand take the same number of round trips, and on
// resolved names only, so that it serves every dialect of the schema.
package rows

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// Tables composes SQL from a discovered schema.
type Tables struct{ *grading.Schema }

// Copy is a copy with its lock, as the database had it at one moment. All text
// but ids and tokens is cleaned.
type Copy struct {
	ID, Anon string
	Status   string
	LockedBy int64     // 0: nobody, or no such column here
	LockedAt time.Time // zero: not set, or no such column here
	Lock     *Lock     // nil: none
	At       time.Time // the database's clock when this was read
}

// Lock is a row of grading_copylock. The token is whole here: it is what proves
// that a row is the one that was seen. Show [Lock.Prefix] only.
type Lock struct {
	ID, CopyID string
	Token      string
	Owner      grading.User
	Since      time.Time
	Expires    time.Time
	Expired    bool // by the database's clock
	Draft      int  // autosaves of the owner's draft; -1 unknown or none
}

// Prefix is as much of the token as may be shown or journaled.
func (l *Lock) Prefix() string {
	if len(l.Token) <= 8 {
		return "…"
	}
	return clean.Text(l.Token[:8]) + "…"
}

// Left is how long the lock is still valid at a moment; negative once expired.
func (l *Lock) Left(at time.Time) time.Duration { return l.Expires.Sub(at) }

// Label is what the screen shows.
func (c *Copy) Label() string { return grading.CopyRef{ID: c.ID, Anon: c.Anon}.Label() }

// Read gives the copies of the ids that exist, by id.
func (t Tables) Read(ctx context.Context, tx pgx.Tx, ids []string) (map[string]*Copy, error) {
	where := fmt.Sprintf("c.%s = any(%s)", t.Col(grading.CopyID), t.array(1, grading.CopyID))
	list, err := t.copies(ctx, tx, where, "", ids)
	if err != nil {
		return nil, fmt.Errorf("read copies: %w", err)
	}
	byID := make(map[string]*Copy, len(list))
	for _, c := range list {
		byID[c.ID] = c
	}
	return byID, nil
}

// Expired gives the copies whose lock has expired, oldest expiry first, at most
// max of them.
func (t Tables) Expired(ctx context.Context, tx pgx.Tx, max int) ([]*Copy, error) {
	expires := "l." + t.Col(grading.LockExpires)
	list, err := t.copies(ctx, tx, expires+" < now()", fmt.Sprintf(" order by %s limit %d", expires, max))
	if err != nil {
		return nil, fmt.Errorf("read expired locks: %w", err)
	}
	return list, nil
}

func (t Tables) copies(ctx context.Context, tx pgx.Tx, where, tail string, args ...any) ([]*Copy, error) {
	from := t.Table(grading.CopyID) + " c"
	if t.Has(LockFields...) {
		from += fmt.Sprintf(" left join %s l on l.%s = c.%s", t.Table(grading.LockID), t.Col(grading.LockCopy), t.Col(grading.CopyID))
	}
	sql := "select now(), " + strings.Join(t.selected(), ", ") + " from " + from + " where " + where + tail
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanCopy)
}

// selected are the columns that scanCopy takes, each a null where the field is
// not here.
func (t Tables) selected() []string {
	columns := []string{
		t.field("c", grading.CopyID, "text"), t.field("c", grading.CopyAnon, "text"), t.field("c", grading.CopyStatus, "text"),
		t.field("c", grading.CopyLockedBy, "bigint"), t.field("c", grading.CopyLockedAt, "timestamptz"),
	}
	if !t.Has(LockFields...) {
		return append(columns, "null::text", "null::text", "null::bigint", "null::text", "null::timestamptz", "null::timestamptz", "null::bool", "null::int")
	}
	return append(columns,
		t.field("l", grading.LockID, "text"), t.field("l", grading.LockToken, "text"), t.field("l", grading.LockOwner, "bigint"),
		t.userName("l."+t.Col(grading.LockOwner)), t.field("l", grading.LockSince, "timestamptz"), t.field("l", grading.LockExpires, "timestamptz"),
		"l."+t.Col(grading.LockExpires)+" < now()", t.draft())
}

func scanCopy(row pgx.CollectableRow) (*Copy, error) {
	var (
		c                                  Copy
		anon, status, lockID, token, owner *string
		lockedBy, ownerID                  *int64
		lockedAt, since, expires           pgtype.Timestamptz
		expired                            *bool
		draft                              *int
	)
	err := row.Scan(&c.At, &c.ID, &anon, &status, &lockedBy, &lockedAt, &lockID, &token, &ownerID, &owner, &since, &expires, &expired, &draft)
	if err != nil {
		return nil, err
	}
	c.Anon, c.Status = clean.Text(or(anon, "")), clean.Text(or(status, ""))
	c.LockedBy, c.LockedAt = or(lockedBy, 0), moment(lockedAt)
	if lockID != nil {
		c.Lock = &Lock{
			ID: *lockID, CopyID: c.ID, Token: or(token, ""),
			Owner: grading.User{ID: or(ownerID, 0), Name: clean.Text(or(owner, ""))},
			Since: moment(since), Expires: moment(expires), Expired: or(expired, false), Draft: or(draft, -1),
		}
	}
	return &c, nil
}

// A lock that never expires is one that somebody made by hand. These stand for
// PostgreSQL's infinite times, so that they can be compared and written back.
var (
	endless = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	ageless = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
)

func moment(t pgtype.Timestamptz) time.Time {
	switch {
	case !t.Valid:
		return time.Time{}
	case t.InfinityModifier == pgtype.Infinity:
		return endless
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return ageless
	}
	return t.Time.UTC()
}

// stamp gives a time with all the digits that PostgreSQL keeps.
func stamp(t time.Time) string {
	switch t {
	case endless:
		return "infinity"
	case ageless:
		return "-infinity"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func or[T any](p *T, none T) T {
	if p == nil {
		return none
	}
	return *p
}

// LockFields are what a lock row needs to be read and deleted as seen.
var LockFields = []grading.Field{
	grading.LockID, grading.LockCopy, grading.LockOwner, grading.LockToken, grading.LockExpires,
}

// field is one column of an alias with its type for us, or a null of that type.
func (t Tables) field(alias string, f grading.Field, as string) string {
	if !t.Has(f) {
		return "null::" + as
	}
	return alias + "." + t.Col(f) + "::" + as
}

// userName looks the name of a user up, where auth_user can be read.
func (t Tables) userName(id string) string {
	if !t.Has(grading.UserID, grading.UserName) {
		return "null::text"
	}
	return fmt.Sprintf("(select u.%s from %s u where u.%s = %s)::text",
		t.Col(grading.UserName), t.Table(grading.UserID), t.Col(grading.UserID), id)
}

// draft counts the autosaves of the lock owner's draft: the only sign of
// unsaved work that the database has.
func (t Tables) draft() string {
	if !t.Has(grading.DraftCopy, grading.DraftOwner, grading.DraftVersion) {
		return "null::int"
	}
	return fmt.Sprintf("(select max(d.%s) from %s d where d.%s = c.%s and d.%s = l.%s)::int",
		t.Col(grading.DraftVersion), t.Table(grading.DraftCopy), t.Col(grading.DraftCopy), t.Col(grading.CopyID),
		t.Col(grading.DraftOwner), t.Col(grading.LockOwner))
}

// typ is the type of a field's column, for casts: parameters travel as text.
func (t Tables) typ(f grading.Field) string { return t.Columns[f].Type }

// array is the nth parameter, a []string, as an array of a field's type.
func (t Tables) array(n int, f grading.Field) string {
	return fmt.Sprintf("$%d::text[]::%s[]", n, t.typ(f))
}

// UserExists tells whether a user can sign an event. Where auth_user cannot be
// read the id is taken at its word; the foreign key has the last one.
func (t Tables) UserExists(ctx context.Context, tx pgx.Tx, id int64) (known bool, err error) {
	if !t.Has(grading.UserID) {
		return true, nil
	}
	sql := fmt.Sprintf("select exists (select from %s where %s = $1)", t.Table(grading.UserID), t.Col(grading.UserID))
	if err := tx.QueryRow(ctx, sql, id).Scan(&known); err != nil {
		return false, fmt.Errorf("look up the operator: %w", err)
	}
	return known, nil
}
