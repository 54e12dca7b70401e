package logs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whatIsWritten are records as the deployed system and the playbook's write
// them, by a name; the names of the patterns that must find each follow.
var whatIsWritten = []struct{ name, raw, found string }{
	{"finalize failed", `{"timestamp": "2026-11-22 11:50:26,972", "level": "ERROR", "logger": "grading.services", "message": "PDF generation failed for copy ` + aCopy + ` (attempt 1): No pages found to flatten", "exc_info": "Traceback (most recent call last):\n  File \"/app/x.py\"\nValueError: No pages found to flatten", "request_id": "2222", "path": "/api/grading/copies/` + aCopy + `/finalize/", "method": "POST", "user_id": 2, "module": "services", "function": "finalize_copy", "line": 610}`,
		"errors finalize attempts pdf service-errors tracebacks"},
	{"service refused", `{"timestamp": "2026-11-22 11:50:26,983", "level": "WARNING", "logger": "grading.views", "message": "API Service Error: Lock token mismatch", "user_id": 2, "module": "views", "function": "_handle_service_error", "line": 42}`,
		"lock service-errors"},
	{"conflict", `{"timestamp": "2026-11-22 11:50:26,735", "level": "WARNING", "logger": "django.request", "message": "Conflict: /api/grading/copies/` + aCopy + `/lock/", "status_code": 409, "request": "<WSGIRequest: POST '/api/grading/copies/` + aCopy + `/lock/'>", "module": "log", "function": "log_response", "line": 229}`,
		"lock-conflict lock refused"},
	{"conflict on the console", `2026-11-22 11:59:29,861 INFO metrics POST /api/grading/copies/` + aCopy + `/finalize/ 409`, "finalize lock-conflict"},
	{"task failed", `{"timestamp": "2026-11-22 11:54:47,599", "level": "ERROR", "logger": "grading", "message": "Async finalization failed for copy ` + aCopy + ` (attempt 1/3): Only LOCKED or GRADING_FAILED copies can be finalized", "exc_info": "Traceback (most recent call last):\nValueError: x", "module": "tasks", "function": "async_finalize_copy", "line": 73}`,
		"errors finalize attempts lock tracebacks"},
	{"import task failed", `{"timestamp": "2026-11-22 11:54:48,599", "level": "ERROR", "logger": "grading", "message": "Async import failed for exam 1 (attempt 1/3): cannot open broken document", "module": "tasks", "function": "async_import_pdf", "line": 137}`,
		"errors import attempts pdf"},
	{"import refused", `{"timestamp": "2026-11-22 11:54:49,599", "level": "WARNING", "logger": "django.request", "message": "Bad Request: /api/exams/` + aCopy + `/copies/import/", "status_code": 400}`,
		"import refused"},
	{"worker's own line", `[2026-11-22 11:54:47,609: ERROR/ForkPoolWorker-2] Task grading.tasks.async_import_pdf[` + aTask + `] raised unexpected: PermissionError(13, 'Permission denied')`,
		"errors import attempts permission"},
	{"worker killed", `[2026-11-22 11:54:47,609: ERROR/MainProcess] Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')`,
		"errors attempts disk workers"},
	{"missing file", `2026-11-22 11:59:30,118 ERROR grading.services FileNotFoundError: [Errno 2] No such file or directory: '/app/media/x.pdf'`, "errors permission service-errors"},
	{"disk full", `2026-11-22 11:59:30,118 ERROR exams.views OSError: [Errno 28] No space left on device`, "errors disk"},
	{"rolled back", `2026-11-22 11:59:30,118 ERROR django.request InterfaceError: connection already closed`, "errors rollback refused"},
	{"aborted", `2026-11-22 11:59:30,118 ERROR grading current transaction is aborted, commands ignored until end of transaction block`, "errors rollback"},
	{"statement timeout", `2026-11-22 11:59:30,118 ERROR grading OperationalError: canceling statement due to statement timeout`, "errors rollback timeout"},
	{"duplicate", `2026-11-22 11:59:30,118 ERROR grading.services get() returned more than one GradingEvent -- it returned 2!`, "errors duplicate-finalize service-errors"},
	{"slow", `{"timestamp": "2026-11-22 11:54:50,599", "level": "WARNING", "logger": "metrics", "message": "Slow request: POST /api/x/ took 7.12s (status: 200)", "status_code": 200, "duration_ms": 7120.0}`, "slow"},
	{"gateway timeout", `{"timestamp": "2026-11-22 11:54:51,599", "level": "ERROR", "logger": "django.request", "message": "Gateway Timeout: /api/x/", "status_code": 504}`, "errors timeout refused"},
	{"all is well", `{"timestamp": "2026-11-22 11:54:52,599", "level": "INFO", "logger": "grading.views", "message": "Saved draft", "path": "/api/grading/copies/` + aCopy + `/draft/"}`, ""},
	{"worker is up", `[2026-11-22 11:54:47,609: INFO/MainProcess] celery@app1 ready.`, "workers"},
}

