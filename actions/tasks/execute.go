package tasks

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes/celery"
)

// Execute checks everything again in one transaction, deletes the expired lock
// in it, and sends the task after its commit: sent before, the worker could
// meet the lock. A crash in between leaves neither message nor result, which
// Settle finds.
func (a retry) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	s := p.Private.(*sending)
	if err := a.unchanged(ctx, s); err != nil {
		return actions.Effect{}, err
	}
	err := rows.Write(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx) error { return s.recheck(ctx, tx, q.Actor) })
	if err != nil {
		return actions.Effect{}, err
	}
	e := actions.Effect{Values: map[string]string{"task": s.taskID, "queue": s.queue, "user": fmt.Sprint(s.order.user)}}
	if l := s.order.clear; l != nil {
		e.Did = append(e.Did, "deleted the expired lock of "+l.Holder())
	}
	if err := a.Broker.Publish(ctx, s.message(q.Actor)); err != nil {
		return e, &actions.Unsure{Err: err}
	}
	e.Did = append(e.Did, fmt.Sprintf("sent %s for %s to %s", celery.ShortTask(s.order.task), s.situation.copy.Label(), s.queue))
	return e, nil
}

// unchanged looks again at what the transaction cannot hold: other tasks for
// the copy, and the score that the plan promised to publish.
func (a retry) unchanged(ctx context.Context, s *sending) error {
	doubts := len(s.doubts)
	if err := a.alone(ctx, s); err != nil {
		return err
	}
	if doubts == 0 && len(s.doubts) > 0 {
		return refuse(s.doubts[0], "Look again, then decide anew.")
	}
	if !s.known || s.order.task != finalizeTask {
		return nil
	}
	d, err := a.Grading.Dossier(ctx, s.situation.copy.ID)
	if err != nil {
		return err
	}
	if d.ScoreKnown != s.dossier.ScoreKnown || d.Score != s.dossier.Score {
		return &actions.Moved{Says: s.situation.copy.Label() + " would be graded with another score now.",
			Diffs: []actions.Diff{{Name: "score", Was: s.dossier.Score, Is: d.Score}}}
	}
	return nil
}

// recheck compares the copy, its lock and what decided before, with the row
// held, and deletes the expired lock.
func (s *sending) recheck(ctx context.Context, tx pgx.Tx, who actions.Actor) error {
	was := s.situation
	is, err := look(ctx, tx, s.tables, was.copy.ID, was.locks, who)
	if err != nil {
		return err
	}
	if says, diffs := rows.Changed(was.copy, is.copy); says != "" {
		return &actions.Moved{Says: is.copy.Label() + ": " + says + ".", Diffs: diffs}
	}
	if diffs := s.decided(is); len(diffs) > 0 {
		return &actions.Moved{Says: is.copy.Label() + " is not as it was.", Diffs: diffs}
	}
	if s.order.clear == nil {
		return nil
	}
	deleted, err := s.tables.DeleteLocks(ctx, tx, []*rows.Lock{s.order.clear})
	if err == nil && len(deleted) != 1 {
		err = &actions.Moved{Says: "The expired lock changed at this moment."}
	}
	return err
}

// decided decides anew and says what comes out differently. A live lock that
// has run out since is one of these.
func (s *sending) decided(is situation) []actions.Diff {
	var out []actions.Diff
	add := func(name, was, is string) {
		if was != is {
			out = append(out, actions.Diff{Name: name, Was: was, Is: is})
		}
	}
	now, no := decide(is)
	if no != nil {
		return []actions.Diff{{Name: "a retry", Was: "possible", Is: "not: " + no.Error()}}
	}
	add("lock", expiry(s.order), expiry(now))
	add("acting user", rows.User(s.order.user), rows.User(now.user))
	add("pages", fmt.Sprint(s.situation.facts.Pages), fmt.Sprint(is.facts.Pages))
	add("FINALIZE events", fmt.Sprint(s.situation.facts.Finalizes[s.order.user]), fmt.Sprint(is.facts.Finalizes[s.order.user]))
	return out
}

func expiry(o order) string {
	switch {
	case o.token != "":
		return "valid"
	case o.clear != nil:
		return "expired"
	}
	return "none"
}

// message is the task with the arguments that every generation takes; the
// oldest raises an error at any other (request_id).
func (s *sending) message(who actions.Actor) celery.Task {
	t := celery.Task{
		ID: s.taskID, Name: s.order.task, Queue: s.queue, Origin: "gradecockpit@" + who.Host,
		Kwargs: map[string]any{"copy_id": s.situation.copy.ID, "user_id": s.order.user},
	}
	if s.order.task == finalizeTask {
		t.Kwargs["lock_token"] = nil
		if s.order.token != "" {
			t.Kwargs["lock_token"] = s.order.token
		}
	}
	return t
}

// done tells whether a copy is what its task was to make of it.
func done(task string, c *rows.Copy, f *rows.Facts) bool {
	if task == importTask {
		return f.Pages > 0
	}
	return c.Status == "GRADED" && f.FinalPDF != ""
}

// stands says how a copy stands.
func stands(c *rows.Copy, f *rows.Facts) string {
	says := c.Label() + " is " + c.Status
	switch {
	case c.Status == "GRADED" && f.FinalPDF == "":
		says += " without a PDF"
	case c.Status == "GRADED":
		says += ", PDF " + f.FinalPDF
	case f.Pages >= 0:
		says += " with " + plural(f.Pages, "page")
	}
	return says
}

// current reads the copy without taking its row: the worker needs that.
func (a retry) current(ctx context.Context, id string) (c *rows.Copy, f *rows.Facts, err error) {
	err = rows.Read(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		found, err := t.Read(ctx, tx, []string{id})
		if err != nil {
			return err
		}
		if c = found[id]; c == nil {
			return refuse("There is no such copy any more.", "")
		}
		f, err = t.Facts(ctx, tx, id)
		return err
	})
	return c, f, err
}
