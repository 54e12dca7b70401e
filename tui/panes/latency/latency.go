// Package latency is the pane of the endpoints: rate, errors and quantiles
// between the last scrapes of each process.
package latency

import (
	"math"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Pages that take 5 s are an incident by the playbook's scenario 4; from 1 s on
// people notice. One answer of a hundred failing is no accident.
const (
	slow     = 1.0
	tooSlow  = 5.0
	tooMany  = 0.01
	trendLen = 36 // so wide that it comes only when paths have room
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "latency" }
func (spec) Title() string      { return "Latency" }
func (spec) Needs() []probes.ID { return []probes.ID{metrics.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "METHOD", Min: 6, Max: 7},
		{Title: "PATH", Min: 18, Ends: true},
		{Title: "RPS", Min: 4, Max: 6, Right: true},
		{Title: "ERR", Min: 4, Max: 5, Right: true},
		{Title: "4XX", Min: 4, Max: 5, Right: true, Drop: 3},
		{Title: "P50", Min: 5, Max: 7, Right: true, Drop: 1},
		{Title: "P95", Min: 5, Max: 7, Right: true},
		{Title: "P99", Min: 5, Max: 7, Right: true, Drop: 2},
		{Title: "P95 TREND", Min: trendLen, Max: trendLen, Right: true, Drop: 4},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[metrics.Overview](in.Set, metrics.ID)
	if !ok {
		return pane.Content{}
	}
	if o.Warming != "" {
		return pane.Content{Summary: "warming up", Problem: o.Warming}
	}
	c := pane.Content{
		Summary: summary(o),
		Empty:   "No request was answered in the last " + ui.Duration(o.Window) + ".",
	}
	if o.Note != "" {
		c.Notes = []ui.Cell{pane.Text(ui.Warn, ui.SignWarn+" "+o.Note)}
	}
	for _, e := range o.Endpoints {
		c.Rows = append(c.Rows, row(e))
	}
	return c
}

// summary is of all endpoints together; without a request there is no share of
// failures and no latency.
func summary(o metrics.Overview) string {
	if o.Total.Requests == 0 && o.Total.RPS == 0 {
		return "no requests"
	}
	dropped := ""
	if o.Dropped > 0 {
		dropped = ui.SignWarn + " " + ui.Count(int64(o.Dropped)) + " series left out"
	}
	return pane.Joined(
		"p95 "+quantileText(o.Total.P95),
		"5xx "+ui.Percent(o.Total.ErrorShare),
		ui.Rate(o.Total.RPS)+"/s",
		dropped,
	)
}

func row(e metrics.Endpoint) pane.Row {
	return pane.Row{
		Key: e.Method + " " + e.Path,
		Cells: []ui.Cell{
			pane.Text(ui.Dim, e.Method),
			pane.Text(ui.Plain, e.Path),
			pane.Number(ui.Plain, ui.Rate(e.RPS), e.RPS),
			share(e.ErrorShare, ui.Bad),
			share(e.ClientShare, ui.Warn),
			quantile(e.P50),
			quantile(e.P95),
			quantile(e.P99),
			pane.Text(ui.Accent, ui.Sparkline(e.History, trendLen)),
		},
		Yank: e.Path,
	}
}

// share is loud from a hundredth on; none at all is quiet.
func share(s float64, loud ui.Tone) ui.Cell {
	tone := ui.Plain
	switch {
	case math.IsNaN(s) || s == 0:
		tone = ui.Dim
	case s >= tooMany:
		tone = loud
	}
	return pane.Number(tone, ui.Percent(s), s)
}

func quantile(q metrics.Quantile) ui.Cell {
	switch {
	case !q.Known:
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	case q.Above || q.Seconds >= tooSlow:
		return pane.Number(ui.Bad, quantileText(q), order(q))
	case q.Seconds >= slow:
		return pane.Number(ui.Warn, quantileText(q), order(q))
	}
	return pane.Number(ui.Plain, quantileText(q), order(q))
}

// order puts "> 10 s" after 10 s.
func order(q metrics.Quantile) float64 {
	if q.Above {
		return math.Nextafter(q.Seconds, math.Inf(1))
	}
	return q.Seconds
}

func quantileText(q metrics.Quantile) string {
	switch {
	case !q.Known:
		return ui.NotKnown
	case q.Above:
		return ">" + ui.Seconds(q.Seconds)
	}
	return ui.Seconds(q.Seconds)
}
