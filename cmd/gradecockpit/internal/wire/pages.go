package wire

import (
	"cmp"
	"context"
	"errors"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
)

// Readers give what the pages show that is read when they are opened, one line
// a kind. A page without a reader shows only what the probes saw.
func (c *Cockpit) Readers() map[pane.Kind]page.Reader {
	return map[pane.Kind]page.Reader{
		pane.KindTrace:     c.readTrace,
		pane.KindLogLine:   c.readLogLine,
		pane.KindLogs:      onLogs(c, (*logs.Probe).Search),
		pane.KindLogTimes:  onLogs(c, overTime),
		pane.KindRequests:  onLogs(c, allRequests),
		pane.KindSlow:      onLogs(c, (*logs.Probe).Slow),
		pane.KindPatterns:  c.readPatterns,
		pane.KindSession:   c.session,
		pane.KindStatement: c.readStatement,
		pane.KindFile:      c.readFile,
	}
}

// Seekers answer the filters of panes whose source knows more than they show.
func (c *Cockpit) Seekers() map[pane.ID]func(ctx context.Context, query string, say func(any)) (any, error) {
	return map[pane.ID]func(ctx context.Context, query string, say func(any)) (any, error){"logs": c.SeekLogs}
}

// readFor bounds the reading of a page that names no bound of its own.
const readFor = 6 * time.Second

// ReadPage asks a page's reader, as the screen would. A page without a reader
// shows only what the probes saw.
func (c *Cockpit) ReadPage(ctx context.Context, spec page.Spec, ref pane.Ref) (probes.Snapshot, error) {
	now := time.Now()
	snap := probes.Snapshot{ID: pane.ReadID, Seq: 1, At: now, Good: now, Payload: struct{}{}}
	reader := c.Readers()[spec.Kind]
	if reader == nil {
		return snap, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(spec.Takes, readFor))
	defer cancel()
	data, err := reader(ctx, ref)
	if err == nil && data == nil {
		err = errors.New("nothing is known of " + ref.Name())
	}
	snap.Payload = data
	return snap, err
}
