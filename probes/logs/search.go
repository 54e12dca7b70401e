package logs

import (
	"context"
	"slices"
	"time"

	"gradecockpit/probes"
)

// The first partial result comes after firstSay, then one every sayEvery.
const (
	firstSay = 25 * time.Millisecond
	sayEvery = 150 * time.Millisecond
)

// Search reads the files backwards from their newest record, in bounded memory.
// It looks at the files as they are now and may run beside Sample.
func (d *Folder) Search(ctx context.Context, q Query, say func(Result)) (Result, error) {
	q = q.withDefaults()
	res := Result{Query: q}
	m, err := d.merge(ctx, q, false)
	if err != nil {
		return Result{}, err
	}
	defer m.close()
	if say != nil {
		m.tick = time.NewTicker(firstSay)
		m.say = func() {
			m.tick.Reset(sayEvery)
			part := res
			part.Lines, part.Extent, part.Truncated = slices.Clone(res.Lines), m.extent, true
			say(part)
		}
	}
	full := false
	for h, ok := m.next(); ok; h, ok = m.next() {
		if full = len(res.Lines) == q.Limit; full {
			break
		}
		res.Lines = append(res.Lines, h.Line)
	}
	res.Extent, res.Done = m.extent, true
	res.Truncated = res.Truncated || full
	return res, m.failure()
}

// Each gives every record that q finds.
func (d *Folder) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	m, err := d.merge(ctx, q.withDefaults(), false)
	if err != nil {
		return Extent{}, err
	}
	defer m.close()
	for h, ok := m.next(); ok; h, ok = m.next() {
		if !do(h.Line) {
			m.extent.Truncated = true
			break
		}
	}
	return m.extent, m.failure()
}

// merge gives the records of all logs of the folder, newest first.
type merge struct {
	ctx     context.Context
	files   *opened
	pool    *pool
	streams []*stream
	extent  Extent
	tick    *time.Ticker // nil: nobody wants partial results
	say     func()
}

func (d *Folder) merge(ctx context.Context, q Query, lean bool) (*merge, error) {
	if err := ctx.Err(); err != nil {
		return nil, stopped(err)
	}
	files, err := d.openAll()
	if err != nil {
		return nil, err
	}
	m := &merge{ctx: ctx, files: files, pool: newPool(ctx, q, lean)}
	m.extent.Total, m.extent.Skipped = files.total, files.skipped
	for _, l := range files.logs {
		m.streams = append(m.streams, newStream(l, &q, m.pool, m.skip))
	}
	return m, nil
}

func stopped(err error) error {
	return &probes.Error{Source: probes.Logs, Op: "search", Cause: "stopped before the end", Err: err}
}

func (m *merge) failure() error {
	if err := m.ctx.Err(); err != nil {
		m.extent.Truncated = true
		return stopped(err)
	}
	return nil
}

func (m *merge) close() {
	if m.tick != nil {
		m.tick.Stop()
	}
	m.pool.close()
	m.files.close()
}

// next gives the newest record that was not given yet. ok is false at the end,
// of the logs or of ctx.
func (m *merge) next() (h hit, ok bool) {
	for m.ctx.Err() == nil {
		s := m.newest()
		if s == nil {
			return hit{}, false
		}
		if n := len(s.hits); n > 0 {
			h, s.hits = s.hits[n-1], s.hits[:n-1]
			return h, true
		}
		m.advance(s)
	}
	m.extent.Truncated = true
	return hit{}, false
}

// newest is the log that may have the newest record.
func (m *merge) newest() (best *stream) {
	var bestAt time.Time
	for _, s := range m.streams {
		at, known := s.front()
		switch {
		case s.ended && len(s.hits) == 0:
		case !known:
			return s
		case best == nil || at.After(bestAt):
			best, bestAt = s, at
		}
	}
	return best
}

// advance waits for the next block of a log.
func (m *merge) advance(s *stream) {
	s.schedule()
	if len(s.ahead) == 0 {
		s.ended = true
		return
	}
	b := m.wait(s.ahead[0].out)
	s.ahead = s.ahead[1:]
	s.take(b)
	m.note(b)
	s.schedule()
}

// wait gives the result of a block, and partial results while it takes.
func (m *merge) wait(out <-chan scanned) scanned {
	if m.tick == nil {
		return <-out
	}
	for {
		select {
		case <-m.tick.C:
			m.say()
		case b := <-out:
			return b
		}
	}
}

// note adds a block to what was looked at.
func (m *merge) note(b scanned) {
	if !b.part.packed {
		m.extent.Bytes += b.to - b.from
	}
	if !b.first.IsZero() && (m.extent.Oldest.IsZero() || b.first.Before(m.extent.Oldest)) {
		m.extent.Oldest = b.first
	}
	if m.ctx.Err() == nil && b.skipped != nil {
		m.skip(failure("read", b.part.path, b.skipped))
	}
	if b.from == 0 && b.part.packed {
		m.extent.Bytes += b.part.info.Size()
		b.part.release()
	}
}

// skip notes what could not be read.
func (m *merge) skip(err error) {
	if err != nil {
		m.extent.Skipped = append(m.extent.Skipped, probes.Brief(err))
	}
}

// all hands over what every block of every log gave, log by log, the newest
// block first: for what is counted, where the order does not matter.
func (m *merge) all(do func([]hit)) error {
	for _, s := range m.streams {
		s.window, s.size = 4*scanners(), blockSize
		for !s.ended && m.ctx.Err() == nil {
			m.advance(s)
			if len(s.hits) > 0 {
				do(s.hits)
				s.hits = nil
			}
		}
	}
	return m.failure()
}

// scanAll is all for the folder.
func (d *Folder) scanAll(ctx context.Context, q Query, lean bool, do func([]hit)) (Extent, error) {
	m, err := d.merge(ctx, q.withDefaults(), lean)
	if err != nil {
		return Extent{}, err
	}
	defer m.close()
	err = m.all(do)
	return m.extent, err
}
