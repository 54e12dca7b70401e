// Package pane is what a pane is: a Spec says what to show, the Table in this
// package gives every pane the same movement, filter, sort, marks and frame.
// Each Spec lives in a package of its own under tui/panes and is listed once
// in the catalogue (tui/panes). Panes never import panes.
package pane

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/ui"
)

// ID names a pane: "locks", as in --pane locks and `show locks`.
type ID string

// Spec is one pane: a pure function from what the probes saw to rows.
type Spec interface {
	ID() ID
	Title() string // "Locks"
	// Needs are the probes it reads; it is laid out again when one of them has
	// news. The first one makes the rows: without it there are none, and while
	// it fails they are dimmed. The others only add to them.
	Needs() []probes.ID
	Columns() []ui.Column
	// Content makes the rows. It reads no clock and no environment.
	Content(Input) Content
	// Actions are the IDs of the actions whose keys live in this pane.
	Actions() []string
}

// Input is all that a pane may look at.
type Input struct {
	Set   probes.Set
	Now   time.Time      // our clock, for ages of snapshots
	Zone  *time.Location // for exact times
	ASCII bool           // only ASCII signs
	Width int            // inner width, for sparklines and bars
	// Older continues the timeline backwards from where the probe's part ends,
	// as far as the user has paged.
	Older grading.Events
	// Query is what stands in the filter of a pane whose source answers it
	// ([Seeker]), Data what the source found so far, Problem why it cannot answer,
	// and Seeking tells that it is still looking.
	Query   string
	Problem string
	Seeking bool
	// Data is on a page what its reader gave; nil: nothing.
	Data any
	// Report is the judgement of Set.
	Report diagnosis.Report
}

// Seeker is a pane whose filter is answered by its source, which knows more
// rows than the pane holds. The table then shows all rows of its Content.
type Seeker interface {
	Spec
	// Seeks says in a few words what can be typed, for the line being typed.
	Seeks() string
}

// Chooser is a pane whose rows come from one of several probes, as long as
// that one is the best.
type Chooser interface {
	Spec
	// Chosen is the probe that makes the rows now; one of its Needs.
	Chosen(probes.Set) probes.ID
}

// Main is the probe that makes the rows of a pane.
func Main(spec Spec, set probes.Set) probes.ID {
	if c, ok := spec.(Chooser); ok {
		return c.Chosen(set)
	}
	return spec.Needs()[0]
}

// Content is what a pane shows.
type Content struct {
	Summary string // after the title: "12 held · 7 expired"
	Rows    []Row
	// Empty says in a sentence what it means that there is no row: "No lock is
	// held. Nothing to do here."
	Empty string
	// Problem says why there can be no rows, and what to do: a missing table, a
	// missing GRANT, a source that never answered.
	Problem string
	// Notes are sentences above the rows that scrolling and filtering leave
	// there: what is wrong with all of them, or what was left out.
	Notes []ui.Cell
}

// Row is one line. Key is stable over refreshes: the cursor and the marks hold
// on to it.
type Row struct {
	Key   string
	Cells []ui.Cell
	// Span leaves the columns: the cells follow each other, two blanks between
	// them, over the whole width (headings, sentences). A span row can still be
	// selected unless Skip is set.
	Span bool
	Skip bool // the cursor passes over it
	// Under makes it a part of the row above it, which it follows whatever the
	// sort and the filter. Such a row has Span and Skip as well.
	Under bool
	// Detail is shown below the rows while the cursor is on this one, where
	// there is room: first the sentences, then the end of Trace as it stands.
	Detail []string
	Trace  []string
	// Target is what actions on this row aim at; nil: none.
	Target *actions.Target
	Copy   string // copy id that the row is about; "" none
	// Opens is the page that enter opens; without one it is that of the copy.
	Opens Ref
	// Links are what the row names besides: `o` follows them.
	Links []Ref
	// Yank is what `y` copies; "" takes the first cell.
	Yank string
	// Data is the row for `show -o json` where the cells do not say it well;
	// nil takes the cells under the names of their columns.
	Data map[string]any
	// Also are rows for programs that people do not need a line each for.
	Also []map[string]any
}
