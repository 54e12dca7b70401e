package workers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// shutdown is the warm stop of one worker.
type shutdown struct{ base }

func (shutdown) ID() string    { return "shutdown" }
func (shutdown) Title() string { return "Shut the worker down (warm)" }

// Watch is the bound of Verify: running tasks are let finish.
func (a shutdown) Watch() time.Duration { return a.Timings.Drain }

// stopping is what a plan keeps; Execute brings it up to date.
type stopping struct{ worker celery.Worker }

func (a shutdown) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	w, err := a.awake(ctx, q.Target.ID)
	if err != nil {
		return actions.Plan{}, err
	}
	p := actions.NewPlan(a, q)
	p.Private = &stopping{w}
	p.Title, p.Risk, p.Word = "Shut down "+w.Name, actions.High, w.Name
	p.Says = []string{
		fmt.Sprintf("%s takes nothing more and ends as soon as its running tasks have: %s.", w.Name, running(w)),
		fmt.Sprintf("What it holds and has not begun goes back to its queue: %s.", tasks(w.Reserved+w.Scheduled)),
	}
	p.Warnings = a.alone(q.Set, w)
	note(p.Seen, w)
	p.Steps = []actions.Step{{Verb: "publish", Object: "shutdown", Detail: "to " + w.Name, Statement: "PUBLISH", Args: []string{"shutdown", w.Name}}}
	p.StopsIf = "Stops if the worker does not answer, or is another process by then."
	p.Undo = "None from here: its supervisor, or somebody on its host, has to start it again."
	return p, nil
}

// running names what a worker runs.
func running(w celery.Worker) string {
	var names []string
	for _, r := range w.Running {
		if r.State == "running" {
			names = append(names, fmt.Sprintf("%s %.8s", celery.ShortTask(r.Task), orElse(r.CopyID, r.ID)))
		}
	}
	return orElse(actions.Names(names, 6), "none now")
}

// alone warns of queues that nobody takes any more.
func (a shutdown) alone(set probes.Set, w celery.Worker) []string {
	left := slices.DeleteFunc(slices.Clone(w.Queues), func(q string) bool { return othersTake(set, w.Name, q) })
	out := []string{"A supervisor with a restart policy may start it again at once."}
	if len(left) > 0 {
		out = append(out, "No other worker is known to take "+actions.Names(left, 6)+": what comes waits until one does.")
	}
	return out
}

func (a shutdown) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	s := p.Private.(*stopping)
	now, err := a.same(ctx, s.worker)
	if err != nil {
		return actions.Effect{}, err
	}
	s.worker = now
	if err := a.Broker.Shutdown(ctx, now.Name); err != nil {
		return actions.Effect{}, explain(err)
	}
	return actions.Effect{Did: []string{fmt.Sprintf("told %s (pid %d) to finish and end", now.Name, now.PID)},
		Values: map[string]string{"worker": now.Name, "pid": fmt.Sprint(now.PID)}}, nil
}

// Verify waits until the worker has left the control channel, which it does at
// once, then until its tasks have ended and what it held is back.
func (a shutdown) Verify(ctx context.Context, p actions.Plan, _ actions.Effect, say func(string)) actions.Verdict {
	w, last := p.Private.(*stopping).worker, ""
	left := false
	for {
		says, over, err := a.look(ctx, w, &left)
		switch {
		case err != nil:
			says = "it cannot be seen: " + err.Error()
		case over:
			return actions.Verdict{Kind: actions.Fixed, Says: says}
		}
		if says != last {
			last = says
			say(says)
		}
		if a.pause(ctx) {
			continue
		}
		if left {
			return actions.Verdict{Kind: actions.Unverdict, Says: w.Name + " takes nothing more and has not ended yet: " + last + ".",
				Next: "Its tasks may take up to their time limit; look at the workers pane."}
		}
		return actions.Verdict{Kind: actions.NotFixed, Says: w.Name + " was told and is still there.", Evidence: []string{last},
			Next: "Restart it through its supervisor."}
	}
}

// look says where the stop is, and whether it is over.
func (a shutdown) look(ctx context.Context, w celery.Worker, left *bool) (says string, over bool, err error) {
	pong, err := a.Broker.PingWorkers(ctx, w.Name)
	if err != nil {
		return "", false, err
	}
	after := ""
	if slices.Contains(pong.Answered, w.Name) {
		now, err := a.Broker.Worker(ctx, w.Name)
		if err != nil || now.PID == w.PID {
			return "it still answers", false, nil
		}
		after = fmt.Sprintf("; its supervisor has started it again, pid %d", now.PID)
	}
	*left = true
	works, held, err := a.remains(ctx, w)
	switch {
	case err != nil:
		return "", false, err
	case works+held > 0:
		return fmt.Sprintf("%s running, %s not back in the queue", tasks(works), tasks(held)), false, nil
	}
	return fmt.Sprintf("%s (pid %d) is gone, and holds nothing%s.", w.Name, w.PID, after), true, nil
}

// remains counts what a worker ran whose result still says STARTED, and what it
// held that nobody has given back.
func (a shutdown) remains(ctx context.Context, w celery.Worker) (works, held int, err error) {
	mine := map[string]bool{}
	for _, r := range w.Running {
		mine[r.ID] = true
		if r.State != "running" {
			continue
		}
		res, found, err := a.Broker.Result(ctx, r.ID)
		if err != nil {
			return 0, 0, err
		}
		if found && res.State == "STARTED" {
			works++
		}
	}
	orphans, err := a.Broker.Orphans(ctx)
	for _, o := range orphans {
		if mine[o.ID] {
			held++
		}
	}
	return works, held, err
}

// Settle asks whether the process that was to stop still answers.
func (a shutdown) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	unknown := a.base.Settle(ctx, r)
	if a.Broker == nil {
		return unknown
	}
	pong, err := a.Broker.PingWorkers(ctx, r.Target.ID)
	if err != nil {
		unknown.Evidence = []string{err.Error()}
		return unknown
	}
	if !slices.Contains(pong.Answered, r.Target.ID) {
		return actions.Verdict{Kind: actions.Fixed, Says: r.Target.ID + " does not answer any more."}
	}
	if w, err := a.Broker.Worker(ctx, r.Target.ID); err == nil && r.Seen["pid"] == fmt.Sprint(w.PID) {
		return actions.Verdict{Kind: actions.NotFixed, Says: r.Target.ID + " still answers, as the same process."}
	}
	return unknown
}
