package ui

import (
	"math"
	"strings"
)

var blocks = []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// hardly is the share of the highest value that a change must reach to be drawn.
const hardly = 0.1

// Sparkline draws the last w values in w cells, from 0 to the highest of them.
// Values that hardly change are a line, because full blocks would look like a
// flood. A value that is not known (NaN) leaves a gap, and so does missing
// history.
func Sparkline(values []float64, w int) string {
	if w <= 0 {
		return ""
	}
	if len(values) > w {
		values = values[len(values)-w:]
	}
	low, top := math.Inf(1), 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, top = min(low, v), max(top, v)
		}
	}
	steady := top > 0 && top-low < top*hardly
	var b strings.Builder
	b.WriteString(Blank(w - len(values)))
	for _, v := range values {
		if steady && !math.IsNaN(v) {
			b.WriteString("─")
			continue
		}
		b.WriteString(block(v, top))
	}
	return b.String()
}

func block(v, top float64) string {
	switch {
	case math.IsNaN(v):
		return " "
	case top <= 0 || v <= 0:
		return blocks[0]
	}
	return blocks[max(int(math.Ceil(math.Min(v/top, 1)*8)), 1)-1]
}

// Bar draws a share of 0…1 in w cells; an unknown one (NaN) is dots only.
func Bar(share float64, w int) string {
	w = max(w, 0)
	if math.IsNaN(share) {
		return strings.Repeat("·", w)
	}
	full := int(math.Round(math.Max(0, math.Min(share, 1)) * float64(w)))
	return strings.Repeat("█", full) + strings.Repeat("░", w-full)
}
