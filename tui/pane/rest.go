package pane

import "gradecockpit/tui/ui"

// rest shows, in the free room below the rows, what the row under the cursor
// says in columns that were cut or have no room at all, and its details.
func (t *Table) rest(widths []int, w, h int) []string {
	row := &t.content.Rows[t.view[t.at]]
	says := t.hidden(row, widths)
	if row.Span {
		says = overflow(row, w-1)
	}
	var lines []string
	if says != "" {
		lines = t.sentence(says, ui.Dim, w, h-1)
	}
	for _, d := range row.Detail {
		lines = append(lines, t.sentence(d, ui.Plain, w, h-1-len(lines))...)
	}
	lines = append(lines, t.trace(row.Trace, w, h-1-len(lines))...)
	if len(lines) == 0 || h < 2 {
		return nil
	}
	return append([]string{ui.Blank(w)}, lines...)
}

// trace is the end of a traceback: that is where it says what happened.
func (t *Table) trace(trace []string, w, h int) []string {
	if h <= 0 {
		return nil
	}
	trace = trace[max(len(trace)-h, 0):]
	lines := make([]string, len(trace))
	for i, l := range trace {
		lines[i] = t.theme.Paint(ui.Dim, ui.Fit("   "+l, w))
	}
	return lines
}

// hidden collects the cells that are not fully on the screen, under the titles
// of their columns.
func (t *Table) hidden(row *Row, widths []int) string {
	var parts []string
	for i, c := range t.spec.Columns() {
		if i < len(row.Cells) && row.Cells[i].Text != "" && ui.Width(row.Cells[i].Text) > widths[i] {
			parts = append(parts, c.Title+" "+row.Cells[i].Text)
		}
	}
	return Joined(parts...)
}

// overflow is the text of a span row that is wider than the room for it.
func overflow(row *Row, room int) string {
	says := ""
	for i, c := range row.Cells {
		if i > 0 {
			says += ui.Blank(gap)
		}
		says += c.Text
	}
	if ui.Width(says) <= room {
		return ""
	}
	return says
}
