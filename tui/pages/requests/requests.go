// Package requests is the page of the request ids in the log records that a
// query finds, of which each leads to its trace.
package requests

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// mostRows bounds the page; the search told apart many more.
const mostRows = 1000

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindRequests, Title: "Requests in the logs", Word: "requests", Whole: true, Takes: time.Minute,
		Help: "a log query: the request ids of what it finds",
		Rows: func(ref pane.Ref) pane.Spec { return spec{ref} }}
}

type spec struct{ ref pane.Ref }

func (spec) ID() pane.ID        { return "requests" }
func (s spec) Title() string    { return strings.TrimSpace("Requests " + s.ref.Name()) }
func (spec) Needs() []probes.ID { return []probes.ID{pane.ReadID, grading.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "LAST", Min: 8, Max: 11},
		{Title: "WORST", Min: 9, Max: 10},
		{Title: "RECORDS", Min: 7, Max: 7, Right: true, Drop: 2},
		{Title: "STATUS", Min: 6, Max: 6, Right: true, Drop: 3},
		{Title: "TOOK", Min: 5, Max: 6, Right: true, Drop: 1},
		{Title: "REQUEST ID", Min: 9, Max: 36, Drop: 4},
		{Title: "WHAT", Min: 20, Ends: true},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	r, ok := in.Data.(logs.Requests)
	if !ok {
		return pane.Content{}
	}
	looked := pane.LogsLooked(r.Extent, in)
	c := pane.Content{
		Summary: pane.Joined(ui.Plural(len(r.Requests), "request"), ui.Plural(r.Records, "record"), pane.Shown(min(len(r.Requests), mostRows), len(r.Requests)), looked),
		Empty:   "No record with a request id matches: " + looked + ". Only JSON logs hold request ids.",
		Notes:   pane.LogNotes(r.Skipped),
	}
	names := pane.NamesIn(in.Set)
	for _, q := range r.Requests[:min(len(r.Requests), mostRows)] {
		c.Rows = append(c.Rows, row(q, in, names))
	}
	return c
}

func row(q logs.Request, in pane.Input, names pane.Names) pane.Row {
	path := strings.TrimSpace(q.Method + " " + q.Path)
	if q.CopyID != "" {
		path = strings.Replace(path, q.CopyID, names.Of(q.CopyID, ""), 1)
	}
	return pane.Row{
		Key: q.ID,
		Cells: []ui.Cell{
			pane.Number(ui.Dim, ui.Clock(q.Last, in.Now, in.Zone), float64(q.Last.UnixMicro())/1e6), pane.LogLevel(q.Worst),
			pane.Number(ui.Plain, ui.Count(int64(q.Records)), float64(q.Records)), status(q.StatusCode), took(q.Duration),
			pane.Text(ui.Accent, q.ID), pane.Text(ui.Plain, path),
		},
		Copy: q.CopyID, Yank: q.ID,
		Opens: pane.TraceRef("request", q.ID),
	}
}

func status(code int) ui.Cell {
	tone := ui.Plain
	switch {
	case code == 0:
		return pane.Number(ui.Dim, "", math.NaN())
	case code >= 500:
		tone = ui.Bad
	case code >= 400:
		tone = ui.Warn
	}
	return pane.Number(tone, fmt.Sprint(code), float64(code))
}

func took(d time.Duration) ui.Cell {
	if d <= 0 {
		return pane.Number(ui.Dim, "", math.NaN())
	}
	return pane.Number(ui.Plain, ui.Seconds(d.Seconds()), d.Seconds())
}
