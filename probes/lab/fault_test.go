package lab_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// sign is what shows a fault from outside.
type sign struct {
	seen  func(t *testing.T, w *lab.World) bool
	stays bool // in the log or in counters: healing does not take it back
}

// rows is seen in the database.
func rows(sql string) sign {
	return sign{seen: func(t *testing.T, w *lab.World) bool { return one[bool](t, w, "SELECT "+sql) }}
}

// logged is seen in django.log.
func logged(text string) sign {
	return sign{stays: true, seen: func(t *testing.T, w *lab.World) bool { return strings.Contains(djangoLog(t, w), text) }}
}

// workerLogged is seen in the worker's own log.
func workerLogged(text string) sign {
	return sign{stays: true, seen: func(t *testing.T, w *lab.World) bool {
		raw, _ := os.ReadFile(filepath.Join(w.Env()["GRADING_LOG_DIR"], "celery.log"))
		return strings.Contains(string(raw), text)
	}}
}

// scraped is seen by a process behind /metrics; one of three answers.
func scraped(text string) sign {
	return sign{stays: true, seen: func(t *testing.T, w *lab.World) bool {
		return strings.Contains(scrape(t, w)+scrape(t, w)+scrape(t, w), text)
	}}
}

// broker is seen in Redis.
func broker(seen func(ctx context.Context, rdb *redis.Client) bool) sign {
	return sign{seen: func(t *testing.T, w *lab.World) bool {
		rdb := redis.NewClient(w.Redis.Options())
		defer rdb.Close()
		return seen(labtest.Context(t), rdb)
	}}
}

func waiting(queue string, n int64) sign {
	return broker(func(ctx context.Context, rdb *redis.Client) bool { return rdb.LLen(ctx, queue).Val() >= n })
}

const pages = `(SELECT coalesce(sum(jsonb_array_length(b.pages_images)), 0) FROM exams_copy_booklets l JOIN exams_booklet b ON b.id = l.booklet_id WHERE l.copy_id = c.id)`

var (
	emptyStaging = rows(`EXISTS (SELECT FROM exams_copy c WHERE status = 'STAGING' AND ` + pages + ` = 0)`)
	lockedNoRow  = rows(`EXISTS (SELECT FROM exams_copy c WHERE status = 'LOCKED' AND NOT EXISTS (SELECT FROM grading_copylock l WHERE l.copy_id = c.id))`)
	gap          = func(action string) sign {
		return rows(`EXISTS (SELECT FROM exams_copy c WHERE status = 'GRADED' AND NOT EXISTS
			(SELECT FROM grading_gradingevent e WHERE e.copy_id = c.id AND e.action = '` + action + `'))`)
	}
)

