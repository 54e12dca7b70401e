package playbook_test

import (
	"os"
	"testing"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes/diagnosis"
)

// TestTheExampleOfAnOwnPlaybook: what the README shows is without a mistake,
// and its causes are there.
func TestTheExampleOfAnOwnPlaybook(t *testing.T) {
	data, err := os.ReadFile("testdata/scanner-backlog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, r := range diagnosis.Rules() {
		rules = append(rules, r.ID)
	}
	p, problems := playbook.Parse(data, "scanner-backlog.yaml", playbook.Catalogue{Panes: []string{"queue"}, Pages: []string{"slow"}, Actions: []string{"retry"}, Rules: rules})
	for _, wrong := range problems {
		t.Error(wrong)
	}
	if p != nil && (len(p.Steps) != 4 || len(p.OwnRules()) != 1) {
		t.Errorf("%d steps, %d rules", len(p.Steps), len(p.OwnRules()))
	}
}
