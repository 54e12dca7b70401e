package logs

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/logs/loki"
)

const (
	lokiName   = "loki"
	firstPages = 5                  // pages of a thousand entries that following begins with
	lokiReach  = 7 * 24 * time.Hour // how far a search looks back that does not say; Loki keeps weeks
	firstSpan  = time.Hour          // of a search backwards, which then doubles
	longSpan   = 24 * time.Hour
	around     = 3 * time.Second // in which the lines of one traceback are sent
	maxWhole   = 50              // records that one search completes by asking again
)

// Loki is a Grafana Loki server as a [Source].
type Loki struct {
	client *loki.Client
	now    func() time.Time

	// What follows belongs to Sample.
	follower *loki.Follower
	tally    *tally
	format   string
	last     map[string]*taken // by stream
	started  bool

	// split: lines of tracebacks are entries of their own, as the collectors of
	// containers send them. It is true until an hour of entries shows none.
	split atomic.Bool
}

// NewLoki makes a source of a server; it is not asked yet.
func NewLoki(cfg loki.Config) (*Loki, error) {
	client, err := loki.New(cfg)
	if err != nil {
		return nil, err
	}
	l := &Loki{client: client, now: time.Now, tally: newTally(), last: map[string]*taken{}}
	l.split.Store(true)
	return l, nil
}

// Where is the address of the server.
func (l *Loki) Where() string { return "Loki " + l.client.Where() }

// Close lets go of the connection.
func (l *Loki) Close() { l.client.Close() }

// Sample reads what is new. The first one reads the newest of the last hour.
func (l *Loki) Sample(ctx context.Context) (Overview, error) {
	now := l.now()
	read := l.readOn
	if !l.started {
		read = l.readFirst
	}
	if err := read(ctx, now); err != nil {
		return Overview{}, err
	}
	o := l.tally.overview(now)
	o.Dir, o.Files = l.Where(), []File{{Name: lokiName, Format: l.format}}
	return o, nil
}

func (l *Loki) readOn(ctx context.Context, now time.Time) error {
	return l.follower.Next(ctx, now, l.take)
}

// readFirst begins with the newest entries of the last hour.
func (l *Loki) readFirst(ctx context.Context, now time.Time) error {
	var newest []loki.Entry
	pages := 0
	err := l.client.Walk(ctx, loki.Ask{From: now.Add(-time.Hour), To: now.Add(time.Hour)}, func(e []loki.Entry) bool {
		newest = append(newest, e...)
		pages++
		return pages < firstPages
	})
	if err != nil {
		return err
	}
	from := now
	split := false
	for _, e := range slices.Backward(newest) {
		_, _, whole := parseLine([]byte(firstLine(e.Line)))
		split = split || !whole
		l.take(e)
		from = e.At
	}
	l.split.Store(split || len(newest) == 0)
	l.follower, l.started = l.client.Follow(from, newest...), true
	return nil
}

// take counts one entry: a record, or a line of the traceback before it.
func (l *Loki) take(e loki.Entry) {
	line, ok := l.lineOf(e.Line, e)
	switch last := l.last[e.Stream]; {
	case ok:
		_, format, _ := parseLine([]byte(firstLine(e.Line)))
		l.format = format
		l.remember(e.Stream, &taken{counted: l.tally.add(line, l.now()), whole: format == formatJSON})
	case last != nil && !last.whole:
		last.counted.addTrace([]byte(e.Line))
		l.split.Store(true)
	default:
		l.tally.unparsed++
	}
}

func (l *Loki) remember(stream string, t *taken) {
	if len(l.last) >= maxOrigins {
		clear(l.last)
	}
	l.last[stream] = t
}

// lineOf makes a record of a text and the entry that it begins with; ok is
// false when no known format begins so.
func (l *Loki) lineOf(text string, e loki.Entry) (line Line, ok bool) {
	_, _, ok = parseLine([]byte(firstLine(text)))
	line = wholeLine([]byte(text), ok)
	if line.At.IsZero() {
		line.At = e.At
	}
	line.File, line.Origin = lokiName, clean.Capped(e.Origin, maxField)
	line.Place, line.Length = lokiPlace(e), len(text)
	return line, ok
}

