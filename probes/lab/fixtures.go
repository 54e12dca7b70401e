package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// DB is one database with the grading system's tables. Its methods add rows
// without the caller knowing the dialect: what a dialect has no column for is
// left out. Zero times mean the database's now(), except where said.
type DB struct {
	Conn     Conn
	Dialect  Dialect
	HasLocks bool
}

// CopyRow describes a copy. A zero time of the deployed columns means NULL.
type CopyRow struct {
	ID     string // uuid; "" makes one up
	Anon   string // "" makes one up
	Status string // "" is READY
	Exam   string // id from AddExam; "" makes an exam
	// Pages: -1 no booklet at all, 0 a booklet without pages, n pages.
	Pages    int
	FinalPDF string // media path; "" none
	Error    string // deployed only, as are the following
	Retries  int

	LockedBy, Corrector                   int64 // user ids; 0 nobody
	LockedAt, Graded, Validated, Assigned time.Time

	Created time.Time // playbook only (NULL is not allowed there: zero is now)
	Score   *float64  // playbook only: final_score
}

// LockRow describes a row of grading_copylock.
type LockRow struct {
	Copy    string
	Owner   int64
	Since   time.Time
	Expires time.Time // zero: 10 minutes after now
	Token   string    // uuid; "" makes one up
}

// EventRow describes an audit event. Meta nil is {}.
type EventRow struct {
	Copy   string
	Action string
	Actor  int64
	At     time.Time
	Meta   map[string]any
}

// AnnotationRow describes an annotation; deployed keeps whole Points only.
type AnnotationRow struct {
	Copy    string
	By      int64
	Page    int
	Type    string // "" is COMMENT
	Points  *float64
	Content string
	At      time.Time
}

// DraftRow describes a teacher's autosaved draft.
type DraftRow struct {
	Copy    string
	Owner   int64
	Version int
	Token   string // of the lock it was saved under; "" NULL
	At      time.Time
}

// ScoreRow describes the per-question scores of one copy in one row (02-11 on).
type ScoreRow struct {
	Copy string
	Data map[string]any
	At   time.Time
}

// QuestionScoreRow describes one question's score (02-04 to 02-10).
type QuestionScoreRow struct {
	Copy, Question string
	Score          float64
	By             int64
	At             time.Time
}

// Now is the database's clock.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := d.Conn.QueryRow(ctx, "SELECT now()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	return now, nil
}

// AddUser adds an active auth_user and gives its id.
func (d *DB) AddUser(ctx context.Context, name string) (int64, error) {
	var id int64
	err := d.Conn.QueryRow(ctx, `
		INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
		VALUES ('!', false, $1, '', '', '', false, true, now()) RETURNING id`, name).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add user %q: %w", name, err)
	}
	return id, nil
}

// AddExam adds an exam and gives its id.
func (d *DB) AddExam(ctx context.Context, name string) (string, error) {
	id := uuid.NewString()
	sql := `INSERT INTO exams_exam (id, name, date, is_processed, grading_structure, pages_per_booklet, upload_mode, created_at, updated_at)
		VALUES ($1, $2, now(), true, '[]', 4, 'BATCH_A3', now(), now())`
	if d.Dialect == Playbook {
		sql = `INSERT INTO exams_exam (id, title, date, created_at) VALUES ($1, $2, now(), now())`
	}
	return id, d.add(ctx, "exam", sql, id, name)
}

// AddCopy adds a copy with its booklet and gives its id.
func (d *DB) AddCopy(ctx context.Context, c CopyRow) (string, error) {
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	if c.Anon == "" {
		c.Anon = "IMPORT-" + c.ID[:8]
	}
	if c.Status == "" {
		c.Status = "READY"
	}
	if c.Exam == "" {
		exam, err := d.AddExam(ctx, "Exam of "+c.Anon)
		if err != nil {
			return "", err
		}
		c.Exam = exam
	}
	if err := d.insertCopy(ctx, c); err != nil {
		return "", err
	}
	if c.Pages < 0 {
		return c.ID, nil
	}
	return c.ID, d.addBooklet(ctx, c)
}