func TestPatterns(t *testing.T) {
	found := map[string][]string{}
	d, dir := folder(t, Config{})
	var all strings.Builder
	for _, w := range whatIsWritten {
		all.WriteString(w.raw + "\n")
	}
	write(t, dir, "django.log", all.String())
	names := map[string]bool{}
	for _, p := range Patterns() {
		if names[p.Name] || p.Title == "" || !strings.HasSuffix(p.Finds, ".") {
			t.Errorf("pattern %+v", p)
		}
		names[p.Name] = true
		q, err := ParseQuery("pattern:"+p.Name, noon, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range each(t, d, q) {
			for _, w := range whatIsWritten {
				if want, _, _ := parseLine([]byte(w.raw)); want.Message == l.Message {
					found[w.name] = append(found[w.name], p.Name)
				}
			}
		}
	}
	for _, w := range whatIsWritten {
		if diff := cmp.Diff(strings.Fields(w.found), found[w.name]); diff != "" && (w.found != "" || found[w.name] != nil) {
			t.Errorf("%s: %s", w.name, diff)
		}
	}
}

// TestPatternsFindWhatThePlaybooksGrepsFind, and more: some of those greps find
// nothing on the deployed system although it happened.
func TestPatternsFindWhatThePlaybooksGrepsFind(t *testing.T) {
	d, dir := folder(t, Config{})
	var all strings.Builder
	for _, w := range whatIsWritten {
		all.WriteString(w.raw + "\n")
	}
	write(t, dir, "django.log", all.String())
	for _, tt := range []struct {
		pattern, grep string
		nothing       bool // as measured on the deployed system
	}{
		{"import", "import_pdf|IMPORT", false},
		{"finalize", "finalize|FINALIZE", false},
		{"attempts", "attempt", false},
		{"permission", "PermissionError|FileNotFoundError", false},
		{"rollback", "transaction.*aborted|IntegrityError|OperationalError", false},
		{"rollback", "rollback|transaction.*failed", true},
		{"timeout", "timeout|too long|slow query", false},
		{"lock-conflict", "LockConflictError|already_locked|lock conflict", true},
		{"finalize", "async_finalize_copy.*ERROR", true},
	} {
		out, _ := exec.Command("grep", "-E", tt.grep, dir+"/django.log").Output()
		q, err := ParseQuery("pattern:"+tt.pattern, noon, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for _, l := range each(t, d, q) {
			r, err := d.ReadLine(t.Context(), l.Place)
			if err != nil {
				t.Fatal(err)
			}
			ours = append(ours, r.Text[0])
		}
		theirs := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
		for _, line := range theirs {
			if !slices.Contains(ours, line) {
				t.Errorf("%s does not find what grep %s finds: %s", tt.pattern, tt.grep, line)
			}
		}
		if tt.nothing != (len(theirs) == 0) || len(ours) == 0 {
			t.Errorf("%s: grep %s finds %d lines, the pattern %d", tt.pattern, tt.grep, len(theirs), len(ours))
		}
	}
}
