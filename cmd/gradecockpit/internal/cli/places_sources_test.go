package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// traceConditions are those of one request or copy over all sources.
func traceConditions() map[string]condition {
	const request = "77777777-aaaa-4bbb-8ccc-dddddddddddd"
	named := func(file string) func(*site) string {
		return func(s *site) string {
			id := s.database().AddCopy(lab.CopyRow{Anon: "A3F2-0077", Status: "LOCKED", Pages: 4})
			s.log(file, "ERROR", "grading.services", "PDF generation failed for copy "+id+" (attempt 1): no page", map[string]any{"path": "/api/grading/copies/" + id + "/finalize/"})
			return id
		}
	}
	audited := func(s *site) string {
		id := decoy(s)
		s.log("audit.log.1", "INFO", "audit", "audit", map[string]any{"path": "/api/grading/copies/" + id + "/final-pdf/", "method": "GET", "user_id": 2})
		return id
	}
	calm := func(s *site) string {
		id := decoy(s)
		s.log("django.log", "ERROR", "grading.services", "PDF generation failed for copy of somebody else", nil)
		return id
	}
	asked := func(s *site) string {
		s.log("django.log.3", "INFO", "grading.views", "it began", map[string]any{"request_id": request})
		s.log("django.log", "ERROR", "grading.services", "it ended", map[string]any{"request_id": request})
		return request
	}
	other := func(s *site) string {
		s.log("django.log", "ERROR", "grading.services", "it ended", map[string]any{"request_id": strings.ReplaceAll(request, "7", "8")})
		return request
	}
	return map[string]condition{
		"4.2/3a": {tables: true, plant: named("django.log.4"), calm: calm, finds: []string{"PDF generation failed for copy {ID}"}},
		"7.2/2a": {tables: true, plant: audited, calm: calm, finds: []string{"INFO audit"}},
		"A.1/1":  {plant: asked, calm: other, finds: []string{"it began", "it ended"}},
		"A.1/2":  {tables: true, plant: named("django.log.10"), calm: calm, finds: []string{"PDF generation failed for copy {ID}"}},
	}
}

// taskConditions are those of queue and workers, with a real worker.
func taskConditions() map[string]condition {
	idle := func(s *site) string {
		s.worker()
		return ""
	}
	imports := func(s *site) string {
		s.worker()
		s.send("grading.tasks.async_import_pdf", "exam-77")
		s.ran("exam-77")
		return ""
	}
	swallowed := func(s *site) string {
		id := decoy(s)
		s.broker().Set(s.t.Context(), "behave:"+id, "swallow", 0)
		s.worker()
		task := s.send("grading.tasks.async_finalize_copy", id)
		labtest.Eventually(s.t, func() bool {
			return strings.Contains(s.broker().Get(s.t.Context(), "celery-task-meta-"+task).Val(), "SUCCESS")
		})
		return id
	}
	waiting := func(s *site) string {
		for i := range 61 {
			s.send("grading.tasks.async_import_pdf", fmt.Sprintf("exam-%d", i))
		}
		return ""
	}
	empty := func(s *site) string { s.broker(); return "" }
	return map[string]condition{
		"3.2/4a": {plant: imports, calm: idle, finds: []string{"running", "import_pdf"}},
		"4.2/4a": {tables: true, plant: swallowed, calm: func(s *site) string { s.broker(); return decoy(s) }, finds: []string{"said by the task"}},
		"6.2/5a": {plant: waiting, calm: empty, finds: []string{"61"}},
		"6.2/5b": {plant: imports, calm: idle, finds: []string{"1 of 1 slot busy", "import_pdf"}},
	}
}

// worker starts a real Celery worker of the site's dialect.
func (s *site) worker() {
	rdb := s.broker()
	dialect := ""
	if s.dialect == lab.Playbook {
		dialect = "playbook"
	}
	labtest.Celery(s.t, s.redis, rdb, labtest.CeleryOptions{Dialect: dialect})
}

// ran waits until a worker has begun a task.
func (s *site) ran(subject string) {
	labtest.Eventually(s.t, func() bool { return s.broker().LLen(s.t.Context(), "ran:"+subject).Val() > 0 })
}

