// Package places says where each diagnosis command of the playbook has its
// place in the cockpit: the key and the command that answer what it asked. The
// README's table is made of it, and every row has a test that plants what is to
// be found and finds it by that very command.
package places

import (
	"fmt"
	"strings"
)

// Place is one command of the playbook. Words in capitals in Command stand for
// what the responder fills in.
type Place struct {
	Step     string // section and step: "3.2/1"; a letter tells the commands of a step apart
	Playbook string // the playbook's command in short
	Asks     string // what it is for
	Key      string
	Command  string
	Note     string // where the deployed system differs, or the place tells more; "" none
}

// All gives the places, in the playbook's order.
func All() []Place {
	const row = "`enter` on a row of the copy" // in any pane; or :copy ID
	return []Place{
		// Import stuck.
		{"3.2/1", `grep -E "import_pdf\|IMPORT" django.log`, "recent attempts to import", "`8`, `/ pattern:import`", "gradecockpit logs --pattern import", "an import over HTTP that succeeds leaves no line"},
		{"3.2/2", "Copy: status, booklets, pages", "how far the copy came", row, "gradecockpit copy ID", "stuck is STAGING without a page: `2` lists them"},
		{"3.2/3", "GradingEvent IMPORT of the copy", "was it imported", row, "gradecockpit copy ID", "an exam upload writes no IMPORT"},
		{"3.2/4a", "inspect active, grep async_import_pdf", "does an import run", "`7`", "gradecockpit tasks", "also those that wait, are held, failed or are lost"},
		{"3.2/4b", "grep async_import_pdf, ERROR", "what the worker said", "`8`, `/ async_import_pdf level:error`", "gradecockpit logs async_import_pdf level:error", ""},
		{"3.2/5a", "grep rasterize, OCR, PyMuPDF, fitz", "errors of the PDF", "`8`, `/ pattern:pdf`", "gradecockpit logs --pattern pdf", ""},
		{"3.2/5b", "grep PermissionError, FileNotFoundError", "files that cannot be opened", "`8`, `/ pattern:permission`", "gradecockpit logs --pattern permission", ""},
		{"3.4/3a", "df -h", "is a disk full", "`:host`", "gradecockpit show host", "of the volumes with the media, temporary, log and database folders, and when they are full"},
		{"3.4/3b", "du -sh /tmp/*", "what takes the room", "`:host`", "gradecockpit show host", "of all four folders, with wrong owners and modes"},
		{"3.4/4", "fitz.open, page_count", "does the PDF open", "`o` on a row of the copy: PDF", "gradecockpit pdf ID", "cut off, damaged, encrypted, and why; in a process with limits of its own"},
		// Finalization failing.
		{"4.2/1", "Copy: status, final score, final PDF", "what came out", row, "gradecockpit copy ID", "the score is computed: the deployed system has no column of it"},
		{"4.2/2", "GradingEvent FINALIZE: success, retries, error", "what the tries said", row, "gradecockpit copy ID", "the deployed system rolls a failed one back: the log lines on the page are all there is"},
		{"4.2/3a", "grep the copy, finalize", "the copy's log lines", "`o` on a row of the copy: trace", "gradecockpit trace ID", "all logs and rotated parts, with the events and tasks between"},
		{"4.2/3b", "grep finalize, ERROR", "failed finalizations", "`8`, `/ pattern:finalize level:error`", "gradecockpit logs --pattern finalize level:error", ""},
		{"4.2/4a", "grep async_finalize_copy, the copy", "the copy's task", "`7`, `/` the copy", "gradecockpit copy ID", "a result that says success and holds an error is shown as failed"},
		{"4.2/4b", "grep attempt, the copy", "how often it was tried", "`8`, `/ pattern:attempts`", "gradecockpit logs --pattern attempts", "always attempt 1: the tasks never retry"},
		{"4.2/5", "CopyLock of the copy: owner, expiry", "who holds it", row, "gradecockpit copy ID", ""},
		// Lock conflicts.
		{"5.2/1", "all CopyLock rows", "who holds what", "`1`", "gradecockpit show locks", ""},
		{"5.2/2", "CopyLock of the copy, token prefix", "one lock", row, "gradecockpit copy ID", ""},
		{"5.2/3", "GradingEvent LOCK, UNLOCK of the copy", "who locked it before", row, "gradecockpit copy ID", ""},
		{"5.2/4a", "grep LockConflictError, already_locked", "refused requests", "`8`, `/ pattern:lock-conflict`", "gradecockpit logs --pattern lock-conflict", "the deployed system writes only Conflict and the path"},
		{"5.2/4b", "grep LOCK, UNLOCK, WARNING", "warnings about locks", "`8`, `/ pattern:lock`", "gradecockpit logs --pattern lock", ""},
		{"5.2/5", "CopyLock expires_at < now", "locks that expired", "`1`: first rows", "gradecockpit show locks", "`gradecockpit check` counts them"},
		// High latency.
		{"6.2/1", "curl /metrics, http_request_duration_seconds", "P95 and P99", "`4`", "gradecockpit show latency", "over all processes; /metrics of one scrape is one of them"},
		{"6.2/2a", "grep duration, took, elapsed; awk > 5", "slow requests", "`:slow`", "gradecockpit logs --slow", ""},
		{"6.2/2b", "grep timeout, too long, slow query", "timeouts", "`8`, `/ pattern:timeout`", "gradecockpit logs --pattern timeout", ""},
		{"6.2/3a", "pg_stat_activity, active", "what runs in the database", "`9`", "gradecockpit show sessions", "who waits for whom, idle in transaction too"},
		{"6.2/3b", "pg_database_size", "how big it is", "`0`", "gradecockpit show database", "of the connected database, whatever its name"},
		{"6.2/3c", "pg_total_relation_size, top 10", "the biggest tables", "`0`: tables", "gradecockpit tables", ""},
		{"6.2/4", "connection.queries in a shell", "N+1 queries", "`0`: statements", "gradecockpit statements", "in production, by pg_stat_statements: calls for each request"},
		{"6.2/5a", "inspect active, grep -c", "how long the queue is", "`3`", "gradecockpit queues", "the playbook's counts what runs; this counts what waits"},
		{"6.2/5b", "inspect stats", "are the workers overwhelmed", "`6`", "gradecockpit workers", ""},
		// Missing audit events.
		{"7.2/1", "all GradingEvent of the copy", "what is there, and missing", row, "gradecockpit copy ID", "gaps are marked"},
		{"7.2/2a", "grep the copy in audit.log", "what the audit log says", "`o` on a row of the copy: trace", "gradecockpit trace ID", "workflow events are not logged; audit.log is found by the path"},
		{"7.2/2b", "grep GradingEvent, the copy", "errors about its events", "`8`, `/ GradingEvent`", "gradecockpit logs GradingEvent", ""},
		{"7.2/3a", "count GradingEvent by action", "which kinds there are", "`:events`; `o` on a gap in `5`", "gradecockpit show events", ""},
		{"7.2/3b", "Action.values minus the recorded ones", "kinds never recorded", "`:events`", "gradecockpit show events", "says which of them are as they should be"},
		{"7.2/4a", "grep transaction aborted, IntegrityError", "database errors", "`8`, `/ pattern:rollback`", "gradecockpit logs --pattern rollback", ""},
		{"7.2/4b", "grep rollback, transaction failed", "rollbacks", "`8`, `/ pattern:rollback`", "gradecockpit logs --pattern rollback", ""},
		{"7.2/5", "grep GradingEvent.objects.create in the code", "is the event written at all", "`5`: gaps; `:events`", "gradecockpit show timeline", "by what is recorded: a kind that is never written makes a gap on every copy"},
		// Cheat sheet: logs.
		{"A.1/1", "grep a request_id", "one request", "`:trace REQUEST`", "gradecockpit trace REQUEST", ""},
		{"A.1/2", "grep a copy_id", "one copy", "`o` on a row of the copy: trace", "gradecockpit trace ID", ""},
		{"A.1/3", "find -mmin -60, grep ERROR", "errors of the last hour", "`8`, `/ pattern:errors`", "gradecockpit logs --pattern errors", "by the time of the record, not of the file"},
		{"A.1/4", "grep -o level, sort, uniq -c", "records by level", "`:times`", "gradecockpit logs --count level", ""},
		{"A.1/5", "tail -100, grep -o request_id, uniq", "the latest requests", "`:requests`", "gradecockpit logs --requests --last 100", ""},
		// Cheat sheet: database.
		{"A.2/1", "Copy: count by status", "copies by status", "`:domain`", "gradecockpit show domain", ""},
		{"A.2/2", "Copy without events: count", "copies nobody recorded", "`:events`", "gradecockpit show events", ""},
		{"A.2/3", "CopyLock: first by created_at", "the oldest lock", "`1`, `>` to AGE", "gradecockpit show locks", ""},
		{"A.2/4", "GradingEvent of a copy, with actor", "the copy's timeline", row, "gradecockpit copy ID", ""},
		// Cheat sheet: metrics.
		{"A.3/1", "curl /metrics", "everything measured", "`4`", "gradecockpit metrics", ""},
		{"A.3/2", "grep http_requests_total", "requests by path and status", "`4`, `enter` on an endpoint", "gradecockpit metrics --endpoint ENDPOINT", ""},
		{"A.3/3", "awk over http_requests_total", "requests a second", "`4`", "gradecockpit metrics", ""},
		{"A.3/4", "grep process_resident_memory_bytes", "memory of the processes", "`:processes`", "gradecockpit metrics --processes", "one row for each process"},
	}
}

// Markdown is the README's table.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| playbook | its command | asks | key | command | note |\n|---|---|---|---|---|---|\n")
	for _, p := range All() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` | %s |\n", p.Step, p.Playbook, p.Asks, p.Key, p.Command, p.Note)
	}
	return b.String()
}
