package pages_test

import (
	"slices"
	"testing"

	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
)

// Every kind is there once, is either prose or rows, and its word leads to it
// alone.
func TestCatalogue(t *testing.T) {
	kinds, words := map[pane.Kind]bool{}, map[string]bool{"copy": true}
	for _, s := range panes.All() {
		words[string(s.ID())] = true
	}
	table := keys.Default()
	for _, p := range pages.All() {
		if kinds[p.Kind] || p.Kind == "" || p.Title == "" {
			t.Errorf("the kind %q is there twice, or has no name or title", p.Kind)
		}
		kinds[p.Kind] = true
		if (p.Text == nil) == (p.Rows == nil) {
			t.Errorf("%s has to be either prose or rows", p.Kind)
		}
		if p.Word != "" && (words[p.Word] || p.Help == "") {
			t.Errorf("the word %q of %s has no help, or means something else as well", p.Word, p.Kind)
		}
		words[p.Word] = true
		for _, a := range actionsOf(p) {
			if _, ok := table.ForAction(a); !ok {
				t.Errorf("%s offers %s, which no key starts", p.Kind, a)
			}
		}
	}
}

func actionsOf(p page.Spec) []string {
	if p.Rows != nil {
		return p.Rows(pane.Ref{Kind: p.Kind, ID: "x"}).Actions()
	}
	return p.Actions
}

// A page of rows that has a reader stands or falls with what that gave.
func TestRowsNeedWhatWasRead(t *testing.T) {
	for _, p := range pages.All() {
		if p.Rows == nil {
			continue
		}
		if needs := p.Rows(pane.Ref{Kind: p.Kind, ID: "x"}).Needs(); len(needs) == 0 || slices.Index(needs, pane.ReadID) > 0 {
			t.Errorf("%s: the needs %v do not begin with what is read", p.Kind, needs)
		}
	}
}
