// Package processes is the page of the application's processes: memory, CPU,
// file descriptors, requests, restarts.
package processes

import (
	"math"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindProcesses, Title: "Processes", Word: "processes", Whole: true,
		Help:  "memory, CPU, file descriptors and restarts of the application",
		Needs: spec{}.Needs(),
		Rows:  func(pane.Ref) pane.Spec { return spec{} },
	}
}

type spec struct{}

func (spec) ID() pane.ID                     { return "processes" }
func (spec) Title() string                   { return "Processes" }
func (spec) Needs() []probes.ID              { return []probes.ID{metrics.ID, metrics.PrometheusID} }
func (spec) Chosen(set probes.Set) probes.ID { return metrics.Choose(set) }
func (spec) Actions() []string               { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "PROCESS", Min: 16, Ends: true},
		{Title: "UP", Min: 5, Max: 6, Right: true},
		{Title: "MEMORY", Min: 5, Max: 7, Right: true},
		{Title: "GREW", Min: 12, Max: 14, Right: true, Drop: 1},
		{Title: "CPU", Min: 4, Max: 5, Right: true},
		{Title: "FDS", Min: 7, Max: 13, Right: true, Drop: 2},
		{Title: "RPS", Min: 3, Max: 6, Right: true, Drop: 3},
		{Title: "SEEN", Min: 4, Max: 6, Right: true, Drop: 4},
		{Title: "MEMORY IN 1H", Min: memoryCells, Max: memoryCells, Drop: 5},
	}
}

const memoryCells = 20

// fullFDs is the share of open file descriptors from which on accepting
// connections may fail.
const fullFDs = 0.8

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := metrics.Best(in.Set)
	if !ok {
		return pane.Content{}
	}
	c := pane.Content{
		Summary: pane.Joined(ui.Count(int64(len(o.Processes)))+" known", ui.Plural(len(o.Restarts), "restart")+" in the last hour", cost(o)),
		Empty:   "No process has answered yet.",
	}
	if says := metrics.Passed(in.Set); says != "" {
		c.Notes = append(c.Notes, pane.Text(ui.Warn, ui.SignWarn+" "+says))
	}
	for i, p := range o.Processes {
		c.Rows = append(c.Rows, row(in, i, p))
	}
	for i := len(o.Restarts) - 1; i >= 0; i-- { // newest first
		c.Rows = append(c.Rows, restart(in, o.Restarts[i]))
	}
	return c
}

func cost(o metrics.Overview) string {
	what := "scrape"
	if o.Via == probes.Prometheus {
		what = "look"
	}
	if o.Cost.Requests == 0 {
		return ""
	}
	return "a " + what + " takes " + ui.Seconds(o.Cost.Took.Seconds()) + ", " + ui.Bytes(uint64(max(o.Cost.Bytes, 0)))
}

func row(in pane.Input, i int, p metrics.Process) pane.Row {
	return pane.Row{
		Key: p.Name + "#" + ui.Count(int64(i)),
		Cells: []ui.Cell{
			pane.Text(ui.Plain, p.Name),
			pane.Age(p.Start, in.Now),
			number(ui.Plain, pane.Size(p.Resident), p.Resident),
			grew(p),
			number(loud(p.CPUShare, 0.9), ui.Percent(p.CPUShare), p.CPUShare),
			fds(p),
			number(ui.Plain, ui.Rate(p.RPS), p.RPS),
			seen(in, p),
			pane.Text(ui.Accent, ui.Sparkline(memory(in, p), memoryCells)),
		},
		Yank: p.Name,
		Data: data(p),
	}
}

// number is dim where nobody knows it.
func number(tone ui.Tone, text string, v float64) ui.Cell {
	if math.IsNaN(v) {
		tone = ui.Dim
	}
	return pane.Number(tone, text, v)
}

func loud(v, from float64) ui.Tone {
	if v >= from {
		return ui.Warn
	}
	return ui.Plain
}

// grew is how much the memory changed while it was watched.
func grew(p metrics.Process) ui.Cell {
	grown, over := p.Grown()
	if over == 0 || math.IsNaN(grown) || math.IsInf(grown, 0) {
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	sign, tone := "+", ui.Dim
	if grown < 0 {
		sign = "-"
	}
	if p.Leaks() {
		sign, tone = ui.SignWarn+" +", ui.Warn
	}
	return pane.Number(tone, sign+pane.Size(math.Abs(grown))+" in "+ui.Duration(over), grown)
}

func fds(p metrics.Process) ui.Cell {
	if math.IsNaN(p.OpenFDs) {
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	text := count(p.OpenFDs)
	if !math.IsNaN(p.MaxFDs) {
		text += "/" + limit(p.MaxFDs)
	}
	return pane.Number(loud(p.OpenFDs/p.MaxFDs, fullFDs), text, p.OpenFDs)
}

func count(f float64) string {
	if !(f >= 0) || f > 1e15 {
		return ui.NotKnown
	}
	return ui.Count(int64(f))
}

// limit is short, because what counts is how near it is: 1024, 64K, 1.0M.
func limit(f float64) string {
	if f < 10000 {
		return count(f)
	}
	return pane.Size(f)
}

// seen is how long ago it answered last; with Prometheus, whether it did.
func seen(in pane.Input, p metrics.Process) ui.Cell {
	if p.LastSeen.IsZero() {
		return pane.Number(ui.Bad, ui.SignBad+" down", math.Inf(1))
	}
	return pane.Age(p.LastSeen, in.Now)
}

// memory is the last hour in cells.
func memory(in pane.Input, p metrics.Process) []float64 {
	values := make([]float64, 60)
	for i := range values {
		values[i] = math.NaN()
	}
	for _, m := range p.Memory {
		if at := 59 - int(in.Now.Sub(m.At)/time.Minute); at >= 0 && at < 60 {
			values[at] = m.Bytes
		}
	}
	return ui.Worst(values, memoryCells)
}

func restart(in pane.Input, r metrics.Restart) pane.Row {
	says := "began"
	if !r.Before.IsZero() {
		says = "began in place of the one of " + ui.Clock(r.Before, in.Now, in.Zone)
	}
	at := r.At.UTC().Format(time.RFC3339)
	return pane.Row{Key: "restart " + r.Address + at, Span: true,
		Cells: []ui.Cell{pane.Text(ui.Warn, ui.SignWarn+" restart"), pane.Text(ui.Plain, ui.Clock(r.At, in.Now, in.Zone)), pane.Text(ui.Plain, r.Address), pane.Text(ui.Dim, says)},
		Data:  map[string]any{"kind": "restart", "at": at, "address": r.Address, "before": stamp(r.Before)}}
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// data is a process for programs; null where nothing is known.
func data(p metrics.Process) map[string]any {
	grown, over := p.Grown()
	out := map[string]any{"kind": "process", "key": p.Name, "address": p.Address, "start": stamp(p.Start), "last_seen": stamp(p.LastSeen),
		"leaks": p.Leaks(), "grown_bytes": value(grown), "grown_seconds": over.Seconds()}
	for name, v := range map[string]float64{"memory_bytes": p.Resident, "cpu_seconds": p.CPU, "cpu_share": p.CPUShare,
		"open_fds": p.OpenFDs, "max_fds": p.MaxFDs, "rps": p.RPS} {
		out[name] = value(v)
	}
	if p.Restarts >= 0 {
		out["restarts"] = p.Restarts
	}
	return out
}

func value(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}
