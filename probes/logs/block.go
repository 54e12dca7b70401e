package logs

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const (
	// blockSize is what one step of a scan looks at. It fits with its buffer
	// into a second-level cache; larger reads measured slower.
	blockSize  = 256 << 10
	firstBlock = 64 << 10 // of each log: the first screen has few records
	// more is what is read behind a block at a time, to complete its last record.
	more = 16 << 10
	// lookBack is how far before a place the head of its record is looked for.
	lookBack = 64 << 10
	// disorder is how far records of several processes, or of a file that was
	// rotated while they wrote, may stand from the order of time.
	disorder = 10 * time.Minute
	// besides is how far from a record the other records of its request may be:
	// a request that takes longer has been given up by every proxy.
	besides = time.Minute
)

// block is a span of a part. The records that begin in it belong to it.
type block struct {
	part     *part
	from, to int64
}

// hit is a record that a query finds, with its place in the order of its log.
type hit struct {
	Line
	when time.Time // of the record, or of the one before it
	at   int64     // where it begins in its part
}

// scanned is what a block gave.
type scanned struct {
	block
	hits    []hit     // in their order in the file
	first   time.Time // of the first record of the block; zero none
	skipped error
}

// scanner looks at blocks. It belongs to one goroutine.
type scanner struct {
	q    Query
	find *finder // of texts one of which stands in every record wanted; nil: look at all
	lean bool    // lines with time, level and logger suffice
	buf  []byte  // the block, with the rest of its last record
	base int64   // where in the part buf begins
	part *part
	open openRecord
}

// openRecord is what goes on at a place until the head of a record comes.
type openRecord struct {
	format string    // of the last head; "" none
	origin string    // who printed it
	when   time.Time // its time
	orphan bool      // the line before is no head and belongs to none
}

func newScanner(q Query, find *finder, lean bool) *scanner {
	return &scanner{q: q, find: find, lean: lean && !q.needsFields()}
}

// scan finds the records of a block.
func (s *scanner) scan(b block) (out scanned) {
	out.block = b
	s.part, s.base, s.buf, s.open = b.part, max(0, b.from-1), s.buf[:0], openRecord{}
	if out.skipped = s.read(int(b.to-s.base) + more); out.skipped != nil {
		return out
	}
	pos, limit := 0, min(int(b.to-s.base), len(s.buf))
	if limit == 0 {
		return out // truncated since
	}
	if b.from > 0 && s.buf[0] != 0 { // a line that goes on there is the block's before
		if pos = bytes.IndexByte(s.buf, '\n') + 1; pos == 0 {
			return out // within a line that is longer than the block
		}
	}
	pos += len(s.buf[pos:]) - len(bytes.TrimLeft(s.buf[pos:], "\x00")) // the hole that a truncation leaves
	if pos >= limit {
		return out
	}
	if out.skipped = s.complete(limit); out.skipped != nil {
		return out
	}
	s.mark(b)
	if pos = s.enter(pos); pos >= limit {
		return out
	}
	if out.first = s.firstTime(pos, limit); s.tooNew(out.first) {
		return out
	}
	s.walk(pos, limit, &out)
	return out
}

