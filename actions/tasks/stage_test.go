package tasks_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
