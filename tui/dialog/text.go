package dialog

import (
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// Text is a box of prose that scrolls: help, an outcome, an error.
type Text struct {
	Title    string
	Mark     string // at the right of the title: a verdict
	MarkTone ui.Tone
	Head     []Para // above the paragraphs; stays in sight while they scroll
	Paras    []Para
	Below    []Para // likewise below them
	Foot     string // the keys
	// Seek scrolls once so that the paragraphs that are Here are in sight.
	Seek   bool
	Full   bool // takes the whole screen, not only what it needs
	scroll scroller
}

// Press moves the text and tells whether the key was one of its own.
func (x *Text) Press(c keys.Command) bool { return x.scroll.press(c) }

// Lines draws the box for a screen of w by h cells. It is no higher than it
// needs to be.
func (x *Text) Lines(t *ui.Theme, w, h int) []string {
	if !x.Full {
		w = width(w)
	}
	b := box{title: x.Title, mark: x.Mark, markTone: x.MarkTone, head: Lay(t, x.Head, inner(w)), foot: Lay(t, x.Below, inner(w))}
	from, to := x.lay(t, &b, inner(w))
	if x.Foot != "" {
		b.foot = append(b.foot, "", t.Paint(ui.Dim, ui.Cut(x.Foot, inner(w))))
	}
	if x.Full {
		b.body = append(b.body, make([]string, max(h-2-len(b.head)-len(b.body)-len(b.foot), 0))...)
	}
	if x.Seek && to > from {
		b.lines(t, w, h, &x.scroll) // finds out how many lines are in sight
		x.scroll.follow(from, to)
	}
	x.Seek = false
	return b.lines(t, w, h, &x.scroll)
}

// lay wraps the paragraphs, and tells which lines are those of the cursor.
func (x *Text) lay(t *ui.Theme, b *box, w int) (from, to int) {
	for _, p := range x.Paras {
		before := len(b.body)
		b.body = append(b.body, Lay(t, []Para{p}, w)...)
		if p.Here && to == 0 {
			from = before
		}
		if p.Here {
			to = len(b.body)
		}
	}
	return from, to
}
