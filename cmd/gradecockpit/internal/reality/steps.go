package reality

import (
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
)

// The names of the tables as the incident playbook has them, section 2.2.
const (
	copies      = "exams_copy"
	exams       = "exams_exam"
	booklets    = "exams_booklet"
	links       = "exams_copy_booklets"
	locks       = "grading_copylock"
	events      = "grading_gradingevent"
	annotations = "grading_annotation"
)

var (
	eventRow = columns(events, name{field: grading.EventCopy, here: "copy_id"}, name{field: grading.EventAction, here: "action"},
		name{field: grading.EventAt, here: "timestamp"}, name{field: grading.EventMeta, here: "metadata"}, name{field: grading.EventActor, here: "actor_id"})
	lockHolder  = columns(locks, name{field: grading.LockCopy, here: "copy_id"}, name{field: grading.LockOwner, here: "locked_by_id"}, name{field: grading.LockExpires, here: "expires_at"})
	lockSince   = columns(locks, name{field: grading.LockSince, here: "created_at"})
	lockExpiry  = columns(locks, name{field: grading.LockExpires, here: "expires_at"})
	lockTable   = columns(locks, name{field: grading.LockCopy, here: "copy_id"})
	copyStatus  = columns(copies, name{field: grading.CopyStatus, here: "status"})
	copyResults = columns(copies, name{field: grading.CopyScore, here: "final_score", missing: "There is no final_score: the score is computed."},
		name{field: grading.CopyFinalPDF, here: "final_copy_pdf"})
	pages = columns(booklets, name{field: grading.BookletPages, here: "pages_images"})
	link  = columns(links, name{field: grading.LinkCopy, here: "copy_id"})
)

// rolledBack is the column of the generation whose failed finalizations are
// undone whole, with their event; it writes the reason under detail.
const rolledBack = grading.CopyRetries

func importSteps() []step {
	return []step{
		{"3.2/1", "Find the import in the logs", []need{file("django.log"), remark(rolledBack, "An import over HTTP that succeeds leaves no line.")}},
		{"3.2/2", "Status, booklets and pages of the copy", []need{copyStatus, link, pages}},
		{"3.2/3", "IMPORT event of the copy", []need{eventRow, remark(rolledBack, "An upload of a whole exam writes none.")}},
		{"3.2/4", "Import task in Celery and in the logs", []need{broker, inView, file("django.log"), together, remark(rolledBack, "An upload over HTTP uses no task.")}},
		{"3.2/5", "Errors of PDFs and files", []need{file("django.log"), together}},
		{"3.4/1", "Restart the worker", []need{unit}},
		{"3.4/2", "Retry the import", []need{taken("import"), where(grading.CopySource, Impossible, "No task of this application imports an existing copy again; the call raises TypeError.")}},
		{"3.4/3", "Check the disk space", []need{mounted(host.Media), mounted(host.Database), databaseBelow("/var/lib/postgresql")}},
		{"3.4/4", "Open the PDF with PyMuPDF", []need{mounted(host.Media), always(AsWritten, "It needs PyMuPDF on this machine; gradecockpit pdf needs none.")}},
	}
}

func finalizationSteps() []step {
	return []step{
		{"4.2/1", "Status, score and final PDF", []need{copyStatus, copyResults}},
		{"4.2/2", "FINALIZE events of the copy", []need{eventRow, where(rolledBack, Rewritten, "A failure is rolled back with its event, and its reason stands under detail.")}},
		{"4.2/3", "Finalization in the logs", []need{file("django.log"), together}},
		{"4.2/4", "Retries of the task", []need{file("django.log"), together, remark(rolledBack, "A finalization in the browser uses no task; and the attempt is always 1.")}},
		{"4.2/5", "Lock of the copy", []need{lockHolder, expiryMethod, inUse}},
		{"4.4/1", "Extract the stack trace", []need{file("django.log"), words("/async_finalize_copy.*ERROR/", "A record has its level before the name of the function.")}},
		{"4.4/2", "List the annotations", []need{columns(annotations, name{field: grading.AnnPage, here: "page"}, name{field: grading.AnnType, here: "annotation_type"}, name{field: grading.AnnPoints, here: "score"})}},
		{"4.4/3", "Clear a stale lock", []need{lockExpiry, expiryMethod, inUse}},
		{"4.4/4", "Retry the finalization", []need{taken("finalize"), onlyHolder}},
		{"4.4/5", "Finalize by hand", []need{always(Impossible, "It stops at CopyLock, which it does not import; with that mended it grades unfinished work.")}},
	}
}

