package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// state is a row of the table "statuses x what a finalize task does".
type state struct {
	name     string
	copy     lab.CopyRow
	lock     time.Duration // expires from now; 0 no row
	byHolder bool          // locked_by = the user, where the dialect has it
	other    bool          // somebody else asks
	token    string        // "" none, "right", "wrong"
	finalize int           // FINALIZE events by the user beforehand

	done   bool
	detail string // of the error
	row    bool   // the lock row is still there afterwards
	file   bool   // the PDF was written before the failure and stays on the disk
}

// finalizing is a world, the user who holds and the one who does not.
type finalizing struct {
	w          *lab.World
	rdb        *redis.Client
	me, someon int64
}

func newFinalizing(t *testing.T, opts lab.Options) *finalizing {
	t.Helper()
	w := world(t, opts)
	ids := rowsIn[int64](t, w, `SELECT id FROM auth_user ORDER BY id LIMIT 2`)
	return &finalizing{w, newControl(t, w).rdb, ids[0], ids[1]}
}

// run makes the state, sends the task and gives what became of it.
func (f *finalizing) run(t *testing.T, s state) {
	t.Helper()
	ctx := labtest.Context(t)
	c := s.copy
	if c.Pages == 0 {
		c.Pages = 4
	}
	if s.byHolder {
		c.LockedBy, c.LockedAt = f.me, time.Now()
	}
	id, err := f.w.DB.AddCopy(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	points := 7.0
	if _, err := f.w.DB.AddAnnotation(ctx, lab.AnnotationRow{Copy: id, By: f.me, Points: &points}); err != nil {
		t.Fatal(err)
	}
	token := ""
	if s.lock != 0 {
		if token, err = f.w.DB.AddLock(ctx, lab.LockRow{Copy: id, Owner: f.me, Expires: time.Now().Add(s.lock)}); err != nil {
			t.Fatal(err)
		}
	}
	for range s.finalize {
		if _, err := f.w.DB.AddEvent(ctx, lab.EventRow{Copy: id, Action: "FINALIZE", Actor: f.me}); err != nil {
			t.Fatal(err)
		}
	}
	f.check(t, s, id, f.send(t, s, id, token))
}

func (f *finalizing) send(t *testing.T, s state, copyID, token string) taskResult {
	t.Helper()
	user, task := f.me, uuid.NewString()
	if s.other {
		user = f.someon
	}
	kwargs := map[string]any{"copy_id": copyID, "user_id": user, "lock_token": nil}
	switch s.token {
	case "right":
		kwargs["lock_token"] = token
	case "wrong":
		kwargs["lock_token"] = uuid.NewString()
	}
	push(t, f.rdb, taskMessage(task, "grading.tasks.async_finalize_copy", []any{}, kwargs))
	status, raw := outcome(t, f.rdb, task)
	if status != "SUCCESS" {
		t.Fatalf("Celery's state is %s: %s", status, raw)
	}
	var r taskResult
	if err := json.Unmarshal([]byte(raw), &r); err != nil || r.Attempt != 1 || r.CopyID != copyID {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}

type taskResult struct {
	CopyID  string `json:"copy_id"`
	Status  string
	Detail  string
	Score   *float64 `json:"final_score"`
	Attempt int
}

func (f *finalizing) check(t *testing.T, s state, id string, got taskResult) {
	t.Helper()
	want := s.copy.Status
	if s.done {
		want = "GRADED"
		if got.Status != "done" || got.Score == nil || *got.Score != 7 {
			t.Errorf("result %+v, want done with 7 points", got)
		}
	} else if got.Status != "error" || !strings.Contains(got.Detail, s.detail) {
		t.Errorf("result %+v, want the error %q", got, s.detail)
	}
	if status := one[string](t, f.w, `SELECT status FROM exams_copy WHERE id = $1`, id); status != want {
		t.Errorf("the copy is %s, want %s", status, want)
	}
	if s.lock != 0 {
		if row := one[bool](t, f.w, `SELECT EXISTS (SELECT FROM grading_copylock WHERE copy_id = $1)`, id); row != s.row {
			t.Errorf("lock row there: %v, want %v", row, s.row)
		}
	}
	f.checkTraces(t, s, id)
}

// checkTraces looks at what a finalization leaves: a PDF and one more event,
// or nothing but a log line.
func (f *finalizing) checkTraces(t *testing.T, s state, id string) {
	t.Helper()
	pdf := filepath.Join(f.w.MediaDir(), "copies/final/copy_"+id+"_corrected.pdf")
	if _, err := os.Stat(pdf); (s.done || s.file) != (err == nil) {
		t.Errorf("done %v, but the PDF: %v", s.done, err)
	}
	events := one[int](t, f.w, `SELECT count(*)::int FROM grading_gradingevent WHERE copy_id = $1 AND action = 'FINALIZE'
		AND NOT (metadata ? 'success' AND metadata->>'success' = 'false')`, id)
	want := s.finalize
	if s.done && s.finalize == 0 {
		want = 1
	}
	if f.w.DB.Dialect == lab.Deployed && events != want {
		t.Errorf("%d FINALIZE events, want %d", events, want)
	}
	logged := strings.Contains(djangoLog(t, f.w), "Async finalization failed for copy "+id+" (attempt 1/3): ")
	if logged == s.done {
		t.Errorf("done %v, logged as failed %v", s.done, logged)
	}
}

func each(t *testing.T, f *finalizing, states []state) {
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) { f.run(t, s) })
	}
}

