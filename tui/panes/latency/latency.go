// Package latency is the pane of the endpoints: rate, errors and quantiles of
// the last minutes and the P95 of the last hour, as Prometheus knows them or
// as they were scraped.
package latency

import (
	"math"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID                     { return "latency" }
func (spec) Title() string                   { return "Latency" }
func (spec) Needs() []probes.ID              { return []probes.ID{metrics.ID, metrics.PrometheusID} }
func (spec) Chosen(set probes.Set) probes.ID { return metrics.Choose(set) }
func (spec) Actions() []string               { return nil }

// The widths, inside the frame, from which the error bars and longer trends
// have room.
const (
	barsOfP95 = 110
	barsOfAll = 150
	trendMost = 60 // a cell a minute
)

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "METHOD", Min: 6, Max: 7},
		{Title: "PATH", Min: 18, Ends: true},
		{Title: "RPS", Min: 4, Max: 6, Right: true},
		{Title: "4XX", Min: 4, Max: 5, Right: true, Drop: 4},
		{Title: "5XX", Min: 4, Max: 5, Right: true},
		{Title: "504", Min: 3, Max: 5, Right: true, Drop: 3},
		{Title: "P50", Min: 5, Max: 18, Right: true, Drop: 1},
		{Title: "P95", Min: 5, Max: 18, Right: true},
		{Title: "P99", Min: 5, Max: 18, Right: true, Drop: 2},
		{Title: "P95 IN 1H", Min: 10, Max: trendMost, Right: true, Drop: 5},
	}
}

// trendCells is how wide a trend is: where paths have room it is finer.
func trendCells(width int) int {
	switch {
	case width >= 190:
		return trendMost
	case width >= barsOfAll:
		return 30
	case width >= barsOfP95:
		return 20
	}
	return 10
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := metrics.Best(in.Set)
	if !ok {
		return pane.Content{}
	}
	if o.Warming != "" {
		return pane.Content{Summary: "warming up", Problem: o.Warming}
	}
	c := pane.Content{
		Summary: pane.Joined(summary(o), via(in.Set, o)),
		Empty:   "No request was answered in the last " + ui.Duration(o.Window) + ".",
		Notes:   notes(in, o),
	}
	for _, e := range o.Endpoints {
		c.Rows = append(c.Rows, row(in, e))
	}
	if len(o.Processes) > 0 && len(c.Rows) == 0 {
		c.Notes = append(c.Notes, pane.Text(ui.Plain, c.Empty))
	}
	if len(o.Processes)+len(c.Rows) > 0 {
		c.Rows = append(c.Rows, others(o)...)
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
		"p95 "+pane.QuantileText(o.Total.P95),
		"5xx "+ui.Percent(o.Total.ErrorShare),
		ui.Rate(o.Total.RPS)+"/s",
		dropped,
	)
}

// via says which source the figures are from, where there are two.
func via(set probes.Set, o metrics.Overview) string {
	switch {
	case !set.Has(probes.Prometheus):
		return ""
	case o.Via == probes.Prometheus:
		return "prometheus " + ui.Duration(o.Window)
	}
	return "scraped"
}

// notes are what a responder must know of all rows.
func notes(in pane.Input, o metrics.Overview) []ui.Cell {
	var out []ui.Cell
	warn := func(says string) {
		if says != "" {
			out = append(out, pane.Text(ui.Warn, ui.SignWarn+" "+says))
		}
	}
	warn(metrics.Passed(in.Set))
	warn(o.Note)
	for _, p := range o.Processes {
		if grown, over := p.Grown(); p.Leaks() {
			warn("memory of " + p.Address + " grew by " + pane.Size(grown) + " in " + ui.Duration(over))
			break // the others are on the page of the processes
		}
	}
	if n := len(o.Restarts); n > 0 {
		last := o.Restarts[n-1]
		warn(ui.Plural(n, "restart") + " in the last hour, last " + ui.Clock(last.At, in.Now, in.Zone) + " on " + last.Address)
	}
	return out
}

