package celery_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// saying gives what one worker said, or the error that kept it from saying it.
func saying(said celery.Said, err error) string {
	switch {
	case err != nil:
		return "failed: " + err.Error()
	case said.Err != "":
		return said.Worker + " refuses: " + said.Err
	}
	return said.Worker + ": " + said.OK
}

// patient is a wait for real workers on a machine that runs many tests.
const patient = 10 * time.Second

func TestCommandsToARealWorker(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL(), ReplyWait: patient})
	startWorker(t, s, c, workerOptions{args: []string{"-c", "2", "--time-limit", "300", "--soft-time-limit", "270"}})
	worker := func() celery.Worker {
		w, err := b.Worker(ctx, "w1@test")
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	expect := func(want string) func(celery.Said, error) {
		return func(said celery.Said, err error) {
			t.Helper()
			if got := saying(said, err); got != "w1@test"+want {
				t.Errorf("it said %q, want w1@test%s", got, want)
			}
		}
	}

	pong, err := b.PingWorkers(ctx)
	if d := cmp.Diff(celery.Pong{Receivers: 1, Answered: []string{"w1@test"}}, pong); d != "" || err != nil {
		t.Error(d, err)
	}
	conf, err := b.Conf(ctx, "w1@test")
	want := celery.WorkerConf{
		Worker: "w1@test", TimeLimit: 300 * time.Second, SoftTimeLimit: 270 * time.Second, Prefetch: 4,
		VisibilityTimeout: time.Hour, ResultExpires: 24 * time.Hour, TrackStarted: true, DefaultQueue: "celery",
	}
	if d := cmp.Diff(want, conf); d != "" || err != nil {
		t.Error(d, err)
	}

	expect(": pool will grow")(b.PoolGrow(ctx, "w1@test", 2))
	eventually(t, func() bool { return len(worker().Processes) == 4 })
	expect(": pool will shrink")(b.PoolShrink(ctx, "w1@test", 3))
	eventually(t, func() bool { return len(worker().Processes) == 1 })

	expect(": add consumer finalize")(b.AddConsumer(ctx, "w1@test", "finalize"))
	eventually(t, func() bool { return slices.Contains(worker().Queues, "finalize") })
	moved := task("finalize", 0, copyA, 7)
	c.Set(ctx, "behave:"+copyA, "succeed", 0)
	publish(t, b, moved)
	eventually(t, func() bool { return state(t, b, moved.ID) == "SUCCESS" })
	expect(": add consumer finalize")(b.AddConsumer(ctx, "w1@test", "finalize"))
	expect(": no longer consuming from finalize")(b.CancelConsumer(ctx, "w1@test", "finalize"))
	eventually(t, func() bool { return slices.Equal(worker().Queues, []string{"celery"}) })

	expect(": new rate limit set successfully")(b.RateLimit(ctx, "w1@test", finale, "1/h"))
	expect(": rate limit disabled successfully")(b.RateLimit(ctx, "w1@test", finale, "0"))
	expect(" refuses: unknown task")(b.RateLimit(ctx, "w1@test", "no.such.task", "1/h"))
	expect(": task events enabled")(b.EnableEvents(ctx, "w1@test"))
	expect(": task events already enabled")(b.EnableEvents(ctx, "w1@test"))
	expect(": task events disabled")(b.DisableEvents(ctx, "w1@test"))
	expect(": task events already disabled")(b.DisableEvents(ctx, "w1@test"))

	if err := b.Shutdown(ctx, "w1@test"); err != nil {
		t.Error(err)
	}
	eventually(t, func() bool { return listening(t, c) == 0 })
	var silent *celery.ErrSilent
	if err := b.Shutdown(ctx, "w1@test"); !errors.As(err, &silent) || silent.Worker != "w1@test" {
		t.Errorf("a worker that is gone: %v", err)
	}
}

func listening(t testing.TB, c *redis.Client) int64 {
	return c.Publish(t.Context(), celery.Names{}.ControlChannel(), "").Val()
}

