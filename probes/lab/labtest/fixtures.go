package labtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
)

// The methods below are those of lab.DB, failing the test on an error.

// Now is the database's clock.
func (d *DB) Now() time.Time {
	d.t.Helper()
	now, err := d.DB.Now(Context(d.t))
	return value(d.t, now, err)
}

// AddUser adds an active auth_user.
func (d *DB) AddUser(name string) int64 {
	d.t.Helper()
	id, err := d.DB.AddUser(Context(d.t), name)
	return value(d.t, id, err)
}

// AddExam adds an exam.
func (d *DB) AddExam(name string) string {
	d.t.Helper()
	id, err := d.DB.AddExam(Context(d.t), name)
	return value(d.t, id, err)
}

// AddCopy adds a copy and its booklet.
func (d *DB) AddCopy(c lab.CopyRow) string {
	d.t.Helper()
	id, err := d.DB.AddCopy(Context(d.t), c)
	return value(d.t, id, err)
}

// AddLock adds a lock row and gives its token.
func (d *DB) AddLock(l lab.LockRow) (token string) {
	d.t.Helper()
	token, err := d.DB.AddLock(Context(d.t), l)
	return value(d.t, token, err)
}

// AddEvent adds an audit event.
func (d *DB) AddEvent(e lab.EventRow) string {
	d.t.Helper()
	id, err := d.DB.AddEvent(Context(d.t), e)
	return value(d.t, id, err)
}

// AddAnnotation adds an annotation.
func (d *DB) AddAnnotation(a lab.AnnotationRow) string {
	d.t.Helper()
	id, err := d.DB.AddAnnotation(Context(d.t), a)
	return value(d.t, id, err)
}

// AddDraft adds a teacher's draft.
func (d *DB) AddDraft(r lab.DraftRow) {
	d.t.Helper()
	value(d.t, 0, d.DB.AddDraft(Context(d.t), r))
}

// AddScore adds a row of grading_score.
func (d *DB) AddScore(s lab.ScoreRow) {
	d.t.Helper()
	value(d.t, 0, d.DB.AddScore(Context(d.t), s))
}

// AddQuestionScore adds a row of grading_questionscore.
func (d *DB) AddQuestionScore(s lab.QuestionScoreRow) {
	d.t.Helper()
	value(d.t, 0, d.DB.AddQuestionScore(Context(d.t), s))
}

// Exec runs a statement as superuser.
func (d *DB) Exec(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.Pool.Exec(Context(d.t), sql, args...); err != nil {
		d.t.Fatalf("%s: %v", short(sql), err)
	}
}

// Get reads the one value that a query gives, as superuser:
// labtest.Get[string](db, "SELECT status FROM exams_copy WHERE id = $1", id).
func Get[T any](d *DB, sql string, args ...any) T {
	d.t.Helper()
	rows, err := d.Pool.Query(Context(d.t), sql, args...)
	if err == nil {
		var v T
		if v, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[T]); err == nil {
			return v
		}
	}
	d.t.Fatalf("%s: %v", short(sql), err)
	panic("unreachable")
}

func value[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
