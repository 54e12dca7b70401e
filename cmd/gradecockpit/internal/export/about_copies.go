package export

import (
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes/grading"
)

const (
	copiesByStatus = "grading_copies_by_status"
	stuckCopies    = "gradecockpit_stuck_copies"
	locks          = "gradecockpit_locks"
	auditGaps      = "gradecockpit_audit_gaps"
	finalizeEvents = "gradecockpit_finalize_events_last_hour"
)

// statuses are those of all generations (facts, section 1).
var statuses = []string{"STAGING", "READY", "LOCKED", "GRADING_IN_PROGRESS", "GRADING_FAILED", "GRADED", "QUARANTINE"}

// aboutCopies is what the grading tables say.
func aboutCopies() []Metric {
	const copies, audit = "Copies and locks", "Audit trail"
	return []Metric{
		overview(Metric{Name: copiesByStatus, Help: "Copies by status.", Labels: []string{"status"}, Group: copies}, byStatus),
		overview(Metric{Name: stuckCopies, Help: "Copies that do not move by themselves any more, by cause: import, failed, in_progress, no_lock, expired, dead_end, no_pdf.",
			Labels: []string{"cause"}, Group: copies}, stuckByCause),
		overview(Metric{Name: "gradecockpit_stuck_copies_oldest_seconds", Unit: units.Seconds, Labels: []string{"cause"}, Group: copies,
			Help: "How long the oldest stuck copy of a cause has been so; at least, where the system keeps no time of it."}, oldestStuck),
		overview(Metric{Name: locks, Help: "Lock rows, by whether they have expired.", Labels: []string{"state"}, Group: copies}, lockRows),
		overview(Metric{Name: "gradecockpit_lock_oldest_seconds", Help: "Age of the oldest lock row; no series when there is none.", Unit: units.Seconds, Group: copies},
			func(s sample[grading.Overview]) []point {
				l := s.seen.Locks
				return when(l.Here() && !l.Value.Oldest.IsZero(), since(s, l.Value.Oldest))
			}),
		overview(Metric{Name: "gradecockpit_lock_expired_oldest_seconds", Help: "How long ago the first of the expired locks expired; no series when none has.", Unit: units.Seconds, Group: copies},
			func(s sample[grading.Overview]) []point {
				l := s.seen.Locks
				if !l.Here() || len(l.Value.Rows) == 0 || !l.Value.Rows[0].Expired {
					return nil
				}
				return just(since(s, l.Value.Rows[0].Expires))
			}),
		overview(Metric{Name: "gradecockpit_locks_in_use", Help: "Whether the application uses locks, by the setting or by what is seen; no series where that is not known.", Unit: units.BoolYesNo, Group: copies},
			func(s sample[grading.Overview]) []point {
				return when(s.seen.LocksInUse != grading.TriUnknown, truth(s.seen.LocksInUse == grading.TriYes))
			}),
		overview(Metric{Name: "gradecockpit_audit_events_total", Counter: true, Labels: []string{"action"}, Group: audit,
			Help:  "Audit events by action: the rows there were when the exporter began, and every one that came since. Deleted rows do not lower it.",
			Query: "sum by (action) (increase(gradecockpit_audit_events_total[$__rate_interval]))"}, eventsByAction),
		overview(Metric{Name: "gradecockpit_audit_events_last_hour", Help: "Audit events with a timestamp within the last hour.", Group: audit},
			func(s sample[grading.Overview]) []point {
				return when(s.seen.Events.Here(), float64(s.seen.Events.Value.LastHour))
			}),
		overview(Metric{Name: auditGaps, Help: "Places among the newest audit events where events are missing.", Group: audit},
			func(s sample[grading.Overview]) []point {
				return when(s.seen.Events.Here(), float64(s.seen.Events.Value.Gaps))
			}),
		overview(Metric{Name: finalizeEvents, Labels: []string{"outcome"}, Group: audit,
			Help: "FINALIZE events of the last hour. The deployed system rolls back the event of a failure, so that no failed one proves nothing."}, finalized),
		overview(Metric{Name: "gradecockpit_copies_without_events", Labels: []string{"status"}, Group: audit,
			Help: "Copies without any audit event, counted every five minutes. An exam upload writes none, so some in STAGING and READY are as they should be."}, eventless),
		overview(Metric{Name: "gradecockpit_database_clock_skew_seconds", Help: "The database's clock minus the exporter's.", Unit: units.Seconds, Signed: true, Group: copies},
			func(s sample[grading.Overview]) []point { return just(s.seen.Skew.Seconds()) }),
	}
}

