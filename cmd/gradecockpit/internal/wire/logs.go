package wire

import (
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/logs"
)

// addLogs adds the application's logs.
func (c *Cockpit) addLogs() error {
	dir := c.Config.Text(config.LogDir)
	if dir == "" {
		c.add(absent{logs.ID, probes.Logs, "GRADING_LOG_DIR"}, often)
		return nil
	}
	c.logs = logs.New(logs.Config{Dir: dir})
	c.add(c.logs, often)
	return nil
}
