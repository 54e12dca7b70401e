package sample

import (
	"time"

	"gradecockpit/probes/logs"
)

// RequestA is the request of a failed finalization.
const RequestA = "2222b0c4-7d1e-4a63-9a55-3f0e8f6f1a10"

// Logged is what the logs say: an error about a stuck copy, a refusal, a slow
// request, a worker's line, and a line in no known format.
func Logged() logs.Overview {
	failed := LogLine(4*time.Minute, "ERROR", "grading.services", "PDF generation failed for copy "+UUIDB+" (attempt 1): cannot open broken document")
	failed.CopyID, failed.RequestID, failed.Method, failed.Path, failed.UserID = UUIDB, RequestA, "POST", "/api/grading/copies/"+UUIDB+"/finalize/", 3
	failed.Trace = []string{"Traceback (most recent call last):", `  File "/app/grading/services.py", line 610, in finalize_copy`, "    document = fitz.open(path)", "fitz.FileDataError: cannot open broken document"}
	refused := LogLine(4*time.Minute-10*time.Millisecond, "WARNING", "django.request", "Bad Request: /api/grading/copies/"+UUIDB+"/finalize/")
	refused.CopyID, refused.StatusCode, refused.Path = UUIDB, 400, failed.Path
	slow := LogLine(2*time.Minute, "WARNING", "metrics", "Slow request: GET /api/exams/ took 6.21s (200)")
	slow.Duration, slow.StatusCode, slow.Method, slow.Path, slow.RequestID = 6210*time.Millisecond, 200, "GET", "/api/exams/", "9c61"
	worker := LogLine(90*time.Second, "INFO", "celery/ForkPoolWorker-2", "Task grading.tasks.async_finalize_copy[3610] succeeded in 0.101s")
	worker.TaskID, worker.File, worker.Place = "3610", "celery.log", "celery.log:1:900:0b"
	stray := logs.Line{Message: "something in no known format", File: "django.log"}
	last := LogLine(time.Second, "INFO", "audit", "copy.download Copy:1d2afb55d3ca by jmartin")
	last.File, last.Place = "audit.log", "audit.log:1:12:0c"
	return logs.Overview{
		Dir: "/app/logs", Files: []logs.File{{Name: "django.log", Size: 4 << 20, Format: "json"}, {Name: "audit.log", Size: 1 << 20, Format: "json"}},
		Recent: []logs.Line{failed, refused, slow, worker, stray, last}, Errors: []logs.Line{failed},
		ErrorsLastHour: 12, WarningsLastHour: 40, Since: Now.Add(-5 * time.Hour), Unparsed: 1,
		ByCopy: map[string]logs.Line{
			"id-A3F2-0007": {At: Now.Add(-4 * time.Minute), Message: "Task raised", Trace: []string{"Traceback:", "  FileDataError: cannot open broken document"}},
		},
	}
}

// LogLine is a record of some time ago.
func LogLine(ago time.Duration, level, logger, message string) logs.Line {
	return logs.Line{At: Now.Add(-ago), Level: level, Logger: logger, Message: message, File: "django.log",
		Place: "django.log:1:" + ago.String() + ":0a", Length: 300}
}

func emptyLogged() logs.Overview {
	return logs.Overview{Dir: "/app/logs", Since: Now.Add(-10 * time.Minute)}
}

func hostileLogged() logs.Overview {
	l := logs.Line{At: Now, Level: Hostile, Logger: Hostile, Message: Hostile, RequestID: Hostile, TaskID: Hostile, CopyID: Hostile,
		Path: Hostile, Method: Hostile, Trace: []string{Hostile, Hostile}, File: Hostile, Origin: Hostile, Fields: []logs.Field{{Name: Hostile, Value: Hostile}}}
	other := l
	other.Level, other.Origin = "ERROR", "backend-1"
	return logs.Overview{Dir: Hostile, Recent: []logs.Line{l, l, other}, Errors: []logs.Line{other}, ByCopy: Logged().ByCopy}
}
