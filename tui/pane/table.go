package pane

import (
	"fmt"

	"gradecockpit/probes/clean"
	"gradecockpit/tui/ui"
)

// Table shows one Spec and keeps what the user did to it: cursor, marks,
// filter, sort. Rows are held on to by their key: when the row under the cursor
// vanishes the cursor is on nothing until it is moved, never on a neighbour,
// because the next key might act on it. It is used from one goroutine.
type Table struct {
	spec   Spec
	theme  *ui.Theme
	number int

	in      Input
	content Content
	stale   bool // content is older than in

	natural []int // the widest cell of each column
	view    []int // indexes into content.Rows, filtered and sorted
	chosen  int   // how many of them the cursor can stand on
	details int   // the most lines that a row has to say beyond its cells, about

	cursor string // key of the row the cursor is on; "" none yet
	at     int    // its place in view; -1: on nothing
	last   int    // its last place, from where a move goes on
	top    int    // first place on the screen
	page   int    // rows on the screen, at the last Render

	marks  map[string]bool
	filter query
	sought query // the last filter that was set, for n and N
	sortBy int   // column; -1: as the spec gives them
	desc   bool

	cache cache
}

// cache is the last rendering; nothing is laid out again until something changed.
type cache struct {
	w, h    int
	focused bool
	lines   []string
}

// New makes the table of a spec. number is the key that focuses it, 0 none.
func New(spec Spec, theme *ui.Theme, number int) *Table {
	return &Table{spec: spec, theme: theme, number: number, at: -1, sortBy: -1, marks: map[string]bool{}}
}

// Spec gives what the table shows.
func (t *Table) Spec() Spec { return t.spec }

// SetInput brings new data, or a new time for the ages. Width is set by Render.
func (t *Table) SetInput(in Input) {
	in.Width = t.in.Width
	t.in = in
	t.stale = true
	t.changed()
}

// changed forgets the last rendering.
func (t *Table) changed() { t.cache.lines = nil }

// refresh makes the content from the newest input, once.
func (t *Table) refresh() {
	if !t.stale {
		return
	}
	t.stale = false
	t.content = Content{}
	if t.answered() {
		t.content = guarded(t.spec, t.in)
	}
	t.details = 0
	for i := range t.content.Rows {
		t.details = max(t.details, 2*len(t.content.Rows[i].Detail)+len(t.content.Rows[i].Trace))
	}
	t.natural = naturalWidths(t.spec.Columns(), t.content.Rows)
	t.pruneMarks()
	t.rebuild()
}

// guarded makes the content. A pane that trips over a row takes away itself,
// not the cockpit.
func guarded(spec Spec, in Input) (c Content) {
	defer func() {
		if v := recover(); v != nil {
			c = Content{Summary: "broken", Problem: fmt.Sprintf(
				"This pane cannot show what it got: a bug of the cockpit's (%s). The other panes go on.", clean.Capped(fmt.Sprint(v), 80))}
		}
	}()
	return spec.Content(in)
}

// pruneMarks drops the marks of rows that are gone.
func (t *Table) pruneMarks() {
	if len(t.marks) == 0 {
		return
	}
	here := map[string]bool{}
	for _, r := range t.content.Rows {
		if t.marks[r.Key] {
			here[r.Key] = true
		}
	}
	t.marks = here
}

// rebuild filters and sorts, and finds the cursor's row again by its key.
func (t *Table) rebuild() {
	t.view = t.completed(t.sorted(t.filtered()))
	t.chosen = 0
	t.at = -1
	for place, i := range t.view {
		row := &t.content.Rows[i]
		if row.Skip {
			continue
		}
		t.chosen++
		if t.cursor != "" && row.Key == t.cursor && t.at < 0 {
			t.at, t.last = place, place
		}
	}
	t.changed()
}

// Selected is the row under the cursor; false when it is on nothing.
func (t *Table) Selected() (Row, bool) {
	t.refresh()
	if t.at < 0 {
		return Row{}, false
	}
	return t.content.Rows[t.view[t.at]], true
}

// Gone tells that the row the cursor was on has vanished.
func (t *Table) Gone() bool {
	t.refresh()
	return t.cursor != "" && t.at < 0
}

// Marked gives the marked rows, also those that the filter hides.
func (t *Table) Marked() []Row {
	t.refresh()
	var rows []Row
	for _, r := range t.content.Rows {
		if t.marks[r.Key] {
			rows = append(rows, r)
		}
	}
	return rows
}

// Summary is what the title says after the name of the pane.
func (t *Table) Summary() string {
	t.refresh()
	return t.content.Summary
}

// AtEnd tells that the cursor is on the last row, so that a pane which can be
// paged backwards should be given more.
func (t *Table) AtEnd() bool {
	t.refresh()
	return t.at >= 0 && t.at == t.next(len(t.view), -1)
}
