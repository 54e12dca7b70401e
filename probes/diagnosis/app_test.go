package diagnosis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// seen is what the probes of one moment say; a test changes what it is about.
type seen struct {
	grading grading.Overview
	queues  celery.Overview
	tasks   celery.Tasks
	logs    logs.Overview
	audit   audit.Overview
	failed  []probes.ID // sources that do not answer any more
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// healthy is a session at work: a live lock, a worker that runs a task, one
// refusal, and a copy that was graded at the second try.
func healthy() *seen {
	s := &seen{
		audit:   audit.Overview{ServerTime: now, Whole: true},
		grading: grading.Overview{ServerTime: now, LocksInUse: grading.TriYes},
		queues: celery.Overview{Receivers: 1, WorkersAt: now, Queues: []celery.Queue{{Name: "celery", Depth: 2, Consumed: celery.Yes}}, Waiting: 2,
			Workers: []celery.Worker{{Name: "w1", State: celery.Busy, Queues: []string{"celery"}, Running: []celery.Running{{Task: "grading.tasks.async_import_pdf", Started: ago(5 * time.Second)}}}}},
	}
	s.lock("held", time.Minute, 9*time.Minute, false)
	s.trouble(logs.OpLock, logs.CauseConflict, "held", 2)
	s.trouble(logs.OpFinalize, logs.CauseBroken, "mended", 1)
	s.grading.Events.Value.Finalized = map[string]time.Time{"mended": ago(time.Second)}
	return s
}

func (s *seen) lock(id string, age, left time.Duration, abandoned bool) {
	l := &s.grading.Locks.Value
	l.Rows = append(l.Rows, grading.Lock{LockID: "l" + id, Copy: grading.CopyRef{ID: id, Anon: "A-" + id}, Owner: grading.User{ID: 1, Name: "jmartin"},
		Since: ago(age), Expires: now.Add(left), Expired: left < 0, LastBeat: now.Add(left - 10*time.Minute), Abandoned: abandoned})
	l.Total++
	if left < 0 {
		l.Expired++
	}
}

func (s *seen) stuck(id, status string, cause grading.Cause, why string) {
	k := &s.grading.Stuck.Value
	k.Rows = append(k.Rows, grading.Stuck{Copy: grading.CopyRef{ID: id, Anon: "A-" + id}, Status: status, Cause: cause, Why: why, Since: ago(20 * time.Minute), Pages: 4, Holder: grading.User{Name: "jmartin"}})
	k.Total++
}

// trouble is what the log says of a copy ("" none), n times, a minute ago.
func (s *seen) trouble(op logs.Op, cause logs.Cause, id string, n int) {
	line := logs.Line{At: ago(time.Minute), Level: "ERROR", Message: fmt.Sprintf("%s %s", op, cause), CopyID: id, Place: "django.log:1"}
	t := logs.Trouble{Op: op, Cause: cause, N: n, First: ago(2 * time.Minute), Last: line}
	if id != "" {
		t.Copies = []logs.CopyTrouble{{CopyID: id, N: n, First: ago(2 * time.Minute), Last: line}}
	}
	for i := range s.logs.Troubles {
		if o := &s.logs.Troubles[i]; o.Op == op && o.Cause == cause {
			o.N, o.Copies, o.Last = o.N+n, append(o.Copies, t.Copies...), line
			return
		}
	}
	s.logs.Troubles = append(s.logs.Troubles, t)
}

// stuckForSpace is an import that failed for want of space, and stayed so.
func (s *seen) stuckForSpace(d time.Duration) {
	s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
	s.logs.Errors = append(s.logs.Errors, logs.Line{At: ago(d), Level: "ERROR", CopyID: "a", Message: "OSError: [Errno 28] No space left on device"})
}

// twice is a copy with two FINALIZE events by one actor.
func (s *seen) twice(id, status string) {
	p := audit.Problem{Name: "duplicate", Kind: audit.Duplicate, Action: "FINALIZE", Copies: len(s.audit.Rows) + 1}
	s.audit.Problems = []audit.Problem{p}
	s.audit.Rows = append(s.audit.Rows, audit.Row{Problem: p, Copy: grading.CopyRef{ID: id, Anon: "A-" + id}, Status: status, Since: ago(time.Hour), Times: 2, Users: []string{"jmartin"}})
}

// byHand is a copy with an event that says itself to be reconstructed.
func (s *seen) byHand(id string) {
	p := audit.Problem{Name: "hand: says so", Kind: audit.ByHand, Copies: 1, Why: "It says so."}
	s.audit.Problems = append(s.audit.Problems, p)
	s.audit.Rows = append(s.audit.Rows, audit.Row{Problem: p, Copy: grading.CopyRef{ID: id, Anon: "A-" + id}, Since: ago(time.Hour), Times: 1})
}

func (s *seen) workers(receivers int, ws ...celery.Worker) {
	s.queues.Receivers, s.queues.Workers = receivers, ws
}

func (s *seen) waiting(name string, depth int64, taken celery.Answer, messages ...celery.Message) {
	s.queues.Queues = append(s.queues.Queues, celery.Queue{Name: name, Depth: depth, Consumed: taken, Sample: messages})
	s.queues.Waiting += depth
}

func (s *seen) task(state celery.TaskState, id string, nobody bool) {
	s.tasks.Rows = append(s.tasks.Rows, celery.TaskRow{ID: "t" + id, Task: "grading.tasks.async_finalize_copy", CopyID: id, State: state, Queue: "celery", Since: ago(10 * time.Minute), Nobody: nobody})
	if s.tasks.Counts == nil {
		s.tasks.Counts = map[celery.TaskState]int{}
	}
	s.tasks.Counts[state]++
}

func (s *seen) input() diagnosis.Input {
	var snaps []probes.Snapshot
	for id, payload := range map[probes.ID]any{grading.ID: s.grading, celery.ID: s.queues, celery.TasksID: s.tasks, logs.ID: s.logs, audit.ID: s.audit} {
		snap := probes.Snapshot{ID: id, Seq: 1, At: now, Good: now, Payload: payload}
		if slices.Contains(s.failed, id) {
			snap.Err = errors.New("it does not answer")
		}
		snaps = append(snaps, snap)
	}
	return diagnosis.Input{Set: probes.NewSet(snaps...), Now: now}
}

// told writes what was found, the consequences in brackets.
func told(found []diagnosis.Finding) string {
	var out []string
	for _, f := range found {
		s := fmt.Sprintf("%s %s %s %d", f.Rule, f.Severity, f.Confidence, f.CopyCount)
		if len(f.Follows) > 0 {
			s += " (" + told(f.Follows) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

const broken = "cannot open broken document"

func gone() celery.Worker {
	return celery.Worker{Name: "w1", State: celery.Gone, Why: "nobody listens"}
}
func idle() celery.Worker {
	return celery.Worker{Name: "w1", State: celery.Healthy, Queues: []string{"celery"}}
}
func frozen() celery.Worker {
	return celery.Worker{Name: "w1", State: celery.Frozen, Why: "asked twice"}
}

func busyFor(d time.Duration) celery.Worker {
	return celery.Worker{Name: "w1", State: celery.Busy, Queues: []string{"celery"}, Running: []celery.Running{{Task: "grading.tasks.async_import_pdf", Started: ago(d)}}}
}

// TestAppRules: each rule fires, does not fire, and knows its bounds.
func TestAppRules(t *testing.T) {
	many := func(n int, do func(i int)) {
		for i := range n {
			do(i)
		}
	}
	tests := []struct {
		name string
		make func(*seen)
		want string // rule, severity, confidence, copies
	}{
		{"healthy", func(*seen) {}, ""},

		{"no worker, and tasks wait", func(s *seen) { s.workers(0, gone()) }, "worker-down P0 certain 0"},
		{"no worker, and nothing waits", func(s *seen) { s.workers(0, gone()); s.queues.Queues, s.queues.Waiting = nil, 0 }, "worker-down P2 certain 0"},
		{"one of two workers is gone", func(s *seen) { s.workers(1, gone(), idle()) }, ""},
		{"a worker stops in order", func(s *seen) { s.workers(0, celery.Worker{Name: "w1", State: celery.Stopping}) }, ""},
		{"a worker that is asked again", func(s *seen) { s.workers(1, celery.Worker{Name: "w1", State: celery.Unsure}) }, ""},
		{"frozen, and an import hangs on it", func(s *seen) { s.workers(1, frozen()); s.stuck("a", "STAGING", grading.CauseImport, "no page yet") },
			"worker-frozen P1 certain 1 (import-failed P2 possible 1)"},
		{"frozen beside a healthy one", func(s *seen) { s.workers(2, frozen(), idle()) }, "worker-frozen P1 certain 0"},
		{"deaf", func(s *seen) { s.workers(0, celery.Worker{Name: "w1", State: celery.Deaf}) }, "worker-deaf P1 certain 0"},
		{"beats and does not listen", func(s *seen) {
			s.workers(0, celery.Worker{Name: "w1", State: celery.Unsure, LastBeat: ago(time.Second)})
		}, "worker-deaf P1 possible 0"},
		{"poison", func(s *seen) {
			s.workers(0, gone())
			s.waiting("import", 1, celery.Unknown, celery.Message{Bad: "lacks an id", Kills: true})
		},
			"poison-message P0 certain 0 (worker-down P0 certain 0)"},
		{"a message that cannot be read and kills nobody", func(s *seen) { s.waiting("celery", 1, celery.Yes, celery.Message{Bad: "no JSON"}) }, ""},
		{"killed", func(s *seen) {
			s.trouble(logs.OpWorker, logs.CauseKilled, "", 1)
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
		},
			"worker-oom P2 likely 1 (import-failed P2 possible 1)"},

		{"nobody takes it", func(s *seen) { s.waiting("finalize", 3, celery.No, celery.Message{CopyID: "a"}) }, "queue-nobody-takes P2 certain 1"},
		{"many that nobody takes", func(s *seen) { s.waiting("import", 10, celery.No) }, "queue-nobody-takes P1 certain 0"},
		{"nobody knows who takes it", func(s *seen) { s.waiting("finalize", 3, celery.Unknown) }, ""},
		{"busy for a minute", func(s *seen) { s.workers(1, busyFor(time.Minute)) }, "workers-busy P1 likely 0"},
		{"busy for a minute, and nothing waits", func(s *seen) { s.workers(1, busyFor(time.Minute)); s.queues.Queues, s.queues.Waiting = nil, 0 }, "workers-busy P3 likely 0"},
		{"busy for less", func(s *seen) { s.workers(1, busyFor(59*time.Second)) }, ""},
		{"busy for long, and an import is held up", func(s *seen) {
			s.workers(1, busyFor(2*time.Minute))
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
		},
			"workers-busy P1 certain 1 (import-failed P2 possible 1)"},
		{"busy beside an idle one", func(s *seen) { s.workers(2, busyFor(3*time.Minute), idle()) }, ""},
		{"19 wait", func(s *seen) { s.waiting("import", 19, celery.Yes) }, ""},
		{"20 wait", func(s *seen) { s.waiting("import", 20, celery.Yes) }, "queue-backlog P2 likely 0"},
		{"20 wait, and fewer by the minute", func(s *seen) {
			s.waiting("import", 20, celery.Yes)
			s.queues.Queues[1].Slope, s.queues.Queues[1].SlopeKnown = -15, true
		}, ""},
		{"20 wait, and nothing moves", func(s *seen) {
			s.waiting("import", 20, celery.Yes)
			s.queues.Queues[1].Slope, s.queues.Queues[1].SlopeKnown = -1e-15, true
		}, "queue-backlog P2 likely 0"},
		{"200 wait, and fewer by the minute", func(s *seen) {
			s.waiting("import", 200, celery.Yes)
			s.queues.Queues[1].Slope, s.queues.Queues[1].SlopeKnown = -15, true
		}, "queue-backlog P1 likely 0"},
		{"more and more wait", func(s *seen) {
			s.waiting("import", 200, celery.Yes)
			s.queues.Queues[1].Slope, s.queues.Queues[1].SlopeKnown = 5, true
		}, "queue-backlog P1 certain 0"},
		{"left behind", func(s *seen) {
			s.task(celery.TaskOrphaned, "a", false)
			s.stuck("a", "LOCKED", grading.CauseNoLock, "no lock")
		}, "orphaned-unacked P2 certain 1"},
		{"lost", func(s *seen) { s.task(celery.TaskLost, "a", true) }, "lost-task P2 likely 1"},
		{"nobody runs it, and its time is not over", func(s *seen) { s.task(celery.TaskRunning, "a", true) }, "lost-task P3 possible 1"},
		{"runs", func(s *seen) { s.task(celery.TaskRunning, "a", false) }, ""},
		{"said success", func(s *seen) { s.task(celery.TaskSwallowed, "a", false) }, "swallowed-failures P3 certain 1"},
		{"said success two hours ago", func(s *seen) { s.task(celery.TaskSwallowed, "a", false); s.tasks.Rows[0].Since = ago(2 * time.Hour) }, ""},

		{"broken upload", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.trouble(logs.OpImport, logs.CauseBroken, "a", 1)
		}, "corrupted-pdf-import P2 certain 1"},
		{"ten broken uploads", func(s *seen) {
			many(10, func(i int) {
				s.stuck(fmt.Sprint("c", i), "STAGING", grading.CauseImport, "no page yet")
				s.trouble(logs.OpImport, logs.CauseBroken, fmt.Sprint("c", i), 1)
			})
		}, "corrupted-pdf-import P1 certain 10"},
		{"a broken upload that was mended", func(s *seen) { s.trouble(logs.OpImport, logs.CauseBroken, "a", 1) }, ""},
		{"a broken upload that left no copy", func(s *seen) { s.trouble(logs.OpImport, logs.CauseBroken, "", 2) }, "corrupted-pdf-import P2 likely 2"},
		{"an import that fails for hours, and one that left no copy", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.trouble(logs.OpImport, logs.CauseBroken, "a", 1)
			s.trouble(logs.OpImport, logs.CauseBroken, "", 1)
			s.logs.Troubles[len(s.logs.Troubles)-1].Copies[0].N = 9 // since it began, over an hour ago
		}, "corrupted-pdf-import P2 certain 1"},
		{"time limit", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.trouble(logs.OpImport, logs.CauseTime, "a", 1)
		}, "ocr-timeout P2 certain 1"},
		{"nobody knows why", func(s *seen) { s.stuck("a", "STAGING", grading.CauseImport, "no page yet") }, "import-failed P2 possible 1"},
		{"its task waits", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.waiting("celery", 1, celery.Yes, celery.Message{CopyID: "a"})
		}, ""},
		{"its task waits, under its other name", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.waiting("celery", 1, celery.Yes, celery.Message{Args: "exam_id=1, anonymous_id=A-a, user_id=1"})
		}, ""},
		{"a file that is not there", func(s *seen) {
			s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
			s.trouble(logs.OpImport, logs.CauseFile, "a", 1)
		}, "import-failed P2 likely 1"},

		{"no space for a PDF", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseSpace, "a", 1) }, "finalize-disk-full P2 certain 1"},
		{"no space, and the copy is stuck since", func(s *seen) { s.stuckForSpace(2 * time.Minute) }, "disk-full P1 likely 1 (import-failed P2 possible 1)"},
		{"no space yesterday, and the copy is stuck since", func(s *seen) { s.stuckForSpace(20 * time.Hour) }, "disk-full P2 possible 1 (import-failed P2 possible 1)"},
		{"no memory", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseMemory, "a", 1) }, "finalize-memory-error P2 certain 1"},
		{"no pages", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseNoPages, "a", 1) }, "finalize-no-pages P2 certain 1"},
		{"idle timeout", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseClosed, "a", 1) }, "finalize-idle-timeout P2 certain 1"},
		{"two events", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseTwice, "a", 1) }, "duplicate-finalize P2 certain 1"},
		{"two events, in the audit trail too", func(s *seen) {
			s.trouble(logs.OpFinalize, logs.CauseTwice, "a", 1)
			s.twice("a", "LOCKED")
		}, "duplicate-finalize P2 certain 1"},
		{"two events, and another copy with one by hand", func(s *seen) { s.twice("a", "GRADED"); s.byHand("b") },
			"duplicate-finalize P3 certain 1; audit-by-hand P3 likely 1"},
		{"two events, one of them by hand", func(s *seen) { s.twice("a", "GRADED"); s.byHand("a") }, "audit-by-hand P2 likely 1 (duplicate-finalize P3 certain 1)"},
		{"two events that nobody ran into", func(s *seen) { s.twice("a", "GRADED"); s.twice("b", "GRADED") }, "duplicate-finalize P3 certain 2"},
		{"two events on a copy that is open again", func(s *seen) { s.twice("a", "GRADED"); s.twice("b", "LOCKED") }, "duplicate-finalize P2 certain 2"},
		{"two events, run into on one of two copies", func(s *seen) {
			s.trouble(logs.OpFinalize, logs.CauseTwice, "a", 1)
			s.twice("a", "LOCKED")
			s.twice("b", "GRADED")
		}, "duplicate-finalize P2 certain 1; duplicate-finalize P3 certain 1"},
		{"annotations gone", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseVanished, "a", 1) }, "missing-annotations P2 certain 1"},
		{"no token", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseToken, "held", 1) }, "lock-token-mismatch P2 certain 1"},
		{"PyMuPDF", func(s *seen) {
			s.stuck("a", "LOCKED", grading.CauseNoLock, "no lock")
			s.trouble(logs.OpFinalize, logs.CauseBroken, "a", 1)
		}, "finalize-pymupdf-error P2 certain 1"},
		{"all finalizations fail", func(s *seen) {
			s.grading.Events.Value.Finalized, s.logs.Troubles = nil, nil
			many(3, func(i int) { s.trouble(logs.OpFinalize, logs.CauseBroken, fmt.Sprint("c", i), 1) })
		}, "finalize-pymupdf-error P1 certain 3"},
		{"graded before it failed again", func(s *seen) { s.grading.Events.Value.Finalized["mended"] = ago(10 * time.Minute) }, "finalize-pymupdf-error P2 certain 1"},
		{"only the event tells", func(s *seen) { s.stuck("a", "LOCKED", grading.CauseFailed, "finalize failed (try 2): "+broken) }, "finalize-pymupdf-error P2 certain 1"},
		{"an error nobody knows", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseUnclear, "a", 1) }, "finalize-failed P2 likely 1"},
		{"an error that another record explains", func(s *seen) {
			s.trouble(logs.OpFinalize, logs.CauseUnclear, "a", 1)
			s.trouble(logs.OpFinalize, logs.CauseMemory, "a", 1)
		}, "finalize-memory-error P2 certain 1"},
		{"refused for its state", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseState, "a", 3) }, ""},
		{"half done", func(s *seen) { s.stuck("a", "GRADING_IN_PROGRESS", grading.CauseInProgress, "still grading") }, "finalize-failed P2 possible 1"},

		{"one expired", func(s *seen) { s.lock("a", time.Hour, -time.Minute, false) }, "expired-locks P2 certain 1"},
		{"29 expired", func(s *seen) { many(29, func(i int) { s.lock(fmt.Sprint(i), 3*time.Hour, -2*time.Hour, false) }) }, "expired-locks P1 certain 29"},
		{"30 expired", func(s *seen) { many(30, func(i int) { s.lock(fmt.Sprint(i), 3*time.Hour, -2*time.Hour, false) }) },
			"lock-cleanup-cron P1 likely 30 (expired-locks P1 certain 30)"},
		{"30 expired, all of late", func(s *seen) { many(30, func(i int) { s.lock(fmt.Sprint(i), time.Hour, -59*time.Minute, false) }) }, "expired-locks P1 certain 30"},
		{"expired rows of a time with locks", func(s *seen) { s.lock("a", time.Hour, -time.Minute, false); s.grading.LocksInUse = grading.TriNo }, ""},
		{"two abandoned", func(s *seen) { many(2, func(i int) { s.lock(fmt.Sprint(i), 9*time.Minute, 5*time.Minute, true) }) }, ""},
		{"three abandoned", func(s *seen) { many(3, func(i int) { s.lock(fmt.Sprint(i), 9*time.Minute, 5*time.Minute, true) }) }, "abandoned-locks P3 likely 3"},
		{"one abandoned that somebody waits for", func(s *seen) {
			s.lock("a", 9*time.Minute, 5*time.Minute, true)
			s.trouble(logs.OpLock, logs.CauseConflict, "a", 9)
		}, "abandoned-locks P2 likely 1"},
		{"locked by nobody", func(s *seen) { s.stuck("a", "LOCKED", grading.CauseNoLock, "no lock") }, "locked-no-lock P2 certain 1"},
		{"a dead end", func(s *seen) {
			s.stuck("a", "LOCKED", grading.CauseDeadEnd, "no locks")
			s.grading.LocksInUse = grading.TriNo
		}, "locked-no-lock P2 certain 1"},
		{"unlocked with another token", func(s *seen) { s.trouble(logs.OpUnlock, logs.CauseToken, "held", 1) }, "unlock-wrong-token P3 certain 1"},
		{"unlocked with another token, and then rightly", func(s *seen) { s.trouble(logs.OpUnlock, logs.CauseToken, "free", 1) }, ""},
		{"an unlock was forbidden", func(s *seen) { s.trouble(logs.OpUnlock, logs.CauseForbidden, "held", 1) }, "unlock-wrong-token P3 possible 1"},
		{"four refusals", func(s *seen) { s.trouble(logs.OpLock, logs.CauseConflict, "b", 4) }, ""},
		{"five refusals", func(s *seen) { s.trouble(logs.OpLock, logs.CauseConflict, "b", 5) }, "lock-conflicts P3 likely 1"},
		{"five refusals by who holds it", func(s *seen) {
			s.lock("b", time.Minute, 9*time.Minute, false)
			s.trouble(logs.OpLock, logs.CauseConflict, "b", 5)
		}, "lock-conflicts P2 certain 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy()
			tt.make(s)
			r := diagnosis.Judge(s.input())
			if got := told(r.Findings); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			for _, f := range r.Findings {
				if f.Says == "" || f.Mind == "" || len(f.Evidence) == 0 || len(f.Offers)+len(f.Advice) == 0 && f.Harm == "" {
					t.Errorf("not complete: %+v", f)
				}
			}
		})
	}
}

