package tui

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// judge says what is wrong in a set. It runs in a Cmd, beside the screen: every
// rule looks at every row. A rule that trips takes the judgement away, not the
// data that it was about.
func (a *App) judge(set probes.Set) (r diagnosis.Report) {
	if a.cfg.Judge == nil {
		return r
	}
	now := a.cfg.Now()
	defer func() {
		if p := recover(); p != nil {
			a.cfg.Log("panic while judging: %v\n%s", p, debug.Stack())
			r = diagnosis.Report{At: now, Blind: []diagnosis.Blind{{Rule: "bug", Title: "All rules",
				Why: fmt.Sprintf("The cockpit has a bug here: %v; the log file has the details.", p)}}}
		}
	}()
	return a.cfg.Judge(diagnosis.Input{Set: set, Now: now})
}

type reportMsg struct{ report diagnosis.Report }

// judgeFirst judges what was known when the screen opened.
func (a *App) judgeFirst() tea.Cmd {
	set := a.set
	return a.guard("judge what is wrong", 0, func(context.Context) tea.Msg { return reportMsg{a.judge(set)} }, tell)
}

// judged takes over the first judgement, unless a newer one is there.
func (a *App) judged(r diagnosis.Report) tea.Cmd {
	if a.report.At.IsZero() {
		a.report = r
		a.feedPages()
	}
	return a.startWalk()
}

// findingsForms are what the second line says about the findings, from the
// richest form on; the last one stays at any width.
func (a *App) findingsForms() []ui.Cell {
	r, key := a.report, a.keyOf(keys.Guide)
	if r.At.IsZero() || a.blind() {
		return nil
	}
	blind := func(long string) string { return fmt.Sprintf("%s %d%s", ui.SignBlind, len(r.Blind), long) }
	rules := " rules blind"
	if len(r.Blind) == 1 {
		rules = " rule blind"
	}
	var says []string
	tone := ui.Good
	switch n := len(r.Findings); {
	case n > 0:
		worst := r.Findings[0].Severity
		tone = guide.Grave(worst)
		long := fmt.Sprintf("%s %s %s: %s", ui.SignUp, worst, ui.Plural(n, "finding"), key)
		says = []string{long, fmt.Sprintf("%s %s %d: %s", ui.SignUp, worst, n, key)}
		if len(r.Blind) > 0 {
			says = append([]string{long + "  " + blind(rules), long + "  " + blind("")}, says...)
		}
	case len(r.Blind) == 0:
		says = []string{ui.SignGood + " no findings", ui.SignGood + " none"}
	case r.Judged == 0:
		tone, says = ui.Warn, []string{blind(rules) + ": " + key, blind(" blind")}
	default:
		says = []string{ui.SignGood + " no findings  " + blind(rules), ui.SignGood + " no findings  " + blind(""), blind(rules), blind(" blind")}
	}
	out := make([]ui.Cell, len(says))
	for i, s := range says {
		out[i] = ui.Cell{Text: s, Tone: tone}
	}
	return out
}

// openFindings shows the page that leads everywhere else.
func (a *App) openFindings() tea.Cmd {
	for _, o := range a.stack { // there is one such page; what lay above it goes
		if p, ok := o.(*refPage); ok && p.ref.Kind == pane.KindFindings {
			a.close(p)
		}
	}
	spec := guide.List{Shelf: &a.shelf, Hidden: a.blind(), Under: a.stands}
	return a.openPage(pane.Ref{Kind: pane.KindFindings}, page.Spec{Follows: "evidence", Yanks: copyText,
		Rows: func(pane.Ref) pane.Spec { return spec }})
}

// openFinding shows one finding.
func (a *App) openFinding(ref pane.Ref) tea.Cmd {
	spec := guide.Finding{Of: ref.ID, Shelf: &a.shelf, Key: func(id string) (string, string) {
		b, _ := a.cfg.Keys.ForAction(id)
		return b.Label(), a.titleOf(asked{action: id})
	}}
	return a.openPage(ref, page.Spec{Yanks: copyText, Rows: func(pane.Ref) pane.Spec { return spec }})
}

// copyText is what the footer calls y where rows are sentences.
const copyText = "copy text"

func (a *App) openBlind(ref pane.Ref) tea.Cmd {
	return a.openPage(ref, page.Spec{Yanks: copyText, Rows: func(pane.Ref) pane.Spec { return guide.Blind{Shelf: &a.shelf} }})
}

// openPane goes to a pane, wherever one is.
func (a *App) openPane(ref pane.Ref) tea.Cmd {
	i := slices.IndexFunc(a.cfg.Specs, func(s pane.Spec) bool { return string(s.ID()) == ref.ID })
	if i < 0 || a.only {
		return a.say(ui.Dim, "There is no such pane here.")
	}
	a.stack = nil
	a.focusOn(i)
	return nil
}

type booksMsg struct {
	shelf guide.Shelf
	err   error
}

// readBooks reads the playbooks beside the screen.
func (a *App) readBooks() tea.Cmd {
	return a.guard("read the playbooks", 0, func(context.Context) tea.Msg {
		s := guide.Shelf{Read: true}
		if a.cfg.Books != nil {
			s.Books, s.LeftOut = a.cfg.Books()
		}
		return booksMsg{shelf: s}
	}, func(err error) tea.Msg { return booksMsg{guide.Shelf{Read: true}, err} })
}

// gotBooks takes the playbooks; a walkthrough that was asked for waits for them.
func (a *App) gotBooks(m booksMsg) tea.Cmd {
	a.shelf = m.shelf
	a.feedPages()
	if m.err != nil {
		a.opens = "" // there is none to open
		return a.say(ui.Bad, m.err.Error())
	}
	return a.startWalk()
}

// book finds a playbook by its name.
func (a *App) book(name string) *playbook.Playbook {
	i := slices.IndexFunc(a.shelf.Books, func(b *playbook.Playbook) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return a.shelf.Books[i]
}
