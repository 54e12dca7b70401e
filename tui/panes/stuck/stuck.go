// Package stuck is the pane of the copies that do not move by themselves any
// more, with the reason. The rules are the grading probe's; the reason is
// completed by what the logs and the broker know of the copy, because a failed
// finalization leaves nothing in the database.
package stuck

import (
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "stuck" }
func (spec) Title() string      { return "Stuck copies" }
func (spec) Needs() []probes.ID { return []probes.ID{grading.ID, celery.ID, celery.TasksID, logs.ID} }
func (spec) Actions() []string {
	return []string{"retry", "release-locked", "force-unlock"}
}

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "COPY", Min: 12, Max: 24},
		{Title: "STATUS", Min: 8, Max: 19},
		{Title: "FOR", Min: 6, Max: 8, Right: true},
		{Title: "PAGES", Min: 5, Max: 5, Right: true, Drop: 2},
		{Title: "HOLDER", Min: 8, Max: 16, Drop: 1},
		{Title: "SINCE FROM", Min: 14, Max: 16, Drop: 3},
		{Title: "WHY", Min: 48},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok {
		return pane.Content{}
	}
	if !o.Stuck.Here() {
		return pane.Content{Problem: strings.TrimSpace(o.Stuck.Missing + " " + o.Stuck.Fix)}
	}
	s := o.Stuck.Value
	c := pane.Content{
		Summary: pane.Joined(ui.Count(int64(s.Total)), pane.Shown(len(s.Rows), s.Total)),
		Empty:   "No copy is stuck: every import, lock and finalization moves. Nothing to do here.",
	}
	if l, _, ok := probes.Of[logs.Overview](in.Set, logs.ID); ok && l.Note != "" {
		c.Notes = []ui.Cell{pane.Text(ui.Dim, "logs: "+l.Note)}
	}
	k := newClues(in)
	now := pane.ServerNow(in)
	for _, stuck := range s.Rows {
		r := row(stuck, k.why(stuck), now)
		r.Detail = k.logged(stuck.Copy.ID)
		c.Rows = append(c.Rows, r)
	}
	return c
}

func row(s grading.Stuck, why string, now time.Time) pane.Row {
	return pane.Row{
		Key: s.Copy.ID,
		Cells: []ui.Cell{
			pane.Text(ui.Accent, s.Copy.Label()),
			pane.Text(tone(s.Cause), s.Status),
			since(s, now),
			pages(s.Pages),
			holder(s.Holder),
			pane.Text(ui.Dim, origin(s)),
			pane.Text(ui.Plain, why),
		},
		Target: pane.OnCopy(s.Copy),
		Copy:   s.Copy.ID,
		Yank:   s.Copy.ID,
	}
}

// tone is loud for what has failed, and warns of what waits.
func tone(c grading.Cause) ui.Tone {
	switch c {
	case grading.CauseFailed, grading.CauseNoPDF, grading.CauseImport:
		return ui.Bad
	}
	return ui.Warn
}

// since marks a time that is only a lower bound.
func since(s grading.Stuck, now time.Time) ui.Cell {
	c := pane.Age(s.Since, now)
	if s.Guess && !s.Since.IsZero() {
		c.Text, c.Tone = ui.SignGuess+c.Text, ui.Dim
	}
	return c
}

func origin(s grading.Stuck) string {
	if s.SinceFrom == "" {
		return ui.NotKnown
	}
	return s.SinceFrom
}

func pages(n int) ui.Cell {
	switch {
	case n < 0:
		return pane.Number(ui.Dim, ui.NotKnown, -1)
	case n == 0:
		return pane.Number(ui.Bad, "0", 0)
	}
	return pane.Number(ui.Plain, ui.Count(int64(n)), float64(n))
}

// holder may well be nobody, which is no unknown.
func holder(u grading.User) ui.Cell {
	if u.ID == 0 && u.Name == "" {
		return pane.Text(ui.Dim, "–")
	}
	return pane.User(u)
}
