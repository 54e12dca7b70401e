package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// place names a record so that it is found again when its file was renamed by
// a rotation, or copied and emptied: the file's name and inode, the offset, and
// a sum over the record's beginning that must still be there.
func (p *part) place(at int64, raw []byte) string { return place(p.name, p.info, at, raw) }

func place(name string, info os.FileInfo, at int64, raw []byte) string {
	return fmt.Sprintf("%s:%d:%d:%08x", name, inode(info), at, headSum(raw))
}

// headSum is a sum over what no two records of a log share: their beginning,
// with the time.
func headSum(raw []byte) uint32 {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	h := fnv.New32a()
	h.Write(first[:min(len(first), headLen)])
	return h.Sum32()
}

// location is a place that was read.
type location struct {
	name  string
	inode uint64
	at    int64
	sum   uint32
}

func parsePlace(s string) (l location, ok bool) {
	f := strings.Split(s, ":")
	if len(f) != 4 {
		return location{}, false
	}
	ino, err1 := strconv.ParseUint(f[1], 10, 64)
	at, err2 := strconv.ParseInt(f[2], 10, 64)
	sum, err3 := strconv.ParseUint(f[3], 16, 32)
	return location{f[0], ino, at, uint32(sum)}, errors.Join(err1, err2, err3) == nil && at >= 0
}

// ReadLine reads the whole record at a place: of a traceback all lines, of a
// long line up to MaxRecord bytes.
func (d *Folder) ReadLine(ctx context.Context, place string) (Record, error) {
	at, ok := parsePlace(place)
	if !ok {
		return Record{}, gone(place)
	}
	o, err := d.openAll()
	if err != nil {
		return Record{}, err
	}
	defer o.close()
	for _, p := range at.candidates(o) {
		if r, ok := readRecord(p, at); ok {
			return r, ctx.Err()
		}
	}
	return Record{}, gone(place)
}

func gone(place string) error {
	return &probes.Error{Source: probes.Logs, Op: "read a record", Cause: "it is no longer in the logs: " + clean.Capped(place, 100),
		Next: "Rotation removed its file, or somebody emptied it.", Err: fs.ErrNotExist}
}

// candidates are the parts where a record may be, the likeliest first.
func (l location) candidates(o *opened) []*part {
	var all []*part
	for _, log := range o.logs {
		all = append(all, log.parts...)
	}
	rank := func(p *part) int {
		switch {
		case l.inode != 0 && inode(p.info) == l.inode:
			return 0
		case p.name == l.name:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b *part) int { return rank(a) - rank(b) })
	return all
}

// readRecord reads the record at an offset, if it is the one.
func readRecord(p *part, at location) (Record, bool) {
	s := &scanner{part: p, base: at.at}
	if s.read(lookBack) != nil || len(s.buf) == 0 || headSum(trimLine(s.line(0))) != at.sum {
		return Record{}, false
	}
	r := s.record(0)
	if r.end == len(s.buf) && s.read(MaxRecord+1) == nil { // it may go on
		s.open = openRecord{}
		r = s.record(0)
	}
	raw := s.buf[:r.end]
	rec := Record{Cut: len(raw) > MaxRecord}
	raw = raw[:min(len(raw), MaxRecord)]
	rec.Line = wholeLine(trimLine(bytes.TrimRight(raw, "\n")), r.head)
	rec.File, rec.Place, rec.Length = p.name, p.place(at.at, trimLine(s.line(0))), len(raw)
	for line := range strings.SplitSeq(strings.TrimRight(string(raw), "\n"), "\n") {
		rec.Text = append(rec.Text, clean.Text(strings.TrimSuffix(line, "\r")))
	}
	return rec, true
}
