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

// entry writes an unacknowledged message as kombu does, spaces and all.
func entry(t testing.TB, c *redis.Client, tag, raw, exchange, key string, delivered time.Time) {
	t.Helper()
	c.HSet(t.Context(), "unacked", tag, fmt.Sprintf(`[%s, "%s", "%s"]`, raw, exchange, key))
	c.ZAdd(t.Context(), "unacked_index", redis.Z{Score: float64(delivered.UnixMicro()) / 1e6, Member: tag})
}

func encoded(t testing.TB, task celery.Task) string {
	t.Helper()
	raw, err := celery.EncodeTask(task)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func idle() map[string]any {
	return map[string]any{"active": []any{}, "reserved": []any{}, "scheduled": []any{}, "registered": []string{finale}, "ping": map[string]string{"ok": "pong"}}
}

func orphans(t testing.TB, b *celery.Broker) []celery.Orphan {
	t.Helper()
	got, err := b.Orphans(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tags(orphans []celery.Orphan) (out []string) {
	for _, o := range orphans {
		out = append(out, o.Tag)
	}
	return out
}

func TestOrphansReturnByteForByte(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
		fakeWorker(t, c, "w1@a", idle())
		at := time.Date(2026, 2, 1, 14, 0, 0, 123456000, time.UTC)
		oldest, second, urgent := encoded(t, task("celery", 0, copyA)), encoded(t, task("celery", 0, copyA)), encoded(t, task("finalize", 5, copyA))
		spaced := strings.Replace(oldest, `"headers":{`, `"empty": [],  "odd":"\u00e9\ud83d\udca5",  "headers": {`, 1)
		entry(t, c, "t2", second, "", "celery", at.Add(time.Second))
		entry(t, c, "t1", spaced, "", "celery", at)
		entry(t, c, "t3", urgent, "", "finalize", at.Add(2*time.Second))
		entry(t, c, "bad", `{"x":1}`, "", "celery", at.Add(3*time.Second))
		c.LPush(ctx, "celery", "younger")

		got := orphans(t, b)
		if d := cmp.Diff([]string{"t1", "t2", "t3", "bad"}, tags(got)); d != "" {
			t.Fatal(d)
		}
		if o := got[0]; !o.Delivered.Equal(at) || o.CopyID != copyA || o.List != "celery" || string(o.Raw) != spaced {
			t.Errorf("%+v", o)
		}
		if got[2].List != "finalize\x06\x163" || !got[3].Kills {
			t.Errorf("%+v", got[2:])
		}
		if n, err := b.RestoreOrphans(ctx, got); n != 0 || err == nil || !strings.Contains(err.Error(), "kill") {
			t.Errorf("a message that kills: %d, %v", n, err)
		}
		if n, err := b.RestoreOrphans(ctx, got[:3]); n != 3 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if d := cmp.Diff([]string{"younger", second, spaced}, c.LRange(ctx, "celery", 0, -1).Val()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{urgent}, c.LRange(ctx, "finalize\x06\x163", 0, -1).Val()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"bad"}, append(c.HKeys(ctx, "unacked").Val(), slices.DeleteFunc(c.ZRange(ctx, "unacked_index", 0, -1).Val(), func(s string) bool { return s == "bad" })...)); d != "" {
			t.Error(d)
		}
		var moved *celery.ErrOrphansMoved
		if n, err := b.RestoreOrphans(ctx, got[:3]); n != 0 || !errors.As(err, &moved) || len(moved.Tags) != 3 {
			t.Errorf("a second time: %d, %v", n, err)
		}
	})
}

func TestOrphansAreRestoredAllOrNone(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
		for _, tag := range []string{"t1", "t2", "t3"} {
			entry(t, c, tag, encoded(t, task("celery", 0, copyA)), "", "celery", time.Now())
		}
		seen := orphans(t, b)
		c.HDel(ctx, "unacked", "t1")
		entry(t, c, "t2", encoded(t, task("celery", 0, copyA)), "", "celery", time.Now())
		var moved *celery.ErrOrphansMoved
		if n, err := b.RestoreOrphans(ctx, seen); n != 0 || !errors.As(err, &moved) || cmp.Diff([]string{"t1", "t2"}, slices.Sorted(slices.Values(moved.Tags))) != "" {
			t.Errorf("%d, %v", n, err)
		}
		if n, held := c.LLen(ctx, "celery").Val(), c.HLen(ctx, "unacked").Val(); n != 0 || held != 2 {
			t.Errorf("%d in the list, %d held", n, held)
		}
	})
}

