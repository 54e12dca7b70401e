package guide_test

import (
	"slices"
	"testing"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/guide"
)

// TestAdviceThatIsACommandIsExact: nothing is put behind it that a shell would
// take for a part of it.
func TestAdviceThatIsACommandIsExact(t *testing.T) {
	const command = "chmod u+w /app/media"
	v := guide.View{
		Walk: playbook.Walk{Book: &playbook.Playbook{Title: "Import stuck"}},
		End:  &playbook.Conclusion{Causes: []diagnosis.Finding{{Rule: "folder-not-writable", Advice: []string{command}}}},
	}
	paras := v.Conclusion().Paras
	if !slices.ContainsFunc(paras, func(p dialog.Para) bool { return p.Text == command }) {
		t.Errorf("%q is not among %v", command, paras)
	}
}
