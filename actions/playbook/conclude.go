package playbook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
)

// Conclude sums up a walkthrough.
func Conclude(w Walk, in diagnosis.Input, report diagnosis.Report) Conclusion {
	c := Conclusion{Prevent: w.Book.Prevent}
	v := newView(in, w.Place, report)
	for _, f := range report.Findings {
		if own := w.mine(f); own != nil {
			c.Causes = append(c.Causes, *own)
		}
	}
	c.Causes = append(c.Causes, w.seen(report)...)
	c.Offers = w.offers(c.Causes, v)
	slices.SortStableFunc(c.Offers, func(a, b Offer) int { return cmp.Compare(harm(a.Action), harm(b.Action)) })
	for _, a := range w.Book.Advice {
		if ok, _ := v.holds(a.when, a.When, plain); ok {
			a.Says = w.Place.fill(a.Says, -1)
			c.Advice = append(c.Advice, a)
		}
	}
	for _, e := range w.Book.Escalate {
		if ok, _ := v.holds(e.when, e.When, plain); ok && e.When != "" {
			c.Escalate = append(c.Escalate, e)
		}
	}
	c.Open = w.open(report)
	return c
}

// seen are the causes that only a step found, by what it alone looks at.
func (w Walk) seen(report diagnosis.Report) (out []diagnosis.Finding) {
	for i, s := range w.Steps {
		if s.Status != Done || s.Result.Verdict != Cause {
			continue
		}
		step := w.Book.Steps[i]
		rule := cmp.Or(s.Result.Rule, step.ID)
		if _, ok := report.Find(rule); ok || slices.ContainsFunc(out, func(f diagnosis.Finding) bool { return f.Rule == rule }) {
			continue
		}
		out = append(out, diagnosis.Finding{Rule: rule, Title: fmt.Sprintf("Found by step %d: %s", i+1, step.Title), Scenario: diagnosis.Scenario(w.Book.Name),
			Says: s.Result.Says, Confidence: diagnosis.Likely, Severity: diagnosis.P2, CopyCount: -1, UserCount: -1,
			Evidence: s.Result.Table.evidence(), Mind: fmt.Sprintf("Step %d looks again and sees it no more.", i+1)})
	}
	return out
}

// evidence are the first rows or lines of a table, a line each.
func (t Table) evidence() (out []diagnosis.Evidence) {
	const most = 3
	for _, r := range t.Rows[:min(most, len(t.Rows))] {
		out = append(out, diagnosis.Evidence{Says: strings.Join(strings.Fields(strings.Join(r, "  ")), " ")})
	}
	for _, l := range t.Lines[:min(most-len(out), len(t.Lines))] {
		out = append(out, diagnosis.Evidence{Says: strings.TrimSpace(l)})
	}
	return out
}

// mine gives a finding of this walkthrough: one of its causes or scenario, or
// one of them that is told as a consequence of something else.
func (w Walk) mine(f diagnosis.Finding) *diagnosis.Finding {
	if string(f.Scenario) == w.Book.Name || slices.Contains(w.Book.Causes, f.Rule) || w.StepOf(f.Rule) >= 0 {
		return &f
	}
	for _, g := range f.Follows {
		if own := w.mine(g); own != nil {
			return &f // its cause is what has to be put right
		}
	}
	return nil
}

// StepOf is the step that finds a cause: that did, else that could; -1 none.
func (w Walk) StepOf(rule string) int {
	if rule == "" {
		return -1
	}
	for i, s := range w.Steps {
		if s.Status == Done && s.Result.Rule == rule {
			return i
		}
	}
	return slices.IndexFunc(w.Book.Steps, func(s Step) bool {
		return slices.Contains(s.Look.Causes, rule) || slices.ContainsFunc(s.Verdicts, func(c Case) bool { return c.Rule == rule })
	})
}

