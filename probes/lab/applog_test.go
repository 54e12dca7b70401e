package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The expected lines are those of a real deployment (core.settings, DEBUG off
// and on), with the numbers of this test.
func TestLogLines(t *testing.T) {
	at := time.Date(2026, 11, 22, 19, 50, 26, 972_400_000, time.UTC)
	q := &request{id: "2222", path: "/api/grading/copies/ebb9/finalize/", method: "POST", user: 2}
	for name, c := range map[string]struct {
		record        logRecord
		json, verbose string
	}{
		"service error with a traceback": {
			record: logRecord{
				level: "ERROR", logger: "grading.services", message: "PDF generation failed for copy ebb9 (attempt 1): No pages found to flatten",
				exc: "Traceback (most recent call last):\nValueError: No pages found to flatten", request: q,
				module: "services", function: "finalize_copy", line: 610,
			},
			json: `{"timestamp": "2026-11-22 19:50:26,972", "level": "ERROR", "logger": "grading.services", "message": "PDF generation failed for copy ebb9 (attempt 1): No pages found to flatten", "exc_info": "Traceback (most recent call last):\nValueError: No pages found to flatten", "request_id": "2222", "path": "/api/grading/copies/ebb9/finalize/", "method": "POST", "user_id": 2, "module": "services", "function": "finalize_copy", "line": 610}`,
			verbose: "[2026-11-22 19:50:26,972] ERROR grading.services services PDF generation failed for copy ebb9 (attempt 1): No pages found to flatten\n" +
				"Traceback (most recent call last):\nValueError: No pages found to flatten",
		},
		"conflict": {
			record:  requestRefused(409, "POST", "/api/grading/copies/2c70/finalize/"),
			json:    `{"timestamp": "2026-11-22 19:50:26,972", "level": "WARNING", "logger": "django.request", "message": "Conflict: /api/grading/copies/2c70/finalize/", "status_code": 409, "request": "<WSGIRequest: POST '/api/grading/copies/2c70/finalize/'>", "module": "log", "function": "log_response", "line": 229}`,
			verbose: "[2026-11-22 19:50:26,972] WARNING django.request log Conflict: /api/grading/copies/2c70/finalize/",
		},
		"audit, anonymous, accents": {
			record:  copyDownloaded("1d2afb55d3ca", "élève😀", &request{id: "3", path: "/p/", method: "GET"}),
			json:    `{"timestamp": "2026-11-22 19:50:26,972", "level": "INFO", "logger": "audit", "message": "audit", "action": "copy.download", "resource": "Copy:1d2afb55d3ca", "user": "\u00e9l\u00e8ve\ud83d\ude00", "student_id_hash": null, "ip": "127.0.0.1", "request_id": "3", "path": "/p/", "method": "GET", "user_id": null, "module": "audit", "function": "log_audit", "line": 68}`,
			verbose: "[2026-11-22 19:50:26,972] INFO audit audit audit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.json, (&appLog{}).format(at, c.record)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.verbose, (&appLog{verbose: true}).format(at, c.record)); diff != "" {
				t.Errorf("verbose (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailuresAreLoggedWithTheirException(t *testing.T) {
	for _, c := range []struct {
		record        logRecord
		message, last string
	}{
		{
			finalizeTaskFailed("7995", "Lock expired.", "LockConflictError"),
			"Async finalization failed for copy 7995 (attempt 1/3): Lock expired.", "LockConflictError: Lock expired.",
		}, {
			pdfFailed("7995", 1, "OSError: [Errno 28] No space left on device", nil),
			"PDF generation failed for copy 7995 (attempt 1): [Errno 28] No space left on device",
			"OSError: [Errno 28] No space left on device",
		},
	} {
		lines := strings.Split(c.record.exc, "\n")
		if diff := cmp.Diff([]string{c.message, c.last}, []string{c.record.message, lines[len(lines)-1]}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhichFileALoggerEndsIn(t *testing.T) {
	for _, c := range []struct{ logger, level, want string }{
		{"grading.services", "ERROR", "django.log"},
		{"django.request", "WARNING", "django.log"},
		{"audit", "INFO", "audit.log"},
		{"metrics", "WARNING", "django.log"},
		{"metrics", "INFO", ""},
		{"processing.services", "ERROR", ""}, // console only
	} {
		got, written := logFileOf(logRecord{logger: c.logger, level: c.level})
		if written != (c.want != "") || written && got != c.want {
			t.Errorf("%s %s: %q %v, want %q", c.logger, c.level, got, written, c.want)
		}
	}
}

func TestRotationKeepsTenParts(t *testing.T) {
	dir := t.TempDir()
	l, err := newAppLog(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.maxBytes = 200
	for i := range 60 {
		l.write(logRecord{level: "INFO", logger: "grading", message: strings.Repeat("x", 60) + string(rune('0'+i%10))})
	}
	files, err := filepath.Glob(filepath.Join(dir, "django.log*"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files: %v", len(files), files)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() >= 200 {
			t.Errorf("%s: %d bytes, %v", f, info.Size(), err)
		}
	}
}

func TestPyJSON(t *testing.T) {
	v := object{
		{"a", nil}, {"b", true}, {"c", 3}, {"d", 7.0}, {"e", 0.5}, {"f", []any{}}, {"g", "\"\\\n\t\x01\u007f\u2028é"},
		{"h", []string{"x", "y"}}, {"i", object{}}, {"j", 1e17}, {"k", json.RawMessage(`[1,2]`)},
	}
	want := `{"a": null, "b": true, "c": 3, "d": 7.0, "e": 0.5, "f": [], "g": "\"\\\n\t\u0001\u007f\u2028\u00e9", ` +
		`"h": ["x", "y"], "i": {}, "j": 1e+17, "k": [1,2]}`
	if diff := cmp.Diff(want, pyJSON(v)); diff != "" {
		t.Error(diff)
	}
	if !json.Valid([]byte(pyJSON(v))) {
		t.Error("not JSON")
	}
}