// lokiPlace names an entry by its time and by what it says and where.
func lokiPlace(e loki.Entry) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.Stream + "\n" + e.Line))
	return fmt.Sprintf("%s:%d:%x", lokiName, e.At.UnixNano(), h.Sum64())
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// Search finds the newest records; the server looks for the texts.
func (l *Loki) Search(ctx context.Context, q Query, say func(Result)) (Result, error) {
	return searchEach(q, say, func(q Query, do func(Line) bool, looked func(Extent)) (Extent, error) {
		return l.each(ctx, q, do, looked)
	})
}

// Each gives every record that is found.
func (l *Loki) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	return l.each(ctx, q.withDefaults(), do, func(Extent) {})
}

// each asks for one span of time after the other, from now backwards.
func (l *Loki) each(ctx context.Context, q Query, do func(Line) bool, looked func(Extent)) (Extent, error) {
	s := &lokiSearch{ctx: ctx, loki: l, q: q, do: do, filters: filters(q, !l.split.Load()),
		behind: map[string][]string{}, whole: map[string]bool{}}
	to, from := l.now().Add(time.Hour), q.Since
	if !q.Until.IsZero() {
		to = q.Until
	}
	if from.IsZero() {
		from = to.Add(-lokiReach)
	}
	for span := firstSpan; to.After(from); span = min(2*span, longSpan) {
		start := to.Add(-span)
		if start.Before(from) {
			start = from
		}
		if err := s.span(start, to, looked); err != nil || s.enough {
			s.x.Truncated = true
			return s.x, err
		}
		s.x.Oldest, to = start, start
		looked(s.x)
	}
	if q.Since.IsZero() {
		s.x.Skipped = append(s.x.Skipped, "Of "+l.Where()+" the last 7 days were looked at: since: goes further back.")
	}
	return s.x, nil
}

// lokiSearch is one search.
type lokiSearch struct {
	ctx     context.Context
	loki    *Loki
	q       Query
	do      func(Line) bool
	filters []string
	x       Extent
	enough  bool
	behind  map[string][]string // lines of tracebacks by stream, last first
	whole   map[string]bool     // places of records that were completed
}

// span searches one span of time. Without filters the lines of a traceback come
// before the record they belong to.
func (s *lokiSearch) span(from, to time.Time, looked func(Extent)) error {
	ask := loki.Ask{From: from, To: to, Filters: s.filters}
	return s.loki.client.Walk(s.ctx, ask, func(entries []loki.Entry) bool {
		for _, e := range entries {
			s.x.Bytes += int64(len(e.Line))
			s.x.Oldest = e.At
			if s.entry(e); s.enough {
				return false
			}
		}
		looked(s.x)
		return true
	})
}

func (s *lokiSearch) entry(e loki.Entry) {
	if _, _, ok := parseLine([]byte(firstLine(e.Line))); !ok {
		switch lines := s.behind[e.Stream]; {
		case len(s.filters) > 0:
			s.complete(e)
		case len(lines) < maxTrace:
			s.behind[e.Stream] = append(lines, e.Line)
		}
		return
	}
	text := e.Line
	for _, line := range slices.Backward(s.behind[e.Stream]) {
		text += "\n" + line
	}
	delete(s.behind, e.Stream)
	if len(s.filters) > 0 && s.loki.split.Load() && severityOf(e.Line) >= severity("WARNING") {
		s.complete(e)
		return
	}
	s.found(text, e)
}

// complete finds the record that an entry is a part of, with its traceback.
func (s *lokiSearch) complete(e loki.Entry) {
	text, head := e.Line, e
	if len(s.whole) < maxWhole {
		if t, h, err := s.loki.record(s.ctx, e); err == nil {
			text, head = t, h
		}
	}
	if place := lokiPlace(head); !s.whole[place] {
		s.whole[place] = true
		s.found(text, head)
	}
}

func (s *lokiSearch) found(text string, e loki.Entry) {
	line, _ := s.loki.lineOf(text, e)
	if s.q.Matches(line, []byte(text)) {
		s.enough = !s.do(line)
	}
}

