package bench

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/tasks"
	"gradecockpit/actions/workers"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// Finalize is the task that the tests send.
const Finalize = "grading.tasks.async_finalize_copy"

// Celery is a Runner over a Redis of its own and real workers, without a
// database.
type Celery struct {
	Server *lab.RedisServer
	Redis  *redis.Client
	Broker *celery.Broker
	Dir    string // for saved messages
	Runner *actions.Runner

	t testing.TB
}

// NewCelery makes one; change may alter what the actions get.
func NewCelery(t testing.TB, change ...func(*catalogue.Deps)) *Celery {
	t.Helper()
	server := labtest.Redis(t)
	broker, err := celery.Open(celery.Config{BrokerURL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	b := &Celery{Server: server, Redis: redis.NewClient(server.Options()), Broker: broker, Dir: filepath.Join(t.TempDir(), "saved"), t: t}
	t.Cleanup(func() {
		if err := errors.Join(broker.Close(), b.Redis.Close()); err != nil {
			t.Error(err)
		}
	})
	j := journal.Lazy(filepath.Join(t.TempDir(), "j", "journal"))
	d := catalogue.Deps{Broker: broker, SaveDir: b.Dir, Journal: j, Timings: catalogue.Timings{
		Tasks: tasks.Timings{Poll: 20 * time.Millisecond}, Workers: workers.Timings{Poll: 50 * time.Millisecond}}}
	for _, c := range change {
		c(&d)
	}
	b.Runner = actions.NewRunner(actions.Config{Actions: catalogue.All(d), Env: "test", Actor: actions.Actor{Name: "mdupont"}, Journal: j})
	return b
}

// Worker starts a real one.
func (b *Celery) Worker(o labtest.CeleryOptions) *labtest.CeleryWorker {
	b.t.Helper()
	return labtest.Celery(b.t, b.Server, b.Redis, o)
}

// Publish sends n tasks that run until Release, and gives their ids.
func (b *Celery) Publish(queue string, n int) (ids []string) {
	b.t.Helper()
	for range n {
		task := celery.Task{ID: uuid.NewString(), Name: Finalize, Queue: queue, Args: []any{uuid.NewString(), 7}, Origin: "test"}
		if err := b.Broker.Publish(labtest.Context(b.t), task); err != nil {
			b.t.Fatal(err)
		}
		ids = append(ids, task.ID)
	}
	return ids
}

// Release lets all tasks run to their end.
func (b *Celery) Release() {
	b.t.Helper()
	if err := b.Redis.Set(labtest.Context(b.t), "go", 1, 0).Err(); err != nil {
		b.t.Fatal(err)
	}
}

// State is what the result of a task says; "" none.
func (b *Celery) State(id string) string {
	b.t.Helper()
	r, _, err := b.Broker.Result(labtest.Context(b.t), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.State
}

// Await waits until the result of a task says so.
func (b *Celery) Await(id, state string) {
	b.t.Helper()
	labtest.Eventually(b.t, func() bool { return b.State(id) == state })
}

// Ask asks a worker, which has to answer.
func (b *Celery) Ask(name string) celery.Worker {
	b.t.Helper()
	w, err := b.Broker.Worker(labtest.Context(b.t), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// Set is what the probe sees now.
func (b *Celery) Set() probes.Set {
	b.t.Helper()
	payload, err := celery.NewProbe(b.Broker).Sample(labtest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return probes.NewSet(probes.Snapshot{ID: celery.ID, Source: probes.Redis, Seq: 1, Payload: payload})
}

// Plan plans and fails the test where that is refused.
func (b *Celery) Plan(action string, t actions.Target, choice string) actions.Plan {
	b.t.Helper()
	p, err := b.Runner.Plan(labtest.Context(b.t), b.Set(), action, t, choice)
	if err != nil {
		b.t.Fatalf("plan %s: %v", action, err)
	}
	return p
}

// Refused expects a refusal that says so.
func (b *Celery) Refused(action string, t actions.Target, choice, want string) {
	b.t.Helper()
	_, err := b.Runner.Plan(labtest.Context(b.t), b.Set(), action, t, choice)
	var no *actions.Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Error(), want) {
		b.t.Errorf("%s is not refused for %q: %v", action, want, err)
	}
}

// Run confirms as the plan asks and runs it.
func (b *Celery) Run(p actions.Plan) actions.Result {
	b.t.Helper()
	return Run(labtest.Context(b.t), b.Runner, p)
}

// Do plans and runs, and expects an end of that kind with those words.
func (b *Celery) Do(action string, t actions.Target, choice string, kind actions.VerdictKind, says string) actions.Result {
	b.t.Helper()
	return b.Ends(b.Run(b.Plan(action, t, choice)), kind, says)
}

// Ends expects an end of that kind with those words.
func (b *Celery) Ends(r actions.Result, kind actions.VerdictKind, says string) actions.Result {
	b.t.Helper()
	if r.Verdict.Kind != kind || !strings.Contains(r.Verdict.Says, says) {
		b.t.Fatalf("want %s with %q: %+v", kind, says, r.Verdict)
	}
	return r
}
