package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
)

// single is what the actions on one task share.
type single struct{ Deps }

func (single) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnTask} }

// Watch is the bound of Verify: a worker obeys at once, or not at all.
func (a single) Watch() time.Duration { return min(a.Timings.Watch, revokeFor) }

// revokeFor is how long the end of a revoked task is awaited.
const revokeFor = 15 * time.Second

// Impossible says why no task can be reached here.
func (a single) Impossible(set probes.Set) string {
	_, snap, ok := probes.Of[celery.Overview](set, celery.ID)
	switch {
	case a.Broker == nil:
		return "No broker is configured: set CELERY_BROKER_URL."
	case !ok && snap.Err != nil:
		return "The broker cannot be read: " + snap.Err.Error() + "."
	case !ok:
		return "The broker has not been read yet."
	}
	return ""
}

func (a single) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "One task at a time: it cannot be taken back."
	}
	return ""
}

// place is where a task is: its message, its place in a worker's hands, or both.
type place struct {
	id      string
	message celery.Message
	state   string // celery.StateWaiting, StateUnacked; "" no message
	held    *celery.Running
}

// running tells whether a worker has begun the task.
func (p place) running() bool { return p.held != nil && p.held.State == "running" }

// where says it in words.
func (p place) where() string {
	switch {
	case p.running():
		return "running on " + p.held.Worker
	case p.held != nil:
		return "held by " + p.held.Worker
	case p.state == celery.StateUnacked:
		return "unacknowledged"
	case p.state == "":
		return "nowhere"
	}
	return "waiting in " + p.message.Queue
}

// what names the task with its copy.
func (p place) what() string {
	task, copy := p.message.Task, p.message.CopyID
	if p.held != nil {
		task, copy = p.held.Task, p.held.CopyID
	}
	return strings.TrimSpace(fmt.Sprintf("%s %.8s", celery.ShortTask(task), copy))
}

// locate asks the lists first and the workers then, in the order in which a
// task goes through them. Every worker has to answer.
func (a single) locate(ctx context.Context, id string) (place, error) {
	p := place{id: id}
	m, state, found, err := a.Broker.FindTask(ctx, id)
	var some *celery.ErrIncomplete
	if err != nil && !errors.As(err, &some) {
		return p, err
	}
	if found {
		p.message, p.state = m, state
	}
	held, err := a.Broker.QueryTask(ctx, []string{id})
	switch {
	case errors.As(err, &some):
		return p, refuse("A worker does not answer: "+some.Error()+".", "It would do what it is sent when it wakes up; restart it first.")
	case err != nil:
		return p, err
	case len(held) > 0:
		p.held = &held[0]
	}
	return p, nil
}

// revoke makes the workers refuse a task that has not begun.
type revoke struct{ single }

func (revoke) ID() string    { return "revoke" }
func (revoke) Title() string { return "Revoke the task" }

// Impossible says why no task can be revoked here.
func (a revoke) Impossible(set probes.Set) string {
	if why := a.single.Impossible(set); why != "" {
		return why
	}
	if a.SaveDir == "" {
		return "There is no folder to save the message in."
	}
	return ""
}

func (a revoke) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	return a.single.Disabled(set, t)
}

func (a revoke) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, refuse("There is no choice "+q.Choice+".", "")
	}
	at, err := a.locate(ctx, q.Target.ID)
	if err != nil {
		return actions.Plan{}, err
	}
	if no := a.hopeless(ctx, at); no != nil {
		return actions.Plan{}, no
	}
	p := actions.NewPlan(a, q)
	p.Private = at
	p.Title, p.Risk, p.Word = "Revoke "+at.what(), actions.High, fmt.Sprintf("%.8s", at.id)
	p.Says = []string{
		fmt.Sprintf("The task %s is %s and has not begun. Every worker is told to refuse it when its turn comes.", at.id, at.where()),
		"Its message is saved first. It stays in sight until its turn comes.",
	}
	p.Warnings = []string{"These workers refuse this id until they restart; then the message would run again, if it still lies there.",
		"To run the work after all, retry the copy: that sends a new task."}
	p.Seen["task"], p.Seen["place"], p.Seen["message"] = at.id, at.where(), at.message.Digest()
	p.Steps = []actions.Step{
		{Verb: "save", Object: a.file(p.ID, at.id), Detail: "the message, byte for byte"},
		{Verb: "publish", Object: "revoke", Detail: "to every worker", Statement: "PUBLISH", Args: []string{"revoke", at.id}},
	}
	p.StopsIf = "Stops if the task has begun, or a worker does not answer."
	p.Undo = "None: the workers keep refusing this id. The saved message can be sent under a new one."
	return p, nil
}

