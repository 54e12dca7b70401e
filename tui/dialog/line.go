package dialog

import (
	"slices"
	"unicode"

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

// Line is a one-line text field.
type Line struct {
	text []rune
	at   int // the cursor stands before text[at]
}

// String gives the text.
func (l *Line) String() string { return string(l.text) }

// Set replaces the text; the cursor goes to its end.
func (l *Line) Set(s string) {
	l.text, l.at = nil, 0
	l.Insert(s)
}

// Insert types s at the cursor, cleaned, as far as it fits.
func (l *Line) Insert(s string) {
	in := []rune(clean.Text(s))
	in = in[:min(len(in), maxInput-len(l.text))]
	l.text = slices.Insert(l.text, l.at, in...)
	l.at += len(in)
}

// Press edits the text and tells whether the key was one of its own.
func (l *Line) Press(k Key) bool {
	switch k.Name {
	case "left", "ctrl+b":
		l.at = max(l.at-1, 0)
	case "right", "ctrl+f":
		l.at = min(l.at+1, len(l.text))
	case "home", "ctrl+a":
		l.at = 0
	case "end", "ctrl+e":
		l.at = len(l.text)
	case "backspace", "ctrl+h":
		l.cut(l.at-1, l.at)
	case "delete":
		l.cut(l.at, l.at+1)
	case "ctrl+u":
		l.cut(0, l.at)
	case "ctrl+k":
		l.cut(l.at, len(l.text))
	case "ctrl+w":
		l.cut(l.wordStart(), l.at)
	default:
		if k.Text == "" {
			return false
		}
		l.Insert(k.Text)
	}
	return true
}

// cut deletes text[from:to], as far as that exists.
func (l *Line) cut(from, to int) {
	from, to = max(from, 0), min(to, len(l.text))
	if from < to {
		l.text = slices.Delete(l.text, from, to)
		l.at = from
	}
}

func (l *Line) wordStart() int {
	i := l.at
	for i > 0 && unicode.IsSpace(l.text[i-1]) {
		i--
	}
	for i > 0 && !unicode.IsSpace(l.text[i-1]) {
		i--
	}
	return i
}

// Render gives the field in exactly width cells, scrolled so that the cursor
// is in it. The cursor is reverse video, which also works without colours;
// blanks are underlined characters, so that an empty field looks like one.
func (l *Line) Render(t *ui.Theme, width int, focused bool) string {
	if width <= 0 {
		return ""
	}
	left, right := string(l.text[:l.at]), string(l.text[l.at:])
	if !focused {
		return fill(left+right, width)
	}
	under := " "
	if right != "" {
		under = string(l.text[l.at : l.at+1])
		right = string(l.text[l.at+1:])
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
