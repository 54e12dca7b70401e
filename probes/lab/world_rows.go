package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// batch gathers rows of a session's history and writes them by COPY: ten
// thousand copies take a second that way. All randomness comes from one seeded
// source, all times are set back from one moment, so that a seed gives the
// same rows.
type batch struct {
	dialect Dialect
	locking bool
	rng     *rand.Rand
	now     time.Time // the database's
	users   []int64   // the correctors
	exams   []seedExam
	late    []seedExam
	counter *int // of anonymous ids, shared by all batches of a world

	copies, booklets, links, annotations, locks, events, drafts [][]any
	made                                                        []seeded
}

// seedExam is an exam and the start of its copies' anonymous ids.
type seedExam struct {
	id, prefix, title string
	age               time.Duration
}

// spec says what a copy looks like and since when.
type spec struct {
	status string
	age    time.Duration // how long it has been in this status
	pages  int           // 0: none, as an upload leaves it that never got its pages
	holder int           // index of the corrector
	owner  bool          // exams_copy.locked_by_id is set (deployed, LOCKED)
	// expires is when the lock runs out, from now; nil: no lock row.
	expires     *time.Duration
	annotations int
	noPDF       bool
	skip        []string // actions that are missing from the history
	more        []seedEvent
	upload      bool // from an exam upload: no IMPORT event
}

// seedEvent is an event beside those that the status implies.
type seedEvent struct {
	action string
	ago    time.Duration
	meta   object
}

// gradedAfter is how long before its grade a copy is locked at the latest.
const gradedAfter = 11 * time.Minute

// seeded is a copy that was made.
type seeded struct {
	id, anon, exam, token string
	holder                int64
}

func (b *batch) uuid() string {
	var raw [16]byte
	for i := range raw {
		raw[i] = byte(b.rng.UintN(256))
	}
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	return uuid.UUID(raw).String()
}

func (b *batch) ago(d time.Duration) time.Time { return b.now.Add(-d) }

// between gives a duration of the half-open range.
func (b *batch) between(low, high time.Duration) time.Duration {
	return low + time.Duration(b.rng.Int64N(int64(high-low)))
}

// add makes one copy with everything that hangs on it.
func (b *batch) add(s spec) seeded {
	exam := b.examFor(s)
	*b.counter++
	c := seeded{
		id: b.uuid(), anon: fmt.Sprintf("%s-%04d", exam.prefix, *b.counter),
		exam: exam.id, holder: b.users[s.holder%len(b.users)],
	}
	validated := s.age
	if s.status != "READY" {
		validated = s.age + b.between(4*time.Minute, 20*time.Minute)
	}
	if s.status == "GRADED" {
		validated += gradedAfter // the work on it came between
	}
	imported := s.age
	if s.status != "STAGING" {
		imported = validated + b.between(2*time.Minute, 30*time.Minute)
	}
	b.addCopy(s, c, validated, imported)
	b.addBooklet(s, c)
	points := b.addWork(s, c)
	b.addLock(s, &c)
	b.addHistory(s, c, validated, imported, points)
	b.made = append(b.made, c)
	return c
}

// examFor puts an uploaded copy into an exam that was there already when it
// came.
func (b *batch) examFor(s spec) seedExam {
	if !s.upload {
		return b.exams[b.rng.IntN(len(b.exams))]
	}
	for _, e := range b.late {
		if e.age >= s.age {
			return e
		}
	}
	return b.late[len(b.late)-1]
}

func (b *batch) addCopy(s spec, c seeded, validated, imported time.Duration) {
	graded := s.status == "GRADED"
	pdf := ""
	if graded && !s.noPDF {
		pdf = "copies/final/copy_" + c.id + "_corrected.pdf"
	}
	if b.dialect == Playbook {
		var score *float64
		if graded {
			score = ptr(float64(s.annotations))
		}
		b.copies = append(b.copies, []any{c.id, c.anon, s.status, c.exam, null(pdf), score, b.ago(imported), b.ago(s.age)})
		return
	}
	var lockedBy *int64
	var lockedAt, gradedAt, validatedAt *time.Time
	if s.owner {
		lockedBy, lockedAt = &c.holder, ptr(b.ago(s.age))
	}
	retries := 0
	if graded {
		gradedAt, retries = ptr(b.ago(s.age)), 1
	}
	if s.status != "STAGING" {
		validatedAt = ptr(b.ago(validated))
	}
	b.copies = append(b.copies, []any{
		c.id, c.anon, s.status, c.exam, null(pdf), s.status != "STAGING", "copies/source/copy_" + c.id + ".pdf",
		retries, lockedBy, lockedAt, gradedAt, validatedAt, c.holder, b.ago(imported),
	})
}

func (b *batch) addBooklet(s spec, c seeded) {
	id := b.uuid()
	b.booklets = append(b.booklets, []any{id, 1, max(1, s.pages), c.exam, pageImages(c.id, s.pages)})
	b.links = append(b.links, []any{c.id, id})
}

// addWork makes the annotations, spread over the time the copy is in hand.
func (b *batch) addWork(s spec, c seeded) (points int) {
	for i := range s.annotations {
		at := b.ago(b.workedAt(s, i))
		id := b.uuid()
		points++
		page := b.rng.IntN(max(1, s.pages))
		if b.dialect == Playbook {
			b.annotations = append(b.annotations, []any{id, c.id, c.holder, page, "COMMENT", 1.0, "vu", at})
		} else {
			b.annotations = append(b.annotations, []any{id, c.id, c.holder, page, "COMMENT", 1, "vu", at, at, .6, .2, .2, .05, 0})
		}
		b.event(c, "CREATE_ANN", b.workedAt(s, i), object{{"annotation_id", id}, {"page", page}}, s.skip)
	}
	return points
}