func overview(m Metric, read func(sample[grading.Overview]) []point) Metric {
	return from(grading.ID, m, read)
}

// since is an age by the database's clock, which goes on after it was asked.
func since(s sample[grading.Overview], t time.Time) float64 {
	return s.seen.ServerTime.Add(s.age).Sub(t).Seconds()
}

func byStatus(s sample[grading.Overview]) []point {
	if !s.seen.Status.Here() {
		return nil
	}
	return countStatus(s.seen.Status.Value)
}

func countStatus(all []grading.StatusCount) []point {
	t := newTally(statuses...)
	for _, c := range all {
		t.add(c.Status, float64(c.Count))
	}
	return t.points()
}

// stuckByCause has every cause that can be judged here: one that needs the lock
// table, or the pages, is not "none" where those cannot be read.
func stuckByCause(s sample[grading.Overview]) []point {
	if !s.seen.Stuck.Here() {
		return nil
	}
	t := newTally()
	t.names = append(t.names, causes...)
	for _, c := range judged(s.seen) {
		t.sums[string(c)] = 0
	}
	for c, n := range s.seen.Stuck.Value.ByCause {
		t.add(string(c), float64(n))
	}
	return t.points()
}

var causes = []string{string(grading.CauseImport), string(grading.CauseFailed), string(grading.CauseInProgress), string(grading.CauseNoLock),
	string(grading.CauseExpired), string(grading.CauseDeadEnd), string(grading.CauseNoPDF)}

// judged are the causes of which it is known when there is none.
func judged(o grading.Overview) []grading.Cause {
	all := []grading.Cause{grading.CauseFailed, grading.CauseInProgress}
	if o.Schema.Has(grading.LinkCopy, grading.LinkBooklet, grading.BookletID, grading.BookletPages) {
		all = append(all, grading.CauseImport)
	}
	if o.Schema.Has(grading.CopyFinalPDF) {
		all = append(all, grading.CauseNoPDF)
	}
	switch {
	case o.LocksInUse == grading.TriNo:
		all = append(all, grading.CauseDeadEnd)
	case o.Locks.Here():
		all = append(all, grading.CauseNoLock, grading.CauseExpired)
	}
	return all
}

// oldestStuck takes the first row of each cause: they stand in the order of age.
func oldestStuck(s sample[grading.Overview]) (out []point) {
	seen := map[grading.Cause]bool{}
	for _, r := range s.seen.Stuck.Value.Rows {
		if !seen[r.Cause] && !r.Since.IsZero() {
			seen[r.Cause] = true
			out = append(out, point{since(s, r.Since), []string{label(string(r.Cause))}})
		}
	}
	return out
}

func lockRows(s sample[grading.Overview]) []point {
	if !s.seen.Locks.Here() {
		return nil
	}
	l := s.seen.Locks.Value
	return []point{{float64(l.Expired), []string{"expired"}}, {float64(l.Total - l.Expired), []string{"live"}}}
}

func eventsByAction(s sample[grading.Overview]) []point {
	if !s.seen.Events.Here() || s.seen.Events.Value.ByAction == nil {
		return nil
	}
	t := newTally(grading.Actions()...)
	for _, c := range s.seen.Events.Value.ByAction {
		t.add(c.Action, float64(c.Total))
	}
	return t.points()
}

func finalized(s sample[grading.Overview]) []point {
	e := s.seen.Events.Value
	if !s.seen.Events.Here() || e.ByAction == nil {
		return nil
	}
	all := 0
	for _, c := range e.ByAction {
		if c.Action == "FINALIZE" {
			all = c.LastHour
		}
	}
	return []point{{float64(e.Failed), []string{"failed"}}, {float64(all - e.Failed), []string{"succeeded"}}}
}

func eventless(s sample[grading.Overview]) []point {
	e := s.seen.Events.Value
	if !s.seen.Events.Here() || e.EventlessAt.IsZero() {
		return nil
	}
	return countStatus(e.Eventless)
}