func status(s string) lab.CopyRow { return lab.CopyRow{Status: s} }

func TestFinalizeTaskDeployed(t *testing.T) {
	const live, expired = 5 * time.Minute, -5 * time.Minute
	const onlyLocked = "Only LOCKED or GRADING_FAILED copies can be finalized"
	each(t, newFinalizing(t, quiet(lab.Deployed)), []state{
		{name: "STAGING", copy: status("STAGING"), detail: onlyLocked},
		{name: "READY", copy: status("READY"), detail: onlyLocked},
		{name: "live row, no token", copy: status("LOCKED"), lock: live, byHolder: true, detail: "Missing lock token.", row: true},
		{name: "live row, its token", copy: status("LOCKED"), lock: live, byHolder: true, token: "right", done: true},
		{name: "live row, wrong token", copy: status("LOCKED"), lock: live, byHolder: true, token: "wrong", detail: "Invalid lock token.", row: true},
		{name: "live row, other user", copy: status("LOCKED"), lock: live, byHolder: true, other: true, detail: "locked by another user", row: true},
		{name: "expired row", copy: status("LOCKED"), lock: expired, byHolder: true, detail: "Lock expired.", row: true},
		{name: "expired row, other user", copy: status("LOCKED"), lock: expired, byHolder: true, other: true, detail: "Lock expired.", row: true},
		{name: "no row, locked by user", copy: status("LOCKED"), byHolder: true, done: true},
		{name: "no row, other user", copy: status("LOCKED"), byHolder: true, other: true, detail: "Lock required."},
		{name: "no row, locked by nobody", copy: status("LOCKED"), detail: "Lock required."},
		{name: "in progress", copy: status("GRADING_IN_PROGRESS"), byHolder: true, detail: onlyLocked},
		{name: "failed, locked by nobody", copy: status("GRADING_FAILED"), detail: "Lock required."},
		{name: "failed, live row and token", copy: status("GRADING_FAILED"), lock: live, token: "right", done: true},
		{name: "failed, locked by user", copy: status("GRADING_FAILED"), byHolder: true, done: true},
		{name: "failed, other user", copy: status("GRADING_FAILED"), byHolder: true, other: true, detail: "Lock required."},
		{name: "GRADED", copy: status("GRADED"), byHolder: true, detail: "already finalized"},
		{name: "no pages", copy: lab.CopyRow{Status: "LOCKED", Pages: -1}, byHolder: true, detail: "No pages found to flatten"},
		{name: "one FINALIZE before", copy: status("LOCKED"), byHolder: true, finalize: 1, done: true},
		{name: "two FINALIZE before", copy: status("LOCKED"), byHolder: true, finalize: 2, detail: "get() returned more than one GradingEvent", file: true},
	})
}

func TestFinalizeTaskHead(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.LocksRemoved = true
	const onlyReady = "Only READY or GRADING_FAILED copies can be finalized"
	each(t, newFinalizing(t, opts), []state{
		{name: "STAGING", copy: status("STAGING"), detail: onlyReady},
		{name: "READY, any user", copy: status("READY"), other: true, done: true},
		{name: "LOCKED, live row", copy: status("LOCKED"), lock: time.Minute, token: "right", detail: onlyReady, row: true},
		{name: "LOCKED, no row", copy: status("LOCKED"), byHolder: true, detail: onlyReady},
		{name: "in progress", copy: status("GRADING_IN_PROGRESS"), detail: onlyReady},
		{name: "failed", copy: status("GRADING_FAILED"), done: true},
		{name: "GRADED", copy: status("GRADED"), detail: "already finalized"},
	})
}

