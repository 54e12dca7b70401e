package actions

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"gradecockpit/probes/clean"
)

// Run confirms, journals, executes and verifies a plan. It returns only when
// the outcome is journaled. A ctx that ends stops the watching, never a write
// that has begun.
func (r *Runner) Run(ctx context.Context, p Plan, c Confirmation, say func(Progress)) Result {
	x := &run{r: r, plan: p, reason: clean.Text(strings.TrimSpace(c.Reason)), say: say}
	if why := r.admit(ctx, p, c); why != "" {
		return x.refused(why)
	}
	defer r.leave(p.ID)
	x.action, _ = r.Find(p.Action)
	x.say(Progress{Confirmed, p.Title})
	return x.steps(ctx)
}

// admit checks what has to hold before anything is journaled as an intent, and
// takes the plan's ID so that it never runs twice.
func (r *Runner) admit(ctx context.Context, p Plan, c Confirmation) string {
	_, known := r.Find(p.Action)
	switch {
	case r.cfg.ReadOnly != "":
		return "Nothing may be written: " + r.cfg.ReadOnly + "."
	case !known:
		return "There is no action called " + p.Action + "."
	case ctx.Err() != nil:
		return "The cockpit is closing; nothing was begun."
	case !time.Now().Before(p.ValidUntil):
		return "This plan is older than " + Span(ValidFor) + ". Look again."
	}
	if why := unconfirmed(p, c); why != "" {
		return why
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used[p.ID] {
		return "This plan was run already. Look again."
	}
	r.used[p.ID], r.live[p.ID] = true, true
	return ""
}

func (r *Runner) leave(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, id)
}

// unconfirmed says what is missing in a confirmation. A plan of high risk
// without a word cannot be confirmed at all.
func unconfirmed(p Plan, c Confirmation) string {
	switch {
	case p.Risk == Low && !c.Yes:
		return "It was not confirmed."
	case p.Risk == Low:
		return ""
	case p.Word == "" || c.Word != p.Word:
		return fmt.Sprintf("The typed word is not %q.", p.Word)
	case strings.TrimSpace(c.Reason) == "":
		return "A reason is needed."
	}
	return ""
}

// run is one run of one plan.
type run struct {
	r      *Runner
	plan   Plan
	action Action
	reason string
	effect Effect
	say    func(Progress)
	// lost is what the journal could not take after the intent.
	lost error
}

func (x *run) steps(ctx context.Context) Result {
	if err := x.journal(Intent, Verdict{}); err != nil {
		v := Verdict{Kind: Failed, Says: "Nothing was done: the journal cannot be written.",
			Evidence: []string{err.Error()}, Next: "Make room for the journal, or choose another place for it."}
		return x.end(v)
	}
	x.say(Progress{Executing, "executing"})
	err := x.execute(ctx)
	if err != nil {
		return x.conclude(x.judge(ctx, err))
	}
	x.lost = x.journal(Executed, Verdict{})
	x.say(Progress{Verifying, "watching what follows"})
	return x.conclude(x.verify(ctx))
}

// execute runs with a deadline of its own: a screen that goes away must not
// cut a statement in half.
func (x *run) execute(ctx context.Context) (err error) {
	bound := ExecuteFor
	if l, ok := x.action.(Lasting); ok {
		bound = l.Lasts()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &Unsure{broke("execute", v)}
		}
	}()
	q := Request{Target: x.plan.Target, Choice: x.plan.Choice, Reason: x.reason, Actor: x.r.Actor()}
	if q.Record, err = x.r.named(q.Target); err != nil {
		return err
	}
	x.effect, err = x.action.Execute(ctx, x.plan, q)
	return err
}

// judge turns the error of an execution into a verdict. Only an execution that
// cannot say whether it wrote is looked into.
func (x *run) judge(ctx context.Context, err error) Verdict {
	var moved *Moved
	var no *Refusal
	var unsure *Unsure
	switch {
	case errors.As(err, &moved):
		return Verdict{Kind: Changed, Says: "Nothing was written. " + moved.Says,
			Evidence: diffs(moved.Diffs), Next: "Look again, then decide anew."}
	case errors.As(err, &no):
		return Verdict{Kind: WasRefuse, Says: no.Why, Next: no.Next}
	case errors.As(err, &unsure):
		v := x.r.settle(ctx, x.r.record(Intent, x.plan))
		v.Evidence = append(v.Evidence, unsure.Error())
		return v
	}
	return Verdict{Kind: Failed, Says: "It failed: " + err.Error()}
}

func diffs(ds []Diff) []string {
	var out []string
	for _, d := range ds {
		out = append(out, fmt.Sprintf("%s: was %s, is %s", d.Name, d.Was, d.Is))
	}
	return out
}

// verify watches within the action's own bound, and less when ctx ends.
func (x *run) verify(ctx context.Context) (v Verdict) {
	bound := WatchFor
	if w, ok := x.action.(Watcher); ok {
		bound = w.Watch()
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Kind: Unverdict, Says: "It was done, but watching what follows broke off.",
				Evidence: []string{broke("verify", p).Error()}, Next: "Look at the target yourself."}
		}
	}()
	return x.action.Verify(ctx, x.plan, x.effect, func(s string) { x.say(Progress{Verifying, s}) })
}

// conclude journals the outcome. What was done stays done when that fails, so
// the verdict stands and says so.
func (x *run) conclude(v Verdict) Result {
	if err := errors.Join(x.lost, x.journal(Outcome, v)); err != nil {
		v.Evidence = append(v.Evidence, "the journal lacks this outcome: "+err.Error())
	}
	return x.end(v)
}

func (x *run) refused(why string) Result {
	v := Verdict{Kind: WasRefuse, Says: why}
	if err := x.journal(Refused, v); err != nil {
		v.Evidence = append(v.Evidence, "the journal lacks this refusal: "+err.Error())
	}
	return x.end(v)
}

func (x *run) end(v Verdict) Result {
	x.say(Progress{Done, v.Says})
	return Result{Plan: x.plan, Effect: x.effect, Verdict: v}
}

// journal writes one record of this run: the intent with every step, what
// follows with what was done.
func (x *run) journal(kind RecordKind, v Verdict) error {
	rec := x.r.record(kind, x.plan)
	rec.Reason = x.reason
	if kind == Intent {
		rec.Steps = x.plan.Steps
		return x.r.cfg.Journal.Append(rec)
	}
	rec.Seen = nil
	rec.Verdict, rec.Says, rec.Evidence = v.Kind, v.Says, v.Evidence
	rec.Did, rec.Skip, rec.Values = x.effect.Did, x.effect.Skip, x.effect.Values
	if x.effect.Undo.Action != "" {
		rec.Undo = &x.effect.Undo
	}
	return x.r.cfg.Journal.Append(rec)
}

// origin names the frames in which a panic began, newest first.
func origin() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc)])
	var out []string
	for raised := false; len(out) < 4; {
		f, more := frames.Next()
		if raised && !strings.HasPrefix(f.Function, "runtime.") {
			out = append(out, fmt.Sprintf("%s:%d", f.Function, f.Line))
		}
		raised = raised || f.Function == "runtime.gopanic"
		if !more {
			break
		}
	}
	return strings.Join(out, " < ")
}
