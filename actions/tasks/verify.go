package tasks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
)

// watched is one task under watch.
type watched struct {
	retry
	copyID, label string
	task, id      string
	attempts      int // failed ones, this not counted
	say           func(string)
	where         string // where the task was last seen, in words
	asked         time.Time
	missed        int // how often in a row no worker ran a task whose result says STARTED
}

// askEvery bounds how often workers are asked what they hold: every question
// goes to all of them.
const askEvery = 2 * time.Second

// Verify watches until the copy is done, the task has failed, or time is up.
// The database has the last word: Celery's SUCCESS says only that the task
// ended.
func (a retry) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	s := p.Private.(*sending)
	w := &watched{retry: a, copyID: s.situation.copy.ID, label: s.situation.copy.Label(), task: s.order.task, id: s.taskID,
		attempts: s.attempts, say: say, where: "sent to " + s.queue}
	for {
		v, over := w.look(ctx)
		if over {
			return v
		}
		select {
		case <-time.After(a.Timings.Poll):
		case <-ctx.Done():
			return w.timeUp()
		}
	}
}

// look asks the result, then the database, then the workers.
func (w *watched) look(ctx context.Context) (actions.Verdict, bool) {
	r, found, err := w.Broker.Result(ctx, w.id)
	switch {
	case err != nil:
		w.progress("the result cannot be read: " + err.Error())
	case found && r.State == "STARTED" && w.lost(ctx, r.Worker):
		return w.gone(ctx, r)
	case found && r.State == "STARTED":
		w.progress("running on " + orElse(r.Worker, "a worker"))
	case found && r.State == "RETRY":
		w.progress("failed, and will try again by itself: " + r.Error)
	case found:
		return w.ended(ctx, r)
	}
	c, f, err := w.current(ctx, w.copyID)
	if err == nil && done(w.task, c, f) {
		return w.fixed(stands(c, f), "the worker left no result yet"), true
	}
	if !found {
		w.search(ctx)
	}
	return actions.Verdict{}, false
}

// lost tells whether a task that began is in no worker's hands any more. It
// has to be so twice: between the end of a task and its result there is a
// moment, and a restarted worker answers before it has taken anything.
func (w *watched) lost(ctx context.Context, worker string) bool {
	if time.Since(w.asked) < askEvery {
		return false
	}
	w.asked = time.Now()
	if w.abandoned(ctx, worker) {
		w.missed++
	} else {
		w.missed = 0
	}
	return w.missed >= 2
}

// abandoned tells whether nobody runs the task: every worker that listens says
// so, and the one that began it answers, or was killed. One that stops in order
// has left the control channel too and still ends its task; it has taken its
// name off the list, which a killed one has not.
func (w *watched) abandoned(ctx context.Context, worker string) bool {
	held, err := w.Broker.QueryTask(ctx, []string{w.id})
	if err != nil || len(held) > 0 || worker == "" {
		return false
	}
	pong, err := w.Broker.PingWorkers(ctx)
	if err != nil || slices.Contains(pong.Answered, worker) {
		return err == nil
	}
	bound, err := w.Broker.Bound(ctx, worker)
	return err == nil && bound
}

// gone is the end of a task that died with its worker, unless its result or the
// copy says otherwise at last.
func (w *watched) gone(ctx context.Context, r celery.Result) (actions.Verdict, bool) {
	if now, found, err := w.Broker.Result(ctx, w.id); err != nil || found && now.State != "STARTED" {
		w.missed = 0
		return actions.Verdict{}, false
	}
	c, f, err := w.current(ctx, w.copyID)
	if err == nil && done(w.task, c, f) {
		return w.fixed(stands(c, f), "the worker left no result"), true
	}
	if _, _, waits, _ := w.Broker.FindTask(ctx, w.id); waits { // acknowledged late: it comes back
		w.missed = 0
		return actions.Verdict{}, false
	}
	v := w.failed("the task is lost: "+orElse(r.Worker, "its worker")+" began it, and no worker runs it", []string{"the result of task " + w.id + " says STARTED"})
	v.Next = strings.TrimSpace("Restart the worker if it is down, then retry. " + v.Next)
	return v, true
}

