package celery_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

const (
	copyA  = "c0ffee00-0000-4000-8000-000000000001"
	finale = "grading.tasks.async_finalize_copy"
)

// onEach runs a test on a real server and on the stand-in.
func onEach(t *testing.T, f func(t *testing.T, s *lab.RedisServer)) {
	t.Run("redis", func(t *testing.T) { f(t, labtest.Redis(t)) })
	t.Run("miniredis", func(t *testing.T) { f(t, labtest.MiniRedis(t)) })
}

func open(t testing.TB, cfg celery.Config) *celery.Broker {
	t.Helper()
	b, err := celery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func client(t testing.TB, s *lab.RedisServer) *redis.Client {
	t.Helper()
	c := redis.NewClient(s.Options())
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func task(queue string, priority int, args ...any) celery.Task {
	return celery.Task{ID: uuid.NewString(), Name: finale, Args: args, Queue: queue, Priority: priority, Origin: "test"}
}

func publish(t testing.TB, b *celery.Broker, tasks ...celery.Task) {
	t.Helper()
	for _, task := range tasks {
		if err := b.Publish(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
}

func sample(t testing.TB, p *celery.Probe) celery.Overview {
	t.Helper()
	payload, err := p.Sample(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	o, ok := payload.(celery.Overview)
	if !ok {
		t.Fatalf("the payload is a %T", payload)
	}
	return o
}

func queue(t testing.TB, o celery.Overview, name string) celery.Queue {
	t.Helper()
	i := slices.IndexFunc(o.Queues, func(q celery.Queue) bool { return q.Name == name })
	if i < 0 {
		t.Fatalf("no queue %s among %d", name, len(o.Queues))
	}
	return o.Queues[i]
}

// fakeWorker answers control messages as a worker does, until the test ends.
// A method that is not among the answers stays unanswered.
func fakeWorker(t testing.TB, c *redis.Client, name string, answers map[string]any) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sub := c.PSubscribe(ctx, celery.Names{}.ControlChannel())
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range sub.Channel() {
			answer(ctx, t, c, name, answers, m.Payload)
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = sub.Close()
		<-done
	})
}

func answer(ctx context.Context, t testing.TB, c *redis.Client, name string, answers map[string]any, payload string) {
	if payload == "" {
		return // as kombu does
	}
	ask, err := celery.DecodeControl([]byte(payload))
	if err != nil {
		t.Errorf("a worker would die of this control message: %v", err)
		return
	}
	value, ok := answers[ask.Method]
	bound, _ := c.SIsMember(ctx, celery.Names{}.ReplyBindings(), celery.Names{}.ReplyBinding(ask.ReplyTo)).Result()
	if !ok || !bound {
		return
	}
	raw, err := celery.EncodeReply(ask.Ticket, ask.ReplyTo, name, value)
	if err != nil {
		t.Error(err)
	}
	_ = c.LPush(ctx, celery.Names{}.ReplyList(ask.ReplyTo), raw).Err()
}

// healthy are the answers of a worker that runs one task.
func healthy(queues ...string) map[string]any {
	var taken []map[string]any
	for _, q := range queues {
		taken = append(taken, map[string]any{"name": q})
	}
	return map[string]any{
		"active_queues": taken,
		"active": []map[string]any{{
			"id": "t1", "name": finale, "args": []any{copyA, 7}, "kwargs": map[string]any{},
			"time_start": float64(time.Date(2026, 2, 1, 14, 30, 0, 0, time.UTC).Unix()),
		}},
		"reserved":   []any{},
		"scheduled":  []map[string]any{{"eta": "x", "request": map[string]any{"id": "t2", "name": finale, "args": "['" + copyA + "']", "kwargs": "{}"}}},
		"registered": []string{finale},
		"report":     map[string]any{"ok": "software -> celery:5.2.6 (dawn-chorus) kombu:5.2.4"},
		"stats":      map[string]any{"pid": 42, "uptime": 90, "pool": map[string]any{"max-concurrency": 2}},
	}
}

func unacked(t testing.TB, c *redis.Client, tag string, raw []byte) {
	t.Helper()
	value, err := json.Marshal([]any{json.RawMessage(raw), "", "celery"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.HSet(t.Context(), "unacked", tag, value).Err(); err != nil {
		t.Fatal(err)
	}
}
