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

// The end of the event table is read in blocks of 8 kB (about 45 events each):
// there is no index on the timestamp alone, so that the newest events could
// else be found only by reading the whole table at every sample. Measured with
// a million events: 5 ms for 256 blocks, 180 ms for all.
const (
	minBlocks = 256
	maxBlocks = 4096
	allBlocks = 1 << 40
)

// The whole table is read now and then, for the events that PostgreSQL put into
// free space in its middle after rows were deleted. A table that is not in the
// order of time at all (restored in another order) needs it more often; one
// that could not be read within a sample's deadline is spared.
const (
	wholeEvery     = 5 * time.Minute
	scatteredEvery = 30 * time.Second
	tooBigEvery    = time.Hour
)

// tail remembers the newest events between samples, and how much of the table
// has to be read to see the last hour.
type tail struct {
	blocks    int64     // that hold the last hour
	whole     time.Time // when the whole table was read last, by our clock
	window    []Event
	histories map[string]history // of the copies in window, by id
	lastHour  int                // as of then
	scattered bool               // the end of the table does not hold all the newest events
	tooBig    bool               // reading the whole table took too long
	counts    counts
}

// next gives the number of blocks to look for the newest events in, and the
// number to count the last hour in.
func (t *tail) next(now time.Time) (newest, hour int64) {
	every := wholeEvery
	switch {
	case t.tooBig:
		every = tooBigEvery
	case t.scattered:
		every = scatteredEvery
	}
	if t.whole.IsZero() || now.Sub(t.whole) >= every {
		return allBlocks, allBlocks
	}
	return minBlocks, max(t.blocks, minBlocks)
}

// spare leaves the whole table alone after a read of it took too long.
func (t *tail) spare(read time.Time) { t.whole, t.tooBig = read, true }

// merge adds what was read to what was known; whole says that the rows are the
// newest of the whole table. now is the database's clock, read is when the rows
// were asked for, by ours.
func (t *tail) merge(rows []Event, totals eventTotals, whole bool, limit int, now, read time.Time) Events {
	t.counts.add(rows, t.window, totals)
	covered := totals.whole || totals.oldest.Before(now.Add(-time.Hour))
	if totals.whole {
		t.lastHour = totals.lastHour
	}
	if whole {
		t.whole, t.window, t.scattered, t.tooBig = read, nil, false, false
	} else {
		t.scattered = lacks(rows, t.window)
	}
	t.adapt(totals, covered)
	t.window = newest(append(slices.Clone(rows), t.window...), limit)
	out := Events{Rows: slices.Clone(t.window), LastHour: totals.lastHour, More: !totals.whole || totals.rows > limit, Failed: totals.failed,
		Finalized: gradedAt(totals.finalized)}
	if t.scattered || !covered {
		out.LastHour = max(t.lastHour, totals.lastHour)
	}
	out.ByAction, out.Eventless, out.EventlessAt = t.counts.list(totals), t.counts.eventless, t.counts.matched
	return out
}

// recall adds the histories of copies that are in the window and were not read
// again this time.
func (t *tail) recall(read []history) []history {
	fresh := map[string]history{}
	for _, h := range read {
		fresh[h.copy.ID] = h
	}
	for _, e := range t.window {
		h, known := t.histories[e.Copy.ID]
		if _, again := fresh[e.Copy.ID]; known && !again {
			fresh[e.Copy.ID] = h
			read = append(read, h)
		}
	}
	t.histories = fresh
	return read
}

// perBlock is how many events a block holds at least, with metadata of a usual
// size.
const perBlock = 25

// adapt makes the blocks cover the last hour and little more.
func (t *tail) adapt(totals eventTotals, covered bool) {
	t.blocks = int64(totals.lastHour / perBlock)
	if !covered {
		t.blocks *= 2
	}
	t.blocks = min(max(t.blocks, minBlocks), maxBlocks)
}

// lacks tells whether known events are missing among the rows although they
// are newer than the oldest row.
func lacks(rows, known []Event) bool {
	if len(rows) == 0 {
		return len(known) > 0
	}
	there := map[string]bool{}
	for _, e := range rows {
		there[e.ID] = true
	}
	oldest := rows[len(rows)-1].At
	return slices.ContainsFunc(known, func(e Event) bool { return e.At.After(oldest) && !there[e.ID] })
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
