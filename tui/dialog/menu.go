package dialog

import (
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// Item is one line of a menu.
type Item struct {
	ID    string
	Key   string // picks it at once; "" none
	Title string
	Why   string // why it is not possible now, as a sentence; "" when it is
	Note  string // what else is to say; "" nothing
}

// Menu is a list to pick one item from. Items that are not possible now stay
// in it, with the reason.
type Menu struct {
	Title string
	Items []Item
	Foot  string // the keys
	at    int
	note  string
	s     scroller
}

// Press gives the item that was picked, and whether the menu is left. An item
// that is not possible is never picked; its reason is shown instead.
func (m *Menu) Press(k Key) (picked *Item, left bool) {
	m.note = ""
	for i, it := range m.Items {
		if it.Key != "" && it.Key == k.Name {
			m.at = i
			return m.pick(i), false
		}
	}
	switch k.Command {
	case keys.Back, keys.Quit, keys.Menu:
		return nil, true
	case keys.Up, keys.PrevPane:
		m.at = max(m.at-1, 0)
	case keys.Down, keys.NextPane:
		m.at = min(m.at+1, len(m.Items)-1)
	case keys.Top:
		m.at = 0
	case keys.Bottom:
		m.at = len(m.Items) - 1
	case keys.Open:
		return m.pick(m.at), false
	}
	return nil, false
}

func (m *Menu) pick(i int) *Item {
	if i < 0 || i >= len(m.Items) {
		return nil
	}
	if m.Items[i].Why != "" {
		m.note = m.Items[i].Why
		return nil
	}
	return &m.Items[i]
}

// Lines draws the menu.
func (m *Menu) Lines(t *ui.Theme, w, h int) []string {
	w = width(w)
	b := box{title: m.Title}
	from := 0
	for i, it := range m.Items {
		lines := m.item(t, i, it, inner(w))
		if i == m.at {
			from = len(b.body)
			m.s.follow(from, from+len(lines))
		}
		b.body = append(b.body, lines...)
	}
	b.foot = []string{"", t.Paint(ui.Dim, ui.Cut(m.Foot, inner(w)))}
	if m.note != "" {
		b.foot = append([]string{""}, Lay(t, []Para{{Text: "Not now: " + m.note, Tone: ui.Warn}}, inner(w))...)
	}
	return b.lines(t, w, h, &m.s)
}

func (m *Menu) item(t *ui.Theme, i int, it Item, w int) []string {
	head := "  "
	if i == m.at {
		head = ui.SignCursor + " "
	}
	head += ui.Pad(it.Key, 4)
	tone := ui.Plain
	switch {
	case it.Why != "":
		tone = ui.Dim
	case i == m.at:
		tone = ui.Strong
	}
	paras := []Para{{Head: head, Text: it.Title, Tone: tone}}
	for _, s := range []string{it.Note, it.Why} {
		if s != "" {
			paras = append(paras, Para{Head: ui.Blank(ui.Width(head)), Text: s, Tone: ui.Dim})
		}
	}
	return Lay(t, paras, w)
}
