package playbook

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

// Fact is one figure that expressions may speak of. What is not known now is
// nil there, and no comparison with it holds.
type Fact struct {
	Name   string
	From   probes.ID // "" what the walkthrough itself knows
	Says   string    // what it is, with its unit
	sample any
	of     func(diagnosis.Input, Place) any
}

// from makes a fact of a probe's payload. It is unknown while the probe fails;
// get may say so too, by nil.
func from[T any](id probes.ID, name string, sample any, says string, get func(T) any) Fact {
	return Fact{name, id, says, sample, func(in diagnosis.Input, _ Place) any {
		o, snap, ok := probes.Of[T](in.Set, id)
		if !ok || snap.Err != nil {
			return nil
		}
		return get(o)
	}}
}

// Facts lists every one, in the order of the README's table.
var Facts = sync.OnceValue(facts)

func facts() []Fact {
	out := []Fact{
		{"dialect", "", `whose names the tables have: "deployed", "playbook" or "mixed"`, "", func(_ diagnosis.Input, p Place) any { return string(p.Dialect) }},
		{"copy", "", `anonymous id of the chosen copy; "" none was chosen`, "", func(_ diagnosis.Input, p Place) any { return p.Copy.Anon }},
		{"copy_id", "", `its row id; "" none`, "", func(_ diagnosis.Input, p Place) any { return p.Copy.ID }},
		{"copy_status", grading.ID, "its status, while it is stuck or locked", "", copyStatus},
		{"failed_attempts", "", "actions of the last hour that did not help", 0, failedAttempts},
	}
	out = append(out, gradingFacts()...)
	out = append(out, queueFacts()...)
	return append(out, systemFacts()...)
}

func failedAttempts(_ diagnosis.Input, p Place) any {
	if p.Failed < 0 {
		return nil
	}
	return p.Failed
}

func copyStatus(in diagnosis.Input, p Place) any {
	o, snap, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok || snap.Err != nil || p.Copy.ID == "" {
		return nil
	}
	for _, s := range o.Stuck.Value.Rows {
		if s.Copy.ID == p.Copy.ID {
			return s.Status
		}
	}
	for _, l := range o.Locks.Value.Rows {
		if l.Copy.ID == p.Copy.ID && l.CopyStatus != "" {
			return l.CopyStatus
		}
	}
	return nil
}

func gradingFacts() []Fact {
	lock := func(name, says string, get func(grading.Locks) int) Fact {
		return from(grading.ID, name, 0, says, func(o grading.Overview) any {
			if !o.Locks.Here() {
				return nil
			}
			return get(o.Locks.Value)
		})
	}
	stuck := func(name, says string, get func(grading.Stucks) int) Fact {
		return from(grading.ID, name, 0, says, func(o grading.Overview) any {
			if !o.Stuck.Here() {
				return nil
			}
			return get(o.Stuck.Value)
		})
	}
	cause := func(name, says string, c grading.Cause) Fact {
		return stuck(name, says, func(s grading.Stucks) int { return s.ByCause[c] })
	}
	events := func(name, says string, get func(grading.Events) int) Fact {
		return from(grading.ID, name, 0, says, func(o grading.Overview) any {
			if !o.Events.Here() {
				return nil
			}
			return get(o.Events.Value)
		})
	}
	return []Fact{
		lock("locks", "rows of the lock table", func(l grading.Locks) int { return l.Total }),
		lock("locks_expired", "of those, past their time", func(l grading.Locks) int { return l.Expired }),
		from(grading.ID, "locks_in_use", false, "whether the application uses locks", func(o grading.Overview) any {
			if o.LocksInUse == grading.TriUnknown {
				return nil
			}
			return o.LocksInUse == grading.TriYes
		}),
		stuck("stuck", "copies that do not move by themselves any more", func(s grading.Stucks) int { return s.Total }),
		cause("stuck_imports", "of those, STAGING without a page", grading.CauseImport),
		cause("stuck_failed", "of those, with a failed finalization", grading.CauseFailed),
		cause("stuck_in_progress", "of those, GRADING_IN_PROGRESS for too long", grading.CauseInProgress),
		cause("stuck_no_lock", "of those, LOCKED without a lock row", grading.CauseNoLock),
		cause("stuck_expired", "of those, LOCKED behind a lock past its time", grading.CauseExpired),
		cause("stuck_dead_end", "of those, LOCKED where locks are not used any more", grading.CauseDeadEnd),
		cause("stuck_no_pdf", "of those, GRADED without a final PDF", grading.CauseNoPDF),
		events("events_last_hour", "audit events of the last hour", func(e grading.Events) int { return e.LastHour }),
		events("event_gaps", "gaps in the newest part of the audit trail", func(e grading.Events) int { return e.Gaps }),
	}
}

