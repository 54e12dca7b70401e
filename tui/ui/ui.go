// Package ui makes text of an exact size: cut and pad by cells, tables,
// sparklines, bars, boxes, the theme. It knows no program, no probe and no
// terminal; everything in it is a pure function.
package ui

// Tone is the meaning of a piece of text; the theme gives it a colour. Colour
// never carries a meaning alone: a word or a sign says the same.
type Tone int

// The tones.
const (
	Plain Tone = iota
	Dim
	Good
	Warn
	Bad
	Accent // copies, names one can open
	Strong

	// What follows is for the parts of the screen that are ours.
	Header // column titles
	Border
	Focus // border and title of the pane that has the keys
	Key   // a key in the footer
	tones // how many there are
)

// Cell is one field of a table row.
type Cell struct {
	Text string // cleaned at the probe; never holds an escape sequence
	Tone Tone
	// Sort is what the column is sorted by; "" sorts by Text. Numbers and times
	// use SortNum instead.
	Sort    string
	SortNum float64
	Numeric bool // sort by SortNum
}

// Column is one column of a table.
type Column struct {
	Title string
	Min   int  // cells it needs at least
	Max   int  // cells it can use; 0: takes what is left
	Right bool // numbers and durations are right-aligned
	// Drop is the order in which columns go when there is no room: the highest
	// goes first; 0 never goes.
	Drop int
	Ends bool // cut in the middle: both ends tell
}
