package sessions

import (
	"context"
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
)

// The choices of disconnecting. A session behind a pooler, or of a busy worker,
// is in another transaction before one has typed a word.
const (
	AsSeen = "as-seen"
	Anyway = "anyway"
)

// forgotten is how long a transaction has to stand idle to count as left behind
// by its program: the deployed application ends its own after 60 s.
const forgotten = time.Minute

// endSession disconnects a session; what it has not committed is rolled back.
type endSession struct{ base }

func (endSession) ID() string    { return "end-session" }
func (endSession) Title() string { return "Disconnect the session" }

func (a endSession) Disabled(set probes.Set, t actions.Target) string {
	return a.disabled(set, t, func(activity.Session) string { return "" })
}

func (a endSession) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice == "" {
		q.Choice = AsSeen
	}
	if q.Choice != AsSeen && q.Choice != Anyway {
		return actions.Plan{}, refuse("There is no choice "+q.Choice+".", "")
	}
	ov, list, err := a.look(ctx, q.Target)
	if err != nil {
		return actions.Plan{}, err
	}
	p := describe(actions.NewPlan(a, q), ov, see(ov, list), q.Set)
	p.Title = "Disconnect " + subject(list)
	p.Warnings = append(p.Warnings, follows(list)...)
	if q.Choice == Anyway || slices.ContainsFunc(list, func(s activity.Session) bool { return dangerous(s, ov.ServerTime) }) {
		p.Risk, p.Word = actions.High, word(list)
	}
	for _, s := range list {
		p.Steps = append(p.Steps, step("disconnect", s, endSQL(q.Choice == Anyway)))
	}
	p.Choices = []actions.Choice{{ID: AsSeen, Title: "only if it is still in the transaction you see"}, {ID: Anyway, Title: "whatever it does by then"}}
	p.StopsIf = "Stops if the session has ended, or is in another transaction by then."
	if q.Choice == Anyway {
		p.StopsIf = "Stops only if the session has ended: it is disconnected in the middle of whatever it does by then."
	}
	p.Undo = "None. What is rolled back is gone, and the program has to connect again."
	return p, nil
}

// dangerous tells whether ending a session destroys work that may well be under
// way: a finalization, or changes of a transaction that has not been left behind.
func dangerous(s activity.Session, now time.Time) bool {
	if s.Finalizes != activity.No {
		return true
	}
	left := s.State == activity.Aborted || s.State == activity.IdleTx && now.Sub(s.Since) >= forgotten
	return s.Wrote && !left
}

// follows says what becomes of the work and of the program.
func follows(list []activity.Session) []string {
	var out []string
	with := func(yes func(activity.Session) bool, says string) {
		if slices.ContainsFunc(list, yes) {
			out = append(out, says)
		}
	}
	with(func(s activity.Session) bool { return s.Wrote }, "What its transaction has changed is rolled back; the rows it holds are free for whoever waits.")
	with(func(s activity.Session) bool { return s.InTx() && !s.Wrote }, "Its transaction has changed nothing: only its locks go.")
	with(func(s activity.Session) bool { return s.State == activity.Active }, "It is in the middle of a query; to cancel that is gentler, and leaves the session.")
	with(func(s activity.Session) bool { return s.Kind == activity.Application },
		"The application connects again by itself; the request that uses this session fails, and with persistent connections the next one may.")
	with(func(s activity.Session) bool { return s.Kind == activity.Person }, "Somebody may sit at this session.")
	return out
}

func (a endSession) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	moved := otherTransaction
	if p.Choice == Anyway {
		moved = func(was activity.Session, is *activity.Session) (string, []actions.Diff) {
			if says, diffs := ended(was, is); says != "" {
				return says, diffs
			}
			return "it may not be signalled", nil
		}
	}
	return a.run(ctx, &sending{sql: endSQL(p.Choice == Anyway), list: p.Private.(seen).list, verb: "disconnected", moved: moved})
}

func (a endSession) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	return a.watch(ctx, p.Private.(seen), e, say, outcome{
		over:  gone,
		done:  func(list []activity.Session) string { return subject(list) + " " + isAre(len(list)) + " gone." },
		still: "is still there",
		next:  "It rolls back, or it hangs where PostgreSQL cannot interrupt it (disk, a function). Wait; never kill -9 it, that restarts the whole server.",
	})
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func gone(was activity.Session, is *activity.Session) bool {
	return is == nil || !is.Start.Equal(was.Start)
}

func (a endSession) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r, gone, "is gone", "is still there")
}
