package pane

import (
	"strconv"
	"strings"

	"gradecockpit/tui/ui"
)

// gap is the room between two columns.
const gap = 2

// Render gives exactly h lines of exactly w cells, frame included. Its cost
// hangs on w and h, not on the rows behind the screen; those are walked over
// only when the data, the filter or the sort changed.
func (t *Table) Render(w, h int, focused bool) []string {
	if inner := max(w-2, 0); inner != t.in.Width {
		t.in.Width, t.stale = inner, true
		t.changed()
	}
	t.refresh()
	if focused && t.cursor == "" && t.chosen > 0 {
		t.moveTo(t.next(-1, +1))
	}
	if c := t.cache; c.lines != nil && c.w == w && c.h == h && c.focused == focused {
		return c.lines
	}
	t.cache = cache{w, h, focused, t.layOut(w, h, focused)}
	return t.cache.lines
}

func (t *Table) layOut(w, h int, focused bool) []string {
	if h < 3 || w < 8 {
		return t.theme.Render(ui.Box{}, []string{t.title() + " " + t.content.Summary}, w, max(h, 0))
	}
	body := t.body(w-2, h-2, focused)
	box := t.box(focused)
	side := t.theme.Side(focused)
	lines := make([]string, 0, h)
	lines = append(lines, t.theme.Top(box, w))
	for i := range h - 2 {
		line := ui.Blank(w - 2)
		if i < len(body) {
			line = body[i]
		}
		lines = append(lines, t.theme.Finish(side+line+side))
	}
	return append(lines, t.theme.Bottom(box, w))
}

func (t *Table) title() string {
	return strings.TrimSpace(Digit(t.number) + " " + t.spec.Title())
}

// Digit is the key that focuses the n-th pane, from 1: the tenth has 0, and
// those after it none.
func Digit(n int) string {
	if n < 1 || n > 10 {
		return ""
	}
	return strconv.Itoa(n % 10)
}

func (t *Table) box(focused bool) ui.Box {
	b := ui.Box{Title: t.title(), Info: t.content.Summary, Focused: focused, Foot: t.foot(), Tone: ui.Warn}
	b.Right = joined(" · ", t.age(), t.filterNote())
	b.Note = t.lacking()
	if t.Gone() {
		b.Note = "the row you were on is gone"
	}
	return b
}

func (t *Table) filterNote() string {
	if t.filter.text == "" {
		return ""
	}
	return "/" + t.filter.text
}

// foot is where the cursor is: "2 marked · 3/12".
func (t *Table) foot() string {
	if t.chosen == 0 && len(t.marks) == 0 {
		return ""
	}
	marked := ""
	if len(t.marks) > 0 {
		marked = strconv.Itoa(len(t.marks)) + " marked"
	}
	if t.at < 0 {
		return joined(" · ", marked, ui.Count(int64(t.chosen)))
	}
	return joined(" · ", marked, strconv.Itoa(t.ordinal())+"/"+strconv.Itoa(t.chosen))
}

// ordinal counts the rows up to the cursor that it can stand on.
func (t *Table) ordinal() int {
	n := 0
	for _, i := range t.view[:t.at+1] {
		if !t.content.Rows[i].Skip {
			n++
		}
	}
	return n
}

func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// body is what stands inside the frame: the reason why the rows are not fresh,
// then the rows, or a sentence that says why there are none.
func (t *Table) body(w, h int, focused bool) []string {
	var lines []string
	if says := t.trouble(); says != "" {
		lines = t.sentence(says, ui.Bad, w, min(h, 3))
		if !t.answered() {
			return t.sentence(says, ui.Plain, w, h)
		}
	}
	lines = append(lines, t.notes(w, (h-len(lines))/2)...)
	if len(t.view) == 0 {
		says, tone := t.nothing()
		return append(lines, t.sentence(says, tone, w, h-len(lines))...)
	}
	return append(lines, t.rows(w, h-len(lines), focused)...)
}

// notes are the sentences above the rows, in at most h lines.
func (t *Table) notes(w, h int) []string {
	var lines []string
	for _, n := range t.content.Notes {
		lines = append(lines, t.sentence(n.Text, n.Tone, w, min(2, h-len(lines)))...)
	}
	return lines
}

// nothing says why there is no row.
func (t *Table) nothing() (string, ui.Tone) {
	switch {
	case t.content.Problem != "":
		return t.content.Problem, ui.Warn
	case len(t.content.Rows) > 0:
		return "No row matches " + t.filter.text + ". esc clears the filter.", ui.Plain
	case t.content.Empty != "":
		return t.content.Empty, ui.Plain
	}
	return "Nothing to show.", ui.Plain
}

// sentence wraps prose into at most h lines of w cells; … ends what had no room.
func (t *Table) sentence(says string, tone ui.Tone, w, h int) []string {
	var lines []string
	wrapped := ui.Wrap(says, w-2)
	for i, l := range wrapped[:max(min(len(wrapped), h), 0)] {
		if i == h-1 && len(wrapped) > h {
			l = ui.Cut(l+"…", w-2)
		}
		lines = append(lines, t.theme.Paint(tone, ui.Fit(" "+l, w)))
	}
	return lines
}

