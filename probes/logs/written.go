package logs

import (
	"context"
	"errors"
	"time"

	"gradecockpit/probes"
)

// followEvery is how often a folder is looked at for what was written.
const followEvery = 250 * time.Millisecond

// Follow hands over every record that is written from now on and that q finds,
// with its traceback, until ctx ends. It survives rotation, truncation, and a
// folder that is away for a while.
func (d *Folder) Follow(ctx context.Context, q Query, do func(Line)) error {
	f := NewFolder(Config{Dir: d.cfg.Dir, MaxTail: -1})
	f.written = &written{q: q.withDefaults(), do: do}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		if _, err := f.Sample(ctx); err != nil && first && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			f.written.flush()
			return nil
		case <-tick.C:
		}
	}
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
	w.open, w.line, w.raw = true, record{line}, append(w.raw[:0], raw...)
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
func (p *Probe) Follow(ctx context.Context, q Query, do func(Line)) error {
	return follow(ctx, p.source, q, do)
}

func follow(ctx context.Context, s Source, q Query, do func(Line)) error {
	if f, ok := s.(Follower); ok {
		return f.Follow(ctx, q, do)
	}
	return &probes.Error{Source: probes.Logs, Op: "follow", Cause: s.Where() + " cannot be followed", Err: errors.ErrUnsupported}
}
