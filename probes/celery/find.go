package celery

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// How often and how hard the key space is searched. A step is bounded, so a
// database of a million keys is gone through in many samples, not in one.
const (
	findEvery  = 30 * time.Second
	findCount  = 2000
	findSteps  = 5
	maxFound   = 1000
	maxQueues  = 200
	maxMembers = 200
)

// finder goes through the keys that match a pattern, a few steps a call, with
// SCAN, which never holds the server up.
type finder struct {
	pattern string
	cursor  uint64
	started time.Time
	ended   bool
	finding map[string]bool
	found   []string // sorted
}

// step goes on, or begins again when the last search is old. It says whether
// a search ended now.
func (f *finder) step(ctx context.Context, rdb *redis.Client, now time.Time) (ended bool, err error) {
	if f.ended && now.Sub(f.started) < findEvery {
		return false, nil
	}
	if f.ended || f.finding == nil {
		f.started, f.ended, f.cursor, f.finding = now, false, 0, map[string]bool{}
	}
	for range findSteps {
		keys, cursor, err := rdb.Scan(ctx, f.cursor, f.pattern, findCount).Result()
		if err != nil {
			return false, err
		}
		for _, k := range keys {
			if len(f.finding) < maxFound {
				f.finding[k] = true
			}
		}
		if f.cursor = cursor; cursor == 0 {
			f.ended, f.found = true, slices.Sorted(maps.Keys(f.finding))
			return true, nil
		}
	}
	return false, nil
}

// literal quotes a text for a glob pattern of Redis.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// boundQueues reads the queues that binding sets name: all that were ever
// declared. That one is there does not mean that a worker takes it.
func (b *Broker) boundQueues(ctx context.Context, keys []string) ([]string, error) {
	pipe := b.rdb.Pipeline()
	var members []*redis.StringSliceCmd
	for _, k := range keys {
		if exchange := strings.TrimPrefix(k, b.bindings()); internalName(exchange) {
			continue
		}
		members = append(members, pipe.SRandMemberN(ctx, k, maxMembers))
	}
	if len(members) == 0 {
		return nil, nil
	}
	_, err := pipe.Exec(ctx)
	queues := map[string]bool{}
	for _, m := range members {
		for _, member := range m.Val() {
			if q := b.boundQueue(member); plain(q) && !internalName(q) {
				queues[q] = true
			}
		}
	}
	if isWrongType(err) {
		err = nil
	}
	return slices.Sorted(maps.Keys(queues)), err
}

// internalName says that a queue or exchange is Celery's own traffic.
func internalName(name string) bool {
	return strings.HasSuffix(name, ".pidbox") || name == "celeryev" || strings.HasPrefix(name, "celeryev.")
}

// known are the queues to look at: Celery's default, those that the grading
// system routes to, the configured ones, and those found.
func (b *Broker) known(found []string) []string {
	var out []string
	names := slices.Concat([]string{DefaultQueue, "import", "finalize", "maintenance"}, b.cfg.Queues, found)
	for _, name := range names {
		if plain(name) && !slices.Contains(out, name) && len(out) < maxQueues {
			out = append(out, name)
		}
	}
	return out
}

// allQueues searches the whole key space now; for actions, which must not
// overlook a queue.
func (b *Broker) allQueues(ctx context.Context) ([]string, error) {
	keys, err := b.scanAll(ctx, literal(b.bindings())+"*")
	if err != nil {
		return nil, err
	}
	found, err := b.boundQueues(ctx, keys)
	return b.known(found), err
}

func (b *Broker) scanAll(ctx context.Context, pattern string) ([]string, error) {
	f := finder{pattern: pattern}
	for {
		if ended, err := f.step(ctx, b.rdb, time.Time{}); ended || err != nil {
			return f.found, err
		}
	}
}
