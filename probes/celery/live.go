package celery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gradecockpit/probes/clean"
)

// How many messages are read when a queue is searched, and how many at a time.
const (
	maxSearch = 100_000
	pageSize  = 500
)

// The states of a task that is not yet in a worker's hands, or is held there
// unacknowledged without the worker saying how.
const (
	StateWaiting = "waiting"
	StateUnacked = "unacked"
)

// ErrIncomplete comes with results that are right and may lack some.
type ErrIncomplete struct{ Why []string }

// Error gives every reason.
func (e *ErrIncomplete) Error() string {
	return "not everything was seen: " + strings.Join(e.Why, "; ")
}

// Live finds every task for a copy that waits, is held or runs. With
// *ErrIncomplete the tasks given exist and others may, unseen.
//
// Places are read in the order in which a message goes through them, so one
// that moves on meanwhile is found in the next place.
func (b *Broker) Live(ctx context.Context, copyID string) ([]Running, error) {
	s := search{b: b, want: newMatcher(copyID), found: map[string]Running{}}
	queues, err := b.allQueues(ctx)
	if err != nil {
		return nil, b.describe("look for queues", err)
	}
	if err := s.waiting(ctx, queues); err != nil {
		return nil, err
	}
	held, err := b.unacked(ctx)
	if err != nil && !s.incomplete(err) {
		return nil, err
	}
	for _, m := range held {
		s.add(m, StateUnacked)
	}
	if err := s.workers(ctx); err != nil && !s.incomplete(err) {
		return nil, err
	}
	return s.result()
}

type search struct {
	b     *Broker
	want  matcher
	found map[string]Running // by task id; a later place overrides an earlier
	order []string
	why   []string
	read  int64
}

func (s *search) incomplete(err error) bool {
	e, ok := err.(*ErrIncomplete)
	if ok {
		s.why = append(s.why, e.Why...)
	}
	return ok
}

func (s *search) result() ([]Running, error) {
	var out []Running
	for _, id := range s.order {
		out = append(out, s.found[id])
	}
	if len(s.why) > 0 {
		return out, &ErrIncomplete{s.why}
	}
	return out, nil
}

func (s *search) add(m Message, state string) {
	if s.want.raw(m.Raw) {
		s.put(Running{ID: m.ID, Task: m.Task, CopyID: m.CopyID, Args: m.Args, State: state, Queue: m.Queue})
	}
}

func (s *search) put(r Running) {
	key := orElse(r.ID, fmt.Sprintf("without id %d", len(s.order)))
	if _, seen := s.found[key]; !seen {
		s.order = append(s.order, key)
	}
	s.found[key] = r
}

func (s *search) waiting(ctx context.Context, queues []string) error {
	lists, _, err := s.b.look(ctx, queues)
	if err != nil {
		return err
	}
	for _, l := range lists {
		if l.len == 0 {
			continue
		}
		room := maxSearch - s.read
		n, err := s.b.walk(ctx, l.key, l.len, room, func(raw string) error {
			if s.want.raw([]byte(raw)) {
				s.add(decodeIn([]byte(raw), l), StateWaiting)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if s.read += n; l.len > room {
			s.why = append(s.why, fmt.Sprintf("%d of %d messages in %s were read", n, l.len, l.queue))
		}
	}
	return nil
}

func (s *search) workers(ctx context.Context) error {
	held, err := s.b.Held(ctx)
	for _, r := range held {
		if s.want.held(r) {
			s.put(r)
		}
	}
	return err
}

// Held is everything in the workers' hands, by their own word: running,
// reserved and scheduled. *ErrIncomplete says that a worker kept silent.
func (b *Broker) Held(ctx context.Context) ([]Running, error) {
	states := []string{"scheduled", "reserved", "active"}
	var questions []question
	for _, m := range states {
		questions = append(questions, question{method: m})
	}
	a, err := b.control.round(ctx, questions...)
	if err != nil {
		return nil, b.describe("ask what workers hold", err)
	}
	var out []Running
	for _, method := range states {
		for worker, value := range a.replies[method] {
			out = append(out, held(value, clean.Capped(worker, 100), strings.Replace(method, "active", "running", 1))...)
		}
	}
	if n := min(a.count["scheduled"], a.count["reserved"], a.count["active"]); n < a.receivers {
		return out, &ErrIncomplete{[]string{fmt.Sprintf("%d of %d workers answered", n, a.receivers)}}
	}
	return out, nil
}

// walk hands over at most limit raw messages of a list in pages. Of a longer
// list it reads both ends and leaves the middle.
func (b *Broker) walk(ctx context.Context, key string, length, limit int64, each func(raw string) error) (n int64, err error) {
	for _, part := range ranges(length, limit) {
		raws, err := b.rdb.LRange(ctx, key, part[0], part[1]).Result()
		if err != nil {
			return n, b.describe("read messages", err)
		}
		for _, raw := range raws {
			if err := each(raw); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// ranges gives the pages to read: producers' end first, so that messages which
// are pushed meanwhile make others be read twice, not missed.
func ranges(length, limit int64) [][2]int64 {
	var out [][2]int64
	head, tail := length, int64(0)
	if length > limit {
		head, tail = limit/2, limit-limit/2
	}
	for at := int64(0); at < head; at += pageSize {
		out = append(out, [2]int64{at, min(at+pageSize, head) - 1})
	}
	for at := tail; at > 0; at -= pageSize {
		out = append(out, [2]int64{-at, -max(at-pageSize, 0) - 1})
	}
	return out
}

// unacked reads the messages that workers hold, of any queue.
func (b *Broker) unacked(ctx context.Context) ([]Message, error) {
	var out []Message
	var cursor uint64
	for {
		pairs, next, err := b.rdb.HScan(ctx, b.Unacked(), cursor, "", pageSize).Result()
		if err != nil {
			return nil, b.describe("read unacknowledged messages", err)
		}
		for i := 1; i < len(pairs); i += 2 {
			out = append(out, decodeUnacked(pairs[i]))
		}
		if cursor = next; next == 0 {
			return out, nil
		}
		if len(out) >= maxSearch {
			return out, &ErrIncomplete{[]string{fmt.Sprintf("%d unacknowledged messages were read, there are more", len(out))}}
		}
	}
}

// decodeUnacked reads [envelope, exchange, routing key].
func decodeUnacked(value string) Message {
	var parts []json.RawMessage
	if json.Unmarshal([]byte(value), &parts) != nil || len(parts) != 3 {
		return Message{Bad: "an entry of unacked is not [envelope, exchange, routing key]", Raw: []byte(value)}
	}
	m := DecodeTask(parts[0])
	m.Queue = orElse(m.Queue, text(parts[2]))
	return m
}
