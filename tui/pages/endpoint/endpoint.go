// Package endpoint is the page of one endpoint: its figures with their bounds,
// and a chart of the last hour each for P95, rate and errors.
package endpoint

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindEndpoint, Title: "Endpoint", Word: "endpoint",
		Help:  `"METHOD path": rate, errors and P95 of the last hour`,
		Needs: []probes.ID{metrics.ID, metrics.PrometheusID},
		Text:  text,
	}
}

func text(in page.Input) page.Text {
	links := []pane.Ref{{Kind: pane.KindProcesses, Label: "processes"}, {Kind: pane.KindDomain, Label: "domain figures"}}
	o, snap, ok := metrics.Best(in.Set)
	e, found := o.At(in.Ref.ID)
	switch {
	case !ok:
		return page.Text{Mark: "not known", Tone: ui.Warn, Links: links, Paras: []dialog.Para{{Text: pane.Trouble(snap, source(in.Set), in.Now), Tone: ui.Warn}}}
	case !found && o.Warming != "":
		return page.Text{Mark: "warming up", Links: links, Paras: []dialog.Para{{Text: o.Warming}}}
	case !found:
		return page.Text{Mark: "not seen", Tone: ui.Warn, Links: links, Paras: []dialog.Para{{Text: notSeen(in.Ref.ID, o)}}}
	}
	v := view{in, o, e}
	_, path, _ := strings.Cut(in.Ref.ID, " ")
	mark, tone := v.mark()
	return page.Text{Mark: mark, Tone: tone, Links: links, Yank: path, Paras: v.paras(snap)}
}

func source(set probes.Set) probes.SourceID { return probes.SourceID(metrics.Choose(set)) }

func notSeen(id string, o metrics.Overview) string {
	says := "No request to " + id + " was counted since its processes started."
	if o.Dropped > 0 {
		says += " Or it is among the " + ui.Plural(o.Dropped, "endpoint") + " that are only counted together."
	}
	return says
}

// view writes one endpoint.
type view struct {
	page.Input
	o metrics.Overview
	e metrics.Endpoint
}

// paras are the figures, and the charts in the room that is left.
func (v view) paras(snap probes.Snapshot) []dialog.Para {
	head := append(v.trouble(snap), v.figures()...)
	lines := 0
	for _, p := range head {
		lines += len(ui.Wrap(p.Text, max(v.Width-ui.Width(p.Head), 1)))
	}
	return append(head, v.charts(v.Height-lines)...)
}

func (v view) mark() (string, ui.Tone) {
	q := pane.Quantile(v.e.P95, false)
	return "P95 " + pane.QuantileText(v.e.P95), q.Tone
}

// trouble says why the figures are not fresh.
func (v view) trouble(snap probes.Snapshot) []dialog.Para {
	says := pane.Trouble(snap, source(v.Set), v.Now)
	if says == "" {
		return nil
	}
	return []dialog.Para{{Text: says + " These figures are " + ui.Duration(v.Now.Sub(snap.Good)) + " old.", Tone: ui.Bad}}
}

const labelWidth = 11

func line(label, text string) dialog.Para {
	return dialog.Para{Head: ui.Pad(label, labelWidth), Text: text}
}

func (v view) figures() []dialog.Para {
	e := v.e
	out := []dialog.Para{
		line("latency", pane.Joined("P50 "+pane.QuantileBars(e.P50), "P95 "+pane.QuantileBars(e.P95), "P99 "+pane.QuantileBars(e.P99), "mean "+ui.Seconds(e.Mean))),
		{Head: ui.Pad("", labelWidth), Text: "( ) bounds of the histogram's bucket: the true value lies between them", Tone: ui.Dim},
		line("requests", pane.Joined(ui.Rate(e.RPS)+"/s", ui.Count(rounded(e.Requests))+" in "+ui.Duration(v.o.Window))),
		line("errors", pane.Joined("4xx "+ui.Percent(e.ClientShare), "5xx "+ui.Percent(e.ErrorShare), "of them 504 "+ui.Percent(e.TimeoutShare), statuses(e))),
	}
	if len(e.By) > 0 {
		out = append(out, line("processes", v.by()))
	}
	if says := hint(e); says != "" {
		out = append(out, dialog.Para{Head: ui.Pad("", labelWidth), Text: says, Tone: ui.Warn})
	}
	return append(out, line("source", sourceOf(v.o)))
}

