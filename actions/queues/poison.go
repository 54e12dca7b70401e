package queues

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// removePoison takes one message that kills workers out of its queue, into a
// quarantine. A worker that meets it dies, and some put it back as they do: a
// crash loop that only this ends.
type removePoison struct{ deps }

func (removePoison) ID() string    { return "remove-poison" }
func (removePoison) Title() string { return "Remove a message that kills workers" }

// Kinds takes a queue, for the one that is next to run, or a task.
func (removePoison) Kinds() []actions.TargetKind {
	return []actions.TargetKind{actions.OnQueue, actions.OnTask}
}

// Impossible says why nothing can be removed here.
func (a removePoison) Impossible(set probes.Set) string {
	_, why := a.overview(set)
	return why
}

func (a removePoison) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "One message at a time."
	}
	return ""
}

// find gives the messages that a target means, next to run first.
func (a removePoison) find(ctx context.Context, t actions.Target) ([]celery.Message, error) {
	all, err := a.d.Broker.Poison(ctx)
	var some *celery.ErrIncomplete
	if err != nil && !errors.As(err, &some) {
		return nil, err
	}
	found := slices.DeleteFunc(all, func(m celery.Message) bool {
		return t.Kind == actions.OnQueue && m.Queue != t.ID || t.Kind == actions.OnTask && m.ID != t.ID
	})
	if len(found) == 0 {
		no := &actions.Refusal{Why: "No message that would kill a worker waits there."}
		if some != nil {
			no.Next = "Not all of them were read: " + some.Error() + "."
		}
		return nil, no
	}
	return found, nil
}

// mark is what a choice calls a message.
func mark(m celery.Message) string { return m.Digest()[:12] }

func (a removePoison) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	found, err := a.find(ctx, q.Target)
	if err != nil {
		return actions.Plan{}, err
	}
	at := 0
	if q.Choice != "" {
		at = slices.IndexFunc(found, func(m celery.Message) bool { return mark(m) == q.Choice })
	}
	if at < 0 {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	m := found[at]
	q.Choice = mark(m)
	p := actions.NewPlan(a, q)
	p.Private = m
	p.Title = fmt.Sprintf("Remove a poisonous message from %s", m.Queue)
	p.Says = []string{
		"A worker that takes it dies: " + m.Bad + ".",
		fmt.Sprintf("It is %s, %s.", mark(m), messageSize(len(m.Raw))),
		"Every other message stays where it is. This one goes to a quarantine, byte for byte.",
	}
	for i, o := range found {
		if i < maxChoices {
			p.Choices = append(p.Choices, actions.Choice{ID: mark(o), Title: fmt.Sprintf("%.60s", o.Bad)})
		}
	}
	p.Seen["message"], p.Seen["queue"] = m.Digest(), m.Queue
	p.Steps = []actions.Step{{Verb: "move", Object: m.Queue + " → quarantine " + p.ID, Detail: "one message, " + mark(m), Statement: "LREM, RPUSH", Args: []string{m.Queue, p.ID}}}
	p.StopsIf = "Stops if a worker has taken it."
	p.Undo = "Restore puts it back, to kill the next worker that takes it."
	return p, nil
}

// maxChoices bounds the list of messages to pick from.
const maxChoices = 12

func messageSize(n int) string {
	if n == 1 {
		return "1 byte long"
	}
	return fmt.Sprintf("%d bytes long", n)
}

func (a removePoison) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	m := p.Private.(celery.Message)
	err := a.d.Broker.RemovePoison(ctx, m, p.ID)
	if errors.Is(err, celery.ErrNotThere) {
		return actions.Effect{}, &actions.Moved{Says: "The message is not there any more: a worker took it, and may have died of it and put it back."}
	}
	if err != nil {
		return actions.Effect{}, explain(err)
	}
	return actions.Effect{
		Did:    []string{fmt.Sprintf("moved message %s from %s to quarantine %s", mark(m), m.Queue, p.ID)},
		Values: map[string]string{"quarantine": p.ID, "queue": m.Queue},
		Undo:   actions.Undo{Action: "restore", Target: actions.Target{Kind: actions.OnQuarantine, ID: p.ID, Label: m.Queue}},
	}, nil
}

// Verify looks whether the quarantine has it and the queue has not.
func (a removePoison) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	m := p.Private.(celery.Message)
	held, found, err := a.deps.find(ctx, p.ID, m.Queue)
	if err != nil {
		return unseen(err)
	}
	if !found || held.Count != 1 {
		return actions.Verdict{Kind: actions.NotFixed, Says: "It was moved, and the quarantine does not hold it.", Evidence: e.Did, Next: "Was it restored by somebody else?"}
	}
	left, err := a.find(ctx, actions.Target{Kind: actions.OnQueue, ID: m.Queue})
	var none *actions.Refusal
	switch {
	case errors.As(err, &none):
		return actions.Verdict{Kind: actions.Fixed, Says: "Removed: " + m.Queue + " holds no message that kills workers.", Evidence: e.Did}
	case err != nil:
		return unseen(err)
	}
	return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("Removed; %s holds %d more that kill workers.", m.Queue, len(left)), Evidence: e.Did, Next: "Remove the next one."}
}

// Settle asks whether the quarantine, which is named after the action, exists.
func (a removePoison) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	r.Target.ID = r.Seen["queue"]
	return purge(a).Settle(ctx, r)
}
