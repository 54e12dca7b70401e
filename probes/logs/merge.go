package logs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// merged are several sources as one, in order of time. One that fails is named
// and the others go on; it fails only when all do.
type merged struct {
	sources []Source
	last    []*Overview // what each said last; nil: nothing yet
}

func mergeOf(sources []Source) *merged {
	return &merged{sources: sources, last: make([]*Overview, len(sources))}
}

// Where names all of them.
func (m *merged) Where() string {
	var names []string
	for _, s := range m.sources {
		names = append(names, s.Where())
	}
	return strings.Join(names, ", ")
}

// all asks every source at once and gives their errors by number.
func (m *merged) all(ask func(i int, s Source) error) []error {
	errs := make([]error, len(m.sources))
	var wg sync.WaitGroup
	for i, s := range m.sources {
		wg.Go(func() { errs[i] = ask(i, s) })
	}
	wg.Wait()
	return errs
}

// Sample asks all of them at once. Of one that fails, what it said before stays.
func (m *merged) Sample(ctx context.Context) (Overview, error) {
	errs := m.all(func(i int, s Source) error {
		o, err := s.Sample(ctx)
		if err == nil {
			m.last[i] = &o
		}
		return err
	})
	if slices.Index(errs, nil) < 0 {
		return Overview{}, together(errs)
	}
	sum := Overview{Dir: m.Where(), ByCopy: map[string]Line{}}
	var notes []string
	for i, o := range m.last {
		if o != nil {
			sum.add(*o)
			notes = append(notes, o.Note)
		}
		if errs[i] != nil {
			notes = append(notes, m.named(i, errs[i]))
		}
	}
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	sum.Note = strings.Join(notes, " ")
	return sum, nil
}

// named is why a source failed, as a sentence with its name.
func (m *merged) named(i int, err error) string {
	return m.sources[i].Where() + ": " + strings.TrimSuffix(probes.Brief(err), ".") + "."
}

// together is one error of several sources: refused only when all are.
func together(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	all := &probes.Error{Source: probes.Logs, Op: "read", Denied: true, Err: errors.Join(errs...)}
	var causes, next []string
	for _, err := range errs {
		var e *probes.Error
		if !errors.As(err, &e) {
			e = &probes.Error{Cause: clean.Capped(err.Error(), 200)}
		}
		causes, next = append(causes, e.Cause), append(next, e.Next)
		all.Denied = all.Denied && e.Denied
	}
	all.Cause = strings.Join(causes, "; ")
	all.Next = strings.Join(slices.DeleteFunc(next, func(s string) bool { return s == "" }), " ")
	return all
}

// add takes in what another source says.
func (o *Overview) add(other Overview) {
	o.Files = append(o.Files, other.Files...)
	o.Recent = newestLines(maxRecent, o.Recent, other.Recent)
	o.Errors = newestLines(maxErrors, o.Errors, other.Errors)
	for id, line := range other.ByCopy {
		if old, ok := o.ByCopy[id]; !ok || line.At.After(old.At) {
			o.ByCopy[id] = line
		}
	}
	o.Troubles = addTroubles(o.Troubles, other.Troubles)
	o.ErrorsLastHour += other.ErrorsLastHour
	o.WarningsLastHour += other.WarningsLastHour
	if o.Since.IsZero() || !other.Since.IsZero() && other.Since.Before(o.Since) {
		o.Since = other.Since
	}
	o.Unparsed += other.Unparsed
}

// newestLines merges two lists, newest last, and keeps the newest.
func newestLines(limit int, a, b []Line) []Line {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Line) int { return a.At.Compare(b.At) })
	return all[max(0, len(all)-limit):]
}

// Search asks all of them at once and says what they have together.
func (m *merged) Search(ctx context.Context, q Query, say func(Result)) (Result, error) {
	q = q.withDefaults()
	parts := make([]Result, len(m.sources))
	type part struct {
		i int
		r Result
	}
	news, done := make(chan part), make(chan []error)
	go func() {
		done <- m.all(func(i int, s Source) error {
			r, err := s.Search(ctx, q, func(r Result) { news <- part{i, r} })
			news <- part{i, r}
			return err
		})
	}()
	for {
		select {
		case p := <-news:
			parts[p.i] = p.r
			if say != nil {
				say(m.sum(q, parts))
			}
		case errs := <-done:
			return m.ended(ctx, q, parts, errs)
		}
	}
}

func (m *merged) ended(ctx context.Context, q Query, parts []Result, errs []error) (res Result, err error) {
	res = m.sum(q, parts)
	res.Done = true
	res.Extent, err = m.closed(ctx, res.Extent, errs)
	return res, err
}

