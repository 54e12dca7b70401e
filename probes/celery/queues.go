package celery

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
)

// leastWait is what workers must be given to answer, lest they count as silent.
const leastWait = 250 * time.Millisecond

// Probe watches the broker. Its payload is an Overview.
type Probe struct {
	b *Broker

	mu          sync.Mutex
	server      string
	bindings    finder
	quarantined finder
	bound       []string // queues found in bindings
	cache       map[string]cached
	tracks      map[string]*track
	workers     known
}

// cached is what was decoded of a list that has not changed since.
type cached struct {
	look
	messages []Message
}

// NewProbe makes the probe of a broker.
func NewProbe(b *Broker) *Probe {
	return &Probe{
		b:           b,
		bindings:    finder{pattern: literal(b.Names.bindings()) + "*"},
		quarantined: finder{pattern: literal(b.quarantinePrefix()) + "*"},
		cache:       map[string]cached{},
		tracks:      map[string]*track{},
	}
}

// ID is "queues".
func (p *Probe) ID() probes.ID { return ID }

// Source is Redis.
func (p *Probe) Source() probes.SourceID { return probes.Redis }

// Sample reads depths and samples of all queues, and from time to time asks
// the workers and looks for further queues.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.find(ctx, now)
	names := p.b.known(p.bound)
	lists, unacked, err := p.b.look(ctx, names)
	if err != nil {
		return nil, err
	}
	if p.cache, err = p.b.read(ctx, lists, p.cache); err != nil {
		return nil, err
	}
	quarantines := p.b.countQuarantines(ctx, p.quarantined.found)
	p.workers = p.b.watch.look(ctx, now, depths(lists))
	o := Overview{
		Server: p.server, DB: p.b.DB, Unacked: unacked, Quarantines: quarantines,
		Workers: p.workers.roster.workers(), Receivers: p.workers.receivers,
		WorkersAt: p.workers.at, WorkersErr: probes.Brief(p.workers.err),
	}
	for i, name := range names {
		steps := len(p.b.PrioritySteps())
		q := p.queue(name, lists[i*steps:(i+1)*steps], now)
		o.Queues = append(o.Queues, q)
		o.Waiting += q.Depth
	}
	slices.SortStableFunc(o.Queues, func(a, b Queue) int { return cmp.Compare(b.Depth, a.Depth) })
	return o, nil
}

// find goes on looking for queues and quarantines. A user who may not look
// still sees the queues that are known by name.
func (p *Probe) find(ctx context.Context, now time.Time) {
	if ended, err := p.bindings.step(ctx, p.b.rdb, now); err == nil && ended {
		p.server = p.b.server(ctx)
		if bound, err := p.b.boundQueues(ctx, p.bindings.found); err == nil {
			p.bound = bound
		}
	}
	_, _ = p.quarantined.step(ctx, p.b.rdb, now)
}

// read decodes the lists that changed since the last sample.
func (b *Broker) read(ctx context.Context, lists []look, cache map[string]cached) (map[string]cached, error) {
	fresh := make(map[string]cached, len(lists))
	var changed []look
	for _, l := range lists {
		switch old, ok := cache[l.key]; {
		case ok && l.same(old.look):
			fresh[l.key] = old
		case l.len > 0:
			changed = append(changed, l)
		}
	}
	messages, err := b.ends(ctx, changed)
	if err != nil {
		return cache, err
	}
	for i, l := range changed {
		fresh[l.key] = cached{l, messages[i]}
	}
	return fresh, nil
}

// depths sums the lists of each queue.
func depths(lists []look) map[string]int64 {
	out := map[string]int64{}
	for _, l := range lists {
		out[l.queue] += l.len
	}
	return out
}

func (p *Probe) queue(name string, lists []look, now time.Time) Queue {
	q := Queue{Name: name, ByPriority: map[int]int64{}, Consumed: p.workers.consumes(name)}
	for _, l := range lists {
		q.Depth += l.len
		q.ByPriority[l.step] = l.len
		q.Sample = append(q.Sample, p.cache[l.key].messages...)
	}
	q.ByTask = countTasks(q.Sample)
	q.Sampled = int64(len(q.Sample)) < q.Depth
	if p.tracks[name] == nil {
		p.tracks[name] = &track{}
	}
	t := p.tracks[name]
	t.add(q.Depth, now)
	q.History = t.history()
	q.Slope, q.SlopeKnown = t.slope()
	q.Oldest = t.oldest(q.Sample, now)
	return q
}

// consumes judges by what the workers said. A silent worker may take any queue.
func (c census) consumes(queue string) Answer {
	for _, w := range c.answers {
		if slices.Contains(w.Queues, queue) {
			return Yes
		}
	}
	if c.receivers > 0 && c.all {
		return No
	}
	return Unknown
}

// ShortTask gives the last part of a dotted task name.
func ShortTask(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// Unreadable is what messages without a readable task are counted as.
const Unreadable = "(unreadable)"

func countTasks(messages []Message) []TaskCount {
	counts := map[string]int{}
	for _, m := range messages {
		counts[orElse(ShortTask(m.Task), Unreadable)]++
	}
	return sortedCounts(counts)
}

func sortedCounts(counts map[string]int) []TaskCount {
	out := make([]TaskCount, 0, len(counts))
	for task, n := range counts {
		out = append(out, TaskCount{task, n})
	}
	slices.SortFunc(out, func(a, b TaskCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Task, b.Task))
	})
	return out
}

// server gives name and version for the header, "" where INFO is refused.
func (b *Broker) server(ctx context.Context) string {
	info, err := b.rdb.InfoMap(ctx, "server").Result()
	if err != nil || info["Server"]["redis_version"] == "" {
		return ""
	}
	return "redis " + b.scrub(info["Server"]["redis_version"])
}
