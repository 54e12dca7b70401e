package queues

import (
	"context"
	"fmt"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// The choices of a purge: only what was shown, or also what came since, for a
// queue so busy that it never stands still.
const (
	AsSeen     = "as-seen"
	Everything = "everything"
)

// purge empties a queue without losing it.
type purge struct{ deps }

func (purge) ID() string                  { return "purge" }
func (purge) Title() string               { return "Purge the queue" }
func (purge) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnQueue} }

// Impossible says why no queue can be purged here.
func (a purge) Impossible(set probes.Set) string {
	if _, why := a.overview(set); why != "" {
		return why
	}
	if a.d.SaveDir == "" {
		return "There is no folder to save the messages in."
	}
	return ""
}

func (a purge) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	ov, _ := a.overview(set)
	for _, q := range ov.Queues {
		if q.Name == t.ID && q.Depth == 0 {
			return "Nothing waits in " + q.Name + "."
		}
	}
	return ""
}

// doomed is what a purge plan keeps.
type doomed struct {
	queue string
	lists celery.Lists
	total int64
}

func (a purge) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice == "" {
		q.Choice = AsSeen
	}
	if q.Choice != AsSeen && q.Choice != Everything && !alsoHeld(q.Choice) {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	c, err := a.d.Broker.Contents(ctx, q.Target.ID)
	if err != nil {
		return actions.Plan{}, err
	}
	if c.Total == 0 {
		return actions.Plan{}, &actions.Refusal{Why: "Nothing waits in " + q.Target.ID + "."}
	}
	if alsoHeld(q.Choice) && c.HeldErr != "" {
		return actions.Plan{}, &actions.Refusal{Why: "What workers hold is not fully known: " + c.HeldErr + ".", Next: "Without revoking it, the queue can be purged all the same."}
	}
	return a.describe(q, c), nil
}

func (a purge) describe(q actions.Request, c celery.Contents) actions.Plan {
	p := actions.NewPlan(a, q)
	c.Lists.Whatever = q.Choice == Everything || q.Choice == EverythingAndHeld
	p.Private = doomed{queue: c.Queue, lists: c.Lists, total: c.Total}
	p.Title, p.Risk, p.Word = fmt.Sprintf("Purge %s (%s)", c.Queue, messages(c.Total)), actions.High, c.Queue
	p.Says = says(c)
	p.Warnings = outOfReach(c)
	p.Choices = choices(c)
	for _, l := range c.Lists.Seen {
		p.Seen[label(l)] = fmt.Sprintf("%d, newest %.8s, next %.8s", l.Len, l.Newest, l.Next)
	}
	p.Steps = []actions.Step{
		{Verb: "save", Object: a.file(p.ID, c.Queue), Detail: messages(c.Total) + ", byte for byte"},
		{Verb: "move", Object: c.Queue + " → quarantine " + p.ID, Detail: "all priority lists at once, in order", Statement: "RENAMENX", Args: []string{c.Queue, p.ID}},
	}
	p.StopsIf = "Stops if a message came, went or changed place since you looked."
	if c.Lists.Whatever {
		p.StopsIf = "Stops only if the queue is empty by then."
	}
	p.Undo = "All messages go back, in order, before what came meanwhile."
	if alsoHeld(q.Choice) {
		p.Steps = append(p.Steps, actions.Step{Verb: "publish", Object: "revoke", Detail: "to every worker, for what it holds of " + c.Queue + " by then, after saving it", Statement: "PUBLISH", Args: []string{"revoke"}})
		p.Undo += " What was revoked does not: the workers refuse those ids until they restart."
	}
	return p
}

// says tells what is in the queue.
func says(c celery.Contents) []string {
	var tasks, copies []string
	for _, t := range c.ByTask {
		tasks = append(tasks, fmt.Sprintf("%s %d", t.Task, t.Count))
	}
	for _, o := range c.ByCopy {
		copies = append(copies, fmt.Sprintf("%.8s ×%d", o.CopyID, o.Count))
	}
	out := []string{fmt.Sprintf("%s in %s: %s.", messages(c.Total), c.Queue, actions.Names(tasks, 6))}
	if len(copies) > 0 {
		out = append(out, "For copies "+actions.Names(copies, 8)+".")
	}
	if len(c.Next) > 0 {
		out = append(out, fmt.Sprintf("Next to run: %s %s", celery.ShortTask(c.Next[0].Task), c.Next[0].Args))
	}
	if c.Counted < c.Total {
		out = append(out, fmt.Sprintf("Only %d of %d were decoded.", c.Counted, c.Total))
	}
	if c.Bad > 0 {
		out = append(out, fmt.Sprintf("%d cannot be decoded; such a message can kill the worker that takes it.", c.Bad))
	}
	return out
}

