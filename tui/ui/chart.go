package ui

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Chart draws values over time as columns of block characters, in text of an
// exact size that takes one tone and passes through [ASCII] like everything
// else here. It is our own because ntcharts draws on a canvas of styled runes
// for Bubble Tea models: its lines have colours of their own, no gaps for what
// is not known, and no way to say "above the top".
type Chart struct {
	Points []ChartPoint  // oldest first
	Step   time.Duration // how long a point stands for
	From   time.Time     // left edge
	To     time.Time     // right edge
	Zone   *time.Location
	Format func(float64) string // writes a value at the axis; nil: as it is
	// Limit, above 0, is the highest value that can be measured: points that are
	// Above reach into a band of their own over it.
	Limit float64
	// Least is the least that the axis reaches to, so that hardly anything does
	// not look like a flood; 0 none.
	Least float64
}

// ChartPoint is one value; NaN is not known and leaves a gap.
type ChartPoint struct {
	At    time.Time
	Value float64
	Above bool // beyond Limit
}

const (
	axisLine   = "│"
	axisTick   = "┤"
	axisCorner = "└"
	axisBelow  = "─"
	axisMark   = "┴"
	signAbove  = "▲"
	chartRows  = 2 // the axis and its times
	labelMost  = 7 // cells of a value at the axis
)

// Lines draws the chart in exactly h lines of exactly w cells.
func (c Chart) Lines(w, h int) []string {
	w, h = max(w, 0), max(h, 0)
	labels := c.labels()
	plot := w - labels.width - 1
	rows := h - chartRows
	if c.Limit > 0 && c.above() {
		rows--
	}
	var lines []string
	switch {
	case rows >= 1 && plot >= 8:
		lines = c.draw(labels, plot, rows)
	case h > 0: // no room for axes
		lines = []string{Sparkline(c.values(w), w)}
	}
	for len(lines) < h {
		lines = append(lines, "")
	}
	for i := range lines {
		lines[i] = Fit(lines[i], w)
	}
	return lines[:h]
}

func (c Chart) above() bool {
	return slices.ContainsFunc(c.Points, func(p ChartPoint) bool { return p.Above })
}

// axis is what stands at the left: the values at the top, the middle and the
// bottom.
type axis struct {
	top   float64
	width int
}

func (c Chart) labels() axis {
	a := axis{top: c.top()}
	for _, v := range []float64{a.top, a.top / 2, 0} {
		a.width = max(a.width, Width(c.format(v)))
	}
	if c.Limit > 0 && c.above() {
		a.width = max(a.width, Width(">"+c.format(c.Limit)))
	}
	a.width = min(a.width, labelMost)
	return a
}

func (c Chart) format(v float64) string {
	if c.Format == nil {
		return Rate(v)
	}
	return c.Format(v)
}

// top is a round number that no value exceeds. With points above the limit it
// is the limit: what lies beyond has a band of its own.
func (c Chart) top() float64 {
	if c.Limit > 0 && c.above() {
		return c.Limit
	}
	most := c.Least
	for _, p := range c.Points {
		if finite(p.Value) {
			most = max(most, p.Value)
		}
	}
	return roundUp(most)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// roundUp gives the next of 1, 2, 5, 10, 20, …, at which halves are round too.
func roundUp(v float64) float64 {
	if v <= 0 || !finite(v) || v > 1e300 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 5, 6, 8, 10} {
		if v <= n*base*(1+1e-9) {
			return n * base
		}
	}
	return 10 * base
}

// draw makes the plot with its axes.
func (c Chart) draw(a axis, plot, rows int) []string {
	columns := c.columns(plot)
	var lines []string
	if c.Limit > 0 && c.above() {
		lines = append(lines, FitRight(">"+c.format(c.Limit), a.width)+axisTick+band(columns))
	}
	for r := range rows {
		label, line := "", axisLine
		if v, ok := labelOf(r, rows, a.top); ok {
			label, line = c.format(v), axisTick
		}
		lines = append(lines, FitRight(label, a.width)+line+row(columns, a.top, rows, rows-1-r))
	}
	ticks := c.ticks(plot)
	return append(lines, Blank(a.width)+axisCorner+base(ticks, plot), Blank(a.width+1)+c.times(ticks, plot))
}

// labelOf gives the value at the upper edge of a row, where it is written.
func labelOf(r, rows int, top float64) (float64, bool) {
	switch {
	case r == 0:
		return top, true
	case rows >= 6 && rows%2 == 0 && r == rows/2:
		return top / 2, true
	}
	return 0, false
}

