package logs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"gradecockpit/probes"
)

// maxUnpacked bounds what is unpacked of one gzip file into memory: a rotated
// part is 10 MB on the deployed system.
const maxUnpacked = 64 << 20

// part is one file of a log, open. A rotation moves its name, not the part.
type part struct {
	logFile
	file   *os.File
	info   os.FileInfo
	size   int64 // of the text; for a packed file known once it is unpacked
	packed bool

	once   sync.Once
	plain  *bytes.Reader // the text of a packed file
	failed error
}

// ReadAt reads the text of the part.
func (p *part) ReadAt(b []byte, at int64) (int, error) {
	if p.packed {
		if p.unpack(); p.plain == nil {
			return 0, p.failed
		}
		return p.plain.ReadAt(b, at)
	}
	return p.file.ReadAt(b, at)
}

// unpack reads a packed file once. What stands before the damage of a damaged
// file is kept.
func (p *part) unpack() {
	p.once.Do(func() {
		z, err := gzip.NewReader(io.NewSectionReader(p.file, 0, p.info.Size()))
		if err != nil {
			p.failed, p.size = p.failure(err), 0
			return
		}
		var text bytes.Buffer
		n, err := io.Copy(&text, io.LimitReader(z, maxUnpacked+1))
		switch {
		case n > maxUnpacked:
			text.Truncate(maxUnpacked)
			p.failed = fmt.Errorf("of %s only the first %d MB were unpacked", p.name, maxUnpacked>>20)
		case err != nil:
			p.failed = p.failure(err)
		}
		p.plain, p.size = bytes.NewReader(text.Bytes()), int64(text.Len())
	})
}

func (p *part) failure(err error) error {
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s is damaged: %w", p.name, err)
	}
	return failure("unpack", p.path, err)
}

// release frees the text of a packed file.
func (p *part) release() { p.plain = nil }

// backlog is one log with its rotated parts, newest first.
type backlog struct {
	name  string
	parts []*part
}

func (l *backlog) add(p *part) {
	for _, other := range l.parts {
		if os.SameFile(other.info, p.info) {
			p.file.Close() // renamed while we opened one after the other
			return
		}
	}
	l.parts = append(l.parts, p)
}

// opened are all logs of a folder, open at one moment, so that a rotation in
// the middle of a search neither hides nor repeats a part.
type opened struct {
	logs    []*backlog
	total   int64 // bytes on disk
	skipped []string
}

func (o *opened) close() {
	for _, l := range o.logs {
		for _, p := range l.parts {
			p.file.Close()
		}
	}
}

// openAll opens every file. It fails when none can be opened.
func (d *Folder) openAll() (*opened, error) {
	files, err := d.list()
	if err != nil {
		return nil, err
	}
	o := &opened{}
	var failed error
	byName := map[string]*backlog{}
	for _, lf := range files { // newest first
		f, info, err := open(lf.path)
		if err != nil {
			failed = err
			o.skipped = append(o.skipped, probes.Brief(err))
			continue
		}
		l := byName[lf.log]
		if l == nil {
			l = &backlog{name: lf.log}
			byName[lf.log] = l
			o.logs = append(o.logs, l)
		}
		l.add(&part{logFile: lf, file: f, info: info, size: info.Size(), packed: lf.packed})
		o.total += info.Size()
	}
	if len(o.logs) == 0 {
		return nil, failed
	}
	return o, nil
}
