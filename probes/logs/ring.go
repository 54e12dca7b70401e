package logs

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"path/filepath"
	"slices"
	"time"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// kept is a record of an output: its line and the lines of its traceback.
type kept struct {
	origin  string
	at      time.Time // zero: not known
	raw     []byte    // never written to
	changed time.Time // when the last line came, by our clock
}

// perRecord is about what a record costs beside its bytes.
const perRecord = 120

// ring keeps the newest records. Each has a number that stays.
type ring struct {
	records []kept
	next    int64 // number of the next one
	bytes   int64 // of their text
	dropped int64
}

// add keeps a record and drops the oldest until no more than most bytes are kept.
func (r *ring) add(k kept, most int) int64 {
	k.changed = time.Now()
	r.records = append(r.records, k)
	r.bytes += int64(len(k.raw))
	r.next++
	r.trim(most)
	return r.next - 1
}

func (r *ring) trim(most int) {
	for len(r.records) > 1 && r.bytes+int64(perRecord*len(r.records)) > int64(most) {
		r.bytes -= int64(len(r.records[0].raw))
		r.records[0] = kept{}
		r.records = r.records[1:]
		r.dropped++
	}
}

// extend adds a line to a record, if that is still there and not too long.
func (r *ring) extend(seq int64, line []byte, most int) {
	i := int(seq - (r.next - int64(len(r.records))))
	if i < 0 || i >= len(r.records) {
		return
	}
	old := r.records[i].raw
	line = line[:min(len(line), max(0, MaxRecord-len(old)))]
	if len(line) == 0 {
		return
	}
	r.records[i].raw = bytes.Join([][]byte{old, line}, []byte("\n"))
	r.records[i].changed = time.Now()
	r.bytes += int64(len(line) + 1)
	r.trim(most)
}

func (r *ring) get(seq int64) (kept, bool) {
	i := seq - (r.next - int64(len(r.records)))
	if i < 0 || i >= int64(len(r.records)) {
		return kept{}, false
	}
	return r.records[i], true
}

// order lists the numbers of all records, newest first. Services print their
// history one after the other, so it is not the order of arrival. A record
// without a time comes after the one before it of its origin.
func (r *ring) order() []int64 {
	type place struct {
		seq int64
		at  time.Time
	}
	places := make([]place, len(r.records))
	newest := map[string]time.Time{}
	for i, k := range r.records {
		if k.at.IsZero() {
			k.at = newest[k.origin]
		}
		newest[k.origin] = k.at
		places[i] = place{r.next - int64(len(r.records)-i), k.at}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.seq, a.seq)) })
	order := make([]int64, len(places))
	for i, p := range places {
		order[i] = p.seq
	}
	return order
}

// replay knows what was kept when a command was started again: most commands
// print their history once more.
type replay struct {
	seed   maphash.Seed
	known  map[uint64]bool
	newest map[string]time.Time // by origin
	oldest time.Time            // of what is kept, when something was dropped
}

func newReplay(r *ring) *replay {
	p := &replay{seed: maphash.MakeSeed(), known: make(map[uint64]bool, len(r.records)), newest: map[string]time.Time{}}
	for _, k := range r.records {
		p.known[p.hash(k.origin, firstOf(k.raw))] = true
		if k.at.After(p.newest[k.origin]) {
			p.newest[k.origin] = k.at
		}
		if r.dropped > 0 && p.oldest.IsZero() {
			p.oldest = k.at
		}
	}
	return p
}

func (p *replay) hash(origin string, line []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.WriteString(origin)
	_ = h.WriteByte(0)
	_, _ = h.Write(line)
	return h.Sum64()
}

// knows says whether a line was printed before the restart. A line newer than
// all that its origin had printed is new even if it reads the same.
func (p *replay) knows(origin string, at time.Time, line []byte) bool {
	if p == nil || at.After(p.newest[origin]) {
		return false
	}
	return p.known[p.hash(origin, line)] || !at.IsZero() && at.Before(p.oldest)
}

var (
	// `docker compose logs` and `docker service logs`: "backend-1  | ".
	composePrefix = lazy.Regexp(`^([A-Za-z0-9][\w.@-]{0,80}) *\| ?`)
	colours       = lazy.Regexp(`\x1b\[[0-9;]*m`)
	header        = lazy.Regexp(`^==> (.{1,300}) <==$`)
)

// prefix cuts off what `docker compose logs` puts before a line: who printed
// it, and with -t when. Colours go: the application's own have no use here.
func prefix(raw []byte) (origin string, stamp time.Time, rest []byte) {
	if bytes.IndexByte(raw, '\x1b') >= 0 {
		raw = colours().ReplaceAll(raw, nil)
	}
	rest = bytes.TrimLeft(raw, "\x00")
	if m := composePrefix().FindSubmatch(rest[:min(len(rest), 200)]); m != nil {
		origin, rest = clean.Text(string(m[1])), rest[len(m[0]):]
	}
	word, after, found := bytes.Cut(rest, []byte(" "))
	if found && len(word) > 20 && len(word) < 40 && word[10] == 'T' {
		if at, err := time.Parse(time.RFC3339Nano, string(word)); err == nil {
			return origin, at.UTC(), after
		}
	}
	return origin, time.Time{}, rest
}

// tailHeader reads the line by which `tail` says whose lines follow.
func tailHeader(line []byte) (name string, ok bool) {
	m := header().FindSubmatch(line)
	if m == nil {
		return "", false
	}
	path := string(m[1])
	return clean.Capped(filepath.Base(path), maxField), true
}
