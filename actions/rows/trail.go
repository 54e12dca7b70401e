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

// Trail is what tells who did what on a copy, and when.
type Trail struct {
	Validated, Graded time.Time // zero: not set, or no such column here
	Corrector         grading.User
	LockedBy          grading.User
	Pages             int      // -1: cannot be read
	Score             *float64 // the column of the playbook's tables; nil: none
	Drawn             int      // annotations; -1: cannot be read
	Bare              *Bare    // an annotation without its event, the oldest; nil: none
	Told              []Told   // events by kind and actor, newest last
}

// Bare is an annotation of which no CREATE_ANN tells.
type Bare struct {
	ID   string
	Page int
	By   grading.User
	At   time.Time
}

// Told is how often, and when, somebody did something by the events.
type Told struct {
	Action      string
	Actor       grading.User
	Count       int
	First, Last time.Time
}

// Count adds up the events of a kind.
func (t *Trail) Count(action string) (n int) {
	for _, e := range t.Told {
		if e.Action == action {
			n += e.Count
		}
	}
	return n
}

// Last gives who did one of some things last, and when.
func (t *Trail) Last(actions ...string) (who grading.User, at time.Time) {
	for _, e := range t.Told {
		for _, a := range actions {
			if e.Action == a && e.Last.After(at) {
				who, at = e.Actor, e.Last
			}
		}
	}
	return who, at
}

// Trail reads it in three statements.
func (t Tables) Trail(ctx context.Context, tx pgx.Tx, id string) (*Trail, error) {
	r := &Trail{Pages: -1, Drawn: -1}
	for _, read := range []func(context.Context, pgx.Tx, *Trail, string) error{t.columns, t.told, t.bare} {
		if err := read(ctx, tx, r, id); err != nil {
			return nil, fmt.Errorf("read the copy's trail: %w", err)
		}
	}
	return r, nil
}

func (t Tables) columns(ctx context.Context, tx pgx.Tx, r *Trail, id string) error {
	var validated, graded pgtype.Timestamptz
	var corrector, locker *int64
	var correctorName, lockerName *string
	var pages *int
	sql := fmt.Sprintf("select %s, %s, %s, %s, %s, %s, %s, %s from %s c where c.%s = $1::text::%s",
		t.field("c", grading.CopyValidated, "timestamptz"), t.field("c", grading.CopyGraded, "timestamptz"),
		t.field("c", grading.CopyCorrector, "bigint"), t.nameOf("c", grading.CopyCorrector),
		t.field("c", grading.CopyLockedBy, "bigint"), t.nameOf("c", grading.CopyLockedBy),
		t.pages(), t.field("c", grading.CopyScore, "float8"),
		t.Table(grading.CopyID), t.Col(grading.CopyID), t.typ(grading.CopyID))
	err := tx.QueryRow(ctx, sql, id).Scan(&validated, &graded, &corrector, &correctorName, &locker, &lockerName, &pages, &r.Score)
	r.Validated, r.Graded, r.Pages = moment(validated), moment(graded), or(pages, -1)
	r.Corrector, r.LockedBy = person(corrector, correctorName), person(locker, lockerName)
	return err
}

func (t Tables) told(ctx context.Context, tx pgx.Tx, r *Trail, id string) error {
	sql := fmt.Sprintf(`select e.%[1]s::text, e.%[2]s::bigint, %[3]s, count(*)::int, min(e.%[4]s)::timestamptz, max(e.%[4]s)::timestamptz
 from %[5]s e where e.%[6]s = $1::text::%[7]s group by 1, 2, e.%[2]s order by max(e.%[4]s)`,
		t.Col(grading.EventAction), t.Col(grading.EventActor), t.nameOf("e", grading.EventActor), t.Col(grading.EventAt),
		t.Table(grading.EventID), t.Col(grading.EventCopy), t.typ(grading.EventCopy))
	rows, err := tx.Query(ctx, sql, id)
	if err != nil {
		return err
	}
	r.Told, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Told, err error) {
		var actor *int64
		var name *string
		var first, last pgtype.Timestamptz
		err = row.Scan(&e.Action, &actor, &name, &e.Count, &first, &last)
		e.Action, e.Actor, e.First, e.Last = clean.Text(e.Action), person(actor, name), moment(first), moment(last)
		return e, err
	})
	return err
}

