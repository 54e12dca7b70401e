package dialog

import (
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes/clean"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// maxInput bounds what one can type or paste into a field, in characters: a
// reason is a sentence, and a slip of the mouse can paste a whole file.
const maxInput = 500

// Key is one key press.
type Key struct {
	Name    string       // as Bubble Tea writes it: "enter", "ctrl+u", "y"
	Text    string       // what it types; "" nothing
	Command keys.Command // what the table says it does in a dialog
}

// Line is a one-line text field: Bubbles' text input edits it, and Render draws
// it, because what it types is cleaned and a field has an exact size here.
type Line struct{ in *textinput.Model }

func (l *Line) input() *textinput.Model {
	if l.in == nil {
		in := textinput.New()
		in.CharLimit = maxInput
		in.Focus() // its command blinks a cursor that we do not show
		l.in = &in
	}
	return l.in
}

// String gives the text.
func (l *Line) String() string { return l.input().Value() }

// Set replaces the text; the cursor goes to its end.
func (l *Line) Set(s string) {
	l.input().SetValue(clean.Text(s))
	l.in.CursorEnd()
}

// Insert types s at the cursor, cleaned, as far as it fits.
func (l *Line) Insert(s string) {
	left, right := l.split()
	in := []rune(clean.Text(s))
	in = in[:min(len(in), maxInput-len(left)-len(right))]
	l.in.SetValue(string(left) + string(in) + string(right))
	l.in.SetCursor(len(left) + len(in))
}

// split gives the text before and behind the cursor.
func (l *Line) split() (left, right []rune) {
	text := []rune(l.input().Value())
	at := l.in.Position()
	return text[:at], text[at:]
}

// edits are the keys that edit a line. ctrl+v is not among them: the terminal
// pastes, and a clipboard of the host has no place in an SSH session.
var edits = map[string]tea.KeyPressMsg{
	"left": {Code: tea.KeyLeft}, "ctrl+b": {Code: 'b', Mod: tea.ModCtrl},
	"right": {Code: tea.KeyRight}, "ctrl+f": {Code: 'f', Mod: tea.ModCtrl},
	"alt+left": {Code: tea.KeyLeft, Mod: tea.ModAlt}, "alt+right": {Code: tea.KeyRight, Mod: tea.ModAlt},
	"home": {Code: tea.KeyHome}, "ctrl+a": {Code: 'a', Mod: tea.ModCtrl},
	"end": {Code: tea.KeyEnd}, "ctrl+e": {Code: 'e', Mod: tea.ModCtrl},
	"backspace": {Code: tea.KeyBackspace}, "ctrl+h": {Code: tea.KeyBackspace},
	"delete": {Code: tea.KeyDelete},
	"ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+k": {Code: 'k', Mod: tea.ModCtrl},
	"ctrl+w": {Code: 'w', Mod: tea.ModCtrl},
}

// Press edits the text and tells whether the key was one of its own.
func (l *Line) Press(k Key) bool {
	if msg, ok := edits[k.Name]; ok {
		*l.input(), _ = l.in.Update(msg)
		return true
	}
	if k.Text == "" {
		return false
	}
	l.Insert(k.Text)
	return true
}

// Render gives the field in exactly width cells, scrolled so that the cursor
// is in it. The cursor is reverse video, which also works without colours;
// blanks are underlined characters, so that an empty field looks like one.
func (l *Line) Render(t *ui.Theme, width int, focused bool) string {
	if width <= 0 {
		return ""
	}
	before, behind := l.split()
	left, right := string(before), string(behind)
	if !focused {
		return fill(left+right, width)
	}
	under := " "
	if right != "" {
		under, right = string(behind[:1]), string(behind[1:])
	}
	for ui.Width(left)+ui.Width(under) > width && left != "" {
		left = string([]rune(left)[1:])
	}
	room := max(width-ui.Width(left)-ui.Width(under), 0)
	return left + t.Badge("", under) + fill(right, room)
}

// fill pads with underscores, which mark a field where there is no colour.
func fill(s string, width int) string {
	s = ui.Cut(s, width)
	for n := width - ui.Width(s); n > 0; n-- {
		s += "_"
	}
	return s
}
