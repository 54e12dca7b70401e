package export_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// plant makes one of each thing to be counted. What it planted, by hand and not
// by our own SQL, is in the tests below.
func plant(t *testing.T, db *labtest.DB) {
	t.Helper()
	u, now := db.AddUser("mdupont"), db.Now()
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	event := func(id, action string, minutes int, meta map[string]any) {
		db.AddEvent(lab.EventRow{Copy: id, Action: action, Actor: u, At: at(minutes), Meta: meta})
	}
	for i := range 3 {
		id := db.AddCopy(lab.CopyRow{Anon: fmt.Sprintf("A3F2-%04d", i), Status: "STAGING", Pages: -1, Created: at(20 + 10*i)})
		event(id, "IMPORT", 20+10*i, nil)
	}
	failed := db.AddCopy(lab.CopyRow{Anon: "B771-0001", Status: "GRADING_FAILED", Pages: 4})
	event(failed, "FINALIZE", 30, map[string]any{"success": false, "detail": "broken"})
	graded := db.AddCopy(lab.CopyRow{Anon: "IMPORT-0002", Status: "GRADED", FinalPDF: "x.pdf", Pages: 4, Graded: at(5)})
	event(graded, "FINALIZE", 5, map[string]any{"final_score": 12}) // no IMPORT, and no LOCK where those are used: a gap
	db.AddCopy(lab.CopyRow{Anon: "C09D-0003", Status: "READY", Pages: 4})
	odd := db.AddCopy(lab.CopyRow{Anon: "C09D-0004", Status: "HOSTILE\x1b[31m", Pages: 4})
	event(odd, "SOMETHING", 90, nil)
	if !db.HasLocks {
		return
	}
	expired := db.AddCopy(lab.CopyRow{Anon: "D417-0005", Status: "LOCKED", Pages: 4, LockedBy: u, LockedAt: at(62)})
	db.AddLock(lab.LockRow{Copy: expired, Owner: u, Since: at(62), Expires: at(52)})
	live := db.AddCopy(lab.CopyRow{Anon: "D417-0006", Status: "LOCKED", Pages: 4, LockedBy: u, LockedAt: at(3)})
	db.AddLock(lab.LockRow{Copy: live, Owner: u, Since: at(3), Expires: at(-7)})
	event(live, "LOCK", 3, nil)
}

// each runs a test over both dialects, with and without the lock table.
func each(t *testing.T, run func(*testing.T, *labtest.DB)) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		for name, opts := range map[string][]labtest.Option{"locks": nil, "no locks": {labtest.NoLocks}} {
			t.Run(string(dialect)+" "+name, func(t *testing.T) { run(t, labtest.Postgres(t, dialect, opts...)) })
		}
	}
}

