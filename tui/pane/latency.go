package pane

import (
	"math"
	"strconv"
	"time"

	"gradecockpit/probes/metrics"
	"gradecockpit/tui/ui"
)

// Pages that take 5 s are an incident by the playbook's scenario 4; from 1 s on
// people notice. One answer of a hundred failing is no accident.
const (
	slow    = 1.0
	tooSlow = 5.0
	tooMany = 0.01
)

// Share is a share of failures as a cell: loud from a hundredth on; none at all
// is quiet.
func Share(s float64, loud ui.Tone) ui.Cell {
	tone := ui.Plain
	switch {
	case math.IsNaN(s) || s == 0:
		tone = ui.Dim
	case s >= tooMany:
		tone = loud
	}
	return Number(tone, ui.Percent(s), s)
}

// Quantile is a latency as a cell, with the bounds of its bucket where there is
// room for them.
func Quantile(q metrics.Quantile, bars bool) ui.Cell {
	text := QuantileText(q)
	if bars {
		text = QuantileBars(q)
	}
	switch {
	case !q.Known:
		return Number(ui.Dim, ui.NotKnown, math.NaN())
	case q.Above || q.Seconds >= tooSlow:
		return Number(ui.Bad, text, order(q))
	case q.Seconds >= slow:
		return Number(ui.Warn, text, order(q))
	}
	return Number(ui.Plain, text, order(q))
}

// order puts "> 10 s" after 10 s.
func order(q metrics.Quantile) float64 {
	if q.Above {
		return math.Nextafter(q.Seconds, math.Inf(1))
	}
	return q.Seconds
}

// QuantileText is a latency in short: 235ms, >10s.
func QuantileText(q metrics.Quantile) string {
	switch {
	case !q.Known:
		return ui.NotKnown
	case q.Above:
		return ">" + ui.Seconds(q.Seconds)
	}
	return ui.Seconds(q.Seconds)
}

// QuantileBars is a latency with the bounds between which it truly lies, in the
// unit of the latency: 2.1s (1–2.5).
func QuantileBars(q metrics.Quantile) string {
	text := QuantileText(q)
	if !q.Known || q.Above || q.Lower == q.Upper {
		return text
	}
	unit := 1.0
	if q.Seconds < 0.9995 {
		unit = 1000
	}
	return text + " (" + bound(q.Lower*unit) + "–" + bound(q.Upper*unit) + ")"
}

func bound(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// Hour puts the points of the last hour into 60 minutes that end with now's,
// NaN where nothing is known.
func Hour(points []metrics.Point, now time.Time, value func(metrics.Point) float64) []float64 {
	const minutes = 60
	out := make([]float64, minutes)
	for i := range out {
		out[i] = math.NaN()
	}
	for _, p := range points {
		if at := minutes - 1 - int(now.Truncate(time.Minute).Sub(p.At)/time.Minute); at >= 0 && at < minutes {
			out[at] = value(p)
		}
	}
	return out
}

// P95Of is the P95 of a minute in seconds, NaN unknown.
func P95Of(p metrics.Point) float64 {
	if !p.P95.Known {
		return math.NaN()
	}
	return p.P95.Seconds
}

// Size is a number of bytes, "?" when nobody knows it.
func Size(bytes float64) string {
	if !(bytes >= 0) || bytes >= math.MaxUint64 {
		return ui.NotKnown
	}
	return ui.Bytes(uint64(bytes))
}
