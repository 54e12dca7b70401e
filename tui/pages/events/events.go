// Package events is the page that counts the audit events by kind: which are
// recorded, which never were, and which copies have none at all. It answers
// whether an event is missing on one copy or is never written by the code.
package events

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindEvents, Title: "Audit events by action", Word: "events", Whole: true,
		Help:  "how often each kind is recorded, which never was, copies without any",
		Needs: spec{}.Needs(),
		Rows:  func(pane.Ref) pane.Spec { return spec{} },
	}
}

type spec struct{}

func (spec) ID() pane.ID        { return "events" }
func (spec) Title() string      { return "Audit events by action" }
func (spec) Needs() []probes.ID { return []probes.ID{grading.ID} }
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
	if !known {
		return pane.Content{Problem: "The audit table is too big to be counted within a look; its newest events are in the timeline."}
	}
	v := view{in: in, now: pane.ServerNow(in), o: o}
	c := pane.Content{Summary: pane.Joined(ui.Plural(len(e.ByAction), "kind")+" recorded", missing(len(never)))}
	for _, a := range e.ByAction {
		c.Rows = append(c.Rows, v.recorded(a))
	}
	for _, action := range never {
		c.Rows = append(c.Rows, v.never(action))
	}
	c.Rows = append(c.Rows, v.without()...)
	return c
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
