package probes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Entry is a probe with its schedule.
type Entry struct {
	Probe    Probe
	Schedule Schedule
}

// Hub runs probes in the background, one goroutine a source, and keeps the
// newest snapshot of each. Only the newest is kept: a slow reader misses
// samples, it never delays a probe.
type Hub struct {
	entries []Entry
	log     *slog.Logger
	dirty   chan struct{} // holds one: something is newer than the last Next

	mu      sync.Mutex
	snaps   map[ID]Snapshot
	wake    map[SourceID]chan struct{}
	pace    int // index into paces
	paused  bool
	visible map[ID]bool // nil: all
	hidden  int         // by how much the others slow down
	refresh map[ID]bool // asked for now, whatever the schedule says
}

// Paces are the refresh intervals one can choose; a schedule's interval is
// meant at DefaultPace and scales with the choice.
var paces = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

const (
	defaultPace = 2 * time.Second
	// Off-screen probes slow down by this much; they do not stop, because
	// findings and the header still need them.
	hiddenFactor = 4 // unless SlowHidden says otherwise
	// A probe gets this much beyond its deadline to notice it, then the hub
	// says that it hangs. It is still never run twice at once.
	grace = time.Second
	// backOffMost bounds the wait between attempts at a failing source: a
	// source that is back is seen within that time, without a restart.
	backOffMost = 15 * time.Second
)

// NewHub makes a hub; nothing runs before Run. log gets the stacks of probes
// that panic; nil discards them.
func NewHub(entries []Entry, log *slog.Logger) *Hub {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{
		entries: entries,
		log:     log,
		dirty:   make(chan struct{}, 1),
		snaps:   make(map[ID]Snapshot),
		wake:    make(map[SourceID]chan struct{}),
		pace:    slices.Index(paces, defaultPace),
		hidden:  hiddenFactor,
		refresh: make(map[ID]bool),
	}
	for _, e := range entries {
		if !e.Schedule.OnScreen {
			h.snaps[e.Probe.ID()] = Snapshot{ID: e.Probe.ID(), Source: e.Probe.Source()}
		}
		h.wake[e.Probe.Source()] = make(chan struct{}, 1)
	}
	return h
}

// Run samples until ctx ends and returns when the last probe has returned.
func (h *Hub) Run(ctx context.Context) {
	bySource := make(map[SourceID][]Entry)
	for _, e := range h.entries {
		bySource[e.Probe.Source()] = append(bySource[e.Probe.Source()], e)
	}
	var wg sync.WaitGroup
	for source, entries := range bySource {
		wg.Go(func() { h.loop(ctx, source, entries) })
	}
	wg.Wait()
}

// Next waits until something is newer than at the last call, gathers news for
// settle, and gives the newest set. There is one reader: two would share the
// news between them.
func (h *Hub) Next(ctx context.Context, settle time.Duration) (Set, error) {
	select {
	case <-ctx.Done():
		return Set{}, ctx.Err()
	case <-h.dirty:
	}
	if err := sleep(ctx, settle, nil); err != nil {
		return Set{}, err
	}
	select {
	case <-h.dirty:
	default:
	}
	return h.Latest(), nil
}

// Latest gives the newest set at once.
func (h *Hub) Latest() Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Set{maps.Clone(h.snaps)}
}

// SampleAll runs every probe once, all sources side by side, and gives the
// result: for one-shot commands. The probes of a source share the time that ctx
// leaves, so that a slow one does not use up that of the next. Those that run
// only on screen have to be named by SetVisible before.
func (h *Hub) SampleAll(ctx context.Context) Set {
	bySource := make(map[SourceID][]Entry)
	for _, e := range h.entries {
		bySource[e.Probe.Source()] = append(bySource[e.Probe.Source()], e)
	}
	var wg sync.WaitGroup
	for _, entries := range bySource {
		wg.Go(func() {
			entries = slices.DeleteFunc(entries, func(e Entry) bool { return !h.wanted(e) })
			for i, e := range entries {
				h.sampleShare(ctx, e, len(entries)-i)
			}
		})
	}
	wg.Wait()
	return h.Latest()
}

