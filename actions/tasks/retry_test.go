package tasks_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestRetryGradesACopy(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			s := newStage(t, lab.Options{Dialect: d}, grading.LocksOn)
			locked := lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher}

			t.Run("live lock", func(t *testing.T) {
				locked.Anon = "Z-LIVE"
				id := s.copy(locked)
				s.lock(id, 5*time.Minute)
				p := s.plan(id)
				says := strings.Join(p.Says, " ")
				if p.Risk != actions.High || p.Word != "Z-LIVE" || !strings.Contains(says, "grades Z-LIVE with the current score: 14") ||
					!strings.Contains(says, "4 pages and 2 annotations") || !strings.Contains(says, "zteacher, who holds the lock") {
					t.Errorf("%q %q", p.Word, p.Says)
				}
				if raw, _ := json.Marshal(p.Steps); strings.Contains(string(raw), get[string](s, `SELECT token::text FROM grading_copylock WHERE copy_id = $1`, id)) {
					t.Errorf("the plan shows the token: %s", raw)
				}
				s.graded(id, p)
			})
			t.Run("expired lock", func(t *testing.T) {
				locked.Anon = "Z-EXPIRED"
				id := s.copy(locked)
				s.lock(id, -5*time.Minute)
				p := s.plan(id)
				if len(p.Steps) != 2 || p.Steps[0].Verb != "delete" || !strings.Contains(p.Steps[0].Detail, "the status stays LOCKED") {
					t.Errorf("%+v", p.Steps)
				}
				s.graded(id, p)
			})
			t.Run("no lock row", func(t *testing.T) {
				locked.Anon = "Z-NONE"
				id := s.copy(locked)
				if d == lab.Playbook {
					_, err := s.DB.AddEvent(labtest.Context(t), lab.EventRow{Copy: id, Action: "LOCK", Actor: s.teacher})
					s.noError(err)
				}
				s.graded(id, s.plan(id))
			})
			t.Run("nothing lives twice", func(t *testing.T) {
				locked.Anon = "Z-TWICE"
				id := s.copy(locked)
				s.lock(id, 5*time.Minute)
				p := s.plan(id)
				task := celery.Task{ID: "0b0e2bd0-0000-4000-8000-000000000001", Name: "grading.tasks.async_finalize_copy", Queue: "nobody-takes-it",
					Kwargs: map[string]any{"copy_id": id, "user_id": s.teacher}}
				task.Queue = "maintenance"
				s.noError(s.broker.Publish(labtest.Context(t), task))
				s.refused(id, "is waiting already")
				if got := s.run(p); got.Verdict.Kind != actions.WasRefuse || s.status(id) != "LOCKED" {
					t.Errorf("%+v", got.Verdict)
				}
			})
			t.Run("what moved is left alone", func(t *testing.T) { s.moved(t, locked) })
		})
	}
}

// moved changes one thing between plan and execution.
func (s *stage) moved(t *testing.T, row lab.CopyRow) {
	finalize := func(id string) {
		_, err := s.DB.AddEvent(labtest.Context(t), lab.EventRow{Copy: id, Action: "FINALIZE", Actor: s.teacher})
		s.noError(err)
	}
	tests := map[string]func(id string){
		"renewed": func(id string) {
			s.exec(`UPDATE grading_copylock SET expires_at = expires_at + interval '1 hour' WHERE copy_id = $1`, id)
		},
		"released":  func(id string) { s.exec(`DELETE FROM grading_copylock WHERE copy_id = $1`, id) },
		"status":    func(id string) { s.exec(`UPDATE exams_copy SET status = 'READY' WHERE id = $1`, id) },
		"finalized": finalize,
		"no pages":  func(id string) { s.exec(`DELETE FROM exams_copy_booklets WHERE copy_id = $1`, id) },
	}
	for name, change := range tests {
		row.Anon = "Z-MOVED-" + name
		id := s.copy(row)
		s.lock(id, -5*time.Minute)
		p := s.plan(id)
		change(id)
		before := get[int](s, `SELECT count(*)::int FROM grading_copylock WHERE copy_id = $1`, id)
		got := s.run(p)
		if got.Verdict.Kind != actions.Changed || len(got.Verdict.Evidence) == 0 {
			t.Errorf("%s: %+v", name, got.Verdict)
		}
		if live, err := s.broker.Live(labtest.Context(t), id); err != nil || len(live) != 0 {
			t.Errorf("%s: something was sent: %v %v", name, live, err)
		}
		if after := get[int](s, `SELECT count(*)::int FROM grading_copylock WHERE copy_id = $1`, id); after != before {
			t.Errorf("%s: the lock was deleted", name)
		}
	}
}

