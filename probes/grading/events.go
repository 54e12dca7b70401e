package grading

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// readEvents takes the rows of any of the events queries, newest first.
func readEvents(rows pgx.Rows) ([]Event, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Event, error) {
		var id, action, copyID, anon, name, meta pgtype.Text
		var at pgtype.Timestamptz
		var actor pgtype.Int8
		err := row.Scan(&id, &at, &action, &copyID, &anon, &actor, &name, &meta)
		e := Event{
			ID: clean.Capped(id.String, maxName), At: moment(at), Action: clean.Capped(action.String, 40),
			Copy: ref(copyID.String, anon), Actor: user(actor, name),
		}
		e.Detail, e.Failed = detail(e.Action, meta.String)
		return e, err
	})
}

// The end of the event table is read in blocks of 8 kB (about 40 events each):
// there is no index on the timestamp alone, so that the newest events could
// else be found only by reading the whole table at every sample.
const (
	minBlocks = 256
	maxBlocks = 4096
	allBlocks = 1 << 40
)

// tail remembers the newest events between samples, and how much of the table
// has to be read to see the last hour.
type tail struct {
	blocks int64
	whole  time.Time // when the whole table was read last, by our clock
	window []Event
}

// wholeEvery bounds how long an event can be missed that PostgreSQL put into
// free space in the middle of the table, after rows were deleted.
const wholeEvery = 5 * time.Minute

// next gives the number of blocks to read now.
func (t *tail) next(now time.Time) int64 {
	if t.whole.IsZero() || now.Sub(t.whole) >= wholeEvery {
		return allBlocks
	}
	return max(t.blocks, minBlocks)
}

// eventTotals is what the event_totals query counts in the blocks read.
type eventTotals struct {
	rows, lastHour int
	oldest         time.Time
	whole          bool // the blocks were the whole table
}

func readEventTotals(row pgx.Row) (t eventTotals, err error) {
	var oldest pgtype.Timestamptz
	err = row.Scan(&t.rows, &t.lastHour, &oldest, &t.whole)
	t.oldest = moment(oldest)
	return t, err
}

// merge adds what was read to what was known, and adapts the number of blocks
// so that they cover the last hour and little more.
func (t *tail) merge(rows []Event, totals eventTotals, limit int, read int64, dbNow, now time.Time) Events {
	if totals.whole {
		t.window = nil
	}
	if read == allBlocks || totals.whole {
		t.whole = now
	}
	t.window = newest(append(slices.Clone(rows), t.window...), limit)
	switch covered := totals.oldest.Before(dbNow.Add(-time.Hour)); {
	case !totals.whole && !covered:
		t.blocks = min(2*max(t.blocks, minBlocks), maxBlocks)
	case totals.lastHour*4 < totals.rows:
		t.blocks = max(t.blocks/2, minBlocks)
	}
	return Events{
		Rows: slices.Clone(t.window), LastHour: totals.lastHour,
		More: len(t.window) == limit && totals.rows > limit || !totals.whole,
	}
}

// newest sorts events, newest first, drops double ones and cuts to a limit. A
// gap comes after, and so below, the event that it was found at.
func newest(events []Event, limit int) []Event {
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(len(a.Gap), len(b.Gap)), strings.Compare(b.ID, a.ID))
	})
	events = slices.CompactFunc(events, func(a, b Event) bool { return a.ID == b.ID })
	return events[:min(len(events), limit)]
}
