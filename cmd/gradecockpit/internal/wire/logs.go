package wire

import (
	"context"
	"time"

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

// SeekLogs answers the filter of the logs pane: it hands over [logs.Result]
// through say as it finds more, and gives the whole in the end.
func (c *Cockpit) SeekLogs(ctx context.Context, query string, say func(any)) (any, error) {
	p, err := c.Logs()
	if err != nil {
		return nil, err
	}
	q, err := logs.ParseQuery(query, time.Now(), time.Local)
	if err != nil {
		return nil, &probes.Error{Source: probes.Logs, Op: "search", Cause: err.Error(), Err: err}
	}
	return p.Seek(ctx, q, func(r logs.Result) { say(r) })
}

// LogLine reads one log record whole, for its page.
func (c *Cockpit) LogLine(ctx context.Context, place string) (logs.Record, error) {
	p, err := c.Logs()
	if err != nil {
		return logs.Record{}, err
	}
	return p.ReadLine(ctx, place)
}

// LogTimes counts what a query finds by level over time, for its page.
func (c *Cockpit) LogTimes(ctx context.Context, query string) (logs.Histogram, error) {
	p, err := c.Logs()
	if err != nil {
		return logs.Histogram{}, err
	}
	q, err := logs.ParseQuery(query, time.Now(), time.Local)
	if err != nil {
		return logs.Histogram{}, &probes.Error{Source: probes.Logs, Op: "count", Cause: err.Error(), Err: err}
	}
	return p.Histogram(ctx, q, 0)
}
