package celery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func contents(t testing.TB, b *celery.Broker, queue string) celery.Contents {
	t.Helper()
	c, err := b.Contents(labtest.Context(t), queue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContents(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
		first := task("celery", 0, copyA)
		publish(t, b, first, task("celery", 0, copyA), task("celery", 9, "x"), task("import", 0))
		c.LPush(t.Context(), "celery", "junk")
		raw, err := celery.EncodeTask(task("celery", 0, copyA))
		if err != nil {
			t.Fatal(err)
		}
		unacked(t, c, "tag", raw)
		fakeWorker(t, c, "w1@a", healthy("celery"))
		got := contents(t, b, "celery")
		if got.Total != 4 || got.Counted != 4 || got.Bad != 1 || got.HeldErr != "" || got.Next[0].ID != first.ID {
			t.Errorf("%+v", got)
		}
		if d := cmp.Diff([]celery.TaskCount{{Task: "async_finalize_copy", Count: 3}, {Task: celery.Unreadable, Count: 1}}, got.ByTask); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]celery.CopyCount{{CopyID: copyA, Count: 2}}, got.ByCopy); d != "" {
			t.Error(d)
		}
		if len(got.Unacked) != 1 || got.Unacked[0].CopyID != copyA || len(got.Held) != 2 {
			t.Errorf("out of reach: %d unacked, %d held", len(got.Unacked), len(got.Held))
		}
	})
}

func TestQuarantineRefusesWhatMoved(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
		for name, tc := range map[string]struct {
			move func()
			want string
		}{
			"pushed":          {func() { publish(t, b, task("celery", 0)) }, "celery held 2, holds 3"},
			"popped":          {func() { c.RPop(ctx, "celery") }, "celery held 2, holds 1"},
			"one for another": {func() { c.RPop(ctx, "celery"); publish(t, b, task("celery", 0)) }, "celery has another message next to run"},
			"end replaced":    {func() { c.LPop(ctx, "celery"); publish(t, b, task("celery", 0)) }, "celery has another newest message"},
			"other priority":  {func() { publish(t, b, task("celery", 7)) }, "celery priority 6 held 0, holds 1"},
			"emptied":         {func() { c.Del(ctx, "celery") }, "celery held 2, holds 0"},
		} {
			c.FlushDB(ctx)
			publish(t, b, task("celery", 0), task("celery", 0))
			seen := contents(t, b, "celery").Lists
			tc.move()
			before := dump(t, c, "celery")
			n, err := b.Quarantine(ctx, "celery", "id", seen)
			var moved *celery.ErrMoved
			if !errors.As(err, &moved) || n != 0 || !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("%s: %d, %v", name, n, err)
			}
			if d := cmp.Diff(before, dump(t, c, "celery")); d != "" {
				t.Errorf("%s: the queue was touched: %s", name, d)
			}
		}
	})
}

func TestQuarantineAndRestore(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
		const id = "20260201T143012Z-0a1b"
		if _, err := b.Quarantine(ctx, "celery", id, contents(t, b, "celery").Lists); !errors.Is(err, celery.ErrQueueEmpty) {
			t.Errorf("an empty queue: %v", err)
		}
		publish(t, b, task("celery", 0), task("celery", 0), task("celery", 9))
		c.LPush(ctx, "celery", "", "\x00\xff")
		c.Expire(ctx, "celery", time.Hour)
		before := dump(t, c, "celery")
		if n, err := b.Quarantine(ctx, "celery", id, contents(t, b, "celery").Lists); n != 5 || err != nil {
			t.Fatalf("moved %d, %v", n, err)
		}
		if ttl := c.TTL(ctx, "cockpit:quarantine:"+id+":celery").Val(); ttl >= 0 {
			t.Errorf("the quarantine expires in %v", ttl)
		}
		want := []celery.Quarantine{{
			ID: id, Queue: "celery", Count: 5, At: time.Date(2026, 2, 1, 14, 30, 12, 0, time.UTC), Prefix: "cockpit:quarantine:" + id + ":",
		}}
		got, err := b.Quarantines(ctx)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Error(err, d)
		}
		if o := sample(t, celery.NewProbe(b)); o.Waiting != 0 || cmp.Diff(want, o.Quarantines) != "" {
			t.Errorf("waiting %d, %v", o.Waiting, o.Quarantines)
		}
		publish(t, b, task("celery", 0))
		if _, err := b.Quarantine(ctx, "celery", id, celery.Lists{Whatever: true}); !errors.Is(err, celery.ErrQuarantineExists) {
			t.Errorf("the same id again: %v", err)
		}
		since := dump(t, c, "celery")
		if n, err := b.Restore(ctx, id, "celery"); n != 5 || err != nil {
			t.Fatalf("restored %d, %v", n, err)
		}
		for key, after := range dump(t, c, "celery") {
			if want := slices.Concat(since[key], before[key]); !slices.Equal(want, after) {
				t.Errorf("%q holds %q, want %q", key, after, want)
			}
		}
		if n, err := b.Restore(ctx, id, "celery"); n != 0 || err != nil {
			t.Errorf("a second restore: %d, %v", n, err)
		}
	})
}