// Sample runs one probe and gives the result beside what the others saw last.
func (h *Hub) Sample(ctx context.Context, id ID) Set {
	for _, e := range h.entries {
		if e.Probe.ID() == id {
			h.sample(ctx, e)
		}
	}
	return h.Latest()
}

// sampleShare runs a probe within its part of the time that is left.
func (h *Hub) sampleShare(ctx context.Context, e Entry, parts int) {
	ctx, cancel := Share(ctx, parts)
	defer cancel()
	h.sample(ctx, e)
}

// Share cuts the time that is left into equal parts and gives the first.
func Share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
}

// Refresh runs every probe as soon as its source is free, even while paused.
func (h *Hub) Refresh() {
	h.change(func() {
		for _, e := range h.entries {
			h.refresh[e.Probe.ID()] = true
		}
	})
}

// SetPaused stops and restarts sampling.
func (h *Hub) SetPaused(paused bool) { h.change(func() { h.paused = paused }) }

// Paused tells whether sampling is stopped.
func (h *Hub) Paused() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused
}

// Faster and Slower change the pace by one step.
func (h *Hub) Faster() { h.change(func() { h.pace = max(h.pace-1, 0) }) }

// Slower is the other direction of Faster.
func (h *Hub) Slower() { h.change(func() { h.pace = min(h.pace+1, len(paces)-1) }) }

// Interval is the pace in force.
func (h *Hub) Interval() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return paces[h.pace]
}

// Every is how often a probe on screen looks at the pace in force, while it does
// well; 0 for one that is not here.
func (h *Hub) Every(id ID) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		if e.Probe.ID() == id {
			return h.paced(e.Schedule.Interval)
		}
	}
	return 0
}

// SetVisible names the probes that are on screen; the others slow down. nil
// means all but those that run only on screen.
func (h *Hub) SetVisible(ids []ID) {
	h.change(func() {
		h.visible = nil
		if ids != nil {
			h.visible = make(map[ID]bool, len(ids))
		}
		for _, id := range ids {
			h.visible[id] = true
		}
		for _, e := range h.entries {
			// Nobody asks it again: that it failed must not stay the state of its source.
			if id := e.Probe.ID(); e.Schedule.OnScreen && !h.visible[id] && h.snaps[id].Err != nil {
				delete(h.snaps, id)
			}
		}
	})
}

// wanted tells whether a probe is to run at all now.
func (h *Hub) wanted(e Entry) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !e.Schedule.OnScreen || h.visible[e.Probe.ID()]
}

// SlowHidden says how many times slower the probes are that are not on screen,
// at least once.
func (h *Hub) SlowHidden(times int) {
	h.change(func() { h.hidden = max(times, 1) })
}

// change alters the settings and lets every loop look at them again.
func (h *Hub) change(f func()) {
	h.mu.Lock()
	f()
	h.mu.Unlock()
	for _, c := range h.wake {
		notify(c)
	}
}

// due is when a probe should run next, counted from the end of its last run.
type due struct {
	entry    Entry
	last     time.Time // end of the last run; zero: never ran
	failures int
}

// loop is the one goroutine of a source. It runs whichever of its probes is
// most overdue, one at a time.
func (h *Hub) loop(ctx context.Context, source SourceID, entries []Entry) {
	queue := make([]*due, len(entries))
	for i, e := range entries {
		queue[i] = &due{entry: e}
	}
	for ctx.Err() == nil {
		next, wait := h.pick(queue, time.Now())
		if wait > 0 {
			if sleep(ctx, wait, h.wake[source]) != nil {
				return
			}
			continue
		}
		if h.sample(ctx, next.entry) {
			next.failures = 0
		} else {
			next.failures++
		}
		next.last = time.Now()
	}
}

// pick gives the probe to run next and how long to wait for it. Of several that
// are due, the one that has waited longest goes first, so none starves.
func (h *Hub) pick(queue []*due, now time.Time) (*due, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	best, wait := queue[0], time.Hour // an hour, or until something wakes us
	for _, d := range queue {
		if w := h.wait(d, now); w < wait || (w == wait && d.last.Before(best.last)) {
			best, wait = d, w
		}
	}
	return best, wait
}

