package celery

import (
	"cmp"
	"context"
	"slices"
)

// maxNext is how many messages a plan shows one by one.
const maxNext = 20

// Contents is what a queue holds, for the plan of a purge.
type Contents struct {
	Queue   string
	Lists   Lists // as seen, for Quarantine
	Total   int64
	Counted int64 // how many were decoded; less than Total when the queue is very long
	Bad     int   // of those counted
	ByTask  []TaskCount
	ByCopy  []CopyCount
	Next    []Message // the first to run

	// What a purge does not reach. Unacked messages come back to the queue
	// when their worker stops or after the visibility timeout.
	Unacked []Message
	Held    []Running // of this queue, or of one that the worker does not name
	HeldErr string    // why Held or Unacked may lack some
}

// CopyCount counts messages by copy.
type CopyCount struct {
	CopyID string
	Count  int
}

// Contents reads a queue and what workers hold of it.
func (b *Broker) Contents(ctx context.Context, queue string) (Contents, error) {
	lists, _, err := b.look(ctx, []string{queue})
	if err != nil {
		return Contents{}, err
	}
	c := Contents{Queue: queue}
	tasks, copies := map[string]int{}, map[string]int{}
	for _, l := range lists {
		c.Lists.Seen = append(c.Lists.Seen, l.state())
		c.Total += l.len
		n, err := b.walk(ctx, l.key, l.len, maxSearch-c.Counted, func(raw string) error {
			c.count(DecodeTask([]byte(raw)), tasks, copies)
			return nil
		})
		if err != nil {
			return Contents{}, err
		}
		c.Counted += n
	}
	c.ByTask, c.ByCopy = sortedCounts(tasks), sortedCopies(copies)
	if err := c.first(ctx, b, lists); err != nil {
		return Contents{}, err
	}
	c.outOfReach(ctx, b)
	return c, nil
}

func (l look) state() ListState {
	s := ListState{Key: l.key, Step: l.step, Len: l.len}
	if l.len > 0 {
		s.Newest, s.Next = digest(l.newest), digest(l.next)
	}
	return s
}

func (c *Contents) count(m Message, tasks, copies map[string]int) {
	tasks[orElse(ShortTask(m.Task), Unreadable)]++
	if m.CopyID != "" {
		copies[m.CopyID]++
	}
	if m.Bad != "" {
		c.Bad++
	}
}

func sortedCopies(counts map[string]int) []CopyCount {
	out := make([]CopyCount, 0, len(counts))
	for id, n := range counts {
		out = append(out, CopyCount{id, n})
	}
	slices.SortFunc(out, func(a, b CopyCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.CopyID, b.CopyID))
	})
	return out
}

func (c *Contents) first(ctx context.Context, b *Broker, lists []look) error {
	lists = slices.DeleteFunc(slices.Clone(lists), func(l look) bool { return l.len == 0 })
	ends, err := b.ends(ctx, lists)
	if err != nil {
		return err
	}
	all := slices.Concat(ends...)
	c.Next = all[:min(len(all), maxNext)]
	return nil
}

// outOfReach tells what workers hold. Workers that cannot be asked make it
// incomplete, not the purge impossible.
func (c *Contents) outOfReach(ctx context.Context, b *Broker) {
	held, err := b.unacked(ctx)
	for _, m := range held {
		if m.Queue == c.Queue || m.Queue == "" {
			c.Unacked = append(c.Unacked, m)
		}
	}
	if err != nil {
		c.HeldErr = err.Error()
	}
	tasks, err := b.Held(ctx)
	for _, r := range tasks {
		if r.Queue == c.Queue || r.Queue == "" {
			c.Held = append(c.Held, r)
		}
	}
	if err != nil {
		c.HeldErr = err.Error()
	}
}
