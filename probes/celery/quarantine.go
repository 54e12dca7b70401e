package celery

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/internal/lazy"
)

// Lists is a queue as a plan saw it, to be checked again before it is moved.
type Lists struct {
	Seen []ListState
	// Whatever also takes what came and leaves out what went since: for a
	// busy queue, where an exact check never passes.
	Whatever bool
}

// ListState is one priority list as a plan saw it.
type ListState struct {
	Key    string
	Step   int
	Len    int64
	Newest string // SHA-1 in hex of the message at the producers' end; "" when empty
	Next   string // of the message that is next to run
}

// ErrMoved says that a queue is not what the plan saw. Nothing was moved.
type ErrMoved struct {
	Queue string
	Diffs []ListDiff
}

// ListDiff is one list that changed.
type ListDiff struct {
	Key         string
	WasLen      int64
	IsLen       int64
	NextChanged bool // another message is next to run
	EndChanged  bool // another message is the newest
}

// Error names every list that changed.
func (e *ErrMoved) Error() string {
	parts := make([]string, len(e.Diffs))
	for i, d := range e.Diffs {
		parts[i] = d.String()
	}
	return fmt.Sprintf("queue %s changed since it was looked at: %s", e.Queue, strings.Join(parts, "; "))
}

// String tells the difference in words.
func (d ListDiff) String() string {
	name := strings.ReplaceAll(d.Key, DefaultSep, " priority ")
	if d.WasLen != d.IsLen {
		return fmt.Sprintf("%s held %d, holds %d", name, d.WasLen, d.IsLen)
	}
	if d.NextChanged {
		return name + " has another message next to run"
	}
	return name + " has another newest message"
}

// The refusals of Quarantine.
var (
	ErrQuarantineExists = errors.New("a quarantine of this id and queue exists already")
	ErrQueueEmpty       = errors.New("the queue is empty")
)

func (b *Broker) quarantinePrefix() string { return b.Prefix + "cockpit:quarantine:" }

// quarantineList is the key that holds one priority list of a purged queue.
func (b *Broker) quarantineList(id, queue string, step int) string {
	return b.quarantinePrefix() + id + ":" + queue + b.suffix(step)
}

func (b *Broker) quarantineLists(id, queue string) []string {
	var keys []string
	for _, step := range b.PrioritySteps() {
		keys = append(keys, b.quarantineList(id, queue, step))
	}
	return keys
}

// An id is part of a key, and ends at its first colon.
var quarantineID = lazy.Regexp(`^[A-Za-z0-9_.-]{1,80}$`)

func checkTarget(queue, id string) error {
	if !plain(queue) || !quarantineID().MatchString(id) {
		return fmt.Errorf("quarantine %.80q of queue %.80q: not a usable name", id, queue)
	}
	return nil
}

// moveAway renames all priority lists of a queue in one step. KEYS are the
// lists, then their targets; ARGV is "exact" or "whatever", then length, newest
// and next of each list as seen. A target keeps no expiry of its source.
var moveAway = redis.NewScript(`
local n = #KEYS / 2
for i = 1, n do
  if redis.call('EXISTS', KEYS[n + i]) == 1 then return {'exists'} end
end
local total, moved = 0, {'moved'}
for i = 1, n do
  local len, newest, next_up = redis.call('LLEN', KEYS[i]), '', ''
  total = total + len
  if ARGV[1] == 'exact' then
    if len > 0 then
      newest = redis.sha1hex(redis.call('LINDEX', KEYS[i], 0))
      next_up = redis.sha1hex(redis.call('LINDEX', KEYS[i], -1))
    end
    local at = 2 + (i - 1) * 3
    if tostring(len) ~= ARGV[at] or newest ~= ARGV[at + 1] or next_up ~= ARGV[at + 2] then
      table.insert(moved, i); table.insert(moved, len)
      table.insert(moved, newest); table.insert(moved, next_up)
    end
  end
end
if #moved > 1 then return moved end
if total == 0 then return {'empty'} end
for i = 1, n do
  if redis.call('LLEN', KEYS[i]) > 0 then
    redis.call('RENAMENX', KEYS[i], KEYS[n + i])
    redis.call('PERSIST', KEYS[n + i])
  end
end
return {'ok', total}`)

// Quarantine moves everything that waits in a queue out of the workers' reach,
// at once and in order, and says how many messages that were. It refuses with
// *ErrMoved when the queue is not what was seen.
func (b *Broker) Quarantine(ctx context.Context, queue, id string, seen Lists) (moved int64, err error) {
	if err := errors.Join(b.writable(), checkTarget(queue, id)); err != nil {
		return 0, err
	}
	keys := slices.Concat(b.Lists(queue), b.quarantineLists(id, queue))
	args := []any{"whatever"}
	if !seen.Whatever {
		if args, err = b.seenArgs(queue, seen); err != nil {
			return 0, err
		}
	}
	reply, err := b.script(ctx, moveAway, keys, args...)
	if err != nil {
		return 0, b.describe("quarantine "+queue, err)
	}
	switch reply[0] {
	case "ok":
		return number(reply[1]), nil
	case "empty":
		return 0, ErrQueueEmpty
	case "exists":
		return 0, ErrQuarantineExists
	}
	return 0, movedError(queue, seen, reply[1:])
}

