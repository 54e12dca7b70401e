package logs

import (
	"context"

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

// Sample reads what was written since the last time and gives an Overview.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	o, err := p.sources[0].Sample(ctx)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Search finds the newest records of all sources, newest first.
func (p *Probe) Search(ctx context.Context, q Query) (Result, error) { return p.Seek(ctx, q, nil) }

// Seek is Search that hands over through say what it found so far, for a screen.
func (p *Probe) Seek(ctx context.Context, q Query, say func(Result)) (Result, error) {
	return p.sources[0].Search(ctx, q, say)
}

// Each gives every record of all sources that q finds, newest first, until do
// says false.
func (p *Probe) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	return p.sources[0].Each(ctx, q, do)
}

// ReadLine reads the whole record at a place.
func (p *Probe) ReadLine(ctx context.Context, place string) (Record, error) {
	return p.sources[0].ReadLine(ctx, place)
}
