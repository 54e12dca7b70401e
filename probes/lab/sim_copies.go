package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// annotate adds an annotation of a teacher who holds the copy.
func (a *app) annotate(ctx context.Context, copyID string, user int64, token string, page, points int) error {
	return a.underLock(ctx, copyID, user, token, func(tx pgx.Tx) error {
		id := uuid.NewString()
		_, err := tx.Exec(ctx, a.byDialect(
			`INSERT INTO grading_annotation (id, copy_id, created_by_id, page_index, type, score_delta, content, x, y, w, h, version, created_at, updated_at)
			 VALUES ($1, $2, $3, $4, 'COMMENT', $5, 'vu', 0.6, 0.2, 0.2, 0.05, 0, now(), now())`,
			`INSERT INTO grading_annotation (id, copy_id, created_by_id, page, annotation_type, score, content, created_at)
			 VALUES ($1, $2, $3, $4, 'COMMENT', $5::int, 'vu', now())`), id, copyID, user, page, points)
		if err != nil {
			return err
		}
		return a.event(ctx, tx, copyID, "CREATE_ANN", user, object{{"annotation_id", id}, {"page", page}})
	})
}

// saveDraft is the browser's autosave: only version moves, updated_at does not.
func (a *app) saveDraft(ctx context.Context, copyID string, user int64, token string) error {
	return a.underLock(ctx, copyID, user, token, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO grading_draftstate (id, payload, lock_token, client_id, version, updated_at, copy_id, owner_id)
			VALUES ($1, '{"rects": []}', $2, $3, 1, now(), $4, $5)
			ON CONFLICT (copy_id, owner_id) DO UPDATE SET version = grading_draftstate.version + 1, lock_token = excluded.lock_token`,
			uuid.NewString(), null(token), uuid.NewString(), copyID, user)
		return err
	})
}

// importFile makes a STAGING copy with its pages from a scanned file. A failed
// import leaves no row.
func (a *app) importFile(ctx context.Context, exam, file string, user int64) (copyID string, err error) {
	started := time.Now()
	if err := a.rasterize(ctx, ""); err != nil {
		a.metrics.imported("failed", 4, time.Since(started).Seconds())
		return "", err
	}
	if !strings.HasPrefix(file, a.media) {
		file = filepath.Join(a.media, file)
	}
	if _, err := os.Stat(file); err != nil {
		return "", &appError{exc: "FileNotFoundError", status: http.StatusBadRequest, detail: fmt.Sprintf("[Errno 2] No such file or directory: '%s'", file)}
	}
	id := uuid.NewString()
	err = a.atomic(ctx, func(tx pgx.Tx) error {
		if err := a.insertStaging(ctx, tx, id, exam); err != nil {
			return err
		}
		return a.addPages(ctx, tx, id, exam, user, filepath.Base(file))
	})
	a.metrics.imported(outcome(err), 4, time.Since(started).Seconds())
	return id, err
}

func (a *app) insertStaging(ctx context.Context, tx pgx.Tx, id, exam string) error {
	anon := "IMPORT-" + strings.ToUpper(id[:8])
	if a.dialect == Playbook {
		_, err := tx.Exec(ctx, `INSERT INTO exams_copy (id, anonymous_id, status, exam_id, created_at, updated_at)
			VALUES ($1, $2, 'STAGING', $3, now(), now())`, id, anon, exam)
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO exams_copy (id, anonymous_id, status, exam_id, is_identified, grading_retries, pdf_source)
		VALUES ($1, $2, 'STAGING', $3, false, 0, $4)`, id, anon, exam, "copies/source/copy_"+id+".pdf")
	return err
}

// addPages links a booklet of four pages and writes the IMPORT event.
func (a *app) addPages(ctx context.Context, tx pgx.Tx, copyID, exam string, user int64, filename string) error {
	const pages = 4
	_, err := tx.Exec(ctx, `WITH b AS (INSERT INTO exams_booklet (id, start_page, end_page, exam_id, pages_images) VALUES ($1, 1, $2, $3, $4))
		INSERT INTO exams_copy_booklets (copy_id, booklet_id) VALUES ($5, $1)`,
		uuid.NewString(), pages, exam, pageImages(copyID, pages), copyID)
	if err != nil {
		return err
	}
	return a.event(ctx, tx, copyID, "IMPORT", user, object{{"filename", filename}, {"pages", pages}})
}

func pageImages(copyID string, pages int) []string {
	images := make([]string, pages)
	for i := range images {
		images[i] = fmt.Sprintf("copies/pages/%s/p%03d.png", copyID, i)
	}
	return images
}

// importPages is the playbook's import: it fills a copy that waits in STAGING.
func (a *app) importPages(ctx context.Context, copyID string, user int64) error {
	started := time.Now()
	rasterized := a.rasterize(ctx, copyID) // outside the transaction: it takes long
	err := a.atomic(ctx, func(tx pgx.Tx) error {
		var status, exam string
		var pages int
		err := tx.QueryRow(ctx, `SELECT status, exam_id::text, (`+pageCount+`) FROM exams_copy c WHERE id = $1 FOR UPDATE`, copyID).Scan(&status, &exam, &pages)
		if err != nil {
			return err
		}
		if status != "STAGING" || pages > 0 {
			return badState("Only STAGING copies without pages can be imported")
		}
		if rasterized != nil {
			return rasterized
		}
		return a.addPages(ctx, tx, copyID, exam, user, "copy_"+copyID+".pdf")
	})
	a.metrics.imported(outcome(err), 4, time.Since(started).Seconds())
	return err
}

// rasterize takes the time that turning a PDF into images takes, and fails as
// the faults have it.
func (a *app) rasterize(ctx context.Context, copyID string) error {
	typical := a.trouble.get(func(t *trouble) time.Duration { return t.importTime })
	if typical == 0 {
		typical = 1300 * time.Millisecond
	}
	// Between half and one and a half times the typical.
	if err := nap(ctx, a.after(typical/2+rand.N(typical))); err != nil {
		return err
	}
	if e := a.trouble.pdfError(copyID); e != nil {
		e.status = http.StatusBadRequest
		return e
	}
	return nil
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "success"
}

// pageCount counts the pages of copy c over its booklets.
const pageCount = `SELECT coalesce(sum(jsonb_array_length(b.pages_images)), 0)::int
	FROM exams_copy_booklets l JOIN exams_booklet b ON b.id = l.booklet_id WHERE l.copy_id = c.id`

// validate makes an imported copy READY.
func (a *app) validate(ctx context.Context, copyID string, user int64) error {
	return a.atomic(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, a.byDialect(
			`UPDATE exams_copy c SET status = 'READY', validated_at = now() WHERE id = $1 AND status = 'STAGING' AND (`+pageCount+`) > 0`,
			`UPDATE exams_copy c SET status = 'READY', updated_at = now() WHERE id = $1 AND status = 'STAGING' AND (`+pageCount+`) > 0`), copyID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return badState("Only STAGING copies with pages can be validated")
		}
		return a.event(ctx, tx, copyID, "VALIDATE", user, object{})
	})
}
