package tasks

import (
	"fmt"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
)

// describe says what will really happen.
func (a retry) describe(p actions.Plan, s *sending) actions.Plan {
	c := s.situation.copy
	p.Private = s
	p.Title = "Retry the import of " + c.Label()
	p.Undo = "None: pages that were imported stay."
	if s.order.task == finalizeTask {
		p.Title, p.Risk, p.Word = "Retry the finalization of "+c.Label(), actions.High, c.Label()
		p.Undo = "None: in the application a graded copy stays graded."
	}
	p.Says = append(s.effect(), fmt.Sprintf("It runs in the name of %s, %s.", rows.Person(s.user), s.order.who))
	p.Says = append(p.Says, s.route())
	p.Warnings = append(p.Warnings, s.order.risky...)
	p.Warnings = append(p.Warnings, s.history()...)
	p.Warnings = append(p.Warnings, s.doubts...)
	p.StopsIf = "Stops if the status, the lock or the audit trail of the copy has changed, or if another task for it appears."
	s.note(p.Seen)
	p.Steps = s.steps()
	return p
}

// route says where the task goes, and after how many others it runs.
func (s *sending) route() string {
	says := fmt.Sprintf("The task goes to %s, which a worker takes", s.queue)
	if s.before > 0 {
		says += fmt.Sprintf("; %s before it", wait(s.before))
	}
	return says + "."
}

func wait(n int64) string {
	if n == 1 {
		return "1 task waits"
	}
	return fmt.Sprintf("%d tasks wait", n)
}

// effect says what a success leaves behind.
func (s *sending) effect() []string {
	c, f := s.situation.copy, s.situation.facts
	if s.order.task == importTask {
		return []string{fmt.Sprintf("This reads the PDF of %s again and adds its pages.", c.Label())}
	}
	out := []string{fmt.Sprintf("This grades %s with the current score: %s.", c.Label(), s.score())}
	if f.Pages >= 0 {
		out = append(out, fmt.Sprintf("The PDF is made of %s and %s.", plural(f.Pages, "page"), s.annotations()))
	}
	if f.FinalPDF != "" {
		out = append(out, "It has a PDF already; the application keeps the old one.")
	}
	return out
}

func (s *sending) score() string {
	if !s.known || !s.dossier.ScoreKnown {
		return "unknown, it cannot be computed here"
	}
	return s.dossier.Score
}

func (s *sending) annotations() string {
	if !s.known {
		return "its annotations"
	}
	n := 0
	for _, a := range s.dossier.Annotations {
		n += a.Count
	}
	if n == 0 {
		return "no annotation at all: it looks uncorrected"
	}
	return plural(n, "annotation")
}

// escalateAfter is the playbook's rule (8.2): hand over when remediation has
// failed twice.
const escalateAfter = 2

func (s *sending) history() []string {
	switch {
	case s.attempts == 0:
		return nil
	case s.attempts < escalateAfter:
		return []string{fmt.Sprintf("It failed %s before.", times(s.attempts))}
	}
	return []string{fmt.Sprintf("It failed %s before: the playbook says escalate after %d failed attempts.", times(s.attempts), escalateAfter)}
}

func (s *sending) note(seen map[string]string) {
	c := s.situation.copy
	seen["status"], seen["locked by"], seen["lock"] = c.Status, rows.User(c.LockedBy), rows.Row(c.Lock)
	if c.Lock != nil {
		seen["token"], seen["expires"] = c.Lock.Prefix(), rows.Moment(c.Lock.Expires)
	}
	seen["FINALIZE events by this user"] = fmt.Sprint(s.situation.facts.Finalizes[s.order.user])
	seen["score"] = s.score()
	seen["task"], seen["queue"] = s.taskID, s.queue
}

func (s *sending) steps() []actions.Step {
	var out []actions.Step
	c := s.situation.copy
	if l := s.order.clear; l != nil {
		out = append(out, actions.Step{
			Verb: "delete", Object: s.tables.Columns[grading.LockID].Table,
			Detail:    fmt.Sprintf("expired lock of %s on %s, token %s; the status stays %s", l.Holder(), c.Label(), l.Prefix(), c.Status),
			Statement: s.tables.DeleteSQL(), Args: []string{l.ID, l.CopyID, l.Prefix(), rows.Moment(l.Expires), fmt.Sprint(l.Owner.ID)},
		})
	}
	return append(out, actions.Step{
		Verb: "publish", Object: s.queue,
		Detail:    fmt.Sprintf("%s(copy_id=%s, user_id=%d%s), task %.8s", celery.ShortTask(s.order.task), c.Label(), s.order.user, s.tokenShown(), s.taskID),
		Statement: "LPUSH " + s.queue, Args: []string{s.order.task, s.taskID, c.ID, fmt.Sprint(s.order.user)},
	})
}

func (s *sending) tokenShown() string {
	switch {
	case s.order.task == importTask:
		return ""
	case s.order.token == "":
		return ", lock_token=None"
	}
	return ", lock_token=" + s.situation.copy.Lock.Prefix()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