// ended judges a task that will not go on. A database that cannot be read now
// leaves it open.
func (w *watched) ended(ctx context.Context, r celery.Result) (actions.Verdict, bool) {
	if r.State != "SUCCESS" {
		return w.failed(orElse(r.Error, r.State), trace(r)), true
	}
	if r.Payload["status"] == "error" {
		detail := fmt.Sprint(r.Payload["detail"])
		return w.failed(detail, []string{"Celery says SUCCESS; the task returned status: error"}), true
	}
	c, f, err := w.current(ctx, w.copyID)
	switch {
	case err != nil:
		w.progress("the task ended; the copy cannot be read: " + err.Error())
		return actions.Verdict{}, false
	case done(w.task, c, f):
		return w.fixed(stands(c, f), "task "+w.id+" SUCCESS"), true
	}
	return w.failed("the task ended without an error, but "+stands(c, f), []string{"task " + w.id + " SUCCESS"}), true
}

// trace gives the end of a traceback, which names the place.
func trace(r celery.Result) []string {
	lines := strings.Split(strings.TrimSpace(r.Traceback), "\n")
	return append([]string{"Celery says " + r.State}, lines[max(0, len(lines)-4):]...)
}

func (w *watched) fixed(says, evidence string) actions.Verdict {
	return actions.Verdict{Kind: actions.Fixed, Says: says + ".", Evidence: []string{says, evidence}}
}

func (w *watched) failed(why string, evidence []string) actions.Verdict {
	v := actions.Verdict{Kind: actions.NotFixed, Evidence: evidence,
		Says: fmt.Sprintf("It failed: %s. This was attempt %d.", strings.TrimSuffix(why, "."), w.attempts+1)}
	if w.attempts+1 >= escalateAfter {
		v.Next = fmt.Sprintf("The playbook says escalate after %d failed attempts.", escalateAfter)
	}
	return v
}

// search finds the task where it waits or is held.
func (w *watched) search(ctx context.Context) {
	if time.Since(w.asked) < askEvery {
		return
	}
	w.asked = time.Now()
	live, err := w.Broker.Live(ctx, w.copyID)
	for _, l := range live {
		if l.ID == w.id {
			w.progress(strings.TrimSpace(l.State + " " + l.Worker))
			return
		}
	}
	if err == nil {
		w.progress("taken from its queue, no result yet")
	}
}

func (w *watched) progress(where string) {
	if where != w.where {
		w.where = where
		w.say(where)
	}
}

func (w *watched) timeUp() actions.Verdict {
	return actions.Verdict{
		Kind: actions.Unverdict, Says: "The outcome is not known yet; the task was last seen: " + w.where + ".",
		Evidence: []string{"task " + w.id}, Next: "It may still run: look at the copy before you retry.",
	}
}

// Settle finds out from the task's id what became of it.
func (a retry) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	if a.Broker == nil || a.Writer == nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known what became of the task: database or broker are not configured."}
	}
	id := taskID(r.ActionID)
	w := &watched{retry: a, copyID: r.Target.ID, label: r.Target.Label, task: finalizeTask, id: id, say: func(string) {}, asked: time.Now()}
	w.attempts = a.failures(r.Target.ID)
	if strings.HasPrefix(r.Title, "Retry the import") {
		w.task = importTask
	}
	if v, over := w.look(ctx); over {
		return v
	}
	if w.where != "" {
		return actions.Verdict{Kind: actions.Unverdict, Says: "Not known yet: the task is " + w.where + ".", Evidence: []string{"task " + id}, Next: "Look at the copy before you retry."}
	}
	return a.unsent(ctx, r, id)
}

// unsent tells a task that still waits from one that was never sent.
func (a retry) unsent(ctx context.Context, r actions.Record, id string) actions.Verdict {
	live, err := a.Broker.Live(ctx, r.Target.ID)
	for _, l := range live {
		if l.ID == id {
			return actions.Verdict{Kind: actions.Unverdict, Says: "Not known yet: the task is " + l.State + ".", Evidence: []string{"task " + id}, Next: "Look at the copy before you retry."}
		}
	}
	if err != nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the task was sent.", Evidence: []string{err.Error()}}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: "The task was not sent, or got lost: there is neither message nor result.", Evidence: []string{"task " + id}, Next: "Look again, then retry."}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
