package wire

import (
	"gradecockpit/probes"
	"gradecockpit/probes/logs"
)

// addLogs adds the application's logs.
func (c *Cockpit) addLogs() error {
	sources, err := c.logSources()
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		c.add(absent{logs.ID, probes.Logs, logSettings}, often)
		return nil
	}
	c.logs = logs.NewProbe(sources...)
	c.add(c.logs, often)
	return nil
}

// Logs is the probe that answers questions about the logs.
func (c *Cockpit) Logs() (*logs.Probe, error) {
	if c.logs == nil {
		return nil, probes.NotConfigured(probes.Logs, logSettings)
	}
	return c.logs, nil
}
