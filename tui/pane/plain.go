package pane

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"gradecockpit/tui/ui"
)

// Plain writes the whole pane as text for a pipe or a screen reader: title,
// state, an aligned table of all columns, no colours, no frame.
func (t *Table) Plain(w io.Writer) error {
	t.refresh()
	lines := []string{t.spec.Title()}
	if t.content.Summary != "" {
		lines[0] += ": " + t.content.Summary
	}
	if says := joined(" ", t.trouble(), parens(t.age())); says != "" {
		lines = append(lines, says)
	}
	if says := t.lacking(); says != "" {
		lines = append(lines, says)
	}
	for _, n := range t.content.Notes {
		lines = append(lines, n.Text)
	}
	switch says, _ := t.nothing(); {
	case len(t.view) > 0:
		lines = append(lines, t.plainRows()...)
	case t.answered():
		lines = append(lines, says)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, t.theme.Finish(strings.TrimRight(l, " "))); err != nil {
			return err
		}
	}
	return nil
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func (t *Table) plainRows() []string {
	var lines []string
	cols := t.spec.Columns()
	if t.tabular() {
		var b strings.Builder
		for i, c := range cols {
			b.WriteString(fitTitle(c.Title, t.natural[i], c.Right, false))
		}
		lines = append(lines, b.String())
	}
	for _, i := range t.view {
		lines = append(lines, plainRow(&t.content.Rows[i], cols, t.natural))
	}
	return lines
}

func plainRow(row *Row, cols []ui.Column, widths []int) string {
	var b strings.Builder
	for i := range row.Cells {
		switch {
		case row.Span:
			b.WriteString(ui.Cut(row.Cells[i].Text, math.MaxInt32) + ui.Blank(gap))
		case i < len(cols):
			b.WriteString(fitCell(row.Cells[i].Text, widths[i], cols[i]) + ui.Blank(gap))
		}
	}
	return b.String()
}

// Report is a pane for programs.
type Report struct {
	Pane    ID               `json:"pane"`
	Summary string           `json:"summary"`
	State   string           `json:"state"`             // live, stale, denied, unknown
	Trouble string           `json:"trouble,omitempty"` // why it is not live, or why there are no rows
	Notes   []string         `json:"notes,omitempty"`   // what is wrong with all rows, or was left out
	Rows    []map[string]any `json:"rows"`
}

// Report gives the rows as objects. A cell stands under its column's title in
// lower case; one that is sorted by a number has it beside as <title>_value
// (seconds for times, null when not known).
func (t *Table) Report() Report {
	t.refresh()
	snap, _ := t.main()
	r := Report{Pane: t.spec.ID(), Summary: t.content.Summary, State: snap.Health().String(), Rows: []map[string]any{}}
	r.Trouble = joined(" ", t.trouble(), t.content.Problem)
	for _, n := range t.content.Notes {
		r.Notes = append(r.Notes, n.Text)
	}
	for _, i := range t.view {
		r.Rows = append(r.Rows, t.content.Rows[i].Also...)
		if o := object(&t.content.Rows[i], t.spec.Columns()); o != nil {
			r.Rows = append(r.Rows, o)
		}
	}
	return r
}

// JSON writes the report.
func (t *Table) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(t.Report())
}

// object is a row for programs; nil for one that is only a heading.
func object(row *Row, cols []ui.Column) map[string]any {
	if row.Data != nil || row.Span {
		return row.Data
	}
	o := map[string]any{"key": row.Key}
	for i := range min(len(row.Cells), len(cols)) {
		name := snake(cols[i].Title)
		cell := row.Cells[i]
		o[name] = cell.Text
		if cell.Numeric {
			o[name+"_value"] = number(cell.SortNum)
		}
	}
	return o
}

func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// snake writes a column's title as a JSON name: "HELD BY" is held_by.
func snake(title string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "_")
}
