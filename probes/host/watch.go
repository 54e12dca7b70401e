package host

import (
	"context"
	"sync"
	"time"
)

// patience is how long a stat may take before its file system counts as
// hanging. A local one answers in a millisecond.
const patience = time.Second

// watch runs calls that may never come back, such as a stat on a mount whose
// server is gone: nothing can end those. Under each key there is one call at
// most, so however often one looks, one goroutine waits.
type watch struct {
	mu    sync.Mutex
	calls map[string]*call
}

type call struct {
	since time.Time
	done  chan struct{}
}

// try runs f and waits for it, no longer than wait. When ok is false f has not come back (or an
// earlier call has not, and f was not begun), and what f writes must not be
// looked at; since is when the call in flight began.
func (w *watch) try(ctx context.Context, key string, wait time.Duration, f func()) (since time.Time, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		c, mine := w.begin(key)
		if mine {
			go w.run(key, c, f)
		} else if time.Since(c.since) > wait {
			return c.since, false
		}
		select {
		case <-c.done:
			if mine {
				return c.since, true
			}
		case <-ctx.Done():
			return c.since, false
		}
	}
}

// begin gives the call in flight, or a new one that is the caller's to run.
func (w *watch) begin(key string) (c *call, mine bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.calls[key]; c != nil {
		return c, false
	}
	if w.calls == nil {
		w.calls = map[string]*call{}
	}
	c = &call{since: time.Now(), done: make(chan struct{})}
	w.calls[key] = c
	return c, true
}

func (w *watch) run(key string, c *call, f func()) {
	defer close(c.done)
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.calls, key)
	}()
	f()
}