// rows gives the column titles and the rows on the screen.
func (t *Table) rows(w, h int, focused bool) []string {
	gutter := 1
	if len(t.marks) > 0 {
		gutter = 2
	}
	widths := ui.Layout(t.spec.Columns(), t.natural, w-gutter-1, gap)
	var lines []string
	if h > 2 && t.tabular() {
		lines = append(lines, t.header(widths, gutter, w))
	}
	t.page = max(h-len(lines)-t.reserved(h, focused), 0)
	t.scroll()
	dim := t.trouble() != ""
	for place := t.top; place < min(t.top+t.page, len(t.view)); place++ {
		lines = append(lines, t.row(place, widths, gutter, w, focused, dim))
	}
	if focused && t.at >= 0 {
		lines = append(lines, t.rest(widths, w, h-len(lines))...)
	}
	return lines
}

// reserved is the room kept free for what the row under the cursor says in
// full, in panes whose rows have more to say than a line holds.
func (t *Table) reserved(h int, focused bool) int {
	if !focused || t.details == 0 || h < 14 {
		return 0
	}
	return min(h/3, t.details+3) // a blank line, and two for columns that were cut
}

// tabular tells whether any row has columns; headings alone need no titles.
func (t *Table) tabular() bool {
	for _, i := range t.view {
		if !t.content.Rows[i].Span {
			return true
		}
	}
	return false
}

// scroll keeps the cursor on the screen with the lines that belong to its row,
// and the screen full. Above the first row the headings show as well.
func (t *Table) scroll() {
	if t.at >= 0 {
		end := t.at
		for end+1 < len(t.view) && t.content.Rows[t.view[end+1]].Under {
			end++
		}
		t.top = min(max(t.top, end-t.page+1), t.at)
		t.top = max(t.top, t.at-t.page+1)
		if t.at == t.next(-1, +1) && t.at < t.page {
			t.top = 0
		}
	}
	t.top = max(min(t.top, len(t.view)-t.page), 0)
}

func (t *Table) header(widths []int, gutter, w int) string {
	var b strings.Builder
	b.WriteString(ui.Blank(gutter))
	for i, c := range t.spec.Columns() {
		title := c.Title
		if i == t.sortBy {
			title += map[bool]string{false: ui.SignUp, true: ui.SignDown}[t.desc]
		}
		b.WriteString(fitTitle(title, widths[i], c.Right, i == t.sortBy))
	}
	return t.theme.Paint(ui.Header, ui.Fit(strings.TrimRight(b.String(), " "), w))
}

// fitTitle is a column title with the gap after it, into which a sort sign may
// reach; "" when the column is not shown.
func fitTitle(s string, w int, right, sign bool) string {
	if w == 0 {
		return ""
	}
	if sign && ui.Width(s) > w {
		return ui.Fit(s, w+gap-1) + " "
	}
	return fitCell(s, w, ui.Column{Right: right}) + ui.Blank(gap)
}

// fitCell is a text in exactly the width of its column.
func fitCell(s string, w int, c ui.Column) string {
	switch {
	case c.Right:
		return ui.FitRight(s, w)
	case c.Ends:
		return ui.Fit(ui.CutMiddle(s, w), w)
	}
	return ui.Fit(s, w)
}

// row paints one row in exactly w cells.
func (t *Table) row(place int, widths []int, gutter, w int, focused, dim bool) string {
	row := &t.content.Rows[t.view[place]]
	here := place == t.at
	p := painter{theme: t.theme, room: w, lit: here && focused, dim: dim}
	p.add(ui.Accent, t.gutter(row, here, gutter))
	if row.Span {
		p.span(row.Cells)
		return p.line()
	}
	cols := t.spec.Columns()
	for i := range row.Cells {
		if i < len(widths) && widths[i] > 0 {
			p.add(row.Cells[i].Tone, fitCell(row.Cells[i].Text, widths[i], cols[i]))
			p.add(ui.Plain, ui.Blank(min(gap, p.room)))
		}
	}
	return p.line()
}

// gutter holds the cursor and the mark.
func (t *Table) gutter(row *Row, here bool, n int) string {
	s := " "
	if here {
		s = ui.SignCursor
	}
	switch {
	case n == 1:
		return s
	case t.marks[row.Key]:
		return s + ui.SignMark
	}
	return s + " "
}

// painter puts together a line out of painted pieces, and never more than room.
type painter struct {
	theme    *ui.Theme
	b        strings.Builder
	room     int
	lit, dim bool
}

func (p *painter) add(tone ui.Tone, s string) {
	n := ui.Width(s)
	if n > p.room {
		s, n = ui.Fit(s, p.room), p.room
	}
	if n == 0 {
		return
	}
	if p.dim {
		tone = ui.Dim
	}
	p.theme.PaintTo(&p.b, tone, p.lit, s)
	p.room -= n
}

// span adds cells one after the other. What would only be a stump is left out.
func (p *painter) span(cells []ui.Cell) {
	for i := range cells {
		if i > 0 && p.room < 6 && ui.Width(cells[i].Text) > p.room {
			return
		}
		p.add(cells[i].Tone, ui.Cut(cells[i].Text, p.room))
		p.add(ui.Plain, ui.Blank(min(gap, p.room)))
	}
}

func (p *painter) line() string {
	p.add(ui.Plain, ui.Blank(p.room))
	return p.b.String()
}