// TestAppRulesAreBlind without their source, and say why; a rule that read the
// log only to be surer still finds what the tables show.
func TestAppRulesAreBlind(t *testing.T) {
	tests := []struct {
		source probes.ID
		make   func(*seen)
		blind  []string
		want   string
	}{
		{grading.ID, func(s *seen) {
			s.lock("a", time.Hour, -time.Minute, false)
			s.trouble(logs.OpFinalize, logs.CauseBroken, "b", 1)
		}, []string{"expired-locks", "lock-cleanup-cron", "abandoned-locks", "locked-no-lock", "import-failed", "finalize-failed"},
			"finalize-pymupdf-error P2 possible 1"},
		{celery.ID, func(s *seen) { s.workers(0, gone()) }, []string{"worker-down", "worker-frozen", "worker-deaf", "poison-message", "queue-nobody-takes", "workers-busy", "queue-backlog"}, ""},
		{celery.TasksID, func(s *seen) { s.task(celery.TaskLost, "a", true) }, []string{"orphaned-unacked", "lost-task", "swallowed-failures"}, ""},
		{logs.ID, func(s *seen) { s.stuck("a", "LOCKED", grading.CauseNoLock, "no lock") },
			[]string{"corrupted-pdf-import", "ocr-timeout", "worker-oom", "lock-conflicts", "unlock-wrong-token", "finalize-pymupdf-error", "locked-no-lock"}, "locked-no-lock P2 certain 1"},
	}
	for _, tt := range tests {
		t.Run(string(tt.source), func(t *testing.T) {
			s := healthy()
			tt.make(s)
			s.failed = []probes.ID{tt.source}
			r := diagnosis.Judge(s.input())
			for _, rule := range tt.blind {
				i := slices.IndexFunc(r.Blind, func(b diagnosis.Blind) bool { return b.Rule == rule })
				if i < 0 || !strings.Contains(r.Blind[i].Why, "it does not answer") {
					t.Errorf("%s does not say that it is blind: %+v", rule, r.Blind)
				}
			}
			if got := told(r.Findings); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAQueueThatShrinksHasNoMoreComingIn: what is said of it is true both ways.
func TestAQueueThatShrinksHasNoMoreComingIn(t *testing.T) {
	for slope, want := range map[float64]string{5: "Tasks come in faster than they are done", -10: "Tasks wait for long"} {
		s := healthy()
		s.waiting("import", 200, celery.Yes)
		s.queues.Queues[1].Slope, s.queues.Queues[1].SlopeKnown = slope, true
		f, _ := diagnosis.Judge(s.input()).Find("queue-backlog")
		if f.Title != want || slope < 0 && !strings.Contains(f.Says, "the last one begins in 20 min") {
			t.Errorf("%+.0f a minute: %s: %s", slope, f.Title, f.Says)
		}
	}
}

// TestAnImportOfWhichNobodyCouldBeAsked: what could not be read says nothing.
func TestAnImportOfWhichNobodyCouldBeAsked(t *testing.T) {
	for says, failed := range map[string][]probes.ID{
		"neither the log nor a task says why":                      nil,
		"the log does not say why; the queue could not be read":    {celery.ID},
		"the queue does not say why; the log could not be read":    {logs.ID},
		"neither the log nor the queues could be read to tell why": {logs.ID, celery.ID},
	} {
		s := healthy()
		s.stuck("a", "STAGING", grading.CauseImport, "no page yet")
		s.failed = failed
		if f, ok := diagnosis.Judge(s.input()).Find("import-failed"); !ok || !strings.Contains(f.Says, says) {
			t.Errorf("want %q, found %q", says, f.Says)
		}
	}
}

// TestWorkersThatCouldNotBeAsked are no workers that are down.
func TestWorkersThatCouldNotBeAsked(t *testing.T) {
	for name, change := range map[string]func(*seen){
		"refused":      func(s *seen) { s.queues.WorkersErr = "NOPERM" },
		"not yet done": func(s *seen) { s.queues.WorkersAt = time.Time{} },
	} {
		s := healthy()
		s.workers(0)
		change(s)
		r := diagnosis.Judge(s.input())
		if got := told(r.Findings); got != "" || !slices.ContainsFunc(r.Blind, func(b diagnosis.Blind) bool { return b.Rule == "worker-down" }) {
			t.Errorf("%s: found %q, blind %+v", name, got, r.Blind)
		}
	}
}

// TestTwoFinalizeEvents: each copy is named with what the audit trail has of it,
// and where that is unknown it is said.
func TestTwoFinalizeEvents(t *testing.T) {
	s := healthy()
	s.trouble(logs.OpFinalize, logs.CauseTwice, "a", 1)
	s.twice("a", "LOCKED")
	s.twice("b", "GRADED")
	r := diagnosis.Judge(s.input())
	for i, id := range []string{"a", "b"} {
		f := r.Findings[i]
		if len(f.Copies) != 1 || f.Copies[0].ID != id || !slices.Contains(f.Evidence, diagnosis.Evidence{From: audit.ID, Says: "A-" + id + ": FINALIZE ×2 by jmartin", Kind: "copy", ID: id}) {
			t.Errorf("of %s it tells %+v", id, f)
		}
	}
	blind := func() string {
		for _, b := range diagnosis.Judge(s.input()).Blind {
			if b.Rule == "duplicate-finalize" {
				return b.Why
			}
		}
		return ""
	}
	if why := blind(); why != "" {
		t.Errorf("it is blind: %s", why)
	}
	s.audit.Whole, s.audit.Looked = false, 7
	if why := blind(); !strings.Contains(why, "7 copies") {
		t.Errorf("with half of the audit trail it says %q", why)
	}
	s.failed = []probes.ID{audit.ID}
	if why := blind(); !strings.Contains(why, "it does not answer") {
		t.Errorf("without the audit trail it says %q", why)
	}
}

// TestHarmAndOffers: a copy in a teacher's hands gets no offer but a warning, and
// a retry is offered once at the most.
func TestHarmAndOffers(t *testing.T) {
	find := func(rule string, change func(*seen)) diagnosis.Finding {
		s := healthy()
		change(s)
		f, ok := diagnosis.Judge(s.input()).Find(rule)
		if !ok {
			t.Fatalf("%s is not found", rule)
		}
		return f
	}
	offered := func(f diagnosis.Finding) (out []string) {
		for _, o := range f.Offers {
			out = append(out, o.Action+" "+o.Kind+" "+o.ID)
		}
		return out
	}
	once := func(s *seen) {
		s.stuck("a", "LOCKED", grading.CauseNoLock, "no lock")
		s.trouble(logs.OpFinalize, logs.CauseBroken, "a", 1)
	}
	if got := offered(find("finalize-pymupdf-error", once)); !slices.Equal(got, []string{"retry copy a"}) {
		t.Errorf("failed once: %q", got)
	}
	f := find("finalize-pymupdf-error", func(s *seen) {
		s.stuck("a", "LOCKED", grading.CauseNoLock, "")
		s.trouble(logs.OpFinalize, logs.CauseBroken, "a", 2)
	})
	if len(f.Offers) > 0 {
		t.Errorf("failed twice: %q", offered(f))
	}
	f = find("finalize-pymupdf-error", func(s *seen) { s.trouble(logs.OpFinalize, logs.CauseBroken, "held", 1) })
	if len(f.Offers) > 0 || !strings.Contains(f.Harm, "jmartin") {
		t.Errorf("in hand: %q, %s", offered(f), f.Harm)
	}
	f = find("lock-conflicts", func(s *seen) { s.trouble(logs.OpLock, logs.CauseConflict, "held", 5) })
	if len(f.Offers) > 0 || !strings.Contains(f.Harm, "force-unlock") {
		t.Errorf("a live lock: %q, %s", offered(f), f.Harm)
	}
	f = find("queue-nobody-takes", func(s *seen) { s.waiting("finalize", 3, celery.No) })
	if got := offered(f); !slices.Equal(got, []string{"purge queue finalize"}) || !strings.Contains(f.Harm, "-Q finalize") {
		t.Errorf("nobody takes finalizations: %q, %s", got, f.Harm)
	}
	f = find("queue-nobody-takes", func(s *seen) { s.waiting("import", 3, celery.No) })
	if got := offered(f); !slices.Equal(got, []string{"purge queue import", "consume worker w1"}) || f.Harm != "" {
		t.Errorf("nobody takes imports: %q, %s", got, f.Harm)
	}
	f = find("locked-no-lock", func(s *seen) { s.stuck("a", "LOCKED", grading.CauseNoLock, "") })
	if got := offered(f); !slices.Equal(got, []string{"release-locked copy a"}) || !strings.Contains(f.Harm, "retry") {
		t.Errorf("no lock: %q, %s", got, f.Harm)
	}
}
