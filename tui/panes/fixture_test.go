package panes_test

import (
	"errors"
	"math"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/pane"
)

var (
	now    = time.Date(2026, 2, 1, 14, 30, 45, 0, time.UTC)
	server = now.Add(3 * time.Second) // the database's clock is ahead of ours
)

const (
	uuidA = "8c3b1f0a-52a1-4b7e-9c60-0f4d7f1f0a42"
	uuidB = "1d0e3c55-9b7d-4a1c-8a8e-5b2f6f3c0007"
)

func ago(d time.Duration) time.Time { return server.Add(-d) }

func ref(anon string) grading.CopyRef { return grading.CopyRef{ID: "id-" + anon, Anon: anon} }

func user(name string) grading.User { return grading.User{ID: int64(len(name)), Name: name} }

// state is one situation all panes are shown in.
type state struct {
	name string
	set  func() probes.Set
}

func states() []state {
	return []state{
		{"normal", func() probes.Set { return live(overview(), broker(), traffic(), logged()) }},
		{"empty", func() probes.Set { return live(emptyGrading(), emptyBroker(), emptyTraffic(), logs.Overview{}) }},
		{"stale", func() probes.Set { return failing(false) }},
		{"denied", func() probes.Set { return failing(true) }},
		{"never", func() probes.Set { return probes.NewSet() }},
		{"unreached", unreached},
		{"missing", func() probes.Set { return live(missing(), deafBroker(), warming(), logs.Overview{}) }},
		{"hostile", func() probes.Set { return live(hostileGrading(), hostileBroker(), hostileTraffic(), logs.Overview{}) }},
	}
}

func input(set probes.Set) pane.Input { return pane.Input{Set: set, Now: now, Zone: time.UTC} }

func live(g grading.Overview, c celery.Overview, m metrics.Overview, l logs.Overview) probes.Set {
	good := func(id probes.ID, source probes.SourceID, payload any) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: source, Seq: 7, At: now, Good: now, Payload: payload}
	}
	return probes.NewSet(
		good(grading.ID, probes.Postgres, g), good(celery.ID, probes.Redis, c),
		good(metrics.ID, probes.Metrics, m), good(logs.ID, probes.Logs, l),
		good(celery.TasksID, probes.Redis, tasksOf(c)),
	)
}

// failing has data of 42 s ago from sources that fail now.
func failing(denied bool) probes.Set {
	set := live(overview(), broker(), traffic(), logged())
	var snaps []probes.Snapshot
	for _, id := range []probes.ID{grading.ID, celery.ID, celery.TasksID, metrics.ID, logs.ID} {
		s := set.Get(id)
		s.Good, s.FailedSince = now.Add(-44*time.Second), now.Add(-42*time.Second)
		e := &probes.Error{Source: s.Source, Op: "connect", Cause: "connection refused"}
		if denied {
			e = &probes.Error{Source: s.Source, Op: "read", Cause: "permission denied", Denied: true,
				Next: "Grant it: GRANT SELECT ON grading_copylock TO cockpit;"}
		}
		s.Err = e
		snaps = append(snaps, s)
	}
	return probes.NewSet(snaps...)
}

// unreached is a start into a broken world: sources that failed from the first
// try on, and one that nobody configured.
func unreached() probes.Set {
	fail := func(id probes.ID, source probes.SourceID, err error) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: source, Seq: 3, At: now, FailedSince: now.Add(-2 * time.Minute), Err: err}
	}
	return probes.NewSet(
		fail(grading.ID, probes.Postgres, &probes.Error{Source: probes.Postgres, Op: "connect", Cause: "too many clients already",
			Next: "Free a connection; this one keeps trying."}),
		fail(celery.ID, probes.Redis, errors.New("dial tcp 10.0.0.7:6379: i/o timeout")),
		fail(celery.TasksID, probes.Redis, errors.New("dial tcp 10.0.0.7:6379: i/o timeout")),
		fail(metrics.ID, probes.Metrics, probes.NotConfigured(probes.Metrics, "METRICS_URL")),
		fail(logs.ID, probes.Logs, probes.NotConfigured(probes.Logs, "GRADING_LOG_DIR")),
	)
}

