package grading

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// stamp is one timestamp that may tell since when a copy is stuck: a column of
// the stuck query, and what the screen calls it.
type stamp struct {
	column, words string
	guess         bool // it bounds the time and is not the time itself
}

// causes lists every rule in a fixed order, with the timestamps that date it,
// the best first (facts, section 3, "Age without created_at").
func causes() []struct {
	cause  Cause
	stamps []stamp
} {
	lock := []stamp{{"lock_since", "lock", false}, {"locked_at", "lock", false}, {"lock_event", "LOCK event", false}}
	return []struct {
		cause  Cause
		stamps []stamp
	}{
		{CauseImport, []stamp{{"created_at", "created", false}, {"imported", "IMPORT event", false}, {"exam_created", "exam created", true}}},
		{CauseFailed, []stamp{{"finalized", "FINALIZE event", false}, {"last_event", "last event", true}}},
		{CauseInProgress, []stamp{{"finalized", "FINALIZE event", true}, {"last_event", "last event", true}}},
		{CauseNoLock, lock},
		{CauseExpired, lock},
		{CauseDeadEnd, lock},
		{CauseNoPDF, []stamp{{"graded_at", "graded", false}, {"finalized", "FINALIZE event", false}}},
	}
}

// sinceSQL composes the CASE that picks the first timestamp of a cause that is
// there: its "time", or its "index" in causes.
func sinceSQL(what string) string {
	var b strings.Builder
	b.WriteString("case cause")
	for _, c := range causes() {
		fmt.Fprintf(&b, " when '%s' then", c.cause)
		if what == "time" {
			fmt.Fprintf(&b, " coalesce(%s)", strings.Join(columns(c.stamps), ", "))
			continue
		}
		b.WriteString(" case")
		for i, column := range columns(c.stamps) {
			fmt.Fprintf(&b, " when %s is not null then %d", column, i)
		}
		b.WriteString(" end")
	}
	return b.String() + " end"
}

func columns(stamps []stamp) []string {
	var out []string
	for _, s := range stamps {
		out = append(out, s.column)
	}
	return out
}

// stampOf gives the timestamp that the query chose.
func stampOf(cause Cause, index int) stamp {
	for _, c := range causes() {
		if c.cause == cause && index >= 0 && index < len(c.stamps) {
			return c.stamps[index]
		}
	}
	return stamp{}
}

// readStuck takes the rows of the stuck query. Copies without any timestamp
// come with a zero Since; see sightings.
func readStuck(rows pgx.Rows, now time.Time) (Stucks, error) {
	out := Stucks{ByCause: map[Cause]int{}}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Stuck, error) {
		var s Stuck
		var anon, name, detail, message, tries pgtype.Text
		var since, expires pgtype.Timestamptz
		var from, holder, pages pgtype.Int8
		var reason string
		err := row.Scan(&s.Copy.ID, &anon, &s.Status, &s.Cause, &since, &from, &expires, &holder, &name,
			&pages, &reason, &detail, &message, &tries, &out.ByCause)
		s.Copy = ref(s.Copy.ID, anon)
		s.Status = clean.Text(s.Status)
		s.Since, s.Holder, s.Pages = moment(since), user(holder, name), orMinus(pages)
		if from.Valid {
			by := stampOf(s.Cause, int(from.Int64))
			s.SinceFrom, s.Guess = by.words, by.guess
		}
		s.Why = why(s, failure(reason, detail, message, tries), moment(expires), now)
		return s, err
	})
	out.Rows = found
	for _, n := range out.ByCause {
		out.Total += n
	}
	return out, err
}

// failure puts what is known of a failed finalization in words: the number of
// the try, and the reason from the copy or from its last FINALIZE event.
func failure(reason string, detail, message, tries pgtype.Text) string {
	words := "finalize failed"
	if tries.String != "" {
		words += " (try " + clean.Capped(tries.String, 4) + ")"
	}
	for _, s := range []string{reason, detail.String, message.String} {
		if s != "" {
			return words + ": " + clean.Capped(s, 200)
		}
	}
	return words
}

// why is the sentence for a tired responder.
func why(s Stuck, failed string, expires, now time.Time) string {
	switch s.Cause {
	case CauseImport:
		return "no page yet"
	case CauseFailed:
		return failed
	case CauseInProgress:
		return "still grading, past the task limit"
	case CauseNoLock:
		return "LOCKED without a lock: nobody is working on it"
	case CauseExpired:
		return "lock expired " + span(now.Sub(expires)) + " ago: finalize fails until it is cleared"
	case CauseDeadEnd:
		return "LOCKED where locks are not in use: nothing frees it"
	case CauseNoPDF:
		return "GRADED without a final PDF"
	}
	return ""
}

// deadEnds turns what would be a lock's trouble into a dead end, once the
// evidence says that locks are not in use.
func (s *Stucks) deadEnds() {
	for i := range s.Rows {
		if r := &s.Rows[i]; r.Cause == CauseNoLock || r.Cause == CauseExpired {
			r.Cause = CauseDeadEnd
			r.Why = why(*r, "", time.Time{}, time.Time{})
		}
	}
	for _, c := range []Cause{CauseNoLock, CauseExpired} {
		if n := s.ByCause[c]; n > 0 {
			s.ByCause[CauseDeadEnd] += n
			delete(s.ByCause, c)
		}
	}
}

// sightings remembers when copies without any timestamp were first seen stuck,
// by the database's clock.
type sightings struct {
	begun time.Time
	seen  map[string]time.Time
}

// date gives rows without a timestamp the time of their first sighting, and
// leaves out those that were not there when the cockpit began and have not been
// seen for the threshold of their cause. Those that were there already may be
// of any age: they are shown at once, as a guess.
func (m *sightings) date(s Stucks, now time.Time, limits Thresholds) Stucks {
	if m.begun.IsZero() {
		m.begun = now
	}
	seen := map[string]time.Time{}
	kept := s.Rows[:0]
	for _, r := range s.Rows {
		if r.Since.IsZero() {
			id := string(r.Cause) + r.Copy.ID
			first, known := m.seen[id]
			if !known {
				first = now
			}
			seen[id] = first
			r.Since, r.SinceFrom, r.Guess = first, "first seen", true
			if first.After(m.begun) && now.Sub(first) < limits.of(r.Cause) {
				s.Total--
				s.ByCause[r.Cause]--
				continue
			}
		}
		kept = append(kept, r)
	}
	m.seen = seen
	s.Rows = kept
	return s
}

// of gives the patience with one cause.
func (t Thresholds) of(c Cause) time.Duration {
	switch c {
	case CauseImport:
		return t.Import
	case CauseInProgress:
		return t.InProgress
	case CauseNoLock, CauseExpired, CauseDeadEnd:
		return t.Locked
	}
	return 0
}
