package practice

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
)

// Hint is one that may be taken.
type Hint struct {
	What string // for the log
	Says string
}

// NextHint gives the next hint: for the first fault that is not named yet, from
// where to look to what it is. false when there is none left.
func (d Drill) NextHint(log []Event) (Hint, bool) {
	for _, h := range d.hints(log) {
		taken := slices.ContainsFunc(log, func(e Event) bool { return e.Kind == Hinted && e.What == h.What })
		if !taken {
			return h, true
		}
	}
	return Hint{}, false
}

func (d Drill) hints(log []Event) (out []Hint) {
	if len(d.Faults) == 0 {
		return numbered(Nothing,
			"What users tell may be over. Compare it with what the panes show now.",
			"All sources are live, and no count is out of the ordinary.",
			"Nothing is wrong: that is an answer as well.")
	}
	for _, c := range d.cases() {
		if named(log, c) {
			continue
		}
		out = append(out, numbered(c.Fault, fmt.Sprintf("The walkthrough %q leads there; look at %s.", titleOf(string(c.Scenario)), place(c.Panes[0])), c.Clue, "It is this: "+c.Cause+" ("+c.Fault+").")...)
	}
	return out
}

// place names a place as the screen does.
func place(name string) string {
	if spec, ok := panes.Find(pane.ID(name)); ok {
		return "the pane " + spec.Title()
	}
	if strings.HasPrefix(name, ":") {
		return "the page " + name
	}
	if _, ok := findScenario(diagnosis.Scenario(name)); ok {
		return "the walkthrough " + titleOf(name)
	}
	return name
}

// titleOf is what the screen calls a walkthrough: "Lock conflicts".
func titleOf(scenario string) string {
	words := strings.ReplaceAll(scenario, "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

func numbered(fault string, texts ...string) (out []Hint) {
	for i, text := range texts {
		out = append(out, Hint{fmt.Sprintf("%s %d", fault, i+1), text})
	}
	return out
}

// named tells whether an answer names a fault, or what is right as well.
func named(log []Event, c Case) bool {
	return slices.ContainsFunc(log, func(e Event) bool { return e.Kind == Answered && c.is(e.What) })
}

// is tells whether a cause that was named is the fault.
func (c Case) is(cause string) bool { return cause == c.Fault || slices.Contains(c.Also, cause) }

// Left are the points that are left while a drill is under way: what else costs
// is told at the end.
func Left(log []Event) int {
	n := 0
	for _, e := range log {
		if e.Kind == Hinted {
			n++
		}
	}
	return max(Full-n*HintCosts, 0)
}
