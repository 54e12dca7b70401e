package logs

import (
	"context"

	"gradecockpit/probes"
)

// Probe follows the logs for the screen, and answers questions about them.
// Sample is called by one goroutine at a time, as the hub does; the others may
// run beside it.
type Probe struct{ source Source }

// New makes a probe of a folder.
func New(cfg Config) *Probe { return NewProbe(NewFolder(cfg)) }

// NewProbe makes a probe of one or several sources, whose records it merges.
func NewProbe(sources ...Source) *Probe {
	if len(sources) == 1 {
		return &Probe{sources[0]}
	}
	return &Probe{mergeOf(sources)}
}

// ID is "logs".
func (p *Probe) ID() probes.ID { return ID }

// Source is the logs.
func (p *Probe) Source() probes.SourceID { return probes.Logs }

// Where says where the records come from.
func (p *Probe) Where() string { return p.source.Where() }

// Sample reads what was written since the last time and gives an Overview. Of
// several sources one that fails is named in the Note while another one answers.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	o, err := p.source.Sample(ctx)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Search finds the newest records of all sources, newest first.
func (p *Probe) Search(ctx context.Context, q Query) (Result, error) { return p.Seek(ctx, q, nil) }

// Seek is Search that hands over through say what it found so far, for a
// screen. A source that fails is named in Skipped while another one answers.
func (p *Probe) Seek(ctx context.Context, q Query, say func(Result)) (Result, error) {
	return p.source.Search(ctx, q, say)
}

// Each gives every record of all sources that q finds, newest first, until do
// says false.
func (p *Probe) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	return p.source.Each(ctx, q, do)
}

// ReadLine reads the whole record at a place.
func (p *Probe) ReadLine(ctx context.Context, place string) (Record, error) {
	return p.source.ReadLine(ctx, place)
}

// allScanner is a source that can hand over all records at once in any order,
// which is quicker where records are counted.
type allScanner interface {
	scanAll(ctx context.Context, q Query, lean bool, do func([]hit)) (Extent, error)
}

// scan hands over every record of all sources that q finds, in batches of
// which each is in the order of its file; the newest batch of a file comes
// first. lean: time, level and logger suffice.
func (p *Probe) scan(ctx context.Context, q Query, lean bool, do func([]hit)) (Extent, error) {
	return scan(ctx, p.source, q, lean, do)
}

func scan(ctx context.Context, s Source, q Query, lean bool, do func([]hit)) (Extent, error) {
	if a, ok := s.(allScanner); ok {
		return a.scanAll(ctx, q, lean, do)
	}
	return s.Each(ctx, q, func(l Line) bool {
		do([]hit{{Line: l, when: l.At}})
		return true
	})
}
