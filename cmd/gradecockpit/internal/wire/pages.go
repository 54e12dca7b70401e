package wire

import (
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
)

// Readers give what the pages show that is read when they are opened, one line
// a kind. A page without a reader shows only what the probes saw.
func (c *Cockpit) Readers() map[pane.Kind]page.Reader {
	return map[pane.Kind]page.Reader{
		pane.KindSession:   c.session,
		pane.KindStatement: c.readStatement,
	}
}
