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
	Paras    []Para
	Foot     string // the keys
	Full     bool   // takes the whole screen, not only what it needs
	scroll   scroller
}

// Press moves the text and tells whether the key was one of its own.
func (x *Text) Press(c keys.Command) bool { return x.scroll.press(c) }

// Lines draws the box for a screen of w by h cells. It is no higher than it
// needs to be.
func (x *Text) Lines(t *ui.Theme, w, h int) []string {
	if !x.Full {
		w = width(w)
	}
	b := box{title: x.Title, mark: x.Mark, markTone: x.MarkTone, body: Lay(t, x.Paras, inner(w))}
	if x.Foot != "" {
		b.foot = []string{"", t.Paint(ui.Dim, ui.Cut(x.Foot, inner(w)))}
	}
	if x.Full {
		b.body = append(b.body, make([]string, max(h-2-len(b.body)-len(b.foot), 0))...)
	}
	return b.lines(t, w, h, &x.scroll)
}