func rounded(f float64) int64 {
	if math.IsNaN(f) || math.Abs(f) > 1e15 {
		return 0
	}
	return int64(math.Round(f))
}

func statuses(e metrics.Endpoint) string {
	var parts []string
	for _, c := range e.ByStatus {
		parts = append(parts, c.Name+" ×"+ui.Count(rounded(c.Count)))
	}
	return strings.Join(parts, "  ")
}

// by says which processes answered how much of it.
func (v view) by() string {
	const most = 6
	var parts []string
	for _, s := range v.e.By[:min(len(v.e.By), most)] {
		says := s.Process + " " + ui.Rate(s.RPS) + "/s"
		if !math.IsNaN(s.Mean) {
			says += ", mean " + ui.Seconds(s.Mean)
		}
		parts = append(parts, says)
	}
	if left := len(v.e.By) - most; left > 0 {
		parts = append(parts, "and "+ui.Count(int64(left))+" more")
	}
	return strings.Join(parts, "; ")
}

// hint says what the figures cannot show. The proxy in front counts its own
// 504: the application does not see that nobody waits for the answer any more.
func hint(e metrics.Endpoint) string {
	if e.P95.Above && !(e.TimeoutShare > 0) {
		return "Above " + ui.Seconds(e.P95.Seconds) + " only the mean tells how long. A proxy that gives up answers 504 by itself; the application does not count that."
	}
	return ""
}

func sourceOf(o metrics.Overview) string {
	cost := fmt.Sprintf("%s, %s, %s", ui.Plural(o.Cost.Samples, "sample"), ui.Bytes(uint64(max(o.Cost.Bytes, 0))), ui.Seconds(o.Cost.Took.Seconds()))
	if o.Via == probes.Prometheus {
		return "Prometheus, over " + ui.Duration(o.Window) + " (" + queries(o.Cost.Requests) + ", " + cost + ")"
	}
	return "scraped, over " + ui.Duration(o.Window) + " (" + ui.Plural(o.Cost.Requests, "scrape") + ", " + cost + ")"
}

func queries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return ui.Count(int64(n)) + " queries"
}

// The charts fill the page one after the other: the first beside the figures,
// each other one a whole page; where the page is high, all three share it.
const (
	highPage   = 36
	leastChart = 8
)

func (v view) charts(room int) []dialog.Para {
	first, other := room-2, v.Height-2 // a blank line and a title each
	if v.Height >= highPage {
		first = room/3 - 2
		other = first
	}
	rate := v.chart(func(p metrics.Point) ui.ChartPoint { return ui.ChartPoint{Value: p.RPS} })
	rate.Format, rate.Least = ui.Rate, 1
	errors := v.chart(func(p metrics.Point) ui.ChartPoint { return ui.ChartPoint{Value: p.Server} })
	errors.Format, errors.Least = ui.Percent, 0.01
	p95 := v.chart(func(p metrics.Point) ui.ChartPoint {
		return ui.ChartPoint{Value: pane.P95Of(p), Above: p.P95.Above}
	})
	p95.Format, p95.Limit = ui.Seconds, limit(v.e.Trend)
	var out []dialog.Para
	for i, c := range []struct {
		title string
		chart ui.Chart
	}{{"P95 of each minute", p95}, {"requests a second", rate}, {"5xx of all requests", errors}} {
		h := other
		if i == 0 {
			h = first
		}
		lines := c.chart.Lines(v.Width, max(h, leastChart))
		out = append(out, dialog.Para{}, dialog.Para{Text: c.title + v.gaps(), Tone: ui.Header},
			dialog.Para{Text: strings.Join(lines, "\n"), Tone: ui.Accent, Exact: true})
	}
	return out
}

// gaps explains what is left blank.
func (v view) gaps() string {
	if len(v.e.Trend) < 60 {
		return ", last hour; blank: not watched or no request"
	}
	return ", last hour"
}

// limit is the top bucket where something went beyond it.
func limit(points []metrics.Point) float64 {
	for _, p := range points {
		if p.P95.Above {
			return p.P95.Seconds
		}
	}
	return 0
}

func (v view) chart(value func(metrics.Point) ui.ChartPoint) ui.Chart {
	end := v.Now.Truncate(time.Minute).Add(time.Minute)
	c := ui.Chart{Step: time.Minute, From: end.Add(-time.Hour), To: end, Zone: v.Zone}
	for _, p := range v.e.Trend {
		x := value(p)
		x.At = p.At
		c.Points = append(c.Points, x)
	}
	return c
}