func overview() grading.Overview {
	return grading.Overview{
		ServerTime: server, Skew: 3 * time.Second, LocksInUse: grading.TriYes,
		Locks:  grading.Part[grading.Locks]{Value: someLocks()},
		Stuck:  grading.Part[grading.Stucks]{Value: someStuck()},
		Events: grading.Part[grading.Events]{Value: someEvents()},
	}
}

func someLocks() grading.Locks {
	l := grading.Locks{Total: 14, Expired: 7}
	for i := range 12 {
		lock := grading.Lock{
			LockID: string(rune('a' + i)), Copy: ref("A3F2-00" + string(rune('1'+i/10)) + string(rune('0'+i%10))),
			Owner: user([]string{"mdupont", "jmartin", "élise.lefèvre"}[i%3]), Since: ago(62*time.Minute - time.Duration(i)*4*time.Minute),
			Expires: ago(52*time.Minute - time.Duration(i)*9*time.Minute), TokenPrefix: "1f0c9a2e", CopyStatus: "LOCKED", DraftVersion: i - 1,
		}
		lock.Expired = lock.Expires.Before(server)
		if i == 9 {
			lock.Abandoned, lock.LastBeat = true, ago(4*time.Minute)
		}
		l.Rows = append(l.Rows, lock)
	}
	l.Rows[7].Owner, l.Rows[7].CopyStatus, l.Rows[7].TokenPrefix = grading.User{ID: 12}, "", ""
	return l
}

func someStuck() grading.Stucks {
	return grading.Stucks{Total: 4, Rows: []grading.Stuck{
		{Copy: ref("A3F2-0007"), Status: "LOCKED", Cause: grading.CauseFailed, Why: "finalize failed 2 of 3 times.", Since: ago(41 * time.Minute), SinceFrom: "lock", Pages: 12, Holder: user("mdupont")},
		{Copy: grading.CopyRef{ID: uuidB, Anon: "B771-0003"}, Status: "GRADING_IN_PROGRESS", Cause: grading.CauseInProgress, Why: "worker gone", Since: ago(22 * time.Minute), SinceFrom: "FINALIZE event", Pages: 8},
		{Copy: grading.CopyRef{ID: uuidA, Anon: "A3F2-0042"}, Status: "STAGING", Cause: grading.CauseImport, Why: "no page yet", Since: ago(14 * time.Minute), SinceFrom: "first seen", Guess: true, Pages: 0},
		{Copy: grading.CopyRef{ID: "77"}, Status: "GRADED", Cause: grading.CauseNoPDF, Why: "graded without a final PDF", Pages: -1},
	}}
}

func someEvents() grading.Events {
	e := grading.Events{LastHour: 214, More: true, Gaps: 1}
	add := func(id string, d time.Duration, action, anon, who, detail string, failed bool, gap string) {
		e.Rows = append(e.Rows, grading.Event{ID: id, At: ago(d), Action: action, Copy: ref(anon), Actor: user(who), Detail: detail, Failed: failed, Gap: gap})
	}
	add("90", 4*time.Second, "FINALIZE", "A3F2-0007", "mdupont", "failed (retry 2): cannot open broken document", true, "")
	add("89", 43*time.Second, "CREATE_ANN", "A3F2-0019", "jmartin", "page 3", false, "")
	add("88", 93*time.Second, "FINALIZE", "B771-0001", "", "", false, "IMPORT → FINALIZE: no VALIDATE, no LOCK")
	add("88", 93*time.Second, "FINALIZE", "B771-0001", "jmartin", "14.5 points", false, "")
	add("87", 20*time.Minute, "UNLOCK", "B771-0002", "mdupont", "forced: corrector left", false, "")
	add("86", 30*time.Hour, "IMPORT", "IMPORT-8c3b1f", "admin", "12 pages", false, "")
	return e
}

