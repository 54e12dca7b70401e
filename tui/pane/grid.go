package pane

import (
	"math"
	"strings"

	"gradecockpit/tui/ui"
)

// Grid is a pane as plain text cells, for whoever judges or prints them.
type Grid struct {
	Columns []string   // their titles
	Rows    [][]string // as many cells as Columns each
	Lines   []string   // the rows that leave the columns: headings, sentences
	Notes   []string
	Problem string // why there can be no rows
}

// Grid gives the rows that the filter lets through.
func (t *Table) Grid() Grid {
	t.refresh()
	g := Grid{Problem: t.content.Problem}
	for _, c := range t.spec.Columns() {
		g.Columns = append(g.Columns, c.Title)
	}
	for _, n := range t.content.Notes {
		g.Notes = append(g.Notes, n.Text)
	}
	for _, i := range t.view {
		row := &t.content.Rows[i]
		if row.Span {
			g.Lines = append(g.Lines, strings.TrimRight(plainRow(row, nil, nil), " "))
			continue
		}
		cells := make([]string, len(g.Columns))
		for j := range min(len(cells), len(row.Cells)) {
			cells[j] = strings.TrimSpace(ui.Cut(row.Cells[j].Text, math.MaxInt32))
		}
		g.Rows = append(g.Rows, cells)
	}
	return g
}
