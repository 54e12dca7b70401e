package playbook

import (
	"fmt"
	"slices"

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
	c.Offers = w.offers(c.Causes, v)
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
		same := func(p Offer) bool {
			return p.Action == o.Action && p.Kind == o.Kind && p.ID == o.ID && p.Choice == o.Choice
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, Offer{o, rule, w.StepOf(rule)})
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

// Rules are the playbook's own causes, to be judged like those of the program.
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
		Mind: "Its condition does not hold any more: " + r.When}
	for _, a := range r.Actions {
		if ok, _ := v.holds(a.when, a.When, plain); ok {
			f.Offers = append(f.Offers, Place{}.offer(a))
		}
	}
	return []diagnosis.Finding{f}, ""
}
