package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTroubles reads records as the deployed system writes them, in JSON and in
// text, where the traceback comes after.
func TestTroubles(t *testing.T) {
	request := func(tail string) string {
		return `, "path": "/api/grading/copies/` + aCopy + `/` + tail + `", "method": "POST", "user_id": 2}`
	}
	record := func(level, logger, message, more string) string {
		return `{"timestamp": "2026-11-22 11:50:26,972", "level": "` + level + `", "logger": "` + logger + `", "message": "` + message + `"` + more
	}
	const text = "2026-11-22 11:50:26,972 ERROR grading.services PDF generation failed for copy " + aCopy + " (attempt 1): "
	tests := []struct {
		name, written string
		want          string // "op cause n copy"
	}{
		{"three records of one failure", record("ERROR", "grading.services", "PDF generation failed for copy "+aCopy+" (attempt 1): cannot open broken document", request("finalize/")) + "\n" +
			record("WARNING", "grading.views", "API Service Error: Failed to generate final PDF: cannot open broken document", request("finalize/")) + "\n" +
			record("WARNING", "django.request", "Bad Request: /api/grading/copies/"+aCopy+"/finalize/", `, "status_code": 400}`), "finalize broken 1 " + aCopy},
		{"the cause stands in a traceback", text + "\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f\nMemoryError", "finalize memory 1 " + aCopy},
		{"no space", text + "[Errno 28] No space left on device", "finalize space 1 " + aCopy},
		{"idle transaction", text + "connection already closed", "finalize closed 1 " + aCopy},
		{"no pages", text + "No pages found to flatten", "finalize no-pages 1 " + aCopy},
		{"annotation gone", text + "Annotation matching query does not exist.", "finalize vanished 1 " + aCopy},
		{"file gone", text + "[Errno 2] No such file or directory: '/app/media/x.png'", "finalize file 1 " + aCopy},
		{"nothing known", text + "boom", "finalize unclear 1 " + aCopy},
		{"a lowered flag", record("ERROR", "grading", "Async finalization failed for copy "+aCopy+" (attempt 1/3): Missing lock token.", "}"), "finalize token 1 " + aCopy},
		{"two events", record("ERROR", "grading", "Async finalization failed for copy "+aCopy+" (attempt 1/3): get() returned more than one GradingEvent -- it returned 2!", "}"), "finalize two-events 1 " + aCopy},
		{"refused by its state", record("ERROR", "grading", "Async finalization failed for copy "+aCopy+" (attempt 1/3): Only LOCKED or GRADING_FAILED copies can be finalized", "}"), "finalize state 1 " + aCopy},
		{"unlock", record("WARNING", "grading.views", "API Service Error: Invalid lock token.", request("lock/release/")), "unlock token 1 " + aCopy},
		{"expired", record("WARNING", "grading.views", "API Service Error: Lock expired.", request("lock/heartbeat/")), "edit expired 1 " + aCopy},
		{"only the answer", record("WARNING", "django.request", "Forbidden: /api/grading/copies/"+aCopy+"/lock/release/", "}"), "unlock forbidden 1 " + aCopy},
		{"conflict", record("WARNING", "django.request", "Conflict: /api/grading/copies/"+aCopy+"/lock/", "}"), "lock conflict 1 " + aCopy},
		{"import", record("ERROR", "grading", "Async import failed for copy "+aCopy+" (attempt 1/3): SoftTimeLimitExceeded()", "}"), "import time-limit 1 " + aCopy},
		{"import without a copy", record("ERROR", "grading", "Async import failed for exam 1 (attempt 1/3): cannot open broken document", "}"), "import broken 1"},
		{"killed", "[2026-11-22 11:50:26,609: ERROR/MainProcess] Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')", "worker killed 1"},
		{"hard limit", "[2026-11-22 11:50:26,609: ERROR/MainProcess] Hard time limit (300s) exceeded for grading.tasks.async_import_pdf[" + aTask + "]", "import time-limit 1"},
		{"another page", record("WARNING", "django.request", "Not Found: /api/me/", `, "status_code": 404}`), ""},
		{"no trouble", record("INFO", "grading", "Starting async finalization for copy "+aCopy, "}"), ""},
		{"too old", strings.Replace(text, "11:50", "10:50", 1) + "boom", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := folder(t, Config{})
			write(t, dir, "django.log", tt.written+"\n")
			if got := troublesOf(sample(t, p)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := troublesOf(sample(t, p)); got != tt.want {
				t.Errorf("the second look gives %q, want %q", got, tt.want)
			}
		})
	}
}

func troublesOf(o Overview) string {
	var out []string
	for _, t := range o.Troubles {
		s := fmt.Sprintf("%s %s %d", t.Op, t.Cause, t.N)
		for _, c := range t.Copies {
			s += " " + c.CopyID
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// TestTroublesAreCountedAndForgotten by copy, from several sources, and with no
// more copies than fit.
func TestTroublesAreCountedAndForgotten(t *testing.T) {
	tl := newTally()
	at := func(id string, ago time.Duration) {
		tl.add(Line{At: noon.Add(-ago), Level: "WARNING", Logger: "django.request", Message: "Conflict: /api/grading/copies/" + id + "/lock/", CopyID: id}, noon)
	}
	for i := range 300 {
		at(copyID(i), time.Duration(300-i)*time.Second)
	}
	for i := range 7 {
		at(copyID(150), time.Duration(6-i)*10*time.Second)
	}
	o := tl.overview(noon)
	if len(o.Troubles) != 1 || o.Troubles[0].N != 307 || len(o.Troubles[0].Copies) < maxTroubled || len(o.Troubles[0].Copies) > maxTroubled+maxTroubled/10 {
		t.Fatalf("got %d kinds, %+v", len(o.Troubles), o.Troubles[0].N)
	}
	top := o.Troubles[0].Copies[0]
	if top.CopyID != copyID(150) || top.N != 8 || !top.Last.At.Equal(noon) || !top.First.Equal(noon.Add(-150*time.Second)) {
		t.Errorf("the newest copy is %s: %d from %s to %s", top.CopyID, top.N, top.First, top.Last.At)
	}
	both := addTroubles(o.Troubles, o.Troubles)
	if both[0].N != 614 || len(both[0].Copies) > maxTroubled || both[0].Copies[0].N != 16 {
		t.Errorf("two sources: %d, %d copies", both[0].N, len(both[0].Copies))
	}
	if o := tl.overview(noon.Add(61 * time.Minute)); len(o.Troubles) != 0 {
		t.Errorf("after an hour there is still %+v", o.Troubles)
	}
}
