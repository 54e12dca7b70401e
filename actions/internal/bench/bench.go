// Package bench is what the tests of all actions share: a Runner over real
// servers with a journal of its own, and the few questions that every test
// asks of the tables.
package bench

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/locks"
	"gradecockpit/actions/tasks"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

// Bench is a Runner with everything around it.
type Bench struct {
	*labtest.DB
	Runner  *actions.Runner
	Journal *journal.File
	Deps    catalogue.Deps
	Config  actions.Config
	Probe   *grading.Probe
	Broker  *celery.Broker
	Anew    func() // makes a Probe that discovers the schema and its rights anew

	Operator int64 // auth_user.id of mdupont, who acts
	Teacher  int64 // of jmartin
	Other    int64 // of lbernard

	t testing.TB
}

// Options change a bench.
type Options struct {
	Dialect  lab.Dialect // "" is deployed
	Tables   []labtest.Option
	DSN      string // instead of the superuser's
	Redis    string // URL; "" has no broker
	Locks    grading.LockMode
	ReadOnly string // of the Runner
	Writer   string // why the Writer may not write
	Timings  catalogue.Timings
	DB       *labtest.DB // instead of a new one
}

// New makes one. Watching is quick: 60 ms without a new lock are enough.
func New(t testing.TB, o Options) *Bench {
	t.Helper()
	if o.Dialect == "" {
		o.Dialect = lab.Deployed
	}
	b := &Bench{t: t, DB: o.DB}
	if b.DB == nil {
		b.DB = labtest.Postgres(t, o.Dialect, o.Tables...)
	}
	if o.DSN == "" {
		o.DSN = b.DSN()
	}
	b.Operator, b.Teacher, b.Other = b.AddUser("mdupont"), b.AddUser("jmartin"), b.AddUser("lbernard")
	b.sources(o)
	if o.Timings.Locks == (locks.Timings{}) {
		o.Timings.Locks = locks.Timings{Stay: 60 * time.Millisecond, Poll: 20 * time.Millisecond}
	}
	if o.Timings.Tasks == (tasks.Timings{}) {
		o.Timings.Tasks = tasks.Timings{Poll: 50 * time.Millisecond}
	}
	b.Journal = journal.Lazy(filepath.Join(t.TempDir(), "state", "journal.jsonl"))
	b.Deps = catalogue.Deps{
		Writer: postgres.NewWriter(postgres.Config{ConnString: o.DSN, ReadOnly: o.Writer}), Grading: b.Probe, Broker: b.Broker,
		Journal: b.Journal, LockTTL: 10 * time.Minute, SaveDir: filepath.Join(t.TempDir(), "saved"), Timings: o.Timings,
	}
	b.Config = actions.Config{
		Actions: catalogue.All(b.Deps), Journal: b.Journal, ReadOnly: o.ReadOnly, Env: "test",
		Actor: actions.Actor{Name: "mdupont", Host: "app1", UserID: b.Operator},
	}
	b.Runner = actions.NewRunner(b.Config)
	return b
}

func (b *Bench) sources(o Options) {
	reader := postgres.NewReader(postgres.Config{ConnString: o.DSN})
	b.t.Cleanup(func() {
		if err := reader.Close(labtest.Context(b.t)); err != nil {
			b.t.Error(err)
		}
	})
	b.Anew = func() {
		b.Probe = grading.NewProbe(reader, grading.Options{Locks: o.Locks, Thresholds: grading.DefaultThresholds()})
	}
	b.Anew()
	if o.Redis == "" {
		return
	}
	broker, err := celery.Open(celery.Config{BrokerURL: o.Redis, ReadOnly: o.Writer})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			b.t.Error(err)
		}
	})
	b.Broker = broker
}

// As gives another Runner over the same servers and journal.
func (b *Bench) As(change func(*actions.Config)) *actions.Runner {
	cfg := b.Config
	change(&cfg)
	return actions.NewRunner(cfg)
}

// Set is what the probes see now.
func (b *Bench) Set() probes.Set {
	b.t.Helper()
	snaps := []probes.Snapshot{b.sample(b.Probe)}
	if b.Broker != nil {
		snaps = append(snaps, b.sample(celery.NewProbe(b.Broker)))
	}
	return probes.NewSet(snaps...)
}

func (b *Bench) sample(p probes.Probe) probes.Snapshot {
	b.t.Helper()
	payload, err := p.Sample(labtest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	now := time.Now()
	return probes.Snapshot{ID: p.ID(), Source: p.Source(), Seq: 1, At: now, Good: now, Payload: payload}
}

// Copy is a target.
func Copy(id, label string) actions.Target {
	return actions.Target{Kind: actions.OnCopy, ID: id, Label: label}
}

// Plan plans and fails the test where that is refused.
func (b *Bench) Plan(action string, t actions.Target, choice string) actions.Plan {
	b.t.Helper()
	p, err := b.Runner.Plan(labtest.Context(b.t), b.Set(), action, t, choice)
	if err != nil {
		b.t.Fatalf("plan %s: %v", action, err)
	}
	return p
}

// Run confirms as the plan asks and runs it.
func (b *Bench) Run(p actions.Plan) actions.Result {
	b.t.Helper()
	return Run(labtest.Context(b.t), b.Runner, p)
}

// Run confirms a plan as it asks and runs it.
func Run(ctx context.Context, r *actions.Runner, p actions.Plan) actions.Result {
	c := actions.Confirmation{Yes: true, Word: p.Word, Reason: "corrector left"}
	return r.Run(ctx, p, c, func(actions.Progress) {})
}

// Do plans and runs.
func (b *Bench) Do(action string, t actions.Target, choice string) actions.Result {
	b.t.Helper()
	return b.Run(b.Plan(action, t, choice))
}

// Records is the journal.
func (b *Bench) Records() []actions.Record {
	b.t.Helper()
	records, err := b.Journal.Records()
	if err != nil {
		b.t.Fatal(err)
	}
	return records
}

// Kinds are the kinds of the journal's records, in order.
func (b *Bench) Kinds() []actions.RecordKind {
	b.t.Helper()
	var kinds []actions.RecordKind
	for _, r := range b.Records() {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// Status is the status of a copy.
func (b *Bench) Status(id string) string {
	b.t.Helper()
	return labtest.Get[string](b.DB, `SELECT status FROM exams_copy WHERE id = $1`, id)
}

// Count counts the rows of a table for a copy.
func (b *Bench) Count(table, id string) int {
	b.t.Helper()
	return labtest.Get[int](b.DB, `SELECT count(*)::int FROM `+table+` WHERE copy_id = $1`, id)
}

// Locked adds a LOCKED copy of four pages with a lock of the teacher that
// expires after left, and gives the copy's id and the token.
func (b *Bench) Locked(anon string, left time.Duration) (id, token string) {
	b.t.Helper()
	now := b.Now()
	id = b.AddCopy(lab.CopyRow{Anon: anon, Status: "LOCKED", Pages: 4, LockedBy: b.Teacher, LockedAt: now.Add(-12 * time.Minute)})
	token = b.AddLock(lab.LockRow{Copy: id, Owner: b.Teacher, Since: now.Add(-12 * time.Minute), Expires: now.Add(left)})
	return id, token
}
