package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gradecockpit/probes/clean"
)

// Worker asks one worker what it is, which queues it takes, and what it runs
// and holds: Running has the reserved and scheduled tasks too, told apart by
// their State. *ErrSilent when it does not answer. Nothing judges its state.
func (b *Broker) Worker(ctx context.Context, name string) (Worker, error) {
	if err := checkWorkers([]string{name}); err != nil {
		return Worker{}, err
	}
	var questions []question
	for _, m := range []string{"active_queues", "stats", "active", "reserved", "scheduled"} {
		questions = append(questions, question{method: m, to: []string{name}})
	}
	a, err := b.control.round(ctx, questions...)
	if err != nil {
		return Worker{}, b.describe("ask "+clean.Capped(name, 100), err)
	}
	for _, q := range questions {
		if a.replies[q.method][name] == nil {
			return Worker{}, &ErrSilent{name}
		}
	}
	w := Worker{Name: clean.Capped(name, 100), Prefetch: -1, Queues: queueNames(a.replies["active_queues"][name])}
	w.stats(a.replies["stats"][name])
	w.Processes = processes(a.replies["stats"][name])
	reserved := held(a.replies["reserved"][name], w.Name, "reserved")
	scheduled := held(a.replies["scheduled"][name], w.Name, "scheduled")
	w.Reserved, w.Scheduled = len(reserved), len(scheduled)
	w.Running = append(append(held(a.replies["active"][name], w.Name, "running"), reserved...), scheduled...)
	return w, nil
}

// processes reads stats.pool.processes; pools of threads have none.
func processes(stats json.RawMessage) []int {
	var s struct {
		Pool struct{ Processes []int }
	}
	_ = json.Unmarshal(stats, &s) // another shape: none are known
	return s.Pool.Processes
}

// RateLimits are the tasks that a worker knows, each with its limit as Celery
// writes it: "10/m"; "" is without. *ErrSilent when it does not answer.
func (b *Broker) RateLimits(ctx context.Context, worker string) (map[string]string, error) {
	if err := checkWorkers([]string{worker}); err != nil {
		return nil, err
	}
	a, err := b.control.round(ctx, question{method: "registered", to: []string{worker}})
	if err != nil {
		return nil, b.describe("ask for the rate limits", err)
	}
	var lines []string
	if raw := a.replies["registered"][worker]; raw == nil || json.Unmarshal(raw, &lines) != nil {
		return nil, &ErrSilent{worker}
	}
	limits := map[string]string{}
	for _, l := range lines {
		name, info, _ := strings.Cut(l, " ")
		_, limit, _ := strings.Cut(strings.TrimRight(info, "]"), "rate_limit=")
		limit, _, _ = strings.Cut(limit, " ")
		if limit == "0" {
			limit = ""
		}
		limits[clean.Capped(name, 200)] = clean.Capped(limit, 40)
	}
	return limits, nil
}

// Bound tells whether a worker's name is on the list of those that can be
// controlled. It takes it off when it stops in order; a killed one never does.
func (b *Broker) Bound(ctx context.Context, worker string) (bool, error) {
	member := b.sep() + b.sep() + worker + ".celery.pidbox"
	bound, err := b.rdb.SIsMember(ctx, b.bindings()+"celery.pidbox", member).Result()
	if err != nil {
		return false, b.describe("look whether "+clean.Capped(worker, 100)+" is bound", err)
	}
	return bound, nil
}

// Depth counts the messages that wait in some queues.
func (b *Broker) Depth(ctx context.Context, queues ...string) (n int64, err error) {
	lists, _, err := b.look(ctx, queues)
	for _, l := range lists {
		n += l.len
	}
	return n, err
}

// Killers counts the messages of a quarantine that kill the worker that takes
// them. Of a very long one both ends are read.
func (b *Broker) Killers(ctx context.Context, id, queue string) (n int64, err error) {
	if err := checkTarget(queue, id); err != nil {
		return 0, err
	}
	for _, key := range b.quarantineLists(id, queue) {
		length, err := b.rdb.LLen(ctx, key).Result()
		if err != nil {
			return n, b.describe("read a quarantine", err)
		}
		_, err = b.walk(ctx, key, length, maxSearch, func(raw string) error {
			if DecodeTask([]byte(raw)).Kills {
				n++
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// FindTask finds the message of a task by its id: among those that wait
// (StateWaiting), then among those that workers hold (StateUnacked). found is
// false when it is in neither; with *ErrIncomplete it may be there, unseen.
func (b *Broker) FindTask(ctx context.Context, id string) (m Message, state string, found bool, err error) {
	if !plain(id) {
		return Message{}, "", false, fmt.Errorf("task id %.80q cannot be looked for", id)
	}
	queues, err := b.allQueues(ctx)
	if err != nil {
		return Message{}, "", false, b.describe("look for queues", err)
	}
	lists, _, err := b.look(ctx, queues)
	if err != nil {
		return Message{}, "", false, err
	}
	left, why := int64(maxSearch), []string(nil)
	for _, l := range lists {
		n, err := b.walk(ctx, l.key, l.len, left, func(raw string) error {
			if strings.Contains(raw, id) {
				if d := decodeIn([]byte(raw), l); d.ID == id {
					m, found = d, true
					return errFound
				}
			}
			return nil
		})
		if found {
			return m, StateWaiting, true, nil
		}
		if err != nil {
			return Message{}, "", false, err
		}
		if left -= n; n < l.len {
			why = append(why, fmt.Sprintf("%d of %d messages in %s were read", n, l.len, l.queue))
		}
	}
	held, err := b.unacked(ctx)
	for _, m := range held {
		if m.ID == id {
			return m, StateUnacked, true, nil
		}
	}
	var some *ErrIncomplete
	if errors.As(err, &some) {
		why, err = append(why, some.Why...), nil
	}
	if err == nil && len(why) > 0 {
		err = &ErrIncomplete{why}
	}
	return Message{}, "", false, err
}

var errFound = errors.New("found")
