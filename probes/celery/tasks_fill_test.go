package celery_test

import (
	"crypto/sha1"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab/labtest"
)

func redisZ(at time.Time, member string) redis.Z {
	return redis.Z{Score: float64(at.UnixMicro()) / 1e6, Member: member}
}

func encodedResult(t testing.TB, id, state string, value any) []byte {
	t.Helper()
	raw, err := celery.EncodeResult(id, state, value, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func result(t testing.TB, _ *celery.Broker, c *redis.Client, id, state string, value any) {
	t.Helper()
	if err := c.Set(t.Context(), "celery-task-meta-"+id, encodedResult(t, id, state, value), time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
}

// announce publishes a result that is written nowhere.
func announce(t testing.TB, c *redis.Client, id, state string, value any) {
	t.Helper()
	if err := c.Publish(t.Context(), "celery-task-meta-"+id, encodedResult(t, id, state, value)).Err(); err != nil {
		t.Fatal(err)
	}
}

// snapshotOf digests the tasks that wait and those that are unacknowledged.
func snapshotOf(t testing.TB, c *redis.Client) string {
	t.Helper()
	sum := sha1.New()
	for _, raw := range c.LRange(t.Context(), "celery", 0, -1).Val() {
		_, _ = io.WriteString(sum, raw+"\x00")
	}
	for _, tag := range c.HKeys(t.Context(), "unacked").Val() {
		_, _ = io.WriteString(sum, tag+"\x00")
	}
	return fmt.Sprintf("%d %d %x", c.LLen(t.Context(), "celery").Val(), c.HLen(t.Context(), "unacked").Val(), sum.Sum(nil))
}

// redisTime is how long the server has worked on commands so far.
func redisTime(t testing.TB, c *redis.Client) time.Duration {
	t.Helper()
	info := c.Info(t.Context(), "commandstats").Val()
	var total time.Duration
	for _, m := range regexp.MustCompile(`usec=(\d+),`).FindAllStringSubmatch(info, -1) {
		n, _ := strconv.Atoi(m[1])
		total += time.Duration(n) * time.Microsecond
	}
	return total
}

// BenchmarkRefreshOfAMillion is both probes at 1,000,000 waiting messages and
// 50,000 results: the Redis time of a refresh, on average and at most, until
// all results are read and then a few more.
func BenchmarkRefreshOfAMillion(b *testing.B) {
	s := labtest.Redis(b)
	c, ctx := client(b, s), labtest.Context(b)
	broker := open(b, celery.Config{BrokerURL: s.URL()})
	raw, err := celery.EncodeTask(task("celery", 0, copyA, 7))
	if err != nil {
		b.Fatal(err)
	}
	fill(b, c, raw, 1_000_000)
	pipe := c.Pipeline()
	for i := range 50_000 {
		id := uuid.NewString()
		pipe.Set(ctx, "celery-task-meta-"+id, encodedResult(b, id, "SUCCESS", map[string]any{"status": "done", "copy_id": copyA, "final_score": i}), time.Hour)
		if i%5000 == 4999 {
			if _, err := pipe.Exec(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	queues, tasks := celery.NewProbe(broker), celery.NewTasksProbe(broker)
	var most, sum time.Duration
	n := 0
	for b.Loop() {
		before := redisTime(b, c)
		for _, look := range []func() error{
			func() error { _, err := queues.Sample(ctx); return err },
			func() error { _, err := tasks.Sample(ctx); return err },
		} {
			if err := look(); err != nil {
				b.Fatal(err)
			}
		}
		took := redisTime(b, c) - before
		most, sum, n = max(most, took), sum+took, n+1
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(n)/1000, "redis-ms/refresh")
	b.ReportMetric(float64(most.Microseconds())/1000, "redis-ms/worst")
	if most > 50*time.Millisecond {
		b.Errorf("a refresh cost Redis %v", most)
	}
}
