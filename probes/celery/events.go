package celery

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/clean"
)

// How a listener keeps its connection: a silence this long is broken by a
// ping, and a connection that broke is made again after a pause that doubles.
const (
	quiet        = 5 * time.Second
	retryAtFirst = 250 * time.Millisecond
	retryAtMost  = 5 * time.Second
)

// listener subscribes to patterns on one connection of its own, and again when
// that breaks, until it is closed. It starts when it is first wanted.
type listener struct {
	rdb      *redis.Client
	patterns []string
	handle   func(channel, payload string, at time.Time)

	mu     sync.Mutex
	cancel context.CancelFunc // nil before the start
	sub    *redis.PubSub
	done   chan struct{}
	closed bool
	// gap counts the connections: whoever reads the state of things once has
	// to read it again when this has changed.
	gap int
}

func (l *listener) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.done = cancel, make(chan struct{})
	go l.run(ctx)
}

func (l *listener) run(ctx context.Context) {
	defer close(l.done)
	for wait := retryAtFirst; ; wait = min(2*wait, retryAtMost) {
		if l.listen(ctx) {
			wait = retryAtFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// listen hears until the connection breaks. It says whether there was one.
func (l *listener) listen(ctx context.Context) (connected bool) {
	sub := l.open(ctx)
	if sub == nil {
		return false
	}
	defer func() { _ = sub.Close() }()
	asked := false // whether a ping is on its way
	for ctx.Err() == nil {
		m, err := sub.ReceiveTimeout(ctx, quiet)
		var refused redis.Error
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			connected = l.take(m) || connected
		case errors.As(err, &refused): // one of the patterns; the others may be allowed
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if sub.Ping(ctx) != nil {
				return connected
			}
		default:
			return connected
		}
	}
	return connected
}

// open subscribes to each pattern by itself, because an ACL may allow only
// some of them.
func (l *listener) open(ctx context.Context) *redis.PubSub {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.sub = l.rdb.PSubscribe(ctx)
	for _, p := range l.patterns {
		if l.sub.PSubscribe(ctx, p) != nil {
			_ = l.sub.Close()
			return nil
		}
	}
	return l.sub
}

func (l *listener) take(m any) (subscribed bool) {
	switch m := m.(type) {
	case *redis.Subscription:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.gap++
		return true
	case *redis.Message:
		l.handle(m.Channel, m.Payload, time.Now())
	}
	return false
}

// gaps is 0 until it listens, and another number after each interruption.
func (l *listener) gaps() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gap
}

func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	started := l.cancel != nil
	if started {
		l.cancel()
	}
	if l.sub != nil {
		_ = l.sub.Close() // wakes the reader
	}
	l.mu.Unlock()
	if started {
		<-l.done
	}
}

// beat is the newest event of a worker.
type beat struct {
	at      time.Time // our clock
	offline bool
	version string // "celery 5.2.6"
	active  int
}

// maxBeats bounds the workers that are remembered by their events: anybody may
// send events under any name.
const maxBeats = 1000

// heard is what the events told.
type heard struct {
	mu     sync.Mutex
	beats  map[string]beat
	change time.Time // when a worker last came or went
}

// event reads one message of the event channels. Some workers send one event
// a message, others a list of them.
func (h *heard) event(payload string, at time.Time, tasks *ledger) {
	e, err := open([]byte(payload))
	if err != nil {
		return
	}
	body, err := e.body()
	if err != nil {
		return
	}
	var list []map[string]json.RawMessage
	if isObject(body) {
		list = make([]map[string]json.RawMessage, 1)
		err = json.Unmarshal(body, &list[0])
	} else {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		return
	}
	for _, m := range list {
		switch kind := text(m["type"]); {
		case strings.HasPrefix(kind, "worker-"):
			h.worker(kind, m, at)
		case strings.HasPrefix(kind, "task-"):
			tasks.event(kind, m, at)
		}
	}
}

func (h *heard) worker(kind string, m map[string]json.RawMessage, at time.Time) {
	name := clean.Capped(text(m["hostname"]), 100)
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.beats[name]
	if name == "" || !known && len(h.beats) >= maxBeats {
		return
	}
	b := beat{at: at, offline: kind == "worker-offline", active: whole(m["active"]), version: old.version}
	if v := text(m["sw_ver"]); v != "" {
		b.version = "celery " + clean.Capped(v, 40)
	}
	if !known || b.offline != old.offline || kind == "worker-online" {
		h.change = at
	}
	h.beats[name] = b
}

// news gives a copy of the newest events, and when a worker last came or went.
func (h *heard) news() (beats map[string]beat, change time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	beats = make(map[string]beat, len(h.beats))
	for name, b := range h.beats {
		beats[name] = b
	}
	return beats, h.change
}
