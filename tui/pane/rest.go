package pane

import "gradecockpit/tui/ui"

// rest shows, in the free room below the rows, what the row under the cursor
// says in columns that were cut or have no room at all.
func (t *Table) rest(widths []int, w, h int) []string {
	row := &t.content.Rows[t.view[t.at]]
	says := t.hidden(row, widths)
	if row.Span {
		says = overflow(row, w-1)
	}
	if says == "" || h < 2 {
		return nil
	}
	return append([]string{ui.Blank(w)}, t.sentence(says, ui.Dim, w, h-1)...)
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
