package grading

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes"
)

// Older gives the n events before a place in the timeline, newest first, with
// the gaps found among them. Fewer than n events (gaps apart) are the last
// ones. It reads the whole event table where that has no index on its
// timestamp, as on the deployed system: for a responder who pages, not for a loop.
func (p *Probe) Older(ctx context.Context, before Cursor, n int) ([]Event, error) {
	var events []Event
	var copies []history
	err := p.with(ctx, "read older events", func(f found) error {
		if why, fix := f.schema.Why(EventID, EventCopy, EventAction, EventAt); why != "" {
			return missing(why, fix)
		}
		err := p.ask(ctx, question{f.sql["events_older"], older(before, n), func(rows pgx.Rows) (err error) {
			events, err = readEvents(rows)
			return err
		}})
		if err == nil {
			copies, err = p.histories(ctx, f, events)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	locks := p.locks
	p.mu.Unlock()
	page, _ := insertGaps(events, copies, locks, len(events) == n)
	return slices.DeleteFunc(page, func(e Event) bool { return e.Gap != "" && !e.At.Before(before.At) }), nil
}

// older binds a cursor. A gap is no row: it stands right below the events of
// its own time, so the page goes on with what is older.
func older(before Cursor, n int) []any {
	var id *string
	if !strings.HasPrefix(before.ID, "gap:") && before.ID != "" {
		id = &before.ID
	}
	return []any{before.At, id, n}
}

// histories reads what the copies of some events have been through.
func (p *Probe) histories(ctx context.Context, f found, events []Event) (out []history, err error) {
	ids := make([]string, 0, len(events))
	for _, e := range events {
		ids = append(ids, e.Copy.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil
	}
	err = p.ask(ctx, question{f.sql["history_of"], []any{ids}, func(rows pgx.Rows) (err error) {
		out, err = readHistories(rows)
		return err
	}})
	return out, err
}

// missing is the error of a read that the schema or our rights do not allow.
func missing(why, fix string) error {
	return &probes.Error{Source: probes.Postgres, Op: "not possible here", Cause: strings.TrimSuffix(why, "."), Next: fix, Denied: fix != ""}
}