func TestATaskThatReturnsAnErrorIsAFailure(t *testing.T) {
	s := newStage(t, lab.Options{Faults: []string{"finalize-memory-error"}}, grading.LocksOn)
	id := get[string](s, `SELECT id::text FROM exams_copy c WHERE status = 'LOCKED' AND locked_by_id IS NOT NULL
		AND NOT EXISTS (SELECT FROM grading_copylock l WHERE l.copy_id = c.id) LIMIT 1`)
	for attempt := 1; attempt <= 2; attempt++ {
		p := s.plan(id)
		if warned := strings.Join(p.Warnings, " "); attempt == 2 && !strings.Contains(warned, "It failed once before") {
			t.Errorf("%q", warned)
		}
		got := s.run(p)
		if got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "It failed: Failed to generate final PDF") {
			t.Fatalf("%+v", got.Verdict)
		}
		if attempt == 2 && !strings.Contains(got.Verdict.Says+got.Verdict.Next, "attempt 2. ") && !strings.Contains(got.Verdict.Next, "escalate after 2 failed attempts") {
			t.Errorf("%+v", got.Verdict)
		}
		if s.status(id) != "LOCKED" {
			t.Error(s.status(id))
		}
	}
	if warned := strings.Join(s.plan(id).Warnings, " "); !strings.Contains(warned, "failed 2 times before: the playbook says escalate") {
		t.Errorf("%q", warned)
	}
}

func TestRetryGoesWhereAWorkerTakesIt(t *testing.T) {
	s := newStage(t, lab.Options{RoutedQueues: true}, grading.LocksOn)
	row := lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher}
	ctx := labtest.Context(t)
	for want, queues := range map[string][]string{"celery": {"celery"}, "finalize": {"celery", "finalize"}, "import": {"import"}} {
		s.noError(s.Worker.Start(ctx, queues...))
		row.Anon = "Z-" + want
		id := s.copy(row)
		p := s.plan(id)
		if p.Seen["queue"] != want {
			t.Errorf("%v are taken, and it goes to %s", queues, p.Seen["queue"])
		}
		s.graded(id, p)
	}
	s.Worker.Kill()
	row.Anon = "Z-nobody"
	s.refused(s.copy(row), "No worker said which queues it takes")
}

func TestRetryWhereLocksWereRemoved(t *testing.T) {
	s := newStage(t, lab.Options{LocksRemoved: true}, grading.LocksOff)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "READY", Pages: 4, Corrector: s.teacher})
	p := s.plan(id)
	if !strings.Contains(strings.Join(p.Warnings, " "), "corrected or not") {
		t.Errorf("%q", p.Warnings)
	}
	s.graded(id, p)
	s.refused(s.copy(lab.CopyRow{Anon: "Z-2", Status: "LOCKED", Pages: 4, LockedBy: s.teacher}), "no task leaves that status")
}

func TestRetryOfAnImport(t *testing.T) {
	s := newStage(t, lab.Options{Dialect: lab.Playbook}, grading.LocksOn)
	id, err := s.DB.AddCopy(labtest.Context(t), lab.CopyRow{Anon: "Z-1", Status: "STAGING", Pages: -1})
	s.noError(err)
	p := s.plan(id)
	if p.Risk != actions.Low || !strings.Contains(p.Title, "import of Z-1") {
		t.Errorf("%+v", p)
	}
	if got := s.run(p); got.Verdict.Kind != actions.Fixed || !strings.Contains(got.Verdict.Says, "page") {
		t.Fatalf("%+v", got.Verdict)
	}
}

