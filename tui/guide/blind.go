package guide

import (
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Blind is the page of the rules that could not be judged, and why. Enter leads
// through what the rule is about: there stand the commands to look by hand.
type Blind struct{ Books []*playbook.Playbook }

func (Blind) ID() pane.ID        { return pane.ID(pane.KindBlind) }
func (Blind) Title() string      { return "Not judged" }
func (Blind) Needs() []probes.ID { return []probes.ID{pane.ReadID} }
func (Blind) Actions() []string  { return nil }

func (Blind) Columns() []ui.Column {
	return []ui.Column{{Title: "WHAT COULD BE WRONG", Min: 24, Max: 44}, {Title: "WHY IT IS NOT KNOWN", Min: 20}}
}

// Content lists them in the order of the rules.
func (p Blind) Content(in pane.Input) pane.Content {
	c := pane.Content{Summary: ui.Plural(len(in.Report.Blind), "rule"), Empty: "Every rule could be judged."}
	for _, b := range in.Report.Blind {
		row := pane.Row{Key: b.Rule, Yank: b.Why, Cells: []ui.Cell{{Text: b.Title}, {Text: b.Why, Tone: ui.Warn}}}
		if book := Book(p.Books, diagnosis.Finding{Scenario: b.Scenario}); book != nil {
			row.Opens = walkOf(book, b.Rule)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}
