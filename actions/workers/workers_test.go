package workers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

const finale = bench.Finalize

// yard is a Runner over a Redis of its own and real workers.
type yard struct {
	*bench.Celery
	t *testing.T
}

func newYard(t *testing.T, change ...func(*catalogue.Deps)) *yard {
	t.Helper()
	labtest.Python(t)
	return &yard{bench.NewCelery(t, change...), t}
}

func target(name string) actions.Target {
	return actions.Target{Kind: actions.OnWorker, ID: name, Label: name}
}

// fixed runs an action on w1 and expects it to help.
func (b *yard) fixed(action, choice, says string) actions.Result {
	b.t.Helper()
	return b.good(b.Run(b.Plan(action, target("w1@test"), choice)), says)
}

func (b *yard) good(r actions.Result, says string) actions.Result {
	b.t.Helper()
	return b.Ends(r, actions.Fixed, says)
}

// undo takes the last action back as the screen does.
func (b *yard) undo(says string) {
	b.t.Helper()
	action, t, _, ok := b.Runner.Undoable()
	if !ok {
		b.t.Fatal("nothing to undo")
	}
	b.good(b.Run(b.Plan(action, t, "")), says)
}

func TestCommandsToARealWorker(t *testing.T) {
	b := newYard(t)
	b.Worker(labtest.CeleryOptions{})
	pid := b.Ask("w1@test").PID

	b.fixed("ping", "", "w1@test is alive")
	b.Refused("pool-shrink", target("w1@test"), "", "one process only")
	b.fixed("pool-grow", "", "has 2 processes, it had 1")
	b.undo("has 1 processes, it had 2")

	b.Publish("zqueue", 3)
	b.fixed("consume", "zqueue", "zqueue")
	labtest.Eventually(t, func() bool { return slices.Contains(b.Ask("w1@test").Queues, "zqueue") })
	b.Refused("consume", target("w1@test"), "zqueue", "takes zqueue already")
	b.undo("w1@test takes celery")
	b.Refused("stop-consuming", target("w1@test"), "zqueue", "There is no choice zqueue")
	b.fixed("stop-consuming", "celery", "takes no queue")
	b.undo("w1@test takes celery")

	b.fixed("rate-limit", finale+"=10/m", "is 10/m")
	b.fixed("rate-limit", finale+"=5/m", "is 5/m")
	b.undo("is 10/m")
	b.Refused("rate-limit", target("w1@test"), "no.such.task=5/m", "knows no task")
	b.Refused("rate-limit", target("w1@test"), "nonsense", "There is no choice")
	b.fixed("events-on", "", "task events enabled")
	b.undo("task events disabled")
	if now := b.Ask("w1@test").PID; now != pid {
		t.Errorf("the worker died: pid %d, was %d", now, pid)
	}
	b.Release()
}

// The default choice is the queue where tasks wait in vain.
func TestConsumeProposesTheQueueThatNobodyTakes(t *testing.T) {
	b := newYard(t)
	b.Worker(labtest.CeleryOptions{})
	b.Release()
	ids := b.Publish("finalize", 1)
	p := b.Plan("consume", target("w1@test"), "")
	if p.Choice != "finalize" || !strings.Contains(strings.Join(p.Warnings, " "), "1 task wait in it") {
		t.Errorf("%q %q", p.Choice, p.Warnings)
	}
	b.good(b.Run(p), "finalize")
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "SUCCESS" })
}

func TestWarmShutdownLosesNothing(t *testing.T) {
	b := newYard(t)
	w := b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 4)
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "STARTED" && b.Ask("w1@test").Reserved == 3 })
	p := b.Plan("shutdown", target("w1@test"), "")
	if p.Risk != actions.High || p.Word != "w1@test" || !strings.Contains(strings.Join(p.Says, " "), "3 tasks") ||
		!strings.Contains(strings.Join(p.Warnings, " "), "No other worker is known to take celery") {
		t.Errorf("%q %q", p.Says, p.Warnings)
	}
	phases := make(chan actions.Progress, 100)
	done := make(chan actions.Result)
	go func() {
		c := actions.Confirmation{Word: p.Word, Reason: "incident 7"}
		done <- b.Runner.Run(labtest.Context(t), p, c, func(g actions.Progress) { phases <- g })
	}()
	for g := range phases { // it has to say that it waits for the running task
		if strings.Contains(g.Says, "1 task running") {
			break
		}
	}
	b.Release()
	b.good(<-done, "is gone, and holds nothing")
	w.Wait()
	if n := b.Redis.LLen(labtest.Context(t), "celery").Val(); n != 3 || b.State(ids[0]) != "SUCCESS" {
		t.Errorf("%d back in the queue, the first is %s", n, b.State(ids[0]))
	}
}

