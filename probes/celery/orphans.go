package celery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/clean"
)

// Orphan is an unacknowledged message that no worker holds: its worker was
// killed. Without help it waits for the visibility timeout.
type Orphan struct {
	Message             // Raw is the envelope as it lies in the entry
	Tag       string    // delivery tag as it came: the entry's name, not for show
	Delivered time.Time // when the killed worker took it, by its clock; zero unknown
	Digest    string    // SHA-1 of the whole entry
	List      string    // key to which RestoreOrphans puts it back; "" when that is unknown

	at, size int // where in the entry the envelope lies
}

// ErrClaimed is why orphans were not restored: a worker says that it holds one
// of them, and would run it a second time.
type ErrClaimed struct {
	Worker string
	TaskID string
}

// Error names worker and task.
func (e *ErrClaimed) Error() string {
	return fmt.Sprintf("%s holds task %s: nothing was restored", e.Worker, e.TaskID)
}

// ErrOrphansMoved says that entries are gone or not what was seen. Nothing was
// restored.
type ErrOrphansMoved struct{ Tags []string }

// Error counts them.
func (e *ErrOrphansMoved) Error() string {
	return fmt.Sprintf("%d of the unacknowledged messages are gone or changed since they were looked at", len(e.Tags))
}

// Orphans finds the unacknowledged messages that no worker holds, oldest
// first. It claims nothing unless every worker that listens told what it holds:
// with *ErrIncomplete, what is missing may or may not be an orphan.
//
// A worker in a warm stop has left the control channel, and its messages count
// as orphans. To restore them is safe: it gives back only what is still there.
func (b *Broker) Orphans(ctx context.Context) ([]Orphan, error) {
	before, err := b.entries(ctx)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	claims, err := b.claims(ctx)
	if err != nil {
		return nil, err
	}
	orphans := slices.DeleteFunc(before, func(o Orphan) bool { return claims.worker(o) != "" })
	limited := len(orphans)
	orphans = slices.DeleteFunc(orphans, func(o Orphan) bool { return claims.limited[o.Task] })
	limited -= len(orphans)
	if orphans, err = b.still(ctx, orphans); err != nil {
		return nil, err
	}
	orphans = oldestFirst(orphans)
	if limited > 0 {
		return orphans, &ErrIncomplete{[]string{fmt.Sprintf(
			"%d messages of rate-limited tasks may be held by a worker, which does not tell", limited)}}
	}
	return orphans, nil
}