// offers lists what could be done: for the causes in their order, then what the
// playbook has besides. Each stands once.
func (w Walk) offers(causes []diagnosis.Finding, v *view) (out []Offer) {
	add := func(o diagnosis.Offer, rule string) {
		i := slices.IndexFunc(out, func(p Offer) bool {
			return p.Action == o.Action && p.Kind == o.Kind && p.Choice == o.Choice && (p.ID == o.ID || p.ID == "" || o.ID == "")
		})
		switch {
		case i < 0:
			out = append(out, Offer{o, rule, w.StepOf(rule)})
		case out[i].ID == "": // the same without its target
			out[i].ID, out[i].Label = o.ID, o.Label
		}
	}
	var of func(f diagnosis.Finding)
	of = func(f diagnosis.Finding) {
		for _, o := range f.Offers {
			add(o, f.Rule)
		}
		for _, g := range f.Follows {
			of(g)
		}
	}
	for _, f := range causes {
		of(f)
	}
	for _, a := range w.Book.Actions {
		if ok, _ := v.holds(a.when, a.When, plain); ok && (w.Place.Copy.ID != "" || !wantsCopy(a.Target)) {
			add(w.Place.offer(a), "")
		}
	}
	return out
}

// offer is an action of a playbook with its target filled in.
func (p Place) offer(a Action) diagnosis.Offer {
	o := diagnosis.Offer{Action: a.ID, Kind: a.On, ID: p.fill(a.Target, -1), Why: a.Why, Consequence: a.Consequence}
	if o.ID == p.Copy.ID {
		o.Label = p.Copy.Label()
	}
	return o
}

// open says what could not be judged.
func (w Walk) open(report diagnosis.Report) (out []string) {
	for i, s := range w.Steps {
		switch {
		case s.Status == Skipped || s.Result.Skipped:
			out = append(out, fmt.Sprintf("Step %d (%s) was skipped.", i+1, w.Book.Steps[i].Title))
		case s.Status != Done:
			out = append(out, fmt.Sprintf("Step %d (%s) has not ended.", i+1, w.Book.Steps[i].Title))
		case s.Result.Verdict == Unknown:
			out = append(out, fmt.Sprintf("Step %d (%s): %s", i+1, w.Book.Steps[i].Title, s.Result.Says))
		}
	}
	for _, b := range report.Blind {
		if string(b.Scenario) == w.Book.Name {
			out = append(out, b.Title+"? "+b.Why)
		}
	}
	return out
}

// OwnRules are the playbook's own causes, to be judged like those of the program.
func (p *Playbook) OwnRules() []diagnosis.Rule {
	out := make([]diagnosis.Rule, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		out[i] = diagnosis.Rule{ID: r.ID, Title: r.Title, Scenario: diagnosis.Scenario(p.Name), Explains: r.Explains,
			Judge: func(in diagnosis.Input) ([]diagnosis.Finding, string) { return r.judge(in) }}
	}
	return out
}

func (r *OwnRule) judge(in diagnosis.Input) ([]diagnosis.Finding, string) {
	v := newView(in, Place{Dialect: dialect(in)}, diagnosis.Report{})
	ok, why := v.holds(r.when, r.When, factsOnly)
	if !ok {
		return nil, why
	}
	f := diagnosis.Finding{Says: r.Says, Severity: severities[r.Severity], Confidence: confidences[r.Confidence], CopyCount: -1, UserCount: -1,
		Mind: "Its condition does not hold any more: " + clean.Text(r.When), Evidence: r.evidence(v)}
	for _, a := range r.Actions {
		if ok, _ := v.holds(a.when, a.When, plain); ok {
			f.Offers = append(f.Offers, Place{}.offer(a))
		}
	}
	return []diagnosis.Finding{f}, ""
}

// evidence are the figures that the condition rests on.
func (r *OwnRule) evidence(v *view) (out []diagnosis.Evidence) {
	about := surveyOf(r.When)
	for _, f := range Facts() {
		if slices.Contains(about.facts, f.Name) && v.facts[f.Name] != nil {
			out = append(out, diagnosis.Evidence{From: f.From, Says: clean.Text(fmt.Sprintf("%s: %v", strings.ReplaceAll(f.Name, "_", " "), v.facts[f.Name]))})
		}
	}
	return out
}
