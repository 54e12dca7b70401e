package tui

import (
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/internal/sample"
)

// BenchmarkJudge judges all rules over sets in which everything has so many rows,
// and prints how many frames at 200x50 could have been laid out in the same time,
// from the same set: all panes, as on news of all probes.
func BenchmarkJudge(b *testing.B) {
	for _, size := range crowds {
		b.Run(size.name, func(b *testing.B) {
			set := sample.Crowd(size.n)
			a := still(b)
			a.Update(tea.WindowSizeMsg{Width: 200, Height: 50})
			in := diagnosis.Input{Set: set, Now: sample.Now}
			var frames time.Duration
			for b.Loop() {
				diagnosis.Judge(in)
				b.StopTimer()
				begun := time.Now()
				a.Update(setMsg{set: set})
				a.feedAll()
				a.compose()
				frames += time.Since(begun)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(frames), "x-frame")
		})
	}
}

// crowds are how many rows of everything there are.
var crowds = []struct {
	name string
	n    int
}{{"100", 100}, {"10000", 10_000}}

// BenchmarkJudgeGrows prints how many times longer judging takes with a hundred
// times the rows: what is far above a hundred grows out of hand.
func BenchmarkJudgeGrows(b *testing.B) {
	few, many := diagnosis.Input{Set: sample.Crowd(crowds[0].n), Now: sample.Now}, diagnosis.Input{Set: sample.Crowd(crowds[1].n), Now: sample.Now}
	var short time.Duration
	for b.Loop() {
		diagnosis.Judge(many)
		b.StopTimer()
		begun := time.Now()
		diagnosis.Judge(few)
		short += time.Since(begun)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(short), "x-100-rows")
}