func broker() celery.Overview {
	return celery.Overview{
		Waiting: 65, Unacked: 2, Receivers: 2, WorkersAt: now.Add(-3 * time.Second),
		Queues: []celery.Queue{
			{Name: "celery", Depth: 53, Consumed: celery.Yes, History: []int64{3, 8, 12, 20, 26, 31, 38, 44, 49, 53}, Slope: 11.2, SlopeKnown: true,
				Oldest: now.Add(-6 * time.Minute), ByTask: []celery.TaskCount{{Task: "async_import_pdf", Count: 41}, {Task: "async_finalize_copy", Count: 12}},
				Sample: []celery.Message{
					{ID: "7b1e", Task: "processing.tasks.async_import_pdf", CopyID: uuidA, Args: "copy_id=" + uuidA + ", user_id=3", Queue: "celery"},
					{ID: "7b1f", Task: "grading.tasks.async_finalize_copy", CopyID: "5e5e5e5e-0000-4000-8000-000000000000", Args: "[…]", Retries: 2, Queue: "celery"},
					{ID: "7b20", Task: "processing.tasks.async_import_pdf", Args: "anonymous_id=C09D-0042, exam_id=ef75fab0…, user_id=1", Queue: "celery"},
					{Bad: "body is no base64", Queue: "celery"},
				}},
			{Name: "finalize", Depth: 12, Consumed: celery.No, History: []int64{12, 12, 12}, SlopeKnown: true, Sampled: true,
				Oldest: now.Add(-80 * time.Minute), ByTask: []celery.TaskCount{{Task: "async_finalize_copy", Count: 10}}},
			{Name: "maintenance", Consumed: celery.No},
		},
		Workers: []celery.Worker{
			{Name: "w1@app1", State: celery.Busy, Why: "both slots run a task", Pool: 2, Queues: []string{"celery"}, Running: []celery.Running{
				{ID: "r1", Task: "processing.tasks.async_import_pdf", CopyID: uuidA, Started: now.Add(-192 * time.Second), State: "running", Worker: "w1@app1"},
				{ID: "r2", Task: "grading.tasks.async_finalize_copy", CopyID: uuidB, Started: now.Add(-7 * time.Second), State: "running", Worker: "w1@app1"},
				{ID: "r3", Task: "x", State: "reserved", Worker: "w1@app1"},
			}, Prefetch: 8, Reserved: 6, Scheduled: 1, Uptime: 51 * time.Hour, Version: "celery 5.2.6", PID: 812, Processes: []int{820, 821}, LastBeat: now.Add(-2 * time.Second),
				Totals: []celery.TaskCount{{Task: "processing.tasks.async_import_pdf", Count: 412}, {Task: "grading.tasks.async_finalize_copy", Count: 96}}},
			{Name: "w2@app2", State: celery.Frozen, Why: "listens on the control channel, has not answered two pings, and its heartbeats stopped 40s ago", Pool: -1, Queues: []string{"celery"},
				Prefetch: -1, Reserved: -1, Scheduled: -1, LastBeat: now.Add(-40 * time.Second)},
		},
		Quarantines: []celery.Quarantine{{ID: "INC-20260201T143012Z", Queue: "celery", Count: 120, At: now.Add(-25 * time.Minute)}},
	}
}

// tasksOf are the tasks that go with a broker.
func tasksOf(c celery.Overview) celery.Tasks {
	switch {
	case len(c.Workers) == 2:
		return someTasks()
	case c.WorkersErr == hostile:
		return hostileTasks()
	}
	return celery.Tasks{}
}

