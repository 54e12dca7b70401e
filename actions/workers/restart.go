package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// restart runs the supervisor's command. It is the one thing that helps a
// worker which does not answer.
type restart struct{ base }

func (restart) ID() string    { return "restart" }
func (restart) Title() string { return "Restart the worker (supervisor)" }

// Lasts is the bound of Execute: the command's own, and a little to ask before.
func (a restart) Lasts() time.Duration { return a.RestartFor + 5*time.Second }

// Watch is the bound of Verify.
func (a restart) Watch() time.Duration { return a.Timings.Drain }

// Impossible says why no worker can be restarted from here.
func (a restart) Impossible(set probes.Set) string {
	if why := a.base.Impossible(set); why != "" {
		return why
	}
	if len(a.Restart) == 0 {
		return "No restart command is configured: set restart_command, such as [systemctl, restart, celery-worker]."
	}
	return ""
}

func (a restart) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "One worker at a time; the command restarts what its supervisor calls by that name."
	}
	return ""
}

// ended is what a plan keeps of the process that is to end.
type ended struct {
	name   string
	worker celery.Worker
	spoke  bool      // worker is known
	others []string  // who answered beside it
	begun  time.Time // when the command was started
}

func (a restart) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	e, err := a.ask(ctx, q.Target.ID)
	if err != nil {
		return actions.Plan{}, err
	}
	p := actions.NewPlan(a, q)
	p.Private = e
	p.Title, p.Risk, p.Word = "Restart "+q.Target.ID, actions.High, q.Target.ID
	line := strings.Join(a.Restart, " ")
	p.Says = []string{fmt.Sprintf("This runs: %s (at most %s).", line, actions.Span(a.RestartFor))}
	p.Warnings = []string{"It restarts whatever its supervisor calls by that name, other workers too."}
	if e.spoke {
		p.Says, p.Warnings = append(p.Says, a.holds(ctx, e.worker)...), append(p.Warnings, a.losses(ctx, e.worker)...)
		note(p.Seen, e.worker)
	} else {
		p.Says = append(p.Says, q.Target.ID+" does not answer, so what it runs and holds is not known.")
		p.Warnings = append(p.Warnings, "A task that it runs is lost: its result stays STARTED.",
			"What it had taken and not begun waits for the visibility timeout, unless you restore the orphans afterwards.")
		p.Seen["worker"], p.Seen["pid"] = q.Target.ID, "silent"
	}
	p.Steps = []actions.Step{{Verb: "run", Object: line, Statement: a.Restart[0], Args: a.Restart[1:]}}
	p.StopsIf = "Stops if the worker is another process by then."
	p.Undo = "None: what is lost is lost."
	return p, nil
}

// ask finds out about a worker that may be silent, and who else answers.
func (a restart) ask(ctx context.Context, name string) (*ended, error) {
	pong, err := a.Broker.PingWorkers(ctx)
	if err != nil {
		return nil, err
	}
	e := &ended{name: name, others: pong.Answered}
	if !slices.Contains(pong.Answered, name) {
		return e, nil
	}
	w, err := a.Broker.Worker(ctx, name)
	var quiet *celery.ErrSilent
	if errors.As(err, &quiet) {
		return e, nil
	}
	e.worker, e.spoke = w, err == nil
	return e, err
}

func (a restart) holds(_ context.Context, w celery.Worker) []string {
	return []string{
		fmt.Sprintf("%s runs: %s.", w.Name, running(w)),
		fmt.Sprintf("It holds %s that it has not begun.", tasks(w.Reserved+w.Scheduled)),
	}
}

// losses says what a stop takes with it. An orderly one lets running tasks
// finish; the supervisor kills what is not done when its patience ends.
func (a restart) losses(ctx context.Context, w celery.Worker) []string {
	conf, err := a.Broker.Conf(ctx, w.Name)
	timeout := "the visibility timeout"
	if err == nil {
		timeout += " (" + actions.Span(conf.VisibilityTimeout) + ")"
	}
	var out []string
	if n := count(w, "running"); n > 0 && conf.AcksLate {
		out = append(out, fmt.Sprintf("%s run again from the beginning if the supervisor kills the worker: they are acknowledged late.", tasks(n)))
	} else if n > 0 {
		out = append(out, fmt.Sprintf("%s that run are lost if they are not done when the supervisor's patience ends (docker: 10 s): they were acknowledged when they began.", tasks(n)))
	}
	if n := w.Reserved + w.Scheduled; n > 0 {
		out = append(out, fmt.Sprintf("%s that it holds go back to the queue in an orderly stop; after a kill they wait for %s, unless you restore the orphans.", tasks(n), timeout))
	}
	return out
}

