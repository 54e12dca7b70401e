package pane

import (
	"math"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/ui"
)

// Text is a cell that is sorted by what it says.
func Text(tone ui.Tone, s string) ui.Cell { return ui.Cell{Text: s, Tone: tone} }

// Number is a cell that is sorted by a number; NaN is not known.
func Number(tone ui.Tone, s string, n float64) ui.Cell {
	return ui.Cell{Text: s, Tone: tone, SortNum: n, Numeric: true}
}

// Age is how long ago something was, "?" when nobody knows.
func Age(since, now time.Time) ui.Cell {
	if since.IsZero() {
		return Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	d := max(now.Sub(since), 0)
	return Number(ui.Plain, ui.Duration(d), d.Seconds())
}

// User is a user's name, else his number, else "?".
func User(u grading.User) ui.Cell {
	switch {
	case u.Name != "":
		return Text(ui.Plain, u.Name)
	case u.ID != 0:
		return Text(ui.Plain, "user "+ui.Count(u.ID))
	}
	return Text(ui.Dim, ui.NotKnown)
}

// OnCopy is the target of actions on one copy.
func OnCopy(c grading.CopyRef) *actions.Target {
	return &actions.Target{Kind: actions.OnCopy, ID: c.ID, Label: c.Label()}
}

// Joint puts the parts that are not empty one after the other, a blank between.
func Joint(parts ...string) string { return joined(" ", parts...) }

// Joined puts the parts that are not empty side by side: "12 held · 7 expired".
func Joined(parts ...string) string { return joined(" · ", parts...) }

// Shown says that a list is only the head of what there is; "" when it is all.
func Shown(rows, total int) string {
	if rows >= total {
		return ""
	}
	return "first " + ui.Count(int64(rows)) + " shown"
}
