package ui

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var chartFrom = time.Date(2026, 2, 1, 13, 31, 0, 0, time.UTC)

// hourly is a chart of an hour, a point a minute.
func hourly(value func(minute int) ChartPoint) Chart {
	c := Chart{Step: time.Minute, From: chartFrom, To: chartFrom.Add(time.Hour), Format: Seconds}
	for i := range 60 {
		p := value(i)
		p.At = chartFrom.Add(time.Duration(i) * time.Minute)
		c.Points = append(c.Points, p)
	}
	return c
}

// A ramp with a gap of ten minutes: the half stands at the half, zero is drawn,
// what is not known is not.
func TestChart(t *testing.T) {
	c := hourly(func(i int) ChartPoint {
		if i >= 40 && i < 50 {
			return ChartPoint{Value: math.NaN()}
		}
		return ChartPoint{Value: float64(i) / 60}
	})
	compare(t, c.Lines(66, 8), `
 1.0s┤                                                   ▁▂▃▄▄▅▆▇█
     │                                                  ██████████
     │                               ▁▂▃▄▄▅▆▇█          ██████████
500ms┤                     ▁▂▃▄▄▅▆▇███████████          ██████████
     │           ▁▂▃▄▄▅▆▇█████████████████████          ██████████
     │▁▁▂▃▄▄▅▆▇███████████████████████████████          ██████████
     └─────────┴─────────┴─────────┴─────────┴─────────┴─────────┴
             13:40     13:50     14:00     14:10     14:20   14:30`)
}

// Points beyond the limit have a band of their own, and the scale ends there.
func TestChartAboveTheLimit(t *testing.T) {
	c := hourly(func(i int) ChartPoint {
		if i%3 == 0 {
			return ChartPoint{Value: 10, Above: true}
		}
		return ChartPoint{Value: 5}
	})
	c.Limit = 10
	compare(t, c.Lines(65, 7), `
>10s┤▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲  ▲
 10s┤█  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █
    │█  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █  █
    │████████████████████████████████████████████████████████████
    │████████████████████████████████████████████████████████████
    └─────────┴─────────┴─────────┴─────────┴─────────┴─────────┴
            13:40     13:50     14:00     14:10     14:20   14:30`)
}

// With only ASCII every sign has its own; half the width joins two minutes.
func TestChartInASCII(t *testing.T) {
	c := hourly(func(i int) ChartPoint {
		if i >= 20 && i < 30 {
			return ChartPoint{Value: math.NaN()}
		}
		return ChartPoint{Value: float64(i % 20), Above: i > 50}
	})
	c.Limit = 20
	lines := c.Lines(35, 8)
	for i := range lines {
		lines[i] = ASCII(lines[i])
	}
	compare(t, lines, `
>20s+                         ^^^^^
 20s+        .+        .+     #####
    |      .+##      .+##     #####
    |    .+####     +####    .#####
    |  .+######     #####  .+######
    |.+########     #####.+########
    +--------------+--------------+
                 14:00        14:30`)
}

// The axis reaches to a round number, and without a value to what it must.
func TestChartScale(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, .03: .04, .011: .02, 1: 1, 1.1: 2, 2.5: 4, 4.2: 5, 7: 8, 8.1: 10, 99: 100, 123: 200, math.Inf(1): 1, math.NaN(): 1, -3: 1} {
		if got := roundUp(v); math.Abs(got-want) > 1e-12*want {
			t.Errorf("above %v is %v, want %v", v, got, want)
		}
	}
	empty := Chart{Points: []ChartPoint{{At: chartFrom, Value: math.NaN()}}, From: chartFrom, To: chartFrom.Add(time.Hour), Least: .01, Format: Percent}
	if got := empty.Lines(40, 6)[0]; strings.TrimRight(got, " ") != "1.0%┤" {
		t.Errorf("the top is %q", got)
	}
}

func TestWorst(t *testing.T) {
	nan := math.NaN()
	got := Worst([]float64{1, 3, nan, nan, nan, 2, math.Inf(1), 0}, 4)
	if diff := cmp.Diff([]float64{3, nan, 2, 0}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if got := Worst([]float64{1, 2}, 5); len(got) != 2 {
		t.Errorf("few values became %v", got)
	}
}

func compare(t *testing.T, got []string, want string) {
	t.Helper()
	for i := range got {
		got[i] = strings.TrimRight(got[i], " ")
	}
	if diff := cmp.Diff(strings.Split(strings.TrimPrefix(want, "\n"), "\n"), got); diff != "" {
		t.Errorf("%s\n%s", diff, strings.Join(got, "\n"))
	}
}

// Whatever the values, times and the room: exactly h lines of w cells.
func FuzzChart(f *testing.F) {
	f.Add(66, 8, int64(60), int64(3600), 1.5, -2.0, 10.0)
	f.Add(8, 3, int64(1), int64(1), math.Inf(1), math.NaN(), 0.0)
	f.Add(300, 60, int64(-5), int64(-10), 1e308, 5e-324, -1.0)
	f.Add(0, 0, int64(0), int64(0), 0.0, 0.0, 1e308)
	f.Fuzz(func(t *testing.T, w, h int, step, span int64, a, b, limit float64) {
		w, h = min(max(w, 0), 300), min(max(h, 0), 100)
		c := Chart{From: chartFrom, To: chartFrom.Add(time.Duration(span) * time.Second), Step: time.Duration(step) * time.Second, Limit: limit, Least: b}
		for i := range 40 {
			at := chartFrom.Add(time.Duration(int64(i)*span/40) * time.Second)
			c.Points = append(c.Points, ChartPoint{At: at, Value: a * float64(i) / 7, Above: i%5 == 0}, ChartPoint{At: at, Value: b})
		}
		lines := c.Lines(w, h)
		if len(lines) != h {
			t.Fatalf("%d lines, want %d", len(lines), h)
		}
		for _, l := range lines {
			if Width(l) != w || ansi.StringWidth(l) != w || ansi.StringWidthWc(l) != w || hasWide(ASCII(l)) {
				t.Errorf("%dx%d has %q of %d cells", w, h, l, Width(l))
			}
		}
	})
}
