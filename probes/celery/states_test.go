package celery_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// judged looks at the broker and gives what it says of one worker.
func judged(t testing.TB, p *celery.Probe, name string) celery.Worker {
	t.Helper()
	for _, w := range sample(t, p).Workers {
		if w.Name == name {
			return w
		}
	}
	return celery.Worker{}
}

// refresh is how far apart looks are at the ordinary pace.
const refresh = 2 * time.Second

// within looks again, at the ordinary pace, and fails unless one of the first
// n looks names the state.
func within(t testing.TB, p *celery.Probe, name string, n int, want celery.WorkerState) celery.Worker {
	t.Helper()
	var said []string
	for range n {
		time.Sleep(refresh) // looks are timed: that is what is tested
		w := judged(t, p, name)
		if said = append(said, fmt.Sprintf("%q (%s)", w.State, w.Why)); w.State == want {
			if w.Why == "" {
				t.Error("no reason is given")
			}
			t.Log(said[len(said)-1])
			return w
		}
	}
	t.Fatalf("%s is not %q after %d looks: %s", name, want, n, strings.Join(said, ", "))
	return celery.Worker{}
}

// workerStage is a broker, a probe and a real worker that it saw healthy.
type workerStage struct {
	s *lab.RedisServer
	c *redis.Client
	b *celery.Broker
	p *celery.Probe
	w *realProcess
}

func stageWorker(t *testing.T, o workerOptions) workerStage {
	t.Helper()
	t.Parallel() // these tests mostly wait
	python(t)
	s := labtest.Redis(t, lab.RedisOptions{TCP: true})
	st := workerStage{s: s, c: client(t, s), b: open(t, celery.Config{BrokerURL: s.URL()})}
	st.p = celery.NewProbe(st.b)
	st.w = startWorker(t, s, st.c, o)
	sample(t, st.p)
	if w := judged(t, st.p, "w1@test"); w.State != celery.Healthy {
		t.Fatalf("at first it is %q: %s", w.State, w.Why)
	}
	return st
}

// runs publishes tasks that end when the test says so, and waits until one runs.
func (st workerStage) runs(t *testing.T, n int) []celery.Task {
	t.Helper()
	var tasks []celery.Task
	for i := range n {
		tasks = append(tasks, task("celery", 0, copyA, i+1))
	}
	publish(t, st.b, tasks...)
	eventually(t, func() bool { return state(t, st.b, tasks[0].ID) == "STARTED" })
	return tasks
}

func TestRealWorkerHealthyBusyFull(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	w := within(t, st.p, "w1@test", 2, celery.Healthy)
	if w.Prefetch != 4 || w.Reserved != 0 || w.Scheduled != 0 || len(w.Processes) != 1 || w.PID == 0 ||
		!strings.HasPrefix(w.Version, "celery 5.") || w.LastBeat.IsZero() {
		t.Errorf("%+v", w)
	}
	st.runs(t, 1)
	within(t, st.p, "w1@test", 2, celery.Busy)
	publish(t, st.b, task("celery", 0, copyA, 8), task("celery", 0, copyA, 8), task("celery", 0, copyA, 8), task("celery", 0, copyA, 8), task("celery", 0, copyA, 8))
	if w := within(t, st.p, "w1@test", 2, celery.PrefetchFull); w.Reserved != 4 || len(w.Running) != 1 {
		t.Errorf("reserved %d, running %d", w.Reserved, len(w.Running))
	}
	st.c.Set(t.Context(), "go", 1, 0)
	eventually(t, func() bool {
		return st.c.HLen(t.Context(), "unacked").Val()+st.c.LLen(t.Context(), "celery").Val() == 0
	})
	w = within(t, st.p, "w1@test", 2, celery.Healthy)
	if len(w.Totals) != 1 || w.Totals[0].Task != finale || w.Totals[0].Count != 6 {
		t.Errorf("totals %v", w.Totals)
	}
}

func TestRealWorkerStoppedIsFrozen(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	st.runs(t, 2)
	within(t, st.p, "w1@test", 2, celery.Busy)
	st.w.signal(syscall.SIGSTOP)
	within(t, st.p, "w1@test", 2, celery.Frozen)
	st.w.signal(syscall.SIGCONT)
	within(t, st.p, "w1@test", 2, celery.Busy)
}

func TestRealWorkerKilledIsGone(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	st.runs(t, 1)
	within(t, st.p, "w1@test", 2, celery.Busy)
	st.w.kill()
	w := within(t, st.p, "w1@test", 2, celery.Gone)
	if !strings.Contains(w.Why, "1 running task") || len(w.Running) != 0 {
		t.Errorf("%+v", w)
	}
}

func TestRealWorkerTerminatedIsStopping(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	st.runs(t, 1)
	within(t, st.p, "w1@test", 2, celery.Busy)
	st.w.signal(syscall.SIGTERM)
	within(t, st.p, "w1@test", 2, celery.Stopping)
	within(t, st.p, "w1@test", 1, celery.Stopping)
	st.c.Set(t.Context(), "go", 1, 0)
	st.w.wait()
	if w := within(t, st.p, "w1@test", 2, celery.Gone); !strings.Contains(w.Why, "in order") {
		t.Error(w.Why)
	}
}

func TestRealWorkerOnTheWrongQueue(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	publish(t, st.b, task("finalize", 0, copyA, 1), task("import", 0, copyA, 1))
	w := within(t, st.p, "w1@test", 2, celery.WrongQueue)
	if !strings.Contains(w.Why, "finalize (1), import (1)") || !slices.Equal(w.Queues, []string{"celery"}) {
		t.Errorf("%+v", w)
	}
}

// Celery 5.2 and 5.3 may go deaf when Redis restarts; whether one does is a
// matter of timing. A worker that comes back must then be called healthy.
func TestRealWorkerAfterARestartOfRedis(t *testing.T) {
	st := stageWorker(t, workerOptions{})
	if err := st.s.Down(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // the outage with which the facts were observed
	if err := st.s.Up(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	var w celery.Worker
	defer func() { t.Logf("%q (%s)", w.State, w.Why) }()
	eventually(t, func() bool {
		payload, err := st.p.Sample(t.Context())
		if err != nil {
			return false
		}
		w = celery.Worker{}
		for _, o := range payload.(celery.Overview).Workers {
			if o.Name == "w1@test" {
				w = o
			}
		}
		return w.State != celery.Unsure
	})
	listens := st.c.Publish(t.Context(), celery.Names{}.ControlChannel(), "").Val()
	t.Logf("%q (%s), %d listen", w.State, w.Why, listens)
	if w.State == celery.Deaf {
		time.Sleep(5 * time.Second) // one that was only late would listen by then
		listens = st.c.Publish(t.Context(), celery.Names{}.ControlChannel(), "").Val()
	}
	if w.State != celery.Deaf && w.State != celery.Healthy || (listens == 0) != (w.State == celery.Deaf) {
		t.Errorf("%q (%s), though %d listen", w.State, w.Why, listens)
	}
}
