package sample

import (
	"fmt"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// Crowd is a set in which everything that grows with the system has n rows:
// locks, stuck copies, events, messages, tasks, records of the log, missing
// events. No probe brings so many of all of them; what is slow with them shows.
func Crowd(n int) probes.Set {
	g, copies := Grading(), crowd(n)
	g.Locks.Value, g.Stuck.Value, g.Events.Value = manyLocks(copies), manyStuck(copies), manyEvents(copies)
	b := Broker()
	b.Waiting = int64(n)
	for _, c := range copies {
		b.Queues[0].Sample = append(b.Queues[0].Sample, celery.Message{ID: "m" + c.ID, Task: "grading.tasks.async_finalize_copy", CopyID: c.ID, Queue: "celery"})
	}
	set := Live(7, g, b, Traffic(), manyRecords(copies))
	tasks := Tasks()
	tasks.Rows = manyTasks(copies)
	snap := set.Get(celery.TasksID)
	snap.Payload = tasks
	return Audited(set.With(snap), manyMissing(copies))
}

func crowd(n int) []grading.CopyRef {
	out := make([]grading.CopyRef, n)
	for i := range out {
		out[i] = grading.CopyRef{ID: fmt.Sprintf("8c3b1f0a-52a1-4b7e-9c60-%012x", i), Anon: fmt.Sprintf("A%05d", i)}
	}
	return out
}

func manyLocks(copies []grading.CopyRef) grading.Locks {
	l := grading.Locks{Total: len(copies), Oldest: Ago(3 * time.Hour)}
	for i, c := range copies {
		age := time.Duration(i) * time.Second
		lock := grading.Lock{LockID: fmt.Sprint(i), Copy: c, Owner: User(fmt.Sprint("corrector", i%300)), Since: Ago(age + 10*time.Minute), Expires: Server.Add(5*time.Minute - age),
			TokenPrefix: "1f0c9a2e", CopyStatus: "LOCKED", LastBeat: Ago(age), DraftVersion: i % 4}
		lock.Expired = lock.Expires.Before(Server)
		lock.Abandoned = age > 90*time.Second
		if lock.Expired {
			l.Expired++
		}
		l.Rows = append(l.Rows, lock)
	}
	return l
}

func manyStuck(copies []grading.CopyRef) grading.Stucks {
	causes := []grading.Cause{grading.CauseImport, grading.CauseFailed, grading.CauseInProgress, grading.CauseNoLock, grading.CauseExpired, grading.CauseDeadEnd, grading.CauseNoPDF}
	s := grading.Stucks{Total: len(copies), ByCause: map[grading.Cause]int{}}
	for i, c := range copies {
		cause := causes[i%len(causes)]
		s.ByCause[cause]++
		s.Rows = append(s.Rows, grading.Stuck{Copy: c, Status: "LOCKED", Cause: cause, Why: "finalize failed 2 of 3 times: cannot open broken document", Since: Ago(time.Hour), SinceFrom: "lock", Pages: i % 12, Holder: User("mdupont")})
	}
	return s
}

func manyEvents(copies []grading.CopyRef) grading.Events {
	e := grading.Events{LastHour: len(copies), Failed: len(copies) / 4, Finalized: map[string]time.Time{}}
	for i, c := range copies {
		if i%5 == 0 {
			e.Finalized[c.ID] = Ago(time.Minute)
		}
		e.Rows = append(e.Rows, grading.Event{ID: fmt.Sprint(i), At: Ago(time.Duration(i) * time.Second), Action: "FINALIZE", Copy: c, Actor: User("mdupont"), Detail: "failed (retry 2): cannot open broken document", Failed: i%2 == 0})
	}
	return e
}

func manyTasks(copies []grading.CopyRef) []celery.TaskRow {
	states := []celery.TaskState{celery.TaskRunning, celery.TaskSwallowed, celery.TaskFailed, celery.TaskLost, celery.TaskOrphaned, celery.TaskRetrying, celery.TaskWaiting, celery.TaskDone}
	var out []celery.TaskRow
	for i, c := range copies {
		out = append(out, celery.TaskRow{ID: "t" + c.ID, Task: "processing.tasks.async_import_pdf", CopyID: c.ID, State: states[i%len(states)], Worker: "w1@app1", Queue: "celery",
			Since: Now.Add(-time.Duration(i) * time.Second), Says: "FileDataError: cannot open broken document"})
	}
	return out
}

// manyRecords tell of each kind of trouble, and of each loss of an event.
func manyRecords(copies []grading.CopyRef) logs.Overview {
	o := Logged()
	said := []string{"cannot open broken document", "[Errno 28] No space left on device", "MemoryError", "duplicate key value violates unique constraint in grading_gradingevent", "Lock token mismatch", "Worker exited prematurely: signal 9 (SIGKILL)"}
	o.ByCopy, o.Errors, o.Troubles = map[string]logs.Line{}, nil, nil
	trouble := map[int]*logs.Trouble{}
	ops := []logs.Op{logs.OpFinalize, logs.OpImport, logs.OpImport, logs.OpFinalize, logs.OpEdit, logs.OpWorker}
	for i, c := range copies {
		kind := i % len(said)
		l := logs.Line{At: Now.Add(-time.Duration(len(copies)-i) * 100 * time.Millisecond), Level: "ERROR", Logger: "grading.services", Message: "PDF generation failed for copy " + c.ID + ": " + said[kind], CopyID: c.ID, RequestID: c.ID,
			Trace: []string{"Traceback (most recent call last):", `  File "services.py", line 610, in finalize_copy`, "    flatten(copy)", "fitz.FileDataError: " + said[kind]}}
		o.Errors, o.ByCopy[c.ID] = append(o.Errors, l), l
		if trouble[kind] == nil {
			trouble[kind] = &logs.Trouble{Op: ops[kind], Cause: logs.CauseOf(said[kind]), First: l.At}
		}
		t := trouble[kind]
		t.N, t.Last, t.Copies = t.N+1, l, append(t.Copies, logs.CopyTrouble{CopyID: c.ID, N: 1, First: l.At, Last: l})
	}
	for kind := range said {
		if trouble[kind] != nil {
			o.Troubles = append(o.Troubles, *trouble[kind])
		}
	}
	o.ErrorsLastHour = len(o.Errors)
	return o
}

func manyMissing(copies []grading.CopyRef) audit.Overview {
	o := Audit()
	o.Rows, o.Looked = nil, len(copies)
	for i := range o.Problems {
		o.Problems[i].Copies = 0
	}
	for i, c := range copies {
		p := &o.Problems[i%len(o.Problems)]
		p.Copies++
		o.Rows = append(o.Rows, audit.Row{Copy: c, Status: "GRADED", Since: Ago(time.Hour), Times: 2, Users: []string{"mdupont", "jmartin"}, Problem: *p})
	}
	return o
}
