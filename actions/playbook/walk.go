package playbook

import (
	"context"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
)

// Table is what a step saw, ready to be printed: all cells are cleaned.
type Table struct {
	Columns []string
	Rows    [][]string // as many cells as Columns each
	More    int        // rows, or lines, that were left out
	Note    string     // a sentence about all of them; "" none
	// Lines are text that is no table: a command's output, a page of prose.
	Lines []string
}

// count is how many rows there are, or lines where they are no table.
func (t Table) count() int {
	if len(t.Columns) == 0 {
		return len(t.Lines) + t.More
	}
	return len(t.Rows) + t.More
}

// Sources is what the steps read through. Every call is read-only, ends with
// ctx, and gives a bounded number of rows; an error is an *probes.Error.
type Sources interface {
	Pane(ctx context.Context, set probes.Set, id, filter string) (Table, error)
	Page(ctx context.Context, set probes.Set, kind, id string) (Table, error)
	SQL(ctx context.Context, text string, args []any) (Table, error)
	Logs(ctx context.Context, query string) (Table, error)
	Command(ctx context.Context, argv []string) (Table, error)
}

// Place is what the texts of a playbook are filled in with, and what tells the
// dialects apart. Values may be hostile: a command quotes them.
type Place struct {
	Dialect grading.Dialect
	Copy    grading.CopyRef   // zero: none was chosen
	Names   map[string]string // "log_dir", "metrics_url", …: without secrets
	Failed  int               // actions of the last hour that did not help, by the journal; -1 not known
}

// Status is where a step is.
type Status int

// The states of a step.
const (
	Waiting Status = iota
	Running
	Done
	Skipped
)

// Result is one run of a step.
type Result struct {
	Verdict Verdict
	Says    string // one sentence
	Rule    string // the cause that it found; ""
	Skipped bool   // it needs a copy, and none was chosen
	Table   Table
	Err     error // the source failed: Verdict is Unknown
	At      time.Time
	Took    time.Duration
}

// StepState is a step within a walkthrough.
type StepState struct {
	Status Status
	Result Result // of the last run that ended
	Runs   int
	Note   string // the responder's
}

// Walk is one walkthrough under way. It is a plain value: whoever shows it runs
// the steps with [Run] and puts the results in.
type Walk struct {
	Book    *Playbook
	Place   Place
	Started time.Time
	Steps   []StepState // one for each of Book.Steps
	At      int         // the step on the screen; len(Steps) is the conclusion
}

// Conclusion is the end of a walkthrough.
type Conclusion struct {
	Causes   []diagnosis.Finding // ranked; those of Book.Causes and of its steps
	Offers   []Offer             // safest first, each once
	Advice   []Advice            // those that fit now, filled in
	Prevent  []string
	Escalate []Escalate // those that are due
	Open     []string   // what could not be judged, a sentence each
}

// Offer is an action that fits, with the finding that it is for and the step
// that is checked again afterwards.
type Offer struct {
	diagnosis.Offer
	Finding string // rule ID; "" none
	Step    int    // index of the step that found it; -1 none
}