// signs are the visible conditions of every fault.
func signs() map[string][]sign {
	return map[string][]sign{
		"worker-down":            {emptyStaging, waiting("celery", 3), receivers(0)},
		"worker-frozen":          {emptyStaging, frozen()},
		"queue-nobody-takes":     {waiting("finalize", 4), waiting("import", 3), lockedNoRow},
		"corrupted-pdf-import":   {emptyStaging, logged("cannot open broken document"), logged("Async import failed for copy")},
		"ocr-timeout":            {emptyStaging, logged("SoftTimeLimitExceeded"), result(`"FAILURE", "result": {"exc_type": "TimeLimitExceeded"`), scraped(`grading_ocr_errors_total{error_type="timeout"}`)},
		"disk-full":              {emptyStaging, lockedNoRow, logged("[Errno 28] No space left on device")},
		"worker-oom":             {emptyStaging, result(`"STARTED", "result": {"pid": 3,`), workerLogged("WorkerLostError")},
		"finalize-pymupdf-error": {lockedNoRow, logged("PDF generation failed for copy"), scraped(`grading_finalize_duration_seconds_count{retry_attempt="1",status="failed"}`)},
		"missing-annotations": {rows(`EXISTS (SELECT FROM exams_copy c JOIN grading_gradingevent e ON e.copy_id = c.id AND e.action = 'CREATE_ANN'
			WHERE NOT EXISTS (SELECT FROM grading_annotation a WHERE a.copy_id = c.id))`), logged("Annotation matching query")},
		"lock-token-mismatch":   {logged("Invalid lock token."), scraped(`conflict_type="token_mismatch"`)},
		"finalize-disk-full":    {lockedNoRow, logged("No space left on device")},
		"finalize-no-pages":     {rows(`EXISTS (SELECT FROM exams_copy c WHERE status = 'LOCKED' AND ` + pages + ` = 0)`), logged("No pages found to flatten")},
		"finalize-memory-error": {rows(`EXISTS (SELECT FROM exams_copy c WHERE status = 'LOCKED' AND ` + pages + ` > 100)`), logged("MemoryError")},
		"finalize-idle-timeout": {lockedNoRow, logged("connection already closed"), logged("took 67.30s")},
		"duplicate-finalize": {logged("get() returned more than one GradingEvent"), rows(`EXISTS (SELECT FROM grading_gradingevent
			WHERE action = 'FINALIZE' AND metadata->>'success' IS DISTINCT FROM 'false' GROUP BY copy_id, actor_id HAVING count(*) > 1)`)},
		"expired-locks":      {rows(`(SELECT count(*) FROM grading_copylock WHERE expires_at < now()) = 7`)},
		"abandoned-locks":    {rows(`(SELECT count(*) FROM grading_copylock WHERE expires_at BETWEEN now() AND now() + interval '8 minutes') = 3`)},
		"lock-cleanup-cron":  {rows(`(SELECT count(*) FROM grading_copylock WHERE expires_at < now() - interval '59 minutes') = 120`)},
		"lock-conflicts":     {logged("Conflict: /api/grading/copies/"), scraped(`conflict_type="already_locked"`)},
		"locked-no-lock":     {lockedNoRow},
		"unlock-wrong-token": {logged("lock/release/"), logged("Invalid lock token.")},
		"blocked-session":    {rows(`EXISTS (SELECT FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0)`), rows(`EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%GRADING_IN_PROGRESS%')`)},
		"open-transaction": {rows(`(SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0) = 2`),
			rows(`EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'psql' AND state = 'idle in transaction' AND query LIKE '%UPDATE exams_copy%')`)},
		"slow-endpoint":        {scraped(`http_request_duration_seconds_bucket{le="10.0",method="GET",path="/api/copies/"}`), logged("Slow request: GET /api/copies/ took")},
		"slow-finalize":        {logged("Slow request: POST /api/grading/copies/<uuid>/finalize/ took"), scraped(`grading_finalize_duration_seconds_bucket{le="60.0",retry_attempt="1",status="success"}`)},
		"http-504":             {logged("Gateway Timeout: /api/grading/copies/"), scraped(`status="504"`)},
		"n-plus-one":           {logged(`FROM \"exams_booklet\" INNER JOIN`)},
		"missing-index":        {rows(`to_regclass('grading_gra_copy_id_160cd8_idx') IS NULL`)},
		"schema-drift":         {rows(`EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'exams_exam'::regclass AND attname = 'label')`)},
		"autovacuum-off":       {rows(`current_setting('autovacuum') = 'off'`)},
		"process-restarts":     {restarted()},
		"folder-not-writable":  {closed()},
		"too-many-clients":     {noSlot(), logged("too many clients already")},
		"metrics-behind-nginx": {{seen: func(t *testing.T, w *lab.World) bool { return strings.Contains(scrape(t, w), "<!DOCTYPE html>") }}},
		"queue-backlog":        {waiting("celery", 40), workerBusy(2)},
		"workers-busy":         {workerBusy(2)},
		"lost-task":            {emptyStaging, result(`"STARTED", "result": {"pid": 4,`)},
		"worker-deaf":          {waiting("celery", 3), receivers(0)},
		"poison-message":       {receivers(0)},
		"orphaned-unacked": {broker(func(ctx context.Context, rdb *redis.Client) bool {
			old := fmt.Sprint(time.Now().Add(-10 * time.Minute).Unix())
			return rdb.ZCount(ctx, "unacked_index", "0", old).Val() == 5 && rdb.HLen(ctx, "unacked").Val() >= 5
		})},
		"missing-events":         {gap("VALIDATE"), gap("LOCK"), gap("FINALIZE")},
		"rollback-events":        {gap("LOCK"), logged("current transaction is aborted")},
		"exception-before-event": {gap("CREATE_ANN"), logged("AttributeError: COMMENTAIRE")},
		"constraint-violation":   {gap("VALIDATE"), logged("violates not-null constraint")},
		"event-duplicate-key":    {logged("grading_gradingevent_pkey")},
		"lock-race": {rows(`EXISTS (SELECT FROM grading_gradingevent a JOIN grading_gradingevent b USING (copy_id, action)
			WHERE action = 'LOCK' AND a.actor_id <> b.actor_id AND b.timestamp - a.timestamp BETWEEN interval '0' AND interval '9 seconds')`)},
		"audit-by-hand": {rows(`EXISTS (SELECT FROM grading_gradingevent i JOIN grading_gradingevent f USING (copy_id)
			WHERE i.action = 'IMPORT' AND f.action = 'FINALIZE' AND i.timestamp > f.timestamp)`)},
	}
}

// receivers counts who listens for control messages: the wait-free census.
func receivers(n int64) sign {
	return broker(func(ctx context.Context, rdb *redis.Client) bool {
		return rdb.Publish(ctx, "/0.celery.pidbox", "").Val() == n
	})
}

func frozen() sign {
	return sign{seen: func(t *testing.T, w *lab.World) bool {
		c := newControl(t, w)
		return c.publish("ping", nil) == 1 && c.replyWithin("0.15") == nil
	}}
}

func result(text string) sign {
	return broker(func(ctx context.Context, rdb *redis.Client) bool {
		keys, _, _ := rdb.Scan(ctx, 0, "celery-task-meta-*", 1000).Result()
		for _, key := range keys {
			if strings.Contains(rdb.Get(ctx, key).Val(), `"status": `+text) {
				return true
			}
		}
		return false
	})
}

