package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// textBox is prose above the panes: help, a refusal, what was left unsettled.
type textBox struct{ dialog.Text }

func (b *textBox) scope() keys.Scope { return keys.InPage }
func (b *textBox) page() bool        { return false }

func (b *textBox) press(a *App, k dialog.Key) tea.Cmd {
	switch k.Command {
	case keys.Back, keys.Help, keys.Open:
		a.close(b)
	default:
		if k.Name == "enter" {
			a.close(b)
			return nil
		}
		b.Press(k.Command)
	}
	return nil
}

func (b *textBox) lines(a *App, w, h int) []string {
	b.Foot = a.keyOf(keys.Back) + " close"
	return b.Lines(a.cfg.Theme, w, h)
}

// menuBox is a list to pick from.
type menuBox struct {
	dialog.Menu
	pick func(id, key string) tea.Cmd
}

func (b *menuBox) scope() keys.Scope { return keys.InPane }
func (b *menuBox) page() bool        { return false }

func (b *menuBox) press(a *App, k dialog.Key) tea.Cmd {
	it, left := b.Press(k)
	if it != nil || left {
		a.close(b)
	}
	if it == nil {
		return nil
	}
	return b.pick(it.ID, k.Name)
}

func (b *menuBox) lines(a *App, w, h int) []string { return b.Lines(a.cfg.Theme, w, h) }

// quitBox asks whether to leave while an action runs.
type quitBox struct{ text dialog.Text }

func (b *quitBox) scope() keys.Scope { return keys.InDialog }
func (b *quitBox) page() bool        { return false }

func (b *quitBox) press(a *App, k dialog.Key) tea.Cmd {
	switch k.Command {
	case keys.Confirm:
		return tea.Quit
	case keys.Cancel:
		a.close(b)
	}
	return nil
}

func (b *quitBox) lines(a *App, w, h int) []string {
	if a.running() == 0 {
		b.text = dialog.Text{Title: "Leave?", Paras: []dialog.Para{{Text: "The action has ended meanwhile."}}}
	} else {
		b.text = dialog.Text{Title: "An action is running", Mark: "leave?", MarkTone: ui.Warn}
		for _, r := range a.runs {
			if r.result == nil {
				b.text.Paras = append(b.text.Paras, dialog.Para{Head: "  ", Text: r.plan.Title + ", for " + ui.Fine(a.now.Sub(r.since))})
			}
		}
		b.text.Paras = append(b.text.Paras, dialog.Para{}, dialog.Para{Text: "Leaving stops the watching, not a write that has begun; " +
			"that is finished first. What is not known by then is journaled as unknown, and the next start looks into it."})
	}
	b.text.Foot = a.dialogKey(keys.Confirm) + " leave   " + a.dialogKey(keys.Cancel) + " stay"
	return b.text.Lines(a.cfg.Theme, w, h)
}

// dialogKey is the first key of a command in a dialog.
func (a *App) dialogKey(c keys.Command) string {
	for _, b := range a.cfg.Keys.In(keys.InDialog) {
		if b.ID == c {
			return b.Label()
		}
	}
	return ""
}

// unsettled tells what an earlier session left without an outcome, and what
// was found out about it.
func unsettled(all []actions.Unsettled) *textBox {
	b := &textBox{dialog.Text{Title: "An earlier session ended in the middle", Mark: ui.Plural(len(all), "action"), MarkTone: ui.Warn}}
	for _, u := range all {
		sign, tone := verdictSign(u.Verdict.Kind)
		b.Paras = append(b.Paras,
			dialog.Para{Text: fmt.Sprintf("%s, %s by %s", u.Record.Title, ui.Exact(u.Record.At, nil), u.Record.Actor), Tone: ui.Strong},
			dialog.Para{Head: "  " + sign + " ", Text: strings.TrimSpace(string(u.Verdict.Kind) + ": " + u.Verdict.Says), Tone: tone})
		for _, e := range u.Verdict.Evidence {
			b.Paras = append(b.Paras, dialog.Para{Head: "    - ", Text: e})
		}
		if u.Verdict.Next != "" {
			b.Paras = append(b.Paras, dialog.Para{Head: "    Next: ", Text: u.Verdict.Next})
		}
		b.Paras = append(b.Paras, dialog.Para{})
	}
	return b
}

