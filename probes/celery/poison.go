package celery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// ErrNotThere says that a message is not in its list any more: a worker took
// it, and may have died of it and put it back elsewhere.
var ErrNotThere = errors.New("the message is not in its list any more")

// Poison finds waiting messages that kill the worker that takes them, next to
// run first, queue by queue. Queue and Priority say in which list each lies.
// *ErrIncomplete says that not all messages were read.
func (b *Broker) Poison(ctx context.Context) ([]Message, error) {
	queues, err := b.allQueues(ctx)
	if err != nil {
		return nil, b.describe("look for queues", err)
	}
	lists, _, err := b.look(ctx, queues)
	if err != nil {
		return nil, err
	}
	var out []Message
	var why []string
	room := int64(maxSearch)
	for _, l := range lists {
		var found []Message
		n, err := b.walk(ctx, l.key, l.len, room, func(raw string) error {
			if m := decodeIn([]byte(raw), l); m.Kills {
				found = append(found, m)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Reverse(found)
		out = append(out, found...)
		if room -= n; n < l.len {
			why = append(why, fmt.Sprintf("%d of %d messages in %s were read", n, l.len, l.queue))
		}
	}
	if len(why) > 0 {
		return out, &ErrIncomplete{why}
	}
	return out, nil
}

// setAside moves one message, the one nearest to its turn, to a list of its
// own. KEYS: list, target. ARGV: the message.
var setAside = redis.NewScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then return {'exists'} end
redis.call('RPUSH', KEYS[2], ARGV[1])
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 1 then return {'ok'} end
redis.call('DEL', KEYS[2])
return {'gone'}`)

// RemovePoison takes exactly one message that cannot be read, or kills, out of
// its queue into the quarantine of that id, from where Restore puts it back.
// Everything else stays where it is. It refuses sound messages, and with
// ErrNotThere or ErrQuarantineExists.
func (b *Broker) RemovePoison(ctx context.Context, m Message, id string) error {
	if err := errors.Join(b.writable(), checkTarget(m.Queue, id)); err != nil {
		return err
	}
	if m.Bad == "" {
		return fmt.Errorf("remove poison: task %s is sound", m.ID)
	}
	step := b.Step(m.Priority)
	keys := []string{b.List(m.Queue, step), b.quarantineList(id, m.Queue, step)}
	reply, err := b.script(ctx, setAside, keys, m.Raw)
	switch {
	case err != nil:
		return b.describe("remove a message from "+m.Queue, err)
	case reply[0] == "gone":
		return ErrNotThere
	case reply[0] == "exists":
		return ErrQuarantineExists
	}
	return nil
}

// Digest identifies a message by its bytes, for plans and the journal.
func (m Message) Digest() string { return digest(string(m.Raw)) }
