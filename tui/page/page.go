// Package page is what a page is: one thing on the whole screen, opened by
// enter or `o` from a row that names it, or by the command line. A Spec says
// what to show, either as prose or as rows; the app gives every page the same
// loading, movement, actions and states. Each Spec lives in a package of its
// own under tui/pages and is listed once in the catalogue (tui/pages).
package page

import (
	"context"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Reader reads what a page shows, within ctx. The app calls it in the
// background; a value it gave stays on the screen, marked with its age, when
// the next call fails.
type Reader func(ctx context.Context, ref pane.Ref) (any, error)

// Spec is one kind of page. Exactly one of Text and Rows is set.
type Spec struct {
	Kind pane.Kind
	// Title is what kind of thing it is: "Session". The name of the thing follows.
	Title string
	// Word is the word of the command line: ":trace ID"; "" none. Help says what
	// the ID is and what the page shows, in a few words. Whole tells that the page
	// also makes sense without an ID.
	Word  string
	Help  string
	Whole bool
	// Opens, Follows and Yanks are what the footer calls enter, o and y; "" open,
	// follow and copy id.
	Opens, Follows, Yanks string
	// Needs are the probes it shows; it is laid out again when one has news.
	Needs []probes.ID
	// Every is how often its Reader is asked again while the page is open; 0:
	// once, and again on ctrl+r.
	Every time.Duration
	// Takes is how long the Reader may take; 0: 10 s.
	Takes time.Duration
	// Actions are the IDs of the actions whose keys live here.
	Actions []string
	// Text makes a page of prose or of a chart, once the Reader has given
	// something. It reads no clock and no environment.
	Text func(Input) Text
	// Rows makes the spec of a page of rows. Its first need is [pane.ReadID] where
	// there is a Reader; its Content finds what that gave in Input.Data.
	Rows func(ref pane.Ref) pane.Spec
}

// Input is all that a page may look at. Width and Height are of the inside.
type Input struct {
	pane.Input
	Ref    pane.Ref
	Height int
	Read   time.Time // when Data was read, by our clock; zero: never
}

// Text is a page of prose.
type Text struct {
	Mark   string // at the right of the title: a state or a verdict
	Tone   ui.Tone
	Paras  []dialog.Para
	Target *actions.Target // what actions aim at; nil: nothing
	Links  []pane.Ref      // what `o` follows
	Yank   string          // what `y` copies; "" the ID
}
