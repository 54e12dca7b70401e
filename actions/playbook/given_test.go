package playbook

import (
	"context"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
)

// given are sources that all give one table, and keep what they were asked.
type given struct {
	Table
	asked func(what string, args ...any)
}

func (g given) say(what string, args ...any) (Table, error) {
	if g.asked != nil {
		g.asked(what, args...)
	}
	return g.Table, nil
}

func (g given) Pane(_ context.Context, _ probes.Set, id, filter string) (Table, error) {
	return g.say("pane", id, filter)
}

func (g given) Page(_ context.Context, _ probes.Set, kind, id string) (Table, error) {
	return g.say("page", kind, id)
}

func (g given) SQL(_ context.Context, text string, args []any) (Table, error) {
	return g.say("sql", append([]any{text}, args...)...)
}

func (g given) Logs(_ context.Context, query string) (Table, error) { return g.say("logs", query) }

func (g given) Command(_ context.Context, argv []string) (Table, error) {
	return g.say("command", argv)
}

var moment = time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)

func clock() time.Time { return moment }

// walked runs every step over a table, side by side with nothing known.
func walked(book *Playbook, place Place, t Table) (Walk, Conclusion, string) {
	return walkedWith(book, place, given{Table: t}, diagnosis.Input{Now: moment}, diagnosis.Report{})
}

func walkedWith(book *Playbook, place Place, src Sources, in diagnosis.Input, report diagnosis.Report) (Walk, Conclusion, string) {
	w := Walk{Book: book, Place: place, Started: moment, Steps: make([]StepState, len(book.Steps))}
	for i, s := range book.Steps {
		w.Steps[i] = StepState{Status: Done, Runs: 1, Result: Run(context.Background(), s, place, src, in, report, clock)}
	}
	c := Conclude(w, in, report)
	return w, c, HandOver(w, c, moment)
}
