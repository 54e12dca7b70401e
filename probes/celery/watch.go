package celery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How often workers are asked. Control runs in a worker's main loop, where a
// round takes some milliseconds: once a refresh at the ordinary pace, sooner
// when one kept silent, and seldom when one does so for long, because each
// round then waits for it in vain.
const (
	askEvery  = 1500 * time.Millisecond
	askSoon   = time.Second
	askSeldom = 5 * time.Second
)

// watch is what a broker's probes know together of its workers and of their
// tasks, so that workers are asked once for all probes.
type watch struct {
	b       *Broker
	heard   heard
	tasks   *ledger
	events  []*listener // one, and another when results are on another server
	results *listener   // the one of them that hears results

	mu       sync.Mutex
	census   census
	at       time.Time // when the census began; zero: never asked
	ended    time.Time // when it ended
	err      error
	roster   roster
	versions map[string]string // by process
}

func newWatch(b *Broker) *watch {
	w := &watch{b: b, tasks: newLedger(), versions: map[string]string{}, heard: heard{beats: map[string]beat{}}}
	own := &listener{rdb: b.rdb, patterns: b.EventPatterns(), handle: w.hear}
	w.events, w.results = []*listener{own}, own
	meta := literal(resultKey(b.cfg.ResultPrefix, "")) + "*"
	switch {
	case b.resultsErr != nil:
	case sameServer(b):
		own.patterns = append(own.patterns, meta)
	default:
		w.results = &listener{rdb: b.results, patterns: []string{meta}, handle: w.hear}
		w.events = append(w.events, w.results)
	}
	return w
}

// sameServer: publishing knows no databases, so their numbers do not matter.
func sameServer(b *Broker) bool {
	own, results := b.rdb.Options(), b.results.Options()
	return b.rdb == b.results || own.Network == results.Network && own.Addr == results.Addr && !isSentinel(b.cfg.ResultURL)
}

func (w *watch) hear(channel, payload string, at time.Time) {
	if prefix := resultKey(w.b.cfg.ResultPrefix, ""); len(channel) > len(prefix) && channel[:len(prefix)] == prefix {
		if r, err := DecodeResult([]byte(payload)); err == nil {
			w.tasks.finish(r, at, false)
		}
		return
	}
	w.heard.event(payload, at, w.tasks)
}

func (w *watch) listen() {
	for _, l := range w.events {
		l.start()
	}
}

func (w *watch) close() {
	for _, l := range w.events {
		l.close()
	}
}

// known is the state of the watch at one moment.
type known struct {
	census
	at     time.Time
	err    error
	roster roster
}

// look asks the workers when it is due and judges them. depth are the waiting
// messages by queue. Without time to wait for answers it gives what is known.
func (w *watch) look(ctx context.Context, now time.Time, depth map[string]int64) known {
	w.listen()
	w.mu.Lock()
	defer w.mu.Unlock()
	deadline, ok := ctx.Deadline()
	if w.due(now) && !(ok && time.Until(deadline) < leastWait) {
		w.ask(ctx, now, depth)
	}
	return known{w.census, w.at, w.err, w.roster}
}

func (w *watch) due(now time.Time) bool {
	_, change := w.heard.news()
	age := now.Sub(w.ended)
	if w.roster.mute() {
		return age >= askSeldom || change.After(w.at)
	}
	soon := !w.roster.settled() || w.tasks.riddles().After(w.at)
	return age >= askEvery || change.After(w.at) || age >= askSoon && soon
}

func (w *watch) ask(ctx context.Context, now time.Time, depth map[string]int64) {
	w.at = now
	defer func() { w.ended = time.Now() }()
	c, err := w.b.census(ctx, w.unversioned())
	if w.err = err; err != nil {
		return
	}
	s := sight{at: now, depth: depth, receivers: c.receivers, replies: c.replies, taken: c.all, answered: map[string]answer{}}
	s.beats, _ = w.heard.news()
	for _, a := range c.answers {
		a.Version = w.version(a.Worker, s.beats[a.Name])
		s.answered[a.Name] = a
	}
	w.b.evidence(ctx, &s)
	s.unfinished = w.b.unfinished(ctx, w.roster.vanishedTasks(s))
	w.census, w.roster = c, w.roster.next(s)
}

// unversioned says that the versions have to be asked for: always at first,
// then when a worker came whose events do not tell.
func (w *watch) unversioned() bool {
	if w.at.IsZero() || len(w.versions) == 0 {
		return true
	}
	return slices.ContainsFunc(w.census.answers, func(a answer) bool {
		_, asked := w.versions[process(a.Worker)]
		return !asked
	})
}

// version remembers what a process said, also that it said nothing.
func (w *watch) version(a Worker, b beat) string {
	key := process(a)
	if len(w.versions) >= maxBeats {
		w.versions = map[string]string{}
	}
	w.versions[key] = orElse(orElse(b.version, a.Version), w.versions[key])
	return w.versions[key]
}

func process(a Worker) string { return fmt.Sprintf("%d %s", a.PID, a.Name) }

// vanishedTasks are the tasks that workers ran which do not answer now.
func (r roster) vanishedTasks(s sight) []string {
	var ids []string
	for name, m := range r {
		if _, there := s.answered[name]; there {
			continue
		}
		for _, t := range m.Running {
			ids = append(ids, t.ID)
		}
	}
	return ids
}
