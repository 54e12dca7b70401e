package logs

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/lab/labtest"
)

// story is a finalization over HTTP that hands a task to a worker, told by
// three logs, with another request between.
func story(t *testing.T, dir string) {
	t.Helper()
	at := func(ms int) string {
		return noon.Add(time.Duration(ms) * time.Millisecond).Format("2006-01-02 15:04:05,000")
	}
	record := func(ms int, level, logger, message, extra string) string {
		return fmt.Sprintf(`{"timestamp": "%s", "level": "%s", "logger": "%s", "message": "%s"%s}`, at(ms), level, logger, message, extra) + "\n"
	}
	req := `, "request_id": "req-7", "path": "/api/grading/copies/` + aCopy + `/finalize/", "method": "POST", "user_id": 2`
	write(t, dir, "django.log.1", record(0, "INFO", "grading.views", "queued "+aTask, req))
	write(t, dir, "django.log", record(100, "INFO", "grading.views", "another", `, "request_id": "req-77"`)+
		record(150, "INFO", "grading.quota", "no copy is named here", `, "request_id": "req-7"`)+
		"a stray line about "+aCopy+"\n"+
		record(400, "WARNING", "metrics", "Slow request", `, "status_code": 200, "duration_ms": 5400.5`+req))
	write(t, dir, "audit.log", record(120, "INFO", "audit", "audit", `, "action": "copy.finalize", "resource": "Copy:1", "user": "u"`+req))
	write(t, dir, "celery.log", fmt.Sprintf("[%s: INFO/MainProcess] Task grading.tasks.async_finalize_copy[%s] received\n", at(200), aTask)+
		fmt.Sprintf("[%s: ERROR/F-1] Task grading.tasks.async_finalize_copy[%s] raised unexpected\nTraceback (most recent call last):\n  copy %s\nValueError: x\n", at(300), aTask, aCopy)+
		fmt.Sprintf("[%s: INFO/MainProcess] Task other[3610a1b2-0000-4000-8000-00000000eeee] received\n", at(310)))
}

func told(tr Trace) (out []string) {
	for _, r := range tr.Records {
		s := r.Logger + " " + r.Message
		if r.Why != "" {
			s += " (" + r.Why + ")"
		}
		out = append(out, strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s, aCopy, "COPY"), aTask, "TASK")))
	}
	return out
}

func TestTrace(t *testing.T) {
	views, quota, stray, slow := "grading.views queued TASK", "grading.quota no copy is named here", "a stray line about COPY", "metrics Slow request (200, 5400 ms)"
	audit := "audit copy.finalize Copy:1 by u"
	received, raised := "celery/MainProcess Task grading.tasks.async_finalize_copy[TASK] received", "celery/F-1 Task grading.tasks.async_finalize_copy[TASK] raised unexpected"
	because := func(s, why string) string { return s + " (" + why + ")" }
	tests := []struct {
		name, id string
		want     []string
	}{
		{"a copy", aCopy, []string{views, audit, because(quota, SameRequest), stray, because(received, ItsTask), raised, slow}},
		{"a copy in capitals", strings.ToUpper(aCopy), []string{views, audit, because(quota, SameRequest), stray, because(received, ItsTask), raised, slow}},
		{"a request, which no longer one begins with", "req-7", []string{views, audit, quota, slow}},
		{"a task", aTask, []string{views, because(audit, SameRequest), because(quota, SameRequest), received, raised, because(slow, SameRequest)}},
		{"nothing", "00000000-0000-4000-8000-00000000abcd", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			story(t, dir)
			tr, err := New(Config{Dir: dir}).Trace(context.Background(), " "+tt.id+" ")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, told(tr)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTraceNamesTheIDs(t *testing.T) {
	dir := t.TempDir()
	story(t, dir)
	tr, err := New(Config{Dir: dir}).Trace(context.Background(), aTask)
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{tr.Requests, tr.Tasks, tr.Copies}
	if diff := cmp.Diff([][]string{{"req-7"}, {aTask}, {aCopy}}, got); diff != "" {
		t.Error(diff)
	}
	if raised := tr.Records[4]; len(raised.Trace) != 3 || raised.Trace[2] != "ValueError: x" {
		t.Errorf("the traceback is not whole: %q", raised.Trace)
	}
}

// TestTraceHasTheLinesOfRipgrep compares over several parts and blocks.
func TestTraceHasTheLinesOfRipgrep(t *testing.T) {
	labtest.Need(t, "rg")
	p, dir := production(t)
	for n := range 5 {
		tr, err := p.Trace(context.Background(), copyID(n))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("rg", "-c", "--no-filename", copyID(n), dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		want, direct := 0, 0
		for _, s := range strings.Fields(string(out)) {
			n := 0
			fmt.Sscan(s, &n)
			want += n
		}
		for i, r := range tr.Records {
			if r.Why == "" {
				direct++
			}
			if i > 0 && r.When.Before(tr.Records[i-1].When) {
				t.Fatal("not in order of time")
			}
		}
		if direct != want || want < 100 {
			t.Errorf("%d records, ripgrep finds %d", direct, want)
		}
	}
}

// TestTraceFollowsRequestsAsJqWould: the other records of the requests.
func TestTraceFollowsRequestsAsJqWould(t *testing.T) {
	p, dir := production(t)
	tr, err := p.Trace(context.Background(), copyID(3))
	if err != nil {
		t.Fatal(err)
	}
	var want int
	jq(t, dir, `[.[] | select(tostring | contains("`+copyID(3)+`"))] as $own | ([$own[].request_id] | map({key: (. // "-"), value: 1}) | from_entries) as $ids | map(select(.request_id and $ids[.request_id])) | length`, &want)
	got := 0
	for _, r := range tr.Records {
		if r.RequestID != "" {
			got++
		}
	}
	if got != want || want == 0 {
		t.Errorf("%d records of its requests, jq finds %d", got, want)
	}
}
