package logs

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// pool scans blocks by several goroutines.
type pool struct {
	work chan job
	all  sync.WaitGroup
}

// job is a block with the place for what it gives.
type job struct {
	block
	out chan scanned // of room 1: a scanner never waits
}

// scanners is how many blocks are scanned at once. More than a few only fight
// with the grading system for the memory's bandwidth.
func scanners() int { return min(max(runtime.GOMAXPROCS(0), 1), 4) }

func newPool(ctx context.Context, q Query, lean bool) *pool {
	p := &pool{work: make(chan job, 64)}
	var find *finder // the scanners share it: they only read it
	if texts := q.literals(); len(texts) > 0 {
		find = newFinder(texts...)
	}
	for range scanners() {
		s := newScanner(q, find, lean)
		p.all.Go(func() {
			for j := range p.work {
				if ctx.Err() != nil {
					j.out <- scanned{block: j.block, skipped: ctx.Err()}
					continue
				}
				j.out <- s.scan(j.block)
			}
		})
	}
	return p
}

// close waits for what is being scanned.
func (p *pool) close() {
	close(p.work)
	p.all.Wait()
}

// stream gives the records of one log, newest first, block by block; a few
// blocks are scanned ahead.
type stream struct {
	log     *backlog
	q       *Query
	pool    *pool
	ahead   []job
	window  int // how many blocks may be ahead
	part    int // the next block is of this part
	to      int64
	size    int64
	started bool
	skip    func(error) // is told what could not be read

	hits    []hit     // taken from the end
	reached time.Time // time of the oldest record looked at
	ended   bool
}

func newStream(l *backlog, q *Query, p *pool, skip func(error)) *stream {
	return &stream{log: l, q: q, pool: p, window: 1, size: firstBlock, to: -1, skip: skip}
}

// next gives the next block to scan, from the end of the newest part back to
// the beginning of the oldest.
func (s *stream) next() (b block, ok bool) {
	for s.part < len(s.log.parts) {
		p := s.log.parts[s.part]
		if s.to < 0 {
			if p.packed {
				p.unpack()
				s.skip(p.failed)
			}
			s.to = p.size
		}
		for s.to > 0 {
			b = s.before(p)
			if s.to = b.from; len(s.q.near) == 0 || s.q.mayHave(b) {
				return b, true
			}
		}
		s.part, s.to = s.part+1, -1
	}
	return block{}, false
}

// before is the block that ends where the last one began.
func (s *stream) before(p *part) block {
	if len(s.q.near) > 0 {
		return block{p, (s.to - 1) / markEvery * markEvery, s.to}
	}
	b := block{p, max(0, s.to-s.size), s.to}
	s.size = blockSize
	return b
}

// schedule keeps the window full.
func (s *stream) schedule() {
	for len(s.ahead) < s.window {
		b, ok := s.next()
		if !ok {
			return
		}
		j := job{b, make(chan scanned, 1)}
		s.pool.work <- j
		s.ahead = append(s.ahead, j)
	}
}

// front is the time up to which nothing newer comes from this log. A log that
// was not looked at may have anything.
func (s *stream) front() (at time.Time, known bool) {
	if n := len(s.hits); n > 0 {
		return s.hits[n-1].when, true
	}
	return s.reached, s.started
}

// take puts what a block gave behind what is there.
func (s *stream) take(b scanned) {
	s.started, s.hits = true, b.hits
	if !b.first.IsZero() {
		s.reached = b.first
		if !s.q.Since.IsZero() && b.first.Before(s.q.Since.Add(-disorder)) {
			s.ended = true
		}
	}
	s.window = min(2*s.window, 4*scanners())
}
