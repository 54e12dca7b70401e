package logs

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// markEvery is how far apart in a file the marks of a timeIndex are, and how
// large the blocks are that are chosen by them.
const markEvery = 64 << 10

// timeIndex knows what time it is at places of the parts. The first scan of a
// trace makes it in passing, so that the second one, for what was written about
// the same time, reads only where that can be.
type timeIndex struct {
	mu    sync.Mutex
	marks map[partID]map[int64]time.Time // by place, a multiple of markEvery
}

// partID knows a part again that was renamed since.
type partID struct {
	inode uint64
	name  string // where there are no inodes
}

func (p *part) id() partID {
	if n := inode(p.info); n != 0 {
		return partID{inode: n}
	}
	return partID{name: p.name}
}

// at gives the time at a place; zero where none is known.
func (x *timeIndex) at(p *part, place int64) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.marks[p.id()][place]
}

// mark notes the time at every mark in the block that is in the buffer.
func (s *scanner) mark(b block) {
	x := s.q.index
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	id := b.part.id()
	if x.marks[id] == nil {
		x.marks[id] = map[int64]time.Time{}
	}
	for place := (b.from + markEvery - 1) / markEvery * markEvery; place < b.to; place += markEvery {
		pos := int(place - s.base)
		if pos >= len(s.buf) {
			return
		}
		pos += bytes.IndexByte(s.buf[pos:], '\n') + 1
		if l, _, ok := leanLine(s.line(pos)); ok && !l.At.IsZero() {
			x.marks[id][place] = l.At
		}
	}
}

// mayHave says whether a record that is near can be in a block. What is not
// known counts as yes.
func (q *Query) mayHave(b block) bool {
	first, last := q.index.at(b.part, b.from), q.index.at(b.part, b.to)
	i, _ := slices.BinarySearchFunc(q.near, first.Add(-besides), time.Time.Compare)
	return first.IsZero() || i < len(q.near) && (last.IsZero() || !q.near[i].After(last.Add(besides)))
}
