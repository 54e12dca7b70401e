package pane_test

import (
	"strings"
	"testing"

	"gradecockpit/probes"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// broken trips over what it gets.
type broken struct{ pane.Spec }

func (broken) ID() pane.ID          { return "broken" }
func (broken) Title() string        { return "Broken" }
func (broken) Needs() []probes.ID   { return []probes.ID{"p"} }
func (broken) Columns() []ui.Column { return []ui.Column{{Title: "A", Min: 5}} }
func (broken) Content(pane.Input) pane.Content {
	panic("row 7\x1b[2J is odd")
}

func TestABrokenPaneTakesAwayOnlyItself(t *testing.T) {
	table := pane.New(broken{}, ui.NewTheme(ui.Mono, false), 1)
	table.SetInput(pane.Input{Set: probes.NewSet(probes.Snapshot{ID: "p", Seq: 1, Payload: 1})})
	shown := strings.Join(table.Render(80, 12, true), "\n")
	if !strings.Contains(shown, "This pane cannot show what it got") || strings.Contains(shown, "\x1b[2J") {
		t.Errorf("shown:\n%s", shown)
	}
}