// outOfReach tells what stays although the queue is purged.
func outOfReach(c celery.Contents) []string {
	var out []string
	running := 0
	for _, r := range c.Held {
		if r.State == "running" {
			running++
		}
	}
	if n := len(c.Unacked); n > 0 {
		says := fmt.Sprintf("Not reached: %s that workers hold already. They run, or come back to the queue when their worker stops.", messages(int64(n)))
		if list := named(reserved(c)); list != "" {
			says += " Not begun: " + list + "."
		}
		out = append(out, says)
	}
	if running > 0 {
		out = append(out, fmt.Sprintf("Not reached: %d running tasks.", running))
	}
	if c.HeldErr != "" {
		out = append(out, "What workers hold is not fully known: "+c.HeldErr+".")
	}
	return out
}

func label(l celery.ListState) string { return fmt.Sprintf("priority %d", l.Step) }

// Execute saves the live queue first, so that a file exists before anything
// moves; after the move the file is made anew from the quarantine, which holds
// exactly what was moved.
func (a purge) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	d := p.Private.(doomed)
	path := a.file(p.ID, d.queue)
	if _, err := a.save(ctx, path, d.queue, ""); err != nil {
		return actions.Effect{}, fmt.Errorf("nothing was moved: %w", err)
	}
	e := actions.Effect{
		Values: map[string]string{"quarantine": p.ID, "queue": d.queue, "file": path},
		Undo: actions.Undo{Action: "restore", Target: actions.Target{
			Kind: actions.OnQuarantine, ID: p.ID, Label: d.queue,
		}},
	}
	moved, err := a.d.Broker.Quarantine(ctx, d.queue, p.ID, d.lists)
	if err != nil {
		return a.unmoved(e, path, explain(err))
	}
	e.Values["moved"] = fmt.Sprint(moved)
	e.Did = []string{fmt.Sprintf("moved %s from %s to quarantine %s", messages(moved), d.queue, p.ID)}
	if n, err := a.save(ctx, path, d.queue, p.ID); err != nil || n != moved {
		e.Skip = append(e.Skip, fmt.Sprintf("the file %s is of just before the move: %v", path, err))
	}
	if alsoHeld(p.Choice) {
		a.revokeHeld(ctx, p, d.queue, &e)
	}
	return e, nil
}

// Verify looks whether the quarantine holds what was moved.
func (a purge) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	d := p.Private.(doomed)
	held, found, err := a.find(ctx, p.ID, d.queue)
	if err != nil {
		return unseen(err)
	}
	evidence := []string{fmt.Sprintf("quarantine %s holds %s", p.ID, messages(held.Count)), "saved in " + e.Values["file"]}
	if !found || fmt.Sprint(held.Count) != e.Values["moved"] {
		return actions.Verdict{Kind: actions.NotFixed, Evidence: evidence, Next: "Was it restored by somebody else?",
			Says: fmt.Sprintf("%s were moved, and the quarantine holds %d.", e.Values["moved"], held.Count)}
	}
	now, err := a.d.Broker.Contents(ctx, d.queue)
	if err != nil {
		return unseen(err)
	}
	evidence = append(evidence, fmt.Sprintf("%s holds %s now", d.queue, messages(now.Total)))
	says := fmt.Sprintf("Purged: %s in quarantine, %s is empty.", messages(held.Count), d.queue)
	if now.Total > 0 {
		says = fmt.Sprintf("Purged: %s in quarantine; %s came since.", messages(held.Count), messages(now.Total))
	}
	return actions.Verdict{Kind: actions.Fixed, Says: says, Evidence: evidence}
}

func unseen(err error) actions.Verdict {
	return actions.Verdict{Kind: actions.Unverdict, Says: "It was done, but could not be seen again.", Evidence: []string{err.Error()}, Next: "Look at the queue pane."}
}

// Settle asks whether the quarantine, which is named after the action, exists.
func (a purge) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	if a.d.Broker == nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "No broker is configured."}
	}
	held, found, err := a.find(ctx, r.ActionID, r.Target.ID)
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the queue was moved.", Evidence: []string{err.Error()}}
	case found:
		return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("It was done: the quarantine holds %s.", messages(held.Count)), Next: "Restore it from the queue pane if that was not meant."}
	case len(r.Did) > 0:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It was done, and the quarantine is gone again: somebody has restored it."}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: "It was not done: there is no such quarantine."}
}
