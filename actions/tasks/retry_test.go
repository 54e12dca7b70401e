package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/tasks"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

// stage is a simulated grading system with its worker, and a Runner over it.
type stage struct {
	*lab.World
	t       *testing.T
	pool    *pgxpool.Pool
	broker  *celery.Broker
	probe   *grading.Probe
	journal *journal.File
	cfg     actions.Config
	runner  *actions.Runner
	teacher int64
}

func newStage(t *testing.T, o lab.Options, mode grading.LockMode) *stage {
	t.Helper()
	o.Quiet, o.Speed = true, 10
	w, err := lab.Start(labtest.Context(t), o)
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{World: w, t: t}
	t.Cleanup(func() { s.noError(w.Close()) })
	env := w.Env()
	s.pool, err = pgxpool.New(labtest.Context(t), env["DATABASE_URL"])
	s.noError(err)
	t.Cleanup(s.pool.Close)
	s.broker, err = celery.Open(celery.Config{BrokerURL: env["CELERY_BROKER_URL"]})
	s.noError(err)
	t.Cleanup(func() { s.noError(s.broker.Close()) })
	pg := postgres.Config{ConnString: env["DATABASE_URL"]}
	reader := postgres.NewReader(pg)
	t.Cleanup(func() { s.noError(reader.Close(labtest.Context(t))) })
	s.probe = grading.NewProbe(reader, grading.Options{Locks: mode, Thresholds: grading.DefaultThresholds()})
	s.journal = journal.Lazy(filepath.Join(t.TempDir(), "j", "journal"))
	s.teacher = s.value(w.DB.AddUser(labtest.Context(t), "zteacher"))
	s.cfg = actions.Config{
		Actions: catalogue.All(catalogue.Deps{Writer: postgres.NewWriter(pg), Grading: s.probe, Broker: s.broker, Journal: s.journal,
			SaveDir: t.TempDir(), Timings: catalogue.Timings{Tasks: tasks.Timings{Poll: 20 * time.Millisecond}}}),
		Journal: s.journal, Env: "test", Actor: actions.Actor{Name: "demo", Host: "app1", UserID: s.teacher},
	}
	s.runner = actions.NewRunner(s.cfg)
	return s
}

func (s *stage) noError(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) value(id int64, err error) int64 {
	s.t.Helper()
	s.noError(err)
	return id
}

func get[T any](s *stage, sql string, args ...any) (v T) {
	s.t.Helper()
	s.noError(s.pool.QueryRow(labtest.Context(s.t), sql, args...).Scan(&v))
	return v
}

func (s *stage) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.pool.Exec(labtest.Context(s.t), sql, args...)
	s.noError(err)
}

// copy adds a copy with two annotations of 14 points together.
func (s *stage) copy(c lab.CopyRow) string {
	s.t.Helper()
	ctx := labtest.Context(s.t)
	id, err := s.DB.AddCopy(ctx, c)
	s.noError(err)
	for _, points := range []float64{12, 2} {
		_, err := s.DB.AddAnnotation(ctx, lab.AnnotationRow{Copy: id, By: s.teacher, Points: &points})
		s.noError(err)
	}
	return id
}

func (s *stage) lock(id string, left time.Duration) {
	s.t.Helper()
	ctx := labtest.Context(s.t)
	now, err := s.DB.Now(ctx)
	s.noError(err)
	_, err = s.DB.AddLock(ctx, lab.LockRow{Copy: id, Owner: s.teacher, Expires: now.Add(left)})
	s.noError(err)
}

func (s *stage) set() probes.Set {
	s.t.Helper()
	payload, err := s.probe.Sample(labtest.Context(s.t))
	s.noError(err)
	return probes.NewSet(probes.Snapshot{ID: grading.ID, Seq: 1, Payload: payload})
}

func (s *stage) target(id string) actions.Target {
	return actions.Target{Kind: actions.OnCopy, ID: id, Label: "Z-1"}
}

func (s *stage) plan(id string) actions.Plan {
	s.t.Helper()
	p, err := s.runner.Plan(labtest.Context(s.t), s.set(), "retry", s.target(id), "")
	s.noError(err)
	return p
}

func (s *stage) refused(id, want string) {
	s.t.Helper()
	var no *actions.Refusal
	_, err := s.runner.Plan(labtest.Context(s.t), s.set(), "retry", s.target(id), "")
	if !errors.As(err, &no) || !strings.Contains(no.Error(), want) {
		s.t.Errorf("not refused for %q: %v", want, err)
	}
}

func (s *stage) run(p actions.Plan) actions.Result {
	s.t.Helper()
	c := actions.Confirmation{Yes: true, Word: p.Word, Reason: "exam office asked"}
	return s.runner.Run(labtest.Context(s.t), p, c, func(actions.Progress) {})
}

func (s *stage) status(id string) string {
	s.t.Helper()
	return get[string](s, `SELECT status FROM exams_copy WHERE id = $1`, id)
}

// graded checks that a retry ended as it should.
func (s *stage) graded(id string, p actions.Plan) {
	s.t.Helper()
	got := s.run(p)
	if got.Verdict.Kind != actions.Fixed || !strings.Contains(got.Verdict.Says, "is GRADED, PDF copies/final/") || s.status(id) != "GRADED" {
		s.t.Fatalf("%+v", got.Verdict)
	}
	if n := get[int](s, `SELECT count(*)::int FROM grading_copylock WHERE copy_id = $1`, id); n != 0 {
		s.t.Error("a lock is left")
	}
	if by := get[int64](s, `SELECT actor_id::bigint FROM grading_gradingevent WHERE copy_id = $1 AND action = 'FINALIZE' ORDER BY timestamp DESC LIMIT 1`, id); by != s.teacher {
		s.t.Errorf("finalized by user %d", by)
	}
	records, err := s.journal.Records()
	s.noError(err)
	if last := records[len(records)-1]; last.Kind != actions.Outcome || last.Verdict != actions.Fixed || last.Undo != nil {
		s.t.Errorf("%+v", last)
	}
}

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
	s.Worker.Pause()
	ctx, cancel := context.WithCancel(labtest.Context(t))
	got := s.runner.Run(ctx, p, actions.Confirmation{Word: p.Word, Reason: "x"}, func(pr actions.Progress) {
		if pr.Phase == actions.Verifying {
			cancel() // the operator leaves
		}
	})
	if got.Verdict.Kind != actions.Unverdict || !strings.Contains(got.Verdict.Next, "before you retry") || s.status(id) != "LOCKED" {
		t.Errorf("%+v", got.Verdict)
	}
	s.Worker.Resume()
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