func TestRevokeOnARealWorker(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL(), ReplyWait: patient})
	startWorker(t, s, c, workerOptions{})
	running, reserved := task("celery", 0, copyA, 7), task("celery", 0, copyA, 8)
	publish(t, b, running, reserved)
	eventually(t, func() bool { return state(t, b, running.ID) == "STARTED" && c.HLen(ctx, "unacked").Val() == 1 })

	held, err := b.QueryTask(ctx, []string{running.ID, reserved.ID, "unheard-of"})
	got := map[string]string{}
	for _, r := range held {
		got[r.ID] = r.State + " " + r.CopyID + " " + r.Worker
	}
	want := map[string]string{running.ID: "running " + copyA + " w1@test", reserved.ID: "reserved " + copyA + " w1@test"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}

	said, err := b.Revoke(ctx, []string{reserved.ID}, false, "")
	if len(said) != 1 || saying(said[0], err) != "w1@test: tasks "+reserved.ID+" flagged as revoked" {
		t.Errorf("%v %v", said, err)
	}
	said, err = b.Revoke(ctx, []string{running.ID}, true, "", "w1@test")
	if len(said) != 1 || saying(said[0], err) != "w1@test: terminate: "+running.ID {
		t.Errorf("%v %v", said, err)
	}
	for _, id := range []string{running.ID, reserved.ID} {
		eventually(t, func() bool { return state(t, b, id) == "REVOKED" })
	}
	said, err = b.Revoke(ctx, []string{"unheard-of"}, true, "KILL")
	if len(said) != 1 || saying(said[0], err) != "w1@test: terminate: tasks unknown" {
		t.Errorf("%v %v", said, err)
	}
	if n := c.LLen(ctx, "ran:"+copyA).Val(); n != 1 {
		t.Errorf("%d tasks ran", n)
	}
}

