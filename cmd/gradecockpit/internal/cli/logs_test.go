package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/trace"
)

// logFolder writes files into a new log folder.
func logFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// logged is a production record at a time.
func logged(at time.Time, level, logger, message, more string) string {
	return fmt.Sprintf(`{"timestamp": "%s", "level": "%s", "logger": "%s", "message": "%s"%s}`, at.UTC().Format("2006-01-02 15:04:05,000"), level, logger, message, more) + "\n"
}

// TestTraceFromTheCommandLine: a finalization over HTTP that a worker takes,
// told by logs, audit trail and queue, in one order of time.
func TestTraceFromTheCommandLine(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			db := labtest.Postgres(t, dialect)
			redis := labtest.Redis(t)
			user := db.AddUser("mdupont")
			id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED", Pages: 2})
			now := db.Now().Truncate(time.Millisecond)
			at := func(ms int) time.Time { return now.Add(time.Duration(ms-60_000) * time.Millisecond) }
			db.AddEvent(lab.EventRow{Copy: id, Actor: user, Action: "LOCK", At: at(500)})
			task := "3610a1b2-0000-4000-8000-00000000ffff"
			waiting(t, redis, celery.Task{ID: task, Name: "grading.tasks.async_finalize_copy", Queue: "celery", Kwargs: map[string]any{"copy_id": id}})
			req := fmt.Sprintf(`, "request_id": "req-7", "path": "/api/grading/copies/%s/finalize/", "method": "POST", "user_id": %d`, id, user)
			env := map[string]string{"DATABASE_URL": db.DSN(), "CELERY_BROKER_URL": redis.URL(), "GRADING_LOG_DIR": logFolder(t, map[string]string{
				"django.log": logged(at(1000), "ERROR", "grading.services", "PDF generation failed for copy "+id, `, "exc_info": "Traceback:\nValueError: x"`+req) +
					logged(at(1200), "INFO", "grading.quota", "names no copy", `, "request_id": "req-7"`) +
					logged(at(1500), "WARNING", "metrics", "Slow request", `, "status_code": 400, "duration_ms": 1500.0`+req),
				"celery.log": fmt.Sprintf("[%s: INFO/F-1] Task grading.tasks.async_finalize_copy[%s] received for %s\n", at(2000).UTC().Format("2006-01-02 15:04:05,000"), task, id),
			})}
			for _, name := range []string{"a3f2-0042", id} {
				var got trace.Trace
				if err := json.Unmarshal([]byte(run(t, env, "trace", name, "-o", "json").out), &got); err != nil {
					t.Fatal(err)
				}
				var steps []string
				for _, s := range got.Steps {
					if s.Kind == trace.Queue {
						s.Gap = 0 // how things stand now, and that is when the test runs
					}
					steps = append(steps, fmt.Sprintf("%s %v %v %s", s.Kind, s.Failed, s.Gap, s.Why))
				}
				want := []string{"http false 0s ", "event false 500ms ", "service true 500ms ", "service false 200ms same request", "http false 300ms ", "task false 500ms ", "queue false 0s "}
				if diff := cmp.Diff(want, steps); diff != "" || got.Copy.Anon != "A3F2-0042" || len(got.Problems) > 0 {
					t.Errorf("%s: %s %q", name, diff, got.Problems)
				}
			}
			text := run(t, env, "trace", "A3F2-0042")
			if text.code != 0 || !strings.Contains(text.out, "A3F2-0042 (copy "+id+"): 7 steps") || strings.Contains(text.out, "\x1b") {
				t.Errorf("%d: %s%s", text.code, text.out, text.err)
			}
			byRequest := run(t, env, "trace", "req-7")
			if !strings.Contains(byRequest.out, "LOCK") || !strings.Contains(byRequest.out, "names no copy") {
				t.Errorf("the request's trace: %s%s", byRequest.out, byRequest.err)
			}
			env["DATABASE_URL"] = "postgresql://u@" + closed(t) + "/x"
			sick := run(t, env, "trace", id)
			if sick.code != 0 || !strings.Contains(sick.out, "PDF generation failed") || !strings.Contains(sick.out, "Database: postgres: ") {
				t.Errorf("with a sick database: %d %s%s", sick.code, sick.out, sick.err)
			}
		})
	}
}

