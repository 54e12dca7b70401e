package grading

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// Actions are the kinds of event that the application knows, in the order of a
// copy's way. EXPORT is never written by any version looked at (facts, section 3).
func Actions() []string {
	return []string{"IMPORT", "VALIDATE", "LOCK", "CREATE_ANN", "UPDATE_ANN", "DELETE_ANN", "UNLOCK", "FINALIZE", "EXPORT"}
}

// NeverRecorded are the kinds of which there is no event at all. known is false
// where the events could not be counted.
func (e Events) NeverRecorded() (actions []string, known bool) {
	for _, a := range Actions() {
		if !slices.ContainsFunc(e.ByAction, func(c ActionCount) bool { return c.Action == a && c.Total > 0 }) {
			actions = append(actions, a)
		}
	}
	return actions, e.ByAction != nil
}

// eventTotals is what one look counted in the blocks read.
type eventTotals struct {
	rows, lastHour, failed int
	oldest                 time.Time
	whole                  bool // the blocks were the whole table
	byAction               []ActionCount
	eventless              []StatusCount
	finalized              []string  // copies graded in the last hour: "id@seconds since 1970", newest first
	matched                time.Time // when eventless was counted; zero: not this time
}

// readEventTotals takes the rows of the event_totals query: all events, then
// those of each kind.
func readEventTotals(rows pgx.Rows) (t eventTotals, err error) {
	var action pgtype.Text
	var n, hour, failed int
	var oldest, newest pgtype.Timestamptz
	var finalized []string
	first := true
	_, err = pgx.ForEachRow(rows, []any{&action, &n, &hour, &failed, &oldest, &newest, &t.whole, &finalized}, func() error {
		if first {
			t.rows, t.lastHour, t.failed, t.oldest, t.finalized, first = n, hour, failed, moment(oldest), finalized, false
			return nil
		}
		t.byAction = append(t.byAction, ActionCount{clean.Capped(action.String, 40), n, hour, moment(newest)})
		return nil
	})
	return t, err
}

// counts counts the events by kind. Only a read of the whole table knows how
// many there are; between two of them, the events are added whose rows are seen
// for the first time.
type counts struct {
	total     map[string]int // nil: the whole table has not been counted yet
	expected  map[string]int // rows that the next count of the whole table should find
	last      map[string]time.Time
	eventless []StatusCount
	matched   time.Time
}

// add takes the newest events and totals of one look; known are the newest
// events of the look before.
func (c *counts) add(rows, known []Event, totals eventTotals) {
	if !totals.matched.IsZero() {
		c.eventless, c.matched = totals.eventless, totals.matched
	}
	switch {
	case totals.whole:
		c.whole(totals.byAction)
	case c.total != nil:
		c.unseen(rows, known)
	}
}

// whole raises each count to what is there. Rows that were deleted do not lower
// it, but those that come after them count.
func (c *counts) whole(all []ActionCount) {
	if c.total == nil {
		c.total, c.last = map[string]int{}, map[string]time.Time{}
	}
	there := map[string]int{}
	for _, a := range all {
		there[a.Action] += a.Total
		c.total[a.Action] += max(0, a.Total-c.expected[a.Action])
		c.last[a.Action] = a.Last
	}
	c.expected = there
}

// unseen adds the events that were not among the newest before, as far as they
// are newer: an older one is no news, it has only come to the fore.
func (c *counts) unseen(rows, known []Event) {
	ids := map[string]bool{}
	var oldest time.Time
	for _, e := range known {
		ids[e.ID], oldest = true, e.At
	}
	for _, e := range rows {
		if ids[e.ID] || e.At.Before(oldest) {
			continue
		}
		c.total[e.Action]++
		c.expected[e.Action]++
		if e.At.After(c.last[e.Action]) {
			c.last[e.Action] = e.At
		}
	}
}

// list gives the counts, most first; nil where they are not known.
func (c *counts) list(totals eventTotals) []ActionCount {
	if c.total == nil {
		return nil
	}
	hour := map[string]int{}
	for _, a := range totals.byAction {
		hour[a.Action] = a.LastHour
	}
	out := make([]ActionCount, 0, len(c.total))
	for _, action := range slices.Sorted(maps.Keys(c.total)) {
		out = append(out, ActionCount{action, c.total[action], hour[action], c.last[action]})
	}
	slices.SortStableFunc(out, func(a, b ActionCount) int { return cmp.Compare(b.Total, a.Total) })
	return out
}

// gradedAt reads which copies were graded when.
func gradedAt(finalized []string) map[string]time.Time {
	out := make(map[string]time.Time, len(finalized))
	for _, s := range finalized {
		id, at, _ := strings.Cut(s, "@")
		seconds, err := strconv.ParseInt(at, 10, 64)
		if id = clean.Capped(id, maxName); err == nil && out[id].IsZero() {
			out[id] = time.Unix(seconds, 0).UTC()
		}
	}
	return out
}
