package tasks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
)

// The signals that end a running task.
const (
	softly = "SIGTERM"
	hard   = "SIGKILL"
)

// terminate ends a task in the middle, with the process that runs it.
type terminate struct{ single }

func (terminate) ID() string    { return "terminate" }
func (terminate) Title() string { return "Terminate the running task" }

func (a terminate) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice == "" {
		q.Choice = softly
	}
	if q.Choice != softly && q.Choice != hard {
		return actions.Plan{}, refuse("There is no choice "+q.Choice+".", "")
	}
	at, err := a.locate(ctx, q.Target.ID)
	switch {
	case err != nil:
		return actions.Plan{}, err
	case !at.running():
		return actions.Plan{}, refuse("No worker runs this task: it is "+at.where()+".", "What has not begun is revoked, not terminated.")
	}
	p := actions.NewPlan(a, q)
	p.Private = at
	p.Title, p.Risk, p.Word = "Terminate "+at.what(), actions.High, fmt.Sprintf("%.8s", at.id)
	p.Says = []string{fmt.Sprintf("%s runs task %s. The process that runs it gets %s; the pool starts another.", at.held.Worker, at.id, q.Choice)}
	if !at.held.Started.IsZero() {
		p.Says = append(p.Says, "It began at "+at.held.Started.UTC().Format("15:04:05 UTC")+".")
	}
	p.Warnings = []string{
		"THE TASK IS LOST: it was acknowledged when it began, so no worker runs it again.",
		"It ends in the middle. What it did inside its transaction is rolled back by the database; files and messages that it made stay.",
	}
	if q.Choice == hard {
		p.Warnings = append(p.Warnings, "SIGKILL lets it clean up nothing.")
	}
	p.Choices = []actions.Choice{{ID: softly, Title: "SIGTERM"}, {ID: hard, Title: "SIGKILL, when SIGTERM did not help"}}
	p.Seen["task"], p.Seen["worker"], p.Seen["args"] = at.id, at.held.Worker, at.held.Args
	p.Steps = []actions.Step{{Verb: "publish", Object: "revoke, terminate", Detail: "to " + at.held.Worker, Statement: "PUBLISH", Args: []string{"revoke", at.id, q.Choice}}}
	p.StopsIf = "Stops if the task has ended, or the worker does not answer."
	p.Undo = "None. A retry of the copy sends a new task."
	return p, nil
}

func (a terminate) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	was := p.Private.(place)
	now, err := a.locate(ctx, was.id)
	if err != nil {
		return actions.Effect{}, err
	}
	if !now.running() || now.held.Worker != was.held.Worker {
		return actions.Effect{}, ran(was, now.where())
	}
	said, err := a.Broker.Revoke(ctx, []string{was.id}, true, p.Choice, was.held.Worker)
	if err != nil {
		return actions.Effect{}, told(err)
	}
	if len(said) > 0 && strings.Contains(said[0].OK, "unknown") {
		return actions.Effect{}, ran(was, "unknown to the worker")
	}
	return actions.Effect{Did: answers(said), Values: map[string]string{"task": was.id, "worker": was.held.Worker}}, nil
}

func ran(was place, is string) error {
	return &actions.Moved{Says: "The task has ended meanwhile.", Diffs: []actions.Diff{{Name: "place", Was: was.where(), Is: is}}}
}

// Verify waits until no worker runs the task. Its result tells how it ended.
func (a terminate) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	at := p.Private.(place)
	var failed error
	last := ""
	for {
		held, err := a.Broker.QueryTask(ctx, []string{at.id}, at.held.Worker)
		if err == nil && !runs(held) {
			return a.over(ctx, at.id, e)
		}
		says := "it still runs"
		if err != nil {
			says = "the worker cannot be asked: " + err.Error()
		}
		if ctx.Err() == nil {
			failed = err
		} else {
			says = last // this look was cut short
		}
		if says != last {
			last = says
			say(says)
		}
		select {
		case <-time.After(a.Timings.Poll):
			continue
		case <-ctx.Done():
		}
		if failed != nil {
			return actions.Verdict{Kind: actions.Unverdict, Says: "The worker was told; " + last + ".", Evidence: e.Did}
		}
		return actions.Verdict{Kind: actions.NotFixed, Says: "The worker was told, and the task still runs.", Evidence: e.Did, Next: "Try SIGKILL, or restart the worker."}
	}
}

func runs(held []celery.Running) bool {
	for _, r := range held {
		if r.State == "running" {
			return true
		}
	}
	return false
}

// over reads the result of a task that no longer runs. One that the killed
// process left says STARTED until somebody corrects it.
func (a terminate) over(ctx context.Context, id string, e actions.Effect) actions.Verdict {
	r, found, err := a.Broker.Result(ctx, id)
	says := "Terminated: it runs no more"
	switch {
	case err != nil:
		says += "; its result cannot be read"
	case found && (r.State == "SUCCESS" || r.State == "FAILURE"):
		return actions.Verdict{Kind: actions.NotFixed, Says: "It ended by itself before: its result says " + r.State + ".", Evidence: e.Did}
	case found:
		says += ", and its result says " + r.State
	}
	return actions.Verdict{Kind: actions.Fixed, Says: says + ".", Evidence: e.Did}
}