// Nothing is called an orphan that somebody may hold.
func TestOrphansAreClaimedOnlyWhenAllIsKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		answers map[string]any
		want    int
		why     string
	}{
		"idle":         {idle(), 1, ""},
		"silent":       {nil, 0, "0 of 1 workers"},
		"half silent":  {map[string]any{"active": []any{}, "reserved": []any{}, "registered": []any{}}, 0, "0 of 1 workers"},
		"rate-limited": {with(idle(), "registered", []string{finale + " [rate_limit=10/m]"}), 0, "rate-limited"},
		"no limit":     {with(idle(), "registered", []string{finale + " [rate_limit=0]"}), 1, ""},
		"reserved":     {with(idle(), "reserved", []any{map[string]any{"id": "held-id"}}), 0, ""},
		"running late": {with(idle(), "active", []any{map[string]any{"id": "held-id"}}), 0, ""},
		"scheduled":    {with(idle(), "scheduled", []any{map[string]any{"eta": "x", "request": map[string]any{"id": "held-id"}}}), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := labtest.MiniRedis(t)
			b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
			held := task("celery", 0, copyA)
			entry(t, c, "tag", strings.ReplaceAll(encoded(t, held), held.ID, "held-id"), "", "celery", time.Now())
			seen := orphans(t, b)
			if len(seen) != 1 {
				t.Fatalf("%d orphans without a worker", len(seen))
			}
			fakeWorker(t, c, "w1@a", tc.answers)
			got, err := b.Orphans(ctx)
			var some *celery.ErrIncomplete
			if len(got) != tc.want || errors.As(err, &some) != (tc.why != "") || tc.why != "" && !strings.Contains(err.Error(), tc.why) {
				t.Errorf("%d orphans, %v", len(got), err)
			}
			if n, err := b.RestoreOrphans(ctx, seen); int(n) != tc.want || (err == nil) != (tc.want == 1) {
				t.Errorf("restored %d, %v", n, err)
			}
			var claimed *celery.ErrClaimed
			if _, err := b.RestoreOrphans(ctx, seen); tc.want == 0 && tc.why == "" && (!errors.As(err, &claimed) || claimed.Worker != "w1@a" || claimed.TaskID != "held-id") {
				t.Errorf("claimed: %v", err)
			}
		})
	}
}

func with(answers map[string]any, method string, value any) map[string]any {
	answers[method] = value
	return answers
}

// A worker without remote control waits for tasks and cannot be asked.
func TestOrphansOfAWorkerThatCannotBeAsked(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	entry(t, c, "tag", encoded(t, task("celery", 0, copyA)), "", "celery", time.Now())
	waiter := client(t, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = waiter.Do(ctx, "BRPOP", "celery", "60").Err()
	}()
	eventually(t, func() bool { return strings.Contains(c.ClientList(ctx).Val(), "cmd=brpop") })
	var some *celery.ErrIncomplete
	if got, err := b.Orphans(ctx); got != nil || !errors.As(err, &some) || !strings.Contains(err.Error(), "1 clients wait") {
		t.Errorf("%d orphans, %v", len(got), err)
	}
	c.LPush(ctx, "celery", "x")
	<-done
	if got := orphans(t, b); len(got) != 1 {
		t.Errorf("%d orphans", len(got))
	}
}

// What a worker held when it was killed runs exactly once after it is
// restored, in the order in which it was sent.
func TestOrphansOfAKilledWorkerRunOnce(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	victim := startWorker(t, s, c, workerOptions{})
	running := task("celery", 0, copyA, 99)
	publish(t, b, running)
	eventually(t, func() bool { return state(t, b, running.ID) == "STARTED" })
	var sent []celery.Task
	for i := range 4 {
		sent = append(sent, task("celery", 0, copyA, i+1))
	}
	publish(t, b, sent...)
	eventually(t, func() bool { return c.HLen(ctx, "unacked").Val() == 4 })
	publish(t, b, task("celery", 0, copyA, 5)) // waits: the prefetch is full
	if got := orphans(t, b); len(got) != 0 {
		t.Errorf("%d orphans while their worker lives", len(got))
	}
	victim.kill()

	lost := orphans(t, b)
	var ids, want []string
	for _, o := range lost {
		ids = append(ids, o.ID)
	}
	for _, m := range sent {
		want = append(want, m.ID)
	}
	if d := cmp.Diff(want, ids); d != "" {
		t.Fatal(d)
	}
	if age := time.Since(lost[0].Delivered); age < 0 || age > time.Minute {
		t.Errorf("delivered %v ago", age)
	}
	if n, err := b.RestoreOrphans(ctx, lost); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	c.Del(ctx, "ran:"+copyA)
	c.Set(ctx, "go", 1, 0)
	startWorker(t, s, c, workerOptions{name: "w2@test"})
	eventually(t, func() bool { return c.LLen(ctx, "ran:"+copyA).Val() >= 5 && c.HLen(ctx, "unacked").Val() == 0 })
	if d := cmp.Diff(users(1, 2, 3, 4, 5), c.LRange(ctx, "ran:"+copyA, 0, -1).Val()); d != "" {
		t.Error(d)
	}
}