// help lists every key that lives where the focus is, and why a dimmed one
// does nothing now.
func (a *App) help() *textBox {
	scope, where := keys.InPane, a.table().Spec().Title()
	if top := a.top(); top != nil {
		scope, where = top.scope(), "this page"
		if scope == keys.InGuide {
			where = "a walkthrough"
		}
	}
	b := &textBox{dialog.Text{Title: "Keys in " + where}}
	b.Paras = append(b.Paras, dialog.Para{Text: "Lower case looks, upper case acts; whatever acts asks first.", Tone: ui.Dim}, dialog.Para{})
	var groups [4][]dialog.Para
	for _, k := range a.livesIn(scope) {
		why := a.whyDim(k)
		n := a.rank(k, why)
		groups[n] = append(groups[n], helpLine(k, why))
	}
	for i, g := range groups {
		if len(g) > 0 && i == rankElsewhere {
			b.Paras = append(b.Paras, dialog.Para{Text: "Not here, or not now", Tone: ui.Header})
		}
		if len(g) > 0 {
			b.Paras = append(append(b.Paras, g...), dialog.Para{})
		}
	}
	b.Paras = b.Paras[:len(b.Paras)-1]
	return b
}

// livesIn are the keys of a scope, with those that act on what is there. In a
// walkthrough those of its offers act, at the conclusion.
func (a *App) livesIn(scope keys.Scope) []keys.Binding {
	all := a.cfg.Keys.In(scope)
	if a.top() != nil { // panes are chosen where they are to be seen
		all = slices.DeleteFunc(all, func(k keys.Binding) bool {
			return slices.Contains([]keys.Command{keys.FocusNth, keys.NextPane, keys.PrevPane, keys.Zoom}, k.ID)
		})
	}
	if scope == keys.InPane {
		return all
	}
	p, walking := a.top().(*walkPage)
	for _, k := range a.cfg.Keys.In(keys.InPane) {
		if k.Acts && (!walking || k.ID == keys.Undo || p.offerOf(k.Action) >= 0) {
			all = append(all, k)
		}
	}
	return all
}

// Ranks of a key in the help.
const (
	rankActs = iota
	rankHere
	rankEverywhere
	rankElsewhere
)

// rank puts first what acts and is in the footer or possible now, then what
// lives here, then what works everywhere, and last what needs something else.
func (a *App) rank(b keys.Binding, why string) int {
	switch {
	case b.Acts && (why == "" || a.inFooter(b)):
		return rankActs
	case b.Acts:
		return rankElsewhere
	case b.Scope != keys.Everywhere:
		return rankHere
	}
	return rankEverywhere
}

func (a *App) inFooter(b keys.Binding) bool {
	first, _ := a.hintsNow()
	return slices.ContainsFunc(first, func(h hint) bool { return h.key == b.Label() })
}

func helpLine(b keys.Binding, why string) dialog.Para {
	p := dialog.Para{Head: ui.Pad(labels(b), 16), Text: b.Help}
	if why != "" {
		p.Text, p.Tone = p.Text+". Not now: "+why, ui.Dim
	}
	return p
}

// whyDim says why a key does nothing now; "" when it does something.
func (a *App) whyDim(b keys.Binding) string {
	p, walking := a.top().(*walkPage)
	switch {
	case b.ID == keys.Undo:
		return a.noUndo()
	case b.Acts && walking:
		i := p.offerOf(b.Action)
		if i < 0 {
			return "It is not among what fits here."
		}
		return a.cfg.Runner.Disabled(a.set, b.Action, guide.Target(p.end.Offers[i].Offer))
	case b.Acts:
		return a.whyNot(b.Action)
	}
	return ""
}

func labels(b keys.Binding) string {
	var out []string
	for _, k := range b.Keys {
		out = append(out, keys.Label(k))
	}
	if len(out) > 4 {
		return out[0] + "…" + out[len(out)-1]
	}
	return strings.Join(out, " ")
}