func (d *DB) insertCopy(ctx context.Context, c CopyRow) error {
	if d.Dialect == Playbook {
		return d.add(ctx, "copy", `
			INSERT INTO exams_copy (id, anonymous_id, status, final_score, final_copy_pdf, created_at, updated_at, exam_id)
			VALUES ($1, $2, $3, $4, $5, coalesce($6, now()), coalesce($6, now()), $7)`,
			c.ID, c.Anon, c.Status, c.Score, null(c.FinalPDF), null(c.Created), c.Exam)
	}
	return d.add(ctx, "copy", `
		INSERT INTO exams_copy (id, anonymous_id, status, final_pdf, exam_id, is_identified, pdf_source, grading_error_message,
			grading_retries, locked_by_id, assigned_corrector_id, locked_at, graded_at, validated_at, assigned_at)
		VALUES ($1, $2, $3, $4, $5, false, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.ID, c.Anon, c.Status, null(c.FinalPDF), c.Exam, "copies/source/copy_"+c.ID+".pdf", null(c.Error),
		c.Retries, null(c.LockedBy), null(c.Corrector), null(c.LockedAt), null(c.Graded), null(c.Validated), null(c.Assigned))
}

// addBooklet links a booklet with the copy's number of pages.
func (d *DB) addBooklet(ctx context.Context, c CopyRow) error {
	pages := make([]string, c.Pages)
	for i := range pages {
		pages[i] = fmt.Sprintf("copies/pages/%s/p%03d.png", c.ID, i)
	}
	id := uuid.NewString()
	return d.add(ctx, "booklet", `
		WITH b AS (INSERT INTO exams_booklet (id, start_page, end_page, exam_id, pages_images) VALUES ($1, 1, $2, $3, $4))
		INSERT INTO exams_copy_booklets (copy_id, booklet_id) VALUES ($5, $1)`,
		id, max(1, c.Pages), c.Exam, pages, c.ID)
}

// AddLock adds a lock row and gives its token. The copy's own columns are the
// caller's to set, as the deployed system keeps them apart, too.
func (d *DB) AddLock(ctx context.Context, l LockRow) (token string, err error) {
	if l.Token == "" {
		l.Token = uuid.NewString()
	}
	sql := `INSERT INTO grading_copylock (copy_id, owner_id, locked_at, expires_at, token)
		VALUES ($1, $2, coalesce($3, now()), coalesce($4, now() + interval '10 minutes'), $5)`
	if d.Dialect == Playbook {
		sql = `INSERT INTO grading_copylock (copy_id, locked_by_id, created_at, expires_at, token)
			VALUES ($1, $2, coalesce($3, now()), coalesce($4, now() + interval '10 minutes'), $5)`
	}
	return l.Token, d.add(ctx, "lock", sql, l.Copy, l.Owner, null(l.Since), null(l.Expires), l.Token)
}

// AddEvent adds an audit event and gives its id.
func (d *DB) AddEvent(ctx context.Context, e EventRow) (string, error) {
	if e.Meta == nil {
		e.Meta = map[string]any{}
	}
	id := uuid.NewString()
	return id, d.add(ctx, "event", `
		INSERT INTO grading_gradingevent (id, copy_id, action, actor_id, timestamp, metadata)
		VALUES ($1, $2, $3, $4, coalesce($5, now()), $6)`, id, e.Copy, e.Action, e.Actor, null(e.At), e.Meta)
}

// AddAnnotation adds an annotation and gives its id.
func (d *DB) AddAnnotation(ctx context.Context, a AnnotationRow) (string, error) {
	if a.Type == "" {
		a.Type = "COMMENT"
	}
	id := uuid.NewString()
	sql := `INSERT INTO grading_annotation
			(id, copy_id, created_by_id, page_index, type, score_delta, content, created_at, updated_at, x, y, w, h, version)
		VALUES ($1, $2, $3, $4, $5, $6::float8, $7, coalesce($8, now()), coalesce($8, now()), 0.1, 0.1, 0.2, 0.1, 0)`
	if d.Dialect == Playbook {
		sql = `INSERT INTO grading_annotation (id, copy_id, created_by_id, page, annotation_type, score, content, created_at)
			VALUES ($1, $2, $3, $4, $5, $6::float8, $7, coalesce($8, now()))`
	}
	return id, d.add(ctx, "annotation", sql, id, a.Copy, a.By, a.Page, a.Type, a.Points, a.Content, null(a.At))
}

// AddDraft adds a teacher's draft.
func (d *DB) AddDraft(ctx context.Context, r DraftRow) error {
	return d.add(ctx, "draft", `
		INSERT INTO grading_draftstate (id, copy_id, owner_id, version, lock_token, payload, updated_at)
		VALUES ($1, $2, $3, $4, $5, '{}', coalesce($6, now()))`,
		uuid.NewString(), r.Copy, r.Owner, r.Version, null(r.Token), null(r.At))
}

// AddScore adds a row of grading_score.
func (d *DB) AddScore(ctx context.Context, s ScoreRow) error {
	return d.add(ctx, "score", `
		INSERT INTO grading_score (id, copy_id, scores_data, final_comment, created_at, updated_at)
		VALUES ($1, $2, $3, '', coalesce($4, now()), coalesce($4, now()))`, uuid.NewString(), s.Copy, s.Data, null(s.At))
}

// AddQuestionScore adds a row of grading_questionscore (option QuestionScores).
func (d *DB) AddQuestionScore(ctx context.Context, s QuestionScoreRow) error {
	return d.add(ctx, "question score", `
		INSERT INTO grading_questionscore (id, copy_id, question_id, score, created_by_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4::float8, $5, coalesce($6, now()), coalesce($6, now()))`,
		uuid.NewString(), s.Copy, s.Question, s.Score, s.By, null(s.At))
}

func (d *DB) add(ctx context.Context, what, sql string, args ...any) error {
	if _, err := d.Conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("add %s: %w", what, err)
	}
	return nil
}

// null turns a zero value into NULL.
func null[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
