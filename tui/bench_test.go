package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes"
	"gradecockpit/tui/internal/sample"
)

// still is an App at 200x50 whose Cmds are never run.
func still(b *testing.B) *App {
	s := &stage{t: b, bench: newBench()}
	a := New(s.config(situations()[0].Set()))
	a.Update(tea.WindowSizeMsg{Width: 200, Height: 50})
	return a
}

// View runs for every message: it must cost nothing.
func BenchmarkView(b *testing.B) {
	a := still(b)
	for b.Loop() {
		a.View()
	}
}

// A message that changes nothing on the screen.
func BenchmarkUpdateNothingDirty(b *testing.B) {
	a := still(b)
	for b.Loop() {
		a.Update(wakeMsg{})
	}
}

// A key: one pane is laid out again. This is the time from key to frame.
func BenchmarkUpdateKey(b *testing.B) {
	a := still(b)
	down, up := key("down"), key("up")
	for b.Loop() {
		a.Update(down)
		a.View()
		a.Update(up)
		a.View()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/key")
}

// The second's tick: all panes on the screen are laid out again.
func BenchmarkUpdateTick(b *testing.B) {
	a := still(b)
	for b.Loop() {
		a.Update(tickMsg{})
	}
}

// A new set in which one probe of four has news.
func BenchmarkUpdateOneProbe(b *testing.B) {
	a := still(b)
	sets := []probes.Set{sample.Live(8, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged()), sample.Live(8, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged())}
	m := sets[1].Get("metrics")
	m.Seq = 9
	sets[1] = probes.NewSet(sets[0].Get("grading"), sets[0].Get("queues"), m, sets[0].Get("logs"))
	for i := 0; b.Loop(); i++ {
		a.Update(setMsg{set: sets[i%2]})
	}
}

// A key while a dialog floats above the panes.
func BenchmarkUpdateUnderDialog(b *testing.B) {
	a := still(b)
	a.Update(key("a"))
	down, up := key("down"), key("up")
	for b.Loop() {
		a.Update(down)
		a.Update(up)
	}
}
