package logs

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/logs/loki"
)

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
