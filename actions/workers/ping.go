package workers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
)

// ping asks one worker for a sign of life. It changes nothing, so it may also
// be sent to a worker that is believed frozen.
type ping struct{ base }

func (ping) ID() string    { return "ping" }
func (ping) Title() string { return "Ping the worker" }

func (a ping) Disabled(set probes.Set, t actions.Target) string {
	if _, why := a.overview(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "One worker at a time."
	}
	return ""
}

func (a ping) Plan(_ context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	p := actions.NewPlan(a, q)
	p.Title = "Ping " + q.Target.ID
	p.Says = []string{"Its main process is asked for a sign of life, twice where it keeps silent for a second. Nothing is changed."}
	p.Steps = []actions.Step{{Verb: "publish", Object: "ping", Detail: "to " + q.Target.ID}}
	p.Undo = "Not needed."
	return p, nil
}

func (ping) Execute(context.Context, actions.Plan, actions.Request) (actions.Effect, error) {
	return actions.Effect{}, nil // asking is the verification
}

// Verify judges as section "seeing a worker go down" of the wire facts does:
// two silent seconds with a receiver are a frozen process, or a pool without
// processes of its own that works on a task.
func (a ping) Verify(ctx context.Context, p actions.Plan, _ actions.Effect, say func(string)) actions.Verdict {
	name := p.Target.ID
	var receivers int
	for attempt := 1; attempt <= 2; attempt++ {
		asked := time.Now()
		pong, err := a.Broker.PingWorkers(ctx, name)
		if err != nil {
			return actions.Verdict{Kind: actions.Unverdict, Says: name + " could not be asked.", Evidence: []string{err.Error()}}
		}
		if slices.Contains(pong.Answered, name) {
			return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("%s is alive: it answered in %s.", name, took(time.Since(asked)))}
		}
		if receivers = pong.Receivers; receivers == 0 {
			break
		}
		say(fmt.Sprintf("no answer, attempt %d", attempt))
	}
	if receivers == 0 {
		return actions.Verdict{Kind: actions.NotFixed, Says: "No worker listens at all: " + name + " is gone, or deaf since Redis restarted.",
			Evidence: []string{"the control channel has no subscriber"}, Next: "Restart it."}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: name + " did not answer twice: it is frozen or gone.",
		Evidence: []string{fmt.Sprintf("subscribers of the control channel: %d", receivers)},
		Next:     "Restart it, unless its pool is solo and works on a task."}
}

func took(d time.Duration) string {
	return max(d.Round(100*time.Microsecond), 100*time.Microsecond).String()
}
