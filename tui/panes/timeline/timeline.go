// Package timeline is the pane of the audit trail, newest first: what was done
// to which copy by whom, what failed, and where events are missing.
package timeline

import (
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "timeline" }
func (spec) Title() string      { return "Audit timeline" }
func (spec) Needs() []probes.ID { return []probes.ID{grading.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "TIME", Min: 11, Max: 11},
		{Title: "ACTION", Min: 10, Max: 16},
		{Title: "COPY", Min: 12, Max: 24},
		{Title: "BY", Min: 8, Max: 20, Drop: 1},
		{Title: "DETAIL", Min: 18},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok {
		return pane.Content{}
	}
	if !o.Events.Here() {
		return pane.Content{Problem: strings.TrimSpace(o.Events.Missing + " " + o.Events.Fix)}
	}
	events, more := all(o.Events.Value, in.Older)
	c := pane.Content{
		Summary: summary(o.Events.Value, events),
		Empty:   "No event has been recorded yet. Every lock, annotation and finalization leaves one here.",
	}
	now := pane.ServerNow(in)
	for _, e := range events {
		c.Rows = append(c.Rows, row(e, now, in.Zone))
	}
	if more {
		says := pane.Text(ui.Dim, "older ones are read as you go down")
		c.Rows = append(c.Rows, pane.Row{Key: "more", Span: true, Skip: true, Cells: []ui.Cell{says}})
	}
	return c
}

// Before gives the place from which older events are to be read, and whether
// there are any.
func Before(in pane.Input) (grading.Cursor, bool) {
	o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok {
		return grading.Cursor{}, false
	}
	events, more := all(o.Events.Value, in.Older)
	for i := len(events) - 1; i >= 0; i-- {
		if e := events[i]; e.Gap == "" && e.ID != "" {
			return grading.Cursor{At: e.At, ID: e.ID}, more
		}
	}
	return grading.Cursor{}, false
}

// all is the probe's part and what was paged in after it. The probe's part
// moves on with time, so the two may overlap.
func all(newest, older grading.Events) (rows []grading.Event, more bool) {
	if len(older.Rows) == 0 {
		return newest.Rows, newest.More
	}
	seen := map[string]bool{}
	for _, part := range [][]grading.Event{newest.Rows, older.Rows} {
		for _, e := range part {
			if k := key(e); !seen[k] {
				seen[k] = true
				rows = append(rows, e)
			}
		}
	}
	return rows, older.More
}

func summary(e grading.Events, shown []grading.Event) string {
	gaps, failed := 0, 0
	for _, row := range shown {
		switch {
		case row.Gap != "":
			gaps++
		case row.Failed:
			failed++
		}
	}
	return pane.Joined(
		ui.Count(int64(e.LastHour))+" in the last hour",
		some(failed, ui.Count(int64(failed))+" failed"),
		some(gaps, ui.Plural(gaps, "gap")),
	)
}

func some(n int, says string) string {
	if n == 0 {
		return ""
	}
	return says
}

func row(e grading.Event, now time.Time, zone *time.Location) pane.Row {
	action, by, detail := pane.Text(tone(e.Action), e.Action), pane.User(e.Actor), pane.Text(ui.Plain, e.Detail)
	switch {
	case e.Gap != "":
		action, by, detail = pane.Text(ui.Warn, ui.SignWarn+" gap"), pane.Text(ui.Plain, ""), pane.Text(ui.Warn, e.Gap)
	case e.Failed:
		detail = pane.Text(ui.Bad, failure(e.Detail))
	}
	when := pane.Number(ui.Dim, ui.Clock(e.At, now, zone), float64(e.At.UnixMicro())/1e6)
	r := pane.Row{
		Key:   key(e),
		Cells: []ui.Cell{when, action, pane.Text(ui.Accent, e.Copy.Label()), by, detail},
		Copy:  e.Copy.ID,
		Yank:  e.Copy.ID,
	}
	if e.Gap != "" {
		r.Links = []pane.Ref{{Kind: pane.KindEvents, Label: "events by action"}} // is that kind never written at all?
	}
	if e.Copy.ID != "" {
		r.Target = pane.OnCopy(e.Copy)
	}
	return r
}

// key tells a gap from the event whose id it bears.
func key(e grading.Event) string {
	if e.Gap != "" {
		return "gap " + e.ID + " " + e.Gap
	}
	return e.ID
}

func failure(detail string) string {
	if strings.HasPrefix(detail, ui.SignBad) {
		return detail
	}
	return strings.TrimSpace(ui.SignBad + " " + detail)
}

// tone makes the end of a copy's way stand out from the many annotations.
func tone(action string) ui.Tone {
	switch {
	case strings.HasPrefix(action, "FINALIZE"):
		return ui.Strong
	case strings.Contains(action, "ANN"):
		return ui.Dim
	}
	return ui.Plain
}
