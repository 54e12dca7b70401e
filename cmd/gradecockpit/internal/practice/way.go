package practice

import (
	"slices"

	"gradecockpit/actions/playbook"
)

// StepOf gives the title of the step that finds a fault: in the walkthrough of
// its scenario, by a verdict that names it as the cause, by showing the finding,
// or by a verdict that names it without being sure. "" where no step does.
func StepOf(books []*playbook.Playbook, c Case) string {
	i := slices.IndexFunc(books, func(b *playbook.Playbook) bool { return b.Name == string(c.Scenario) })
	if i < 0 {
		return ""
	}
	for _, finds := range []func(playbook.Step) bool{
		func(s playbook.Step) bool {
			return slices.ContainsFunc(s.Verdicts, func(v playbook.Case) bool { return v.Rule == c.Fault && v.Is == playbook.Cause })
		},
		func(s playbook.Step) bool { return slices.Contains(s.Look.Causes, c.Fault) },
		func(s playbook.Step) bool {
			return slices.ContainsFunc(s.Verdicts, func(v playbook.Case) bool { return v.Rule == c.Fault })
		},
	} {
		if at := slices.IndexFunc(books[i].Steps, finds); at >= 0 {
			return books[i].Steps[at].Title
		}
	}
	return ""
}
