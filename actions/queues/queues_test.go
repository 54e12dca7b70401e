package queues_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/queues"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// bench is a Runner over a Redis of its own.
type bench struct {
	t      *testing.T
	rdb    *redis.Client
	broker *celery.Broker
	runner *actions.Runner
	cfg    actions.Config
	dir    string
}

func newBench(t *testing.T, readOnly string) *bench {
	t.Helper()
	server := labtest.Redis(t)
	broker, err := celery.Open(celery.Config{BrokerURL: server.URL(), ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, rdb: redis.NewClient(server.Options()), broker: broker, dir: filepath.Join(t.TempDir(), "saved")}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
		if err := b.rdb.Close(); err != nil {
			t.Error(err)
		}
	})
	b.cfg = actions.Config{Actions: queues.All(queues.Deps{Broker: broker, SaveDir: b.dir}), Env: "test",
		Journal: journal.Lazy(filepath.Join(t.TempDir(), "j", "journal")), Actor: actions.Actor{Name: "mdupont"}}
	b.runner = actions.NewRunner(b.cfg)
	return b
}

func (b *bench) push(queue string, priority, n int) {
	b.t.Helper()
	for range n {
		if err := b.broker.Publish(labtest.Context(b.t), task(queue, priority)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func task(queue string, priority int) celery.Task {
	return celery.Task{ID: uuid.NewString(), Name: "grading.tasks.async_finalize_copy", Queue: queue, Priority: priority,
		Kwargs: map[string]any{"copy_id": uuid.NewString(), "user_id": 3, "lock_token": nil}}
}

// lists are all messages of a queue by key, as Redis has them.
func (b *bench) lists(queue string) map[string][]string {
	b.t.Helper()
	out := map[string][]string{}
	for _, key := range b.broker.Lists(queue) {
		raws, err := b.rdb.LRange(labtest.Context(b.t), key, 0, -1).Result()
		if err != nil {
			b.t.Fatal(err)
		}
		if len(raws) > 0 {
			out[key] = raws
		}
	}
	return out
}

func (b *bench) set() probes.Set {
	b.t.Helper()
	p := celery.NewProbe(b.broker)
	payload, err := p.Sample(labtest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return probes.NewSet(probes.Snapshot{ID: celery.ID, Seq: 1, Payload: payload})
}

func (b *bench) plan(action string, t actions.Target, choice string) actions.Plan {
	b.t.Helper()
	p, err := b.runner.Plan(labtest.Context(b.t), b.set(), action, t, choice)
	if err != nil {
		b.t.Fatalf("plan %s: %v", action, err)
	}
	return p
}

func (b *bench) run(p actions.Plan) actions.Result {
	b.t.Helper()
	c := actions.Confirmation{Yes: true, Word: p.Word, Reason: "stale retries"}
	return b.runner.Run(labtest.Context(b.t), p, c, func(actions.Progress) {})
}

func queue(name string) actions.Target {
	return actions.Target{Kind: actions.OnQueue, ID: name, Label: name}
}

func TestPurgeAndRestoreGiveBackTheSameBytesInTheSameOrder(t *testing.T) {
	b := newBench(t, "")
	b.push("celery", 0, 7)
	b.push("celery", 3, 2)
	b.push("celery", 9, 3)
	before := b.lists("celery")

	p := b.plan("purge", queue("celery"), "")
	if p.Risk != actions.High || p.Word != "celery" || !strings.Contains(p.Says[0], "12 messages in celery: async_finalize_copy 12") {
		t.Errorf("%v %q %q", p.Risk, p.Word, p.Says)
	}
	got := b.run(p)
	if got.Verdict.Kind != actions.Fixed || len(b.lists("celery")) != 0 {
		t.Fatalf("%+v", got.Verdict)
	}
	info, err := os.Stat(got.Effect.Values["file"])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	files, _ := os.ReadDir(b.dir)
	if len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}

	action, target, _, ok := b.runner.Undoable()
	if !ok || action != "restore" {
		t.Fatalf("%s %v", action, ok)
	}
	back := b.plan(action, target, "")
	if back.Risk != actions.Low {
		t.Errorf("%v", back.Risk)
	}
	if got := b.run(back); got.Verdict.Kind != actions.Fixed || got.Effect.Values["restored"] != "12" {
		t.Fatalf("%+v", got.Verdict)
	}
	if diff := cmp.Diff(before, b.lists("celery")); diff != "" {
		t.Error(diff)
	}
	if _, _, _, again := b.runner.Undoable(); again {
		t.Error("what was restored can be restored again")
	}
	if _, err := b.runner.Plan(labtest.Context(t), b.set(), action, target, ""); err == nil || !strings.Contains(err.Error(), "no quarantine") {
		t.Error(err)
	}
}

func TestTheFileHoldsWhatWasMoved(t *testing.T) {
	b := newBench(t, "")
	b.push("celery", 0, 5)
	before := b.lists("celery")
	p := b.plan("purge", queue("celery"), queues.Everything)
	b.push("celery", 0, 2)
	late := b.lists("celery")
	got := b.run(p)
	if got.Verdict.Kind != actions.Fixed || got.Effect.Values["moved"] != "7" {
		t.Fatalf("%+v %v", got.Verdict, got.Effect.Values)
	}
	if len(before["celery"]) != 5 || len(late["celery"]) != 7 {
		t.Fatal("the test did not push")
	}
	f, err := os.Open(got.Effect.Values["file"])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name, n, err := b.broker.LoadRaw(labtest.Context(t), f, "from-file")
	if err != nil || name != "celery" || n != 7 {
		t.Fatalf("%s %d %v", name, n, err)
	}
	if _, err := b.broker.Restore(labtest.Context(t), "from-file", "celery"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(late, b.lists("celery")); diff != "" {
		t.Error(diff)
	}
}

func TestAQueueThatMovedIsLeftAlone(t *testing.T) {
	tests := map[string]struct {
		change func(context.Context, *bench) error
		want   string
	}{
		"a message came": {func(ctx context.Context, b *bench) error { return b.broker.Publish(ctx, task("celery", 0)) }, "was 3 messages, is 4 messages"},
		"a message went": {func(ctx context.Context, b *bench) error { return b.rdb.RPop(ctx, "celery").Err() }, "was 3 messages, is 2 messages"},
		"one came, one went": {func(ctx context.Context, b *bench) error {
			if err := b.rdb.RPop(ctx, "celery").Err(); err != nil {
				return err
			}
			return b.broker.Publish(ctx, task("celery", 0))
		}, "celery next: was as shown, is another message"},
		"all went": {func(ctx context.Context, b *bench) error { return b.rdb.Del(ctx, "celery").Err() }, "is 0 messages"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "")
			b.push("celery", 0, 3)
			p := b.plan("purge", queue("celery"), "")
			if err := tt.change(labtest.Context(t), b); err != nil {
				t.Fatal(err)
			}
			now := b.lists("celery")
			got := b.run(p)
			if got.Verdict.Kind != actions.Changed || !strings.Contains(strings.Join(got.Verdict.Evidence, "\n"), tt.want) {
				t.Errorf("%+v", got.Verdict)
			}
			if diff := cmp.Diff(now, b.lists("celery")); diff != "" {
				t.Error(diff)
			}
			if files, _ := os.ReadDir(b.dir); len(files) != 0 {
				t.Errorf("%d files of a purge that was none", len(files))
			}
			if _, _, _, ok := b.runner.Undoable(); ok {
				t.Error("nothing happened, and it can be undone")
			}
		})
	}
}

func TestNothingIsLostWhileProducersPush(t *testing.T) {
	b := newBench(t, "")
	const producers, each = 4, 100
	var mu sync.Mutex
	sent := map[string]bool{}
	push := func(ctx context.Context) error {
		m := task("celery", 0)
		mu.Lock()
		sent[m.ID] = true
		mu.Unlock()
		return b.broker.Publish(ctx, m)
	}
	if err := push(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range each {
				if err := push(labtest.Context(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		p, err := b.runner.Plan(labtest.Context(t), b.set(), "purge", queue("celery"), queues.Everything)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.run(p); got.Verdict.Kind != actions.Fixed {
			t.Fatalf("%d: %+v", i, got.Verdict)
		}
		action, target, _, _ := b.runner.Undoable()
		if got := b.run(b.plan(action, target, "")); got.Verdict.Kind != actions.Fixed {
			t.Fatalf("%d: %+v", i, got.Verdict)
		}
	}
	wg.Wait()
	for _, raws := range b.lists("celery") {
		for _, raw := range raws {
			m := celery.DecodeTask([]byte(raw))
			if !sent[m.ID] {
				t.Fatalf("%s is there twice, or was never sent", m.ID)
			}
			delete(sent, m.ID)
		}
	}
	if len(sent) != 0 {
		t.Errorf("%d of %d messages are lost", len(sent), producers*each+1)
	}
}

func TestPurgeSaysWhatItDoesNotReach(t *testing.T) {
	b := newBench(t, "")
	b.push("celery", 0, 1)
	raw, err := celery.EncodeTask(task("celery", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.rdb.HSet(labtest.Context(t), "unacked", "tag", fmt.Sprintf(`[%s,"","celery"]`, raw)).Err(); err != nil {
		t.Fatal(err)
	}
	p := b.plan("purge", queue("celery"), "")
	if !strings.Contains(strings.Join(p.Warnings, " "), "Not reached: 1 message that workers hold already") {
		t.Errorf("%q", p.Warnings)
	}
}

func TestPurgeRefusals(t *testing.T) {
	b := newBench(t, "")
	for choice, want := range map[string]string{"": "Nothing waits in celery", "other": "no choice other"} {
		if _, err := b.runner.Plan(labtest.Context(t), probes.NewSet(probes.Snapshot{ID: celery.ID, Payload: celery.Overview{}}), "purge", queue("celery"), choice); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", choice, err)
		}
	}
	if why := b.runner.Disabled(b.set(), "purge", queue("celery")); !strings.Contains(why, "Nothing waits") {
		t.Error(why)
	}
	none := actions.NewRunner(actions.Config{Actions: queues.All(queues.Deps{})})
	if why := none.Disabled(probes.Set{}, "purge", queue("celery")); why != "No broker is configured: set CELERY_BROKER_URL." {
		t.Error(why)
	}
}

func TestAFolderThatCannotBeWrittenStopsThePurge(t *testing.T) {
	b := newBench(t, "")
	b.push("celery", 0, 2)
	if err := os.WriteFile(b.dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	before := b.lists("celery")
	got := b.run(b.plan("purge", queue("celery"), ""))
	if got.Verdict.Kind != actions.Failed || !strings.Contains(got.Verdict.Says, "nothing was moved") {
		t.Errorf("%+v", got.Verdict)
	}
	if diff := cmp.Diff(before, b.lists("celery")); diff != "" {
		t.Error(diff)
	}
}

func TestTheBrokerItselfRefusesToWrite(t *testing.T) {
	b := newBench(t, "the environment is read-only")
	if err := b.rdb.LPush(labtest.Context(t), "celery", "x").Err(); err != nil {
		t.Fatal(err)
	}
	got := b.run(b.plan("purge", queue("celery"), ""))
	if got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, "the environment is read-only") || len(b.lists("celery")) != 1 {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestAKilledPurgeIsSettledByItsQuarantine(t *testing.T) {
	for _, executed := range []bool{true, false} {
		b := newBench(t, "")
		b.push("celery", 0, 2)
		p := b.plan("purge", queue("celery"), "")
		if executed {
			if _, err := b.broker.Quarantine(labtest.Context(t), "celery", p.ID, celery.Lists{Whatever: true}); err != nil {
				t.Fatal(err)
			}
		}
		rec := actions.Record{Kind: actions.Intent, ActionID: p.ID, Action: "purge", Target: p.Target, Env: "test", Session: "elsewhere/x"}
		if err := b.cfg.Journal.Append(rec); err != nil {
			t.Fatal(err)
		}
		want := map[bool]actions.VerdictKind{true: actions.Fixed, false: actions.NotFixed}[executed]
		left, err := b.runner.Settle(labtest.Context(t))
		if err != nil || len(left) != 1 || left[0].Verdict.Kind != want {
			t.Errorf("executed %v: %v %+v", executed, err, left)
		}
	}
}

func TestHostileMessagesAreCleanInThePlan(t *testing.T) {
	b := newBench(t, "")
	for _, raw := range []string{"\x1b[2Jnot json", `{"body":"W10=","headers":{"task":"evil\u001b]52;c;x\u0007","id":"\u009b1"},"properties":{"body_encoding":"base64"}}`} {
		if err := b.rdb.LPush(labtest.Context(t), "celery", raw).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p := b.plan("purge", queue("celery"), "")
	got := b.run(p)
	all := strings.Join(append(append(append(p.Says, p.Warnings...), got.Verdict.Says), got.Effect.Did...), "\n")
	if strings.ContainsAny(all, "\x1b\x07\u009b") || got.Verdict.Kind != actions.Fixed {
		t.Errorf("%q %+v", all, got.Verdict)
	}
}
