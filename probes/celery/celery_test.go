package celery_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab/labtest"
)

// eventually polls a condition of another process.
func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("waited a minute in vain")
		}
	}
}

func TestRealWorker(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	realWorker(t, s, c)
	taken, known, err := b.Taken(ctx)
	if !known || err != nil || !cmp.Equal(taken, map[string]bool{"celery": true}) {
		t.Errorf("taken %v, known %v, %v", taken, known, err)
	}

	running, failing := task("celery", 3, copyA, 7), task("celery", 9, copyA, 0)
	running.Kwargs = map[string]any{"lock_token": "it's \"quoted\" é 💥"}
	publish(t, b, running, failing)
	eventually(t, func() bool { return state(t, b, running.ID) == "STARTED" })
	eventually(t, func() bool { return c.HLen(ctx, "unacked").Val() == 1 })
	live, err := b.Live(ctx, copyA)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range live {
		got[r.ID] = r.State
		if r.Worker != "w1@test" || r.Queue != "celery" || r.CopyID != copyA || r.State == "running" && time.Since(r.Started).Abs() > time.Minute {
			t.Errorf("%+v", r)
		}
	}
	if d := cmp.Diff(map[string]string{running.ID: "running", failing.ID: "reserved"}, got); d != "" {
		t.Error(d)
	}
	o := sample(t, celery.NewProbe(b))
	if len(o.Workers) != 1 || o.Receivers != 1 || o.Unacked != 1 || o.Workers[0].Pool != 1 || o.Workers[0].PID == 0 ||
		!slices.Equal(o.Workers[0].Queues, []string{"celery"}) || len(o.Workers[0].Running) != 1 {
		t.Errorf("%+v", o)
	}

	c.Set(ctx, "go", 1, 0)
	eventually(t, func() bool { return state(t, b, running.ID) == "SUCCESS" })
	eventually(t, func() bool { return state(t, b, failing.ID) == "FAILURE" })
	r, _, _ := b.Result(ctx, running.ID)
	if r.Payload["status"] != "error" || r.Payload["copy_id"] != copyA || r.Done.IsZero() {
		t.Errorf("%+v", r)
	}
	if r, _, _ := b.Result(ctx, failing.ID); r.Error != "RuntimeError: no user" || r.Traceback == "" {
		t.Errorf("%+v", r)
	}
	// A worker writes a result before it takes the task off its list.
	eventually(t, func() bool {
		live, err := b.Live(ctx, copyA)
		return len(live) == 0 && err == nil
	})
}

func state(t testing.TB, b *celery.Broker, id string) string {
	t.Helper()
	r, _, err := b.Result(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

// A real worker blocked in BRPOP must wake up when a queue is restored, also
// where that is a rename.
func TestRealWorkerTakesARestoredQueue(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	first, second := task("celery", 0, copyA, 1), task("celery", 0, copyA, 2)
	publish(t, b, first, second)
	if n, err := b.Quarantine(ctx, "celery", "id", contents(t, b, "celery").Lists); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	c.Set(ctx, "go", 1, 0)
	realWorker(t, s, c)
	if n, err := b.Restore(ctx, "id", "celery"); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	eventually(t, func() bool { return state(t, b, second.ID) == "SUCCESS" })
	if a, z := finished(t, b, first.ID), finished(t, b, second.ID); a.After(z) {
		t.Error("the tasks ran in another order")
	}
}

func finished(t testing.TB, b *celery.Broker, id string) time.Time {
	t.Helper()
	r, found, err := b.Result(t.Context(), id)
	if !found || err != nil {
		t.Fatal(found, err)
	}
	return r.Done
}

func TestProbeRecoversWithRedis(t *testing.T) {
	s := labtest.Redis(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	p, ctx := celery.NewProbe(b), labtest.Context(t)
	sample(t, p)
	if err := s.Down(); err != nil {
		t.Fatal(err)
	}
	for range 4 { // more often than there are connections
		if _, err := p.Sample(ctx); err == nil {
			t.Error("a stopped server gave a sample")
		}
	}
	if err := s.Up(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 3 { // each connection may find out by itself that it is dead
		if _, err = p.Sample(ctx); err == nil {
			break
		}
	}
	if err != nil {
		t.Error(errors.Unwrap(err))
	}
	sample(t, p)
}

// BenchmarkControlRound asks one real worker what it runs: what an inspect
// command needs 1.5 s for.
func BenchmarkControlRound(b *testing.B) {
	python(b)
	s := labtest.Redis(b)
	c, ctx := client(b, s), labtest.Context(b)
	broker := open(b, celery.Config{BrokerURL: s.URL()})
	realWorker(b, s, c)
	for b.Loop() {
		if _, known, err := broker.Taken(ctx); !known || err != nil {
			b.Fatal(known, err)
		}
	}
}

// BenchmarkSampleOfAMillion shows that a sample costs the same however long
// the queue is.
func BenchmarkSampleOfAMillion(b *testing.B) {
	s := labtest.Redis(b)
	c, ctx := client(b, s), labtest.Context(b)
	broker := open(b, celery.Config{BrokerURL: s.URL()})
	raw, err := celery.EncodeTask(task("celery", 0, copyA, 7))
	if err != nil {
		b.Fatal(err)
	}
	fill(b, c, raw, 1_000_000)
	p := celery.NewProbe(broker)
	for b.Loop() {
		c.LPush(ctx, "celery", raw)
		if _, err := p.Sample(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearchTenThousand looks for a copy that no message is about.
func BenchmarkSearchTenThousand(b *testing.B) {
	s := labtest.Redis(b)
	c, ctx := client(b, s), labtest.Context(b)
	broker := open(b, celery.Config{BrokerURL: s.URL()})
	raw, err := celery.EncodeTask(task("celery", 0, copyA, 7))
	if err != nil {
		b.Fatal(err)
	}
	fill(b, c, raw, 10_000)
	for b.Loop() {
		if live, err := broker.Live(ctx, uuid.NewString()); len(live) != 0 || err != nil {
			b.Fatal(live, err)
		}
	}
}

func fill(t testing.TB, c *redis.Client, raw []byte, n int) {
	t.Helper()
	page := make([]any, 10_000)
	for i := range page {
		page[i] = raw
	}
	for range n / len(page) {
		if err := c.LPush(t.Context(), "celery", page...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
