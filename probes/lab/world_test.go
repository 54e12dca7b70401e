package lab_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// world starts one and closes it with the test.
func world(t *testing.T, opts lab.Options) *lab.World {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// quiet is a world in which nothing happens by itself, and what happens is fast.
func quiet(dialect lab.Dialect) lab.Options {
	return lab.Options{Dialect: dialect, Quiet: true, Speed: 200, Seed: 7}
}

func rowsIn[T any](t *testing.T, w *lab.World, sql string, args ...any) []T {
	t.Helper()
	rows, err := w.DB.Conn.Query(labtest.Context(t), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

func one[T any](t *testing.T, w *lab.World, sql string, args ...any) T {
	t.Helper()
	got := rowsIn[T](t, w, sql, args...)
	if len(got) != 1 {
		t.Fatalf("%s: %d rows, want 1", sql, len(got))
	}
	return got[0]
}

// eventually awaits a condition that the world reaches by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := labtest.Context(t)
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func scrape(t *testing.T, w *lab.World) string {
	t.Helper()
	req, err := http.NewRequestWithContext(labtest.Context(t), http.MethodGet, w.Env()["METRICS_URL"], nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Metrics-Token", w.Env()["METRICS_TOKEN"])
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintln(resp.StatusCode) + string(body)
}

func djangoLog(t *testing.T, w *lab.World) string {
	t.Helper()
	data, err := os.ReadFile(w.Env()["GRADING_LOG_DIR"] + "/django.log")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWorldStartsInEveryShape(t *testing.T) {
	labtest.Long(t)
	for name, opts := range map[string]lab.Options{
		"deployed":      {Dialect: lab.Deployed},
		"playbook":      {Dialect: lab.Playbook},
		"no locks":      {NoLocks: true},
		"locks removed": {LocksRemoved: true},
		"routed":        {RoutedQueues: true, VerboseLogs: true},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Speed = 200
			w := world(t, opts)
			if n := one[int](t, w, `SELECT count(*)::int FROM exams_copy`); n < 25 {
				t.Errorf("%d copies", n)
			}
			events := func() int { return one[int](t, w, `SELECT count(*)::int FROM grading_gradingevent`) }
			before := events()
			eventually(t, "an event", func() bool { return events() > before+5 })
			if got := scrape(t, w); !strings.Contains(got, "http_request_duration_seconds_bucket") {
				t.Errorf("metrics: %.300s", got)
			}
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := lab.Start(ctx, lab.Options{Speed: 50})
	if err != nil {
		labtest.Missing(t, err.Error())
	}
	cancel() // the start's context is over; the world goes on
	logs, url := w.Env()["GRADING_LOG_DIR"], w.Env()["METRICS_URL"]
	pg := w.Postgres.Dir()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{logs, w.MediaDir(), pg} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left", path)
		}
	}
	if resp, err := http.Get(url); err == nil {
		resp.Body.Close()
		t.Error("the port still answers")
	}
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// rowsOf dumps what a seed decides: everything but the times.
func rowsOf(t *testing.T, w *lab.World) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table, columns := range map[string]string{
		"exams_copy":           "id, anonymous_id, status, exam_id",
		"exams_booklet":        "id, exam_id, pages_images",
		"grading_copylock":     "copy_id, token",
		"grading_annotation":   "id, copy_id, created_by_id",
		"grading_gradingevent": "id, copy_id, action, actor_id, metadata",
		"grading_draftstate":   "id, copy_id, owner_id, version",
	} {
		out[table] = rowsIn[string](t, w, `SELECT concat_ws(' ', `+columns+`) FROM `+table+` ORDER BY 1`)
	}
	return out
}

func TestSameSeedSameRows(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.NoWorker = true
	opts.Faults = lab.DefaultFaults(opts)
	first := rowsOf(t, world(t, opts))
	if diff := cmp.Diff(first, rowsOf(t, world(t, opts))); diff != "" {
		t.Errorf("same seed, other rows (-first +second):\n%s", diff)
	}
	opts.Seed++
	if cmp.Equal(first, rowsOf(t, world(t, opts))) {
		t.Error("another seed gave the same rows")
	}
}

func TestScaleSeedsTenThousandLocks(t *testing.T) {
	labtest.Long(t)
	opts := quiet(lab.Deployed)
	opts.NoWorker, opts.Scale = true, 1000
	opts.Faults = []string{"expired-locks"}
	w := world(t, opts)
	if n := one[int](t, w, `SELECT count(*)::int FROM grading_copylock`); n != 12_000 {
		t.Errorf("%d locks", n)
	}
}

// What a lively session may never come to, however long it runs.
func TestSessionStaysInOrder(t *testing.T) {
	for name, opts := range map[string]lab.Options{
		"deployed": {}, "playbook": {Dialect: lab.Playbook}, "locks removed": {LocksRemoved: true},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Speed, opts.Seed = 300, 3
			w := world(t, opts)
			graded := func() int {
				return one[int](t, w, `SELECT count(*)::int FROM grading_gradingevent WHERE action = 'FINALIZE'`)
			}
			before := graded()
			eventually(t, "finalizations, imports and unlocks", func() bool {
				unlocked := opts.LocksRemoved || one[bool](t, w, `SELECT EXISTS (SELECT FROM grading_gradingevent WHERE action = 'UNLOCK')`)
				return graded() > before+10 && unlocked &&
					one[bool](t, w, `SELECT EXISTS (SELECT FROM exams_copy WHERE anonymous_id LIKE 'IMPORT-%')`)
			})
			for what, sql := range map[string]string{
				"a lock on a copy that is not LOCKED": `SELECT count(*)::int FROM grading_copylock l JOIN exams_copy c ON c.id = l.copy_id WHERE c.status <> 'LOCKED'`,
				"a LOCKED copy without a lock":        `SELECT count(*)::int FROM exams_copy c WHERE status = 'LOCKED' AND NOT EXISTS (SELECT FROM grading_copylock l WHERE l.copy_id = c.id)`,
				"an annotation after the grade":       `SELECT count(*)::int FROM grading_gradingevent a JOIN grading_gradingevent f USING (copy_id) WHERE a.action = 'CREATE_ANN' AND f.action = 'FINALIZE' AND a.timestamp > f.timestamp`,
				"a GRADED copy without FINALIZE":      `SELECT count(*)::int FROM exams_copy c WHERE status = 'GRADED' AND NOT EXISTS (SELECT FROM grading_gradingevent e WHERE e.copy_id = c.id AND action = 'FINALIZE')`,
			} {
				if n := one[int](t, w, sql); n != 0 {
					t.Errorf("%s: %d", what, n)
				}
			}
		})
	}
}

// A teacher whose lock was taken away is told so, and goes on with another copy.
func TestTeachersNoticeALostLock(t *testing.T) {
	w := world(t, lab.Options{Speed: 100, Seed: 5})
	ctx := labtest.Context(t)
	if _, err := w.DB.Conn.Exec(ctx, `WITH gone AS (DELETE FROM grading_copylock RETURNING copy_id)
		UPDATE exams_copy SET status = 'READY', locked_at = NULL, locked_by_id = NULL WHERE id IN (SELECT copy_id FROM gone)`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a refusal", func() bool { return strings.Contains(djangoLog(t, w), "Lock not found.") })
	eventually(t, "new locks", func() bool { return one[int](t, w, `SELECT count(*)::int FROM grading_copylock`) > 2 })
}
