package guide

import (
	"fmt"
	"strings"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// gap is the room between two columns.
const gap = 2

// seen is what a step saw as lines of at most w cells.
func seen(t playbook.Table, w int) []dialog.Para {
	var out []dialog.Para
	if t.Note != "" {
		out = append(out, dialog.Para{Text: sentence(t.Note), Tone: ui.Dim})
	}
	out = append(out, rows(t, w)...)
	for _, l := range t.Lines {
		out = append(out, dialog.Para{Text: l, Exact: true})
	}
	if t.More > 0 {
		out = append(out, dialog.Para{Text: fmt.Sprintf("… and %s more", ui.Count(int64(t.More))), Tone: ui.Dim})
	}
	return out
}

// rows lays a table out: a column is cut before it is left out, and the first
// ones, which name the row, go last.
func rows(t playbook.Table, w int) []dialog.Para {
	if len(t.Columns) == 0 || len(t.Rows) == 0 {
		return nil
	}
	cols, natural := make([]ui.Column, len(t.Columns)), make([]int, len(t.Columns))
	for i, name := range t.Columns {
		natural[i] = ui.Width(name)
		for _, r := range t.Rows {
			natural[i] = max(natural[i], ui.Width(cell(r, i)))
		}
		cols[i] = ui.Column{Title: name, Min: min(natural[i], 12)}
		if i > 1 {
			cols[i].Drop = i
		}
	}
	widths := ui.Layout(cols, natural, w, gap)
	out := []dialog.Para{{Text: line(t.Columns, widths), Exact: true, Tone: ui.Header}}
	for _, r := range t.Rows {
		out = append(out, dialog.Para{Text: line(r, widths), Exact: true})
	}
	return out
}

func cell(row []string, i int) string {
	if i < len(row) {
		return row[i]
	}
	return ""
}

func line(row []string, widths []int) string {
	var b strings.Builder
	for i, n := range widths {
		if n > 0 {
			b.WriteString(ui.Fit(strings.ReplaceAll(cell(row, i), "\n", " "), n) + ui.Blank(gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
