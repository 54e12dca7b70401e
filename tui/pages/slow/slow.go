// Package slow is the page of the log records that say how long something took,
// the slowest first.
package slow

import (
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// The application logs a request that took longer than tooSlow; from slow on
// people notice.
const (
	slow    = time.Second
	tooSlow = 5 * time.Second
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindSlow, Title: "Slow", Word: "slow", Whole: true, Takes: time.Minute,
		Help: "a log query: of what it finds, what took longest",
		Rows: func(ref pane.Ref) pane.Spec { return spec{ref} }}
}

type spec struct{ ref pane.Ref }

func (spec) ID() pane.ID        { return "slow" }
func (s spec) Title() string    { return strings.TrimSpace("Slow " + s.ref.Name()) }
func (spec) Needs() []probes.ID { return []probes.ID{pane.ReadID, grading.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return append([]ui.Column{{Title: "TOOK", Min: 6, Max: 7, Right: true}}, pane.LogColumns()...)
}

func (spec) Content(in pane.Input) pane.Content {
	r, ok := in.Data.(logs.Slow)
	if !ok {
		return pane.Content{}
	}
	looked := pane.LogsLooked(r.Extent, in)
	c := pane.Content{
		Summary: pane.Joined(ui.Count(int64(r.Records))+" say how long", pane.Shown(len(r.Lines), r.Records), looked),
		Empty:   "No matching record says how long something took: " + looked + ". The application logs requests above 5 s, and tasks.",
		Notes:   pane.LogNotes(r.Skipped),
		Rows:    pane.LogRows(r.Lines, in),
	}
	for i := range c.Rows {
		c.Rows[i].Cells = append([]ui.Cell{took(r.Lines[i].Duration)}, c.Rows[i].Cells...)
	}
	return c
}

func took(d time.Duration) ui.Cell {
	tone := ui.Plain
	switch {
	case d >= tooSlow:
		tone = ui.Bad
	case d >= slow:
		tone = ui.Warn
	}
	return pane.Number(tone, ui.Seconds(d.Seconds()), d.Seconds())
}
