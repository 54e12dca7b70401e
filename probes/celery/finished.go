package celery

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// How much of the results one look reads, and when all are gone through again:
// announcements keep them up to date in between, so only a gap in those, or
// none coming at all, makes that urgent.
const (
	resultsALook  = 5000
	scansALook    = 8
	scanCount     = 1000
	sweepSeldom   = 5 * time.Minute
	sweepOften    = 20 * time.Second
	resultPage    = 500
	maxPendingLen = 200_000
)

// sweep goes through all results, a bounded part a look.
type sweep struct {
	b       *Broker
	began   time.Time
	ended   time.Time // of the last whole one
	gap     int       // of the listener when it began
	running bool
	scanned bool // the scan of this sweep has come to its end
	cursor  uint64
	pending []string // keys found and not read yet
	keys    int      // found in this sweep
	total   int      // found in the last whole one
}

// due says whether to begin anew.
func (s *sweep) due(now time.Time, gap int) bool {
	switch {
	case s.running:
		return false
	case s.began.IsZero() || gap != s.gap:
		return true
	case gap == 0:
		return now.Sub(s.ended) > sweepOften
	}
	return now.Sub(s.ended) > sweepSeldom
}

// step reads on into the ledger. expires is how long results are kept, from
// which the age of one that carries no time is told.
func (s *sweep) step(ctx context.Context, now time.Time, expires time.Duration) error {
	if s.b.resultsErr != nil {
		return s.b.resultsErr
	}
	w := s.b.watch
	if gap := w.results.gaps(); s.due(now, gap) {
		*s = sweep{b: s.b, began: now, ended: s.ended, gap: gap, running: true, total: s.total}
	}
	if !s.running {
		return nil
	}
	if err := s.scan(ctx); err != nil {
		return s.b.describe("look for results", err)
	}
	n := min(len(s.pending), resultsALook)
	if err := s.b.readResults(ctx, s.pending[:n], w.tasks, now, expires); err != nil {
		return err
	}
	if s.pending = s.pending[n:]; len(s.pending) == 0 && s.scanned {
		s.running, s.ended, s.total, s.pending = false, now, s.keys, nil
	}
	return nil
}

func (s *sweep) scan(ctx context.Context) error {
	prefix := resultKey(s.b.cfg.ResultPrefix, "")
	for i := 0; i < scansALook && !s.scanned && len(s.pending) < resultsALook; i++ {
		keys, cursor, err := s.b.results.Scan(ctx, s.cursor, literal(prefix)+"*", scanCount).Result()
		if err != nil {
			return err
		}
		s.keys += len(keys)
		for _, k := range keys {
			if len(s.pending) < maxPendingLen && !s.b.watch.tasks.ended(k[len(prefix):]) {
				s.pending = append(s.pending, k)
			}
		}
		s.cursor, s.scanned = cursor, cursor == 0
	}
	return nil
}

// readResults reads results by their keys, page by page, into the ledger.
func (b *Broker) readResults(ctx context.Context, keys []string, tasks *ledger, now time.Time, expires time.Duration) error {
	for at := 0; at < len(keys); at += resultPage {
		page := keys[at:min(at+resultPage, len(keys))]
		values, err := b.results.MGet(ctx, page...).Result()
		if err != nil {
			return b.describe("read results", err)
		}
		var open []Result
		for _, v := range values {
			raw, _ := v.(string)
			r, err := DecodeResult([]byte(raw))
			switch {
			case err != nil:
			case r.Done.IsZero():
				open = append(open, r)
			default:
				tasks.finish(r, r.Done, false)
			}
		}
		if err := b.aged(ctx, open, tasks, now, expires); err != nil {
			return err
		}
	}
	return nil
}

// aged files results that carry no time. A result's life begins anew with each
// change, so what is left of it tells when that was.
func (b *Broker) aged(ctx context.Context, results []Result, tasks *ledger, now time.Time, expires time.Duration) error {
	if len(results) == 0 {
		return nil
	}
	pipe := b.results.Pipeline()
	lives := make([]*redis.DurationCmd, len(results))
	for i, r := range results {
		lives[i] = pipe.PTTL(ctx, resultKey(b.cfg.ResultPrefix, r.TaskID))
	}
	_, _ = pipe.Exec(ctx) // a refused PTTL leaves the age unknown
	for i, r := range results {
		age := expires - lives[i].Val()
		if tasks.dated(r) { // from its announcement, which is exact
			continue
		}
		if known := lives[i].Val() > 0 && age >= 0; known {
			tasks.finishUnless(final, r, now.Add(-age), false)
			continue
		}
		tasks.finishUnless(final, r, now, true)
	}
	return nil
}
