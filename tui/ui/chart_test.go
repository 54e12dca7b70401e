package ui

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var chartFrom = time.Date(2026, 2, 1, 13, 31, 0, 0, time.UTC)

func hourly(value func(minute int) ChartPoint) Chart {
	c := Chart{Step: time.Minute, From: chartFrom, To: chartFrom.Add(time.Hour), Format: Seconds}
	for i := range 60 {
		p := value(i)
		p.At = chartFrom.Add(time.Duration(i) * time.Minute)
		c.Points = append(c.Points, p)
	}
	return c
}

// A ramp with a gap of ten minutes: the middle stands at the middle, the zero
// is drawn, the gap is not.
func TestChart(t *testing.T) {
	c := hourly(func(i int) ChartPoint {
		if i >= 40 && i < 50 {
			return ChartPoint{Value: math.NaN()}
		}
		return ChartPoint{Value: float64(i) / 60}
	})
	want := []string{
		"   1s┤                                                     ▁▃▄▅█",
		"     │                                                  ▃▄▆█████",
		"     │                                                  ████████",
		"500ms┤                             ▁▃▄▆█▁▂▄            ████████"[:0] + "",
	}
	_ = want
	got := strings.Join(c.Lines(66, 8), "\n")
	compare(t, `
   1s┤                                                    ▃▄▆▇█
     │                                                  ▅▇█████
     │
500ms┤`, got)
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
	compare(t, ``, strings.Join(c.Lines(66, 7), "\n"))
	compare(t, ``, ASCII(strings.Join(c.Lines(40, 7), "\n")))
}

func compare(t *testing.T, want, got string) {
	t.Helper()
	var lines []string
	for l := range strings.SplitSeq(got, "\n") {
		lines = append(lines, strings.TrimRight(l, " "))
	}
	if diff := cmp.Diff(strings.Split(strings.TrimPrefix(want, "\n"), "\n"), lines); diff != "" {
		t.Error(diff)
	}
	fmt.Println(got)
}

var _ = ansi.Strip
