package tasks

import (
	"fmt"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes/grading"
)

// situation is everything that decides a retry. It is a value, so that the
// decision can be made again inside the transaction and compared.
type situation struct {
	copy     *rows.Copy
	facts    *rows.Facts
	locks    grading.Tri // whether the application uses locks
	namesOne bool        // exams_copy says who locked it (the playbook's tables do not)
	playbook bool        // the playbook's dialect
	operator int64       // who asks, as auth_user.id; 0 unknown
}

// order is the task to send.
type order struct {
	task  string
	user  int64
	token string     // of the live lock; "" sends null
	clear *rows.Lock // the expired lock that has to go first; nil: none
	who   string     // why this user
	risky []string   // what this may do that is not wanted
}

const (
	finalizeTask = "grading.tasks.async_finalize_copy"
	importTask   = "grading.tasks.async_import_pdf"
)

// decide picks user and token by the facts' table "Which user a retry must
// use", and refuses every other state with the way out that there is.
func decide(s situation) (order, *actions.Refusal) {
	c := s.copy
	switch c.Status {
	case "STAGING":
		return decideImport(s)
	case "LOCKED":
		if s.locks == grading.TriNo {
			return order{}, refuse(c.Label()+" is LOCKED, and locks are not in use here: no task leaves that status.", "Give it back to READY first (release-locked).")
		}
		return checked(s, byLock)
	case "GRADING_FAILED":
		if s.locks == grading.TriNo {
			return checked(s, byCorrector)
		}
		return checked(s, byLock)
	case "READY":
		return decideReady(s)
	case "GRADED":
		return order{}, refuse(c.Label()+" is GRADED already: every finalization is refused.", graded(s.facts))
	case "GRADING_IN_PROGRESS":
		return order{}, refuse(c.Label()+" is GRADING_IN_PROGRESS: every finalization is refused.", inProgress(s.locks))
	}
	return order{}, refuse(fmt.Sprintf("%s is %s, a status that no task leads out of.", c.Label(), c.Status), "")
}

func refuse(why, next string) *actions.Refusal { return &actions.Refusal{Why: why, Next: next} }

func graded(f *rows.Facts) string {
	if f.FinalPDF == "" {
		return "It has no PDF; a teacher who opens it makes it LOCKED, and can finalize it again."
	}
	return ""
}

func inProgress(locks grading.Tri) string {
	if locks == grading.TriNo {
		return "Nothing in this application leads out of it; that needs SQL."
	}
	return "A teacher who opens the copy makes it LOCKED again."
}

func decideReady(s situation) (order, *actions.Refusal) {
	switch s.locks {
	case grading.TriNo:
		o, no := checked(s, byCorrector)
		if no == nil {
			o.risky = append(o.risky, "Locks are not in use here: this grades the copy as it is, corrected or not.")
		}
		return o, no
	case grading.TriYes:
		return order{}, refuse(s.copy.Label()+" is READY: only LOCKED or GRADING_FAILED copies can be finalized.", "Its teacher has to open it and finalize.")
	}
	return order{}, refuse("It is not known whether locks are in use here; where they are not, a retry grades a READY copy as it is.", "Set locks: on or off.")
}

// checked adds what holds for every finalization.
func checked(s situation, by func(situation) (order, *actions.Refusal)) (order, *actions.Refusal) {
	if s.facts.Pages == 0 {
		return order{}, refuse(s.copy.Label()+" has no pages: a finalization fails the same way every time.", "Import it again.")
	}
	o, no := by(s)
	if no != nil {
		return o, no
	}
	o.task = finalizeTask
	n := s.facts.Finalizes[o.user]
	switch {
	case s.playbook: // there every attempt leaves an event of its own
	case n >= 2:
		return order{}, refuse(fmt.Sprintf("%d FINALIZE events by the same user make every finalization of %s fail.", n, s.copy.Label()), "A developer has to remove the duplicates.")
	case n == 1:
		o.risky = append(o.risky, "There is a FINALIZE event by this user already: the application reuses it, old score included.")
	}
	if s.locks == grading.TriUnknown {
		o.risky = append(o.risky, "It is not known whether locks are in use here; where they are not, this fails and changes nothing.")
	}
	return o, nil
}

// byLock is for an application with locks.
func byLock(s situation) (order, *actions.Refusal) {
	c := s.copy
	if l := c.Lock; l != nil && !l.Expired {
		return order{user: l.Owner.ID, token: l.Token, who: "who holds the lock", risky: []string{
			fmt.Sprintf("%s may be correcting right now: this publishes the correction as it stands.", l.Holder()),
			fmt.Sprintf("The lock runs out in %s; a task that runs later fails.", actions.Span(l.Left(c.At))),
		}}, nil
	}
	o := order{clear: c.Lock}
	o.user, o.who = lastHand(s)
	if o.user == 0 {
		return o, refuse("Nothing says who locked "+c.Label()+", and the application refuses everybody else.", "Ask its teacher to open the copy again and finalize.")
	}
	if c.Lock == nil {
		o.risky = append(o.risky, "No lock is held: this publishes the correction as it stands, finished or not.")
	}
	return o, nil
}

// lastHand gives the user that the application takes without a token.
func lastHand(s situation) (int64, string) {
	c, f := s.copy, s.facts
	switch {
	case s.namesOne:
		return c.LockedBy, "who locked the copy"
	case c.Lock != nil:
		return c.Lock.Owner.ID, "who held the expired lock"
	case f.LastLock != 0:
		return f.LastLock, "who locked the copy last, by the audit trail"
	}
	return f.LastWork, "who worked on the copy last, by the audit trail"
}

// byCorrector is for an application without locks, which takes any user; the
// one given becomes the actor of the FINALIZE event.
func byCorrector(s situation) (order, *actions.Refusal) {
	o := order{user: s.facts.Corrector, who: "who is assigned to the copy"}
	if o.user == 0 {
		o.user, o.who = s.facts.LastAnn, "who annotated the copy last"
	}
	if o.user == 0 {
		return o, refuse("Nobody is assigned to "+s.copy.Label()+" and nobody annotated it: it looks uncorrected.", "Assign a corrector first.")
	}
	return o, nil
}

// decideImport knows the playbook's task alone: the deployed one makes a new
// copy out of a file.
func decideImport(s situation) (order, *actions.Refusal) {
	label := s.copy.Label()
	switch {
	case s.facts.Pages > 0:
		return order{}, refuse(label+" is STAGING with its pages: that is the normal state after an upload.", "It waits to be identified; importing again would double it.")
	case !s.playbook:
		return order{}, refuse("No task of this application imports an existing copy again: async_import_pdf makes a new one from a file.", "Upload the PDF again.")
	case s.facts.Pages < 0:
		return order{}, refuse("It cannot be read whether "+label+" has pages.", "")
	}
	o := order{task: importTask, user: s.facts.LastImport, who: "who imported the copy"}
	if o.user == 0 {
		o.user, o.who = s.operator, "the operator"
	}
	if o.user == 0 {
		return o, refuse("Nothing says who imported "+label+", and you have no account in the application.", "Name one with --as.")
	}
	return o, nil
}