// record reads around an entry, and gives the record that it is a part of with
// the entry it begins with.
func (l *Loki) record(ctx context.Context, e loki.Entry) (text string, head loki.Entry, err error) {
	ask := loki.Ask{From: e.At.Add(-around), To: e.At.Add(around), Forward: true}
	var stream []loki.Entry
	at := -1
	err = l.client.Walk(ctx, ask, func(entries []loki.Entry) bool {
		for _, other := range entries {
			if other == e {
				at = len(stream)
			}
			if other.Stream == e.Stream {
				stream = append(stream, other)
			}
		}
		return len(stream) < 10_000
	})
	if err != nil || at < 0 {
		return e.Line, e, err
	}
	first := at
	for begins := false; first > 0 && !begins; {
		if _, _, begins = parseLine([]byte(firstLine(stream[first].Line))); !begins {
			first--
		}
	}
	text = stream[first].Line
	for _, next := range stream[first+1:] {
		if _, _, begins := parseLine([]byte(firstLine(next.Line))); begins || len(text) > MaxRecord {
			break
		}
		text += "\n" + next.Line
	}
	return text, stream[first], nil
}

// ReadLine reads the record at a place.
func (l *Loki) ReadLine(ctx context.Context, place string) (Record, error) {
	rest, mine := strings.CutPrefix(place, lokiName+":")
	number, _, _ := strings.Cut(rest, ":")
	ns, err := strconv.ParseInt(number, 10, 64)
	gone := &probes.Error{Source: probes.Logs, Op: "read the record", Cause: l.Where() + " does not have it any more", Err: fs.ErrNotExist}
	if !mine || err != nil {
		return Record{}, gone
	}
	at := time.Unix(0, ns).UTC()
	var entry *loki.Entry
	err = l.client.Walk(ctx, loki.Ask{From: at, To: at.Add(1)}, func(entries []loki.Entry) bool {
		i := slices.IndexFunc(entries, func(e loki.Entry) bool { return lokiPlace(e) == place })
		if i >= 0 {
			entry = &entries[i]
		}
		return entry == nil
	})
	if err != nil {
		return Record{}, err
	}
	if entry == nil {
		return Record{}, gone
	}
	text, head, err := l.record(ctx, *entry)
	if err != nil {
		return Record{}, err
	}
	line, _ := l.lineOf(text, head)
	return recordOf(line, []byte(text)), nil
}

// severityOf is that of the level a line has.
func severityOf(text string) int {
	line, _, _ := parseLine([]byte(firstLine(text)))
	return severity(line.Level)
}

// maxAny bounds the texts of which one must occur, in bytes: they go into a URL.
const maxAny = 4 << 10

// filters hand to the server what one entry must have in it. Where entries are
// whole records that is all of it; else the longest text, and the rest is
// looked for in the record that the entry is a part of.
func filters(q Query, whole bool) []string {
	texts := append([]string{q.CopyID, q.RequestID}, q.Text...)
	for _, f := range q.Fields {
		if !derived(f.Name) {
			texts = append(texts, f.Value)
		}
	}
	slices.SortStableFunc(texts, func(a, b string) int { return len(b) - len(a) })
	var out []string
	for _, s := range texts {
		out = append(out, oneOf(s)...)
	}
	out = append(out, oneOf(q.Any...)...)
	if q.Regexp != nil {
		out = append(out, loki.Matches(q.Regexp.String()))
	}
	level, _ := levelName(q.Level)
	out = append(out, oneOf(levelTexts(level)...)...)
	if !whole {
		out = out[:min(len(out), 1)]
	}
	return out
}

// oneOf is the filter of entries with one of some texts; none where one of them
// may be written otherwise.
func oneOf(texts ...string) []string {
	var quoted []string
	for _, s := range texts {
		if s == "" || !simple(s) {
			return nil
		}
		quoted = append(quoted, regexp.QuoteMeta(s))
	}
	either := strings.Join(quoted, "|")
	if either == "" || len(either) > maxAny {
		return nil
	}
	return []string{loki.Matches("(?i)" + either)}
}
