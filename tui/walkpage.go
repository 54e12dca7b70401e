package tui

import (
	"context"
	"regexp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

func (p *walkPage) scope() keys.Scope { return keys.InGuide }
func (p *walkPage) page() bool        { return true }

// atEnd tells whether the conclusion is on the screen.
func (p *walkPage) atEnd() bool { return p.walk.At >= len(p.walk.Steps) }

func (p *walkPage) view(a *App, w, h int) guide.View {
	hand, _ := a.cfg.Keys.Of(keys.ByHand)
	return guide.View{
		Walk: p.walk, End: p.end, Tried: p.tried, Cursor: p.cursor, Now: a.now, Zone: a.cfg.Zone,
		Width: max(w-4, 1), Height: h, Wide: p.hand, YankKey: a.keyOf(keys.Yank), HandKey: hand.Label(),
		Action: func(o playbook.Offer) (key, title, why string) {
			b, _ := a.cfg.Keys.ForAction(o.Action)
			return b.Label(), a.titleOf(asked{action: o.Action}), a.cfg.Runner.Disabled(a.set, o.Action, guide.Target(o.Offer))
		},
	}
}

func (p *walkPage) lines(a *App, w, h int) []string {
	v := p.view(a, w, h)
	page := guide.Page{}
	if p.atEnd() {
		page = v.Conclusion()
	} else {
		page = v.Step()
	}
	if p.shown != p.walk.At {
		p.text.Press(keys.Top)
	}
	p.shown = p.walk.At
	p.text.Full = true
	p.text.Title, p.text.Mark, p.text.MarkTone = page.Title, page.Mark, page.Tone
	p.text.Head, p.text.Paras, p.text.Below = page.Head, page.Paras, page.Below
	return p.text.Lines(a.cfg.Theme, w, h)
}

func (p *walkPage) press(a *App, k dialog.Key) tea.Cmd {
	if act, ok := a.cfg.Keys.Find(keys.InPane, k.Name); ok && act.Acts {
		return a.actHere(p, act, k.Name)
	}
	switch k.Command {
	case keys.NextStep:
		if p.atEnd() {
			return a.enterAtEnd(p, k.Name)
		}
		p.goTo(p.walk.At + 1)
	case keys.PrevStep:
		p.goTo(p.walk.At - 1)
	case keys.ToEnd:
		p.goTo(len(p.walk.Steps))
	case keys.Up, keys.Down:
		p.move(k.Command)
	case keys.Back:
		a.close(p)
	case keys.HandOver:
		return a.handOver(p)
	case keys.PickCopy:
		return a.pickCopy(p)
	default:
		if p.text.Press(k.Command) {
			return nil
		}
		return a.onStep(p, k)
	}
	return nil
}

func (p *walkPage) goTo(i int) {
	p.walk.At, p.hand = max(min(i, len(p.walk.Steps)), 0), false
}

// move goes from offer to offer at the end, and scrolls where there is none.
func (p *walkPage) move(c keys.Command) {
	by := map[keys.Command]int{keys.Up: -1, keys.Down: 1}[c]
	if !p.atEnd() || p.end == nil || p.cursor+by < 0 || p.cursor+by >= len(p.end.Offers) {
		p.text.Press(c)
		return
	}
	p.cursor += by
	p.text.Seek = true
}

// onStep takes the keys that make sense while a step is on the screen.
func (a *App) onStep(p *walkPage, k dialog.Key) tea.Cmd {
	if p.atEnd() {
		switch rule := a.reasonOf(p); {
		case k.Command == keys.Rerun:
			return a.allAgain(p)
		case k.Command == keys.Follow && rule != "":
			return a.openFinding(pane.Ref{Kind: pane.KindFinding, ID: rule})
		}
		return a.say(ui.Dim, "Nothing is on "+keys.Label(k.Name)+" at the conclusion; "+a.keyOf(keys.PrevStep)+" goes back to the steps.")
	}
	i := p.walk.At
	switch k.Command {
	case keys.Rerun:
		a.cfg.Hub.Refresh()
		return a.rerun(p, i)
	case keys.Skip:
		return a.skip(p, i)
	case keys.Note:
		a.input = &input{kind: noting, walk: p, step: i, at: -1}
		a.input.line.Set(p.walk.Steps[i].Note)
	case keys.ByHand:
		p.hand = !p.hand
		p.text.Press(keys.Top)
	case keys.Yank:
		return a.copyOut(p.view(a, a.w, a.h).Command())
	case keys.Follow:
		ref := guide.Where(p.walk.Book.Steps[i], p.walk.Place)
		if ref.Kind == "" {
			return a.say(ui.Dim, "No pane and no page shows what this step looks at.")
		}
		return a.openRef(ref)
	default:
		return a.say(ui.Dim, "Nothing is on "+keys.Label(k.Name)+" here; "+a.keyOf(keys.Help)+" shows the keys.")
	}
	return nil
}

// reasonOf is the rule whose evidence stands behind what the cursor is on at the
// conclusion: that of the offer, else of the first cause; "" none is found now.
func (a *App) reasonOf(p *walkPage) string {
	if p.end == nil {
		return ""
	}
	var rules []string
	if p.cursor >= 0 && p.cursor < len(p.end.Offers) {
		rules = append(rules, p.end.Offers[p.cursor].Finding)
	}
	for _, f := range p.end.Causes {
		rules = append(rules, f.Rule)
	}
	i := slices.IndexFunc(rules, func(rule string) bool { _, ok := a.report.Find(rule); return ok })
	if i < 0 {
		return ""
	}
	return rules[i]
}

// allAgain has every step look again.
func (a *App) allAgain(p *walkPage) tea.Cmd {
	a.cfg.Hub.Refresh()
	var cmds []tea.Cmd
	for i, s := range p.walk.Steps {
		if s.Status != playbook.Skipped {
			cmds = append(cmds, a.rerun(p, i))
		}
	}
	return tea.Batch(cmds...)
}

// skip leaves a step out, or takes it in again.
func (a *App) skip(p *walkPage, i int) tea.Cmd {
	s := &p.walk.Steps[i]
	if s.Status == playbook.Skipped {
		s.Status = playbook.Waiting
		return a.again(p, i)
	}
	p.queue = slices.DeleteFunc(p.queue, func(q int) bool { return q == i })
	s.Status = playbook.Skipped
	p.uncheck(i)
	a.checked(p, i, nil)
	p.goTo(i + 1)
	return a.conclude(p)
}

// pickCopy asks again which copy the steps look at.
func (a *App) pickCopy(p *walkPage) tea.Cmd {
	b := p.walk.Book
	all := a.affected(b, "")
	if b.Asks != "copy" || len(all) == 0 {
		return a.say(ui.Dim, "No copy is known to be affected; :walkthrough "+b.Name+" ID takes any.")
	}
	a.open(a.whichCopy(b, "", all))
	return nil
}

// enterAtEnd has the plan read of the offer that the cursor is on. Only enter
// does: a key that goes on must not run into a question.
func (a *App) enterAtEnd(p *walkPage, name string) tea.Cmd {
	switch {
	case name != "enter":
		return a.say(ui.Dim, "This is the end; enter shows the plan of the chosen action.")
	case p.end == nil || len(p.end.Offers) == 0:
		return a.say(ui.Dim, "There is no action to plan here.")
	case p.cursor < 0 || p.cursor >= len(p.end.Offers):
		return a.say(ui.Dim, "The cursor is on no action; "+a.keyOf(keys.Up)+" and "+a.keyOf(keys.Down)+" move it.")
	}
	return a.planOffer(p, p.end.Offers[p.cursor], name)
}

// planOffer has the plan of an offer read; its outcome comes back to the page.
func (a *App) planOffer(p *walkPage, o playbook.Offer, opened string) tea.Cmd {
	t := guide.Target(o.Offer)
	if t.ID == t.Label {
		t.Label = a.labelOfID(t.ID)
	}
	return a.plan(asked{action: o.Action, target: t, choice: o.Choice, opened: opened, walk: p, offer: o})
}

// labelOfID is what people call a copy, where the ID is one.
func (a *App) labelOfID(id string) string {
	for _, c := range copies(a.set) {
		if c.ID == id {
			return c.Label()
		}
	}
	return id
}

// actHere takes an acting key: the offer of that action at the conclusion, the
// one under the cursor first.
func (a *App) actHere(p *walkPage, b keys.Binding, name string) tea.Cmd {
	if b.ID == keys.Undo {
		return a.undo(name)
	}
	if i := p.offerOf(b.Action); i >= 0 {
		p.cursor = i
		return a.planOffer(p, p.end.Offers[i], name)
	}
	return a.say(ui.Dim, a.titleOf(asked{action: b.Action})+" is not among what fits here; "+a.keyOf(keys.ToEnd)+" lists what does.")
}

// offerOf is the place of an action among the offers at the conclusion, that of
// the cursor first; -1: it is none.
func (p *walkPage) offerOf(action string) int {
	if !p.atEnd() || p.end == nil {
		return -1
	}
	n := len(p.end.Offers)
	for i := range n {
		if at := (max(p.cursor, 0) + i) % n; p.end.Offers[at].Action == action {
			return at
		}
	}
	return -1
}

// handOver shows the walkthrough as text and saves it.
func (a *App) handOver(p *walkPage) tea.Cmd {
	if p.end == nil {
		return a.say(ui.Dim, "The conclusion is not drawn yet.")
	}
	w := p.walk
	w.Steps = slices.Clone(w.Steps)
	end, at := *p.end, a.now
	return a.guard("hand over", journalTime, func(context.Context) tea.Msg {
		m := handMsg{page: p, title: w.Book.Title, text: playbook.HandOver(w, end, at)}
		if a.cfg.SaveHandOver != nil {
			m.path, m.err = a.cfg.SaveHandOver(w.Book.Name, m.text)
		}
		return m
	}, tell)
}

type handMsg struct {
	page              *walkPage
	title, text, path string
	err               error
}

func (a *App) showHandOver(m handMsg) {
	b := &handBox{raw: m.text}
	b.text.Full, b.text.Title = true, "Hand-over: "+m.title
	for l := range strings.SplitSeq(m.text, "\n") {
		head := itemHead.FindString(l)
		b.text.Paras = append(b.text.Paras, dialog.Para{Head: head, Text: l[len(head):]})
	}
	if a.top() == m.page { // nothing opens under the hands of whoever went on
		a.open(b)
	}
	switch {
	case m.err != nil:
		a.say(ui.Bad, "It could not be saved: "+oneLine(m.err))
	case m.path != "":
		a.say(ui.Good, "Saved as "+m.path)
	}
}

// itemHead is what a line of a list begins with; what is wrapped stands behind it.
var itemHead = regexp.MustCompile(`^ *(- |\d+\. |Note: )?`)

// handBox is the hand-over as text.
type handBox struct {
	text dialog.Text
	raw  string
}

func (b *handBox) scope() keys.Scope { return keys.InPage }
func (b *handBox) page() bool        { return true }

func (b *handBox) press(a *App, k dialog.Key) tea.Cmd {
	yank, _ := a.cfg.Keys.Of(keys.Yank)
	switch {
	case k.Command == keys.Back:
		a.close(b)
	case yank.Nth(k.Name) >= 0:
		a.say(ui.Plain, "Copied (if the terminal allows it): "+ui.Plural(strings.Count(b.raw, "\n"), "line")+".")
		return tea.SetClipboard(b.raw)
	default:
		b.text.Press(k.Command)
	}
	return nil
}

func (b *handBox) lines(a *App, w, h int) []string { return b.text.Lines(a.cfg.Theme, w, h) }