// dump reads all priority lists as they are.
func dump(t testing.TB, c *redis.Client, queue string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, key := range (celery.Names{}).Lists(queue) {
		raws, err := c.LRange(t.Context(), key, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		out[key] = raws
	}
	return out
}

// Purge and restore while producers push and a worker pops: each message is
// taken once, unchanged, and those of one producer in the order of pushing as
// far as they were in one place.
func TestRestoreLosesNothingWhileProducersPush(t *testing.T) {
	s := labtest.Redis(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	for round := range 60 {
		working := round%2 == 1
		t.Run(fmt.Sprintf("%d worker %v", round, working), func(t *testing.T) {
			churn(t, b, client(t, s), round, working)
		})
	}
}

const producers = 4

func churn(t *testing.T, b *celery.Broker, c *redis.Client, round int, working bool) {
	ctx := labtest.Context(t)
	c.FlushDB(ctx)
	rng := rand.New(rand.NewPCG(uint64(round), 7))
	producing, stopProducing := context.WithCancel(ctx)
	var wg sync.WaitGroup
	pushed := make([][]string, producers)
	for p := range producers {
		wg.Go(func() { pushed[p] = produce(producing, t, c, p, rand.New(rand.NewPCG(uint64(round), uint64(p)))) })
	}
	taken := make(chan []string, 1)
	go func() { taken <- consume(producing, c, working) }()

	var quarantined, saved []string
	for try := range 3 {
		await(t, func() bool { return depth(ctx, c, "celery") > int64(5+rng.IntN(20)) })
		id := fmt.Sprintf("try%d", try)
		n, err := b.Quarantine(ctx, "celery", id, celery.Lists{Whatever: true})
		if err != nil {
			t.Fatal(err)
		}
		quarantined = dumpKeys(t, c, "cockpit:quarantine:"+id+":celery")
		saved = save(t, b, c, "celery", id)
		if int(n) != len(quarantined) || cmp.Diff(quarantined, saved) != "" {
			t.Fatalf("moved %d, quarantined %d, saved %d", n, len(quarantined), len(saved))
		}
		await(t, func() bool { return depth(ctx, c, "celery") > int64(rng.IntN(60)) })
		restored, err := b.Restore(ctx, id, "celery")
		if restored != n || err != nil {
			t.Fatalf("restored %d of %d, %v", restored, n, err)
		}
	}
	stopProducing()
	wg.Wait()
	got := append(<-taken, drain(ctx, c)...)
	check(t, slices.Concat(pushed...), got, working)
	relative(t, quarantined, got)
}

// produce pushes until told to stop and gives what it pushed.
func produce(ctx context.Context, t *testing.T, c *redis.Client, p int, rng *rand.Rand) (pushed []string) {
	steps := celery.Names{}.PrioritySteps()
	for i := 0; ctx.Err() == nil; i++ {
		step := steps[rng.IntN(len(steps))]
		raw := fmt.Sprintf("%d/%d/%06d/\x00\xff%x", p, step, i, rng.Uint64())
		if err := c.LPush(context.WithoutCancel(ctx), celery.Names{}.List("celery", step), raw).Err(); err != nil {
			t.Error(err)
			return pushed
		}
		pushed = append(pushed, raw)
	}
	return pushed
}

// consume pops as a worker does, until told to stop. A message that was popped
// is always kept.
func consume(ctx context.Context, c *redis.Client, working bool) (taken []string) {
	for working && ctx.Err() == nil {
		got, err := c.Do(context.WithoutCancel(ctx), append([]any{"BRPOP"}, anys(append(celery.Names{}.Lists("celery"), "0.01"))...)...).StringSlice()
		if err == nil {
			taken = append(taken, got[1])
		}
	}
	return taken
}

func anys(in []string) (out []any) {
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

func drain(ctx context.Context, c *redis.Client) (taken []string) {
	for _, key := range (celery.Names{}).Lists("celery") {
		raws := c.LRange(ctx, key, 0, -1).Val()
		slices.Reverse(raws)
		taken = append(taken, raws...)
	}
	return taken
}

func depth(ctx context.Context, c *redis.Client, queue string) (n int64) {
	for _, key := range (celery.Names{}).Lists(queue) {
		n += c.LLen(ctx, key).Val()
	}
	return n
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); {
		if time.Since(start) > time.Minute {
			t.Fatal("waited a minute in vain")
		}
	}
}

func check(t *testing.T, pushed, got []string, working bool) {
	t.Helper()
	if len(pushed) != len(got) {
		t.Errorf("%d pushed, %d taken", len(pushed), len(got))
	}
	a, b := slices.Sorted(slices.Values(pushed)), slices.Sorted(slices.Values(got))
	if !slices.Equal(a, b) {
		t.Error("what was taken is not what was pushed")
	}
	last := map[string]string{} // producer and step to its last message
	for _, raw := range got {
		key := strings.Join(strings.Split(raw, "/")[:2], "/")
		if !working && raw <= last[key] {
			t.Fatalf("%q came after %q", raw, last[key])
		}
		last[key] = raw
	}
}

// relative checks that messages of a quarantine were taken in its order, list
// by list.
func relative(t *testing.T, quarantined, got []string) {
	t.Helper()
	at := map[string]int{}
	for i, raw := range got {
		at[raw] = i
	}
	last := map[string]int{}
	for _, raw := range slices.Backward(quarantined) {
		step := strings.Split(raw, "/")[1]
		if before, seen := last[step]; seen && at[raw] < before {
			t.Fatalf("%q left its order", raw)
		}
		last[step] = at[raw]
	}
}

func dumpKeys(t *testing.T, c *redis.Client, base string) (out []string) {
	t.Helper()
	for _, step := range (celery.Names{}).PrioritySteps() {
		key := celery.Names{}.List(base, step)
		raws, err := c.LRange(t.Context(), key, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raws...)
	}
	return out
}

// save writes a quarantine to a file, loads it under another id and gives what
// is there then.
func save(t *testing.T, b *celery.Broker, c *redis.Client, queue, id string) []string {
	t.Helper()
	ctx := labtest.Context(t)
	var file, again bytes.Buffer
	n, err := b.SaveRaw(ctx, &file, queue, id)
	if err != nil {
		t.Fatal(err)
	}
	loaded, m, err := b.LoadRaw(ctx, bytes.NewReader(file.Bytes()), id+".loaded")
	if err != nil || loaded != queue || m != n {
		t.Fatalf("loaded %d of %d into %q, %v", m, n, loaded, err)
	}
	if _, err := b.SaveRaw(ctx, &again, queue, id+".loaded"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Fatal("a saved queue, loaded and saved again, differs")
	}
	return dumpKeys(t, c, "cockpit:quarantine:"+id+".loaded:"+queue)
}

func TestLoadRefusesAFileThatIsNotWhole(t *testing.T) {
	s := labtest.MiniRedis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	publish(t, b, task("celery", 0), task("celery", 3))
	var file bytes.Buffer
	if n, err := b.SaveRaw(ctx, &file, "celery", ""); n != 2 || err != nil {
		t.Fatalf("saved %d, %v", n, err)
	}
	whole := file.String()
	lines := strings.SplitAfter(whole, "\n")
	for name, text := range map[string]string{
		"empty":         "",
		"other":         "{}\n",
		"cut short":     whole[:len(whole)-14],
		"line lost":     strings.Join(slices.Delete(slices.Clone(lines), 1, 2), ""),
		"unknown step":  strings.Replace(whole, `"step":3`, `"step":4`, 1),
		"hostile queue": strings.Replace(whole, `"queue":"celery"`, `"queue":"a\u0006b"`, 1),
	} {
		if _, _, err := b.LoadRaw(ctx, strings.NewReader(text), "id"); err == nil {
			t.Errorf("%s: loaded", name)
		}
		if n := c.Exists(ctx, "cockpit:quarantine:id:celery").Val(); n != 0 {
			t.Errorf("%s: something was written", name)
		}
	}
	if _, n, err := b.LoadRaw(ctx, strings.NewReader(whole), "id"); n != 2 || err != nil {
		t.Errorf("the whole file: %d, %v", n, err)
	}
	if _, _, err := b.LoadRaw(ctx, strings.NewReader(whole), "id"); !errors.Is(err, celery.ErrQuarantineExists) {
		t.Errorf("the same id again: %v", err)
	}
	if _, err := b.SaveRaw(ctx, failing{}, "celery", ""); err == nil || strings.Contains(err.Error(), "redis:") {
		t.Errorf("a full disk: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestReadOnlyWritesNothing(t *testing.T) {
	s := labtest.MiniRedis(t)
	c, ctx := client(t, s), labtest.Context(t)
	b := open(t, celery.Config{BrokerURL: s.URL(), ReadOnly: "--read-only"})
	c.LPush(ctx, "celery", "x")
	c.LPush(ctx, "cockpit:quarantine:id:celery", "y")
	_, purge := b.Quarantine(ctx, "celery", "id", celery.Lists{Whatever: true})
	_, restore := b.Restore(ctx, "id", "celery")
	_, _, load := b.LoadRaw(ctx, strings.NewReader(""), "id")
	for name, err := range map[string]error{"publish": b.Publish(ctx, task("celery", 0)), "quarantine": purge, "restore": restore, "load": load} {
		var refused *celery.ErrReadOnly
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "--read-only") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys := c.Keys(ctx, "*").Val(); len(keys) != 2 {
		t.Errorf("keys are %v", keys)
	}
}

func TestHostileNamesAreRefused(t *testing.T) {
	s := labtest.MiniRedis(t)
	b, ctx := open(t, celery.Config{BrokerURL: s.URL()}), labtest.Context(t)
	for _, bad := range [][2]string{{"celery", "a:b"}, {"celery", ""}, {"", "id"}, {"cel\x06\x163", "id"}, {"celery", "*"}} {
		if _, err := b.Quarantine(ctx, bad[0], bad[1], celery.Lists{Whatever: true}); err == nil || errors.Is(err, celery.ErrQueueEmpty) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := b.Restore(ctx, bad[1], bad[0]); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
}
