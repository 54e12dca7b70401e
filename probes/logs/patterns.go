package logs

// Pattern is a search that an incident asks for, by name.
type Pattern struct {
	Name  string // "lock-conflict"
	Title string // "Lock conflicts"
	Finds string // one sentence: what it finds, and what leaves nothing in the logs
	Query string // in the language of ParseQuery
}

// Patterns are the named searches, in the order in which they are listed. They
// find what the deployed system really writes: a lock conflict, for example, is
// nowhere called so.
func Patterns() []Pattern {
	return []Pattern{
		{"errors", "Errors of the last hour", "Every ERROR and CRITICAL record of the last hour, in all logs and rotated parts.", `level:error since:1h`},
		{"import", "Imports", "Records about imports, by task or over HTTP; an import that succeeds over HTTP leaves none.",
			`/(?i)import_pdf|batch_import|async import|copies/import/|exams/(?:[0-9a-f-]{36}/)?upload//`},
		{"finalize", "Finalizations", "Records about finalizations and PDF generation; one that succeeds over HTTP leaves none.",
			`/(?i)finaliz|pdf generation failed/`},
		{"attempts", "Failed attempts of tasks", "Tasks that raised, were retried or counted an attempt, with the attempt in the message.",
			`/(?i)async \w+ failed|attempt \d+|Task \S+ (?:raised|retry)|Retry in \d/`},
		{"pdf", "OCR and rasterisation", "What PyMuPDF, rasterisation, flattening or OCR failed at.",
			`/(?i)rasteri[sz]|pymupdf|fitz|flatten|tesseract|poppler|\bOCR\b|broken document|FileDataError/ level:warning`},
		{"permission", "Permission and missing files", "Files that could not be opened: no right, or not there.",
			`/PermissionError|FileNotFoundError|Permission denied|No such file or directory/`},
		{"disk", "Disk and memory", "A full disk or a lack of memory, also as the end of a worker.",
			`/(?i)No space left|Errno 28|quota exceeded|MemoryError|Cannot allocate memory|WorkerLostError|signal 9|SIGKILL/`},
		{"lock-conflict", "Lock conflicts", "Requests refused with 409; the application's only word for it is django.request's Conflict with the path.",
			`/Conflict: /|"status_code": 409|\/ 409$|already_locked|LockConflictError|(?i:lock conflict)/`},
		{"lock", "Locks", "Warnings and errors about locks: missing, expired, another owner, another token.",
			`/(?i)\block(?:ed|ing|s)?\b|unlock|/lock/|lock token|LOCKED/ level:warning`},
		{"rollback", "Rollbacks and database errors", "Transactions that were rolled back or broken off, and errors of the database.",
			`/(?i)IntegrityError|OperationalError|InterfaceError|DatabaseError|rollback|rolled back|deadlock|transaction.{0,80}(?:aborted|failed|timeout)|connection already closed/`},
		{"duplicate-finalize", "Duplicate FINALIZE events", "Finalizations that fail for ever because their actor already has two FINALIZE events on the copy.",
			`/returned more than one GradingEvent|MultipleObjectsReturned/`},
		{"timeout", "Timeouts", "Time limits of requests, statements and tasks that were exceeded, and gateway timeouts.",
			`/(?i)timeout|timed out|too long|slow query|TimeLimitExceeded|"status_code": 504/`},
		{"slow", "Slow requests", "Requests that took over 5 s, which is when the application logs them.", `/(?i)slow request|\btook \d/`},
		{"service-errors", "Exceptions of the services", "What the service layer refused or failed at, with its traceback.",
			`/API Service Error|"logger": "grading\.services"| grading\.services / level:warning`},
		{"tracebacks", "Tracebacks", "Every record with a traceback.", `"Traceback (most recent call last)"`},
		{"workers", "Workers", "Workers that started, stopped, were lost or lost their broker.",
			`/(?i)WorkerLostError|worker exited|missed heartbeat|connection to broker lost|celery@\S+ ready|warm shutdown|cold shutdown|Cannot connect to redis/`},
		{"refused", "Refused requests", "Every answer of 4xx or 5xx that django.request logged.", `logger:django.request level:warning`},
	}
}

// FindPattern gives a named search.
func FindPattern(name string) (Pattern, bool) {
	for _, p := range Patterns() {
		if p.Name == name {
			return p, true
		}
	}
	return Pattern{}, false
}