func (a restart) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	was := p.Private.(*ended)
	now, err := a.ask(ctx, was.name)
	if err != nil {
		return actions.Effect{}, err
	}
	if !was.spoke && now.spoke {
		return actions.Effect{}, &actions.Moved{Says: was.name + " answers again.",
			Diffs: []actions.Diff{{Name: "pid", Was: "silent", Is: fmt.Sprint(now.worker.PID)}}}
	}
	if was.spoke && now.spoke && was.worker.PID != now.worker.PID {
		return actions.Effect{}, &actions.Moved{Says: was.name + " was restarted meanwhile.",
			Diffs: []actions.Diff{{Name: "pid", Was: fmt.Sprint(was.worker.PID), Is: fmt.Sprint(now.worker.PID)}}}
	}
	was.others, was.begun = now.others, time.Now()
	if now.spoke {
		was.worker, was.spoke = now.worker, true
	}
	says, err := supervise(ctx, a.Restart, a.RestartFor)
	took := time.Since(was.begun).Round(100 * time.Millisecond)
	e := actions.Effect{
		Did:    []string{fmt.Sprintf("ran %s in %s", strings.Join(a.Restart, " "), took)},
		Values: map[string]string{"worker": was.name, "output": strings.Join(says, "\n")},
	}
	switch {
	case errors.Is(err, errTooLong):
		return e, &actions.Unsure{Err: fmt.Errorf("%w%s", err, quoted(says))}
	case err != nil:
		return actions.Effect{}, fmt.Errorf("%w%s", err, quoted(says))
	}
	return e, nil
}

func quoted(says []string) string {
	if len(says) == 0 {
		return ""
	}
	return ": " + strings.Join(says, " / ")
}

// Verify waits for a new process that answers, then for the queues to move.
func (a restart) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	was := p.Private.(*ended)
	evidence := evidenceOf(e)
	d, last := drain{first: -1}, ""
	for {
		w, says, err := a.fresh(ctx, was)
		if err == nil && w != nil {
			evidence = append(evidenceOf(e), says)
			var moves bool
			if moves, says, err = d.look(ctx, a.Broker, *w); err == nil && moves {
				return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("%s answers as a new process, pid %d; %s.", w.Name, w.PID, says), Evidence: evidence}
			}
		}
		if err != nil {
			says = "it cannot be seen: " + err.Error()
		}
		if says != last {
			last = says
			say(says)
		}
		if !a.pause(ctx) {
			return a.timeUp(err, last, evidence)
		}
	}
}

func (a restart) timeUp(err error, last string, evidence []string) actions.Verdict {
	v := actions.Verdict{Kind: actions.NotFixed, Says: "The command ran, and it did not help: " + last + ".",
		Evidence: evidence, Next: "Look at the supervisor's own log."}
	if err != nil {
		v.Kind, v.Says = actions.Unverdict, "The command ran; "+last+"."
	}
	return v
}

// evidenceOf gives what the supervisor said.
func evidenceOf(e actions.Effect) []string {
	var out []string
	for line := range strings.SplitSeq(e.Values["output"], "\n") {
		if line != "" {
			out = append(out, "it said: "+line)
		}
	}
	return out
}

// fresh finds the process that took the place of the old one: under its name,
// or under one that nobody had, as when a container was made anew.
func (a restart) fresh(ctx context.Context, was *ended) (*celery.Worker, string, error) {
	pong, err := a.Broker.PingWorkers(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, name := range pong.Answered {
		if name != was.name && slices.Contains(was.others, name) {
			continue
		}
		w, err := a.Broker.Worker(ctx, name)
		if err != nil {
			return nil, name + " answers ping and nothing else yet", nil
		}
		if name != was.name || was.replacedBy(w) {
			return &w, fmt.Sprintf("%s answers, pid %d, up for %s", w.Name, w.PID, w.Uptime), nil
		}
		return nil, fmt.Sprintf("the old process answers, pid %d", w.PID), nil
	}
	return nil, "no new process answers yet", nil
}

// replacedBy tells a new process from the old one. In a container both often
// have the same pid, so a shorter uptime counts too.
func (e *ended) replacedBy(now celery.Worker) bool {
	if e.spoke {
		return now.PID != e.worker.PID || now.Uptime < e.worker.Uptime
	}
	return now.Uptime <= time.Since(e.begun)+2*time.Second
}

// drain watches whether a worker does away with what waits.
type drain struct{ first int64 }

func (d *drain) look(ctx context.Context, b *celery.Broker, w celery.Worker) (moves bool, says string, err error) {
	n, err := b.Depth(ctx, w.Queues...)
	if err != nil {
		return false, "", err
	}
	if d.first < 0 {
		d.first = n
	}
	queues := actions.Names(w.Queues, 6)
	switch {
	case n == 0:
		return true, "nothing waits in " + queues, nil
	case n < d.first:
		return true, fmt.Sprintf("%s drains: %s wait, it were %d", queues, tasks(int(n)), d.first), nil
	}
	return false, fmt.Sprintf("it answers, and %s wait in %s", tasks(int(n)), queues), nil
}

// Settle asks whether the worker has started since.
func (a restart) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	unknown := actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the worker was restarted.", Next: "Look at the workers pane."}
	if a.Broker == nil {
		return unknown
	}
	w, err := a.Broker.Worker(ctx, r.Target.ID)
	switch {
	case err != nil:
		unknown.Evidence = []string{err.Error()}
		return unknown
	case w.Uptime < time.Since(r.At):
		return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("%s was restarted: it is up for %s, pid %d.", w.Name, actions.Span(w.Uptime), w.PID)}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: fmt.Sprintf("%s was not restarted: it is up for %s.", w.Name, actions.Span(w.Uptime))}
}