func row(in pane.Input, e metrics.Endpoint) pane.Row {
	hour := ui.Worst(pane.Hour(e.Trend, in.Now, pane.P95Of), trendCells(in.Width))
	return pane.Row{
		Key: e.Name(),
		Cells: []ui.Cell{
			pane.Text(ui.Dim, e.Method),
			pane.Text(ui.Plain, e.Path),
			pane.Number(ui.Plain, ui.Rate(e.RPS), e.RPS),
			pane.Share(e.ClientShare, ui.Warn),
			pane.Share(e.ErrorShare, ui.Bad),
			pane.Share(e.TimeoutShare, ui.Bad),
			pane.Quantile(e.P50, in.Width >= barsOfAll),
			pane.Quantile(e.P95, in.Width >= barsOfP95),
			pane.Quantile(e.P99, in.Width >= barsOfAll),
			pane.Text(ui.Accent, ui.Sparkline(hour, trendCells(in.Width))),
		},
		Detail: []string{detail(e)},
		Opens:  pane.Ref{Kind: pane.KindEndpoint, ID: e.Name()},
		Links:  []pane.Ref{processes(), domain()},
		Yank:   e.Path,
		Data:   pane.EndpointData(e),
	}
}

func processes() pane.Ref { return pane.Ref{Kind: pane.KindProcesses, Label: "processes"} }
func domain() pane.Ref    { return pane.Ref{Kind: pane.KindDomain, Label: "domain figures"} }

// detail says what the columns have no room for.
func detail(e metrics.Endpoint) string {
	codes := ""
	for _, c := range e.ByStatus {
		codes += " " + c.Name + " ×" + ui.Count(int64(math.Round(c.Count)))
	}
	return pane.Joined("P50 "+pane.QuantileBars(e.P50), "P95 "+pane.QuantileBars(e.P95), "P99 "+pane.QuantileBars(e.P99),
		"mean "+ui.Seconds(e.Mean), codes)
}

// others are the rows behind the endpoints that lead to the other figures of
// the same source.
func others(o metrics.Overview) []pane.Row {
	var out []pane.Row
	if n := len(o.Processes); n > 0 {
		out = append(out, pane.Row{Key: "processes", Span: true, Opens: processes(), Data: map[string]any{"kind": "processes", "count": n},
			Cells: []ui.Cell{pane.Text(ui.Accent, processCount(n)), pane.Text(ui.Dim, load(o))}})
	}
	return append(out, pane.Row{Key: "domain", Span: true, Opens: domain(), Data: map[string]any{"kind": "domain", "measured": !o.Domain.Empty()},
		Cells: []ui.Cell{pane.Text(ui.Accent, "domain figures"), pane.Text(ui.Dim, domainLine(o.Domain))}})
}

func processCount(n int) string {
	if n == 1 {
		return "1 process"
	}
	return ui.Count(int64(n)) + " processes"
}

// load is what all processes use together, as far as they tell.
func load(o metrics.Overview) string {
	memory, cpu := 0.0, 0.0
	least := ""
	for _, p := range o.Processes {
		if math.IsNaN(p.Resident) || math.IsNaN(p.CPUShare) {
			least = ui.SignGuess
			continue
		}
		memory += p.Resident
		cpu += p.CPUShare
	}
	return pane.Joined("memory "+least+pane.Size(memory), "CPU "+least+ui.Percent(cpu), ui.Plural(len(o.Restarts), "restart"))
}

func domainLine(d metrics.Domain) string {
	if d.Empty() {
		return "not measured by the application: derived from queue, logs and database"
	}
	conflicts, ocr := 0.0, 0.0
	for _, t := range d.Conflicts {
		conflicts += t.Recent
	}
	for _, t := range d.OCR {
		ocr += t.Recent
	}
	return pane.Joined("in "+ui.Duration(d.Over), ui.Plural(int(math.Round(conflicts)), "lock conflict"), ui.Plural(int(math.Round(ocr)), "OCR error"))
}