func TestACopyThatIsBeingFinalizedIsRefused(t *testing.T) {
	s := newStage(t, lab.Options{}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	p := s.plan(id)
	ctx := labtest.Context(t)
	tx, err := s.pool.Begin(ctx)
	s.noError(err)
	_, err = tx.Exec(ctx, `UPDATE exams_copy SET status = 'GRADING_IN_PROGRESS' WHERE id = $1`, id)
	s.noError(err)
	s.refused(id, "An operation is running on Z-1 now.")
	if got := s.run(p); got.Verdict.Kind != actions.WasRefuse {
		t.Errorf("%+v", got.Verdict)
	}
	s.noError(tx.Rollback(ctx))
}

func TestTimeUpIsNoFailure(t *testing.T) {
	s := newStage(t, lab.Options{}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	p := s.plan(id)
	ctx, cancel := context.WithCancel(labtest.Context(t))
	got := s.runner.Run(ctx, p, actions.Confirmation{Word: p.Word, Reason: "x"}, func(pr actions.Progress) {
		if pr.Phase == actions.Verifying {
			s.Worker.Pause()
			cancel() // the operator leaves
		}
	})
	if got.Verdict.Kind != actions.Unverdict || !strings.Contains(got.Verdict.Next, "before you retry") || s.status(id) != "LOCKED" {
		t.Errorf("%+v", got.Verdict)
	}
	s.Worker.Resume()
}

// A worker that freezes with the dialog open may hold a task for the copy.
func TestARetryStopsWhenAWorkerFellSilentSinceThePlan(t *testing.T) {
	s := newStage(t, lab.Options{}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	p := s.plan(id)
	s.Worker.Pause()
	if got := s.run(p); got.Verdict.Kind != actions.WasRefuse || s.status(id) != "LOCKED" {
		t.Errorf("%+v", got.Verdict)
	}
	s.Worker.Resume()
}

// The plan promises a score; a mark added since is another decision.
func TestARetryStopsWhenTheScoreChanged(t *testing.T) {
	s := newStage(t, lab.Options{}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	p := s.plan(id)
	_, err := s.DB.AddAnnotation(labtest.Context(t), lab.AnnotationRow{Copy: id, By: s.teacher, Page: 1, Points: new(3.0)})
	s.noError(err)
	if got := s.run(p); got.Verdict.Kind != actions.Changed || !strings.Contains(strings.Join(got.Verdict.Evidence, " "), "score") {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestAKilledRetryIsSettled(t *testing.T) {
	s := newStage(t, lab.Options{}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	left := func(p actions.Plan) actions.Verdict {
		t.Helper()
		s.noError(s.journal.Append(actions.Record{Kind: actions.Intent, ActionID: p.ID, Action: "retry", Title: p.Title, Target: p.Target, Env: "test", Session: "x"}))
		found, err := s.runner.Settle(labtest.Context(t))
		s.noError(err)
		if len(found) != 1 {
			t.Fatalf("%+v", found)
		}
		return found[0].Verdict
	}
	p := s.plan(id)
	if v := left(p); v.Kind != actions.NotFixed || !strings.Contains(v.Says, "neither message nor result") {
		t.Errorf("%+v", v)
	}
	p = s.plan(id)
	if got := s.run(p); got.Verdict.Kind != actions.Fixed {
		t.Fatalf("%+v", got.Verdict)
	}
	if v := left(p); v.Kind != actions.Fixed {
		t.Errorf("%+v", v)
	}
}

func TestTheMessageHasOnlyWhatEveryGenerationTakes(t *testing.T) {
	s := newStage(t, lab.Options{NoWorker: true}, grading.LocksOn)
	s.noError(s.Worker.Start(labtest.Context(t), "maintenance"))
	id := s.copy(lab.CopyRow{Anon: "Z-1", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	p := s.plan(id)
	s.Worker.Kill()
	ctx, cancel := context.WithCancel(labtest.Context(t))
	s.runner.Run(ctx, p, actions.Confirmation{Word: p.Word, Reason: "x"}, func(pr actions.Progress) {
		if pr.Phase == actions.Verifying {
			cancel()
		}
	})
	c, err := s.broker.Contents(labtest.Context(t), "maintenance")
	s.noError(err)
	if c.Total != 1 {
		t.Fatalf("%d messages", c.Total)
	}
	var outer struct {
		Body []byte `json:"body"`
	}
	var body []json.RawMessage
	var kwargs map[string]any
	s.noError(json.Unmarshal(c.Next[0].Raw, &outer))
	s.noError(json.Unmarshal(outer.Body, &body))
	s.noError(json.Unmarshal(body[1], &kwargs))
	want := map[string]any{"copy_id": id, "user_id": float64(s.teacher), "lock_token": nil}
	if diff := cmp.Diff(want, kwargs); diff != "" || string(body[0]) != "[]" {
		t.Error(diff, string(body[0]))
	}
}
