package ui

import "strings"

// Box is a frame around lines.
type Box struct {
	Title   string // left in the upper edge
	Info    string // after the title
	Right   string // right in the upper edge
	Note    string // left in the lower edge
	Foot    string // right in the lower edge: "1/12"
	Focused bool   // heavy lines: the focus does not hang on colour
	// Tone colours Right and Note; Plain leaves them as the border is.
	Tone Tone
}

// edges are the pieces of a frame.
type edges struct{ tl, tr, bl, br, across, down string }

func edgesOf(focused bool) edges {
	if focused {
		return edges{"┏", "┓", "┗", "┛", "━", "┃"}
	}
	return edges{"╭", "╮", "╰", "╯", "─", "│"}
}

// Render gives exactly h lines of exactly w cells. Lines may hold colours;
// they are cut or padded to the inside, which is w-2 by h-2 cells.
func (t *Theme) Render(b Box, lines []string, w, h int) []string {
	out := make([]string, 0, h)
	if h < 2 || w < 4 {
		return t.bare(lines, w, h)
	}
	side := t.Side(b.Focused)
	out = append(out, t.Top(b, w))
	for i := range h - 2 {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		out = append(out, t.Finish(side+FitStyled(line, w-2)+side))
	}
	return append(out, t.Bottom(b, w))
}

// bare is what is left of a box that has no room for a frame.
func (t *Theme) bare(lines []string, w, h int) []string {
	out := make([]string, max(h, 0))
	for i := range out {
		if i < len(lines) {
			out[i] = lines[i]
		}
		out[i] = t.Finish(FitStyled(out[i], w))
	}
	return out
}

// Side is the painted piece at the left and right of every inner line.
func (t *Theme) Side(focused bool) string {
	return t.Paint(borderTone(focused), edgesOf(focused).down)
}

// Top is the upper edge in exactly w cells, w at least 4.
func (t *Theme) Top(b Box, w int) string {
	e, right := edgesOf(b.Focused), ""
	if least := min(Width(b.Title), 12) + 2; b.Right != "" && w-2-least >= 6 {
		right = t.inset(b.Right, b.Tone, b.Focused, w-2-least)
	}
	return t.edge(b.Focused, e.tl, t.titleOf(b, e, w-Width(right)), right, e.tr, w)
}

// Bottom is the lower edge in exactly w cells, w at least 4.
func (t *Theme) Bottom(b Box, w int) string {
	e := edgesOf(b.Focused)
	foot, note := "", ""
	room := w - 2
	if b.Foot != "" && room >= Width(b.Foot)+4 {
		foot = t.inset(b.Foot, Plain, b.Focused, room-2) + t.Paint(borderTone(b.Focused), e.across)
		room -= Width(foot)
	}
	if b.Note != "" && room >= 6 {
		note = t.inset(b.Note, b.Tone, b.Focused, room-1)
	}
	return t.edge(b.Focused, e.bl, note, foot, e.br, w)
}

// titleOf is " Title ─ info ", cut so that a corner stays.
func (t *Theme) titleOf(b Box, e edges, w int) string {
	if b.Title == "" {
		return ""
	}
	room := w - 4
	tone := Strong
	if b.Focused {
		tone = Focus
	}
	title := " " + t.Paint(tone, Cut(b.Title, room)) + " "
	room -= Width(b.Title) + 2 + 1
	if b.Info == "" || room < 3 {
		return title
	}
	return title + t.Paint(borderTone(b.Focused), e.across) + " " + cutParts(b.Info, room) + " "
}

// cutParts leaves out whole parts of "12 held · 7 expired" from the end, and
// cuts only the first one.
func cutParts(s string, w int) string {
	head := s
	for Width(head) > w {
		i := strings.LastIndex(strings.TrimSuffix(head, " · …"), " · ")
		if i < 0 {
			return Cut(s, w)
		}
		head = head[:i] + " · …"
	}
	return Cut(head, w)
}

// inset is a text let into an edge, in at most w cells.
func (t *Theme) inset(s string, tone Tone, focused bool, w int) string {
	if tone == Plain {
		tone = borderTone(focused)
	}
	return " " + t.Paint(tone, Cut(s, w-2)) + " "
}

// edge fills the room between left and right with the line.
func (t *Theme) edge(focused bool, from, left, right, to string, w int) string {
	tone, across := borderTone(focused), edgesOf(focused).across
	fill := max(w-2-Width(left)-Width(right), 0)
	line := t.Paint(tone, from) + left + t.Paint(tone, strings.Repeat(across, fill)) + right + t.Paint(tone, to)
	return t.Finish(line)
}

func borderTone(focused bool) Tone {
	if focused {
		return Focus
	}
	return Border
}
