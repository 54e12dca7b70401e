package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
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

// onPage takes what works above a page as well as above the panes.
func (a *App) onPage(scope keys.Scope, b keys.Binding, name string) (tea.Cmd, bool) {
	_, onCopy := a.top().(*copyPage)
	switch {
	case scope == keys.InDialog:
		return nil, false
	case b.ID == keys.Quit && name == "q":
		return a.top().press(a, dialog.Key{Name: name, Command: keys.Back}), true
	case b.ID == keys.Help && !onCopy, b.ID == keys.Palette && !onCopy:
		return nil, false
	}
	switch b.ID {
	case keys.Quit, keys.Suspend, keys.Faster, keys.Slower, keys.Pause, keys.Refresh, keys.Help, keys.Palette:
		return a.everywhere(b, name), true
	}
	return nil, false
}

// onPanes takes a key while nothing lies above the panes.
func (a *App) onPanes(b keys.Binding, name string) tea.Cmd {
	switch {
	case b.ID == keys.None:
		return a.say(ui.Dim, "Nothing is on "+keys.Label(name)+"; "+a.keyOf(keys.Help)+" shows the keys.")
	case b.ID == keys.Undo:
		return a.undo(name)
	case b.Acts:
		return a.start(b.Action, name)
	case a.table().Handle(b.ID, 0):
		return a.pageBack()
	}
	switch b.ID {
	case keys.Open:
		return a.openRow()
	case keys.Filter:
		a.input = &input{kind: filtering, before: a.table().Filter(), at: -1}
		a.input.line.Set(a.table().Filter())
	case keys.Menu:
		a.open(a.menu())
	case keys.Yank:
		return a.yank()
	default:
		return a.everywhere(b, name)
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

// openRow opens the copy that the row under the cursor names.
func (a *App) openRow() tea.Cmd {
	row, ok := a.table().Selected()
	switch {
	case !ok:
		return a.say(ui.Dim, "The cursor is on no row; move it first.")
	case row.Copy == "":
		return a.say(ui.Dim, "This row names no copy.")
	}
	return a.openCopy(row.Copy, a.copyLabel(row))
}

// yank copies through the terminal, which works over SSH. Whether the terminal
// took it cannot be known, so the text is shown as well.
func (a *App) yank() tea.Cmd {
	row, ok := a.table().Selected()
	if !ok {
		return a.say(ui.Dim, "The cursor is on no row; move it first.")
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
func (a *App) paste(s string) {
	if a.input != nil {
		a.input.line.Insert(s)
		a.typed()
		return
	}
	if c, ok := a.top().(*confirmBox); ok {
		c.Paste(s, a.now)
		return
	}
	a.say(ui.Dim, "Pasted text is not taken as keys.")
}

func (a *App) wheel(m tea.MouseWheelMsg) tea.Cmd {
	c := map[tea.MouseButton]keys.Command{tea.MouseWheelUp: keys.Up, tea.MouseWheelDown: keys.Down}[m.Button]
	switch {
	case c == keys.None || a.input != nil:
	case a.top() == nil:
		a.table().Handle(c, 0)
	case a.top().scope() == keys.InPage:
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
