package audit

import "strings"

// rule is what a problem of the SQL means.
type rule struct {
	name   string
	kind   Kind
	action string
	sure   Sure
	why    string
}

// rules lists them in the order in which they are told. Each rests on what the
// application does in one transaction (facts, section 3): the change is there,
// so the event that goes with it must be.
func rules() []rule {
	return []rule{
		{"FINALIZE", Missing, "FINALIZE", Certain, "GRADED, and nothing says who finalized it: a grade and its event are one transaction."},
		{"VALIDATE", Missing, "VALIDATE", Certain, "validated_at is set, which only validating and identifying do, with an event."},
		{"IMPORT", Missing, "IMPORT", Certain, "Its name is that of a single import, which writes one; an exam upload writes none."},
		{"LOCK before work", Missing, "LOCK", Likely, "It was annotated or finalized before its first LOCK, and both need a lock."},
		{"LOCK of the lock", Missing, "LOCK", Likely, "It is locked, and no LOCK event belongs to that lock."},
		{"LOCK before UNLOCK", Missing, "LOCK", Likely, "It was unlocked without having been locked."},
		{"CREATE_ANN", Missing, "CREATE_ANN", Likely, "It has more annotations than events tell of."},
		{"CREATE_ANN before change", Missing, "CREATE_ANN", Likely, "Annotations were changed or deleted that nobody made."},
		{"nothing", Nothing, "", Certain, "It was worked on, and no event tells of it."},
		{"duplicate", Duplicate, "FINALIZE", Certain, "Two FINALIZE events by one actor: every later finalization by them fails."},
		{"race", Race, "LOCK", Likely, "Two users locked it within 10 seconds, with no UNLOCK between."},
		{"hand: says so", ByHand, "", Guess, "Its metadata calls it reconstructed."},
		{"hand: late import", ByHand, "IMPORT", Guess, "IMPORT is dated after what it began: events written later bear the time of writing."},
		{"hand: after grading", ByHand, "FINALIZE", Guess, "FINALIZE is dated over 2 minutes after the grade that it belongs to."},
		{"hand: whole seconds", ByHand, "", Guess, "A time without fractions among others: the application's clock gives microseconds."},
		{"vanished", Vanished, "DELETE_ANN", Likely, "Annotations were made, nobody deleted them, and they are gone."},
		{"reused", Reused, "FINALIZE", Certain, "Graded again: the application keeps the first FINALIZE event of an actor, with the old score."},
	}
}

func ruleOf(name string) (rule, int) {
	for i, r := range rules() {
		if r.name == name {
			return r, i
		}
	}
	return rule{name: name, kind: Missing, sure: Guess}, len(rules())
}

func (r rule) problem() Problem {
	return Problem{Name: r.name, Kind: r.kind, Action: r.action, Sure: r.sure, Why: r.why}
}

// Says tells the problem of one copy in a few words.
func (r Row) Says() string {
	switch r.Kind {
	case Missing:
		if r.Times > 1 {
			return "no " + r.Action + plural(r.Times)
		}
		return "no " + r.Action
	case Duplicate:
		return "FINALIZE" + plural(r.Times) + by(r.Users)
	case Race:
		return "LOCK twice" + by(r.Users)
	case ByHand:
		return strings.TrimSpace(r.Action + " by hand?")
	case Vanished:
		return "annotation gone" + plural(r.Times)
	}
	return string(r.Kind)
}