// bare looks for annotations without an event, by the id in its metadata.
func (t Tables) bare(ctx context.Context, tx pgx.Tx, r *Trail, id string) error {
	if !t.Has(grading.AnnID, grading.AnnCopy, grading.AnnBy) {
		return nil
	}
	sql := fmt.Sprintf(`select (select count(*) from %[1]s a where a.%[2]s = $1::text::%[3]s)::int, b.* from (select) one
 left join lateral (select a.%[4]s::text, %[5]s, a.%[6]s::bigint, %[7]s, %[8]s from %[1]s a
 where a.%[2]s = $1::text::%[3]s and not exists (select from %[9]s e where e.%[10]s = $1::text::%[11]s and e.%[12]s::text = 'CREATE_ANN'
 and e.%[13]s::jsonb ->> 'annotation_id' = a.%[4]s::text) order by 5, 1 limit 1) b on true`,
		t.Table(grading.AnnID), t.Col(grading.AnnCopy), t.typ(grading.AnnCopy), t.Col(grading.AnnID), t.field("a", grading.AnnPage, "bigint"),
		t.Col(grading.AnnBy), t.nameOf("a", grading.AnnBy), t.field("a", grading.AnnAt, "timestamptz"),
		t.Table(grading.EventID), t.Col(grading.EventCopy), t.typ(grading.EventCopy), t.Col(grading.EventAction), t.Col(grading.EventMeta))
	var annotation, name *string
	var page, by *int64
	var at pgtype.Timestamptz
	err := tx.QueryRow(ctx, sql, id).Scan(&r.Drawn, &annotation, &page, &by, &name, &at)
	if err == nil && annotation != nil {
		r.Bare = &Bare{ID: *annotation, Page: int(or(page, -1)), By: person(by, name), At: moment(at)}
	}
	return err
}

// nameOf is the name of the user that a field names, or a null.
func (t Tables) nameOf(alias string, f grading.Field) string {
	if !t.Has(f) {
		return "null::text"
	}
	return t.userName(alias + "." + t.Col(f))
}

func person(id *int64, name *string) grading.User {
	return grading.User{ID: or(id, 0), Name: clean.Text(or(name, ""))}
}

// Stored is an event as the database has it, every value as text.
type Stored struct {
	ID, Copy, Action, Actor, At, Meta string
}

// storedFields are the columns of a Stored, in its order.
var storedFields = []grading.Field{grading.EventID, grading.EventCopy, grading.EventAction, grading.EventActor, grading.EventAt, grading.EventMeta}

// Written gives the events on a copy that an action wrote.
func (t Tables) Written(ctx context.Context, tx pgx.Tx, actionID, copyID string) ([]Stored, error) {
	var columns []string
	for _, f := range storedFields {
		columns = append(columns, "coalesce("+t.field("e", f, "text")+", '')")
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("select %s from %s e where e.%s = $1::text::%s and e.%s::jsonb ->> 'action_id' = $2", strings.Join(columns, ", "),
		t.Table(grading.EventID), t.Col(grading.EventCopy), t.typ(grading.EventCopy), t.Col(grading.EventMeta)), copyID, actionID)
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Stored])
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return list, nil
}

// DeleteEvent deletes exactly the event given, by every value of it, and tells
// whether it was still so.
func (t Tables) DeleteEvent(ctx context.Context, tx pgx.Tx, e Stored) (bool, error) {
	tag, err := tx.Exec(ctx, t.DeleteEventSQL(), e.ID, e.Copy, e.Action, e.Actor, e.At, e.Meta)
	if err != nil {
		return false, fmt.Errorf("delete the event: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// DeleteEventSQL is the statement of DeleteEvent, for the journal.
func (t Tables) DeleteEventSQL() string {
	var same []string
	for i, f := range storedFields {
		as := t.typ(f)
		if f == grading.EventMeta { // json has no equality
			same = append(same, fmt.Sprintf("%s::jsonb = $%d::text::jsonb", t.Col(f), i+1))
			continue
		}
		same = append(same, fmt.Sprintf("%s is not distinct from nullif($%d::text, '')::%s", t.Col(f), i+1, as))
	}
	return "delete from " + t.Table(grading.EventID) + " where " + strings.Join(same, " and ")
}
