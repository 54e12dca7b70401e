// Package records is the page of the log records that a query finds, newest
// first: where named searches and spans of time lead to.
package records

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindLogs, Title: "Log records", Word: "search", Whole: true, Takes: 30 * time.Second,
		Help: "a log query: the newest records that it finds",
		Rows: func(ref pane.Ref) pane.Spec { return spec{ref} }}
}

type spec struct{ ref pane.Ref }

func (spec) ID() pane.ID          { return "search" }
func (s spec) Title() string      { return "Log records " + s.ref.Name() }
func (spec) Needs() []probes.ID   { return []probes.ID{pane.ReadID, grading.ID} }
func (spec) Columns() []ui.Column { return pane.LogColumns() }
func (spec) Actions() []string    { return nil }

func (s spec) Content(in pane.Input) pane.Content {
	r, ok := in.Data.(logs.Result)
	if !ok {
		return pane.Content{}
	}
	looked := pane.LogsLooked(r.Extent, in)
	c := pane.Content{
		Summary: pane.Joined(ui.Count(int64(len(r.Lines)))+" found", looked),
		Empty:   "No record matches: " + looked + ".",
		Notes:   pane.LogNotes(r.Skipped),
		Rows:    pane.LogRows(pane.NewestFirst(r.Lines), in),
	}
	for i := range c.Rows {
		c.Rows[i].Links = append(c.Rows[i].Links, pane.Ref{Kind: pane.KindLogTimes, ID: s.ref.ID, Label: "of these records"})
	}
	return c
}
