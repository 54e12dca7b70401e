package queues

import (
	"context"
	"fmt"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// restore puts a purged queue back. It is the undo of a purge, too.
type restore struct{ deps }

func (restore) ID() string                  { return "restore" }
func (restore) Title() string               { return "Restore a purged queue" }
func (restore) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnQuarantine} }

// Impossible says why nothing can be restored here.
func (a restore) Impossible(set probes.Set) string {
	_, why := a.overview(set)
	return why
}

func (a restore) Disabled(set probes.Set, _ actions.Target) string { return a.Impossible(set) }

func (a restore) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	held, found, err := a.find(ctx, q.Target.ID, q.Target.Label)
	if err != nil {
		return actions.Plan{}, err
	}
	if !found {
		return actions.Plan{}, &actions.Refusal{Why: "There is no quarantine " + q.Target.ID + " any more: it was restored, or Redis lost it.", Next: "The file that was saved at the purge is still there."}
	}
	p := actions.NewPlan(a, q)
	p.Private = held
	p.Title = fmt.Sprintf("Restore %s into %s", messages(held.Count), held.Queue)
	p.Says = []string{fmt.Sprintf("%s go back to %s in their order, before what came meanwhile.", messages(held.Count), held.Queue)}
	p.Warnings = a.consequences(q.Set, held.Queue)
	killers, err := a.d.Broker.Killers(ctx, held.ID, held.Queue)
	if err != nil {
		return actions.Plan{}, err
	}
	if killers > 0 {
		p.Risk, p.Word = actions.High, held.Queue
		p.Warnings = append(p.Warnings, messages(killers)+" of them KILL the worker that takes them, again and again.")
	}
	p.Seen["messages"] = fmt.Sprint(held.Count)
	p.Steps = []actions.Step{{Verb: "move", Object: "quarantine " + held.ID + " → " + held.Queue,
		Detail: messages(held.Count) + ", in order", Statement: "LPOP, RPUSH", Args: []string{held.ID, held.Queue}}}
	p.StopsIf = "Stops if somebody else restores it first."
	p.Undo = "A purge of the queue takes them out again, with what came meanwhile."
	return p, nil
}

// consequences says what the messages do once they are back.
func (a restore) consequences(set probes.Set, queue string) []string {
	ov, _ := a.overview(set)
	for _, q := range ov.Queues {
		if q.Name == queue && q.Consumed == celery.Yes {
			return []string{"A worker takes this queue: the tasks run at once, and a finalization grades whatever is fit for it by now."}
		}
	}
	return []string{"The tasks run as soon as a worker takes this queue."}
}

func (a restore) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	held := p.Private.(celery.Quarantine)
	n, err := a.d.Broker.Restore(ctx, held.ID, held.Queue)
	if err != nil {
		return actions.Effect{}, explain(err)
	}
	if n == 0 {
		return actions.Effect{}, &actions.Moved{Says: "The quarantine is empty: somebody has restored it meanwhile.",
			Diffs: []actions.Diff{{Name: "messages", Was: fmt.Sprint(held.Count), Is: "0"}}}
	}
	return actions.Effect{
		Did:    []string{fmt.Sprintf("moved %s from quarantine %s to %s", messages(n), held.ID, held.Queue)},
		Values: map[string]string{"restored": fmt.Sprint(n)},
	}, nil
}

// Verify counts: all that was held is back, and the quarantine is gone.
func (a restore) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	held := p.Private.(celery.Quarantine)
	_, still, err := a.find(ctx, held.ID, held.Queue)
	if err != nil {
		return unseen(err)
	}
	evidence := []string{e.Values["restored"] + " of " + fmt.Sprint(held.Count) + " put back"}
	if still || e.Values["restored"] != fmt.Sprint(held.Count) {
		return actions.Verdict{Kind: actions.NotFixed, Evidence: evidence, Next: "Look at the queue pane.",
			Says: fmt.Sprintf("%s were held and %s put back.", messages(held.Count), e.Values["restored"])}
	}
	if now, err := a.d.Broker.Contents(ctx, held.Queue); err == nil {
		evidence = append(evidence, fmt.Sprintf("%s holds %s now", held.Queue, messages(now.Total)))
	}
	return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("Restored: %s are back in %s.", messages(held.Count), held.Queue), Evidence: evidence}
}

// Settle asks whether the quarantine is gone.
func (a restore) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	if a.d.Broker == nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "No broker is configured."}
	}
	held, found, err := a.find(ctx, r.Target.ID, r.Target.Label)
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the queue was restored.", Evidence: []string{err.Error()}}
	case found:
		return actions.Verdict{Kind: actions.NotFixed, Says: fmt.Sprintf("It was not done: the quarantine still holds %s.", messages(held.Count))}
	}
	return actions.Verdict{Kind: actions.Fixed, Says: "It was done: the quarantine is gone."}
}
