package tui

import (
	"testing"

	"gradecockpit/probes/diagnosis"
)

// One pane alone says what is wrong in the line that it has, judged from all
// sources like the whole cockpit, but asks those of other panes seldom.
func TestOnePaneAloneSaysWhatIsWrong(t *testing.T) {
	alone := func(s *stage, c *Config) {
		night(false)(s, c)
		c.Only = "locks"
	}
	play(t, 80, 24, alone, func(t *testing.T, s *stage) {
		s.sees("PROD viatique@db1", "▲ P1 5 findings: w", "● live")
		if s.hub.slower != aloneFactor {
			t.Errorf("probes of other panes slow down by %d", s.hub.slower)
		}
		s.press("w")
		s.sees("5 findings", "The kernel kills workers")
		s.press("enter", "enter")
		s.sees("Import stuck · A3F2-0042", "step 4 of 5")
	})
	play(t, 140, 36, alone, func(t *testing.T, s *stage) {
		s.sees("gradecockpit", "as mdupont (responder)", "▲ P1 5 findings: w ◌ 3 rules blind")
	})
	play(t, 120, 36, night(false), func(t *testing.T, s *stage) {
		if s.hub.slower != 0 {
			t.Errorf("the whole cockpit slows its panes down by %d", s.hub.slower)
		}
	})
}

// That all is well, or cannot be judged, is said where it takes nothing away.
func TestOnePaneAloneWithNothingWrong(t *testing.T) {
	well := func(blind int) func(*stage, *Config) {
		return func(_ *stage, c *Config) {
			c.Only = "locks"
			c.Judge = func(in diagnosis.Input) diagnosis.Report {
				return diagnosis.Report{At: in.Now, Judged: 10, Blind: make([]diagnosis.Blind, blind)}
			}
		}
	}
	play(t, 100, 20, well(0), func(t *testing.T, s *stage) { s.sees("as mdupont", "✓ no findings", "● live") })
	play(t, 100, 20, well(31), func(t *testing.T, s *stage) { s.sees("as mdupont", "✓ no findings ◌ 31") })
	play(t, 62, 15, well(0), func(t *testing.T, s *stage) {
		s.sees("as mdupont", "● live")
		s.misses("✓ no")
	})
	play(t, 50, 15, well(0), func(t *testing.T, s *stage) {
		s.sees("● live")
		s.misses("as mdupont")
	})
}
