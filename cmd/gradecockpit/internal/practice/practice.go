// Package practice makes an exercise out of faults and judges how it went: which
// faults a seed chooses, what users report of them, what helps and what harms,
// and, from the log of what the responder did, the points and the debrief.
//
// It is pure: no servers, no clock, no files. Whoever runs the exercise brings
// the times, the records of the journal and what the world says in the end.
package practice

import (
	"slices"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

// Nothing is the answer that nothing is wrong.
const Nothing = "nothing"

// Case is what practice knows of one fault. Its name is that of the fault and
// of the rule that finds it.
type Case struct {
	Fault    string
	Cause    string             // in a few words, to pick from
	Scenario diagnosis.Scenario // whose walkthrough leads to it
	Call     string             // what users report, in their words; it names no cause
	Panes    []string           // where it is to be seen, best first: IDs of panes, and pages such as ":domain"
	Clue     string             // what shows it, in a sentence: the second hint, and how an expert finds it
	Also     []string           // causes whose naming is right as well
	Remedies []Remedy           // what really helps, safest first; empty: nothing that the cockpit can do
	Eases    []Remedy           // what helps those concerned, and leaves the cause
	Harms    []Harm             // what makes it worse
	Advice   string             // what is to be done outside the cockpit, or that nothing is
	About    time.Duration      // what somebody who knows the way takes, estimated
	// Group keeps faults apart that would hide each other: of one group a drill
	// has only one. Alone does so for all others.
	Group string
	Alone bool
	// Stops are actions that come to nothing while it lasts, and the cockpit cannot
	// end it: a fault whose only remedy they are is not beside it.
	Stops []string
}

// Remedy is an action that helps.
type Remedy struct {
	Action string
	On     actions.TargetKind
	Note   string // how, in a few words; "" nothing to add
	Choice string // the variant of the action; "" any
}

// Harm is an action that makes a fault worse.
type Harm struct {
	Action, Why string
	Choice      string // the variant of the action; "" any
}

// Cases lists every case once.
func Cases() []Case {
	return slices.Concat(importCases(), finalizeCases(), lockCases(), latencyCases(), queueCases(), auditCases())
}

// stops tells whether every remedy of another fault comes to nothing beside it.
func (c Case) stops(o Case) bool {
	return len(o.Remedies) > 0 && !slices.ContainsFunc(o.Remedies, func(r Remedy) bool { return !slices.Contains(c.Stops, r.Action) })
}

// Find gives the case of a fault.
func Find(fault string) (Case, bool) {
	all := Cases()
	i := slices.IndexFunc(all, func(c Case) bool { return c.Fault == fault })
	if i < 0 {
		return Case{}, false
	}
	return all[i], true
}

// Scenarios lists those that can be practised, with what users report in them.
func Scenarios() []Scenario {
	return []Scenario{
		{diagnosis.ImportStuck, "Uploads do not arrive.", "A colleague says that an upload of this morning \"took ages\". It is there now."},
		{diagnosis.FinalizationFailing, "Copies cannot be finished.", "A teacher asks whether finalizing is allowed yet; a neighbour said that it was broken yesterday."},
		{diagnosis.LockConflicts, "Copies are held and nobody works on them.", "A teacher saw \"locked by another user\" on one copy for a moment, and has gone on with others since."},
		{diagnosis.HighLatency, "Pages are slow, or give up.", "Somebody found the site \"a bit slow\" on the train, and has arrived meanwhile."},
		{diagnosis.MissingAuditEvents, "The history of a copy has gaps.", "The head of the exam office wants to know whether the histories of today are complete."},
	}
}

// Scenario is one of the playbook's.
type Scenario struct {
	Name       diagnosis.Scenario
	Says       string
	FalseAlarm string // what users report when nothing is wrong
}

// Faults counts what can go wrong in a scenario.
func (s Scenario) Faults() int {
	inside, _ := split(s.Name, faults())
	return len(inside)
}

// findScenario gives a scenario by its name.
func findScenario(name diagnosis.Scenario) (Scenario, bool) {
	all := Scenarios()
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return all[i], true
}
