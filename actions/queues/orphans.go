package queues

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
)

// restoreOrphans brings messages back that a killed worker had taken and not
// acknowledged. Without it they wait for the visibility timeout.
type restoreOrphans struct{ deps }

func (restoreOrphans) ID() string    { return "restore-orphans" }
func (restoreOrphans) Title() string { return "Restore orphaned messages" }

// Kinds takes a queue for all of its orphans, or the tasks that are meant.
func (restoreOrphans) Kinds() []actions.TargetKind {
	return []actions.TargetKind{actions.OnQueue, actions.OnTask}
}

// Impossible says why no orphan can be restored here.
func (a restoreOrphans) Impossible(set probes.Set) string {
	_, why := a.overview(set)
	return why
}

func (a restoreOrphans) Disabled(set probes.Set, _ actions.Target) string {
	ov, why := a.overview(set)
	if why == "" && ov.Unacked == 0 {
		return "Nothing is unacknowledged."
	}
	return why
}

// orphans finds those that a target means. Not knowing what a worker holds is a
// refusal: what it holds would run twice.
func (a restoreOrphans) orphans(ctx context.Context, t actions.Target) ([]celery.Orphan, error) {
	all, err := a.d.Broker.Orphans(ctx)
	if err != nil {
		return nil, unclaimed(err)
	}
	meant := map[string]bool{}
	for _, one := range t.All() {
		meant[one.ID] = true
	}
	found := slices.DeleteFunc(all, func(o celery.Orphan) bool {
		if t.Kind == actions.OnQueue {
			return !meant[o.Queue]
		}
		return !meant[o.ID]
	})
	if len(found) == 0 {
		return nil, &actions.Refusal{Why: "No orphaned message is meant: workers hold what is unacknowledged, or it is back already."}
	}
	return found, nil
}

// unclaimed says why it is not known, or not true, that nobody holds a message.
func unclaimed(err error) error {
	var some *celery.ErrIncomplete
	var claimed *celery.ErrClaimed
	var moved *celery.ErrOrphansMoved
	switch {
	case errors.As(err, &some):
		return &actions.Refusal{Why: "It is not known what every worker holds: " + some.Error() + ".",
			Next: "What one of them still holds would run twice. Restart the silent worker first."}
	case errors.As(err, &claimed):
		return &actions.Moved{Says: "A worker holds one of them by now: " + claimed.Error() + "."}
	case errors.As(err, &moved):
		return &actions.Moved{Says: "They are not what was seen: " + moved.Error() + "."}
	}
	return explain(err)
}

func (a restoreOrphans) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	found, err := a.orphans(ctx, q.Target)
	if err != nil {
		return actions.Plan{}, err
	}
	if sound := slices.DeleteFunc(slices.Clone(found), func(o celery.Orphan) bool { return o.Kills || o.List == "" }); len(sound) < len(found) {
		if len(sound) == 0 {
			return actions.Plan{}, &actions.Refusal{Why: "Every one of them would kill the worker that takes it, or does not say where it belongs."}
		}
		return a.describe(q, sound, len(found)-len(sound)), nil
	}
	return a.describe(q, found, 0), nil
}

func (a restoreOrphans) describe(q actions.Request, found []celery.Orphan, bad int) actions.Plan {
	p := actions.NewPlan(a, q)
	p.Private = found
	n := int64(len(found))
	p.Title, p.Risk, p.Word = "Restore "+messages(n)+" that nobody holds", actions.High, "restore"
	var names []string
	queues := map[string]bool{}
	for i, o := range found {
		names = append(names, fmt.Sprintf("%s %.8s", celery.ShortTask(o.Task), orElse(o.CopyID, o.ID)))
		queues[o.Queue] = true
		if i < maxNamed {
			p.Seen["message "+clean.Text(o.ID)] = o.Digest
		}
	}
	p.Says = []string{
		"A killed worker had taken these: " + actions.Names(names, 8) + ".",
		"They go back to where they came from, to run next, the oldest first.",
	}
	if first := found[0].Delivered; !first.IsZero() {
		p.Says = append(p.Says, "The oldest was taken at "+first.UTC().Format("2006-01-02 15:04:05 UTC")+".")
	}
	p.Warnings = []string{"One that a worker out of reach still holds would run twice: all that listen have said that they hold none of them."}
	if bad > 0 {
		p.Warnings = append(p.Warnings, messages(int64(bad))+" are left alone: they would kill the worker that takes them, or name no queue.")
	}
	p.Seen["messages"] = fmt.Sprint(n)
	p.Steps = []actions.Step{{Verb: "move", Object: "unacked → " + fmt.Sprint(len(queues)) + " queue(s)", Detail: messages(n) + ", byte for byte, all or none", Statement: "RPUSH, HDEL, ZREM"}}
	p.StopsIf = "Stops if one is gone or changed, if a worker says that it holds one, or if one does not answer."
	p.Undo = "A purge of the queue takes them out again."
	return p
}

