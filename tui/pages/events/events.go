// Package events is the page about the completeness of the audit trail. First
// it counts the events by kind: which are recorded, which never were, and how
// many copies have none at all. Below stands each copy on which an event is
// missing or wrong. So it answers whether an event is missing on one copy or is
// never written by the code.
package events

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindEvents, Title: "Audit events by action", Word: "events", Whole: true,
		Help:  "how often each kind is recorded, which never was, copies on which one is missing",
		Needs: spec{}.Needs(),
		Rows:  func(pane.Ref) pane.Spec { return spec{} },
	}
}

type spec struct{}

func (spec) ID() pane.ID        { return "events" }
func (spec) Title() string      { return "Audit events by action" }
func (spec) Needs() []probes.ID { return []probes.ID{grading.ID, audit.ID, logs.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "ACTION", Min: 12, Max: 40},
		{Title: "COUNT", Min: 5, Max: 9, Right: true},
		{Title: "LAST HOUR", Min: 5, Max: 9, Right: true},
		{Title: "NEWEST", Min: 11, Max: 11, Drop: 1},
		{Title: "SAYS", Min: 14},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	switch {
	case !ok:
		return pane.Content{}
	case !o.Events.Here():
		return pane.Content{Problem: strings.TrimSpace(o.Events.Missing + " " + o.Events.Fix)}
	}
	e := o.Events.Value
	never, known := e.NeverRecorded()
	v := view{in: in, now: pane.ServerNow(in), o: o}
	if !known {
		return v.uncounted()
	}
	c := pane.Content{Summary: pane.Joined(ui.Plural(len(e.ByAction), "kind")+" recorded", missing(len(never)))}
	for _, a := range e.ByAction {
		c.Rows = append(c.Rows, v.recorded(a))
	}
	for _, action := range never {
		c.Rows = append(c.Rows, v.never(action))
	}
	c.Rows = append(c.Rows, v.without()...)
	rows, summary := v.complete()
	c.Rows, c.Summary = append(c.Rows, rows...), pane.Joined(summary, c.Summary)
	return c
}

// uncounted is the page where the kinds could not be counted: the single copies
// are known all the same, once they were looked through.
func (v view) uncounted() pane.Content {
	const why = "The audit table is too big to be counted within a look; its newest events are in the timeline."
	if o, _, ok := probes.Of[audit.Overview](v.in.Set, audit.ID); !ok || !o.Here() {
		return pane.Content{Problem: why}
	}
	rows, summary := v.complete()
	return pane.Content{Summary: summary, Rows: append([]pane.Row{note("uncounted", ui.Dim, why)}, rows...)}
}

func missing(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d never", n)
}

type view struct {
	in  pane.Input
	now time.Time
	o   grading.Overview
}

func (v view) recorded(a grading.ActionCount) pane.Row {
	newest := pane.Text(ui.Dim, ui.NotKnown)
	if !a.Last.IsZero() {
		newest = pane.Number(ui.Dim, ui.Clock(a.Last, v.now, v.in.Zone), float64(a.Last.Unix()))
	}
	says := pane.Text(ui.Dim, "")
	if !slices.Contains(grading.Actions(), a.Action) {
		says = pane.Text(ui.Dim, "not a kind that the cockpit knows")
	}
	if failed := v.o.Events.Value.Failed; a.Action == "FINALIZE" && failed > 0 {
		says = pane.Text(ui.Warn, fmt.Sprintf("%s %d of the last hour failed", ui.SignWarn, failed))
	}
	return pane.Row{
		Key:   a.Action,
		Cells: []ui.Cell{pane.Text(ui.Plain, a.Action), count(a.Total), count(a.LastHour), newest, says},
		Data:  map[string]any{"action": a.Action, "count": a.Total, "last_hour": a.LastHour, "newest": a.Last, "never_recorded": a.Total == 0},
	}
}

// never is a row of a kind of which there is no event. Why says whether that
// is as it should be.
func (v view) never(action string) pane.Row {
	tone, why := ui.Warn, "never recorded: does the code still write it?"
	switch {
	case action == "EXPORT":
		tone, why = ui.Dim, "never recorded: no known version of the application writes it"
	case (action == "LOCK" || action == "UNLOCK") && v.o.LocksInUse == grading.TriNo:
		tone, why = ui.Dim, "never recorded: locks are not in use ("+v.o.LocksWhy+")"
	default:
		tone, why = v.due(action, tone, why)
	}
	says := why
	if tone == ui.Warn {
		says = ui.SignWarn + " " + why
	}
	return pane.Row{
		Key:   action,
		Cells: []ui.Cell{pane.Text(tone, action), pane.Number(tone, "0", 0), pane.Number(ui.Dim, "0", 0), pane.Number(ui.Dim, "", math.NaN()), pane.Text(tone, says)},
		Data:  map[string]any{"action": action, "count": 0, "last_hour": 0, "newest": nil, "never_recorded": true, "says": why},
	}
}

// due says whether the copies show that an event of a kind was due.
func (v view) due(action string, tone ui.Tone, why string) (ui.Tone, string) {
	o, _, _ := probes.Of[audit.Overview](v.in.Set, audit.ID)
	for _, c := range o.Counts {
		switch {
		case c.Action != action || !o.Whole || c.Expected < 0:
		case c.Expected == 0:
			return ui.Dim, "never recorded, and none was due"
		default:
			return ui.Warn, "never recorded, and " + ui.Count(int64(c.Expected)) + " were due"
		}
	}
	return tone, why
}

// without are the copies without any event.
func (v view) without() (rows []pane.Row) {
	for _, s := range v.o.Events.Value.Eventless {
		why := "no event at all"
		tone := ui.Warn
		if s.Status == "STAGING" || s.Status == "READY" {
			why, tone = "no event at all; an exam upload writes none", ui.Dim
		}
		rows = append(rows, pane.Row{
			Key:   "without " + s.Status,
			Cells: []ui.Cell{pane.Text(tone, "copies in "+s.Status), count(s.Count), pane.Number(ui.Dim, "", math.NaN()), pane.Number(ui.Dim, "", math.NaN()), pane.Text(tone, why)},
			Data:  map[string]any{"status": s.Status, "copies_without_events": s.Count, "as_of": v.o.Events.Value.EventlessAt},
		})
	}
	return rows
}

func count(n int) ui.Cell { return pane.Number(ui.Plain, ui.Count(int64(n)), float64(n)) }
