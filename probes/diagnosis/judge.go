package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// Judge runs the rules of this package and any further ones, such as those of
// an own playbook.
func Judge(in Input, further ...Rule) Report {
	out := Report{At: in.Now}
	in.shared = sharing(in)
	rules := slices.Concat(Rules(), further)
	var found []Finding
	for _, r := range rules {
		if why := unread(in.Set, r.Needs); why != "" {
			out.Blind = append(out.Blind, Blind{r.ID, r.Title, why, r.Scenario})
			continue
		}
		f, blind := r.Judge(in)
		if blind != "" {
			out.Blind = append(out.Blind, Blind{r.ID, r.Title, blind, r.Scenario})
		} else {
			out.Judged++
		}
		for i := range f {
			f[i].Rule = r.ID
			f[i].Title = cmp.Or(f[i].Title, r.Title)
			f[i].Scenario = cmp.Or(f[i].Scenario, r.Scenario)
		}
		found = append(found, f...)
	}
	out.Findings = fold(found, rules)
	slices.SortStableFunc(out.Findings, before)
	return out
}

// unread says why a rule cannot be judged: a probe that it needs never
// answered, or what it saw is old.
func unread(set probes.Set, needs []probes.ID) string {
	for _, id := range needs {
		switch s := set.Get(id); {
		case s.Err != nil:
			return s.Err.Error()
		case s.Payload == nil:
			return string(id) + " has not been looked at yet."
		}
	}
	return ""
}

// fold puts findings under the one that explains them. Of two rules that explain
// each other the first in the list is the cause.
func fold(found []Finding, rules []Rule) []Finding {
	parent := make(map[string]string) // rule → the rule it follows from
	for _, r := range rules {
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == r.ID }) {
			continue
		}
		for _, e := range r.Explains {
			if e != r.ID && parent[e] == "" && !descends(parent, r.ID, e) && (!r.OnSameCopies || onOneCopy(found, r.ID, e)) {
				parent[e] = r.ID
			}
		}
	}
	children := make(map[string][]Finding)
	var roots []Finding
	for _, f := range found {
		if p := parent[f.Rule]; p != "" {
			children[p] = append(children[p], f)
		} else {
			roots = append(roots, f)
		}
	}
	for i, f := range roots {
		if i == slices.IndexFunc(roots, func(g Finding) bool { return g.Rule == f.Rule }) {
			roots[i].Follows = consequences(children, f.Rule)
		}
	}
	return roots
}

// onOneCopy tells whether two rules found something on the same copy.
func onOneCopy(found []Finding, a, b string) bool {
	on := map[grading.CopyRef]bool{}
	for _, f := range found {
		for _, c := range f.Copies {
			on[c] = on[c] || f.Rule == a
		}
	}
	return slices.ContainsFunc(found, func(f Finding) bool {
		return f.Rule == b && slices.ContainsFunc(f.Copies, func(c grading.CopyRef) bool { return on[c] })
	})
}

// descends tells whether a rule follows from another, by whatever steps.
func descends(parent map[string]string, rule, from string) bool {
	for p := parent[rule]; p != ""; p = parent[p] {
		if p == from {
			return true
		}
	}
	return rule == from
}

func consequences(children map[string][]Finding, rule string) (out []Finding) {
	for _, f := range children[rule] {
		out = append(out, f)
		out = append(out, consequences(children, f.Rule)...)
	}
	slices.SortStableFunc(out, before)
	return slices.CompactFunc(out, func(a, b Finding) bool { return a.Rule == b.Rule && a.Subject == b.Subject })
}

// before ranks: what is worse, what is surer, what affects more. Equal ones keep
// the order of the rules.
func before(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(b.Confidence, a.Confidence),
		cmp.Compare(b.CopyCount, a.CopyCount), strings.Compare(a.Subject, b.Subject))
}
