package lab

import (
	"context"
	"strings"
	"time"
)

// finalizeFaults are the playbook's scenario 2, and what the deployed system
// adds to it.
func finalizeFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioFinalize, inject: inject}
	}
	mismatch := fault("lock-token-mismatch", "A finalization came with a token that is not the lock's.", tokenMismatch)
	mismatch.locks = true
	return []Fault{
		fault("finalize-pymupdf-error", "PyMuPDF failed on two copies: a retry mends one, the other fails again.", pymupdfError),
		fault("missing-annotations", "The annotations of a copy vanished while it was finalized.", missingAnnotations),
		mismatch,
		fault("finalize-disk-full", "No space is left for the final PDF of a copy, while smaller files still fit.", finalizeDiskFull),
		fault("finalize-no-pages", "A copy without pages: every finalization fails the same way.", finalizeNoPages),
		fault("finalize-memory-error", "A large PDF needs more memory than there is.", finalizeMemory),
		fault("finalize-idle-timeout", "Rendering took over 60 s and PostgreSQL ended the idle transaction.", finalizeIdle),
		fault("duplicate-finalize", "Two FINALIZE events by one actor: every further finalization fails.", duplicateFinalize),
	}
}

// interrupted is a copy whose finalization failed: where locks are used LOCKED
// with its holder and no lock row, which a retry grades; else READY.
func (w *World) interrupted(age time.Duration) spec {
	s := spec{status: "READY", age: age, pages: 4, annotations: 5}
	if w.app.locking {
		s.status, s.owner = "LOCKED", true
	}
	return s
}

// pdfFailedAll is all that a failed finalization over HTTP logs; cause is the
// exception with its text.
func (in *injection) pdfFailedAll(c seeded, cause string) []logRecord {
	q := in.request(c, "POST", "finalize/")
	return []logRecord{
		pdfFailed(c.id, 1, cause, q), serviceError(pdfFailurePrefix+textOf(cause), q), requestRefused(400, "POST", q.path),
	}
}

// textOf is an exception's text without its name.
func textOf(cause string) string {
	_, text, _ := strings.Cut(cause, ": ")
	return text
}

// failedEvent is what the playbook's dialect leaves in the database; the
// deployed one leaves nothing.
func (in *injection) failedEvent(s spec, ago time.Duration, cause string, retries int) spec {
	if in.w.opts.Dialect == Playbook {
		s.more = append(s.more, seedEvent{"FINALIZE", ago, object{{"success", false}, {"error", cause}, {"retries", retries}}})
	}
	return s
}

// failing makes one copy whose finalization failed some time ago.
func (in *injection) failing(ctx context.Context, ago time.Duration, cause string, change func(*spec)) (seeded, error) {
	made, err := in.copies(ctx, 1, func(int) spec {
		s := in.failedEvent(in.w.interrupted(ago+12*time.Minute), ago, textOf(cause), 2)
		change(&s)
		return s
	})
	if err != nil {
		return seeded{}, err
	}
	in.log(ago, in.pdfFailedAll(made[0], cause)...)
	in.w.metrics.finalized("failed", 1, 1.4)
	return made[0], nil
}

func pymupdfError(ctx context.Context, in *injection) error {
	broken := appError{exc: "fitz.FileDataError", detail: "cannot open broken document"}
	if _, err := in.failing(ctx, 41*time.Minute, broken.Error(), func(*spec) {}); err != nil {
		return err
	}
	c, err := in.failing(ctx, 19*time.Minute, broken.Error(), func(s *spec) { s.holder = 1 })
	if err != nil {
		return err
	}
	in.w.app.trouble.breakPDF(c.id, broken) // this one stays broken
	return nil
}

func missingAnnotations(ctx context.Context, in *injection) error {
	c, err := in.failing(ctx, 23*time.Minute, "DoesNotExist: Annotation matching query does not exist.", func(*spec) {})
	if err != nil {
		return err
	}
	_, err = in.w.pool.Exec(ctx, `DELETE FROM grading_annotation WHERE copy_id = $1`, c.id)
	return err
}

func tokenMismatch(ctx context.Context, in *injection) error {
	const cause = "Invalid lock token."
	made, err := in.copies(ctx, 1, func(int) spec {
		s := in.failedEvent(in.w.interrupted(9*time.Minute), time.Minute, cause, 1)
		s.expires = ptr(lockTTL - 80*time.Second)
		return s
	})
	if err != nil {
		return err
	}
	q := in.request(made[0], "POST", "finalize/")
	in.log(time.Minute, serviceError(cause, q), requestRefused(403, "POST", q.path))
	in.w.metrics.lockConflict("token_mismatch")
	return nil
}

func finalizeNoPages(ctx context.Context, in *injection) error {
	_, err := in.failing(ctx, 33*time.Minute, "ValueError: No pages found to flatten", func(s *spec) { s.pages = 0 })
	return err
}

func finalizeDiskFull(ctx context.Context, in *injection) error {
	full := appError{exc: "OSError", detail: "[Errno 28] No space left on device"}
	c, err := in.failing(ctx, 14*time.Minute, full.Error(), func(s *spec) { s.pages = 60 })
	if err != nil {
		return err
	}
	in.w.app.trouble.breakPDF(c.id, full)
	return nil
}

func finalizeMemory(ctx context.Context, in *injection) error {
	memory := appError{exc: "MemoryError", detail: "code=1: malloc (268435456 bytes) failed"}
	c, err := in.failing(ctx, 27*time.Minute, memory.Error(), func(s *spec) { s.pages = 180 })
	if err != nil {
		return err
	}
	in.w.app.trouble.breakPDF(c.id, memory)
	return nil
}

func finalizeIdle(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return in.w.interrupted(38 * time.Minute) })
	if err != nil {
		return err
	}
	q := in.request(made[0], "POST", "finalize/")
	refused := requestRefused(500, "POST", q.path)
	refused.exc = traceback("services.py", 604, "finalize_copy", "django.db.utils.InterfaceError: connection already closed")
	in.log(22*time.Minute, pdfFailed(made[0].id, 1, "InterfaceError: connection already closed", q), refused, slowRequest("POST", q.path, 500, 67.3, q))
	in.w.metrics.httpRequest("POST", finalizePath, 500, 67.3)
	in.w.metrics.finalized("failed", 1, 67.1)
	return nil
}

func duplicateFinalize(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec {
		s := in.w.interrupted(16 * time.Minute)
		for _, ago := range []time.Duration{70 * time.Minute, 55 * time.Minute} {
			s.more = append(s.more, seedEvent{"FINALIZE", ago, object{{"final_score", 5.0}, {"retries", 1}}})
		}
		return s
	})
	if err != nil {
		return err
	}
	in.log(5*time.Minute, finalizeTaskFailed(made[0].id, "get() returned more than one GradingEvent -- it returned 2!", "MultipleObjectsReturned"))
	return nil
}
