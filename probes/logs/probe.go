package logs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"gradecockpit/probes"
)

// Probe follows the logs for the screen, and answers questions about them.
// Sample is called by one goroutine at a time, as the hub does; the others may
// run beside it.
type Probe struct{ sources []Source }

// New makes a probe of a folder.
func New(cfg Config) *Probe { return NewProbe(NewFolder(cfg)) }

// NewProbe makes a probe of one or several sources, whose records it merges.
func NewProbe(sources ...Source) *Probe { return &Probe{sources} }

// ID is "logs".
func (p *Probe) ID() probes.ID { return ID }

// Source is the logs.
func (p *Probe) Source() probes.SourceID { return probes.Logs }

// Sample reads what was written since the last time and gives an Overview. Of
// several sources one that fails is named in the Note while another one answers.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	var all []Overview
	var failed error
	for _, s := range p.sources {
		o, err := s.Sample(ctx)
		if err != nil {
			failed = firstOf(failed, err)
			continue
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return nil, failed
	}
	o := all[0]
	for _, other := range all[1:] {
		o = o.join(other)
	}
	if failed != nil {
		o.Note = sentences(o.Note, probes.Brief(failed)+".")
	}
	return o, nil
}

// join puts two overviews together.
func (o Overview) join(b Overview) Overview {
	o.Dir = strings.Join([]string{o.Dir, b.Dir}, ", ")
	o.Files = slices.Concat(o.Files, b.Files)
	o.Recent, o.Errors = byTime(o.Recent, b.Recent, maxRecent), byTime(o.Errors, b.Errors, maxErrors)
	o.ByCopy = maps.Clone(o.ByCopy)
	for id, l := range b.ByCopy {
		if old, ok := o.ByCopy[id]; !ok || old.At.Before(l.At) {
			o.ByCopy[id] = l
		}
	}
	o.ErrorsLastHour += b.ErrorsLastHour
	o.WarningsLastHour += b.WarningsLastHour
	o.Unparsed += b.Unparsed
	if o.Since.IsZero() || !b.Since.IsZero() && b.Since.Before(o.Since) {
		o.Since = b.Since
	}
	o.Note = sentences(o.Note, b.Note)
	return o
}

// byTime merges lines, newest last, and keeps the newest.
func byTime(a, b []Line, limit int) []Line {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Line) int { return a.At.Compare(b.At) })
	return all[max(0, len(all)-limit):]
}

func sentences(a, b string) string { return strings.TrimSpace(a + " " + b) }

// Search finds the newest records of all sources, newest first.
func (p *Probe) Search(ctx context.Context, q Query) (Result, error) { return p.Seek(ctx, q, nil) }

// Seek is Search that hands over through say what it found so far, for a
// screen. Sources are asked one after the other; one that fails is named in
// Skipped while another one answers.
func (p *Probe) Seek(ctx context.Context, q Query, say func(Result)) (Result, error) {
	q = q.withDefaults()
	res := Result{Query: q}
	err := p.each(func(s Source) error {
		before := res
		var tell func(Result)
		if say != nil {
			tell = func(part Result) { say(before.join(part)) }
		}
		found, err := s.Search(ctx, q, tell)
		res = before.join(found)
		return err
	}, &res.Extent)
	res.Done = true
	return res, err
}

// join puts the results of two sources together.
func (r Result) join(b Result) Result {
	lines := slices.Concat(r.Lines, b.Lines)
	slices.SortStableFunc(lines, func(a, b Line) int { return b.At.Compare(a.At) })
	r.Extent = r.Extent.join(b.Extent)
	if len(lines) > r.Query.Limit {
		lines, r.Truncated = lines[:r.Query.Limit], true
	}
	r.Lines, r.Done = lines, b.Done
	return r
}

