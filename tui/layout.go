package tui

// The smallest screen that still says something.
const (
	leastWidth  = 40
	leastHeight = 8
)

// The screen from which on panes are shown side by side, and the one on which
// all of them have room.
const (
	gridWidth  = 110
	gridHeight = 30
	fullWidth  = 160
	fullHeight = 44
)

// leastPane is the height of a pane side by side with others, frame included: a
// pane that shows four rows of its thirty helps nobody.
const leastPane = 10

// dashboard is how many panes, the first ones, are side by side where not all
// have room. The others are a key away.
const dashboard = 5

// aloneFactor is how much slower than its own probes one pane alone has the others
// run. They do not stop: it judges what is wrong like the whole cockpit, its first
// line says so, and its pages show whatever a copy needs. But a wall of such panes
// must not ask each source as often as so many cockpits would.
const aloneFactor = 8

// arrangement is how the panes share the screen.
type arrangement int

const (
	alone arrangement = iota // one pane, nothing else
	tabs                     // the focused pane, the others as tabs above it
	aside                    // like tabs, because the focused pane has no place in the grid
	grid                     // side by side, two a row, an odd one wide
)

// place is where a pane is drawn.
type place struct{ pane, x, y, w, h int }

// layout is what goes where: a pure function of sizes.
type layout struct {
	kind   arrangement
	header int // lines above the panes
	places []place
}

// lay shares w by h cells among n panes. One line below is the footer's.
func lay(w, h, n, focus int, only, zoom bool) layout {
	switch {
	case only || n == 1:
		return layout{alone, 1, []place{{focus, 0, 1, w, h - 2}}}
	case zoom || w < gridWidth || h < gridHeight:
		return layout{tabs, 3, []place{{focus, 0, 3, w, h - 4}}}
	}
	shown, head := n, 2
	if w < fullWidth || h < fullHeight {
		shown = min(n, dashboard)
	} else {
		shown = min(n, 2*((h-3)/leastPane))
	}
	if shown < n {
		head = 3 // a line for those that are a key away
	}
	if focus >= shown {
		return layout{aside, 3, []place{{focus, 0, 3, w, h - 4}}}
	}
	return layout{grid, head, bands(w, h-1-head, shown, head)}
}

// bands puts two panes a row; the upper rows get the spare lines.
func bands(w, h, n, y int) []place {
	rows := (n + 1) / 2
	var out []place
	for r := range rows {
		rh := h / rows
		if r < h%rows {
			rh++
		}
		if i := 2 * r; i+1 < n {
			out = append(out, place{i, 0, y, w / 2, rh}, place{i + 1, w / 2, y, w - w/2, rh})
		} else {
			out = append(out, place{i, 0, y, w, rh})
		}
		y += rh
	}
	return out
}