// entries reads the unacknowledged messages.
func (b *Broker) entries(ctx context.Context) ([]Orphan, error) {
	var out []Orphan
	var cursor uint64
	for {
		pairs, next, err := b.rdb.HScan(ctx, b.Unacked(), cursor, "", pageSize).Result()
		if err != nil {
			return nil, b.describe("read unacknowledged messages", err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			out = append(out, decodeEntry(pairs[i], pairs[i+1]))
		}
		if cursor = next; next == 0 {
			break
		}
		if len(out) >= maxSearch {
			return nil, &ErrIncomplete{[]string{fmt.Sprintf("there are more than %d unacknowledged messages", len(out))}}
		}
	}
	slices.SortFunc(out, func(a, b Orphan) int { return strings.Compare(a.Tag, b.Tag) })
	out = slices.CompactFunc(out, func(a, b Orphan) bool { return a.Tag == b.Tag }) // HSCAN may repeat one
	return out, b.place(ctx, out)
}

// decodeEntry reads [envelope, exchange, routing key] and where the envelope
// lies in it: the server cuts it out there, so that no byte of it changes.
func decodeEntry(tag, value string) Orphan {
	o := Orphan{Message: decodeUnacked(value), Tag: tag, Digest: digest(value)}
	var parts []json.RawMessage
	if json.Unmarshal([]byte(value), &parts) != nil || len(parts) != 3 {
		return o
	}
	o.at = strings.Index(value, string(parts[0]))
	o.size = len(parts[0])
	return o
}

// place finds out when each was delivered, and to which list it returns.
func (b *Broker) place(ctx context.Context, entries []Orphan) error {
	if len(entries) == 0 {
		return nil
	}
	pipe := b.rdb.Pipeline()
	scores := make([]*redis.FloatCmd, len(entries))
	for i, o := range entries {
		scores[i] = pipe.ZScore(ctx, b.unackedIndex(), o.Tag)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return b.describe("read when messages were delivered", err)
	}
	for i := range entries {
		o := &entries[i]
		if s := scores[i].Val(); s > 1e9 && s < 1e11 {
			o.Delivered = time.UnixMicro(int64(s * 1e6)).UTC()
		}
		if plain(o.Queue) && o.size > 0 && o.at >= 0 {
			o.List = b.List(o.Queue, b.Step(o.Priority))
		}
	}
	return nil
}

func (n Names) unackedIndex() string { return n.Unacked() + "_index" }

// still keeps the entries that are there and the same.
func (b *Broker) still(ctx context.Context, entries []Orphan) ([]Orphan, error) {
	var kept []Orphan
	for page := range slices.Chunk(entries, pageSize) {
		tags := make([]string, len(page))
		for i, o := range page {
			tags[i] = o.Tag
		}
		values, err := b.rdb.HMGet(ctx, b.Unacked(), tags...).Result()
		if err != nil {
			return nil, b.describe("read unacknowledged messages", err)
		}
		for i, o := range page {
			if v, ok := values[i].(string); ok && digest(v) == o.Digest {
				kept = append(kept, o)
			}
		}
	}
	return kept, nil
}

// claims are what workers say that they hold.
type claims struct {
	holder  map[string]string // task id to worker
	limited map[string]bool   // tasks that some worker limits the rate of
}

func (c claims) worker(o Orphan) string {
	if o.ID == "" {
		return ""
	}
	return c.holder[o.ID]
}

// claims asks every worker, and refuses unless all of them answer. Messages
// that wait for a rate limit are in no answer, so those tasks are told apart.
func (b *Broker) claims(ctx context.Context) (claims, error) {
	states := []string{"active", "reserved", "scheduled", "registered"}
	var questions []question
	for _, m := range states {
		questions = append(questions, question{method: m})
	}
	a, err := b.control.round(ctx, questions...)
	if err != nil {
		return claims{}, b.describe("ask what workers hold", err)
	}
	c := claims{map[string]string{}, map[string]bool{}}
	for _, method := range states {
		if !a.complete(method) {
			return claims{}, &ErrIncomplete{[]string{fmt.Sprintf("%d of %d workers told what they hold", a.count[method], a.receivers)}}
		}
		for worker, value := range a.replies[method] {
			for _, r := range held(value, clean.Capped(worker, 100), method) {
				c.holder[r.ID] = r.Worker
			}
		}
	}
	for _, value := range a.replies["registered"] {
		c.limit(value)
	}
	return c, b.accounted(ctx, a.receivers)
}

// limit reads lines like "grading.tasks.x [rate_limit=10/m]".
func (c claims) limit(raw json.RawMessage) {
	var lines []string
	_ = json.Unmarshal(raw, &lines)
	for _, l := range lines {
		name, info, _ := strings.Cut(l, " ")
		if _, limit, ok := strings.Cut(info, "rate_limit="); ok && strings.Trim(limit, "0]") != "" {
			c.limited[clean.Capped(name, 200)] = true
		}
	}
}

// accounted refuses when more clients wait for tasks than workers listen: one
// works without remote control and cannot be asked, or one is about to stop. A
// message that is pushed while the latter's last BRPOP waits is lost with it.
func (b *Broker) accounted(ctx context.Context, receivers int) error {
	list, err := b.rdb.ClientList(ctx).Result()
	if r, refused := refused(err); refused && r.denied {
		return &ErrIncomplete{[]string{"who waits for tasks cannot be seen without the right to CLIENT LIST"}}
	}
	waiting := 0
	for _, line := range strings.Split(list, "\n") {
		if b.waitsForTasks(clientFields(line)) {
			waiting++
		}
	}
	if waiting > receivers {
		return &ErrIncomplete{[]string{fmt.Sprintf("%d clients wait for tasks, but %d workers can be asked", waiting, receivers)}}
	}
	return nil
}

// waitsForTasks tells workers from cockpits, which wait for replies.
func (b *Broker) waitsForTasks(client map[string]string) bool {
	name := client["name"]
	return client["cmd"] == "brpop" && strings.Contains(client["flags"], "b") && client["db"] == fmt.Sprint(b.DB) &&
		!strings.HasPrefix(name, "gradecockpit") && name != orElse(b.cfg.ClientName, "gradecockpit")
}

func clientFields(line string) map[string]string {
	fields := map[string]string{}
	for _, f := range strings.Fields(line) {
		k, v, _ := strings.Cut(f, "=")
		fields[k] = v
	}
	return fields
}

// giveBack restores entries, all or none. KEYS: the hash, the index, then the
// list of each. ARGV, for each: tag, digest, where the envelope begins and
// ends. They come newest first, so that the oldest is next in the end.
var giveBack = redis.NewScript(`
local moved = {'moved'}
for i = 3, #KEYS do
  local at = (i - 3) * 4
  local value = redis.call('HGET', KEYS[1], ARGV[at + 1])
  if not value or redis.sha1hex(value) ~= ARGV[at + 2] then table.insert(moved, ARGV[at + 1]) end
end
if #moved > 1 then return moved end
for i = 3, #KEYS do
  local at = (i - 3) * 4
  local value = redis.call('HGET', KEYS[1], ARGV[at + 1])
  redis.call('RPUSH', KEYS[i], string.sub(value, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])))
  redis.call('HDEL', KEYS[1], ARGV[at + 1])
  redis.call('ZREM', KEYS[2], ARGV[at + 1])
end
return {'ok', #KEYS - 2}`)

// RestoreOrphans puts what Orphans found back into its lists, each to run next
// and the oldest first, byte for byte, and says how many. It asks the workers
// again and refuses with *ErrClaimed, *ErrIncomplete or *ErrOrphansMoved.
func (b *Broker) RestoreOrphans(ctx context.Context, seen []Orphan) (n int64, err error) {
	if err := errors.Join(b.writable(), checkOrphans(seen)); err != nil || len(seen) == 0 {
		return 0, err
	}
	claims, err := b.claims(ctx)
	if err != nil {
		return 0, err
	}
	for _, o := range seen {
		if w := claims.worker(o); w != "" {
			return 0, &ErrClaimed{w, o.ID}
		}
		if claims.limited[o.Task] {
			return 0, &ErrIncomplete{[]string{"a worker limits the rate of " + o.Task + " and may hold task " + o.ID}}
		}
	}
	keys, args := []string{b.Unacked(), b.unackedIndex()}, []any{}
	for _, o := range slices.Backward(oldestFirst(seen)) {
		keys = append(keys, o.List)
		args = append(args, o.Tag, o.Digest, o.at+1, o.at+o.size)
	}
	reply, err := b.script(ctx, giveBack, keys, args...)
	switch {
	case err != nil:
		return 0, b.describe("restore unacknowledged messages", err)
	case reply[0] == "ok":
		return number(reply[1]), nil
	}
	moved := &ErrOrphansMoved{}
	for _, tag := range reply[1:] {
		moved.Tags = append(moved.Tags, clean.Capped(fmt.Sprint(tag), 80))
	}
	return 0, moved
}

func oldestFirst(orphans []Orphan) []Orphan {
	out := slices.Clone(orphans)
	slices.SortStableFunc(out, func(a, b Orphan) int {
		return cmp.Or(a.Delivered.Compare(b.Delivered), cmp.Compare(a.Tag, b.Tag))
	})
	return out
}

// checkOrphans refuses what cannot be put back without harm.
func checkOrphans(orphans []Orphan) error {
	for _, o := range orphans {
		switch {
		case o.Kills:
			return fmt.Errorf("restore orphans: task %s would kill the worker that takes it: %s", orElse(o.ID, "without id"), o.Bad)
		case o.List == "":
			return fmt.Errorf("restore orphans: it is not known in which queue task %s was", orElse(o.ID, "without id"))
		}
	}
	return nil
}