// workedAt spreads annotations: after the lock while LOCKED, before the grade
// when GRADED.
func (b *batch) workedAt(s spec, i int) time.Duration {
	share := time.Duration(i+1) * time.Second
	if s.status == "GRADED" {
		return s.age + 10*time.Minute*time.Duration(s.annotations-i)/time.Duration(s.annotations+1)
	}
	if s.expires != nil && *s.expires < 0 {
		// Somebody left: the work ended when the heartbeats did.
		return s.age - share*20
	}
	return s.age - s.age*time.Duration(i+1)/time.Duration(s.annotations+1)
}

func (b *batch) addLock(s spec, c *seeded) {
	if s.expires == nil || !b.locking {
		return
	}
	c.token = b.uuid()
	b.locks = append(b.locks, []any{c.id, c.holder, c.token, b.ago(s.age), b.now.Add(*s.expires)})
	if *s.expires > 0 {
		b.drafts = append(b.drafts, []any{b.uuid(), "{}", c.token, 1 + b.rng.IntN(30), b.ago(s.age), c.id, c.holder})
	}
}

// addHistory writes the events that lead to the status.
func (b *batch) addHistory(s spec, c seeded, validated, imported time.Duration, points int) {
	skip := s.skip
	if s.upload {
		skip = append([]string{"IMPORT"}, skip...)
	}
	if s.pages > 0 {
		b.event(c, "IMPORT", imported, object{{"filename", c.anon + ".pdf"}, {"pages", s.pages}}, skip)
	}
	if s.status != "STAGING" {
		b.event(c, "VALIDATE", validated, object{}, skip)
	}
	prefix := b.uuid()[:8]
	if c.token != "" {
		prefix = c.token[:8]
	}
	lockMeta := object{{"token_prefix", prefix}}
	switch s.status {
	case "LOCKED":
		b.lockEvent(c, s.age, lockMeta, skip)
	case "GRADED":
		b.lockEvent(c, s.age+gradedAfter, lockMeta, skip)
		meta := object{{"final_score", float64(points)}, {"retries", 1}}
		if b.dialect == Playbook {
			meta = object{{"final_score", float64(points)}, {"success", true}, {"retries", 0}}
		}
		b.event(c, "FINALIZE", s.age, meta, skip)
	}
	for _, e := range s.more {
		b.event(c, e.action, e.ago, e.meta, nil)
	}
}

func (b *batch) lockEvent(c seeded, ago time.Duration, meta object, skip []string) {
	if b.locking {
		b.event(c, "LOCK", ago, meta, skip)
	}
}

func (b *batch) event(c seeded, action string, ago time.Duration, meta object, skip []string) {
	for _, s := range skip {
		if s == action {
			return
		}
	}
	b.events = append(b.events, []any{b.uuid(), c.id, action, c.holder, b.ago(ago), pyJSON(meta)})
}

// flush writes everything in one transaction.
func (b *batch) flush(ctx context.Context, db interface {
	Begin(context.Context) (pgx.Tx, error)
}) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		for _, t := range b.tables() {
			if len(t.rows) == 0 {
				continue
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return fmt.Errorf("seed %s: %w", t.name, err)
			}
		}
		return nil
	})
}

// seedTable is one COPY.
type seedTable struct {
	name    string
	columns []string
	rows    [][]any
}

func (b *batch) tables() []seedTable {
	copyCols := []string{
		"id", "anonymous_id", "status", "exam_id", "final_pdf", "is_identified", "pdf_source", "grading_retries",
		"locked_by_id", "locked_at", "graded_at", "validated_at", "assigned_corrector_id", "assigned_at",
	}
	annCols := []string{
		"id", "copy_id", "created_by_id", "page_index", "type", "score_delta", "content", "created_at", "updated_at",
		"x", "y", "w", "h", "version",
	}
	lockCols := []string{"copy_id", "owner_id", "token", "locked_at", "expires_at"}
	if b.dialect == Playbook {
		copyCols = []string{"id", "anonymous_id", "status", "exam_id", "final_copy_pdf", "final_score", "created_at", "updated_at"}
		annCols = []string{"id", "copy_id", "created_by_id", "page", "annotation_type", "score", "content", "created_at"}
		lockCols = []string{"copy_id", "locked_by_id", "token", "created_at", "expires_at"}
	}
	return []seedTable{
		{"exams_copy", copyCols, b.copies},
		{"exams_booklet", []string{"id", "start_page", "end_page", "exam_id", "pages_images"}, b.booklets},
		{"exams_copy_booklets", []string{"copy_id", "booklet_id"}, b.links},
		{"grading_annotation", annCols, b.annotations},
		{"grading_copylock", lockCols, b.locks},
		{"grading_draftstate", []string{"id", "payload", "lock_token", "version", "updated_at", "copy_id", "owner_id"}, b.drafts},
		{"grading_gradingevent", []string{"id", "copy_id", "action", "actor_id", "timestamp", "metadata"}, b.events},
	}
}

func ptr[T any](v T) *T { return &v }
