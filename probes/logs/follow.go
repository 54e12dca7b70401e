package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
)

const (
	chunk   = 64 << 10
	maxLine = 256 << 10 // what is kept of one line; a longer one is cut
	headLen = 256       // enough to hold the first line's time
	// A rename chain that runs while we list can hide a file for one round; its
	// place must not be forgotten at once, or it would be read twice.
	maxMissed = 20
)

// tail is how far a file was read. It belongs to the file, not to its name, so
// it survives rotation by rename.
type tail struct {
	info   os.FileInfo
	offset int64
	head   []byte // first bytes, to know a file that was replaced under its inode
	missed int    // rounds it was not seen
	format string
	lines  splitter
	last   *record // gets the lines of a traceback that follow
	origin string  // who printed last, where several write to one file
	before *tail   // what this tail was before its file was truncated
}

// skipOld starts every log MaxTail bytes before its end, over all its parts:
// what is older is taken as read.
func (d *Folder) skipOld(files []logFile) {
	left := map[string]int64{}
	for _, f := range files { // newest first
		info, err := os.Stat(f.path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if _, seen := left[f.log]; !seen {
			left[f.log] = d.cfg.MaxTail
		}
		take := min(info.Size(), left[f.log])
		left[f.log] -= take
		t := &tail{info: info, offset: info.Size() - take}
		t.lines.skip = t.offset > 0 // unless a line ends just there, see recognise
		d.tails = append(d.tails, t)
	}
}

// follow reads on in one file.
func (d *Folder) follow(ctx context.Context, lf logFile) (*tail, error) {
	info, err := os.Stat(lf.path)
	if err != nil {
		return nil, failure("read", lf.path, err)
	}
	if t := d.find(info); t != nil && t.unchanged(info) {
		t.missed = -1
		return t, nil
	}
	f, info, err := open(lf.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := d.recognise(f, info)
	if err != nil {
		return nil, failure("read", lf.path, err)
	}
	t.missed = -1
	if err := d.readOn(ctx, t, f, lf.name); err != nil {
		return nil, failure("read", lf.path, err)
	}
	d.written.flush() // records of two files must not mix
	return t, nil
}

func (d *Folder) find(info os.FileInfo) *tail {
	for _, t := range d.tails {
		if os.SameFile(t.info, info) {
			return t
		}
	}
	return nil
}

// unchanged says whether there is nothing to read, without opening the file.
func (t *tail) unchanged(info os.FileInfo) bool {
	return len(t.head) > 0 && t.offset == info.Size() && t.info.ModTime().Equal(info.ModTime())
}

// recognise finds the tail of an open file. A file that is shorter than it was,
// or starts differently (its inode was given to a new file), starts over. A
// new file that starts like one we know is a copy of it (logrotate's
// copytruncate): what we read there is not read again.
func (d *Folder) recognise(f *os.File, info os.FileInfo) (*tail, error) {
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	t := d.find(info)
	switch {
	case t == nil:
		t = d.copyOf(head, info)
		d.tails = append(d.tails, t)
	case info.Size() < t.offset || !bytes.HasPrefix(head, t.head):
		old := *t
		old.before = nil
		*t = tail{before: &old}
	case t.lines.skip && len(t.head) == 0:
		t.lines.skip = !afterLineEnd(f, t.offset)
	}
	t.info, t.head = info, head
	return t, nil
}

func afterLineEnd(f *os.File, offset int64) bool {
	var b [1]byte
	n, _ := f.ReadAt(b[:], offset-1)
	return n == 1 && b[0] == '\n'
}

// copyOf gives the tail of a new file.
func (d *Folder) copyOf(head []byte, info os.FileInfo) *tail {
	for _, t := range d.tails {
		for ; t != nil; t = t.before {
			if len(t.head) >= headLen/4 && bytes.HasPrefix(head, t.head) {
				dup := &tail{offset: min(t.offset, info.Size()), format: t.format, last: t.last, lines: t.lines}
				dup.lines.part = slices.Clone(t.lines.part)
				return dup
			}
		}
	}
	return &tail{}
}

// readOn feeds what is new to the tally, up to the end or the deadline.
func (d *Folder) readOn(ctx context.Context, t *tail, f *os.File, name string) error {
	buf := make([]byte, chunk)
	for ctx.Err() == nil {
		n, err := f.ReadAt(buf, t.offset)
		t.lines.at = t.offset
		t.offset += int64(n)
		t.lines.feed(buf[:n], func(line []byte) { d.take(t, name, line) })
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n < len(buf) {
			break
		}
	}
	return nil
}

// take handles one whole line: a record, a line of a traceback, or neither.
func (d *Folder) take(t *tail, name string, raw []byte) {
	line, format, ok := parseLine(raw)
	switch {
	case ok:
		line.File, line.Length = name, len(raw)
		line.Place = place(name, t.info, t.lines.begin, raw)
		t.format, t.origin = format, line.Origin
		t.last = d.tally.add(line, d.now())
		d.written.begin(line, raw)
		if format == formatJSON {
			t.last = nil // its traceback is inside
		}
	case t.last != nil:
		if origin, rest := cutOrigin(raw); origin == t.origin {
			t.last.addTrace(rest)
			d.written.goOn(raw)
		}
	case len(bytes.TrimSpace(raw)) > 0:
		d.tally.unparsed++
		line = strayLine(raw)
		line.File = name
		d.written.begin(line, raw)
	}
}

// forget drops the tails of files that are gone for good.
func (d *Folder) forget() {
	d.tails = slices.DeleteFunc(d.tails, func(t *tail) bool {
		t.missed++
		return t.missed > maxMissed
	})
}

// splitter cuts a stream into lines, in bounded memory: of a line longer than
// maxLine the start is kept. A last line without an end waits for it.
type splitter struct {
	part []byte
	skip bool // drop the rest of a line whose start we do not have

	at    int64 // offset in the file of what is fed
	begin int64 // of the line that is given
	first int64 // of part
}

func (s *splitter) feed(b []byte, line func([]byte)) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.hold(b)
			return
		}
		whole := b[:end]
		s.begin = s.at
		if len(s.part) > 0 {
			s.hold(whole)
			whole, s.begin = s.part, s.first
		}
		if !s.skip {
			line(trimLine(whole[:min(len(whole), maxLine)]))
		}
		s.skip, s.part = false, s.part[:0]
		b, s.at = b[end+1:], s.at+int64(end)+1
	}
}

// hold keeps a piece of a line. A file truncated under a writer that does not
// append starts with a hole of NULs: they are no part of the line.
func (s *splitter) hold(b []byte) {
	if len(s.part) == 0 {
		s.first = s.at
		b = bytes.TrimLeft(b, "\x00")
	}
	if room := maxLine - len(s.part); !s.skip {
		s.part = append(s.part, b[:min(len(b), room)]...)
	}
}

func trimLine(b []byte) []byte {
	return bytes.TrimRight(bytes.TrimLeft(b, "\x00"), "\r\x00")
}