func queueFacts() []Fact {
	count := func(name, says string, get func(celery.Overview) int) Fact {
		return from(celery.ID, name, 0, says, func(o celery.Overview) any { return get(o) })
	}
	workers := func(name, says string, is func(celery.Worker) bool) Fact {
		return from(celery.ID, name, 0, says, func(o celery.Overview) any {
			if o.WorkersErr != "" || o.WorkersAt.IsZero() {
				return nil
			}
			n := 0
			for _, w := range o.Workers {
				if is(w) {
					n++
				}
			}
			return n
		})
	}
	task := func(name, says string, states ...celery.TaskState) Fact {
		return from(celery.TasksID, name, 0, says, func(t celery.Tasks) any {
			n := 0
			for _, s := range states {
				n += t.Counts[s]
			}
			if n == 0 && t.Partial { // there may be some among the results that nobody has read
				return nil
			}
			return n
		})
	}
	return []Fact{
		count("waiting", "messages in all queues", func(o celery.Overview) int { return int(o.Waiting) }),
		count("unacked", "messages that workers took and did not acknowledge", func(o celery.Overview) int { return int(o.Unacked) }),
		from(celery.ID, "untaken", 0, "messages in queues that no worker takes", untaken),
		workers("workers", "workers that are alive", func(w celery.Worker) bool { return w.State != celery.Gone }),
		workers("workers_busy", "workers whose every slot runs a task", func(w celery.Worker) bool { return w.State == celery.Busy || w.State == celery.PrefetchFull }),
		workers("workers_ill", "workers that are frozen, deaf or gone", func(w celery.Worker) bool {
			return w.State == celery.Frozen || w.State == celery.Deaf || w.State == celery.Gone
		}),
		task("tasks_failed", "tasks that failed, also those that said success", celery.TaskFailed, celery.TaskSwallowed),
		task("tasks_lost", "tasks that started and nobody runs", celery.TaskLost),
		task("tasks_orphaned", "messages that a dead worker left unacknowledged", celery.TaskOrphaned),
	}
}

func untaken(o celery.Overview) any {
	n := 0
	for _, q := range o.Queues {
		switch {
		case q.Consumed == celery.No:
			n += int(q.Depth)
		case q.Consumed == celery.Unknown && q.Depth > 0:
			return nil
		}
	}
	return n
}

func systemFacts() []Fact {
	const mostOfAll = 100.0
	traffic := func(name, says string, get func(metrics.Endpoint) float64) Fact {
		return Fact{name, metrics.ID, says, 0.0, func(in diagnosis.Input, _ Place) any {
			o, snap, ok := probes.Of[metrics.Overview](in.Set, metrics.Choose(in.Set))
			if !ok || snap.Err != nil || o.Warming != "" {
				return nil
			}
			if f := get(o.Total); !math.IsNaN(f) {
				return f
			}
			return nil
		}}
	}
	return []Fact{
		traffic("p95", "seconds that 95 % of the requests stay below", func(e metrics.Endpoint) float64 {
			if !e.P95.Known {
				return math.NaN()
			}
			return e.P95.Seconds
		}),
		traffic("errors_percent", "requests answered with 5xx, of a hundred", func(e metrics.Endpoint) float64 { return mostOfAll * e.ErrorShare }),
		{"connection_errors", "", "probes of PostgreSQL that fail now", 0, func(in diagnosis.Input, _ Place) any { return failing(in.Set, probes.Postgres) }},
		from(logs.ID, "log_errors", 0, "ERROR records of the last hour", func(o logs.Overview) any { return o.ErrorsLastHour }),
		from(activity.ID, "connections_percent", 0.0, "PostgreSQL's connections that are taken, of a hundred", func(o activity.Overview) any { return mostOfAll * o.Limits.Full() }),
		from(activity.ID, "connections_free", 0, "PostgreSQL's connections that an ordinary role can still take", func(o activity.Overview) any { return o.Limits.Free() }),
		from(activity.ID, "sessions_blocked", 0, "sessions that wait for another's lock", func(o activity.Overview) any { n, _ := o.Waiting(); return n }),
		from(storage.ID, "replication_lag_seconds", 0.0, "seconds that this replica or the slowest standby is behind", lag),
		from(host.ID, "memory_percent", 0.0, "memory of the cockpit's machine that is taken, of a hundred", func(o host.Overview) any {
			if !o.Memory.Known || o.Memory.Total == 0 {
				return nil
			}
			return mostOfAll * (1 - float64(o.Memory.Available)/float64(o.Memory.Total))
		}),
		from(host.ID, "disk_percent", 0.0, "how full the fullest volume is, of a hundred", func(o host.Overview) any {
			fullest := -1.0 // the first in the list may be so by its inodes
			for _, v := range o.Volumes {
				if share, ok := v.Share(); ok {
					fullest = max(fullest, share)
				}
			}
			if fullest < 0 {
				return nil
			}
			return mostOfAll * fullest
		}),
	}
}

// failing counts the probes of a source that fail. A source that nobody has asked
// yet, or whose address nobody told, is not known.
func failing(set probes.Set, source probes.SourceID) any {
	n, asked := 0, false
	for _, s := range set.Snapshots() {
		var e *probes.Error
		if s.Source != source || s.Seq == 0 || errors.As(s.Err, &e) && e.Op == "not configured" {
			continue
		}
		asked = true
		if s.Err != nil {
			n++
		}
	}
	if !asked {
		return nil
	}
	return n
}

func lag(o storage.Overview) any {
	if o.Replication.Blind {
		return nil
	}
	worst := 0.0
	if o.Replication.Replica {
		worst = o.Replication.Lag.Seconds()
	}
	for _, s := range o.Replication.Standbys {
		if s.Lag < 0 {
			return nil
		}
		worst = max(worst, s.Lag.Seconds())
	}
	return worst
}

// FactsMarkdown is the README's table.
func FactsMarkdown() string {
	var b strings.Builder
	b.WriteString("| fact | is | from |\n|---|---|---|\n")
	for _, f := range Facts() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Says, cmp.Or(string(f.From), "the walkthrough"))
	}
	return b.String()
}
