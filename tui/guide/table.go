package guide

import (
	"fmt"
	"regexp"
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
	cols, natural, titles := make([]ui.Column, len(t.Columns)), make([]int, len(t.Columns)), make([]string, len(t.Columns))
	for i, name := range t.Columns {
		titles[i] = strings.ToUpper(strings.ReplaceAll(name, "_", " "))
		natural[i] = ui.Width(titles[i])
		for _, r := range t.Rows {
			natural[i] = max(natural[i], ui.Width(cell(r, i)))
		}
		cols[i] = ui.Column{Title: titles[i], Min: min(natural[i], 12), Right: figures(t.Rows, i)}
		if i > 1 {
			cols[i].Drop = i
		}
	}
	widths := ui.Layout(cols, natural, w, gap)
	out := []dialog.Para{{Text: line(titles, cols, widths), Exact: true, Tone: ui.Header}}
	for _, r := range t.Rows {
		out = append(out, dialog.Para{Text: line(r, cols, widths), Exact: true})
	}
	return out
}

// figure is a number with its unit, or a duration.
var figure = regexp.MustCompile(`^[≥≤<>+-]?\d[\d,.]*( ?(%|[kMGT]?i?B|[µm]?s|min|m|h|d)|[dhm]\d+[hms])?$`)

// figures tells whether a column holds numbers only; they are right-aligned.
func figures(rows [][]string, i int) bool {
	n := 0
	for _, r := range rows {
		switch c := cell(r, i); {
		case figure.MatchString(c):
			n++
		case c != "" && c != "–" && c != "-":
			return false
		}
	}
	return n > 0
}

func cell(row []string, i int) string {
	if i < len(row) {
		return row[i]
	}
	return ""
}

func line(row []string, cols []ui.Column, widths []int) string {
	var b strings.Builder
	for i, n := range widths {
		fit := ui.Fit
		if cols[i].Right {
			fit = ui.FitRight
		}
		if n > 0 {
			b.WriteString(fit(strings.ReplaceAll(cell(row, i), "\n", " "), n) + ui.Blank(gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