// A command for a frozen worker would be run when it wakes up. None is sent,
// and none that is sent to another is run by it.
func TestFrozenWorkerGetsNoCommand(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	frozen := startWorker(t, s, c, workerOptions{name: "frozen@test"})
	startWorker(t, s, c, workerOptions{name: "awake@test"})
	frozen.signal(syscall.SIGSTOP)

	pong, err := b.PingWorkers(ctx)
	if d := cmp.Diff(celery.Pong{Receivers: 2, Answered: []string{"awake@test"}}, pong); d != "" || err != nil {
		t.Error(d, err)
	}
	refused := func(what string, err error) {
		t.Helper()
		var silent *celery.ErrSilent
		if !errors.As(err, &silent) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, grown := b.PoolGrow(ctx, "frozen@test", 1)
	refused("pool_grow", grown)
	refused("shutdown", b.Shutdown(ctx, "frozen@test"))
	_, revoked := b.Revoke(ctx, []string{"x"}, false, "")
	refused("revoke everywhere", revoked)
	_, both := b.Revoke(ctx, []string{"x"}, false, "", "awake@test", "frozen@test")
	refused("revoke on both", both)
	_, conf := b.Conf(ctx, "frozen@test")
	refused("conf", conf)
	if got := saying(b.PoolGrow(ctx, "awake@test", 1)); got != "awake@test: pool will grow" {
		t.Error(got)
	}

	frozen.signal(syscall.SIGCONT)
	eventually(t, func() bool {
		pong, err := b.PingWorkers(ctx, "frozen@test", "awake@test")
		return err == nil && len(pong.Answered) == 2
	})
	if w, err := b.Worker(ctx, "frozen@test"); len(w.Processes) != 1 || err != nil {
		t.Errorf("it ran a command that was not for it: %+v, %v", w, err)
	}
}

func TestCommandsAreCheckedFirst(t *testing.T) {
	s := labtest.MiniRedis(t)
	c, ctx := client(t, s), labtest.Context(t)
	fakeWorker(t, c, "w1@a", map[string]any{"ping": map[string]string{"ok": "pong"}, "pool_grow": map[string]string{"error": "\x1b[31mAutoscale\nis on"}})
	b := open(t, celery.Config{BrokerURL: s.URL()})
	for name, bad := range map[string]func() error{
		"no id":         func() error { _, err := b.Revoke(ctx, nil, false, ""); return err },
		"hostile id":    func() error { _, err := b.Revoke(ctx, []string{"a\x00b"}, false, ""); return err },
		"odd signal":    func() error { _, err := b.Revoke(ctx, []string{"a"}, true, "kill -9"); return err },
		"grow by none":  func() error { _, err := b.PoolGrow(ctx, "w1@a", 0); return err },
		"grow by many":  func() error { _, err := b.PoolGrow(ctx, "w1@a", 1e6); return err },
		"no worker":     func() error { _, err := b.PoolGrow(ctx, "", 1); return err },
		"odd rate":      func() error { _, err := b.RateLimit(ctx, "w1@a", finale, "10/x"); return err },
		"odd task":      func() error { _, err := b.RateLimit(ctx, "w1@a", "a b", "10/m"); return err },
		"hostile queue": func() error { _, err := b.AddConsumer(ctx, "w1@a", "q\x06\x163"); return err },
		"no query":      func() error { _, err := b.QueryTask(ctx, nil); return err },
	} {
		var silent *celery.ErrSilent
		if err := bad(); err == nil || errors.As(err, &silent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := saying(b.PoolGrow(ctx, "w1@a", 1)); got != `w1@a refuses: \x1b[31mAutoscale\nis on` {
		t.Errorf("%q", got)
	}
	var unanswered *celery.ErrUnanswered
	if _, err := b.PoolShrink(ctx, "w1@a", 1); !errors.As(err, &unanswered) || unanswered.Method != "pool_shrink" {
		t.Errorf("a command without an answer: %v", err)
	}
}

func TestReadOnlyAllowsOnlyQuestions(t *testing.T) {
	s := labtest.MiniRedis(t)
	c, ctx := client(t, s), labtest.Context(t)
	fakeWorker(t, c, "w1@a", map[string]any{"ping": map[string]string{"ok": "pong"}, "query_task": map[string]any{}, "conf": map[string]any{}})
	b := open(t, celery.Config{BrokerURL: s.URL(), ReadOnly: "--read-only"})
	one := func(_ celery.Said, err error) error { return err }
	many := func(_ []celery.Said, err error) error { return err }
	_, orphans := b.RestoreOrphans(ctx, []celery.Orphan{{}})
	for name, err := range map[string]error{
		"revoke": many(b.Revoke(ctx, []string{"x"}, false, "")), "grow": one(b.PoolGrow(ctx, "w1@a", 1)),
		"shrink": one(b.PoolShrink(ctx, "w1@a", 1)), "add": one(b.AddConsumer(ctx, "w1@a", "q")),
		"cancel": one(b.CancelConsumer(ctx, "w1@a", "q")), "rate": one(b.RateLimit(ctx, "w1@a", finale, "1/m")),
		"enable": one(b.EnableEvents(ctx, "w1@a")), "disable": one(b.DisableEvents(ctx, "w1@a")),
		"shutdown": b.Shutdown(ctx, "w1@a"), "orphans": orphans,
		"poison": b.RemovePoison(ctx, celery.Message{Queue: "celery", Bad: "x"}, "id"),
	} {
		var refused *celery.ErrReadOnly
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if pong, err := b.PingWorkers(ctx, "w1@a"); len(pong.Answered) != 1 || err != nil {
		t.Error(pong, err)
	}
	if _, err := b.QueryTask(ctx, []string{"x"}); err != nil {
		t.Error(err)
	}
}

// A task of the cockpit runs with the right arguments in both dialects.
func TestPublishedTasksRunInBothDialects(t *testing.T) {
	python(t)
	const importing = "grading.tasks.async_import_pdf"
	for dialect, imported := range map[string]struct {
		args []any
		want string
	}{
		"deployed": {[]any{copyA, "/data/é.pdf", 7, "A-1"}, `{"anonymous_id": "A-1", "pdf_path": "/data/\u00e9.pdf", "request_id": null, "user_id": 7}`},
		"playbook": {[]any{copyA, 7}, `{"user_id": 7}`},
	} {
		t.Run(dialect, func(t *testing.T) {
			s := labtest.Redis(t)
			c, ctx := client(t, s), labtest.Context(t)
			b := open(t, celery.Config{BrokerURL: s.URL(), ReplyWait: patient})
			startWorker(t, s, c, workerOptions{dialect: dialect})
			behaves := func(how, wantState string, wantRuns int64, task celery.Task) {
				t.Helper()
				c.Del(ctx, "ran:"+copyA)
				c.Set(ctx, "behave:"+copyA, how, 0)
				publish(t, b, task)
				eventually(t, func() bool { return state(t, b, task.ID) == wantState })
				// STARTED is told before the task's first line runs.
				eventually(t, func() bool { return c.LLen(ctx, "ran:"+copyA).Val() >= wantRuns })
				if n := c.LLen(ctx, "ran:"+copyA).Val(); n != wantRuns {
					t.Errorf("%s ran %d times, want %d", how, n, wantRuns)
				}
			}
			finalize := func() celery.Task {
				f := task("celery", 0, copyA, 7)
				f.Kwargs = map[string]any{"lock_token": "it's \"quoted\" é 💥"}
				return f
			}
			wantFinal := `{"lock_token": "it's \"quoted\" \u00e9 \ud83d\udca5", "user_id": 7}`
			behaves("succeed", "SUCCESS", 1, finalize())
			if got := c.LIndex(ctx, "ran:"+copyA, 0).Val(); got != wantFinal {
				t.Errorf("finalize got %s", got)
			}
			swallowed := finalize()
			behaves("swallow", "SUCCESS", 1, swallowed)
			if r, _, _ := b.Result(ctx, swallowed.ID); r.Payload["status"] != "error" || r.Payload["copy_id"] != copyA {
				t.Errorf("%+v", r)
			}
			raised := finalize()
			behaves("raise", "FAILURE", 1, raised)
			if r, _, _ := b.Result(ctx, raised.ID); !strings.HasPrefix(r.Error, "RuntimeError: PDF flatten failed") || r.Traceback == "" {
				t.Errorf("%+v", r)
			}
			again := finalize()
			behaves("retry", "RETRY", 1, again)
			eventually(t, func() bool { return state(t, b, again.ID) == "SUCCESS" }) // after its countdown
			slow := finalize()
			behaves("slow", "STARTED", 1, slow)
			c.Set(ctx, "go", 1, 0)
			eventually(t, func() bool { return state(t, b, slow.ID) == "SUCCESS" })
			other := task("celery", 3, imported.args...)
			other.Name = importing
			behaves("succeed", "SUCCESS", 1, other)
			if got := c.LIndex(ctx, "ran:"+copyA, 0).Val(); got != imported.want {
				t.Errorf("import got %s, want %s", got, imported.want)
			}
		})
	}
}

// BenchmarkPingWorkers pings one real worker and prints how much longer celery
// inspect needs for it, measured beside it.
func BenchmarkPingWorkers(b *testing.B) {
	python(b)
	s := labtest.Redis(b, lab.RedisOptions{TCP: true})
	c, ctx := client(b, s), labtest.Context(b)
	broker := open(b, celery.Config{BrokerURL: s.URL()})
	startWorker(b, s, c, workerOptions{})
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if pong, err := broker.PingWorkers(ctx); len(pong.Answered) != 1 || err != nil {
			b.Fatal(pong, err)
		}
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	var inspect []time.Duration
	for range 3 {
		start := time.Now()
		if out, err := workerCommand(b, s, workerOptions{}, "inspect", "ping").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		inspect = append(inspect, time.Since(start))
	}
	ours, theirs := median(took), median(inspect)
	b.ReportMetric(float64(ours.Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(theirs.Milliseconds()), "ms-inspect")
	b.ReportMetric(float64(theirs)/float64(ours), "times-faster")
	fmt.Printf("ping of all workers: %.2f ms median of %d; celery inspect ping: %d ms; ratio %.0f\n",
		float64(ours.Microseconds())/1000, len(took), theirs.Milliseconds(), float64(theirs)/float64(ours))
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
