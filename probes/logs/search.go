package logs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"gradecockpit/probes"
)

// Search reads the files backwards from their newest line, in bounded memory.
// It looks at the files as they are now and may run beside Sample.
func (d *Folder) Search(ctx context.Context, q Query, say func(Result)) (Result, error) {
	q = q.withDefaults()
	logs, res, err := d.openAll()
	defer func() {
		for _, l := range logs {
			l.close()
		}
	}()
	if err != nil {
		return Result{}, err
	}
	b := &budget{ctx: ctx, left: d.cfg.MaxSearch}
	for len(res.Lines) < q.Limit {
		found, ok := newest(logs, b)
		if !ok {
			break
		}
		if !found.At.IsZero() {
			res.Oldest = found.At
		}
		if found.matches(q) {
			res.Lines = append(res.Lines, found.Line)
		}
	}
	res.Truncated = b.spent() || len(res.Lines) == q.Limit
	res.Bytes = d.cfg.MaxSearch - b.left
	if err := ctx.Err(); err != nil {
		return res, &probes.Error{Source: probes.Logs, Op: "search", Cause: "stopped before the end", Err: err}
	}
	return res, nil
}

// budget is what a search may still read.
type budget struct {
	ctx  context.Context
	left int64 // bytes; a little below 0 at the end, since whole chunks are read
}

func (b *budget) spent() bool { return b.left <= 0 || b.ctx.Err() != nil }

func (q Query) withDefaults() Query {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	q.CopyID = strings.ToLower(q.CopyID)
	q.Level, _ = levelName(q.Level)
	return q
}

// openAll opens every file at once, so that a rotation in the middle of the
// search neither hides nor repeats one. It fails when none can be opened.
func (d *Folder) openAll() (map[string]*backlog, Result, error) {
	files, err := d.list()
	if err != nil {
		return nil, Result{}, err
	}
	var res Result
	var failed error
	logs := map[string]*backlog{}
	for _, lf := range files { // newest first
		f, info, err := open(lf.path)
		if err != nil {
			failed = err
			res.Skipped = append(res.Skipped, probes.Brief(err))
			continue
		}
		if logs[lf.log] == nil {
			logs[lf.log] = &backlog{}
		}
		logs[lf.log].add(f, info, lf.name)
	}
	if len(logs) == 0 {
		return nil, Result{}, failed
	}
	return logs, res, nil
}

// newest takes the newest record of all logs. ok is false at the end, of the
// logs or of the budget.
func newest(logs map[string]*backlog, b *budget) (hit, bool) {
	var best *backlog
	for _, name := range []string{"django.log", "audit.log", "celery.log"} {
		l := logs[name]
		if l != nil && l.fill(b) && (best == nil || l.next.At.After(best.next.At)) {
			best = l
		}
	}
	if best == nil {
		return hit{}, false
	}
	h := *best.next
	best.next = nil
	return h, true
}

// hit is a record with the bytes it was made of, for matching.
type hit struct {
	Line
	raw []byte
}

func (h hit) matches(q Query) bool {
	return severity(h.Level) >= severity(q.Level) &&
		(q.RequestID == "" || h.RequestID == q.RequestID) &&
		(q.CopyID == "" || h.CopyID == q.CopyID || bytes.Contains(bytes.ToLower(h.raw), []byte(q.CopyID)))
}

// backlog is one log with its rotated parts, read backwards.
type backlog struct {
	parts []*backward // newest first
	next  *hit        // the newest record not yet taken
	trace []string    // lines met before the record they belong to, last first
}

func (l *backlog) add(f *os.File, info os.FileInfo, name string) {
	for _, p := range l.parts {
		if os.SameFile(p.info, info) {
			f.Close() // renamed while we opened one after the other
			return
		}
	}
	l.parts = append(l.parts, &backward{file: f, info: info, name: name, at: info.Size()})
}

func (l *backlog) close() {
	for _, p := range l.parts {
		p.file.Close()
	}
}

// fill reads back to the next record; false at the beginning of the log.
func (l *backlog) fill(b *budget) bool {
	for l.next == nil && len(l.parts) > 0 && !b.spent() {
		raw, ok := l.parts[0].line(b)
		if !ok {
			l.parts[0].file.Close()
			l.parts, l.trace = l.parts[1:], nil
			continue
		}
		l.take(raw)
	}
	return l.next != nil
}

// take makes a record of a line, or keeps it for the record before it.
func (l *backlog) take(raw []byte) {
	line, format, ok := parseLine(raw)
	if !ok {
		if len(l.trace) < maxTrace && len(bytes.TrimSpace(raw)) > 0 {
			l.trace = append(l.trace, string(raw))
		}
		return
	}
	r := record{line}
	r.File = l.parts[0].name
	if format != formatJSON {
		for _, s := range slices.Backward(l.trace) {
			r.addTrace([]byte(s))
			raw = append(append(raw, '\n'), s...)
		}
	}
	l.next, l.trace = &hit{r.Line, raw}, nil
}

// backward reads the lines of a file from its end.
type backward struct {
	file *os.File
	info os.FileInfo
	name string
	at   int64  // what lies before is not read yet
	buf  []byte // read, not yet given; its start may be in the middle of a line
}

// line gives the line before the last one that was given. Of a line longer
// than maxLine only the start is given.
func (b *backward) line(left *budget) ([]byte, bool) {
	for {
		if i := bytes.LastIndexByte(b.buf, '\n'); i >= 0 {
			line := b.buf[i+1:]
			b.buf = b.buf[:i]
			return cutLine(line), true
		}
		if b.at == 0 {
			line := b.buf
			b.buf = nil
			return cutLine(line), len(line) > 0
		}
		if left.spent() || !b.more(left) {
			return nil, false
		}
	}
}

// more reads the chunk before what was read.
func (b *backward) more(left *budget) bool {
	size := min(b.at, chunk)
	rest := b.buf[:min(len(b.buf), maxLine)] // the end of a line that is too long
	b.buf = make([]byte, size, size+int64(len(rest)))
	n, _ := b.file.ReadAt(b.buf, b.at-size)
	left.left -= int64(n)
	if int64(n) < size { // truncated under us
		return false
	}
	b.buf = append(b.buf, rest...)
	b.at -= size
	return true
}

// cutLine gives a line of its own that can be kept.
func cutLine(b []byte) []byte {
	return bytes.Clone(trimLine(b[:min(len(b), maxLine)]))
}

// Each gives every record that q finds.
func (d *Folder) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	return Extent{}, errors.ErrUnsupported
}

// ReadLine reads the whole record at a place.
func (d *Folder) ReadLine(ctx context.Context, place string) (Record, error) {
	return Record{}, errors.ErrUnsupported
}