// someTasks has one task in each state.
func someTasks() celery.Tasks {
	trace := []string{"Traceback (most recent call last):", `  File "grading/tasks.py", line 41, in async_finalize_copy`, "    flatten(copy)", "fitz.FileDataError: cannot open broken document"}
	rows := []celery.TaskRow{
		{ID: "t1", Task: "grading.tasks.async_finalize_copy", CopyID: uuidB, State: celery.TaskRunning, Worker: "w1@app1", Queue: "celery", Since: now.Add(-12 * time.Minute)},
		{ID: "t2", Task: "processing.tasks.async_import_pdf", CopyID: uuidA, State: celery.TaskRunning, Worker: "w1@app1", Queue: "celery", Since: now.Add(-192 * time.Second)},
		{ID: "t3", State: celery.TaskSwallowed, Since: now.Add(-9 * time.Minute), Says: "cannot open broken document"},
		{ID: "t4", Task: "grading.tasks.async_finalize_copy", CopyID: "5e5e5e5e-0000-4000-8000-000000000000", State: celery.TaskFailed, Worker: "w1@app1", Since: now.Add(-20 * time.Minute), Retries: 3, Says: "FileDataError: cannot open broken document", Trace: trace},
		{ID: "t5", Task: "processing.tasks.async_import_pdf", Args: "anonymous_id=C09D-0042, user_id=1", State: celery.TaskLost, Worker: "w3@app3", Since: now.Add(-3 * time.Hour), Says: "STARTED on w3@app3, past the limit of 10m, and no worker runs it"},
		{ID: "t6", Task: "processing.tasks.async_import_pdf", CopyID: uuidA, State: celery.TaskOrphaned, Queue: "import", Since: now.Add(-40 * time.Minute), AtLeast: true, Says: "unacknowledged, and its worker is gone"},
		{ID: "t7", Task: "grading.tasks.async_finalize_copy", CopyID: uuidB, State: celery.TaskRetrying, Worker: "w1@app1", Retries: 2, ETA: now.Add(40 * time.Second), Since: now.Add(-20 * time.Second), Says: "database is locked"},
		{ID: "t8", Task: "processing.tasks.async_import_pdf", CopyID: uuidA, State: celery.TaskReserved, Worker: "w1@app1", Queue: "celery"},
		{ID: "t9", Task: "processing.tasks.async_import_pdf", State: celery.TaskWaiting, Queue: "finalize", Priority: 3, Since: now.Add(-80 * time.Minute), AtLeast: true},
		{ID: "t10", Task: "processing.tasks.async_import_pdf", State: celery.TaskDone, Since: now.Add(-time.Minute), Says: "12 pages"},
		{State: celery.TaskBad, Queue: "celery", Says: "body is no base64"},
		{State: celery.TaskBad, Queue: "celery", Says: "body is no JSON"},
	}
	counts := map[celery.TaskState]int{celery.TaskWaiting: 64, celery.TaskDone: 3120}
	for _, r := range rows {
		counts[r.State]++
	}
	return celery.Tasks{Rows: rows, Counts: counts, Limit: 10 * time.Minute, Sampled: "3,120 results: the newest 200 were read."}
}

func hostileTasks() celery.Tasks {
	r := celery.TaskRow{ID: hostile, Task: hostile, CopyID: hostile, Args: hostile, State: celery.TaskState(hostile), Worker: hostile, Queue: hostile, Says: hostile, Trace: []string{hostile, hostile}}
	failed := r
	failed.State, failed.Since = celery.TaskFailed, now
	return celery.Tasks{Rows: []celery.TaskRow{r, failed, failed}, Sampled: hostile}
}

func traffic() metrics.Overview {
	q := func(s float64) metrics.Quantile { return metrics.Quantile{Seconds: s, Known: true} }
	over := metrics.Quantile{Seconds: 10, Above: true, Known: true}
	return metrics.Overview{
		Window: time.Minute, Total: metrics.Endpoint{RPS: 12.6, Requests: 756, ErrorShare: 0.004, P95: q(1.2)},
		Endpoints: []metrics.Endpoint{
			{Method: "POST", Path: "/api/grading/copies/<uuid>/finalize/", RPS: 0.4, ErrorShare: 0.25, P50: q(2.1), P95: over, P99: over, History: []float64{1, 2, 4, 8, 10}},
			{Method: "GET", Path: "/api/copies/", RPS: 8.1, P50: q(0.04), P95: q(0.21), P99: q(0.48), History: []float64{0.2, 0.2, math.NaN(), 0.3}},
			{Method: "PATCH", Path: "/api/drafts/<uuid>/", RPS: 4.1, ClientShare: 0.0005, P50: q(0.012), P95: q(1.4)},
		},
	}
}

func logged() logs.Overview {
	return logs.Overview{ByCopy: map[string]logs.Line{
		"id-A3F2-0007": {At: now.Add(-4 * time.Minute), Message: "Task raised", Trace: []string{"Traceback:", "  FileDataError: cannot open broken document"}},
	}}
}