func lockSteps() []step {
	const conflict = "A conflict is written as Conflict with the path."
	return []step{
		{"5.2/1", "List the locks", []need{lockHolder, expiryMethod, inUse}},
		{"5.2/2", "Lock of one copy", []need{lockHolder, lockSince, expiryMethod, slicedToken, inUse}},
		{"5.2/3", "LOCK and UNLOCK events", []need{eventRow, inUse}},
		{"5.2/4", "Lock conflicts in the logs", []need{file("django.log"), words("/LockConflictError|already_locked|lock conflict/", conflict)}},
		{"5.2/5", "Expired locks", []need{lockExpiry, inUse}},
		{"5.4/1", "Clear expired locks", []need{lockExpiry, staysLocked}},
		{"5.4/2", "Force-unlock a copy", []need{lockTable, where(grading.CopyLockedBy, Rewritten, "The status stays LOCKED, and no UNLOCK event tells of it."), freed}},
		{"5.4/3", "Look for a cleanup job", []need{lockTable, remark(grading.CopyLockedBy, "No version has one: it finds nothing.")}},
		{"5.4/4", "Look for a race", []need{file("django.log"), words("/already_locked/", conflict), lockTable}},
		{"5.4/5", "Count lock conflicts", []need{counted}},
	}
}

func latencySteps() []step {
	return []step{
		{"6.2/1", "Scrape the HTTP metrics", []need{endpoint}},
		{"6.2/2", "Slow requests in the logs", []need{file("django.log"), always(Rewritten, "Its awk compares the last word as text, not as a number.")}},
		{"6.2/3", "Activity and sizes of the database", []need{databaseName("viatique"), inPublic, always(AsWritten, "It passes by who is idle in a transaction and holds rows.")}},
		{"6.2/4", "Count the queries of a page", []need{link, always(AsWritten, "It counts its own queries only.")}},
		{"6.2/5", "Length of the queue", []need{broker, always(Rewritten, "It counts what runs, never what waits.")}},
		{"6.4/1", "Switch on the log of slow statements", []need{always(Rewritten, "A reload switches the log on; a restart would break every request.")}},
		{"6.4/2", "Look at a plan", []need{columns(copies, name{field: grading.CopyCreated, here: "created_at"})}},
		{"6.4/3", "List the indexes", []need{inPublic}},
		{"6.4/4", "select_related and prefetch_related", []need{columns(exams, name{field: grading.ExamName, here: "title"})}},
		{"6.4/5", "Start more workers", []need{broker, always(Rewritten, "A second worker takes the queue celery only, and ends with the shell.")}},
		{"6.4/6", "Pool the connections", []need{always(Rewritten, "CONN_MAX_AGE is no pool: a long one holds connections open.")}},
	}
}

func auditSteps() []step {
	const code = "It is about the program's code, which a checkout shows."
	return []step{
		{"7.2/1", "All events of the copy", []need{eventRow}},
		{"7.2/2", "The copy in audit.log", []need{file("audit.log"), words(`GradingEvent !"returned more than one"`, "Events are logged nowhere; audit.log has a copy only in a request's path.")}},
		{"7.2/3", "Count events by action", []need{eventRow, remark(rolledBack, "EXPORT is never written; under Django 3.2 each count is 1, for it groups by time as well.")}},
		{"7.2/4", "Rollbacks in the logs", []need{file("django.log")}},
		{"7.2/5", "Where the code creates events", []need{where(rolledBack, Rewritten, "FINALIZE is written by get_or_create, which the grep passes by.")}},
		{"7.4/1", "Exceptions of the services", []need{file("django.log"), together}},
		{"7.4/2", "Transaction boundaries", []need{always(AsWritten, code)}},
		{"7.4/3", "Create a missing event", []need{eventRow, always(Rewritten, "The given time is ignored: the event would be dated now."),
			where(rolledBack, Rewritten, "A second FINALIZE by one user makes every later one fail.")}},
		{"7.4/4", "Run the audit tests", []need{always(Rewritten, "Tests make a database of their own: they belong on a checkout.")}},
		{"7.4/5", "Assert that the event is there", []need{always(Rewritten, "The key is there before the row: the assertion holds whether or not the row does.")}},
	}
}
