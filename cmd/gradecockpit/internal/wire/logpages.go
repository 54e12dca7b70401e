package wire

import (
	"context"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
)

// listed is how many records a screen lists; narrowing reaches the others.
const listed = 500

// logQuery reads a query for the logs that are there.
func (c *Cockpit) logQuery(text string) (*logs.Probe, logs.Query, error) {
	p, err := c.Logs()
	if err != nil {
		return nil, logs.Query{}, err
	}
	q, err := logs.ParseQuery(text, time.Now(), time.Local)
	if err != nil {
		return nil, q, &probes.Error{Source: probes.Logs, Op: "search", Cause: err.Error(), Err: err}
	}
	q.Limit = listed
	return p, q, nil
}

// SeekLogs answers the filter of the logs pane: it hands over [logs.Result]
// through say as it finds more, and gives the whole in the end.
func (c *Cockpit) SeekLogs(ctx context.Context, query string, say func(any)) (any, error) {
	p, q, err := c.logQuery(query)
	if err != nil {
		return nil, err
	}
	return p.Seek(ctx, q, func(r logs.Result) { say(r) })
}

// onLogs reads what a page shows of a query: the ID of its Ref.
func onLogs[T any](c *Cockpit, ask func(*logs.Probe, context.Context, logs.Query) (T, error)) page.Reader {
	return func(ctx context.Context, ref pane.Ref) (any, error) {
		p, q, err := c.logQuery(ref.ID)
		if err != nil {
			return nil, err
		}
		return whole(ask(p, ctx, q))
	}
}

// whole is a page's data, or the reason why there is none.
func whole[T any](data T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return data, nil
}

// allRequests lists the request ids of all that a query finds.
func allRequests(p *logs.Probe, ctx context.Context, q logs.Query) (logs.Requests, error) {
	return p.Requests(ctx, q, 0)
}

// overTime counts with bars of the width that suits.
func overTime(p *logs.Probe, ctx context.Context, q logs.Query) (logs.Histogram, error) {
	return p.Histogram(ctx, q, 0)
}

// readTrace reads the page of a trace.
func (c *Cockpit) readTrace(ctx context.Context, ref pane.Ref) (any, error) {
	return whole(c.Trace(ctx, ref.ID))
}

// readLogLine reads the page of a record.
func (c *Cockpit) readLogLine(ctx context.Context, ref pane.Ref) (any, error) {
	p, err := c.Logs()
	if err != nil {
		return nil, err
	}
	return whole(p.ReadLine(ctx, ref.ID))
}

// readPatterns counts what the named searches found in the last hour.
func (c *Cockpit) readPatterns(ctx context.Context, _ pane.Ref) (any, error) {
	p, err := c.Logs()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return whole(p.CountPatterns(ctx, now.Add(-time.Hour), now))
}
