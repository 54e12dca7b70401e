package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// maxTraced bounds the records of one trace; of more the newest are kept.
	maxTraced = 5000
	// maxFollowed bounds the ids whose other records are looked for.
	maxFollowed = 400
	// minFollowed is how long such an id must be: clients may send any text, and
	// a shorter one stands by chance in nearly every record.
	minFollowed = 4
)

// Trace is every record that has to do with one id, oldest first.
type Trace struct {
	ID      string // as it was looked for
	Records []Traced
	// Requests, Tasks and Copies are the ids that the records name, in the order
	// of their first record.
	Requests, Tasks, Copies []string
	Extent
}

// Traced is a record with why it is there.
type Traced struct {
	Line
	// When is the record's time, or that of the record before it in its file.
	When time.Time
	// Why is "" for a record that names the id itself; else what led to it.
	Why string

	at int64 // where in its file
}

// The words for why a record is in a trace that does not name its id.
const (
	SameRequest = "same request"
	ItsTask     = "its task"
)

// Trace finds every record of all sources that names a request id, a task id
// or a copy's uuid, and the other records of the requests and tasks that those
// belong to. The records come in order of time; one without a time keeps its
// place after the record before it in its file.
func (p *Probe) Trace(ctx context.Context, id string) (Trace, error) {
	id = strings.TrimSpace(id)
	t := Trace{ID: id}
	index := &timeIndex{marks: map[partID]map[int64]time.Time{}}
	found, extent, err := p.collect(ctx, Query{Any: []string{id}, whole: true, index: index})
	t.Extent = extent
	t.add(found, func(*Line) (string, bool) { return "", true })
	if f := t.follow(); err == nil && len(f.q.Any) > 0 {
		f.q.index = index
		found, extent, err = p.collect(ctx, f.q)
		t.Truncated = t.Truncated || extent.Truncated && err != nil
		t.add(found, f.why)
	}
	slices.SortStableFunc(t.Records, func(a, b Traced) int {
		return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.File, b.File), cmp.Compare(a.at, b.at))
	})
	if cut := len(t.Records) - maxTraced; cut > 0 {
		t.Records, t.Truncated = t.Records[cut:], true
	}
	t.gather()
	return t, err
}

// collect gives every record that q finds, in the order of its file, the
// oldest first. Of too many the newest of each log are kept.
func (p *Probe) collect(ctx context.Context, q Query) (found []hit, extent Extent, err error) {
	more := false
	extent, err = p.scan(ctx, q, false, func(hits []hit) {
		if len(found) >= 4*maxTraced {
			more = true
			return
		}
		slices.Reverse(hits) // blocks come newest first, so records do
		found = append(found, hits...)
	})
	slices.Reverse(found)
	extent.Truncated = extent.Truncated || more
	return found, extent, err
}

// add takes in records that are not there yet. why says what led to a record,
// or that it does not belong here.
func (t *Trace) add(found []hit, why func(*Line) (string, bool)) {
	there := map[string]bool{}
	for i := range t.Records {
		there[t.Records[i].key()] = true
	}
	for i := range found {
		because, belongs := why(&found[i].Line)
		r := Traced{Line: found[i].Line, When: found[i].when, Why: because, at: found[i].at}
		if key := r.key(); belongs && !there[key] {
			there[key] = true
			t.Records = append(t.Records, r)
		}
	}
}

// key tells records apart: by their place, or by all that they say where the
// source has none.
func (r *Traced) key() string {
	if r.Place != "" {
		return r.Place
	}
	return strings.Join([]string{r.At.String(), r.File, r.Origin, r.Logger, r.Message}, "\x00")
}

// followed are the requests and tasks whose other records belong to a trace.
type followed struct {
	requests, tasks map[string]bool
	q               Query
}

// taskBefore is how long before its end a task may have been received.
const taskBefore = 24 * time.Hour

// follow finds out which they are: of the records that name the id, their
// requests and tasks. The other records of a request are near in time, those
// of a task within a day, so only that time is searched.
func (t *Trace) follow() followed {
	f := followed{requests: map[string]bool{}, tasks: map[string]bool{}, q: Query{whole: true}}
	for i := range t.Records {
		r := &t.Records[i]
		f.add(f.requests, r.RequestID, t.ID)
		f.add(f.tasks, r.TaskID, t.ID)
		if r.When.IsZero() {
			return f // at an unknown time: all times are searched
		}
	}
	for i := range t.Records {
		f.q.near = append(f.q.near, t.Records[i].When)
	}
	slices.SortFunc(f.q.near, time.Time.Compare)
	if n := len(f.q.near); n > 0 {
		f.q.Since, f.q.Until = f.q.near[0].Add(-disorder), f.q.near[n-1].Add(disorder)
	}
	if len(f.tasks) > 0 {
		f.q.Since, f.q.Until, f.q.near = f.q.Since.Add(-taskBefore), f.q.Until.Add(taskBefore), nil
	}
	return f
}

func (f *followed) add(to map[string]bool, id, own string) {
	if len(id) < minFollowed || strings.EqualFold(id, own) || to[id] || len(f.q.Any) == maxFollowed {
		return
	}
	to[id] = true
	f.q.Any = append(f.q.Any, id)
}

// why says whether a record that names one of the ids belongs to it.
func (f *followed) why(l *Line) (string, bool) {
	switch {
	case f.requests[l.RequestID]:
		return SameRequest, true
	case f.tasks[l.TaskID]:
		return ItsTask, true
	}
	for id := range f.tasks {
		if containsFold([]byte(l.Message), id) {
			return ItsTask, true
		}
	}
	return "", false
}

// gather lists the ids that the records name.
func (t *Trace) gather() {
	seen := map[string]bool{"": true}
	note := func(list *[]string, id string) {
		if !seen[id] {
			seen[id] = true
			*list = append(*list, id)
		}
	}
	for i := range t.Records {
		r := &t.Records[i]
		note(&t.Requests, r.RequestID)
		note(&t.Tasks, r.TaskID)
		note(&t.Copies, r.CopyID)
	}
}
