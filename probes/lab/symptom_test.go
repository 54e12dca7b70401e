package lab_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// mend does to a fault's targets what the right action would do.
type mend func(t *testing.T, w *lab.World, targets []string)

func bySQL(sql string) mend {
	return func(t *testing.T, w *lab.World, targets []string) {
		if _, err := w.DB.Conn.Exec(labtest.Context(t), sql, targets); err != nil {
			t.Fatal(err)
		}
	}
}

// mends are of the faults that an action can put right.
func mends() map[string]mend {
	unlock := bySQL(`DELETE FROM grading_copylock WHERE copy_id = ANY($1::text[]::uuid[])`)
	grade := bySQL(`UPDATE exams_copy SET status = 'GRADED' WHERE id = ANY($1::text[]::uuid[])`)
	return map[string]mend{
		"expired-locks": unlock, "abandoned-locks": unlock, "lock-cleanup-cron": unlock,
		"locked-no-lock":         bySQL(`UPDATE exams_copy SET status = 'READY' WHERE id = ANY($1::text[]::uuid[])`),
		"finalize-pymupdf-error": grade, "finalize-idle-timeout": grade,
		"blocked-session": disconnect, "open-transaction": disconnect,
		"workers-busy": func(t *testing.T, w *lab.World, _ []string) {
			w.Worker.Kill()
			if err := w.Worker.Start(labtest.Context(t)); err != nil {
				t.Fatal(err)
			}
		},
		"poison-message": func(t *testing.T, w *lab.World, _ []string) {
			eventually(t, "the poison removed", func() bool {
				if err := redisOf(t, w).Del(labtest.Context(t), "celery", "unacked", "unacked_index").Err(); err != nil {
					t.Fatal(err)
				}
				shows, _, err := w.Shows(labtest.Context(t), "poison-message")
				return !shows && err == nil
			})
		},
		"orphaned-unacked": func(t *testing.T, w *lab.World, _ []string) {
			if err := redisOf(t, w).Del(labtest.Context(t), "unacked", "unacked_index").Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func redisOf(t *testing.T, w *lab.World) *redis.Client {
	rdb := redis.NewClient(w.Redis.Options())
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

// disconnect ends the sessions among the targets; a pid is a short number.
func disconnect(t *testing.T, w *lab.World, targets []string) {
	for _, id := range targets {
		pid, err := strconv.Atoi(id)
		if err != nil {
			continue
		}
		if _, err := w.DB.Conn.Exec(labtest.Context(t), `SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
			t.Fatal(err)
		}
	}
}

// checkMending: the world itself says that a fault is there, and that it is
// gone once its targets were put right.
func checkMending(t *testing.T, w *lab.World, name string) {
	t.Helper()
	shows := func() (bool, bool) {
		shows, known, err := w.Shows(labtest.Context(t), name)
		if err != nil {
			t.Fatal(err)
		}
		return shows, known
	}
	put := mends()[name]
	is, known := shows()
	if !is || known != (put != nil) {
		t.Fatalf("the world says shows %v, known %v of a fault just made", is, known)
	}
	if put == nil {
		return
	}
	targets := w.Targets(name)
	if len(targets) == 0 || slices.Contains(targets, "") {
		t.Fatalf("its targets are %q", targets)
	}
	put(t, w, targets)
	eventually(t, "the fault put right", func() bool { is, _ := shows(); return !is })
}

func TestAFaultThatIsNotMadeDoesNotShow(t *testing.T) {
	w := &lab.World{}
	if shows, known, err := w.Shows(context.Background(), "expired-locks"); shows || !known || err != nil {
		t.Errorf("shows %v, known %v, %v", shows, known, err)
	}
	if got := w.Targets("expired-locks"); got != nil {
		t.Errorf("targets %q of a fault that is not made", got)
	}
}
