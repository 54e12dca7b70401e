package logs

import (
	"context"
	"errors"
	"slices"
	"time"

	"gradecockpit/probes"
)

// followEvery is how often a folder is looked at for what was written.
const followEvery = 250 * time.Millisecond

// recentTail is how far from the end of each log the records that come first
// when it is followed are looked for, in bytes.
const recentTail = 1 << 20

// Follow hands over the last records that q finds, then every one that is
// written, with its traceback, until ctx ends. It survives rotation,
// truncation, and a folder that is away for a while.
func (d *Folder) Follow(ctx context.Context, q Query, last int, do func(Line)) error {
	f := NewFolder(Config{Dir: d.cfg.Dir, MaxTail: recentTail})
	var old []Line
	f.written = &written{q: q.withDefaults(), do: func(l Line) { old = append(old, l) }}
	if _, err := f.Sample(ctx); err != nil {
		return err
	}
	slices.SortStableFunc(old, func(a, b Line) int { return a.At.Compare(b.At) })
	for _, l := range old[max(0, len(old)-last):] {
		do(l)
	}
	f.written.do = do
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			_, _ = f.Sample(ctx) // a folder that is away may come back
		}
	}
	return nil
}

// written puts records together as their lines come.
type written struct {
	q    Query
	do   func(Line)
	open bool
	line record
	raw  []byte
}

// begin takes the head of a record; the one before is whole then.
func (w *written) begin(line Line, raw []byte) {
	if w == nil {
		return
	}
	w.flush()
	w.open, w.line, w.raw = true, record{Line: line}, append(w.raw[:0], raw...)
}

// goOn takes a line of a traceback.
func (w *written) goOn(raw []byte) {
	if w == nil || !w.open || len(w.raw) > maxLine {
		return
	}
	_, text := cutOrigin(raw)
	w.line.addTrace(text)
	w.raw = append(append(w.raw, '\n'), raw...)
}

// flush hands over what is there.
func (w *written) flush() {
	if w == nil || !w.open {
		return
	}
	w.open, w.line.Length = false, len(w.raw)
	if w.q.Matches(w.line.Line, w.raw) {
		w.do(w.line.Line)
	}
}

// Follow hands over every record that is written from now on and that q finds.
func (p *Probe) Follow(ctx context.Context, q Query, last int, do func(Line)) error {
	return follow(ctx, p.source, q, last, do)
}

func follow(ctx context.Context, s Source, q Query, last int, do func(Line)) error {
	if f, ok := s.(Follower); ok {
		return f.Follow(ctx, q, last, do)
	}
	return &probes.Error{Source: probes.Logs, Op: "follow", Cause: s.Where() + " cannot be followed", Err: errors.ErrUnsupported}
}
