package tui

import (
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// press takes a key: the line being typed first, then the top overlay, then
// what works everywhere, then the focused pane.
func (a *App) press(m tea.KeyPressMsg) tea.Cmd {
	a.note = note{}
	name := m.String()
	if a.input != nil {
		return a.edit(dialog.Key{Name: name, Text: m.Text})
	}
	o := a.top()
	scope := keys.InPane
	if o != nil {
		scope = o.scope()
	}
	b, _ := a.cfg.Keys.Find(scope, name)
	if scope != keys.InDialog && a.pending != nil && b.ID == keys.Back {
		a.giveUp()
		return a.say(ui.Dim, "Given up; nothing was written.")
	}
	if o == nil {
		return a.onPanes(b, name)
	}
	if cmd, taken := a.onPage(scope, b, name); taken {
		return cmd
	}
	return o.press(a, dialog.Key{Name: name, Text: m.Text, Command: b.ID})
}

// subject is an overlay about things that keys can act on.
type subject interface {
	overlay
	// aimed gives the marked rows and the one under the cursor.
	aimed() (marked []pane.Row, row *pane.Row)
}

// onPage takes what works above a page as well as above the panes.
func (a *App) onPage(scope keys.Scope, b keys.Binding, name string) (tea.Cmd, bool) {
	_, onThing := a.top().(subject)
	switch {
	case scope == keys.InDialog:
		return nil, false
	case b.ID == keys.Quit && name == "q":
		return a.top().press(a, dialog.Key{Name: name, Command: keys.Back}), true
	case scope == keys.InGuide && (b.ID == keys.Help || b.ID == keys.Palette):
		return a.everywhere(b, name), true
	case b.ID == keys.Help && !onThing, b.ID == keys.Palette && !onThing:
		return nil, false
	}
	switch b.ID {
	case keys.Refresh:
		return tea.Batch(a.everywhere(b, name), a.readAgain()), true
	case keys.Guide, keys.Quit, keys.Suspend, keys.Faster, keys.Slower, keys.Pause, keys.Help, keys.Palette:
		return a.everywhere(b, name), true
	}
	return nil, false
}

// onPanes takes a key while nothing lies above the panes.
func (a *App) onPanes(b keys.Binding, name string) tea.Cmd {
	if b.ID == keys.None {
		return a.say(ui.Dim, "Nothing is on "+keys.Label(name)+"; "+a.keyOf(keys.Help)+" shows the keys.")
	}
	if cmd, taken := a.onRows(a.table(), a.table().Selected, b, name); taken {
		return tea.Batch(cmd, a.pageBack())
	}
	return a.everywhere(b, name)
}

// onRows takes what can be done with a table and its rows, or with a page of
// prose as if it were a row; the table is nil then.
func (a *App) onRows(t *pane.Table, selected func() (pane.Row, bool), b keys.Binding, name string) (cmd tea.Cmd, taken bool) {
	switch {
	case b.ID == keys.Undo:
		return a.undo(name), true
	case b.Acts:
		return a.start(b.Action, name), true
	case t != nil && b.ID == keys.Back && a.stopSeeking(t):
		return nil, true
	case t != nil && t.Handle(b.ID, 0):
		return nil, true
	}
	switch b.ID {
	case keys.Open:
		return a.openRow(selected), true
	case keys.Follow:
		return a.follow(selected), true
	case keys.Filter:
		if t != nil {
			a.input = &input{kind: filtering, table: t, before: t.Filter(), at: -1}
			a.input.line.Set(t.Filter())
			return nil, true
		}
	case keys.Menu:
		a.open(a.menu())
		return nil, true
	case keys.Yank:
		return a.yank(selected), true
	}
	return nil, false
}

// readAgain reads the page on top anew.
func (a *App) readAgain() tea.Cmd {
	switch p := a.top().(type) {
	case *copyPage:
		return a.load(p)
	case *refPage:
		return a.readRef(p)
	}
	return nil
}

// everywhere takes what works above panes and pages alike.
func (a *App) everywhere(b keys.Binding, name string) tea.Cmd {
	switch b.ID {
	case keys.FocusNth:
		a.focusOn(b.Nth(name))
	case keys.NextPane:
		a.focusOn((a.focus + 1) % len(a.tables))
	case keys.PrevPane:
		a.focusOn((a.focus + len(a.tables) - 1) % len(a.tables))
	case keys.Zoom:
		a.zoom = !a.zoom && a.layout.kind != aside
		a.comeBack()
	case keys.Back:
		a.zoom = false
		a.comeBack()
	case keys.Guide:
		return a.openFindings()
	case keys.Palette:
		a.input = &input{kind: commanding, at: -1}
	case keys.Help:
		a.open(a.help())
	case keys.Quit:
		return a.quit()
	case keys.Suspend:
		return tea.Suspend
	default:
		return a.pace(b.ID)
	}
	return nil
}

// pace changes how often the sources are asked.
func (a *App) pace(c keys.Command) tea.Cmd {
	h := a.cfg.Hub
	switch c {
	case keys.Faster:
		h.Faster()
	case keys.Slower:
		h.Slower()
	case keys.Pause:
		h.SetPaused(!h.Paused())
		if h.Paused() {
			return a.say(ui.Warn, "Paused: what you see gets old. "+a.keyOf(keys.Pause)+" goes on.")
		}
		return a.say(ui.Plain, "Live again.")
	case keys.Refresh:
		h.Refresh()
		return a.say(ui.Plain, "Asking every source now.")
	default:
		return nil
	}
	return a.say(ui.Plain, "Refreshing every "+ui.Fine(h.Interval())+".")
}

func (a *App) focusOn(i int) {
	switch {
	case i < 0 || i >= len(a.tables):
		a.say(ui.Dim, "There is no such pane.")
	case a.only && i != a.focus:
		a.say(ui.Dim, "Only "+a.table().Spec().Title()+" is shown here (--pane).")
	default:
		a.focus = i
		a.saw(string(a.table().Spec().ID()))
		a.feed(a.table())
	}
}

// comeBack leaves a pane that has no place on the dashboard for the one that
// had the focus there.
func (a *App) comeBack() {
	if a.layout.kind == aside {
		a.focusOn(a.home)
	}
}

// onNoRow is said where a key needs a row and the cursor is on none.
const onNoRow = "The cursor is on no row; move it first."

// openRow opens the page that the row under the cursor leads to.
func (a *App) openRow(selected func() (pane.Row, bool)) tea.Cmd {
	row, ok := selected()
	switch {
	case !ok:
		return a.say(ui.Dim, onNoRow)
	case row.Opens.Kind != "":
		return a.openRef(row.Opens)
	case row.Copy != "":
		return a.openCopy(row.Copy, a.copyLabel(row))
	}
	return a.say(ui.Dim, "This row has no page of its own.")
}

// follow opens what the row names besides itself, after a choice where that is
// more than one thing.
func (a *App) follow(selected func() (pane.Row, bool)) tea.Cmd {
	row, ok := selected()
	if !ok {
		return a.say(ui.Dim, onNoRow)
	}
	links := a.linksOf(row)
	switch len(links) {
	case 0:
		return a.say(ui.Dim, "This names no copy, request, task or session that could be followed.")
	case 1:
		return a.openRef(links[0])
	}
	m := dialog.Menu{Title: "Follow", Foot: "enter opens  esc back"}
	for i, l := range links {
		m.Items = append(m.Items, dialog.Item{ID: strconv.Itoa(i), Title: string(l.Kind) + " " + l.Name(), Note: a.pageHelp(l.Kind)})
	}
	a.open(&menuBox{Menu: m, pick: func(id, _ string) tea.Cmd {
		i, _ := strconv.Atoi(id) // one of ours
		return a.openRef(links[i])
	}})
	return nil
}

// linksOf is what a row names: what its pane says, and of a copy the page and
// the trace.
func (a *App) linksOf(row pane.Row) []pane.Ref {
	links := slices.Clone(row.Links)
	if row.Copy == "" {
		return links
	}
	for _, kind := range []pane.Kind{pane.KindCopy, pane.KindTrace} {
		ref := pane.Ref{Kind: kind, ID: row.Copy, Label: a.copyLabel(row)}
		named := slices.ContainsFunc(links, func(r pane.Ref) bool { return r.Kind == kind && strings.EqualFold(r.ID, ref.ID) })
		if !named && a.hasPage(kind) {
			links = append(links, ref)
		}
	}
	return links
}

// hasPage tells whether there is a page for a kind of thing.
func (a *App) hasPage(k pane.Kind) bool {
	return k == pane.KindCopy || k == pane.KindPane || k == pane.KindFinding || slices.ContainsFunc(a.cfg.Pages, func(s page.Spec) bool { return s.Kind == k })
}

// pageHelp says what the page of a thing shows.
func (a *App) pageHelp(k pane.Kind) string {
	for _, s := range a.cfg.Pages {
		if s.Kind == k {
			return s.Help
		}
	}
	return "everything about it on one page"
}

// yank copies through the terminal, which works over SSH. Whether the terminal
// took it cannot be known, so the text is shown as well.
func (a *App) yank(selected func() (pane.Row, bool)) tea.Cmd {
	row, ok := selected()
	if !ok {
		return a.say(ui.Dim, onNoRow)
	}
	text := row.Yank
	if text == "" && len(row.Cells) > 0 {
		text = strings.TrimSpace(row.Cells[0].Text)
	}
	return a.copyOut(text)
}

func (a *App) copyOut(text string) tea.Cmd {
	if text == "" {
		return a.say(ui.Dim, "There is nothing to copy here.")
	}
	a.say(ui.Plain, "Copied (if the terminal allows it): "+text)
	return tea.SetClipboard(text)
}

// quit leaves, but asks first while an action runs.
func (a *App) quit() tea.Cmd {
	if a.running() == 0 {
		return tea.Quit
	}
	if !slices.ContainsFunc(a.stack, func(o overlay) bool { _, ok := o.(*quitBox); return ok }) {
		a.open(&quitBox{})
	}
	return nil
}

// paste puts text where text is being typed, and nowhere else: pasted keys are
// never commands.
func (a *App) paste(s string) tea.Cmd {
	if a.input != nil {
		a.input.line.Insert(s)
		return a.typed()
	}
	if c, ok := a.top().(*confirmBox); ok {
		c.Paste(s, a.now)
		return nil
	}
	return a.say(ui.Dim, "Pasted text is not taken as keys.")
}

func (a *App) wheel(m tea.MouseWheelMsg) tea.Cmd {
	c := map[tea.MouseButton]keys.Command{tea.MouseWheelUp: keys.Up, tea.MouseWheelDown: keys.Down}[m.Button]
	switch {
	case c == keys.None || a.input != nil:
	case a.top() == nil:
		a.table().Handle(c, 0)
	case a.top().scope() == keys.InPage || a.top().scope() == keys.InGuide:
		return a.top().press(a, dialog.Key{Command: c})
	}
	return nil
}

// click focuses a pane; it never acts.
func (a *App) click(x, y int) {
	if a.top() != nil || a.input != nil {
		return
	}
	for _, p := range a.layout.places {
		if x >= p.x && x < p.x+p.w && y >= p.y && y < p.y+p.h {
			a.focusOn(p.pane)
		}
	}
}
