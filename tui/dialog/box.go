// Package dialog is what asks and tells above the panes: confirmations of
// plans, menus, boxes of text, and the text field they share. A dialog is a
// plain struct: keys in, answer out, lines of an exact size. It starts nothing
// and knows no program; the app does what the answer says.
package dialog

import (
	"fmt"
	"strings"

	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// mostWidth keeps sentences readable on very wide screens.
const mostWidth = 112

// Para is a paragraph of a dialog. It is wrapped, never cut, unless it is Exact.
type Para struct {
	Head string // stands before the first line; the others are indented as far
	Text string
	Tone ui.Tone
	// Exact lines are shown as they stand and cut where there is no room: charts,
	// query plans, tables.
	Exact bool
	// Cells are one line of pieces, each in its own tone, after Head and instead
	// of Text; it is cut where there is no room.
	Cells []ui.Cell
	// Here is where the cursor is: see [Text.Seek].
	Here bool
}

// box is a framed text with a part that scrolls and a part that stays.
type box struct {
	title    string
	mark     string // at the right of the title: the risk
	markTone ui.Tone
	head     []string // painted lines above the body; always in sight
	body     []string // painted lines; scrolls
	foot     []string // painted lines; always in sight
}

// scroller is the scroll position of a box. It is bounded when lines are made,
// because only then the height is known.
type scroller struct{ offset, page, most int }

// press moves by the keys that never type anything.
func (s *scroller) press(c keys.Command) bool {
	switch c {
	case keys.Up:
		s.offset--
	case keys.Down:
		s.offset++
	case keys.PageUp:
		s.offset -= max(s.page-1, 1)
	case keys.PageDown:
		s.offset += max(s.page-1, 1)
	case keys.HalfPageUp:
		s.offset -= max(s.page/2, 1)
	case keys.HalfPageDown:
		s.offset += max(s.page/2, 1)
	case keys.Top:
		s.offset = 0
	case keys.Bottom:
		s.offset = s.most
	default:
		return false
	}
	s.offset = max(min(s.offset, s.most), 0)
	return true
}

// follow scrolls so that the lines from…to are in sight.
func (s *scroller) follow(from, to int) {
	if s.page == 0 {
		return
	}
	s.offset = max(min(s.offset, from), to-s.page)
	s.most = max(s.most, s.offset)
}

// width gives the outer width of a dialog on a screen of w cells: the edges of
// the panes below stay in sight where there is room.
func width(w int) int {
	if w >= 70 {
		w -= 4
	}
	return min(w, mostWidth)
}

// lines draws the box, w cells wide and at most h lines high. What does not
// fit can be scrolled to, and the lower edge says so.
func (b box) lines(t *ui.Theme, w, h int, s *scroller) []string {
	foot := b.foot
	if len(b.head) > max((h-2)/2, 0) { // on a low screen all of it scrolls
		b.head, b.body = nil, append(b.head[:len(b.head):len(b.head)], b.body...)
	}
	h -= len(b.head)
	if over := len(foot) - max(h-3, 0); over > 0 { // what stays in sight nowhere else can be scrolled to
		b.body = append(b.body[:len(b.body):len(b.body)], foot[:over]...)
		foot = foot[over:]
	}
	s.page = max(min(len(b.body), h-2-len(foot)), 0)
	s.most = len(b.body) - s.page
	s.offset = max(min(s.offset, s.most), 0)
	frame := ui.Box{Title: b.title, Right: b.mark, Tone: b.markTone, Focused: true}
	if s.most > 0 {
		frame.Foot = fmt.Sprintf("lines %d-%d of %d, pgdn pgup", s.offset+1, s.offset+s.page, len(b.body))
	}
	in := make([]string, 0, len(b.head)+s.page+len(foot))
	for _, l := range b.head {
		in = append(in, " "+ui.FitStyled(l, inner(w))+" ")
	}
	for _, l := range append(b.body[s.offset:s.offset+s.page:s.offset+s.page], foot...) {
		in = append(in, " "+ui.FitStyled(l, inner(w))+" ")
	}
	return t.Render(frame, in, w, min(len(in)+2, h+len(b.head)))
}

// inner gives the width of the text in a dialog of w cells.
func inner(w int) int { return max(w-4, 1) }

// Lay wraps paragraphs to lines of at most width cells and colours them.
func Lay(t *ui.Theme, paras []Para, width int) []string {
	var out []string
	for _, p := range paras {
		if p.Cells != nil {
			out = append(out, p.pieces(t, width))
			continue
		}
		for _, l := range p.wrap(width) {
			out = append(out, t.Paint(p.Tone, l))
		}
	}
	return out
}

// pieces paints the cells one after the other.
func (p Para) pieces(t *ui.Theme, width int) string {
	line := t.Paint(p.Tone, ui.Cut(p.Head, width))
	for _, c := range p.Cells {
		line += t.Paint(c.Tone, ui.Cut(c.Text, width))
	}
	return ui.FitStyled(line, width)
}

func (p Para) wrap(width int) []string {
	if p.Exact {
		var lines []string
		for l := range strings.SplitSeq(p.Text, "\n") {
			lines = append(lines, ui.Cut(p.Head+l, width))
		}
		return lines
	}
	head := ui.Cut(p.Head, width/2)
	lines := ui.Wrap(p.Text, max(width-ui.Width(head), 1))
	for i, l := range lines {
		if i > 0 {
			head = ui.Blank(ui.Width(head))
		}
		lines[i] = head + ui.Cut(l, width) // what is no text goes, whoever forgot to clean it
	}
	return lines
}