// counted is what SQL says, by one column.
func counted(t *testing.T, db *labtest.DB, known []string, sql string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, k := range known {
		out[k] = 0
	}
	rows, err := db.Pool.Query(labtest.Context(t), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n float64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(known, name) {
			name = "other"
		}
		out[name] += n
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

func same(t *testing.T, what string, want, got any, opts ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, opts...); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

var (
	theStatuses = []string{"STAGING", "READY", "LOCKED", "GRADING_IN_PROGRESS", "GRADING_FAILED", "GRADED", "QUARANTINE"}
	theActions  = []string{"IMPORT", "VALIDATE", "LOCK", "UNLOCK", "CREATE_ANN", "UPDATE_ANN", "DELETE_ANN", "FINALIZE", "EXPORT"}
	seconds     = cmpopts.EquateApprox(0, 180) // while the test runs, on a busy machine
)

// TestCountsAreThoseOfSQLAndRedis: what is scraped is what the servers say when
// they are asked in another way.
func TestCountsAreThoseOfSQLAndRedis(t *testing.T) {
	each(t, func(t *testing.T, db *labtest.DB) {
		plant(t, db)
		server := labtest.Redis(t)
		rdb := redis.NewClient(server.Options())
		t.Cleanup(func() { _ = rdb.Close() })
		for name, n := range map[string]int{"celery": 3, "finalize": 60, "exports": 2} {
			for range n {
				if err := rdb.LPush(t.Context(), name, "not a message").Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		rdb.SAdd(t.Context(), "_kombu.binding.exports", "exports\x06\x16\x06\x16exports")
		s := serve(t, map[string]string{"DATABASE_URL": db.ReaderDSN(), "CELERY_BROKER_URL": server.URL()})
		s.looked()
		m := s.until("every queue is found, also one that only its binding names", func(m scraped) bool { return len(m["gradecockpit_queue_messages"]) == 5 })

		same(t, "copies", counted(t, db, theStatuses, "SELECT status, count(*) FROM exams_copy GROUP BY 1"), m["grading_copies_by_status"])
		same(t, "events", counted(t, db, theActions, "SELECT action, count(*) FROM grading_gradingevent GROUP BY 1"), m["gradecockpit_audit_events_total"])
		same(t, "events of the last hour", labtest.Get[float64](db, "SELECT count(*)::float8 FROM grading_gradingevent WHERE timestamp > now() - interval '1 hour'"),
			m["gradecockpit_audit_events_last_hour"][""])
		same(t, "copies without events", counted(t, db, theStatuses, `SELECT status, count(*) FROM exams_copy c
			LEFT JOIN grading_gradingevent e ON e.copy_id = c.id WHERE e.id IS NULL GROUP BY 1`), m["gradecockpit_copies_without_events"])
		same(t, "finalizations", map[string]float64{"failed": 1, "succeeded": 1}, m["gradecockpit_finalize_events_last_hour"])
		if m["gradecockpit_audit_gaps"][""] < 1 {
			t.Error("no gap is seen")
		}
		depth := map[string]float64{}
		for _, name := range []string{"celery", "finalize", "import", "maintenance", "exports"} {
			depth[name] = float64(rdb.LLen(t.Context(), name).Val())
		}
		same(t, "queues", depth, m["gradecockpit_queue_messages"])
		same(t, "workers", map[string]float64{"": 0}, m["gradecockpit_workers_listening"])
		same(t, "sources", map[string]float64{"postgres": 1, "redis": 1}, m.sources())
		same(t, "size", labtest.Get[float64](db, "SELECT pg_database_size(current_database())::float8"), m["gradecockpit_database_size_bytes"][""], cmpopts.EquateApprox(0.1, 0))
		same(t, "connections", labtest.Get[float64](db, "SELECT count(*)::float8 / (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int) FROM pg_stat_activity WHERE backend_type = 'client backend'"),
			m["gradecockpit_database_connections_used_ratio"][""], cmpopts.EquateApprox(0, 0.1))

		stuck := map[string]float64{"import": 3, "failed": 1, "in_progress": 0, "no_pdf": 0}
		if db.HasLocks {
			stuck["expired"], stuck["no_lock"] = 1, 0
			same(t, "locks", counted(t, db, nil, "SELECT 'other', count(*) FROM grading_copylock")["other"],
				m["gradecockpit_locks"]["live"]+m["gradecockpit_locks"]["expired"])
			same(t, "expired", labtest.Get[float64](db, "SELECT count(*)::float8 FROM grading_copylock WHERE expires_at < now()"), m["gradecockpit_locks"]["expired"])
			same(t, "first expired", labtest.Get[float64](db, "SELECT extract(epoch FROM now() - min(expires_at))::float8 FROM grading_copylock"),
				m["gradecockpit_lock_expired_oldest_seconds"][""], seconds)
			same(t, "oldest", 62*60.0, m["gradecockpit_lock_oldest_seconds"][""], seconds)
		} else {
			stuck["dead_end"] = 0
			for _, name := range []string{"gradecockpit_locks", "gradecockpit_lock_oldest_seconds", "gradecockpit_lock_expired_oldest_seconds"} {
				same(t, name+" without a lock table", 0, len(m[name]))
			}
		}
		same(t, "stuck", stuck, m["gradecockpit_stuck_copies"])
		same(t, "longest stuck", 40*60.0, m["gradecockpit_stuck_copies_oldest_seconds"]["import"], seconds)
	})
}

// TestDiskIsWhatDfSays of the folder that is mounted here; one that nobody
// named has no series.
func TestDiskIsWhatDfSays(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, map[string]string{"MEDIA_ROOT": dir})
	m := s.until("the host is looked at", func(m scraped) bool { return len(m["gradecockpit_volume_used_ratio"]) > 0 })
	out, err := exec.Command("df", "-P", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(strings.Split(string(out), "\n")[1])
	percent, err := strconv.ParseFloat(strings.TrimSuffix(fields[4], "%"), 64)
	if err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	same(t, "media", percent/100, m["gradecockpit_volume_used_ratio"]["media"], cmpopts.EquateApprox(0, 0.02))
	if _, ok := m["gradecockpit_volume_used_ratio"]["logs"]; ok {
		t.Error("there is a log folder that nobody named")
	}
}

// TestNobodyIsNamed: labels hold no user, no copy, and nothing that a hostile
// row made up.
func TestNobodyIsNamed(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	plant(t, db)
	s := serve(t, map[string]string{"DATABASE_URL": db.ReaderDSN()})
	s.looked()
	_, text, _ := s.get(http.MethodGet, "/metrics")
	for _, never := range []string{"mdupont", "A3F2", "D417", "IMPORT-", "HOSTILE", "SOMETHING", "broken", "x.pdf", "\x1b"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is served", never)
		}
	}
}

// TestWhatIsNotKnownHasNoSeries: a part that the role may not read is absent,
// and so is everything of a source that nobody configured.
func TestWhatIsNotKnownHasNoSeries(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	plant(t, db)
	s := serve(t, map[string]string{"DATABASE_URL": db.RoleDSN("SELECT ON exams_copy, grading_gradingevent")})
	m := s.looked()
	if len(m["grading_copies_by_status"]) == 0 || len(m["gradecockpit_audit_events_total"]) == 0 {
		t.Errorf("what may be read is missing: %v", m.names())
	}
	for _, name := range []string{"gradecockpit_locks", "gradecockpit_lock_oldest_seconds", "gradecockpit_queue_messages", "gradecockpit_workers",
		"gradecockpit_workers_listening", "gradecockpit_tasks", "gradecockpit_http_requests_per_second", "gradecockpit_log_errors_last_hour"} {
		same(t, name, 0, len(m[name]))
	}
	for _, cause := range []string{"import", "no_lock", "expired", "dead_end"} {
		if v, ok := m["gradecockpit_stuck_copies"][cause]; ok {
			t.Errorf("%v copies are stuck by %s, which cannot be judged", v, cause)
		}
	}
	same(t, "sources", map[string]float64{"postgres": 1}, m.sources())
}

// TestOldFailuresAreNoNews: more results than one look reads come in at once, so
// that an exporter that starts raises no alert.
func TestOldFailuresAreNoNews(t *testing.T) {
	const many = 12_000
	server := labtest.Redis(t)
	rdb := redis.NewClient(server.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	pipe := rdb.Pipeline()
	for i := range many {
		pipe.Set(t.Context(), fmt.Sprintf("celery-task-meta-old%d", i),
			fmt.Sprintf(`{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["No pages"]}, "traceback": "", "children": [], "task_id": "old%d"}`, i), time.Hour)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := serve(t, map[string]string{"CELERY_BROKER_URL": server.URL()})
	m := s.until("the failures are served", func(m scraped) bool { _, ok := m["gradecockpit_tasks"]["failed"]; return ok })
	same(t, "failed", float64(many), m["gradecockpit_tasks"]["failed"])
}

// TestASourceThatDies: its series go, the others stay, and it says so.
func TestASourceThatDies(t *testing.T) {
	db, server := labtest.Postgres(t, lab.Deployed), labtest.Redis(t)
	plant(t, db)
	s := serveFor(t, map[string]string{"DATABASE_URL": db.ReaderDSN(), "CELERY_BROKER_URL": server.URL()}, 5*time.Second)
	s.looked()
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	m := s.until("the series are withheld, those of the other source are not", func(m scraped) bool {
		return len(m["gradecockpit_queue_messages"]) == 0 && len(m["grading_copies_by_status"]) > 0 &&
			m["gradecockpit_probe_stale"]["queues redis"] == 1 && m["gradecockpit_probe_stale"]["grading postgres"] == 0
	})
	same(t, "sources", map[string]float64{"postgres": 1, "redis": 0}, m.sources())
	if age := m["gradecockpit_probe_age_seconds"]["queues redis"]; age < 5 {
		t.Errorf("what is withheld is %g s old", age)
	}
	if status, text, _ := s.get(http.MethodGet, "/healthz"); status != http.StatusOK {
		t.Errorf("the exporter is not well because a source is not: %d %s", status, text)
	}
	if err := server.Up(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	s.until("the series are back", func(m scraped) bool {
		return len(m["gradecockpit_queue_messages"]) > 0 && m["gradecockpit_source_up"]["redis"] == 1
	})
}