func workerBusy(n int) sign {
	return sign{seen: func(_ *testing.T, w *lab.World) bool { return w.Worker.Busy() == n }}
}

func noSlot() sign {
	return sign{seen: func(t *testing.T, w *lab.World) bool {
		conn, err := pgx.Connect(labtest.Context(t), w.Env()["DATABASE_URL"])
		if err == nil {
			conn.Close(context.WithoutCancel(t.Context()))
		}
		var pg *pgconn.PgError
		return errors.As(err, &pg) && pg.Code == "53300"
	}}
}

func TestEveryFaultShowsAndHeals(t *testing.T) {
	labtest.Long(t)
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			opts := quiet(dialect)
			opts.Speed = 10 // a backlog's imports take 2 s: time to see them run
			w := world(t, opts)
			known := signs()
			for _, f := range lab.Faults() {
				t.Run(f.Name, func(t *testing.T) {
					if len(known[f.Name]) == 0 {
						t.Fatal("no sign is known of this fault")
					}
					checkFault(t, w, f, known[f.Name])
				})
			}
		})
	}
}

func checkFault(t *testing.T, w *lab.World, f lab.Fault, signs []sign) {
	ctx := labtest.Context(t)
	for i, s := range signs {
		if !s.stays && s.seen(t, w) {
			t.Errorf("sign %d is there before the fault", i)
		}
	}
	if err := w.Inject(ctx, f.Name); err != nil {
		t.Fatal(err)
	}
	for i, s := range signs {
		t.Log("sign", i)
		eventually(t, "the sign", func() bool { return s.seen(t, w) })
	}
	if err := w.Inject(ctx, f.Name); err == nil {
		t.Error("a second injection was accepted")
	}
	checkMending(t, w, f.Name)
	if err := w.Heal(ctx, f.Name); err != nil {
		t.Fatal(err)
	}
	for i, s := range signs {
		if !s.stays {
			t.Log("sign gone", i)
			eventually(t, "the end of the sign", func() bool { return !s.seen(t, w) })
		}
	}
}

func TestFaultsThatDoNotApplyAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"no-such-fault": `no fault is called "no-such-fault"`,
		"expired-locks": "needs a grading system that uses locks",
	} {
		err := lab.CheckFault(name, lab.Options{LocksRemoved: true})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := lab.CheckFault("locked-no-lock", lab.Options{NoLocks: true}); err != nil {
		t.Errorf("a dead end can be made without locks: %v", err)
	}
}

// TestADeafWorkerNeedsARedisServer: without one it is refused before anything is
// started, so that no drill and no demo has it.
func TestADeafWorkerNeedsARedisServer(t *testing.T) {
	_, err := lab.Program("redis-server")
	if got := lab.CheckFault("worker-deaf", lab.Options{}); (got == nil) != (err == nil) {
		t.Errorf("redis-server: %v; the fault: %v", err, got)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := lab.Program("redis-server"); err == nil {
		labtest.Missing(t, "this test needs a machine whose redis-server is found by PATH")
	}
	if err := lab.CheckFault("worker-deaf", lab.Options{}); err == nil || !strings.Contains(err.Error(), "redis-server") {
		t.Errorf("without a redis-server: %v", err)
	}
}

func TestEveryFaultWithoutLocks(t *testing.T) {
	labtest.Long(t)
	opts := quiet(lab.Deployed)
	opts.LocksRemoved = true
	for _, f := range lab.Faults() {
		if lab.CheckFault(f.Name, opts) == nil && f.Name != "too-many-clients" {
			opts.Faults = append(opts.Faults, f.Name)
		}
	}
	w := world(t, opts)
	if n := one[int](t, w, `SELECT count(*)::int FROM grading_copylock`); n != 0 {
		t.Errorf("%d lock rows where nobody uses locks", n)
	}
}

// Everything at once, in a lively session: it still starts, moves and closes.
func TestEveryFaultAtOnce(t *testing.T) {
	opts := lab.Options{Dialect: lab.Playbook, Speed: 50}
	for _, f := range lab.Faults() {
		opts.Faults = append(opts.Faults, f.Name)
	}
	w := world(t, opts)
	before := -1
	eventually(t, "events in spite of it all", func() bool {
		var events int // one of the faults takes the connections
		if err := w.DB.Conn.QueryRow(t.Context(), `SELECT count(*)::int FROM grading_gradingevent`).Scan(&events); err != nil {
			return false
		}
		if before < 0 {
			before = events
		}
		return events > before+10
	})
}

// restarted is a web process that begins anew: in time there are more starts
// than processes.
func restarted() sign {
	begun := map[string]bool{}
	return sign{stays: true, seen: func(t *testing.T, w *lab.World) bool {
		for range 3 {
			_, after, _ := strings.Cut(scrape(t, w), "\nprocess_start_time_seconds ")
			start, _, _ := strings.Cut(after, "\n")
			begun[start] = true
		}
		return len(begun) > 3
	}}
}

// closed is a media folder that its owner may not write in.
func closed() sign {
	return sign{seen: func(t *testing.T, w *lab.World) bool {
		info, err := os.Stat(w.MediaDir())
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm() == 0o555
	}}
}
