package audit

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// ID is the probe that looks for missing events. Its payload is an Overview.
const ID probes.ID = "audit"

// Kind sorts what can be wrong with the events of a copy.
type Kind string

// The kinds, in the order in which they are told.
const (
	// Missing is an event that the application writes with a change that is there.
	Missing Kind = "missing"
	// Nothing is a copy without any event that ought to have some.
	Nothing Kind = "no event at all"
	// Duplicate are two FINALIZE events by one actor: every later finalization by
	// them fails. With the playbook's tables only successes count, because there
	// each failure writes one too.
	Duplicate Kind = "duplicate FINALIZE"
	// Race are LOCK events of two users within seconds, with no UNLOCK between.
	Race Kind = "locked by two"
	// ByHand is an event that the application cannot have written so: a guess.
	ByHand Kind = "by hand"
	// Vanished are annotations that were made, not deleted, and are gone.
	Vanished Kind = "annotation gone"
	// Reused is a grade whose FINALIZE event is an older one or tells of a
	// failure: the application keeps the first event of an actor. It is no fault.
	Reused Kind = "older FINALIZE"
)

// Kinds lists them in the order in which they are told.
func Kinds() []Kind { return []Kind{Missing, Nothing, Duplicate, Race, ByHand, Vanished, Reused} }

// Sure is how sure a problem is.
type Sure string

// Certain follows from the application's own transactions; Likely has another,
// rare explanation; Guess is a sign and no more.
const (
	Certain Sure = "certain"
	Likely  Sure = "likely"
	Guess   Sure = "guess"
)

// Problem is one kind of trouble over all copies.
type Problem struct {
	Name     string // the rule's: "LOCK before work"; unique
	Kind     Kind
	Action   string // the event that is missing or wrong; "" any
	Copies   int    // that have it
	Events   int    // that are missing, or are too many
	Earliest time.Time
	Sure     Sure
	Why      string // by which rule, in a sentence
}

// Row is an example of a problem: one copy.
type Row struct {
	Problem
	Copy   grading.CopyRef
	Status string
	// Since is when the event should have been written, or was; zero unknown.
	Since time.Time
	Times int      // how many events of the copy
	Users []string // who wrote the duplicates, or took the lock
}

// Count is how one kind of event stands.
type Count struct {
	Action   string
	Recorded int
	// Expected is how many there must be at least: one for each copy, or for
	// CREATE_ANN for each annotation, that shows its effect; -1 nobody knows.
	Expected int
	Last     time.Time // the newest; zero unknown or none
}

// Overview is what is known of the completeness of the audit trail.
type Overview struct {
	Missing string // why nothing can be judged here, as a sentence; "" it can
	Fix     string // the GRANT that would help
	Blind   []string

	ServerTime time.Time
	LocksInUse grading.Tri
	// Looked is how many copies the figures are about. Whole tells that they are
	// all there were; else a first pass over a big table is under way.
	Looked, Events int
	Whole          bool
	Began, Ended   time.Time // the pass, by the database's clock

	Counts   []Count   // by action, in the order of a copy's way
	Problems []Problem // those that there are, in the order of Kinds
	Rows     []Row     // examples, at most MostRows of each problem, newest first
}

// MostRows bounds the examples of a problem.
const MostRows = 100

// Here tells whether anything could be judged.
func (o Overview) Here() bool { return o.Missing == "" }

// Of gives the problems of a kind with their examples.
func (o Overview) Of(k Kind) (problems []Problem, rows []Row) {
	for _, p := range o.Problems {
		if p.Kind == k {
			problems = append(problems, p)
		}
	}
	for _, r := range o.Rows {
		if r.Kind == k {
			rows = append(rows, r)
		}
	}
	return problems, rows
}

// Lacking counts the events that are missing for certain or likely, and the
// copies that lack any at all.
func (o Overview) Lacking() (events, copies int) {
	for _, p := range o.Problems {
		switch p.Kind {
		case Missing:
			events += p.Events
		case Nothing:
			copies += p.Copies
		}
	}
	return events, copies
}

// On gives the rows of one copy.
func (o Overview) On(copyID string) (rows []Row) {
	for _, r := range o.Rows {
		if r.Copy.ID == copyID {
			rows = append(rows, r)
		}
	}
	return rows
}

// NeverRecorded are the kinds of event of which there is none although some
// must have been written.
func (o Overview) NeverRecorded() (actions []string) {
	for _, c := range o.Counts {
		if o.Whole && c.Recorded == 0 && c.Expected > 0 {
			actions = append(actions, c.Action)
		}
	}
	return actions
}

// Stopped are the kinds of event that were written once and are missing, on at
// least three copies, ever since: the code has lost the call.
func (o Overview) Stopped() (actions []string) {
	for _, c := range o.Counts {
		for _, p := range o.Problems {
			if p.Kind == Missing && p.Action == c.Action && p.Copies >= 3 && c.Recorded > 0 && !c.Last.IsZero() && p.Earliest.After(c.Last) {
				actions = append(actions, c.Action)
				break
			}
		}
	}
	return actions
}