// hopeless says why a revoke would do nothing.
func (a revoke) hopeless(ctx context.Context, at place) error {
	switch {
	case at.running():
		return refuse("The task runs already on "+at.held.Worker+": a revoke does not stop it.", "Wait for it, or terminate it.")
	case at.state != "":
		return nil
	}
	if r, found, err := a.Broker.Result(ctx, at.id); err == nil && found {
		return refuse("The task is over or beyond reach: its result says "+r.State+".", "")
	}
	return refuse("There is no message of task "+clean.Capped(at.id, 80)+" in any queue or in a worker's hands.", "")
}

// file is where a revoked message is saved.
func (a single) file(planID, taskID string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, fmt.Sprintf("%.40s", taskID))
	return filepath.Join(a.SaveDir, planID+"-task-"+safe+".json")
}

// save writes a message into a file that only we may read.
func (a single) save(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save the message: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("save the message: %w", err)
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save the message: %w", err)
	}
	return nil
}

func (a revoke) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	was := p.Private.(place)
	now, err := a.locate(ctx, was.id)
	if err != nil {
		return actions.Effect{}, err
	}
	if now.running() || now.state == "" {
		return actions.Effect{}, &actions.Moved{Says: "The task has begun or ended meanwhile.",
			Diffs: []actions.Diff{{Name: "place", Was: was.where(), Is: now.where()}}}
	}
	path := a.file(p.ID, was.id)
	if err := a.save(path, now.message.Raw); err != nil {
		return actions.Effect{}, fmt.Errorf("nothing was revoked: %w", err)
	}
	said, err := a.Broker.Revoke(ctx, []string{was.id}, false, "")
	if err != nil {
		return actions.Effect{}, told(err)
	}
	return actions.Effect{Did: answers(said), Values: map[string]string{"task": was.id, "file": path}}, nil
}

// told turns a failure of a control command into what an action reports.
func told(err error) error {
	var quiet *celery.ErrSilent
	var late *celery.ErrUnanswered
	var readOnly *celery.ErrReadOnly
	switch {
	case errors.As(err, &quiet), errors.Is(err, celery.ErrNoWorker):
		return refuse("Nothing was sent: "+err.Error()+".", "Restart the worker first.")
	case errors.As(err, &readOnly):
		return refuse("Nothing may be written: "+readOnly.Why+".", "")
	case errors.As(err, &late):
		return &actions.Unsure{Err: err}
	}
	return err
}

// answers are what workers said to a command.
func answers(said []celery.Said) []string {
	var out []string
	for _, s := range said {
		out = append(out, s.Worker+" says: "+orElse(s.OK, "no: "+s.Err))
	}
	return out
}

// Verify waits a little for REVOKED, which is written when the task's turn
// comes; until then the workers' word has to do.
func (a revoke) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	id := p.Private.(place).id
	var last error
	for {
		r, found, err := a.Broker.Result(ctx, id)
		if ctx.Err() == nil {
			last = err
		}
		switch {
		case err == nil && found && r.State == "REVOKED":
			return actions.Verdict{Kind: actions.Fixed, Says: "Revoked: a worker has refused the task.", Evidence: e.Did}
		case err == nil && found && r.State != "RETRY":
			return actions.Verdict{Kind: actions.NotFixed, Says: "It came too late: the result of the task says " + r.State + ".", Evidence: e.Did}
		}
		select {
		case <-time.After(a.Timings.Poll):
			continue
		case <-ctx.Done():
		}
		if last != nil {
			return actions.Verdict{Kind: actions.Unverdict, Says: "The workers were told; the result cannot be read.", Evidence: append(e.Did, last.Error())}
		}
		return actions.Verdict{Kind: actions.Fixed, Says: "Every worker refuses the task from now on; its message goes when its turn comes.", Evidence: e.Did}
	}
}

// Settle reads the result, which is the only trace.
func (a single) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	unknown := actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the workers were told.", Next: "Look at the tasks pane."}
	if a.Broker == nil {
		return unknown
	}
	res, found, err := a.Broker.Result(ctx, r.Target.ID)
	switch {
	case err != nil:
		unknown.Evidence = []string{err.Error()}
	case found && res.State == "REVOKED":
		return actions.Verdict{Kind: actions.Fixed, Says: "It was done: the result says REVOKED."}
	case found && (res.State == "SUCCESS" || res.State == "FAILURE"):
		return actions.Verdict{Kind: actions.NotFixed, Says: "The task ended by itself: its result says " + res.State + "."}
	}
	return unknown
}
