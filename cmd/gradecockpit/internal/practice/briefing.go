package practice

import (
	"fmt"

	"gradecockpit/tui/ui"
)

// Briefing is what a responder reads before the clock starts. It names no fault,
// and not how many there are.
func (d Drill) Briefing(blind bool) []Line {
	out := []Line{{Text: "The telephone rings:", Tone: ui.Strong}}
	for _, c := range d.calls {
		out = append(out, Line{"  - ", c, ui.Plain})
	}
	out = append(out, Line{}, Line{Text: "What to do", Tone: ui.Strong},
		Line{"  ", "Find out what is wrong, and put right what can be put right from here. There may be one cause, two, or none.", ui.Plain},
		Line{"  ", "Everything works as always, and whatever you do stays in here.", ui.Plain})
	if blind {
		out = append(out, Line{"  ", "The findings are hidden (--blind); the walkthroughs are there.", ui.Plain})
	}
	return append(out,
		Line{"  :answer    ", "names the cause, from a list; once for each cause.", ui.Plain},
		Line{"  :hint      ", fmt.Sprintf("costs %d of your %d points.", HintCosts, Full), ui.Plain},
		Line{"  :briefing  ", "shows this page again.", ui.Plain},
		Line{"  :finish    ", "stops the clock and shows how it went.", ui.Plain},
		Line{}, Line{Text: "The same again: " + d.Again(), Tone: ui.Dim})
}
