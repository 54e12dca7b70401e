package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// importFaults are the playbook's scenario 1.
func importFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioImport, inject: inject}
	}
	return []Fault{
		fault("worker-down", "The Celery worker was killed; imports wait.", workerDown),
		fault("worker-frozen", "The Celery worker is stopped in its tracks: it listens and answers nothing.", workerFrozen),
		fault("queue-nobody-takes", "Tasks wait on the routed lists finalize and import, which no worker takes.", queueNobodyTakes),
		fault("corrupted-pdf-import", "Uploads cannot be opened: copies stay in STAGING without pages.", corruptedPDF),
		fault("ocr-timeout", "An import ran into its time limit while reading the pages.", ocrTimeout),
		fault("disk-full", "No space is left for media: imports and PDFs fail.", diskFull),
		fault("worker-oom", "The worker was killed for its memory: its task says STARTED for ever.", workerOOM),
	}
}

// emptyImport is a copy that waits for its pages.
func emptyImport(age time.Duration) spec {
	return spec{status: "STAGING", age: age, upload: true}
}

// waitingImports makes copies without pages and a message for each.
func (in *injection) waitingImports(ctx context.Context, n int, queue string) error {
	made, err := in.copies(ctx, n, func(i int) spec { return emptyImport(time.Duration(12+4*i) * time.Minute) })
	if err != nil {
		return err
	}
	for i, c := range made {
		file, err := in.scanned(i)
		if err != nil {
			return err
		}
		if err := in.push(ctx, in.importMessage(queue, c, file)); err != nil {
			return err
		}
	}
	return nil
}

// scanned writes a scan that the worker can read, and gives its path.
func (in *injection) scanned(i int) (string, error) {
	name := filepath.Join("imports", fmt.Sprintf("scan_%04d.pdf", i+1))
	return filepath.Join(in.w.app.media, name), in.w.app.saveMedia(name, tinyPDF)
}

func workerDown(ctx context.Context, in *injection) error {
	in.stopWorker()
	return in.waitingImports(ctx, in.scaled(3), "celery")
}

// stopWorker kills the worker; healing starts it if it ran.
func (in *injection) stopWorker() {
	ran := in.w.Worker.Alive()
	in.w.Worker.Kill()
	in.undoing(func(ctx context.Context) error {
		if !ran {
			return nil
		}
		return in.w.Worker.Start(ctx)
	})
}

func workerFrozen(ctx context.Context, in *injection) error {
	killFirst := in.renewsWorker() // as an operator does
	in.w.Worker.Pause()
	err := in.waitingImports(ctx, in.scaled(3), "celery")
	killFirst()
	return err
}

func queueNobodyTakes(ctx context.Context, in *injection) error {
	if err := in.waitingImports(ctx, in.scaled(3), "import"); err != nil {
		return err
	}
	made, err := in.copies(ctx, in.scaled(4), func(i int) spec { return in.w.interrupted(time.Duration(15+5*i) * time.Minute) })
	if err != nil {
		return err
	}
	for _, c := range made {
		if err := in.push(ctx, in.finalizeMessage("finalize", c.id, c.holder)); err != nil {
			return err
		}
	}
	return nil
}

func corruptedPDF(ctx context.Context, in *injection) error {
	const cause = "cannot open broken document"
	made, err := in.copies(ctx, in.scaled(3), func(i int) spec { return emptyImport(time.Duration(14+9*i) * time.Minute) })
	if err != nil {
		return err
	}
	for i, c := range made {
		in.w.app.trouble.breakPDF(c.id, appError{exc: "fitz.FileDataError", detail: cause})
		if err := in.cutOff(sourceOf(c.id)); err != nil {
			return err
		}
		in.log(time.Duration(13+9*i)*time.Minute, importTaskFailed("copy "+c.id, cause, "fitz.FileDataError"))
		in.w.metrics.imported("failed", 4, 0.4)
	}
	return nil
}

// cutOff writes an upload that broke off, until the fault is healed.
func (in *injection) cutOff(name string) error {
	in.undoing(func(context.Context) error { return os.Remove(filepath.Join(in.w.app.media, name)) })
	return in.w.app.saveMedia(name, tinyPDF[:len(tinyPDF)/2])
}

func ocrTimeout(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return emptyImport(18 * time.Minute) })
	if err != nil {
		return err
	}
	in.log(13*time.Minute, importTaskFailed("copy "+made[0].id, "SoftTimeLimitExceeded()", "billiard.exceptions.SoftTimeLimitExceeded"))
	in.w.metrics.ocrError("timeout")
	in.w.metrics.imported("failed", 120, 300)
	failure := &taskFailure{"TimeLimitExceeded", "300", "billiard.exceptions"}
	return in.result(ctx, "FAILURE", failure.object(), failure.traceback())
}

// result leaves the result of a task that is over, one way or another.
func (in *injection) result(ctx context.Context, status string, value, trace any) error {
	id := in.uuid()
	writeResult(ctx, in.w.rdb, id, status, value, trace)
	in.undoing(func(ctx context.Context) error { return in.w.rdb.Del(ctx, "celery-task-meta-"+id).Err() })
	return nil
}

func diskFull(ctx context.Context, in *injection) error {
	const cause = "[Errno 28] No space left on device"
	in.w.app.trouble.set(func(t *trouble) { t.diskFull = true })
	in.undoing(func(context.Context) error {
		in.w.app.trouble.set(func(t *trouble) { t.diskFull = false })
		return nil
	})
	imports, err := in.copies(ctx, 1, func(int) spec { return emptyImport(11 * time.Minute) })
	if err != nil {
		return err
	}
	in.log(11*time.Minute, importTaskFailed("copy "+imports[0].id, cause, "OSError"))
	grading, err := in.copies(ctx, 1, func(int) spec { return in.w.interrupted(12 * time.Minute) })
	if err != nil {
		return err
	}
	in.log(9*time.Minute, in.pdfFailedAll(grading[0], "OSError: "+cause)...)
	return nil
}

func workerOOM(ctx context.Context, in *injection) error {
	if _, err := in.copies(ctx, 1, func(int) spec { return emptyImport(26 * time.Minute) }); err != nil {
		return err
	}
	if err := in.result(ctx, "STARTED", object{{"pid", 3}, {"hostname", in.w.Worker.Name()}}, nil); err != nil {
		return err
	}
	if err := in.w.logs.worker(25*time.Minute, "ERROR/MainProcess",
		"Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')"); err != nil {
		return err
	}
	if !in.w.Worker.Alive() {
		return nil
	}
	return in.w.Worker.Start(ctx) // the container's restart policy
}