func emptyGrading() grading.Overview {
	return grading.Overview{ServerTime: server, LocksInUse: grading.TriYes}
}

func emptyBroker() celery.Overview {
	return celery.Overview{WorkersAt: now, Receivers: 1, Workers: []celery.Worker{{Name: "celery@app", State: celery.Healthy, Why: "answers, heartbeats and takes tasks", Pool: 2, Queues: []string{"celery"}, Uptime: time.Hour}},
		Queues: []celery.Queue{{Name: "celery", Consumed: celery.Yes, History: []int64{0, 0, 0}, SlopeKnown: true}}}
}

func emptyTraffic() metrics.Overview { return metrics.Overview{Window: time.Minute} }

// missing is a database without the lock table and without rights, a broker
// without workers, metrics that have been read once.
func missing() grading.Overview {
	return grading.Overview{
		ServerTime: server, LocksInUse: grading.TriNo, LocksWhy: "there is no table grading_copylock.",
		Locks:  grading.Part[grading.Locks]{Missing: "This database has no table grading_copylock."},
		Stuck:  grading.Part[grading.Stucks]{Missing: "The role cockpit may not read exams_copy.", Fix: "GRANT SELECT ON exams_copy TO cockpit;"},
		Events: grading.Part[grading.Events]{Missing: "The role cockpit may not read grading_gradingevent.", Fix: "GRANT SELECT ON grading_gradingevent TO cockpit;"},
	}
}

func deafBroker() celery.Overview {
	return celery.Overview{Waiting: 8, WorkersErr: "no answer within 2s", Queues: []celery.Queue{{Name: "celery", Depth: 8}}}
}

func warming() metrics.Overview {
	return metrics.Overview{Warming: "Rates need two scrapes of the same process; 1 of 3 processes has answered once."}
}

// hostile is text that tries everything; clean spells most of it out, and the
// panes must keep their shape even if it had not been called.
var hostile = "e\u0301\u0327 漢字仮名 👩‍👩‍👧‍👦 \x1b[31mred\x1b]52;c;AAAA\x07\u202egnp\u009b2J\r\nZ" + strings.Repeat("é", 40)

func hostileGrading() grading.Overview {
	o := overview()
	c := grading.CopyRef{ID: hostile, Anon: hostile}
	u := grading.User{Name: hostile}
	o.Locks.Value = grading.Locks{Total: 1, Rows: []grading.Lock{{LockID: "1", Copy: c, Owner: u, TokenPrefix: hostile, CopyStatus: hostile}}}
	o.Stuck.Value = grading.Stucks{Total: 1, Rows: []grading.Stuck{{Copy: c, Holder: u, Status: hostile, Why: hostile, SinceFrom: hostile}}}
	o.Events.Value = grading.Events{Rows: []grading.Event{{ID: "1", Copy: c, Actor: u, Action: hostile, Detail: hostile}, {ID: "2", Copy: c, Gap: hostile}}}
	return o
}

func hostileBroker() celery.Overview {
	m := celery.Message{ID: hostile, Task: hostile, CopyID: hostile, Args: hostile}
	return celery.Overview{Waiting: 1, WorkersErr: hostile,
		Queues:  []celery.Queue{{Name: hostile, Depth: 1, ByTask: []celery.TaskCount{{Task: hostile, Count: 1}}, Sample: []celery.Message{m}}},
		Workers: []celery.Worker{{Name: hostile, State: celery.Deaf, Why: hostile, Version: hostile, Queues: []string{hostile}, Totals: []celery.TaskCount{{Task: hostile}}, Pool: 1, Running: []celery.Running{{ID: "1", Task: hostile, CopyID: hostile, State: "running"}}}}}
}

func hostileTraffic() metrics.Overview {
	return metrics.Overview{Total: metrics.Endpoint{RPS: math.NaN(), Requests: math.NaN(), ErrorShare: math.NaN()},
		Endpoints: []metrics.Endpoint{{Method: hostile, Path: hostile, RPS: math.Inf(1), ErrorShare: math.NaN(), History: []float64{math.Inf(1), -1, math.NaN()}}}}
}
