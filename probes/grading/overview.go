package grading

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// reading is what one round trip of Sample gave, before it is judged.
type reading struct {
	now            time.Time
	held, expired  int
	recent         int
	oldest         pgtype.Timestamptz // lock
	locks          []Lock
	status         []StatusCount
	stuck          Stucks
	events         []Event
	totals         eventTotals
	histories      []history
	whole          bool // the newest events of the whole table were asked for
	sent, received time.Time
	done           time.Time // the database's clock when it had answered all
}

// skew is the database's clock minus ours. The time that the database worked is
// known, the rest of the round trip is taken to be the way, half in each direction.
func (r reading) skew() time.Duration {
	worked := r.done.Sub(r.now)
	way := (r.received.Sub(r.sent) - worked) / 2
	return r.now.Sub(r.sent.Add(way))
}

// Sample reads everything in one round trip. The payload is an Overview.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	p.sampling.Lock()
	defer p.sampling.Unlock()
	var overview Overview
	err := p.with(ctx, "read the grading tables", func(f found) error {
		r, err := p.read(ctx, f)
		if err == nil {
			overview = p.judge(f.schema, r)
		}
		if r.whole && tookTooLong(err) {
			p.tail.spare(r.sent)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return overview, nil
}

func (p *Probe) read(ctx context.Context, f found) (reading, error) {
	t, limit := p.opts.Thresholds, p.opts.Limit
	r := reading{sent: time.Now()}
	newest, hour := p.tail.next(r.sent)
	off := p.opts.Locks == LocksOff || p.opts.Locks == LocksAuto && !f.schema.hasTable(tableLock)
	eventless := ""
	if newest == allBlocks {
		eventless = f.sql["eventless"]
	}
	err := p.ask(ctx,
		question{f.sql["clock"], nil, one(func(row pgx.Row) error { return row.Scan(&r.now) })},
		question{f.sql["lock_totals"], nil, one(func(row pgx.Row) error { return row.Scan(&r.held, &r.expired, &r.recent, &r.oldest) })},
		question{f.sql["locks"], []any{limit}, func(rows pgx.Rows) (err error) {
			r.locks, err = readLocks(rows, r.now, t.LockTTL)
			return err
		}},
		question{f.sql["status"], nil, func(rows pgx.Rows) (err error) {
			r.status, err = readStatus(rows)
			return err
		}},
		question{f.sql["stuck"], []any{off, t.Import.Seconds(), t.InProgress.Seconds(), t.Locked.Seconds(), limit}, func(rows pgx.Rows) (err error) {
			r.stuck, err = readStuck(rows, r.now)
			return err
		}},
		// The totals before the rows: an event that comes between the two is then
		// counted when its row is seen, and not twice.
		question{f.sql["event_totals"], []any{hour}, func(rows pgx.Rows) (err error) {
			r.totals, err = readEventTotals(rows)
			return err
		}},
		question{f.sql["events"], []any{newest, limit}, func(rows pgx.Rows) (err error) {
			r.events, err = readEvents(rows)
			return err
		}},
		question{eventless, nil, func(rows pgx.Rows) (err error) {
			r.totals.eventless, err = readStatus(rows)
			r.totals.matched = r.now
			return err
		}},
		question{f.sql["history"], []any{newest, limit}, func(rows pgx.Rows) (err error) {
			r.histories, err = readHistories(rows)
			return err
		}},
		question{"select clock_timestamp()", nil, one(func(row pgx.Row) error { return row.Scan(&r.done) })},
	)
	r.received = time.Now()
	r.whole = newest == allBlocks || newest == hour && r.totals.whole
	return r, err
}

// tookTooLong tells whether a deadline ended a read, ours or the server's.
func tookTooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &pg) && pg.Code == "57014"
}

// judge makes the payload of what was read.
func (p *Probe) judge(s *Schema, r reading) Overview {
	events := p.tail.merge(r.events, r.totals, r.whole, p.opts.Limit, r.now, r.sent)
	r.histories = p.tail.recall(r.histories)
	o := Overview{Schema: s, ServerTime: r.now.UTC(), Skew: r.skew(), Started: p.started}
	o.LocksInUse, o.LocksWhy = evidence{s.hasTable(tableLock), r.recent, r.held, r.histories, r.now}.inUse(p.opts.Locks)
	p.mu.Lock()
	p.locks = o.LocksInUse
	p.mu.Unlock()

	o.Locks = part(s, Locks{Rows: r.locks, Total: r.held, Expired: r.expired, Oldest: moment(r.oldest)}, LockCopy, LockExpires)
	o.Status = part(s, r.status, CopyID, CopyStatus)
	if o.LocksInUse == TriNo {
		r.stuck.deadEnds()
	}
	o.Stuck = part(s, p.seen.date(r.stuck, r.now, p.opts.Thresholds), CopyID, CopyStatus)
	events.Rows, events.Gaps = insertGaps(events.Rows, r.histories, o.LocksInUse, events.More)
	o.Events = part(s, events, EventID, EventCopy, EventAction, EventAt)
	return o
}

// part is a value where the schema has the fields it needs, else the reason.
func part[T any](s *Schema, value T, needs ...Field) Part[T] {
	if why, fix := s.Why(needs...); why != "" {
		return Part[T]{Missing: why, Fix: fix}
	}
	return Part[T]{Value: value}
}

func readStatus(rows pgx.Rows) ([]StatusCount, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (StatusCount, error) {
		var status pgtype.Text
		var c StatusCount
		err := row.Scan(&status, &c.Count)
		c.Status = clean.Capped(status.String, 40)
		return c, err
	})
}
