package logs

import (
	"cmp"
	"slices"
	"time"

	"gradecockpit/probes/clean"
)

const (
	maxRecent = 200
	maxErrors = 100
	maxCopies = 2000
	maxTrace  = 40  // lines
	maxWidth  = 240 // characters of a line of a traceback
	traceHead = 8   // lines kept at the start of a longer one
)

// record is a line that may still get the lines of its traceback. It is copied
// into every Overview.
type record struct {
	Line
	judged bool // by troubles
}

// addTrace appends a line. Of a long traceback the middle goes: the end names
// the error.
func (r *record) addTrace(raw []byte) {
	line := clean.Capped(string(raw), maxWidth)
	if line == "" {
		return
	}
	// Overviews that were handed out share the array: never write into it.
	r.Trace = append(slices.Clip(r.Trace), line)
	if len(r.Trace) > maxTrace {
		r.Trace[traceHead] = "… lines left out"
		r.Trace = slices.Delete(r.Trace, traceHead+1, traceHead+2)
	}
}

// tally keeps the little that an Overview shows, whatever is read.
type tally struct {
	recent, errors []*record // by time, newest last
	byCopy         map[string]*record
	minutes        map[int64]levels // of the last hour, by minutes since 1970
	troubles       troubles
	since          time.Time
	unparsed       int
}

type levels struct{ errors, warnings int }

func newTally() *tally {
	return &tally{byCopy: map[string]*record{}, minutes: map[int64]levels{}}
}

// add takes a line in and gives its record, to add a traceback to.
func (t *tally) add(line Line, now time.Time) *record {
	r := &record{Line: line}
	t.recent = insert(t.recent, r, maxRecent)
	if !line.At.IsZero() && (t.since.IsZero() || line.At.Before(t.since)) {
		t.since = line.At
	}
	if severity(line.Level) >= severity("ERROR") {
		t.errors = insert(t.errors, r, maxErrors)
		t.blame(r)
	}
	t.count(line, now)
	t.troubles.add(r, now)
	return r
}

// insert keeps a list in order of time: several files are read one after the
// other. A line without a time counts as new.
func insert(list []*record, r *record, limit int) []*record {
	i := len(list)
	for ; i > 0 && !r.At.IsZero() && r.At.Before(list[i-1].At); i-- {
	}
	if i == 0 && len(list) == limit {
		return list
	}
	list = slices.Insert(list, i, r)
	return list[max(0, len(list)-limit):]
}

// blame notes the last error of a copy. Of too many copies the ones that
// failed longest ago go, some at once to make it cheap.
func (t *tally) blame(r *record) {
	if r.CopyID == "" {
		return
	}
	if old := t.byCopy[r.CopyID]; old == nil || !r.At.Before(old.At) {
		t.byCopy[r.CopyID] = r
	}
	if len(t.byCopy) <= maxCopies+maxCopies/10 {
		return
	}
	all := make([]*record, 0, len(t.byCopy))
	for _, old := range t.byCopy {
		all = append(all, old)
	}
	slices.SortFunc(all, func(a, b *record) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.CopyID, b.CopyID)) })
	for _, old := range all[:len(all)-maxCopies] {
		delete(t.byCopy, old.CopyID)
	}
}

// count adds a line to its minute, if that is in the last hour. Their clock may
// run before ours; a day ahead it is no time at all.
func (t *tally) count(line Line, now time.Time) {
	s, age := severity(line.Level), now.Sub(line.At)
	if s < severity("WARNING") || age > time.Hour || age < -24*time.Hour {
		return
	}
	minute := line.At.Unix() / 60
	n := t.minutes[minute]
	if s >= severity("ERROR") {
		n.errors++
	} else {
		n.warnings++
	}
	t.minutes[minute] = n
}

// overview copies what there is.
func (t *tally) overview(now time.Time) Overview {
	t.troubles.settle(now)
	o := Overview{Troubles: t.troubles.list(), Recent: lines(t.recent), Errors: lines(t.errors), Since: t.since, Unparsed: t.unparsed,
		ByCopy: make(map[string]Line, len(t.byCopy))}
	for id, r := range t.byCopy {
		o.ByCopy[id] = r.Line
	}
	first := now.Add(-time.Hour).Unix() / 60
	for minute, n := range t.minutes {
		if minute < first {
			delete(t.minutes, minute)
			continue
		}
		o.ErrorsLastHour += n.errors
		o.WarningsLastHour += n.warnings
	}
	return o
}

func lines(records []*record) []Line {
	out := make([]Line, len(records))
	for i, r := range records {
		out[i] = r.Line
	}
	return out
}
