package sessions

import (
	"context"
	"fmt"
	"slices"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
)

// cancelQuery ends the query that a session runs; the session stays.
type cancelQuery struct{ base }

func (cancelQuery) ID() string    { return "cancel-query" }
func (cancelQuery) Title() string { return "Cancel the query" }

func (a cancelQuery) Disabled(set probes.Set, t actions.Target) string {
	return a.disabled(set, t, idle)
}

// idle says why there is no query to cancel.
func idle(s activity.Session) string {
	switch s.State {
	case activity.Active:
		return ""
	case activity.IdleTx, activity.Aborted:
		return label(s) + " runs no query, its transaction stands open: to cancel does nothing. Disconnect it."
	}
	return label(s) + " runs no query now."
}

func (a cancelQuery) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	ov, list, err := a.look(ctx, q.Target)
	if err != nil {
		return actions.Plan{}, err
	}
	for _, s := range list {
		if why := idle(s); why != "" {
			return actions.Plan{}, refuse(why, "")
		}
	}
	p := describe(actions.NewPlan(a, q), ov, see(ov, list), q.Set)
	p.Title = "Cancel the query of " + subject(list)
	p.Warnings = append(p.Warnings, "Whoever sent it gets an error; in a transaction, all of that is rolled back.")
	if slices.ContainsFunc(list, func(s activity.Session) bool { return s.Wrote || s.Finalizes != activity.No }) {
		p.Risk, p.Word = actions.High, word(list)
	}
	for _, s := range list {
		p.Steps = append(p.Steps, step("cancel", s, cancelSQL()))
	}
	p.StopsIf = "Stops if the session has ended or runs another query by then. Comparison and signal are one statement; what it starts in the microseconds between cannot be told apart."
	p.Undo = "None. The query can be sent again."
	return p, nil
}

// step is one signal.
func step(verb string, s activity.Session, sql string) actions.Step {
	return actions.Step{
		Verb: verb, Object: fmt.Sprintf("session %d", s.PID), Detail: fmt.Sprintf("%s, began %s", s.Who(), clock(s.Start)),
		Statement: sql, Args: []string{fmt.Sprint(s.PID), stamp(s.Start), stamp(s.Xact), stamp(s.QueryAt)},
	}
}

func (a cancelQuery) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	return a.run(ctx, &sending{sql: cancelSQL(), list: p.Private.(seen).list, verb: "asked PostgreSQL to cancel the query of", moved: otherQuery})
}

func (a cancelQuery) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	return a.watch(ctx, p.Private.(seen), e, say, outcome{
		over:  func(was activity.Session, is *activity.Session) bool { return notRunning(was, is) },
		done:  func(list []activity.Session) string { return "The query of " + subject(list) + " has ended." },
		still: "still runs it",
		next:  "It may be waiting for the disk or for its client. Disconnect the session next.",
	})
}

// notRunning tells whether a query is over, however it ended.
func notRunning(was activity.Session, is *activity.Session) bool {
	return is == nil || !is.Start.Equal(was.Start) || is.State != activity.Active || !is.QueryAt.Equal(was.QueryAt)
}

func (a cancelQuery) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r, notRunning, "does not run that query any more", "still runs that query")
}
