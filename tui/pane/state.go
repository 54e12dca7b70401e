package pane

import (
	"errors"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/ui"
)

// ServerNow is the time by the database's clock: what it said, plus what has
// passed on ours since then. Ages are judged by it and never by our clock alone.
func ServerNow(in Input) time.Time {
	o, snap, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok {
		return in.Now
	}
	if snap.Good.IsZero() {
		return o.ServerTime
	}
	return o.ServerTime.Add(max(in.Now.Sub(snap.Good), 0))
}

// sourceOf names the source of a probe, also of one that has not run yet.
func sourceOf(id probes.ID) probes.SourceID {
	switch id {
	case grading.ID, activity.ID, storage.ID:
		return probes.Postgres
	case celery.ID, celery.TasksID:
		return probes.Redis
	case metrics.ID:
		return probes.Metrics
	case logs.ID:
		return probes.Logs
	}
	return probes.SourceID(id)
}

// main is the snapshot that makes the rows.
func (t *Table) main() (probes.Snapshot, probes.SourceID) {
	id := Main(t.spec, t.in.Set)
	snap := t.in.Set.Get(id)
	if id == ReadID || snap.Source != "" {
		return snap, snap.Source
	}
	return snap, sourceOf(id)
}

// answered tells whether there has ever been something to show.
func (t *Table) answered() bool {
	snap, _ := t.main()
	return snap.Payload != nil
}

// trouble is why the rows are not fresh; "" when they are.
func (t *Table) trouble() string {
	snap, source := t.main()
	return Trouble(snap, source, t.in.Now)
}

// Trouble says in a sentence or two what is wrong with a source and what
// happens next; "" when nothing is.
func Trouble(snap probes.Snapshot, source probes.SourceID, now time.Time) string {
	if snap.Seq == 0 && snap.Payload == nil {
		if source == "" {
			return "Reading…"
		}
		return "Waiting for the first answer of " + string(source) + "."
	}
	if snap.Err == nil {
		return ""
	}
	says := cause(snap.Err)
	if source != "" {
		says = string(source) + ": " + says
	}
	if !snap.FailedSince.IsZero() && !unset(snap.Err) {
		says += " for " + ui.Duration(now.Sub(snap.FailedSince))
	}
	return says + ". " + whatNext(snap.Err)
}

// cause is what went wrong, without the source's name and without a full stop.
func cause(err error) string {
	says := probes.Brief(err)
	var e *probes.Error
	if says == "" && errors.As(err, &e) {
		says = e.Op
	}
	return strings.TrimRight(says, ". ")
}

// unset tells that nobody said where the source is; that has no duration.
func unset(err error) bool {
	var e *probes.Error
	return errors.As(err, &e) && e.Cause == ""
}

func whatNext(err error) string {
	var e *probes.Error
	if errors.As(err, &e) && e.Next != "" {
		return e.Next
	}
	return "Retrying."
}

// age is how old the rows are when they are not fresh: "42s old".
func (t *Table) age() string {
	snap, _ := t.main()
	if snap.Err == nil || snap.Good.IsZero() {
		return ""
	}
	return ui.Duration(t.in.Now.Sub(snap.Good)) + " old"
}

// lacking names the sources that only add to the rows and fail now. One that
// has not run yet is about to.
func (t *Table) lacking() string {
	var out []string
	if !t.answered() {
		return ""
	}
	_, first := t.main()
	main := Main(t.spec, t.in.Set)
	for _, id := range t.spec.Needs() {
		if snap := t.in.Set.Get(id); id != main && snap.Err != nil && !unset(snap.Err) && sourceOf(id) != first {
			out = append(out, string(sourceOf(id)))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ui.SignWarn + " without " + strings.Join(out, ", ")
}
