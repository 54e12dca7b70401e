package celery

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// How many messages are read from each end of a list, however long it is.
const sampleEnd = 50

// look is one list at one moment. Length and both ends tell, for practical
// purposes, whether anything was pushed or popped since.
type look struct {
	queue        string
	key          string
	step         int
	len          int64
	newest, next string // raw messages at the producers' and the workers' end
}

func (l look) same(o look) bool {
	return l.len == o.len && l.newest == o.newest && l.next == o.next
}

// look reads all lists of the queues and the number of unacknowledged messages
// in one transaction: in separate calls a message on its way from one to the
// other would be seen in neither.
func (b *Broker) look(ctx context.Context, queues []string) (lists []look, unacked int64, err error) {
	pipe := b.rdb.TxPipeline()
	type asked struct {
		n            *redis.IntCmd
		newest, next *redis.StringCmd
	}
	var cmds []asked
	for _, q := range queues {
		for _, step := range b.PrioritySteps() {
			l := look{queue: q, key: b.List(q, step), step: step}
			lists = append(lists, l)
			cmds = append(cmds, asked{pipe.LLen(ctx, l.key), pipe.LIndex(ctx, l.key, 0), pipe.LIndex(ctx, l.key, -1)})
		}
	}
	held := pipe.HLen(ctx, b.Unacked())
	if _, err := pipe.Exec(ctx); err != nil && !tolerable(err) {
		if b.clustered(ctx) { // then it only says that the transaction was discarded
			err = errCluster
		}
		return nil, 0, b.describe("read the queues", err)
	}
	for i, c := range cmds {
		if err := errors.Join(c.n.Err(), held.Err()); err != nil && !isWrongType(c.n.Err()) {
			return nil, 0, b.describe("read the queue "+lists[i].queue, err)
		}
		lists[i].len, lists[i].newest, lists[i].next = c.n.Val(), c.newest.Val(), c.next.Val()
	}
	return lists, held.Val(), nil
}

// tolerable says that an error is about one key only. A key of another type
// that is called like a queue is no queue.
func tolerable(err error) bool { return errors.Is(err, redis.Nil) || isWrongType(err) }

// ends reads and decodes both ends of some lists, next to run first, in one
// round trip.
func (b *Broker) ends(ctx context.Context, lists []look) ([][]Message, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	pipe := b.rdb.Pipeline()
	var newest, oldest []*redis.StringSliceCmd
	for _, l := range lists {
		tail := int64(-2 * sampleEnd)
		var head *redis.StringSliceCmd
		if l.len > 2*sampleEnd {
			head, tail = pipe.LRange(ctx, l.key, 0, sampleEnd-1), -sampleEnd
		}
		newest, oldest = append(newest, head), append(oldest, pipe.LRange(ctx, l.key, tail, -1))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, b.describe("read the messages", err)
	}
	out := make([][]Message, len(lists))
	for i, l := range lists {
		raws := oldest[i].Val()
		if newest[i] != nil {
			raws = slices.Concat(newest[i].Val(), raws)
		}
		out[i] = decodeAll(raws, l)
	}
	return out, nil
}

// decodeAll decodes messages as a list holds them and turns them round.
func decodeAll(raws []string, l look) []Message {
	out := make([]Message, len(raws))
	for i, raw := range raws {
		out[len(raws)-1-i] = decodeIn([]byte(raw), l)
	}
	return out
}

// decodeIn decodes a message found in a list: where it lies counts more than
// what its envelope says.
func decodeIn(raw []byte, l look) Message {
	m := DecodeTask(raw)
	m.Queue = l.queue
	if m.Bad != "" {
		m.Priority = l.step
	}
	return m
}
