package logs

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const (
	aCopy = "7995a1b2-0000-4000-8000-00000000abcd"
	aTask = "3610a1b2-0000-4000-8000-00000000ffff"
)

func TestParseLine(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name, in, format string
		want             Line
	}{
		{"JSON error with its traceback",
			`{"timestamp": "2026-11-22 19:50:26,972", "level": "ERROR", "logger": "grading.services", "message": "PDF generation failed for copy ` + aCopy + ` (attempt 1): No pages found to flatten", "exc_info": "Traceback (most recent call last):\n  File \"x.py\"\nValueError: No pages", "request_id": "2222", "path": "/api/grading/copies/` + aCopy + `/finalize/", "method": "POST", "user_id": 2, "module": "services", "function": "finalize_copy", "line": 610}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.972Z"), Level: "ERROR", Logger: "grading.services",
				Message:   "PDF generation failed for copy " + aCopy + " (attempt 1): No pages found to flatten",
				RequestID: "2222", CopyID: aCopy, Path: "/api/grading/copies/" + aCopy + "/finalize/", UserID: 2, Method: "POST",
				Fields: []Field{{"module", "services"}, {"function", "finalize_copy"}, {"line", "610"}},
				Trace:  []string{"Traceback (most recent call last):", `  File "x.py"`, "ValueError: No pages"}}},
		{"JSON of the playbook", `{"timestamp": "2026-02-01T14:30:45.123Z", "level": "INFO", "logger": "grading", "message": "Starting", "user_id": 42}`,
			formatJSON, Line{At: at("2026-02-01T14:30:45.123Z"), Level: "INFO", Logger: "grading", Message: "Starting", UserID: 42}},
		{"conflict, the copy only in a path in the message",
			`{"timestamp": "2026-11-22 19:50:26,735", "level": "WARNING", "logger": "django.request", "message": "Conflict: /api/grading/copies/` + aCopy + `/finalize/", "status_code": 409, "request": "<WSGIRequest: POST '/x'>", "module": "log"}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.735Z"), Level: "WARNING", Logger: "django.request",
				Message: "Conflict: /api/grading/copies/" + aCopy + "/finalize/", CopyID: aCopy, StatusCode: 409, Method: "POST", Path: "/x",
				Fields: []Field{{"request", "<WSGIRequest: POST '/x'>"}, {"module", "log"}}}},
		{"audit says who did what", `{"timestamp": "2026-11-22 19:50:26,535", "level": "INFO", "logger": "audit", "message": "audit", "action": "copy.download", "resource": "Copy:1d2afb55d3ca", "user": "rigteacher1", "student_id_hash": null, "path": "/api/grading/copies/` + strings.ToUpper(aCopy) + `/final-pdf/", "user_id": null}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "INFO", Logger: "audit", CopyID: aCopy,
				Message: "copy.download Copy:1d2afb55d3ca by rigteacher1", Path: "/api/grading/copies/" + strings.ToUpper(aCopy) + "/final-pdf/",
				Fields: []Field{{"action", "copy.download"}, {"resource", "Copy:1d2afb55d3ca"}, {"user", "rigteacher1"}, {"student_id_hash", "null"}}}},
		{"slow request", `{"timestamp": "2026-11-22 19:50:26,535", "level": "WARNING", "logger": "metrics", "message": "Slow request: GET /x", "status_code": 200, "duration_ms": 7321.4}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "WARNING", Logger: "metrics", Message: "Slow request: GET /x (200, 7321 ms)",
				StatusCode: 200, Duration: 7321400 * time.Microsecond}},
		{"keys that nobody knows, nested too", `{"timestamp": "2026-11-22 19:50:26,535", "level": "INFO", "logger": "g", "message": "m", "a": {"b": [1, "}\""]}, "c": null, "d\u001b": "x\ny"}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "INFO", Logger: "g", Message: "m",
				Fields: []Field{{"a", `{"b": [1, "}\""]}`}, {"c", "null"}, {`d\u001b`, `x\ny`}}}},
		{"a value of another type costs only itself", `{"timestamp": "2026-11-22 19:50:26,535", "level": "ERROR", "logger": "g", "message": "m", "user_id": "root", "request_id": 7, "path": "/p"}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "ERROR", Logger: "g", Message: "m", Path: "/p"}},
		{"cut in the middle", `{"timestamp": "2026-11-22 19:50:26,535", "level": "ERROR", "logger": "g", "message": "mmm`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "ERROR", Logger: "g", Message: "(the line is cut or damaged)"}},
		{"escapes that JSON hid", `{"timestamp": "?", "level": "error", "logger": "\u001b[2J", "message": "a\u009b31m\u202eb", "request_id": "\u0007", "exc_info": "\u001b]0;x\n\u0000"}`,
			formatJSON, Line{Level: "ERROR", Logger: `\x1b[2J`, Message: `a\x9b31m\u202eb`, RequestID: `\x07`, Trace: []string{`\x1b]0;x`, `\x00`}}},
		{"verbose", `[2026-11-22 19:59:16,277] ERROR grading.services services PDF generation failed for copy ` + aCopy + ` (attempt 1): x`,
			formatVerbose, Line{At: at("2026-11-22T19:59:16.277Z"), Level: "ERROR", Logger: "grading.services", CopyID: aCopy,
				Message: "PDF generation failed for copy " + aCopy + " (attempt 1): x"}},
		{"verbose audit", `[2026-11-22 19:59:16,008] INFO audit audit audit`,
			formatVerbose, Line{At: at("2026-11-22T19:59:16.008Z"), Level: "INFO", Logger: "audit", Message: "audit"}},
		{"settings_prod", `2026-11-22 19:59:29,861 INFO metrics POST /api/grading/copies/` + aCopy + `/finalize/ 409`,
			formatText, Line{At: at("2026-11-22T19:59:29.861Z"), Level: "INFO", Logger: "metrics", CopyID: aCopy,
				Method: "POST", Path: "/api/grading/copies/" + aCopy + "/finalize/", StatusCode: 409,
				Message: "POST /api/grading/copies/" + aCopy + "/finalize/ 409"}},
		{"docker compose before a production line", `backend-1  | {"timestamp": "2026-11-22 19:50:26,535", "level": "INFO", "logger": "g", "message": "m"}`,
			formatJSON, Line{At: at("2026-11-22T19:50:26.535Z"), Level: "INFO", Logger: "g", Message: "m", Origin: "backend-1"}},
		{"docker compose before a worker's line", `viatique_celery_2 | [2026-11-22 19:54:47,609: INFO/MainProcess] Task grading.tasks.async_finalize_copy[` + aTask + `] received`,
			formatCelery, Line{At: at("2026-11-22T19:54:47.609Z"), Level: "INFO", Logger: "celery/MainProcess", Origin: "viatique_celery_2", TaskID: aTask,
				Message: "Task grading.tasks.async_finalize_copy[" + aTask + "] received"}},
		{"worker: the first uuid is the task's", `[2026-11-22 19:54:47,609: INFO/ForkPoolWorker-2] Task grading.tasks.async_finalize_copy[` + aTask + `] succeeded in 0.1s: {'copy_id': '` + aCopy + `', 'status': 'error'}`,
			formatCelery, Line{At: at("2026-11-22T19:54:47.609Z"), Level: "INFO", Logger: "celery/ForkPoolWorker-2", CopyID: aCopy, TaskID: aTask, Duration: 100 * time.Millisecond,
				Message: "Task grading.tasks.async_finalize_copy[" + aTask + "] succeeded in 0.1s: {'copy_id': '" + aCopy + "', 'status': 'error'}"}},
		{"another thing's uuid is no copy", `2026-11-22 19:59:29,861 INFO metrics GET /api/exams/` + aCopy + `/ 200`,
			formatText, Line{At: at("2026-11-22T19:59:29.861Z"), Level: "INFO", Logger: "metrics", Message: "GET /api/exams/" + aCopy + "/ 200",
				Method: "GET", Path: "/api/exams/" + aCopy + "/", StatusCode: 200}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, format, ok := parseLine([]byte(tt.in))
			if !ok || format != tt.format {
				t.Errorf("ok %v, format %q", ok, format)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseLineRefuses(t *testing.T) {
	for _, s := range []string{
		"", "   ", "Traceback (most recent call last):", `  File "x.py", line 3, in f`, "ValueError: No pages", "[]", "[ERROR]", "[x] y z",
		`{"a": 1}`, `{`, `{"level": "LOUD"}`, "2026-11-22 19:59:29,861 LOUD metrics x", "2026-13-22 19:59:29,861 INFO metrics x", "2026-11-22",
	} {
		if got, _, ok := parseLine([]byte(s)); ok {
			t.Errorf("%q was read as %+v", s, got)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{
		jsonText("ERROR", 1), `{"timestamp":"2026-11-22 19:50:26,972","level":"ERROR","exc_info":"a\nb\u001b"}`, `{"level":"INFO","message":`,
		"[2026-11-22 19:59:16,277] ERROR a b copy " + aCopy, "[2026-11-22 19:54:47,609: INFO/\x1b] \u202ex", "2026-11-22 19:59:29,861 INFO \xff\x9b \x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		line, _, ok := parseLine(raw)
		if !ok {
			return
		}
		if severity(line.Level) == 0 {
			t.Errorf("level %q", line.Level)
		}
		texts := append([]string{line.Level, line.Logger, line.Message, line.RequestID, line.CopyID, line.Path}, line.Trace...)
		for _, s := range texts {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > 4*(maxMessage+1) {
				t.Errorf("%q from %q", s, raw)
			}
		}
	})
}
