package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// finalization is one attempt: by whom, with which token, from which request.
type finalization struct {
	copy    string
	user    int64
	token   string
	request *request // nil in the worker
}

// gradable is what a finalization reads of a copy.
type gradable struct {
	status, pdf string
	lockedBy    int64
	retries     int
	pages       int
}

// finalize grades a copy: everything in one transaction, so that a failure
// leaves the row as it was, and its only trace is the log line. (The
// playbook's dialect writes a FINALIZE event with success false.)
func (a *app) finalize(ctx context.Context, f finalization) (score float64, err error) {
	started := time.Now()
	attempt := 0
	err = a.atomic(ctx, func(tx pgx.Tx) error {
		g, err := a.loadGradable(ctx, tx, f.copy)
		if err != nil {
			return err
		}
		if err := a.mayFinalize(ctx, tx, g, f); err != nil {
			return err
		}
		attempt = g.retries + 1
		score, err = a.grade(ctx, tx, g, f)
		return err
	})
	if attempt > 0 && ctx.Err() == nil {
		a.metrics.finalized(outcome(err), attempt, time.Since(started).Seconds())
	}
	if err != nil && ctx.Err() == nil {
		a.recordFailure(ctx, f, attempt, err)
	}
	return score, err
}

func (a *app) loadGradable(ctx context.Context, tx pgx.Tx, copyID string) (gradable, error) {
	var g gradable
	err := tx.QueryRow(ctx, a.byDialect(
		`SELECT status, coalesce(final_pdf, ''), coalesce(locked_by_id, 0), grading_retries, (`+pageCount+`) FROM exams_copy c WHERE id = $1 FOR UPDATE`,
		`SELECT status, coalesce(final_copy_pdf, ''), 0, (SELECT count(*) FROM grading_gradingevent e WHERE e.copy_id = c.id AND action = 'FINALIZE')::int, (`+pageCount+`)
		 FROM exams_copy c WHERE id = $1 FOR UPDATE`), copyID).Scan(&g.status, &g.pdf, &g.lockedBy, &g.retries, &g.pages)
	return g, err
}

// mayFinalize is the application's table of statuses and locks.
func (a *app) mayFinalize(ctx context.Context, tx pgx.Tx, g gradable, f finalization) error {
	if g.status == "GRADED" {
		return conflict("already_graded", "Copy already finalized.")
	}
	open := "LOCKED"
	if !a.locking {
		open = "READY"
	}
	if g.status != open && g.status != "GRADING_FAILED" {
		return badState("Only %s or GRADING_FAILED copies can be finalized", open)
	}
	if !a.locking {
		return nil
	}
	lock, err := a.lockOf(ctx, tx, f.copy)
	if err != nil {
		return err
	}
	if lock == nil {
		// The playbook's tables do not say who held a lock that is gone.
		if a.dialect == Deployed && g.lockedBy != f.user {
			return conflict("missing", "Lock required.")
		}
		return nil
	}
	if lock.expired {
		return conflict("expired", "Lock expired.")
	}
	return checkLock(lock, f.user, f.token)
}

// grade renders and writes the result.
func (a *app) grade(ctx context.Context, tx pgx.Tx, g gradable, f finalization) (float64, error) {
	_, err := tx.Exec(ctx, a.byDialect(
		`UPDATE exams_copy SET status = 'GRADING_IN_PROGRESS', grading_retries = grading_retries + 1, locked_at = NULL, locked_by_id = NULL WHERE id = $1`,
		`UPDATE exams_copy SET status = 'GRADING_IN_PROGRESS', updated_at = now() WHERE id = $1`), f.copy)
	if err != nil {
		return 0, err
	}
	if a.locking {
		if err := a.dropLock(ctx, tx, f.copy); err != nil {
			return 0, err
		}
	}
	score, err := a.score(ctx, tx, f.copy)
	if err != nil {
		return 0, err
	}
	if g.pdf == "" {
		if g.pdf, err = a.render(ctx, f.copy, g.pages); err != nil {
			return 0, err
		}
	}
	if err := a.recordSuccess(ctx, tx, g, f, score); err != nil {
		return 0, err
	}
	return score, a.markGraded(ctx, tx, f.copy, g.pdf, score)
}

