package sample

import (
	"time"

	"gradecockpit/probes/celery"
)

// Broker has a queue that grows, one that nobody consumes, a busy and a frozen
// worker, and a message that cannot be read.
func Broker() celery.Overview {
	return celery.Overview{
		Waiting: 65, Unacked: 2, Receivers: 2, WorkersAt: Now.Add(-3 * time.Second),
		Queues: []celery.Queue{
			{Name: "celery", Depth: 53, Consumed: celery.Yes, History: []int64{3, 8, 12, 20, 26, 31, 38, 44, 49, 53}, Slope: 11.2, SlopeKnown: true,
				Oldest: Now.Add(-6 * time.Minute), ByTask: []celery.TaskCount{{Task: "async_import_pdf", Count: 41}, {Task: "async_finalize_copy", Count: 12}},
				Sample: []celery.Message{
					{ID: "7b1e", Task: "processing.tasks.async_import_pdf", CopyID: UUIDA, Args: `["8c3b1f0a…", 3]`, Queue: "celery"},
					{ID: "7b1f", Task: "grading.tasks.async_finalize_copy", CopyID: "5e5e5e5e-0000-4000-8000-000000000000", Args: "[…]", Retries: 2, Queue: "celery"},
					{Bad: "body is no base64", Queue: "celery"},
				}},
			{Name: "finalize", Depth: 12, Consumed: celery.No, History: []int64{12, 12, 12}, SlopeKnown: true, Sampled: true,
				Oldest: Now.Add(-80 * time.Minute), ByTask: []celery.TaskCount{{Task: "async_finalize_copy", Count: 10}}},
			{Name: "maintenance", Consumed: celery.No},
		},
		Workers: []celery.Worker{
			{Name: "w1@app1", State: celery.Busy, Why: "both slots run a task", Pool: 2, Queues: []string{"celery"}, Running: []celery.Running{
				{ID: "r1", Task: "processing.tasks.async_import_pdf", CopyID: UUIDA, Started: Now.Add(-192 * time.Second), State: "running", Worker: "w1@app1"},
				{ID: "r2", Task: "grading.tasks.async_finalize_copy", CopyID: UUIDB, Started: Now.Add(-7 * time.Second), State: "running", Worker: "w1@app1"},
				{ID: "r3", Task: "x", State: "reserved", Worker: "w1@app1"},
			}, Prefetch: 8, Reserved: 6, Scheduled: 1, Uptime: 51 * time.Hour, Version: "celery 5.2.6", PID: 812, Processes: []int{820, 821}, LastBeat: Now.Add(-2 * time.Second),
				Totals: []celery.TaskCount{{Task: "processing.tasks.async_import_pdf", Count: 412}, {Task: "grading.tasks.async_finalize_copy", Count: 96}}},
			{Name: "w2@app2", State: celery.Frozen, Why: "listens on the control channel, has not answered two pings, and its heartbeats stopped 40s ago", Pool: -1, Queues: []string{"celery"},
				Prefetch: -1, Reserved: -1, Scheduled: -1, LastBeat: Now.Add(-40 * time.Second)},
		},
		Quarantines: []celery.Quarantine{{ID: "INC-20260201T143012Z", Queue: "celery", Count: 120, At: Now.Add(-25 * time.Minute)}},
	}
}

// tasksOf are the tasks that go with a broker.
func tasksOf(c celery.Overview) celery.Tasks {
	switch {
	case len(c.Workers) == 2:
		return Tasks()
	case c.WorkersErr == Hostile:
		return hostileTasks()
	}
	return celery.Tasks{}
}

// Tasks has one task in each state.
func Tasks() celery.Tasks {
	trace := []string{"Traceback (most recent call last):", `  File "grading/tasks.py", line 41, in async_finalize_copy`, "    flatten(copy)", "fitz.FileDataError: cannot open broken document"}
	rows := []celery.TaskRow{
		{ID: "t1", Task: "grading.tasks.async_finalize_copy", CopyID: UUIDB, State: celery.TaskRunning, Worker: "w1@app1", Queue: "celery", Since: Now.Add(-12 * time.Minute)},
		{ID: "t2", Task: "processing.tasks.async_import_pdf", CopyID: UUIDA, State: celery.TaskRunning, Worker: "w1@app1", Queue: "celery", Since: Now.Add(-192 * time.Second)},
		{ID: "t3", State: celery.TaskSwallowed, Since: Now.Add(-9 * time.Minute), Says: "cannot open broken document"},
		{ID: "t4", Task: "grading.tasks.async_finalize_copy", CopyID: "5e5e5e5e-0000-4000-8000-000000000000", State: celery.TaskFailed, Worker: "w1@app1", Since: Now.Add(-20 * time.Minute), Retries: 3, Says: "FileDataError: cannot open broken document", Trace: trace},
		{ID: "t5", Task: "processing.tasks.async_import_pdf", Args: "anonymous_id=C09D-0042, user_id=1", State: celery.TaskLost, Worker: "w3@app3", Since: Now.Add(-3 * time.Hour), Says: "STARTED on w3@app3, past the limit of 10m, and no worker runs it"},
		{ID: "t6", Task: "processing.tasks.async_import_pdf", CopyID: UUIDA, State: celery.TaskOrphaned, Queue: "import", Since: Now.Add(-40 * time.Minute), AtLeast: true, Says: "unacknowledged, and its worker is gone"},
		{ID: "t7", Task: "grading.tasks.async_finalize_copy", CopyID: UUIDB, State: celery.TaskRetrying, Worker: "w1@app1", Retries: 2, ETA: Now.Add(40 * time.Second), Since: Now.Add(-20 * time.Second), Says: "database is locked"},
		{ID: "t8", Task: "processing.tasks.async_import_pdf", CopyID: UUIDA, State: celery.TaskReserved, Worker: "w1@app1", Queue: "celery"},
		{ID: "t9", Task: "processing.tasks.async_import_pdf", State: celery.TaskWaiting, Queue: "finalize", Priority: 3, Since: Now.Add(-80 * time.Minute), AtLeast: true},
		{ID: "t10", Task: "processing.tasks.async_import_pdf", State: celery.TaskDone, Since: Now.Add(-time.Minute), Says: "12 pages"},
		{State: celery.TaskBad, Queue: "celery", Says: "body is no base64"},
		{State: celery.TaskBad, Queue: "celery", Says: "body is no JSON"},
	}
	counts := map[celery.TaskState]int{celery.TaskWaiting: 64, celery.TaskDone: 3120}
	for _, r := range rows {
		counts[r.State]++
	}
	return celery.Tasks{Rows: rows, Counts: counts, Limit: 10 * time.Minute, Sampled: "3,120 results: the newest 200 were read."}
}