func TestFinalizeTaskPlaybook(t *testing.T) {
	const live, expired = 5 * time.Minute, -5 * time.Minute
	f := newFinalizing(t, quiet(lab.Playbook))
	each(t, f, []state{
		{name: "STAGING", copy: status("STAGING"), detail: "Only LOCKED"},
		{name: "READY", copy: status("READY"), detail: "Only LOCKED"},
		{name: "live row, no token", copy: status("LOCKED"), lock: live, detail: "Missing lock token.", row: true},
		{name: "live row, its token", copy: status("LOCKED"), lock: live, token: "right", done: true},
		{name: "expired row", copy: status("LOCKED"), lock: expired, detail: "Lock expired.", row: true},
		{name: "no row, anybody", copy: status("LOCKED"), other: true, done: true},
		{name: "failed before", copy: status("GRADING_FAILED"), done: true},
		{name: "GRADED", copy: status("GRADED"), detail: "already finalized"},
		{name: "no pages", copy: lab.CopyRow{Status: "LOCKED", Pages: -1}, detail: "No pages found to flatten"},
	})
	got := rowsIn[string](t, f.w, `SELECT metadata::text FROM grading_gradingevent e JOIN exams_copy c ON c.id = e.copy_id
		WHERE action = 'FINALIZE' AND c.status = 'LOCKED' ORDER BY timestamp`)
	want := []string{
		`{"error": "Missing lock token.", "retries": 1, "success": false}`,
		`{"error": "Lock expired.", "retries": 1, "success": false}`,
		`{"error": "No pages found to flatten", "retries": 1, "success": false}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failed finalizations (-want +got):\n%s", diff)
	}
}

// A failure leaves the deployed database exactly as it was.
func TestFailedFinalizeRollsBack(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.Faults = []string{"finalize-pymupdf-error"}
	f := newFinalizing(t, opts)
	broken := one[string](t, f.w, `SELECT id::text FROM exams_copy c WHERE status = 'LOCKED'
		AND NOT EXISTS (SELECT FROM grading_copylock l WHERE l.copy_id = c.id) ORDER BY locked_at DESC LIMIT 1`)
	whole := func() []string {
		return rowsIn[string](t, f.w, `SELECT concat(c, (SELECT count(*) FROM grading_gradingevent e WHERE e.copy_id = c.id)) FROM exams_copy c WHERE id = $1`, broken)
	}
	before := whole()
	holder := one[int64](t, f.w, `SELECT locked_by_id FROM exams_copy WHERE id = $1`, broken)
	f.me = holder
	r := f.send(t, state{}, broken, "")
	if r.Status != "error" || r.Detail != "Failed to generate final PDF: cannot open broken document" {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(before, whole()); diff != "" {
		t.Errorf("the copy moved:\n%s", diff)
	}
	line := fmt.Sprintf(`"message": "PDF generation failed for copy %s (attempt 1): cannot open broken document", "exc_info": "Traceback`, broken)
	if log := djangoLog(t, f.w); !strings.Contains(log, line) || !strings.Contains(log, `\nfitz.FileDataError: cannot open broken document"`) {
		t.Error("the log line, the only trace of the failure, is missing")
	}
}

func TestImportTasks(t *testing.T) {
	t.Run("deployed makes a new copy from a file", func(t *testing.T) {
		f := newFinalizing(t, quiet(lab.Deployed))
		exam := one[string](t, f.w, `SELECT id::text FROM exams_exam ORDER BY 1 LIMIT 1`)
		file := filepath.Join(f.w.MediaDir(), "scan.pdf")
		if err := os.WriteFile(file, []byte("%PDF-1.4"), 0o600); err != nil {
			t.Fatal(err)
		}
		id := uuid.NewString()
		push(t, f.rdb, taskMessage(id, "grading.tasks.async_import_pdf", []any{exam, file, f.me, "ignored"}, map[string]any{}))
		_, raw := outcome(t, f.rdb, id)
		var r taskResult
		if err := json.Unmarshal([]byte(raw), &r); err != nil || r.Status != "done" {
			t.Fatalf("%s %v", raw, err)
		}
		if got := one[string](t, f.w, `SELECT status || ' ' || left(anonymous_id, 7) FROM exams_copy WHERE id = $1`, r.CopyID); got != "STAGING IMPORT-" {
			t.Error(got)
		}
		if got := one[string](t, f.w, `SELECT metadata::text FROM grading_gradingevent WHERE copy_id = $1`, r.CopyID); got != `{"pages": 4, "filename": "scan.pdf"}` {
			t.Error(got)
		}
	})
	t.Run("playbook fills the copy that waits", func(t *testing.T) {
		f := newFinalizing(t, quiet(lab.Playbook))
		copyID, err := f.w.DB.AddCopy(labtest.Context(t), lab.CopyRow{Status: "STAGING", Pages: -1})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"done"`, `Only STAGING copies without pages`} {
			id := uuid.NewString()
			push(t, f.rdb, taskMessage(id, "grading.tasks.async_import_pdf", []any{}, map[string]any{"copy_id": copyID, "user_id": f.me}))
			if _, raw := outcome(t, f.rdb, id); !strings.Contains(raw, want) {
				t.Errorf("%s, want %s", raw, want)
			}
		}
		if n := one[int](t, f.w, `SELECT `+pages+`::int FROM exams_copy c WHERE id = $1`, copyID); n != 4 {
			t.Errorf("%d pages", n)
		}
	})
}
