package tui

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
)

// checkWithin is how long a second look waits for the probes to look again; then
// it looks at what there is.
const checkWithin = 20 * time.Second

// recheck is the second look that is due after an action: once the probes have
// seen the world as it is now, the step that found the cause looks again.
type recheck struct {
	tried int // index of what was tried
	since time.Time
	needs []probes.ID
	asked bool // the step looks now
}

// acted takes over how an action that a walkthrough offered ended.
func (a *App) acted(p *walkPage, o playbook.Offer, v actions.Verdict) tea.Cmd {
	t := guide.Tried{Offer: o, Verdict: v}
	if o.Finding == "" && o.Step < 0 {
		t.Again = guide.Useless
	}
	p.tried = append(p.tried, t)
	p.text.Press(keys.Top)
	if t.Again == guide.Looking {
		p.check = &recheck{tried: len(p.tried) - 1, since: a.now, needs: needs(o.Finding)}
	}
	return a.readPlace(p, false)
}

// needs are the probes that a rule rests on.
func needs(rule string) []probes.ID {
	for _, r := range diagnosis.Rules() {
		if r.ID == rule {
			return r.Needs
		}
	}
	return nil
}

// checkAgain looks again once what the probes show is younger than the action:
// the step that found the cause, and all others that something was wrong with.
func (a *App) checkAgain(p *walkPage) tea.Cmd {
	c := p.check
	if c == nil || c.asked || !a.fresh(c) {
		return nil
	}
	c.asked = true
	o := p.tried[c.tried].Offer
	var cmds []tea.Cmd
	if o.Step < 0 {
		a.settle(p, playbook.Result{})
	} else {
		cmds = append(cmds, a.again(p, o.Step))
	}
	for i, s := range p.walk.Steps {
		if wrong := s.Result.Verdict == playbook.Cause || s.Result.Verdict == playbook.Suspicious; i != o.Step && s.Status == playbook.Done && wrong {
			cmds = append(cmds, a.again(p, i))
		}
	}
	return tea.Batch(cmds...)
}

// checkLate does not wait for ever for the probes.
func (a *App) checkLate() tea.Cmd {
	var cmds []tea.Cmd
	for _, p := range a.walks {
		cmds = append(cmds, a.checkAgain(p))
	}
	return tea.Batch(cmds...)
}

// fresh tells whether the judgement is of after the action.
func (a *App) fresh(c *recheck) bool {
	if a.now.Sub(c.since) > checkWithin {
		return true
	}
	return !a.report.At.Before(c.since) && !slices.ContainsFunc(c.needs, func(id probes.ID) bool { return !a.set.Get(id).At.After(c.since) })
}

// checked says what the second look found.
func (a *App) checked(p *walkPage, step int) {
	if c := p.check; c != nil && c.asked && p.tried[c.tried].Offer.Step == step {
		a.settle(p, p.walk.Steps[step].Result)
	}
}

// settle compares the second look with what was to be put right: the rule
// itself counts, else the verdict of the step.
func (a *App) settle(p *walkPage, r playbook.Result) {
	t := &p.tried[p.check.tried]
	p.check = nil
	f, found := a.report.Find(t.Offer.Finding)
	blind := slices.ContainsFunc(a.report.Blind, func(b diagnosis.Blind) bool { return b.Rule == t.Offer.Finding })
	t.Again, t.Says = guide.Well, r.Says
	switch {
	case t.Offer.Finding != "" && found:
		t.Again, t.Says = guide.Still, f.Says
	case t.Offer.Finding != "" && blind:
		t.Again, t.Says = guide.Unclear, "the rule cannot be judged now"
	case t.Offer.Finding == "" && (r.Verdict == playbook.Cause || r.Verdict == playbook.Suspicious):
		t.Again = guide.Still
	case t.Offer.Finding == "" && r.Verdict == playbook.Unknown:
		t.Again = guide.Unclear
	case t.Offer.Finding != "" && r.Verdict != playbook.OK:
		t.Says = "this cause is not seen any more; the step says: " + r.Says
	}
}

// unhelpful counts the actions of this walkthrough that did not help.
func (p *walkPage) unhelpful() int {
	n := 0
	for _, t := range p.tried {
		if t.Again != guide.Looking && !t.Helped() {
			n++
		}
	}
	return n
}