// users are the notes of runs for these users.
func users(n ...int) (out []string) {
	for _, u := range n {
		out = append(out, fmt.Sprintf(`{"lock_token": null, "user_id": %d}`, u))
	}
	return out
}

// A worker in a warm stop cannot be asked, and still means to give back what
// it holds. Restored before, its messages are not doubled.
func TestOrphansRestoredDuringAWarmStopRunOnce(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	stopping := startWorker(t, s, c, workerOptions{})
	running := task("celery", 0, copyA, 1)
	publish(t, b, running)
	eventually(t, func() bool { return state(t, b, running.ID) == "STARTED" })
	publish(t, b, task("celery", 0, copyA, 2), task("celery", 0, copyA, 3))
	eventually(t, func() bool { return c.HLen(ctx, "unacked").Val() == 2 })
	stopping.signal(syscall.SIGTERM)
	eventually(t, func() bool { return listening(t, c) == 0 })
	var lost []celery.Orphan
	eventually(t, func() bool { // its last BRPOP would take what is restored, and lose it
		var err error
		lost, err = b.Orphans(ctx)
		return err == nil
	})
	if n, err := b.RestoreOrphans(ctx, lost); n != 2 || err != nil {
		t.Fatalf("%d of %d, %v", n, len(lost), err)
	}
	c.Set(ctx, "go", 1, 0)
	stopping.wait()
	if n := c.LLen(ctx, "celery").Val(); n != 2 {
		t.Errorf("%d messages wait after the stop", n)
	}
	startWorker(t, s, c, workerOptions{name: "w2@test"})
	eventually(t, func() bool { return c.LLen(ctx, "ran:"+copyA).Val() >= 3 && c.HLen(ctx, "unacked").Val() == 0 })
	if d := cmp.Diff(users(1, 2, 3), c.LRange(ctx, "ran:"+copyA, 0, -1).Val()); d != "" {
		t.Error(d)
	}
}

// Messages that a real worker holds back for a rate limit are in none of its
// answers, and must not count as orphans.
func TestRateLimitedMessagesAreNoOrphans(t *testing.T) {
	python(t)
	s := labtest.Redis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	startWorker(t, s, c, workerOptions{})
	c.Set(ctx, "go", 1, 0)
	if got := saying(b.RateLimit(ctx, "w1@test", finale, "1/h")); !strings.Contains(got, "success") {
		t.Fatal(got)
	}
	first := task("celery", 0, copyA, 1)
	publish(t, b, first, task("celery", 0, copyA, 2))
	eventually(t, func() bool { return state(t, b, first.ID) == "SUCCESS" && c.HLen(ctx, "unacked").Val() == 1 })
	var some *celery.ErrIncomplete
	if got, err := b.Orphans(ctx); len(got) != 0 || !errors.As(err, &some) || !strings.Contains(err.Error(), "rate-limited") {
		t.Errorf("%d orphans, %v", len(got), err)
	}
}

// The rights of an operator suffice; without the right to see who waits for
// tasks, nothing is called an orphan.
func TestOrphansWithTheRightsOfAnOperator(t *testing.T) {
	blind := strings.Replace(celery.OperatorACL, " +client|list", "", 1)
	s := labtest.Redis(t, lab.RedisOptions{TCP: true, ACL: []string{"user operator on >pw " + celery.OperatorACL, "user blind on >pw " + blind}})
	c, ctx := client(t, s), labtest.Context(t)
	fakeWorker(t, c, "w1@a", idle())
	entry(t, c, "tag", encoded(t, task("celery", 0, copyA)), "", "celery", time.Now())
	as := func(user string) *celery.Broker {
		return open(t, celery.Config{BrokerURL: strings.Replace(s.URL(), "redis://", "redis://"+user+":pw@", 1)})
	}
	var some *celery.ErrIncomplete
	if got, err := as("blind").Orphans(ctx); got != nil || !errors.As(err, &some) || !strings.Contains(err.Error(), "CLIENT LIST") {
		t.Errorf("%v %v", got, err)
	}
	operator := as("operator")
	if n, err := operator.RestoreOrphans(ctx, orphans(t, operator)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
