package workers_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/workers"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

const finale = "grading.tasks.async_finalize_copy"

// bench is a Runner over a Redis of its own and real workers.
type bench struct {
	t      *testing.T
	server *lab.RedisServer
	rdb    *redis.Client
	broker *celery.Broker
	cfg    actions.Config
	runner *actions.Runner
}

func newBench(t *testing.T, change ...func(*workers.Deps)) *bench {
	t.Helper()
	labtest.Python(t)
	server := labtest.Redis(t)
	broker, err := celery.Open(celery.Config{BrokerURL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, server: server, rdb: redis.NewClient(server.Options()), broker: broker}
	t.Cleanup(func() {
		if err := errors.Join(broker.Close(), b.rdb.Close()); err != nil {
			t.Error(err)
		}
	})
	d := workers.Deps{Broker: broker, Timings: workers.Timings{Poll: 50 * time.Millisecond}}
	for _, c := range change {
		c(&d)
	}
	b.cfg = actions.Config{Actions: workers.All(d), Env: "test", Actor: actions.Actor{Name: "mdupont"},
		Journal: journal.Lazy(filepath.Join(t.TempDir(), "j", "journal"))}
	b.runner = actions.NewRunner(b.cfg)
	return b
}

func (b *bench) worker(o labtest.CeleryOptions) *labtest.CeleryWorker {
	b.t.Helper()
	return labtest.Celery(b.t, b.server, b.rdb, o)
}

// publish sends n tasks that run until released, and gives their ids.
func (b *bench) publish(queue string, n int) (ids []string) {
	b.t.Helper()
	for range n {
		task := celery.Task{ID: uuid.NewString(), Name: finale, Queue: queue, Args: []any{uuid.NewString(), 7}, Origin: "test"}
		if err := b.broker.Publish(labtest.Context(b.t), task); err != nil {
			b.t.Fatal(err)
		}
		ids = append(ids, task.ID)
	}
	return ids
}

func (b *bench) release() {
	b.t.Helper()
	if err := b.rdb.Set(labtest.Context(b.t), "go", 1, 0).Err(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) state(id string) string {
	b.t.Helper()
	r, _, err := b.broker.Result(labtest.Context(b.t), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.State
}

func (b *bench) set() probes.Set {
	b.t.Helper()
	p := celery.NewProbe(b.broker)
	payload, err := p.Sample(labtest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return probes.NewSet(probes.Snapshot{ID: celery.ID, Source: probes.Redis, Seq: 1, Payload: payload})
}

func target(name string) actions.Target {
	return actions.Target{Kind: actions.OnWorker, ID: name, Label: name}
}

func (b *bench) plan(action string, t actions.Target, choice string) actions.Plan {
	b.t.Helper()
	p, err := b.runner.Plan(labtest.Context(b.t), b.set(), action, t, choice)
	if err != nil {
		b.t.Fatalf("%s: %v", action, err)
	}
	return p
}

func (b *bench) refused(action string, t actions.Target, choice, want string) {
	b.t.Helper()
	_, err := b.runner.Plan(labtest.Context(b.t), b.set(), action, t, choice)
	var no *actions.Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Error(), want) {
		b.t.Errorf("%s is not refused for %q: %v", action, want, err)
	}
}

func (b *bench) run(p actions.Plan) actions.Result {
	b.t.Helper()
	c := actions.Confirmation{Yes: true, Word: p.Word, Reason: "incident 7"}
	return b.runner.Run(labtest.Context(b.t), p, c, func(actions.Progress) {})
}

func (b *bench) do(action string, t actions.Target, choice string) actions.Result {
	b.t.Helper()
	return b.run(b.plan(action, t, choice))
}

// fixed runs an action on w1 and expects it to help.
func (b *bench) fixed(action, choice, says string) actions.Result {
	b.t.Helper()
	return b.good(b.do(action, target("w1@test"), choice), says)
}

func (b *bench) good(r actions.Result, says string) actions.Result {
	b.t.Helper()
	if r.Verdict.Kind != actions.Fixed || !strings.Contains(r.Verdict.Says, says) {
		b.t.Fatalf("want fixed with %q: %+v", says, r.Verdict)
	}
	return r
}

// undo takes the last action back as the screen does.
func (b *bench) undo(says string) {
	b.t.Helper()
	action, t, _, ok := b.runner.Undoable()
	if !ok {
		b.t.Fatal("nothing to undo")
	}
	b.good(b.do(action, t, ""), says)
}

func (b *bench) ask() celery.Worker {
	b.t.Helper()
	w, err := b.broker.Worker(labtest.Context(b.t), "w1@test")
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

func TestCommandsToARealWorker(t *testing.T) {
	b := newBench(t)
	b.worker(labtest.CeleryOptions{})
	pid := b.ask().PID

	b.fixed("ping", "", "w1@test is alive")
	b.refused("pool-shrink", target("w1@test"), "", "one process only")
	b.fixed("pool-grow", "", "has 2 processes, it had 1")
	b.undo("has 1 processes, it had 2")

	b.publish("zqueue", 3)
	b.fixed("consume", "zqueue", "zqueue")
	labtest.Eventually(t, func() bool { return slices.Contains(b.ask().Queues, "zqueue") })
	b.refused("consume", target("w1@test"), "zqueue", "takes zqueue already")
	b.undo("w1@test takes celery")
	b.refused("stop-consuming", target("w1@test"), "zqueue", "There is no choice zqueue")
	b.fixed("stop-consuming", "celery", "takes no queue")
	b.undo("w1@test takes celery")

	b.fixed("rate-limit", finale+"=10/m", "is 10/m")
	b.fixed("rate-limit", finale+"=5/m", "is 5/m")
	b.undo("is 10/m")
	b.refused("rate-limit", target("w1@test"), "no.such.task=5/m", "knows no task")
	b.refused("rate-limit", target("w1@test"), "nonsense", "There is no choice")
	b.fixed("events-on", "", "task events enabled")
	b.undo("task events disabled")
	if now := b.ask().PID; now != pid {
		t.Errorf("the worker died: pid %d, was %d", now, pid)
	}
	b.release()
}

// The default choice is the queue where tasks wait in vain.
func TestConsumeProposesTheQueueThatNobodyTakes(t *testing.T) {
	b := newBench(t)
	b.worker(labtest.CeleryOptions{})
	b.release()
	ids := b.publish("finalize", 1)
	p := b.plan("consume", target("w1@test"), "")
	if p.Choice != "finalize" || !strings.Contains(strings.Join(p.Warnings, " "), "1 task wait in it") {
		t.Errorf("%q %q", p.Choice, p.Warnings)
	}
	b.good(b.run(p), "finalize")
	labtest.Eventually(t, func() bool { return b.state(ids[0]) == "SUCCESS" })
}

func TestWarmShutdownLosesNothing(t *testing.T) {
	b := newBench(t)
	w := b.worker(labtest.CeleryOptions{})
	ids := b.publish("celery", 4)
	labtest.Eventually(t, func() bool { return b.state(ids[0]) == "STARTED" && b.ask().Reserved == 3 })
	p := b.plan("shutdown", target("w1@test"), "")
	if p.Risk != actions.High || p.Word != "w1@test" || !strings.Contains(strings.Join(p.Says, " "), "3 tasks") ||
		!strings.Contains(strings.Join(p.Warnings, " "), "No other worker is known to take celery") {
		t.Errorf("%q %q", p.Says, p.Warnings)
	}
	phases := make(chan actions.Progress, 100)
	done := make(chan actions.Result)
	go func() {
		c := actions.Confirmation{Word: p.Word, Reason: "incident 7"}
		done <- b.runner.Run(labtest.Context(t), p, c, func(g actions.Progress) { phases <- g })
	}()
	for g := range phases { // it has to say that it waits for the running task
		if strings.Contains(g.Says, "1 task running") {
			break
		}
	}
	b.release()
	b.good(<-done, "is gone, and holds nothing")
	w.Wait()
	if n := b.rdb.LLen(labtest.Context(t), "celery").Val(); n != 3 || b.state(ids[0]) != "SUCCESS" {
		t.Errorf("%d back in the queue, the first is %s", n, b.state(ids[0]))
	}
}

// What a frozen worker is sent it would do when it wakes up.
func TestAFrozenWorkerGetsNothing(t *testing.T) {
	script := filepath.Join(t.TempDir(), "supervisor")
	b := newBench(t, func(d *workers.Deps) { d.Restart = []string{script} })
	w := b.worker(labtest.CeleryOptions{})
	before := b.ask()
	alive := b.plan("pool-grow", target("w1@test"), "")
	end := b.plan("shutdown", target("w1@test"), "")
	w.Signal(syscall.SIGSTOP)
	if got := b.do("ping", target("w1@test"), ""); got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "did not answer twice") {
		t.Errorf("%+v", got.Verdict)
	}
	for _, p := range []actions.Plan{alive, end} {
		if got := b.run(p); got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, "does not answer") {
			t.Errorf("%s: %+v", p.Action, got.Verdict)
		}
	}
	for _, a := range []string{"shutdown", "pool-grow", "pool-shrink", "consume", "stop-consuming", "rate-limit", "events-on", "events-off"} {
		b.refused(a, target("w1@test"), "", "")
	}
	if p := b.plan("restart", target("w1@test"), ""); !strings.Contains(strings.Join(p.Says, " "), "does not answer") {
		t.Errorf("%q", p.Says)
	}
	w.Signal(syscall.SIGCONT)
	labtest.Eventually(t, func() bool { _, err := b.broker.Worker(labtest.Context(t), "w1@test"); return err == nil })
	if d := cmp.Diff(before.Processes, b.ask().Processes); d != "" {
		t.Errorf("it did something when it woke up: %s", d)
	}
	b.refused("ping", actions.Target{Kind: actions.OnQueue, ID: "celery"}, "", "works on a worker")
	b.refused("shutdown", target("w9@test"), "", "w9@test does not answer")
}

func TestGoneWorkerIsSaidToBeGone(t *testing.T) {
	b := newBench(t)
	if got := b.do("ping", target("w1@test"), ""); got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "No worker listens at all") {
		t.Errorf("%+v", got.Verdict)
	}
	b.refused("restart", target("w1@test"), "", "No restart command is configured")
}

// TestRestart freezes the worker and lets a small supervisor replace it.
func TestRestartThroughASupervisor(t *testing.T) {
	dir := t.TempDir()
	script, asked := filepath.Join(dir, "supervisor"), filepath.Join(dir, "asked")
	write(t, script, "#!/bin/sh\nenv > "+dir+"/env\necho \"restarting $2\"\nprintf 'done \\033[31mred\\n'\ntouch "+asked+"\n")
	t.Setenv("DATABASE_URL", "postgresql://u:hunter2@x/y")
	b := newBench(t, func(d *workers.Deps) { d.Restart = []string{script, "restart", "a worker"} })
	w := b.worker(labtest.CeleryOptions{})
	ids := b.publish("celery", 2)
	labtest.Eventually(t, func() bool { return b.state(ids[0]) == "STARTED" && b.ask().Reserved == 1 })

	p := b.plan("restart", target("w1@test"), "")
	warns := strings.Join(p.Warnings, " ")
	if p.Risk != actions.High || p.Word != "w1@test" || !strings.Contains(warns, "1 task that run are lost") || !strings.Contains(warns, "visibility timeout (1h00m)") {
		t.Errorf("%q", p.Warnings)
	}
	done := make(chan actions.Result)
	go func() {
		done <- b.runner.Run(labtest.Context(t), p, actions.Confirmation{Word: p.Word, Reason: "frozen"}, func(actions.Progress) {})
	}()
	// The test is what the script stands for: it kills and starts a worker.
	labtest.Eventually(t, func() bool { _, err := os.Stat(asked); return err == nil })
	w.Kill()
	b.release()
	b.worker(labtest.CeleryOptions{})
	got := b.good(<-done, "answers as a new process")
	evidence := strings.Join(got.Verdict.Evidence, "\n")
	if !strings.Contains(evidence, "restarting a worker") || !strings.Contains(evidence, "done") || strings.Contains(evidence, "\x1b") {
		t.Errorf("%q", evidence)
	}
	if env := read(t, dir+"/env"); strings.Contains(env, "hunter2") || !strings.Contains(env, "PATH=") {
		t.Errorf("the supervisor's environment: %s", env)
	}
}

func TestASupervisorThatFails(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		script string
		limit  time.Duration
		kind   actions.VerdictKind
		says   string
	}{
		"exit code": {"#!/bin/sh\necho no such service >&2\nexit 3\n", time.Minute, actions.Failed, "exit status 3: no such service"},
		"too long":  {"#!/bin/sh\necho waiting\nsleep 600 & wait\n", 200 * time.Millisecond, actions.NotFixed, "was not restarted"},
		"no help":   {"#!/bin/sh\nexit 0\n", time.Minute, actions.NotFixed, "the old process answers"},
	} {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			write(t, script, c.script)
			b := newBench(t, func(d *workers.Deps) {
				d.Restart, d.RestartFor, d.Timings.Drain = []string{script}, c.limit, 300*time.Millisecond
			})
			b.worker(labtest.CeleryOptions{})
			labtest.Eventually(t, func() bool { return b.ask().Uptime >= 1*time.Second })
			got := b.do("restart", target("w1@test"), "")
			all := fmt.Sprint(got.Verdict)
			if got.Verdict.Kind != c.kind || !strings.Contains(all, c.says) {
				t.Errorf("%+v", got.Verdict)
			}
		})
	}
}

func TestAnotherProcessIsNotTouched(t *testing.T) {
	b := newBench(t)
	w := b.worker(labtest.CeleryOptions{})
	p := b.plan("pool-grow", target("w1@test"), "")
	w.Kill()
	b.worker(labtest.CeleryOptions{})
	if got := b.run(p); got.Verdict.Kind != actions.Changed || !strings.Contains(fmt.Sprint(got.Verdict.Evidence), "pid") {
		t.Errorf("%+v", got.Verdict)
	}
	if n := len(b.ask().Processes); n != 1 {
		t.Errorf("%d processes", n)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
