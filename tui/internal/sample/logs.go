package sample

import (
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/logs"
	"gradecockpit/probes/trace"
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

// Found is what a search in the logs found, cut at its limit.
func Found() logs.Result {
	lines := Logged().Recent
	slices.Reverse(lines)
	return logs.Result{Lines: lines, Done: true, Extent: logs.Extent{Truncated: true, Bytes: 40 << 20, Total: 312 << 20, Oldest: Now.Add(-time.Hour), Skipped: []string{"no right to read django.log.4"}}}
}

// Record is the error of the logs, whole.
func Record() logs.Record {
	l := Logged().Errors[0]
	l.Fields = []logs.Field{{Name: "module", Value: "services"}, {Name: "function", Value: "finalize_copy"}, {Name: "line", Value: "610"}}
	l.Trace = append(l.Trace, "        a_line_that_is_so_long_that_it_has_to_be_broken_somewhere("+strings.Repeat("argument, ", 12)+")")
	return logs.Record{Line: l, Text: []string{"{…}"}}
}

// Traced is the way of a request through the system: a finalization that waits
// in the queue and fails.
func Traced() trace.Trace {
	at := func(ms int) time.Time { return Now.Add(-5*time.Minute + time.Duration(ms)*time.Millisecond) }
	failed, begin := Logged().Errors[0], Logged().Recent[1]
	t := trace.Trace{ID: RequestA, Requests: []string{RequestA}, Copies: []string{UUIDB}, Took: 13_412 * time.Millisecond, Steps: []trace.Step{
		{At: at(0), Kind: trace.HTTP, From: "django.request", Text: "POST /api/grading/copies/" + UUIDB + "/finalize/ begins, from how long it took", Derived: true, CopyID: UUIDB},
		{At: at(12), Kind: trace.Event, From: "mdupont", Text: "LOCK", Gap: 12 * time.Millisecond, CopyID: UUIDB},
		{At: at(1212), Kind: trace.Service, From: "grading.services", Text: "flattening 12 pages", Level: "INFO", Gap: 1200 * time.Millisecond, Why: "same request", Line: &begin, CopyID: UUIDB},
		{At: at(13_400), Kind: trace.Service, From: "grading.services", Text: failed.Message, Level: "ERROR", Failed: true, Trace: failed.Trace, Gap: 12_188 * time.Millisecond, Line: &failed, RequestID: RequestA, CopyID: UUIDB},
		{At: at(13_412), Kind: trace.HTTP, From: "django.request", Text: "Bad Request: /api/grading/copies/" + UUIDB + "/finalize/", Level: "WARNING", Gap: 12 * time.Millisecond, Line: &begin, CopyID: UUIDB},
		{Kind: trace.Queue, From: "celery", Text: "async_finalize_copy waiting", TaskID: "3610"},
	}}
	t.Problems = []string{"Database: too many clients already."}
	t.Unasked = []string{"Tasks: not configured. Set CELERY_BROKER_URL."}
	return t
}

// Counted are the records of ten minutes.
func Counted() logs.Histogram {
	h := logs.Histogram{Bucket: time.Minute, Records: 431, Timeless: 1, ByLogger: []logs.Count{{Name: "metrics", N: 400}, {Name: "grading.services", N: 31}}, Extent: logs.Extent{Bytes: 3 << 20}}
	for i, n := range []int{0, 2, 3, 0, 180, 200, 20, 6, 12, 8} {
		b := logs.Bar{From: Now.Truncate(time.Minute).Add(time.Duration(i-9) * time.Minute)}
		b.Levels = [5]int{0, n - n/4 - n/10, n / 4, n / 10, 0}
		h.Bars = append(h.Bars, b)
	}
	return h
}

// Asked are two requests, one of which failed.
func Asked() logs.Requests {
	return logs.Requests{Records: 9, Without: 1, Extent: logs.Extent{Bytes: 3 << 20}, Requests: []logs.Request{
		{ID: RequestA, Records: 3, First: Now.Add(-5 * time.Minute), Last: Now.Add(-4 * time.Minute), Worst: "ERROR", Method: "POST", Path: "/api/grading/copies/" + UUIDB + "/finalize/", StatusCode: 500, Duration: 13 * time.Second, UserID: 3, CopyID: UUIDB},
		{ID: "9c61", Records: 1, Last: Now.Add(-2 * time.Hour), Worst: "INFO", Method: "GET", Path: "/api/exams/"},
	}}
}

// Slowest are records that say how long something took.
func Slowest() logs.Slow {
	return logs.Slow{Lines: Logged().Recent[2:3], Records: 12, Extent: logs.Extent{Bytes: 3 << 20}}
}

// Searched are the named searches.
func Searched() logs.PatternCounts {
	found := logs.PatternCounts{Since: Now.Add(-time.Hour)}
	for i, p := range logs.Patterns() {
		c := logs.PatternCount{Pattern: p}
		if i%3 == 0 {
			c.N, c.Newest = 12*i+1, Now.Add(-time.Duration(i)*time.Minute)
		}
		found.Counts = append(found.Counts, c)
	}
	return found
}
