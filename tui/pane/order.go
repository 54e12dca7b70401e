package pane

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gradecockpit/tui/ui"
)

// query is a filter as it was typed.
type query struct {
	text   string // as typed
	want   string // folded, without the !
	invert bool
}

func newQuery(text string) query {
	want, invert := strings.CutPrefix(text, "!")
	return query{text: text, want: ui.Fold(want), invert: invert}
}

// blank tells that the query holds back nothing.
func (q query) blank() bool { return q.want == "" }

// match tells whether the query lets a row through.
func (q query) match(r *Row) bool { return q.blank() || q.hit(r) != q.invert }

// hit tells whether any cell of the row holds the text.
func (q query) hit(r *Row) bool {
	return slices.ContainsFunc(r.Cells, func(c ui.Cell) bool { return strings.Contains(ui.Fold(c.Text), q.want) })
}

// SetFilter filters as the user types; "" shows all rows. The cursor stays on
// its row while that matches, else it goes to the first match.
func (t *Table) SetFilter(text string) {
	t.refresh()
	had := t.at >= 0
	t.filter = newQuery(text)
	if _, ok := t.spec.(Seeker); ok {
		t.filter = query{text: text} // the source holds rows back, not the table
		t.cursor, had = "", false    // what comes are other rows; none of these is gone
	}
	if !t.filter.blank() {
		t.sought = t.filter
	}
	t.rebuild()
	if had && t.at < 0 {
		t.moveTo(t.next(-1, +1))
	}
}

// Filter gives the filter as it was typed.
func (t *Table) Filter() string { return t.filter.text }

// matches tells whether a row or what stands under it holds the text.
func (t *Table) matches(i int) bool {
	rows := t.content.Rows
	found := t.filter.hit(&rows[i])
	for j := i + 1; j < len(rows) && rows[j].Under; j++ {
		found = found || t.filter.hit(&rows[j])
	}
	return found != t.filter.invert
}

// filtered gives the rows that match, without those that stand under another.
// A heading stays when a row below it does.
func (t *Table) filtered() []int {
	rows := t.content.Rows
	view := make([]int, 0, len(rows))
	headings := []int{}
	for i := range rows {
		heading := rows[i].Skip && !t.filter.blank()
		switch {
		case rows[i].Under:
		case heading && rows[i].Span:
			headings = append(headings[:0], i)
		case heading:
		case t.filter.blank() || t.matches(i):
			view = append(append(view, headings...), i)
			headings = headings[:0]
		}
	}
	return view
}

// sorted sorts by the chosen column. Span rows stay where they are; the rows
// between two of them are sorted among themselves.
func (t *Table) sorted(view []int) []int {
	if t.sortBy < 0 {
		return view
	}
	for from := 0; from < len(view); from++ {
		to := from
		for to < len(view) && !t.content.Rows[view[to]].Span {
			to++
		}
		slices.SortStableFunc(view[from:to], t.compare)
		from = to
	}
	return view
}

// completed puts after each row what stands under it.
func (t *Table) completed(view []int) []int {
	rows := t.content.Rows
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Under }) {
		return view
	}
	out := make([]int, 0, len(rows))
	for _, i := range view {
		out = append(out, i)
		for j := i + 1; j < len(rows) && rows[j].Under; j++ {
			out = append(out, j)
		}
	}
	return out
}

// compare orders two rows. What is not known comes last in either direction.
func (t *Table) compare(i, j int) int {
	a, b := cellAt(t.content.Rows[i], t.sortBy), cellAt(t.content.Rows[j], t.sortBy)
	if a.Numeric && b.Numeric {
		if math.IsNaN(a.SortNum) || math.IsNaN(b.SortNum) {
			return cmp.Compare(nan(a.SortNum), nan(b.SortNum))
		}
		return t.directed(cmp.Compare(a.SortNum, b.SortNum))
	}
	return t.directed(cmp.Compare(sortText(a), sortText(b)))
}

func (t *Table) directed(c int) int {
	if t.desc {
		return -c
	}
	return c
}

func nan(f float64) int {
	if math.IsNaN(f) {
		return 1
	}
	return 0
}

func sortText(c ui.Cell) string {
	if c.Sort != "" {
		return c.Sort
	}
	return ui.Fold(c.Text)
}

func cellAt(r Row, i int) ui.Cell {
	if i < len(r.Cells) {
		return r.Cells[i]
	}
	return ui.Cell{}
}

// sortStep chooses the next column to sort by; the spec's own order is one stop
// on the way round.
func (t *Table) sortStep(step int) {
	n := len(t.spec.Columns()) + 1
	t.sortBy = (t.sortBy+1+step+n)%n - 1
	t.rebuild()
}

// naturalWidths measures the widest cell of each column, title included.
func naturalWidths(cols []ui.Column, rows []Row) []int {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = ui.Width(c.Title)
	}
	for r := range rows {
		if rows[r].Span {
			continue
		}
		for i := range min(len(rows[r].Cells), len(cols)) {
			widths[i] = max(widths[i], ui.Width(rows[r].Cells[i].Text))
		}
	}
	return widths
}