// columns are the worst values of the times that each column stands for.
func (c Chart) columns(n int) []ChartPoint {
	out := make([]ChartPoint, n)
	span := c.To.Sub(c.From)
	for i := range out {
		out[i].Value = math.NaN()
	}
	if span <= 0 || n == 0 {
		return out
	}
	for _, p := range c.Points {
		first := place(p.At.Sub(c.From), span, n)
		last := max(first, place(p.At.Add(max(c.Step, 1)-1).Sub(c.From), span, n))
		for i := max(first, 0); i <= min(last, n-1); i++ {
			out[i].Above = out[i].Above || p.Above
			if finite(p.Value) && !(out[i].Value >= p.Value) {
				out[i].Value = p.Value
			}
		}
	}
	return out
}

// place is the column of a moment; one before the left edge has a negative one.
func place(after, span time.Duration, n int) int {
	at := math.Floor(float64(after) / float64(span) * float64(n))
	return int(max(-1, min(at, float64(n))))
}

// values are the columns as numbers.
func (c Chart) values(n int) []float64 {
	out := make([]float64, n)
	for i, p := range c.columns(n) {
		out[i] = p.Value
	}
	return out
}

// row draws the cells of one row; from counts rows from the bottom. A value of
// zero is drawn, as a line at the bottom; one that is not known is not.
func row(columns []ChartPoint, top float64, rows, from int) string {
	var b strings.Builder
	for _, p := range columns {
		eighths := math.Ceil(math.Max(0, math.Min(p.Value/top, 1)) * float64(8*rows))
		switch full := eighths - float64(8*from); {
		case p.Above, full >= 8:
			b.WriteString(blocks[7])
		case math.IsNaN(p.Value):
			b.WriteString(" ")
		case full >= 1:
			b.WriteString(blocks[int(full)-1])
		case from == 0:
			b.WriteString(blocks[0])
		default:
			b.WriteString(" ")
		}
	}
	return b.String()
}

// band marks the columns that lie above the limit.
func band(columns []ChartPoint) string {
	var b strings.Builder
	for _, p := range columns {
		if p.Above {
			b.WriteString(signAbove)
			continue
		}
		b.WriteString(" ")
	}
	return b.String()
}

// tick is a round time below the axis.
type tick struct {
	at    int
	label string
}

// spans are the distances that times at the axis may have.
var spans = []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// ticks are at round times of the zone, as close as their labels allow.
func (c Chart) ticks(plot int) []tick {
	span := c.To.Sub(c.From)
	const room = 10 // cells from one label to the next
	i := slices.IndexFunc(spans, func(d time.Duration) bool {
		return float64(d)/float64(span)*float64(plot) >= room
	})
	if span <= 0 || i < 0 {
		return nil
	}
	_, offset := in(c.From, c.Zone).Zone()
	east := time.Duration(offset) * time.Second
	var out []tick
	for t := c.From.Add(east).Truncate(spans[i]).Add(-east); !t.After(c.To); t = t.Add(spans[i]) {
		if at := place(t.Sub(c.From), span, plot); !t.Before(c.From) && at >= 0 && at < plot {
			out = append(out, tick{at, in(t, c.Zone).Format("15:04")})
		}
	}
	return out
}

// base is the axis below the plot.
func base(ticks []tick, plot int) string {
	cells := slices.Repeat([]string{axisBelow}, plot)
	for _, t := range ticks {
		cells[t.at] = axisMark
	}
	return strings.Join(cells, "")
}

// times writes the labels, each centred below its tick where that fits.
func (c Chart) times(ticks []tick, plot int) string {
	line := []byte(Blank(plot))
	free := 0
	for _, t := range ticks {
		at := max(min(t.at-2, plot-len(t.label)), 0)
		if at < free {
			continue
		}
		copy(line[at:], t.label)
		free = at + len(t.label) + 1
	}
	return string(line)
}

// Worst makes n values of many: the highest of each part, NaN where none of it
// is known. Fewer values stay as they are.
func Worst(values []float64, n int) []float64 {
	if n <= 0 || len(values) <= n {
		return values
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
		for _, v := range values[i*len(values)/n : (i+1)*len(values)/n] {
			if finite(v) && !(out[i] >= v) {
				out[i] = v
			}
		}
	}
	return out
}