// wait is how long until a probe is due; 0 when it is. Callers hold mu.
func (h *Hub) wait(d *due, now time.Time) time.Duration {
	switch {
	case d.entry.Schedule.OnScreen && !h.visible[d.entry.Probe.ID()]:
		return time.Hour
	case h.refresh[d.entry.Probe.ID()]:
		return 0
	case h.paused:
		return time.Hour
	case d.last.IsZero():
		return 0
	default:
		return max(0, d.last.Add(h.interval(d)).Sub(now))
	}
}

// interval is the time from the end of one run to the start of the next.
// Callers hold mu.
func (h *Hub) interval(d *due) time.Duration {
	id := d.entry.Probe.ID()
	step := h.paced(d.entry.Schedule.Interval)
	if h.visible != nil && !h.visible[id] {
		step *= time.Duration(h.hidden)
	}
	if d.failures > 0 {
		step = backOff(step, d.failures)
	}
	return step
}

// paced scales an interval by the pace in force, in floating point because the
// product of two durations overflows. Callers hold mu.
func (h *Hub) paced(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*paces[h.pace].Seconds()/defaultPace.Seconds()), 100*time.Millisecond)
}

// backOff doubles the wait with every failure up to backOffMost (or the
// ordinary interval where that is longer), plus jitter so that several
// cockpits do not come back to a sick source at the same moment.
func backOff(step time.Duration, failures int) time.Duration {
	wait := step << min(failures-1, 10)
	wait = min(wait, max(step, backOffMost))
	return wait*9/10 + rand.N(wait/5+1)
}

// sample runs a probe once and stores what it saw; it tells whether it went well.
func (h *Hub) sample(ctx context.Context, e Entry) bool {
	h.mu.Lock()
	delete(h.refresh, e.Probe.ID())
	deadline := min(e.Schedule.Deadline, h.paced(e.Schedule.Interval*9/10))
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	start := time.Now()
	done := make(chan outcome, 1)
	go func() { done <- h.guarded(ctx, e.Probe) }()

	hang := time.NewTimer(deadline + grace)
	defer hang.Stop()
	select {
	case out := <-done:
		return h.store(ctx, e.Probe, out, time.Since(start))
	case <-hang.C:
	}
	h.store(ctx, e.Probe, outcome{err: hanging(e.Probe, deadline)}, time.Since(start))
	return h.store(ctx, e.Probe, <-done, time.Since(start))
}

type outcome struct {
	payload any
	err     error
}

// guarded samples and turns a panic into an error: one broken probe must not
// take the cockpit down.
func (h *Hub) guarded(ctx context.Context, p Probe) (out outcome) {
	defer func() {
		if r := recover(); r != nil {
			h.log.Error("probe panicked", "probe", p.ID(), "panic", r, "stack", string(debug.Stack()))
			out = outcome{err: &Error{Source: p.Source(), Op: "read", Cause: fmt.Sprintf("the cockpit's own probe %q crashed", p.ID()),
				Next: "The other panes go on. Please report it with the log file.", Err: errors.New("panic")}}
		}
	}()
	payload, err := p.Sample(ctx)
	return outcome{payload, err}
}

func hanging(p Probe, deadline time.Duration) error {
	return &Error{Source: p.Source(), Op: "read", Cause: fmt.Sprintf("no answer within %v, and the call does not end", deadline),
		Next: "The cockpit waits for it and tries again.", Err: context.DeadlineExceeded}
}

// store keeps the outcome of a run. A failure keeps the last good payload.
func (h *Hub) store(ctx context.Context, p Probe, out outcome, cost time.Duration) bool {
	if out.err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return false // we are leaving: that is no failure of the source
	}
	now := time.Now()
	h.mu.Lock()
	s := h.snaps[p.ID()]
	s.ID, s.Source = p.ID(), p.Source()
	s.Seq++
	s.At, s.Cost, s.Err = now, cost, out.err
	if out.err == nil {
		s.Payload, s.Good, s.FailedSince = out.payload, now, time.Time{}
	} else if s.FailedSince.IsZero() {
		s.FailedSince = now
	}
	h.snaps[p.ID()] = s
	h.mu.Unlock()
	notify(h.dirty)
	return out.err == nil
}

// notify puts a token into a one-slot channel, where there is none yet.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits for d, or for a token in wake, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
	case <-t.C:
	}
	return nil
}