func (a *app) markGraded(ctx context.Context, tx pgx.Tx, copyID, pdf string, score float64) error {
	if a.dialect == Playbook {
		_, err := tx.Exec(ctx, `UPDATE exams_copy SET status = 'GRADED', final_copy_pdf = $2, final_score = $3::float8, updated_at = now()
			WHERE id = $1`, copyID, pdf, score)
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE exams_copy SET status = 'GRADED', graded_at = now(), grading_error_message = NULL, final_pdf = $2
		WHERE id = $1`, copyID, pdf)
	return err
}

// score is the sum of the questions where the copy has such a row, else of the
// annotations.
func (a *app) score(ctx context.Context, tx pgx.Tx, copyID string) (score float64, err error) {
	err = tx.QueryRow(ctx, a.byDialect(
		`SELECT coalesce(
			(SELECT sum(nullif(v.value, '')::numeric) FROM grading_score s, jsonb_each_text(s.scores_data) v
			 WHERE s.copy_id = $1 AND s.scores_data <> '{}'),
			(SELECT sum(score_delta) FROM grading_annotation WHERE copy_id = $1), 0)::float8`,
		`SELECT coalesce(sum(score), 0)::float8 FROM grading_annotation WHERE copy_id = $1`), copyID).Scan(&score)
	return score, err
}

// render makes the PDF, which takes its time and may fail.
func (a *app) render(ctx context.Context, copyID string, pages int) (name string, err error) {
	took := a.trouble.get(func(t *trouble) time.Duration { return t.renderTime })
	if took == 0 {
		took = 300*time.Millisecond + rand.N(1200*time.Millisecond)
	}
	if err := nap(ctx, a.after(took)); err != nil {
		return "", err
	}
	if pages == 0 {
		return "", pdfFailure("ValueError", "No pages found to flatten")
	}
	if e := a.trouble.pdfError(copyID); e != nil {
		return "", pdfFailure(e.exc, e.detail)
	}
	name = fmt.Sprintf("copies/final/copy_%s_corrected.pdf", copyID)
	if err := a.saveMedia(name, tinyPDF); err != nil {
		return "", pdfFailure("OSError", err.Error())
	}
	return name, nil
}

const pdfFailurePrefix = "Failed to generate final PDF: "

func pdfFailure(exc, detail string) error {
	return &appError{
		exc: "ValueError", detail: pdfFailurePrefix + detail, status: http.StatusBadRequest, cause: exc + ": " + detail,
	}
}

// recordSuccess writes the FINALIZE event by get_or_create(copy, action,
// actor): a first one is made, one is reused as it is, two are an error. The
// playbook's dialect makes one each time.
func (a *app) recordSuccess(ctx context.Context, tx pgx.Tx, g gradable, f finalization, score float64) error {
	if a.dialect == Playbook {
		return a.event(ctx, tx, f.copy, "FINALIZE", f.user, object{{"final_score", score}, {"success", true}, {"retries", g.retries}})
	}
	var before int
	err := tx.QueryRow(ctx, `SELECT count(*)::int FROM grading_gradingevent WHERE copy_id = $1 AND action = 'FINALIZE' AND actor_id = $2`,
		f.copy, f.user).Scan(&before)
	switch {
	case err != nil:
		return err
	case before > 1:
		return &appError{exc: "MultipleObjectsReturned", status: http.StatusInternalServerError,
			detail: fmt.Sprintf("get() returned more than one GradingEvent -- it returned %d!", before)}
	case before == 1:
		return nil
	}
	return a.event(ctx, tx, f.copy, "FINALIZE", f.user, object{{"final_score", score}, {"retries", g.retries + 1}})
}

// recordFailure leaves what a failed attempt leaves: a log line when the PDF
// failed, and in the playbook's dialect an event.
func (a *app) recordFailure(ctx context.Context, f finalization, attempt int, err error) {
	e := asAppError(err)
	why := strings.TrimPrefix(e.detail, pdfFailurePrefix)
	if e.cause != "" {
		a.logs.write(pdfFailed(f.copy, attempt, e.cause, f.request))
	}
	refused := e.conflict == "already_graded" || attempt == 0 && e.conflict == "" // nothing was attempted
	if a.dialect != Playbook || refused {
		return
	}
	_ = a.atomic(ctx, func(tx pgx.Tx) error {
		return a.event(ctx, tx, f.copy, "FINALIZE", f.user, object{{"success", false}, {"error", why}, {"retries", max(attempt, 1)}})
	})
}

// tinyPDF is a valid PDF of one empty page.
var tinyPDF = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
	"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n" +
	"trailer<</Root 1 0 R>>\n%%EOF\n")
