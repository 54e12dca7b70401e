package pane

import "gradecockpit/tui/keys"

// Handle takes the commands that belong to the table itself: moving, sorting,
// marking, stepping through matches, and Back, which clears the filter, then
// the marks. page is the number of rows that a page moves, 0 what is on the
// screen. It tells whether it took the command.
func (t *Table) Handle(cmd keys.Command, page int) bool {
	t.refresh()
	if page <= 0 {
		page = max(t.page, 1)
	}
	if to, ok := t.destination(cmd, page); ok {
		t.moveTo(to)
		return true
	}
	switch cmd {
	case keys.Mark:
		t.mark()
	case keys.SortLeft:
		t.sortStep(-1)
	case keys.SortRight:
		t.sortStep(+1)
	case keys.SortFlip:
		t.desc = !t.desc
		t.sortBy = max(t.sortBy, 0)
		t.rebuild()
	case keys.Back:
		return t.back()
	default:
		return false
	}
	return true
}

// destination is the place a moving command leads to; -1 when there is none.
func (t *Table) destination(cmd keys.Command, page int) (int, bool) {
	switch cmd {
	case keys.Down:
		return t.step(+1), true
	case keys.Up:
		return t.step(-1), true
	case keys.PageDown:
		return t.leap(page), true
	case keys.PageUp:
		return t.leap(-page), true
	case keys.HalfPageDown:
		return t.leap(max(page/2, 1)), true
	case keys.HalfPageUp:
		return t.leap(-max(page/2, 1)), true
	case keys.Top:
		return t.next(-1, +1), true
	case keys.Bottom:
		return t.next(len(t.view), -1), true
	case keys.NextMatch:
		return t.match(+1), true
	case keys.PrevMatch:
		return t.match(-1), true
	}
	return 0, false
}

// next is the nearest place after from, in a direction, that the cursor can
// stand on; -1 when there is none.
func (t *Table) next(from, direction int) int {
	for i := from + direction; i >= 0 && i < len(t.view); i += direction {
		if !t.content.Rows[t.view[i]].Skip {
			return i
		}
	}
	return -1
}

// step is one row on. From a row that vanished it goes to the one that took its
// place, or the one before it; from nothing at all to the first.
func (t *Table) step(direction int) int {
	from := t.at
	switch {
	case t.cursor == "":
		from, direction = -1, +1
	case t.at < 0 && direction > 0:
		from = min(t.last, len(t.view)) - 1
	case t.at < 0:
		from = min(t.last, len(t.view))
	}
	if to := t.next(from, direction); to >= 0 {
		return to
	}
	if t.at < 0 {
		return t.next(from, -direction)
	}
	return t.at
}

// leap is n rows on, or as far as it goes.
func (t *Table) leap(n int) int {
	if t.at < 0 {
		return t.step(sign(n))
	}
	to := min(max(t.at+n, 0), len(t.view)-1)
	if !t.content.Rows[t.view[to]].Skip {
		return to
	}
	if further := t.next(to, sign(n)); further >= 0 {
		return further
	}
	return t.next(to, -sign(n))
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// match is the next row that the last filter matches, round the end. With the
// filter on all rows do.
func (t *Table) match(direction int) int {
	n := len(t.view)
	start := t.at
	if t.at < 0 && direction < 0 {
		start = 0
	}
	for i := 1; i <= n; i++ {
		place := ((start+direction*i)%n + n) % n
		row := &t.content.Rows[t.view[place]]
		if !row.Skip && t.sought.match(row) {
			return place
		}
	}
	return t.at
}

// moveTo puts the cursor on a place; -1 leaves it.
func (t *Table) moveTo(place int) {
	if place < 0 || place >= len(t.view) {
		return
	}
	t.at, t.last = place, place
	t.cursor = t.content.Rows[t.view[place]].Key
	t.changed()
}

// mark turns the mark of the row under the cursor round and steps on.
func (t *Table) mark() {
	row, ok := t.Selected()
	if !ok {
		return
	}
	if t.marks[row.Key] {
		delete(t.marks, row.Key)
	} else {
		t.marks[row.Key] = true
	}
	t.moveTo(t.step(+1))
	t.changed()
}

// back undoes one thing that hides or collects rows.
func (t *Table) back() bool {
	switch {
	case t.filter.text != "":
		t.SetFilter("")
	case len(t.marks) > 0:
		t.marks = map[string]bool{}
		t.changed()
	default:
		return false
	}
	return true
}
