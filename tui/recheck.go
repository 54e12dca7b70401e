package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
)

// checkWithin is how long a second look waits for the probes to look again; then
// it looks at what there is. rerunWithin is the same for one that was asked for.
const (
	checkWithin = 20 * time.Second
	rerunWithin = 5 * time.Second
)

// recheck is a second look that is due once the probes have seen the world as it
// is now: after an action, or because it was asked for.
type recheck struct {
	tried int // index of what was tried; -1 it was asked for
	step  int // that looks again; -1 none
	since time.Time
	needs []probes.ID
	asked bool // the step looks now
}

// acted takes over how an action that a walkthrough offered ended.
func (a *App) acted(p *walkPage, o playbook.Offer, v actions.Verdict) tea.Cmd {
	t := guide.Tried{Offer: o, Verdict: v}
	if o.Finding == "" && o.Step < 0 || !t.Wrote() {
		t.Again = guide.Useless
	}
	p.tried = append(p.tried, t)
	p.text.Press(keys.Top)
	if t.Again == guide.Looking {
		p.checks = append(p.checks, &recheck{tried: len(p.tried) - 1, step: o.Step, since: a.now, needs: needs(o.Finding)})
	}
	return a.readPlace(p, false)
}

// needs are the probes that rules rest on.
func needs(rules ...string) (ids []probes.ID) {
	for _, r := range diagnosis.Rules() {
		if slices.Contains(rules, r.ID) {
			ids = append(ids, r.Needs...)
		}
	}
	return ids
}

// rests are the probes that a step looks through; none where it asks a source.
func (a *App) rests(s playbook.Step) []probes.ID {
	for _, spec := range a.cfg.Specs {
		if string(spec.ID()) == s.Look.Pane {
			return spec.Needs()
		}
	}
	word, _, _ := strings.Cut(s.Look.Page, " ")
	for _, page := range a.cfg.Pages {
		if page.Word == word && word != "" {
			return slices.DeleteFunc(slices.Clone(page.Needs), func(id probes.ID) bool { return id == pane.ReadID })
		}
	}
	return needs(s.Look.Causes...)
}

// rerun has a step look again at what is there now, not at what the probes saw
// before the key was pressed.
func (a *App) rerun(p *walkPage, i int) tea.Cmd {
	rests, s := a.rests(p.walk.Book.Steps[i]), &p.walk.Steps[i]
	if len(rests) == 0 || s.Status == playbook.Running && s.Runs == 0 || slices.Contains(p.queue, i) {
		return a.again(p, i)
	}
	s.Status = playbook.Waiting
	p.uncheck(i)
	p.checks = append(p.checks, &recheck{tried: -1, step: i, since: a.now, needs: rests})
	return nil
}

// uncheck forgets the looks at a step that were asked for.
func (p *walkPage) uncheck(step int) {
	p.checks = slices.DeleteFunc(p.checks, func(c *recheck) bool { return c.tried < 0 && c.step == step })
}

// checkAgain looks again once what the probes show is younger than what called
// for it: the step that found the cause, and after an action all others that
// something was wrong with. A look under way began before that: it does not count.
func (a *App) checkAgain(p *walkPage) tea.Cmd {
	var cmds []tea.Cmd
	for _, c := range slices.Clone(p.checks) {
		switch {
		case c.asked || !a.due(c):
			continue
		case c.step < 0:
			cmds = append(cmds, a.othersAgain(p, c)...)
			a.settle(p, c, nil)
			cmds = append(cmds, a.conclude(p))
			continue
		case c.tried < 0:
			p.uncheck(c.step)
		}
		c.asked = true
		if s := &p.walk.Steps[c.step]; s.Status == playbook.Running {
			s.Status = playbook.Waiting
		}
		cmds = append(append(cmds, a.again(p, c.step)), a.othersAgain(p, c)...)
	}
	return tea.Batch(cmds...)
}

// othersAgain has the other steps look that something was wrong with before an
// action: it may have put that right too.
func (a *App) othersAgain(p *walkPage, c *recheck) (cmds []tea.Cmd) {
	for i, s := range p.walk.Steps {
		wrong := s.Result.Verdict == playbook.Cause || s.Result.Verdict == playbook.Suspicious
		if c.tried >= 0 && i != c.step && s.Status == playbook.Done && wrong {
			cmds = append(cmds, a.again(p, i))
		}
	}
	return cmds
}

// checkLate does not wait for ever for the probes.
func (a *App) checkLate() tea.Cmd {
	var cmds []tea.Cmd
	for _, p := range a.walks {
		cmds = append(cmds, a.checkAgain(p))
	}
	return tea.Batch(cmds...)
}

// due tells whether it is time for a second look.
func (a *App) due(c *recheck) bool {
	within := checkWithin
	if c.tried < 0 {
		within = rerunWithin
	}
	return a.fresh(c) || a.now.Sub(c.since) > within
}

// fresh tells whether the judgement is of after what called for a second look.
func (a *App) fresh(c *recheck) bool {
	return !a.report.At.Before(c.since) && !slices.ContainsFunc(c.needs, func(id probes.ID) bool { return !a.set.Get(id).At.After(c.since) })
}

// checked says what the second looks found that waited for a step; nil: it was
// skipped.
func (a *App) checked(p *walkPage, step int, r *playbook.Result) {
	for _, c := range slices.Clone(p.checks) {
		if c.asked && c.step == step {
			a.settle(p, c, r)
		}
	}
}

// settle compares the second look with what was to be put right: the rule
// itself counts, for what the action was aimed at.
func (a *App) settle(p *walkPage, c *recheck, r *playbook.Result) {
	p.checks = slices.DeleteFunc(p.checks, func(o *recheck) bool { return o == c })
	t := &p.tried[c.tried]
	f, found := a.report.Find(t.Offer.Finding)
	blind := slices.ContainsFunc(a.report.Blind, func(b diagnosis.Blind) bool { return b.Rule == t.Offer.Finding })
	switch {
	case !a.fresh(c):
		t.Again, t.Says = guide.Unclear, "Nothing has looked at it since the action"
	case found && t.Offer.Kind == string(actions.OnCopy) && t.Verdict.Kind == actions.Fixed && spares(f, t.Offer.ID):
		t.Again, t.Says = guide.Well, "It is seen on other copies: "+f.Says
	case found:
		t.Again, t.Says = guide.Still, f.Says
	case blind:
		t.Again, t.Says = guide.Unclear, "The rule cannot be judged now"
	case r == nil:
		t.Again, t.Says = guide.Well, "This cause is not seen any more"
	case r.Verdict != playbook.OK:
		t.Again, t.Says = guide.Well, "This cause is not seen any more; the step says: "+r.Says
	default:
		t.Again, t.Says = guide.Well, r.Says
	}
}

// spares tells that a finding names all of its copies, and this one is not
// among them.
func spares(f diagnosis.Finding, id string) bool {
	return f.CopyCount == len(f.Copies) && !slices.ContainsFunc(f.Copies, func(c grading.CopyRef) bool { return c.ID == id })
}

// unhelpful counts the actions of this walkthrough that did not help.
func (p *walkPage) unhelpful() int {
	n := 0
	for _, t := range p.tried {
		if t.Vain() {
			n++
		}
	}
	return n
}
