// Package patterns is the page of the named log searches: what an incident asks
// the logs for, with what each finds and how much of it there was lately.
package patterns

import (
	"math"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindPatterns, Title: "Named searches", Word: "patterns", Whole: true, Takes: 30 * time.Second,
		Help: "the named log searches, with what each found in the last hour",
		Rows: func(pane.Ref) pane.Spec { return spec{} }}
}

type spec struct{}

func (spec) ID() pane.ID        { return "patterns" }
func (spec) Title() string      { return "Named searches" }
func (spec) Needs() []probes.ID { return []probes.ID{pane.ReadID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "SEARCH", Min: 18, Max: 28},
		{Title: "LAST HOUR", Min: 9, Max: 9, Right: true},
		{Title: "NEWEST", Min: 8, Max: 11, Right: true},
		{Title: "FINDS", Min: 20, Drop: 1},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	found, ok := in.Data.(logs.PatternCounts)
	if !ok {
		return pane.Content{}
	}
	c := pane.Content{Empty: "There are no named searches.", Notes: pane.LogNotes(found.Skipped)}
	some := 0
	for _, f := range found.Counts {
		c.Rows = append(c.Rows, row(f, in))
		if f.N > 0 {
			some++
		}
	}
	c.Summary = ui.Count(int64(some)) + " of " + ui.Count(int64(len(found.Counts))) + " found something in the last hour"
	return c
}

func row(f logs.PatternCount, in pane.Input) pane.Row {
	n, newest := pane.Number(ui.Dim, "0", 0), pane.Number(ui.Dim, "", math.NaN())
	if f.N > 0 {
		n = pane.Number(ui.Warn, ui.Count(int64(f.N)), float64(f.N))
		newest = pane.Number(ui.Plain, ui.Clock(f.Newest, in.Now, in.Zone), float64(f.Newest.UnixMicro()))
	}
	query := "pattern:" + f.Name
	return pane.Row{
		Key:    f.Name,
		Cells:  []ui.Cell{pane.Text(ui.Plain, f.Title), n, newest, pane.Text(ui.Dim, f.Finds)},
		Detail: []string{"As a filter: " + query + "  =  " + f.Query},
		Opens:  pane.Ref{Kind: pane.KindLogs, ID: query, Label: f.Title},
		Links: []pane.Ref{{Kind: pane.KindLogTimes, ID: query, Label: f.Title}, {Kind: pane.KindRequests, ID: query, Label: f.Title},
			{Kind: pane.KindSlow, ID: query, Label: f.Title}},
		Yank: query,
	}
}
