package grading

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// maxDossierEvents bounds the timeline of one copy.
const maxDossierEvents = 500

// facts is what the round trip of a dossier gave, before it is judged.
type facts struct {
	Dossier
	created, validated, assigned, examCreated time.Time

	lock        []Lock
	events      []Event
	histories   []history
	finalizers  []finalizer
	score       scoreParts
	finalScore  *float64 // the playbook's column
	copiesFound int
}

// finalizer is who wrote FINALIZE events, and how many.
type finalizer struct {
	user  User
	count int
}

// Dossier reads everything about one copy, named as for Find: two round trips.
func (p *Probe) Dossier(ctx context.Context, id string) (Dossier, error) {
	copy, err := p.Find(ctx, id)
	if err != nil {
		return Dossier{}, err
	}
	var out Dossier
	err = p.with(ctx, "read the copy", func(f found) error {
		d, err := p.readFacts(ctx, f, copy.ID)
		if err == nil && d.copiesFound == 0 {
			err = &NotFound{ID: copy.Label()} // deleted since
		}
		if err == nil {
			out = p.assemble(f.schema, d)
		}
		return err
	})
	return out, err
}

func (p *Probe) readFacts(ctx context.Context, f found, id string) (*facts, error) {
	d := &facts{}
	arg := []any{id}
	err := p.ask(ctx,
		question{f.sql["copy"], arg, d.readCopy},
		question{f.sql["lock_of"], arg, func(rows pgx.Rows) (err error) {
			d.lock, err = readLocks(rows, d.ServerTime, p.opts.Thresholds.LockTTL)
			return err
		}},
		question{f.sql["annotations"], arg, d.readAnnotations},
		question{f.sql["question_score"], arg, d.score.readQuestions},
		question{f.sql["score"], arg, d.score.readScores},
		question{f.sql["finalizers"], arg, d.readFinalizers},
		question{f.sql["events_of_copy"], []any{id, maxDossierEvents}, func(rows pgx.Rows) (err error) {
			d.events, err = readEvents(rows)
			return err
		}},
		question{f.sql["history_of"], []any{arg1(id)}, func(rows pgx.Rows) (err error) {
			d.histories, err = readHistories(rows)
			return err
		}},
	)
	return d, err
}

func arg1(id string) []string { return []string{id} }

func (d *facts) readCopy(rows pgx.Rows) error {
	var id string
	var anon, status, exam, source, final, lockedName, correctorName, reason pgtype.Text
	var examCreated, created, validated, assigned, graded, lockedAt pgtype.Timestamptz
	var booklets, pages, lockedBy, corrector, retries pgtype.Int8
	_, err := pgx.ForEachRow(rows, []any{
		&d.ServerTime, &id, &anon, &status, &exam, &examCreated, &booklets, &pages, &source, &final,
		&created, &validated, &assigned, &graded, &lockedAt, &lockedBy, &lockedName, &corrector, &correctorName,
		&reason, &retries, &d.finalScore,
	}, func() error {
		d.copiesFound++
		d.ServerTime = d.ServerTime.UTC()
		d.Copy, d.Status, d.Exam = ref(id, anon), clean.Text(status.String), clean.Capped(exam.String, maxName)
		d.Booklets, d.Pages, d.Retries = orMinus(booklets), orMinus(pages), orMinus(retries)
		d.PDFSource, d.FinalPDF = clean.Capped(source.String, maxName), clean.Capped(final.String, maxName)
		d.LockedBy, d.Corrector = user(lockedBy, lockedName), user(corrector, correctorName)
		d.GradedAt, d.LockedAt = moment(graded), moment(lockedAt)
		d.created, d.validated, d.assigned, d.examCreated = moment(created), moment(validated), moment(assigned), moment(examCreated)
		d.Error = clean.Capped(reason.String, 2000)
		return nil
	})
	return err
}

func (d *facts) readAnnotations(rows pgx.Rows) error {
	var page pgtype.Int8
	var one PageAnnotations
	_, err := pgx.ForEachRow(rows, []any{&page, &one.Count, &one.Points}, func() error {
		one.Page = orMinus(page)
		d.Annotations = append(d.Annotations, one)
		d.score.annotations += one.Points
		return nil
	})
	return err
}

func (d *facts) readFinalizers(rows pgx.Rows) error {
	var id pgtype.Int8
	var name pgtype.Text
	var count int
	_, err := pgx.ForEachRow(rows, []any{&id, &name, &count}, func() error {
		d.finalizers = append(d.finalizers, finalizer{user(id, name), count})
		return nil
	})
	return err
}

// assemble judges the facts.
func (p *Probe) assemble(s *Schema, d *facts) Dossier {
	p.mu.Lock()
	locks := p.locks
	p.mu.Unlock()
	if len(d.lock) > 0 {
		d.Lock = &d.lock[0]
	}
	d.date()
	d.Score, d.ScoreKnown = d.score.total(s)
	d.Events, _ = insertGaps(d.events, d.histories, locks, len(d.events) == maxDossierEvents)
	d.Notes = d.notes(locks)
	d.Missing = absences(s)
	return d.Dossier
}

// date picks the best timestamp for the status (facts, section 3, "Age without
// created_at").
func (d *facts) date() {
	h := history{}
	if len(d.histories) > 0 {
		h = d.histories[0]
	}
	type dated struct {
		at    time.Time
		from  string
		guess bool
	}
	var lockSince time.Time
	if d.Lock != nil {
		lockSince = d.Lock.Since
	}
	last := dated{h.end(), "last event", true}
	order := map[string][]dated{
		"STAGING":             {{d.created, "created", false}, {h.last("IMPORT"), "IMPORT event", false}, {d.examCreated, "exam created", true}},
		"READY":               {{d.validated, "validated", false}, {d.assigned, "assigned", true}, {h.last("VALIDATE"), "VALIDATE event", false}},
		"LOCKED":              {{lockSince, "lock", false}, {d.LockedAt, "lock", false}, {h.last("LOCK"), "LOCK event", false}},
		"GRADING_FAILED":      {{h.last("FINALIZE"), "FINALIZE event", false}, last},
		"GRADING_IN_PROGRESS": {{h.last("FINALIZE"), "FINALIZE event", true}, last},
		"GRADED":              {{d.GradedAt, "graded", false}, {h.last("FINALIZE"), "FINALIZE event", false}},
	}
	for _, one := range order[d.Status] {
		if !one.at.IsZero() {
			d.Since, d.SinceFrom, d.Guess = one.at, one.from, one.guess
			return
		}
	}
}