// read fills the buffer up to n bytes, or with what there is.
func (s *scanner) read(n int) error {
	have := len(s.buf)
	if cap(s.buf) < n {
		s.buf = append(make([]byte, 0, max(n+more, 2*have)), s.buf...)
	}
	s.buf = s.buf[:n]
	got, err := s.part.ReadAt(s.buf[have:], s.base+int64(have))
	s.buf = s.buf[:have+got]
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// complete cuts the buffer at the first head from limit on, after reading on
// to there: the records that begin before it are then whole.
func (s *scanner) complete(limit int) error {
	for at := limit - 1; len(s.buf)-limit <= maxLine+more; {
		nl := bytes.IndexByte(s.buf[at:], '\n')
		end := at + nl + 1
		if nl < 0 || !s.wholeLine(end) {
			had := len(s.buf)
			if err := s.read(had + more); err != nil {
				return err
			}
			if len(s.buf) == had {
				return nil // the end of the part
			}
			continue
		}
		if _, _, ok := leanLine(s.line(end)); ok {
			s.buf = s.buf[:end]
			return nil
		}
		at = end
	}
	return nil
}

// wholeLine says whether a line that begins at pos has its end in the buffer,
// or so much of it that the rest does not matter.
func (s *scanner) wholeLine(pos int) bool {
	return bytes.IndexByte(s.buf[pos:], '\n') >= 0 || len(s.buf)-pos > maxLine
}

// enter passes over the lines at pos that go on with a record before the block.
func (s *scanner) enter(pos int) int {
	if _, _, ok := leanLine(s.line(pos)); ok || s.base+int64(pos) == 0 {
		return pos
	}
	s.lookBehind(s.base + int64(pos))
	for pos < len(s.buf) {
		line := s.line(pos)
		if _, _, ok := leanLine(line); ok || !s.open.owns(line) {
			break
		}
		pos = s.lineEnd(pos)
	}
	return pos
}

// lookBehind finds what is open at a place of the part.
func (s *scanner) lookBehind(at int64) {
	before := make([]byte, min(at, lookBack))
	n, _ := s.part.ReadAt(before, at-int64(len(before)))
	before = bytes.TrimSuffix(before[:n], []byte("\n"))
	for last := true; len(before) > 0; last = false {
		start := bytes.LastIndexByte(before, '\n') + 1
		if l, format, ok := leanLine(before[start:]); ok {
			s.open = openRecord{format: format, origin: l.Origin, when: l.At, orphan: !last && format == formatJSON}
			return
		}
		before = before[:max(0, start-1)]
	}
	s.open = openRecord{orphan: true}
}

// firstTime gives the time of the first record that has one.
func (s *scanner) firstTime(pos, limit int) time.Time {
	for pos < limit {
		if l, _, ok := leanLine(s.line(pos)); ok && !l.At.IsZero() {
			return l.At
		}
		pos = s.lineEnd(pos)
	}
	return time.Time{}
}

func (s *scanner) tooNew(first time.Time) bool {
	return !s.q.Until.IsZero() && first.After(s.q.Until.Add(disorder))
}

// walk takes the records that begin between two places: all of them, or only
// those around the texts that the wanted ones have.
func (s *scanner) walk(pos, limit int, out *scanned) {
	for pos < len(s.buf) {
		wanted := pos
		if s.find != nil {
			i := s.find.index(s.buf[pos:])
			if i < 0 {
				return
			}
			wanted += i
			pos = s.headBefore(pos, wanted)
		}
		for r := s.record(pos); ; r = s.record(pos) {
			if pos >= limit {
				return
			}
			pos = r.end
			if r.end > wanted {
				s.take(r, out)
				break
			}
		}
	}
}

// headBefore gives the nearest head at or before the line of place i, or pos
// where there is none after it.
func (s *scanner) headBefore(pos, i int) int {
	for i > pos {
		i = pos + bytes.LastIndexByte(s.buf[pos:i], '\n') + 1
		if _, _, ok := leanLine(s.line(i)); ok {
			return i
		}
		i--
	}
	return pos
}

// line gives the line at pos without its end; of a long one, the start.
func (s *scanner) line(pos int) []byte {
	rest := bytes.TrimLeft(s.buf[pos:min(len(s.buf), pos+maxLine)], "\x00")
	if nl := bytes.IndexByte(rest, '\n'); nl >= 0 {
		rest = rest[:nl]
	}
	return rest
}

// lineEnd gives where the next line begins.
func (s *scanner) lineEnd(pos int) int {
	if nl := bytes.IndexByte(s.buf[pos:], '\n'); nl >= 0 {
		return pos + nl + 1
	}
	return len(s.buf)
}

// rawRecord is a record in the buffer.
type rawRecord struct {
	pos, end int
	line     Line // lean
	head     bool // the line at pos is the head of a record
}

// record looks at the record that begins at pos, which then is what is open.
func (s *scanner) record(pos int) rawRecord {
	r := rawRecord{pos: pos, end: s.lineEnd(pos)}
	line, format, ok := leanLine(s.line(pos))
	if r.line, r.head = line, ok; ok {
		when := s.open.when
		if !line.At.IsZero() {
			when = line.At
		}
		s.open = openRecord{format: format, origin: line.Origin, when: when}
	} else {
		s.open.orphan = true
	}
	for r.end < len(s.buf) && r.end-pos < maxLine {
		line := s.line(r.end)
		if _, _, ok := leanLine(line); ok || !s.open.owns(line) {
			break
		}
		r.end = s.lineEnd(r.end)
	}
	return r
}

// owns says whether a line that is no head goes on with what is open: a
// traceback does with a record in text form, and what is indented does with
// the line before it.
func (o *openRecord) owns(line []byte) bool {
	origin, rest := cutOrigin(line)
	if o.format != "" && o.format != formatJSON && origin == o.origin {
		return true
	}
	return o.orphan && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t')
}

// take adds a record to what the block gave, if the query finds it.
func (s *scanner) take(r rawRecord, out *scanned) {
	raw := trimLine(bytes.TrimRight(s.buf[r.pos:r.end], "\n"))
	if len(bytes.TrimSpace(raw)) == 0 || !s.q.head(r.line) || !s.q.text(raw) {
		return
	}
	h := hit{Line: r.line, when: s.open.when, at: s.base + int64(r.pos)}
	if !s.lean {
		h.Line = wholeLine(raw, r.head)
		h.File, h.Length = s.part.name, len(raw)
		if !s.q.fields(h.Line) {
			return
		}
		h.Place = s.part.place(h.at, raw)
	}
	out.hits = append(out.hits, h)
}

// wholeLine makes a line of a record; what follows its first line is a traceback.
func wholeLine(raw []byte, head bool) Line {
	first, rest, _ := bytes.Cut(raw, []byte("\n"))
	r := record{}
	if head {
		r.Line, _, _ = parseLine(first)
	} else {
		r.Line = strayLine(first)
	}
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		_, line = cutOrigin(bytes.TrimRight(line, "\r"))
		r.addTrace(line)
	}
	return r.Line
}
