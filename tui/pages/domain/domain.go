// Package domain is the page of what the application does for grading:
// finalizations, imports, lock conflicts, OCR errors, copies by status. What
// the application measures itself is shown as it does; the same figures of
// versions that do not are derived from requests, queue, logs and database, and
// say so.
package domain

import (
	"math"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindDomain, Title: "Domain figures", Word: "domain", Whole: true,
		Help:  "finalize and import durations, lock conflicts, OCR errors, copies by status",
		Needs: spec{}.Needs(),
		Rows:  func(pane.Ref) pane.Spec { return spec{} },
	}
}

type spec struct{}

func (spec) ID() pane.ID       { return "domain" }
func (spec) Title() string     { return "Domain figures" }
func (spec) Actions() []string { return nil }

func (spec) Needs() []probes.ID {
	return []probes.ID{metrics.ID, metrics.PrometheusID, grading.ID, celery.ID, celery.TasksID, logs.ID}
}

// Chosen is any source that answered: each gives some of the figures.
func (s spec) Chosen(set probes.Set) probes.ID {
	best := metrics.Choose(set)
	for _, id := range append([]probes.ID{best}, s.Needs()[2:]...) {
		if set.Get(id).Payload != nil {
			return id
		}
	}
	return best
}

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "WHAT", Min: 26, Max: 44, Ends: true},
		{Title: "COUNT", Min: 3, Max: 7, Right: true},
		{Title: "TOTAL", Min: 5, Max: 7, Right: true, Drop: 3},
		{Title: "P50", Min: 4, Max: 16, Right: true, Drop: 2},
		{Title: "P95", Min: 4, Max: 16, Right: true},
		{Title: "MEAN", Min: 4, Max: 7, Right: true, Drop: 1},
		{Title: "HOW", Min: 20},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, _ := metrics.Best(in.Set)
	d := deriver{in: in, o: o}
	bars := in.Width >= barsFrom
	c := pane.Content{Summary: "measured by the application"}
	if o.Domain.Empty() {
		c.Summary = "derived: the application measures none of it"
	}
	c.Rows = append(c.Rows, section("Finalize", timings(o.Domain.Finalize, o.Domain, attempt), d.finalize, bars)...)
	c.Rows = append(c.Rows, section("Import", timings(o.Domain.Import, o.Domain, pages), d.imports, bars)...)
	c.Rows = append(c.Rows, section("Lock conflicts", tallies(o.Domain.Conflicts, o.Domain), d.conflicts, bars)...)
	c.Rows = append(c.Rows, section("OCR errors", tallies(o.Domain.OCR, o.Domain), d.ocr, bars)...)
	c.Rows = append(c.Rows, section("Copies by status", copies(o.Domain.Copies), d.copies, bars)...)
	return c
}

// barsFrom is the width, inside the frame, from which error bars have room.
const barsFrom = 100

// figure is one row.
type figure struct {
	what          string
	count, total  float64 // of the time that how says; since the processes started; NaN not known
	atLeast       bool    // count is a lower bound
	p50, p95      metrics.Quantile
	mean          float64 // seconds; NaN not known
	how           string
	derived, warn bool
	opens         pane.Ref
}

// counted is a figure without durations.
func counted(what string, n float64, how string) figure {
	return figure{what: what, count: n, total: math.NaN(), mean: math.NaN(), how: "derived: " + how, derived: true}
}

// section is a heading with what is measured, or with what can be derived
// where nothing is.
func section(title string, measured []figure, derive func() []figure, bars bool) []pane.Row {
	if len(measured) == 0 {
		measured = derive()
	}
	rows := []pane.Row{{Key: title, Span: true, Skip: true, Cells: []ui.Cell{pane.Text(ui.Header, title)}}}
	if len(measured) == 0 {
		return append(rows, pane.Row{Key: title + " none", Span: true, Cells: []ui.Cell{pane.Text(ui.Dim, " not known: no source that answers tells it")}})
	}
	for _, f := range measured {
		rows = append(rows, f.row(title, bars))
	}
	return rows
}

func (f figure) row(section string, bars bool) pane.Row {
	tone := ui.Plain
	switch {
	case f.warn:
		tone = ui.Warn
	case f.count == 0:
		tone = ui.Dim
	}
	how := ui.Plain
	if f.derived {
		how = ui.Dim
	}
	least := ""
	if f.atLeast {
		least = ui.SignGuess
	}
	return pane.Row{
		Key: section + " " + f.what,
		Cells: []ui.Cell{
			pane.Text(tone, " "+f.what),
			pane.Number(tone, least+whole(f.count), f.count),
			number(f.total),
			latency(f.p50, bars), latency(f.p95, bars), pane.Number(ui.Plain, seconds(f.mean), f.mean),
			pane.Text(how, f.how),
		},
		Opens: f.opens,
		Data: map[string]any{"section": strings.ToLower(section), "what": f.what, "count": value(f.count), "at_least": f.atLeast, "total": value(f.total),
			"p50": pane.QuantileData(f.p50), "p95": pane.QuantileData(f.p95), "mean": value(f.mean), "derived": f.derived, "how": f.how},
	}
}

// latency and seconds leave a cell empty where a figure has no duration: only
// durations that could be known and are not are "?".
func latency(q metrics.Quantile, bars bool) ui.Cell {
	if !q.Known {
		return pane.Number(ui.Dim, "", math.NaN())
	}
	return pane.Quantile(q, bars)
}

func seconds(s float64) string {
	if math.IsNaN(s) {
		return ""
	}
	return ui.Seconds(s)
}

func number(f float64) ui.Cell {
	if math.IsNaN(f) {
		return pane.Number(ui.Dim, "", f)
	}
	return pane.Number(ui.Plain, whole(f), f)
}

// whole writes a count; increases that Prometheus extrapolates are no whole
// numbers.
func whole(f float64) string {
	if !(f >= 0) || f > 1e15 {
		return ui.NotKnown
	}
	return ui.Count(int64(math.Round(f)))
}

func value(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

func attempt(t metrics.Timing) string { return joined(t.Status, "attempt", t.Group) }
func pages(t metrics.Timing) string   { return joined(t.Status, "pages", t.Group) }

func joined(status, what, group string) string {
	if group == "" {
		return status
	}
	return status + ", " + what + " " + group
}

func timings(all []metrics.Timing, d metrics.Domain, name func(metrics.Timing) string) (out []figure) {
	for _, t := range all {
		out = append(out, figure{what: name(t), count: t.Recent, total: t.Total, p50: t.P50, p95: t.P95, mean: t.Mean,
			how: measured(d), warn: t.Status == "failed" && t.Recent > 0})
	}
	return out
}

func tallies(all []metrics.Tally, d metrics.Domain) (out []figure) {
	for _, t := range all {
		out = append(out, figure{what: t.Name, count: t.Recent, total: t.Total, mean: math.NaN(), how: measured(d), warn: t.Recent > 0})
	}
	return out
}

func measured(d metrics.Domain) string { return "measured, last " + ui.Duration(d.Over) }

func copies(all []metrics.Count) (out []figure) {
	for _, c := range all {
		out = append(out, figure{what: c.Name, count: c.Count, total: math.NaN(), mean: math.NaN(), how: "measured, now"})
	}
	return out
}
