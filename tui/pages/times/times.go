// Package times is the page of how many log records a query finds over time: a
// histogram, a row a span, newest first, of which each leads to its records.
package times

import (
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

const (
	// few records are listed at once; of more the spans are divided first.
	few = 60
	// beside is about what the columns beside the bar need.
	beside   = 44
	leastBar = 10
	mostBar  = 90
)

// The levels differ in shape, so that they are told apart without colours.
const (
	barError   = "█"
	barWarning = "▅"
	barOther   = "▁"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindLogTimes, Title: "Log records over time", Word: "times", Whole: true, Takes: time.Minute,
		Help: "a log query: what it finds, counted over time",
		Rows: func(ref pane.Ref) pane.Spec { return spec{ref} }}
}

type spec struct{ ref pane.Ref }

func (spec) ID() pane.ID        { return "times" }
func (s spec) Title() string    { return strings.TrimSpace("Over time " + s.ref.Name()) }
func (spec) Needs() []probes.ID { return []probes.ID{pane.ReadID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "FROM", Min: 8, Max: 11},
		{Title: "ERRORS", Min: 6, Max: 9, Right: true},
		{Title: "WARNINGS", Min: 8, Max: 9, Right: true},
		{Title: "ALL", Min: 5, Max: 9, Right: true},
		{Title: "█ errors ▅ warnings ▁ others", Min: leastBar},
	}
}

func (s spec) Content(in pane.Input) pane.Content {
	h, ok := in.Data.(logs.Histogram)
	if !ok {
		return pane.Content{}
	}
	looked := pane.LogsLooked(h.Extent, in)
	c := pane.Content{Empty: "No record with a time matches: " + looked + ".", Notes: notes(h)}
	top, errors := 0, 0
	for _, b := range h.Bars {
		top = max(top, b.Total())
		errors += bad(b)
	}
	width := min(max(in.Width-beside, leastBar), mostBar)
	for _, b := range slices.Backward(h.Bars) {
		c.Rows = append(c.Rows, s.row(b, h.Bucket, top, width, in))
	}
	c.Summary = pane.Joined(ui.Plural(h.Records, "record"), ui.Plural(errors, "error"), "a row is "+ui.Duration(h.Bucket), looked)
	return c
}

// notes say who logged most, and what is in no row.
func notes(h logs.Histogram) []ui.Cell {
	out := pane.LogNotes(h.Skipped)
	var parts []string
	for _, l := range h.ByLogger[:min(len(h.ByLogger), 5)] {
		name := l.Name
		if name == "" {
			name = "(no logger)"
		}
		parts = append(parts, name+" "+ui.Count(int64(l.N)))
	}
	if len(parts) > 0 {
		out = append(out, pane.Text(ui.Dim, "Most by "+strings.Join(parts, " · ")))
	}
	if h.Timeless > 0 {
		out = append(out, pane.Text(ui.Dim, ui.Plural(h.Timeless, "record")+" without a time in no row."))
	}
	return out
}

// bad counts the errors of a span, and what is worse.
func bad(b logs.Bar) int { return b.Levels[3] + b.Levels[4] }

func (s spec) row(b logs.Bar, bucket time.Duration, top, width int, in pane.Input) pane.Row {
	until := b.From.Add(bucket)
	errors, warnings, all := bad(b), b.Levels[2], b.Total()
	tone := ui.Dim
	switch {
	case errors > 0:
		tone = ui.Bad
	case warnings > 0:
		tone = ui.Warn
	}
	part := pane.Ref{ID: logs.Narrow(s.ref.ID, b.From, until), Label: ui.Clock(b.From, in.Now, in.Zone) + " " + s.ref.Name()}
	records, times, requests := part, part, part
	records.Kind, times.Kind, requests.Kind = pane.KindLogs, pane.KindLogTimes, pane.KindRequests
	opens := times
	if all <= few || bucket <= time.Second {
		opens = records
	}
	return pane.Row{
		Key: b.From.UTC().Format(time.RFC3339),
		Cells: []ui.Cell{
			pane.Number(ui.Plain, ui.Clock(b.From, in.Now, in.Zone), float64(b.From.Unix())),
			count(ui.Bad, errors), count(ui.Warn, warnings), count(ui.Plain, all),
			pane.Number(tone, bar(errors, warnings, all, top, width), float64(all)),
		},
		Opens: opens, Links: []pane.Ref{records, times, requests}, Yank: records.ID,
		Data: map[string]any{"from": b.From.UTC().Format(time.RFC3339), "seconds": bucket.Seconds(), "errors": errors, "warnings": warnings, "records": all},
	}
}

func count(loud ui.Tone, n int) ui.Cell {
	if n == 0 {
		return pane.Number(ui.Dim, "·", 0)
	}
	return pane.Number(loud, ui.Count(int64(n)), float64(n))
}

// bar draws a span against the fullest one: errors, then warnings, then the
// rest. What is there at all has a cell.
func bar(errors, warnings, all, top, width int) string {
	if top == 0 {
		return ""
	}
	e, w, o := cells(errors, top, width), cells(warnings, top, width), cells(all-errors-warnings, top, width)
	return strings.Repeat(barError, e) + strings.Repeat(barWarning, w) + strings.Repeat(barOther, o)
}

func cells(n, top, width int) int {
	if n <= 0 {
		return 0
	}
	return max(1, (n*width+top/2)/top)
}