func (b *Broker) seenArgs(queue string, seen Lists) ([]any, error) {
	lists := b.Lists(queue)
	if len(seen.Seen) != len(lists) {
		return nil, fmt.Errorf("quarantine %s: the plan saw %d lists, the queue has %d", queue, len(seen.Seen), len(lists))
	}
	args := []any{"exact"}
	for i, s := range seen.Seen {
		if s.Key != lists[i] {
			return nil, fmt.Errorf("quarantine %s: the plan saw another queue", queue)
		}
		args = append(args, s.Len, s.Newest, s.Next)
	}
	return args, nil
}

// movedError reads the script's quadruples: index from 1, length, newest, next.
func movedError(queue string, seen Lists, reply []any) error {
	e := &ErrMoved{Queue: queue}
	for ; len(reply) >= 4; reply = reply[4:] {
		i := number(reply[0]) - 1
		if i < 0 || i >= int64(len(seen.Seen)) {
			continue
		}
		was := seen.Seen[i]
		e.Diffs = append(e.Diffs, ListDiff{
			Key: was.Key, WasLen: was.Len, IsLen: number(reply[1]),
			EndChanged: reply[2] != any(was.Newest), NextChanged: reply[3] != any(was.Next),
		})
	}
	return e
}

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}

// bringBack puts quarantined lists back, the quarantined messages first in
// line because they are older. The shorter side is the one that moves, so that
// a million messages return as fast as the few that came meanwhile allow.
// KEYS are the quarantine lists, then the queue's.
var bringBack = redis.NewScript(`
local n, total = #KEYS / 2, 0
for i = 1, n do
  local from, to = KEYS[i], KEYS[n + i]
  local old, new = redis.call('LLEN', from), redis.call('LLEN', to)
  total = total + old
  if old > 0 and new <= old then
    for _ = 1, new do redis.call('LPUSH', from, redis.call('RPOP', to)) end
    redis.call('RENAME', from, to)
  elseif old > 0 then
    for _ = 1, old do redis.call('RPUSH', to, redis.call('LPOP', from)) end
  end
end
return {total}`)

// Restore puts a quarantined queue back in its order, before what came
// meanwhile, and says how many messages that were: none when it was restored
// before. Nothing is lost or doubled while others push and pop.
func (b *Broker) Restore(ctx context.Context, id, queue string) (restored int64, err error) {
	if err := errors.Join(b.writable(), checkTarget(queue, id)); err != nil {
		return 0, err
	}
	keys := slices.Concat(b.quarantineLists(id, queue), b.Lists(queue))
	reply, err := b.script(ctx, bringBack, keys)
	if err != nil {
		return 0, b.describe("restore "+queue, err)
	}
	return number(reply[0]), nil
}

// Quarantines lists all purged queues that can be restored.
func (b *Broker) Quarantines(ctx context.Context) ([]Quarantine, error) {
	keys, err := b.scanAll(ctx, literal(b.quarantinePrefix())+"*")
	if err != nil {
		return nil, b.describe("look for quarantines", err)
	}
	return b.countQuarantines(ctx, keys), nil
}

// countQuarantines counts the messages of each, and leaves out what is gone,
// not readable for this user, or not of our making.
func (b *Broker) countQuarantines(ctx context.Context, keys []string) []Quarantine {
	var out []Quarantine
	var lens []*redis.IntCmd
	var parsed []Quarantine
	pipe := b.rdb.Pipeline()
	for _, k := range keys {
		if q, ok := b.parseQuarantine(k); ok {
			parsed, lens = append(parsed, q), append(lens, pipe.LLen(ctx, k))
		}
	}
	if len(parsed) == 0 {
		return nil
	}
	_, _ = pipe.Exec(ctx)
	for i, q := range parsed {
		n := lens[i].Val()
		at := slices.IndexFunc(out, func(o Quarantine) bool { return o.ID == q.ID && o.Queue == q.Queue })
		switch {
		case n == 0:
		case at >= 0:
			out[at].Count += n
		default:
			q.Count = n
			out = append(out, q)
		}
	}
	return out
}

func (b *Broker) parseQuarantine(key string) (Quarantine, bool) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(key, b.quarantinePrefix()), ":")
	queue, step, stepped := strings.Cut(rest, b.sep())
	if _, err := strconv.Atoi(step); stepped && err != nil || checkTarget(queue, id) != nil {
		return Quarantine{}, false
	}
	return Quarantine{ID: id, Queue: queue, At: idTime(id), Prefix: b.quarantinePrefix() + id + ":"}, true
}

var stamp = lazy.Regexp(`\d{8}T\d{6}Z`)

// idTime reads the time that an id carries: 20260201T143012Z anywhere in it,
// or that of a uuid of version 7.
func idTime(id string) time.Time {
	if t, err := time.Parse("20060102T150405Z", stamp().FindString(id)); err == nil {
		return t
	}
	if u, err := uuid.Parse(id); err == nil && u.Version() == 7 {
		sec, nsec := u.Time().UnixTime()
		return time.Unix(sec, nsec).UTC()
	}
	return time.Time{}
}

// digest is how the script and a plan compare messages without carrying them.
func digest(raw string) string {
	sum := sha1.Sum([]byte(raw))
	return hex.EncodeToString(sum[:])
}