// join puts how far two searches looked together.
func (e Extent) join(b Extent) Extent {
	oldest := e.Oldest
	if oldest.IsZero() || !b.Oldest.IsZero() && b.Oldest.Before(oldest) {
		oldest = b.Oldest
	}
	return Extent{Truncated: e.Truncated || b.Truncated, Bytes: e.Bytes + b.Bytes, Total: e.Total + b.Total,
		Oldest: oldest, Skipped: slices.Concat(e.Skipped, b.Skipped)}
}

// each asks every source. It fails when all do, or when time is up.
func (p *Probe) each(ask func(Source) error, extent *Extent) error {
	var failed []error
	for _, s := range p.sources {
		if err := ask(s); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	for _, err := range failed {
		if len(failed) == len(p.sources) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		extent.Skipped = append(extent.Skipped, probes.Brief(err))
	}
	return nil
}

// Each gives every record of all sources that q finds, newest first, until do
// says false.
func (p *Probe) Each(ctx context.Context, q Query, do func(Line) bool) (extent Extent, err error) {
	pulled := make([]*pulling, len(p.sources))
	for i, s := range p.sources {
		pulled[i] = pull(ctx, s, q)
	}
	for best := newestOf(pulled); best != nil; best = newestOf(pulled) {
		line := best.line
		best.step()
		if !do(line) {
			break
		}
	}
	for _, r := range pulled {
		r.stop()
	}
	i := -1
	err = p.each(func(Source) error {
		i++
		extent = extent.join(pulled[i].extent)
		return pulled[i].err
	}, &extent)
	return extent, err
}

// pulling is the records of one source, taken one after the other.
type pulling struct {
	line   Line
	ok     bool
	next   func() (Line, bool)
	stop   func()
	extent Extent
	err    error
}

func pull(ctx context.Context, s Source, q Query) *pulling {
	r := &pulling{}
	r.next, r.stop = iter.Pull(func(yield func(Line) bool) { r.extent, r.err = s.Each(ctx, q, yield) })
	r.step()
	return r
}

func (r *pulling) step() { r.line, r.ok = r.next() }

// newestOf gives the source with the newest record. One without a time follows
// the record that was taken before it from the same source.
func newestOf(all []*pulling) (best *pulling) {
	for _, r := range all {
		switch {
		case !r.ok:
		case r.line.At.IsZero():
			return r
		case best == nil || r.line.At.After(best.line.At):
			best = r
		}
	}
	return best
}

// allScanner is a source that can hand over all records at once in any order,
// which is quicker where records are counted.
type allScanner interface {
	scanAll(ctx context.Context, q Query, lean bool, do func([]hit)) (Extent, error)
}

// scan hands over every record of all sources that q finds, in batches of
// which each is in the order of its file; the newest batch of a file comes
// first. lean: time, level and logger suffice.
func (p *Probe) scan(ctx context.Context, q Query, lean bool, do func([]hit)) (extent Extent, err error) {
	err = p.each(func(s Source) error {
		var e Extent
		var err error
		if a, ok := s.(allScanner); ok {
			e, err = a.scanAll(ctx, q, lean, do)
		} else {
			e, err = eachHit(ctx, s, q, do)
		}
		extent = extent.join(e)
		return err
	}, &extent)
	return extent, err
}

// eachHit is scan for a source that gives record after record.
func eachHit(ctx context.Context, s Source, q Query, do func([]hit)) (Extent, error) {
	return s.Each(ctx, q, func(l Line) bool {
		do([]hit{{Line: l, when: l.At}})
		return true
	})
}

// ReadLine reads the whole record at a place.
func (p *Probe) ReadLine(ctx context.Context, place string) (Record, error) {
	var failed error = gone(place)
	for _, s := range p.sources {
		r, err := s.ReadLine(ctx, place)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
	}
	return Record{}, failed
}

// Where says where the records come from.
func (p *Probe) Where() string {
	var all []string
	for _, s := range p.sources {
		all = append(all, s.Where())
	}
	return strings.Join(all, ", ")
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