// waiting puts a task into its queue.
func waiting(t *testing.T, r *lab.RedisServer, task celery.Task) {
	t.Helper()
	b, err := celery.Open(celery.Config{BrokerURL: r.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Publish(context.Background(), task); err != nil {
		t.Fatal(err)
	}
}

func TestTraceOfNothing(t *testing.T) {
	env := map[string]string{"GRADING_LOG_DIR": logFolder(t, map[string]string{"django.log": "2026-11-22 12:00:00,000 INFO a b\n"})}
	if got := run(t, env, "trace", "nowhere"); got.code != 0 || !strings.HasPrefix(got.out, "nowhere: 0 steps") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	env["GRADING_LOG_DIR"] += "/gone"
	if got := run(t, env, "trace", "nowhere"); got.code != exitBad || !strings.Contains(got.err, "does not exist") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	if got := run(t, nil, "trace", "nowhere"); got.code != exitBad || !strings.Contains(got.err, "GRADING_LOG_DIR") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
}

// examFolder is an hour of logs in two parts.
func examFolder(t *testing.T) (map[string]string, string) {
	t.Helper()
	start := time.Now().Add(-time.Hour)
	var parts [2]strings.Builder
	for i := range 3000 {
		level := []string{"INFO", "INFO", "WARNING", "ERROR"}[i%4]
		parts[i/1500].WriteString(logged(start.Add(time.Duration(i)*time.Second), level, []string{"grading.views", "django.request"}[i%2], fmt.Sprintf("line %d", i),
			fmt.Sprintf(`, "status_code": %d, "request_id": "r-%d", "duration_ms": %d`, 200+i%4*100, i/3, i)))
	}
	dir := logFolder(t, map[string]string{"django.log.1": parts[0].String(), "django.log": parts[1].String()})
	return map[string]string{"GRADING_LOG_DIR": dir}, dir
}

// TestLogsFromTheCommandLine compares with grep on the same files.
func TestLogsFromTheCommandLine(t *testing.T) {
	env, dir := examFolder(t)
	for _, tt := range []struct {
		args []string
		grep string
	}{
		{[]string{"level:error"}, `"level": "ERROR"`},
		{[]string{"--level", "error", "--logger", "django"}, `"ERROR", "logger": "django.request"`},
		{[]string{"status_code=500", "LINE"}, `"status_code": 500`},
		{[]string{"--regexp", `line 1\d\d$`}, `line 1[0-9][0-9]$`},
		{[]string{"!WARNING", `"line 29"`}, `INFO.*line 29\|ERROR.*line 29`},
		{[]string{"req:r-7"}, `"r-7"`},
	} {
		out, _ := exec.Command("sh", "-c", "cat "+dir+"/* | grep -c '"+tt.grep+"'").Output()
		var res logs.Result
		got := run(t, env, slices.Concat([]string{"logs", "-n", "1000", "-o", "json"}, tt.args)...)
		if err := json.Unmarshal([]byte(got.out), &res); err != nil {
			t.Fatal(err, got.err)
		}
		if fmt.Sprintln(len(res.Lines)) != string(out) {
			t.Errorf("%q: %d records, grep finds %s", tt.args, len(res.Lines), out)
		}
	}
}

func TestLogsCountsFromTheCommandLine(t *testing.T) {
	env, _ := examFolder(t)
	for _, tt := range []struct{ args, want string }{
		{"--count level", "    1500  INFO\n     750  ERROR\n     750  WARNING\n"},
		{"level:error --count logger", "     750  django.request\n"},
		{"-n 2", "line 2999 (500, 2999 ms)  req:r-999\n"},
		{"--slow -n 1", "   2.999s  "},
		{"--requests -n 1", "r-999  "},
		{"--requests --last 3", "r-999  "},
		{"--pattern list", "lock-conflict  "},
		{"--pattern refused -n 1", "line 2999"},
	} {
		got := run(t, env, append([]string{"logs"}, strings.Fields(tt.args)...)...)
		if got.code != 0 || !strings.Contains(got.out, tt.want) {
			t.Errorf("%s: %d %s%s, want %q", tt.args, got.code, got.out, got.err, tt.want)
		}
	}
	minutes := run(t, env, "logs", "--count", "minute")
	if n := strings.Count(minutes.out, "\n"); n < 50 || n > 53 {
		t.Errorf("%d minutes: %s", n, minutes.out)
	}
}

func TestLogsBadInput(t *testing.T) {
	env, _ := examFolder(t)
	for args, want := range map[string]string{
		"level:loud": `level "loud" is none of`, "--since soon": "is no time", "--count week": "there are level, logger,", "--slow --requests": "exclude each other",
		"--pattern nothing": "there is no pattern", "-n 0": "between 1 and 1000", "-o xml": "there are table and json",
	} {
		got := run(t, env, append([]string{"logs"}, strings.Fields(args)...)...)
		if got.code != exitBad || !strings.Contains(got.err, want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %d %q, want %q", args, got.code, got.err, want)
		}
	}
	if got := run(t, nil, "logs"); got.code != exitBad || !strings.Contains(got.err, "GRADING_LOG_DIR") {
		t.Errorf("%d %s", got.code, got.err)
	}
}
