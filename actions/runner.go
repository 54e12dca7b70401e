package actions

import (
	"context"

	"gradecockpit/probes"
)

// Phase is where a run is.
type Phase string

// The phases that a run reports, in order.
const (
	Confirmed Phase = "confirmed"
	Executing Phase = "executing"
	Verifying Phase = "verifying"
	Done      Phase = "done"
)

// Progress is reported while an action runs. Progress is never dropped.
type Progress struct {
	Phase Phase
	Says  string
}

// Confirmation is what the operator gave. For Low risk Yes is enough; for High
// the Word must match the plan's and Reason must not be blank.
type Confirmation struct {
	Yes    bool
	Word   string
	Reason string
}

// Result is the end of a run.
type Result struct {
	Plan    Plan
	Effect  Effect
	Verdict Verdict
}

// Unsettled is an intent of an earlier session without an outcome.
type Unsettled struct {
	Record  Record
	Verdict Verdict // what settling found
}

// Config is what a Runner needs.
type Config struct {
	Actions  []Action
	Journal  Journal
	Actor    Actor
	ReadOnly string // why nothing may be written: "--read-only"; "" when it may
}

// Runner owns the order of steps for every action.
type Runner struct{ cfg Config }

// NewRunner makes a runner.
func NewRunner(cfg Config) *Runner { return &Runner{cfg} }

// Actions lists all actions in menu order.
func (r *Runner) Actions() []Action { return r.cfg.Actions }

// Find gives an action by its ID.
func (r *Runner) Find(id string) (Action, bool) {
	for _, a := range r.cfg.Actions {
		if a.ID() == id {
			return a, true
		}
	}
	return nil, false
}

// Actor is who acts.
func (r *Runner) Actor() Actor { return r.cfg.Actor }

// ReadOnly says why nothing may be written; "" when it may.
func (r *Runner) ReadOnly() string { return r.cfg.ReadOnly }

// Disabled says why an action cannot be planned now; "" when it can. Read-only
// comes first.
func (r *Runner) Disabled(set probes.Set, actionID string, t Target) string {
	panic("the actions helper writes this")
}

// Plan asks an action for a plan. choice "" takes the default.
func (r *Runner) Plan(ctx context.Context, set probes.Set, actionID string, t Target, choice string) (Plan, error) {
	panic("the actions helper writes this")
}

// Run confirms, journals, executes and verifies a plan. It returns only when
// the outcome is journaled.
func (r *Runner) Run(ctx context.Context, p Plan, c Confirmation, say func(Progress)) Result {
	panic("the actions helper writes this")
}

// Cancel journals that a plan was shown and not confirmed.
func (r *Runner) Cancel(p Plan) { panic("the actions helper writes this") }

// Undoable gives the newest effect that can be taken back, as the action and
// target to plan, with its title for the menu.
func (r *Runner) Undoable() (actionID string, t Target, title string, ok bool) {
	panic("the actions helper writes this")
}

// Settle looks at the intents that an earlier session left without outcome,
// finds out what became of them, journals that and returns them.
func (r *Runner) Settle(ctx context.Context) ([]Unsettled, error) {
	panic("the actions helper writes this")
}
