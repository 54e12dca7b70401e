package workers

import (
	"context"
	"fmt"
	"slices"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// order is one control command as an action: what it says, how it is sent and
// how its effect is seen. All of them are of low risk and can be taken back.
type order struct {
	id, title string
	back      string // the ID of the order that takes it back
	// choices are the variants for a worker, the default first. An order
	// without any works on the worker as a whole.
	choices func(ctx context.Context, b base, w celery.Worker, set probes.Set) ([]actions.Choice, error)
	// free lets a choice through that is not among the proposed ones.
	free func(choice string) bool
	// refuse says why not, for this worker and choice; "" when it may be sent.
	refuse func(w celery.Worker, choice string) string
	says   func(w celery.Worker, choice string, set probes.Set) (says, warns []string)
	send   func(ctx context.Context, b *celery.Broker, w celery.Worker, choice string) (celery.Said, error)
	// before is what a way back needs to know; "" when the choice says it all.
	before func(ctx context.Context, b base, w celery.Worker, choice string) (string, error)
	// holds tells whether the effect is seen, and what is; nil: nothing of it
	// can be seen, and the worker's word has to do.
	holds func(ctx context.Context, b base, was celery.Worker, choice string) (bool, string, error)
}

// command is an order as an action.
type command struct {
	base
	order
}

func (c command) ID() string    { return c.id }
func (c command) Title() string { return c.title }

// Kinds has the record of the order that it takes back.
func (c command) Kinds() []actions.TargetKind {
	return []actions.TargetKind{actions.OnWorker, actions.OnRecord}
}

func (c command) Disabled(set probes.Set, t actions.Target) string {
	if t.Kind == actions.OnRecord {
		return c.Impossible(set)
	}
	return c.base.Disabled(set, t)
}

// told is what a plan keeps.
type told struct {
	worker celery.Worker
	choice string
	before string
}

func (c command) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	name, choice := q.Target.ID, q.Choice
	if q.Record != nil {
		name, choice = q.Record.Values["worker"], q.Record.Values["back"]
	}
	w, err := c.awake(ctx, name)
	if err != nil {
		return actions.Plan{}, err
	}
	if q.Record != nil && q.Record.Values["pid"] != fmt.Sprint(w.PID) {
		return actions.Plan{}, &actions.Refusal{Why: name + " is another process by now: what was done ended with the old one."}
	}
	t := told{worker: w}
	choices, err := c.offered(ctx, w, q.Set)
	if err != nil {
		return actions.Plan{}, err
	}
	if t.choice, err = c.pick(choices, choice, q.Record != nil); err != nil {
		return actions.Plan{}, err
	}
	if c.refuse != nil {
		if why := c.refuse(w, t.choice); why != "" {
			return actions.Plan{}, &actions.Refusal{Why: why}
		}
	}
	if c.before != nil {
		if t.before, err = c.before(ctx, c.base, w, t.choice); err != nil {
			return actions.Plan{}, explain(err)
		}
	}
	return c.describe(q, t, choices), nil
}

func (c command) offered(ctx context.Context, w celery.Worker, set probes.Set) ([]actions.Choice, error) {
	if c.choices == nil {
		return nil, nil
	}
	choices, err := c.choices(ctx, c.base, w, set)
	return choices, explain(err)
}

// pick takes the choice that was asked for, or the first.
func (c command) pick(choices []actions.Choice, want string, back bool) (string, error) {
	switch {
	case c.choices == nil && want == "":
		return "", nil
	case c.choices != nil && want != "" && back:
		return want, nil
	case want != "" && c.free != nil && c.free(want):
		return want, nil
	case want == "" && len(choices) > 0:
		return choices[0].ID, nil
	case want == "":
		return "", &actions.Refusal{Why: "There is nothing to choose from."}
	case slices.ContainsFunc(choices, func(o actions.Choice) bool { return o.ID == want }):
		return want, nil
	}
	return "", &actions.Refusal{Why: "There is no choice " + want + "."}
}

func (c command) describe(q actions.Request, t told, choices []actions.Choice) actions.Plan {
	q.Choice = t.choice
	p := actions.NewPlan(c, q)
	p.Private, p.Choices = t, choices
	p.Title = c.title + ", " + t.worker.Name
	if t.choice != "" {
		p.Title += ": " + t.choice
	}
	p.Says, p.Warnings = c.says(t.worker, t.choice, q.Set)
	p.Says = append(p.Says, "It lasts until the worker restarts.")
	note(p.Seen, t.worker)
	p.Steps = []actions.Step{{Verb: "publish", Object: c.id, Detail: "to " + t.worker.Name, Statement: "PUBLISH", Args: []string{c.id, t.worker.Name, t.choice}}}
	p.StopsIf = "Stops if the worker does not answer, or is another process by then."
	p.Undo = "Undo takes it back, as long as this process of the worker lives."
	return p
}

func (c command) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	t := p.Private.(told)
	if _, err := c.same(ctx, t.worker); err != nil {
		return actions.Effect{}, err
	}
	said, err := c.send(ctx, c.Broker, t.worker, t.choice)
	if err == nil {
		err = refusedBy(said)
	}
	if err != nil {
		return actions.Effect{}, explain(err)
	}
	return actions.Effect{
		Did:    []string{fmt.Sprintf("%s says: %s", t.worker.Name, said.OK)},
		Values: map[string]string{"worker": t.worker.Name, "choice": t.choice, "back": orElse(t.before, t.choice), "said": said.OK, "pid": fmt.Sprint(t.worker.PID)},
		Undo:   actions.Undo{Action: c.back, Target: actions.Target{Kind: actions.OnRecord, ID: p.ID, Label: t.worker.Name}},
	}, nil
}

// Verify looks for the effect in what the worker tells of itself.
func (c command) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	t := p.Private.(told)
	if c.holds == nil {
		return actions.Verdict{Kind: actions.Fixed, Says: t.worker.Name + " says: " + e.Values["said"] + ".", Evidence: e.Did}
	}
	last := ""
	for {
		ok, seen, err := c.holds(ctx, c.base, t.worker, t.choice)
		switch {
		case err != nil:
			seen = err.Error()
		case ok:
			return actions.Verdict{Kind: actions.Fixed, Says: seen + ".", Evidence: e.Did}
		}
		if seen != last {
			last = seen
			say(seen)
		}
		if !c.pause(ctx) {
			return c.unseen(err, last, e)
		}
	}
}

// unseen is the end of a command whose effect was not seen in time.
func (c command) unseen(err error, last string, e actions.Effect) actions.Verdict {
	if err != nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "It was told, and what came of it could not be seen.", Evidence: append(e.Did, last)}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: "It was told, and it did not happen in time: " + last + ".", Evidence: e.Did}
}
