package places

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/playbook"
	"gradecockpit/tui/keys"
)

// Guide is where the walkthroughs have a diagnosis step or an action of the
// incident playbook.
type Guide struct {
	Section string // "3.2/1", "3.4/1"
	Book    string // "import-stuck"
	Where   string // "step 1: Recent imports", "end: Restart the worker"
	How     string // what it looks at, or what it offers
}

// Guides gives all of them, in the playbook's order, as the built-in
// walkthroughs have them.
func Guides(books []*playbook.Playbook) []Guide {
	var out []Guide
	for _, b := range books {
		for i, s := range b.Steps {
			if s.Section != "" {
				out = append(out, Guide{s.Section, b.Name, fmt.Sprintf("step %d: %s", i+1, s.Title), looks(s.Look)})
			}
		}
		out = append(out, remedies(b)...)
	}
	slices.SortStableFunc(out, func(a, b Guide) int { return cmp.Compare(a.Section, b.Section) })
	return out
}

// looks says in words what a step reads.
func looks(l playbook.Look) string {
	switch {
	case l.Pane != "" && l.Filter != "":
		return fmt.Sprintf("pane %s, `/ %s`", l.Pane, l.Filter)
	case l.Pane != "":
		return "pane " + l.Pane
	case l.Page != "":
		return fmt.Sprintf("page `:%s`", l.Page)
	case l.Logs != "":
		query, _, _ := strings.Cut(l.Logs, " ")
		if !strings.HasPrefix(query, "pattern:") {
			query = "of its own"
		}
		return "log search " + query
	case len(l.Causes) > 0:
		return "findings with their evidence"
	}
	return "a SELECT of its own"
}

// byCauses are the actions that the causes offer where they fit, each with its
// own target.
var byCauses = map[string]string{
	"3.4/1": "restart", "4.4/4": "retry", "5.4/2": "force-unlock", "6.4/5": "pool-grow", "7.4/3": "add-event",
}

// remedies are the actions of a playbook's section: what is offered, what is
// advised, or both.
func remedies(b *playbook.Playbook) []Guide {
	var out []Guide
	for _, a := range b.Actions {
		if a.Section != "" {
			out = append(out, Guide{a.Section, b.Name, "end: " + title(a.ID), "offered" + key(a.ID)})
		}
	}
	for _, a := range b.Advice {
		if id := byCauses[a.Section]; id != "" && !slices.ContainsFunc(out, func(g Guide) bool { return g.Section == a.Section }) {
			out = append(out, Guide{a.Section, b.Name, "end: " + title(id), "offered" + key(id) + " by the causes that it fits"})
		}
		at := slices.IndexFunc(out, func(g Guide) bool { return g.Section == a.Section })
		switch {
		case a.Section == "":
		case at < 0:
			out = append(out, Guide{a.Section, b.Name, "end: " + a.Title, "advice with its exact text"})
		case !strings.HasSuffix(out[at].How, "advice"):
			out[at].How += ", and advice"
		}
	}
	return out
}

// title is what the screen calls an action.
func title(id string) string {
	all := catalogue.All(catalogue.Deps{})
	if i := slices.IndexFunc(all, func(a actions.Action) bool { return a.ID() == id }); i >= 0 {
		return all[i].Title()
	}
	return id
}

// key is the key of an action, where it has one.
func key(id string) string {
	if b, ok := keys.Default().ForAction(id); ok {
		return " (`" + keys.Label(b.Keys[0]) + "`)"
	}
	return ""
}

// GuideMarkdown is the README's table of them.
func GuideMarkdown() string {
	var b strings.Builder
	b.WriteString("| playbook | walkthrough | where | how |\n|---|---|---|---|\n")
	for _, g := range Guides(playbook.Books()) {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", g.Section, g.Book, g.Where, g.How)
	}
	return b.String()
}