// What a frozen worker is sent it would do when it wakes up.
func TestAFrozenWorkerGetsNothing(t *testing.T) {
	script := filepath.Join(t.TempDir(), "supervisor")
	b := newYard(t, func(d *catalogue.Deps) { d.Restart = []string{script} })
	w := b.Worker(labtest.CeleryOptions{})
	before := b.Ask("w1@test")
	alive := b.Plan("pool-grow", target("w1@test"), "")
	end := b.Plan("shutdown", target("w1@test"), "")
	w.Signal(syscall.SIGSTOP)
	if got := b.Run(b.Plan("ping", target("w1@test"), "")); got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "did not answer twice") {
		t.Errorf("%+v", got.Verdict)
	}
	for _, p := range []actions.Plan{alive, end} {
		if got := b.Run(p); got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, "does not answer") {
			t.Errorf("%s: %+v", p.Action, got.Verdict)
		}
	}
	for _, a := range []string{"shutdown", "pool-grow", "pool-shrink", "consume", "stop-consuming", "rate-limit", "events-on", "events-off"} {
		b.Refused(a, target("w1@test"), "", "")
	}
	if p := b.Plan("restart", target("w1@test"), ""); !strings.Contains(strings.Join(p.Says, " "), "does not answer") {
		t.Errorf("%q", p.Says)
	}
	w.Signal(syscall.SIGCONT)
	labtest.Eventually(t, func() bool { _, err := b.Broker.Worker(labtest.Context(t), "w1@test"); return err == nil })
	if d := cmp.Diff(before.Processes, b.Ask("w1@test").Processes); d != "" {
		t.Errorf("it did something when it woke up: %s", d)
	}
	b.Refused("ping", actions.Target{Kind: actions.OnQueue, ID: "celery"}, "", "works on a worker")
	b.Refused("shutdown", target("w9@test"), "", "w9@test does not answer")
}

func TestGoneWorkerIsSaidToBeGone(t *testing.T) {
	b := newYard(t)
	if got := b.Run(b.Plan("ping", target("w1@test"), "")); got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "No worker listens at all") {
		t.Errorf("%+v", got.Verdict)
	}
	b.Refused("restart", target("w1@test"), "", "No restart command is configured")
}

// TestRestart freezes the worker and lets a small supervisor replace it.
func TestRestartThroughASupervisor(t *testing.T) {
	dir := t.TempDir()
	script, asked := filepath.Join(dir, "supervisor"), filepath.Join(dir, "asked")
	write(t, script, "#!/bin/sh\nenv > "+dir+"/env\necho \"restarting $2\"\nprintf 'done \\033[31mred\\n'\ntouch "+asked+"\n")
	t.Setenv("DATABASE_URL", "postgresql://u:hunter2@x/y")
	b := newYard(t, func(d *catalogue.Deps) { d.Restart = []string{script, "restart", "a worker"} })
	w := b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 2)
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "STARTED" && b.Ask("w1@test").Reserved == 1 })

	p := b.Plan("restart", target("w1@test"), "")
	warns := strings.Join(p.Warnings, " ")
	if p.Risk != actions.High || p.Word != "w1@test" || !strings.Contains(warns, "1 task that run are lost") || !strings.Contains(warns, "visibility timeout (1h00m)") {
		t.Errorf("%q", p.Warnings)
	}
	done := make(chan actions.Result)
	go func() {
		done <- b.Runner.Run(labtest.Context(t), p, actions.Confirmation{Word: p.Word, Reason: "frozen"}, func(actions.Progress) {})
	}()
	// The test is what the script stands for: it kills and starts a worker.
	labtest.Eventually(t, func() bool { _, err := os.Stat(asked); return err == nil })
	w.Kill()
	b.Release()
	b.Worker(labtest.CeleryOptions{})
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
			b := newYard(t, func(d *catalogue.Deps) {
				d.Restart, d.RestartFor, d.Timings.Workers.Drain = []string{script}, c.limit, 300*time.Millisecond
			})
			b.Worker(labtest.CeleryOptions{})
			labtest.Eventually(t, func() bool { return b.Ask("w1@test").Uptime >= 1*time.Second })
			got := b.Run(b.Plan("restart", target("w1@test"), ""))
			all := fmt.Sprint(got.Verdict)
			if got.Verdict.Kind != c.kind || !strings.Contains(all, c.says) {
				t.Errorf("%+v", got.Verdict)
			}
		})
	}
}

func TestAnotherProcessIsNotTouched(t *testing.T) {
	b := newYard(t)
	w := b.Worker(labtest.CeleryOptions{})
	p := b.Plan("pool-grow", target("w1@test"), "")
	w.Kill()
	b.Worker(labtest.CeleryOptions{})
	if got := b.Run(p); got.Verdict.Kind != actions.Changed || !strings.Contains(fmt.Sprint(got.Verdict.Evidence), "pid") {
		t.Errorf("%+v", got.Verdict)
	}
	if n := len(b.Ask("w1@test").Processes); n != 1 {
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
