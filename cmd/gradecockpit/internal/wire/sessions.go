package wire

import (
	"context"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/tui/pane"
)

// addSessions adds what the sessions of PostgreSQL do.
func (c *Cockpit) addSessions() {
	if c.reader == nil {
		c.add(absent{activity.ID, probes.Postgres, "DATABASE_URL, or PGHOST and PGDATABASE"}, often)
		return
	}
	c.activity = activity.New(c.reader)
	c.add(c.activity, often)
}

// session reads the page of one session, by its ID or its PID.
func (c *Cockpit) session(ctx context.Context, ref pane.Ref) (any, error) {
	if c.activity == nil {
		return nil, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return c.activity.Session(ctx, ref.ID)
}