// requestConditions are those of /metrics.
func requestConditions() map[string]condition {
	fast, slow := requests(0.004), requests(7)
	measured := func(text func(int64) string) func(*site) string {
		return func(s *site) string { s.measures(text); return "GET /api/exams/" }
	}
	big := func(s *site) string {
		s.measures(func(n int64) string { return fast(n) + "process_resident_memory_bytes 805306368\n" })
		return ""
	}
	return map[string]condition{
		"6.2/1": {plant: measured(slow), calm: measured(fast), finds: []string{"9.8s"}},
		"A.3/1": {plant: measured(slow), calm: measured(fast), finds: []string{"9.8s"}},
		"A.3/2": {plant: measured(slow), calm: func(s *site) string { s.measures(fast); return "GET /nowhere/" }, finds: []string{"503"}},
		"A.3/3": {plant: measured(slow), finds: []string{"GET /api/exams/"}},
		"A.3/4": {plant: big, calm: measured(fast), finds: []string{"768"}},
	}
}

// requests gives a /metrics by which a hundred requests come between two
// scrapes, each of which took so many seconds; one in ten fails.
func requests(seconds float64) func(int64) string {
	return func(scrape int64) string {
		var b strings.Builder
		n := 100 * scrape
		fmt.Fprintf(&b, "process_start_time_seconds 1.7e9\n# TYPE http_requests_total counter\n")
		fmt.Fprintf(&b, "http_requests_total{method=\"GET\",path=\"/api/exams/\",status=\"200\"} %d\nhttp_requests_total{method=\"GET\",path=\"/api/exams/\",status=\"503\"} %d\n", n*9/10, n/10)
		b.WriteString("# TYPE http_request_duration_seconds histogram\n")
		for _, le := range []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10} {
			in := int64(0)
			if seconds <= le {
				in = n
			}
			fmt.Fprintf(&b, "http_request_duration_seconds_bucket{method=\"GET\",path=\"/api/exams/\",le=\"%g\"} %d\n", le, in)
		}
		fmt.Fprintf(&b, "http_request_duration_seconds_bucket{method=\"GET\",path=\"/api/exams/\",le=\"+Inf\"} %d\n", n)
		fmt.Fprintf(&b, "http_request_duration_seconds_sum{method=\"GET\",path=\"/api/exams/\"} %g\nhttp_request_duration_seconds_count{method=\"GET\",path=\"/api/exams/\"} %d\n", float64(n)*seconds, n)
		return b.String()
	}
}

// databaseConditions are those of PostgreSQL itself.
func databaseConditions() map[string]condition {
	sleeps := func(s *site) string {
		conn, err := pgx.Connect(labtest.Context(s.t), s.database().DSN())
		if err != nil {
			s.t.Fatal(err)
		}
		ctx, stop := context.WithCancel(labtest.Context(s.t))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = conn.Exec(ctx, "SELECT pg_sleep(3600), 'somebody waits'")
		}()
		s.t.Cleanup(func() { stop(); <-ended; _ = conn.Close(labtest.Context(s.t)) })
		labtest.Eventually(s.t, func() bool {
			return labtest.Get[int](s.database(), "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'") > 0
		})
		return ""
	}
	ballast := func(s *site) string {
		s.database().Exec("CREATE TABLE ballast AS SELECT repeat('x', 900) AS x FROM generate_series(1, 30000)")
		return labtest.Get[string](s.database(), "SELECT ceil(pg_database_size(current_database()) / 1048576.0)::text || 'M'")
	}
	often := func(s *site) string {
		db := s.database()
		if labtest.Get[string](db, "SHOW shared_preload_libraries") == "" {
			labtest.Missing(s.t, "this test needs pg_stat_statements, which is in postgresql-contrib")
		}
		db.Exec("CREATE EXTENSION pg_stat_statements")
		for i := range 300 {
			db.Exec("SELECT count(*) FROM exams_copy_booklets WHERE booklet_id = $1", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		}
		db.Pool.Reset() // sessions hand in their counts when they end
		return ""
	}
	calm := func(s *site) string { s.database(); return "" }
	return map[string]condition{
		"6.2/3a": {plant: sleeps, calm: calm, finds: []string{"pg_sleep", "somebody waits"}},
		"6.2/3b": {tables: true, plant: ballast, calm: calm, finds: []string{"size {ID}"}},
		"6.2/3c": {tables: true, plant: ballast, calm: calm, finds: []string{"ballast"}},
		"6.2/4":  {tables: true, plant: often, finds: []string{"300", "exams_copy_booklets"}},
	}
}