// sum puts results together. Each source gave its newest q.Limit, so the newest
// of all of them are there.
func (m *merged) sum(q Query, parts []Result) Result {
	res := Result{Query: q}
	for _, p := range parts {
		res.Lines = append(res.Lines, p.Lines...)
		res.Extent = res.with(p.Extent)
	}
	slices.SortStableFunc(res.Lines, func(a, b Line) int { return b.At.Compare(a.At) })
	if len(res.Lines) > q.Limit {
		res.Lines, res.Truncated = res.Lines[:q.Limit], true
	}
	return res
}

// with puts two extents together.
func (x Extent) with(y Extent) Extent {
	return Extent{Truncated: x.Truncated || y.Truncated, Bytes: x.Bytes + y.Bytes, Total: x.Total + y.Total,
		Skipped: slices.Concat(x.Skipped, y.Skipped), Oldest: reached(x, y)}
}

// reached is how far back two searches looked together: to where one was cut
// short, or to the beginning of both.
func reached(x, y Extent) time.Time {
	switch {
	case x.Oldest.IsZero() || y.Truncated && !x.Truncated && !y.Oldest.IsZero():
		return y.Oldest
	case y.Oldest.IsZero() || x.Truncated && !y.Truncated:
		return x.Oldest
	case x.Oldest.Before(y.Oldest) == x.Truncated:
		return y.Oldest
	}
	return x.Oldest
}

// Each merges what all of them find. They are read one record at a time, in
// turn.
func (m *merged) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	pulls := make([]*puller, len(m.sources))
	for i, s := range m.sources {
		pulls[i] = newPuller(ctx, s, q)
		defer pulls[i].stop()
	}
	more := true
	for p := newestPuller(pulls); p != nil && more; p = newestPuller(pulls) {
		more = do(p.take())
	}
	var x Extent
	errs := make([]error, len(pulls))
	for i, p := range pulls {
		p.stop()
		x, errs[i] = x.with(p.extent), p.err
	}
	x.Truncated = x.Truncated || !more
	return m.closed(ctx, x, errs)
}

// puller turns a source's Each around: it gives one record after the other.
type puller struct {
	head   *Line
	at     time.Time // of head, or of the record before it when head has none
	next   func() (Line, bool)
	stop   func()
	extent Extent
	err    error
}

func newPuller(ctx context.Context, s Source, q Query) *puller {
	p := &puller{}
	p.next, p.stop = iter.Pull(func(yield func(Line) bool) { p.extent, p.err = s.Each(ctx, q, yield) })
	p.forward()
	return p
}

func (p *puller) forward() {
	line, ok := p.next()
	if p.head = nil; !ok {
		return
	}
	p.head = &line
	if !line.At.IsZero() {
		p.at = line.At
	}
}

func (p *puller) take() Line {
	line := *p.head
	p.forward()
	return line
}

func newestPuller(pulls []*puller) *puller {
	var best *puller
	for _, p := range pulls {
		if p.head != nil && (best == nil || p.at.After(best.at)) {
			best = p
		}
	}
	return best
}

// scanAll asks one after the other, since do is called by one at a time.
func (m *merged) scanAll(ctx context.Context, q Query, lean bool, do func([]hit)) (x Extent, err error) {
	errs := make([]error, len(m.sources))
	for i, s := range m.sources {
		y, err := scan(ctx, s, q, lean, do)
		x, errs[i] = x.with(y), err
	}
	return m.closed(ctx, x, errs)
}

// closed names the sources that failed; it fails when all did.
func (m *merged) closed(ctx context.Context, x Extent, errs []error) (Extent, error) {
	for i, err := range errs {
		if err != nil {
			x.Skipped, x.Truncated = append(x.Skipped, m.named(i, err)), true
		}
	}
	switch {
	case ctx.Err() != nil:
		x.Truncated = true
		return x, stopped(ctx.Err())
	case slices.Index(errs, nil) < 0:
		return x, together(errs)
	}
	return x, nil
}

// Follow follows all of them side by side; do is called by one at a time. It
// fails when none can be followed.
func (m *merged) Follow(ctx context.Context, q Query, last int, do func(Line)) error {
	var mu sync.Mutex
	errs := m.all(func(_ int, s Source) error {
		return follow(ctx, s, q, last, func(l Line) {
			mu.Lock()
			defer mu.Unlock()
			do(l)
		})
	})
	if slices.Index(errs, nil) < 0 {
		return together(errs)
	}
	return nil
}

// ReadLine asks the source that the place is of.
func (m *merged) ReadLine(ctx context.Context, place string) (Record, error) {
	var err error
	for _, s := range m.sources {
		var r Record
		if r, err = s.ReadLine(ctx, place); !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
	}
	return Record{}, err
}
