package wire

import (
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/logs/loki"
)

// logSettings names what has to be set for there to be logs.
const logSettings = "GRADING_LOG_DIR, GRADECOCKPIT_LOG_COMMAND or LOKI_URL"

// logSources makes the sources of the logs that are configured: the folder, a
// command's output, Loki.
func (c *Cockpit) logSources() ([]logs.Source, error) {
	var sources []logs.Source
	if dir := c.Config.Text(config.LogDir); dir != "" {
		sources = append(sources, logs.NewFolder(logs.Config{Dir: dir}))
	}
	if words := c.Config.Words(config.LogCommand); len(words) > 0 {
		command := logs.NewCommand(words)
		c.closers = append(c.closers, command.Close)
		sources = append(sources, command)
	}
	t := c.Config.Text
	if t(config.LokiURL) != "" {
		l, err := logs.NewLoki(loki.Config{URL: t(config.LokiURL), Query: t(config.LokiQuery), Tenant: t(config.LokiTenant), Token: t(config.LokiToken)})
		if err != nil {
			return nil, &config.Error{Where: c.Config.Value(config.LokiURL).Origin, Why: probes.Brief(err)}
		}
		c.closers = append(c.closers, l.Close)
		sources = append(sources, l)
	}
	return sources, nil
}