// maxNamed bounds how many messages the journal names.
const maxNamed = 50

func (a restoreOrphans) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	found := p.Private.([]celery.Orphan)
	n, err := a.d.Broker.RestoreOrphans(ctx, found)
	if err != nil {
		return actions.Effect{}, unclaimed(err)
	}
	return actions.Effect{Did: []string{"put " + messages(n) + " back"}, Values: map[string]string{"restored": fmt.Sprint(n)}}, nil
}

// Verify looks where they are now: run, taken by a living worker, or waiting.
func (a restoreOrphans) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	found, last := p.Private.([]celery.Orphan), ""
	var failed error
	for {
		seen, err := a.where(ctx, found)
		if err == nil && seen.lost == 0 {
			return actions.Verdict{Kind: actions.Fixed, Says: "Restored: " + seen.says() + ".", Evidence: e.Did}
		}
		says := seen.says()
		if err != nil {
			says = err.Error()
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
		case <-time.After(poll):
			continue
		case <-ctx.Done():
		}
		if failed != nil {
			return unseen(failed)
		}
		return actions.Verdict{Kind: actions.NotFixed, Says: "They were put back, and not all are seen again: " + last + ".", Evidence: e.Did, Next: "Look at the tasks pane."}
	}
}

// poll is the time between two looks.
const poll = 300 * time.Millisecond

// whereabouts counts messages by what became of them.
type whereabouts struct{ over, taken, waiting, lost int }

func (w whereabouts) says() string {
	says := fmt.Sprintf("%d ran or run, %d are held by a worker, %d wait", w.over, w.taken, w.waiting)
	if w.lost > 0 {
		says += fmt.Sprintf(", %d are not seen", w.lost)
	}
	return says
}

// where finds the first messages again; a thousand need not be looked for one
// by one.
func (a restoreOrphans) where(ctx context.Context, found []celery.Orphan) (w whereabouts, err error) {
	for _, o := range found[:min(len(found), maxNamed)] {
		if o.ID == "" {
			w.waiting++ // it cannot be asked for; the script moved it
			continue
		}
		_, has, err := a.d.Broker.Result(ctx, o.ID)
		if err == nil && has {
			w.over++
			continue
		}
		_, state, there, err := a.d.Broker.FindTask(ctx, o.ID)
		switch {
		case there && state == celery.StateWaiting:
			w.waiting++
		case there:
			w.taken++
		case err != nil:
			return w, err
		default:
			w.lost++
		}
	}
	return w, nil
}

// Settle asks whether any of the messages that the plan named is still there.
func (a restoreOrphans) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	unknown := actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the messages were put back.", Next: "Look at the tasks pane."}
	if a.d.Broker == nil {
		return unknown
	}
	all, err := a.d.Broker.Orphans(ctx)
	if err != nil {
		unknown.Evidence = []string{err.Error()}
		return unknown
	}
	for _, o := range all {
		if r.Seen["message "+clean.Text(o.ID)] == o.Digest {
			return actions.Verdict{Kind: actions.NotFixed, Says: "It was not done: the messages are still unacknowledged."}
		}
	}
	return actions.Verdict{Kind: actions.Unverdict, Says: "The messages are not unacknowledged any more: they were put back, by this or by a worker that started.", Next: "Look at the tasks pane."}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
