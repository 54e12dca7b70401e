package wire

import (
	"context"

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
