package practice

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

func auditCases() []Case {
	gap := func(fault, cause, call, clue, advice string) Case {
		return Case{
			Fault: fault, Cause: cause, Scenario: diagnosis.MissingAuditEvents, Group: "events", Call: call, Clue: clue, Advice: advice,
			Panes: []string{"timeline", "logs"}, About: 4 * time.Minute,
		}
	}
	lost := func(c Case) Case {
		c.Eases = []Remedy{{"add-event", actions.OnCopy, "reconstructed, and marked as such", ""}}
		c.Advice += " What is missing may be added as a reconstructed event, where it is known to have happened."
		return c
	}
	byHand := gap("audit-by-hand", "Events were added by hand",
		"The history of one copy says that it was imported after it had been graded.",
		"The copy's history: an IMPORT dated after the grading, and FINALIZE twice by one user.",
		"Find out who did it. The duplicate FINALIZE has to go, or the copy can never be finalized again.")
	byHand.Harms = []Harm{{"add-event", "There are too many events already.", ""}}
	return []Case{
		lost(gap("missing-events", "Events of several steps are missing",
			"A pupil's parents ask who validated a copy and when. Its history does not say, and that of two more has holes as well.",
			"The pages of these copies: graded, and steps are missing in their history; the logs know of no error.",
			"Write down what is missing. Never add a FINALIZE by hand.")),
		lost(gap("rollback-events", "A rolled back transaction took its event away",
			"A teacher had a copy open, and its history does not say so. There was an error page at that time.",
			"The log of the copy: the current transaction was aborted; its event went with it.",
			"Find the first error of that transaction: the aborted one is only what follows.")),
		lost(gap("exception-before-event", "An exception came before the event was written",
			"The remarks on one copy are there, and the history knows of none being made.",
			"The logs: an AttributeError in the code that adds annotations, just before its event.",
			"Give the developers the trace; the event has to be written with what it tells of.")),
		lost(gap("constraint-violation", "The database refused an event",
			"A copy is graded, and its history lacks the step of the validation. The secretary saw an error when validating.",
			"The logs: a null value violates a not-null constraint of the events: the actor was missing.",
			"Give the developers the record: whoever is not signed in must not get that far.")),
		gap("event-duplicate-key", "An event was refused for an id that was there already",
			"\"I changed a remark, there was an error page, and the old remark is back.\" One teacher, one copy, once.",
			"The logs: a duplicate key in the table of events; the change was rolled back together with its event.",
			"Have the change made once more. Once is chance; more often it is a fault in how the ids are made."),
		byHand,
	}
}
