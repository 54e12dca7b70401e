package wire

import (
	"context"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
)

// slowly is for what goes through all copies, a piece at a time: what is
// missing in the audit trail has been missing for a while.
var slowly = probes.Schedule{Interval: time.Minute, Deadline: 8 * time.Second}

// addAudit adds the search for missing events. It comes after the grading
// probe, which finds out whether locks are in use.
func (c *Cockpit) addAudit() error {
	if c.grading == nil {
		c.add(absent{audit.ID, probes.Postgres, "DATABASE_URL, or PGHOST and PGDATABASE"}, slowly)
		return nil
	}
	c.audit = audit.New(c.reader, c.grading)
	c.add(c.audit, slowly)
	return nil
}

// Audit looks at every copy, however many there are.
func (c *Cockpit) Audit(ctx context.Context) (audit.Overview, error) {
	if c.audit == nil {
		return audit.Overview{}, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return c.audit.All(ctx)
}
