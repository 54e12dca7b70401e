// Package diagnosis says what is wrong, from what the probes saw: each [Rule]
// is one root cause, a pure function over the newest snapshots. [Judge] runs
// them all, folds the consequences of a cause under it, and ranks the rest.
//
// A rule is right or silent: it speaks only from snapshots that are fresh, marks
// a guess by its [Confidence], and where it cannot look it says why. It reads no
// clock, no environment and no source of its own; what it needs a probe brings.
//
// To add one: a file with the rule and its test, and a line in [Rules].
package diagnosis

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// Scenario is which walkthrough leads through a cause. The names are those of
// the embedded playbooks.
type Scenario string

// The playbook's five scenarios.
const (
	ImportStuck         Scenario = "import-stuck"
	FinalizationFailing Scenario = "finalization-failing"
	LockConflicts       Scenario = "lock-conflicts"
	HighLatency         Scenario = "high-latency"
	MissingAuditEvents  Scenario = "missing-audit-events"
)

// Confidence is how sure a finding is.
type Confidence int

// A finding is Possible when something else explains the evidence as well,
// Likely when hardly anything does, Certain when what was seen is the cause
// itself.
const (
	Possible Confidence = iota
	Likely
	Certain
)

// String gives the word that the screen and the JSON output use.
func (c Confidence) String() string { return [...]string{"possible", "likely", "certain"}[c] }

// Severity is the playbook's (8.1), as a suggestion.
type Severity int

// P0 is an outage or a risk for data, P1 a major feature broken or many users
// affected, P2 a feature degraded for few, P3 minor or with a workaround.
const (
	P0 Severity = iota
	P1
	P2
	P3
)

// String gives "P0" to "P3".
func (s Severity) String() string { return [...]string{"P0", "P1", "P2", "P3"}[s] }

// Rule is one root cause. Its ID is kebab-case and, where package lab can make
// the cause, the name of that fault.
type Rule struct {
	ID       string
	Title    string // the cause in a few words: "Expired locks were not cleared"
	Scenario Scenario
	// Section is where the playbook names it: "5.3"; "" for a cause that only
	// measuring showed.
	Section string
	// Needs are the probes without whose fresh payload the rule cannot judge.
	Needs []probes.ID
	// Explains are the rules whose findings are but consequences of this one
	// where both hold; they are told under it.
	Explains []string
	// OnSameCopies: it explains only what was found on a copy of its own.
	OnSameCopies bool
	// Judge gives one finding, or several with different Subjects; Rule, Title and
	// Scenario of a finding may be left out. blind says in a sentence why it
	// could not judge, or not all of it; "" most of the time.
	Judge func(Input) (found []Finding, blind string)
}

// Input is all that a rule may look at.
type Input struct {
	Set probes.Set
	Now time.Time // our clock

	shared *shared // nil: each rule works everything out for itself
}

// current gives a payload that the newest look at its source read.
func current[T any](in Input, id probes.ID) (payload T, ok bool) {
	read, snap, ok := probes.Of[T](in.Set, id)
	if !ok || snap.Err != nil {
		return payload, false
	}
	return read, true
}

// Finding is one thing that is wrong.
type Finding struct {
	Rule     string // the rule's ID
	Title    string
	Scenario Scenario
	// Subject tells findings of the same rule apart: a queue, a worker, a copy.
	Subject string

	Says       string // what is wrong, with its figures, in one sentence
	Confidence Confidence
	Severity   Severity
	Evidence   []Evidence // what it rests on, the strongest first
	Mind       string     // what would show that it is wrong, in a sentence

	Copies    []grading.CopyRef // affected, at most MostCopies
	CopyCount int               // all that are affected; -1 unknown
	Users     []string          // user names, at most MostCopies
	UserCount int               // -1 unknown
	Since     time.Time         // zero unknown
	Offers    []Offer           // what could put it right, safest first
	Advice    []string          // what to do that the cockpit cannot, with the exact text for this deployment
	Follows   []Finding         // consequences of it
	Harm      string            // what must not be done now, and why; "" nothing special
}

// MostCopies bounds the copies and users that a finding names.
const MostCopies = 20

// Evidence is one thing that was seen.
type Evidence struct {
	From probes.ID // the probe that saw it
	Says string    // one line, cleaned
	// Kind and ID name what shows it, as the command line does: "trace" and a
	// copy, "pane" and "locks"; "" nothing does.
	Kind, ID string
}

// Offer is an action that fits a finding. The target is named as package
// actions does.
type Offer struct {
	Action      string // "force-unlock"
	Choice      string // a variant of the action; "" the default
	Kind        string // of the target: "copy", "locks", "queue", …
	ID, Label   string
	Why         string // one sentence
	Consequence string // what follows besides, one sentence
}

// Report is the judgement of one moment.
type Report struct {
	At       time.Time
	Findings []Finding // ranked: what to look at first stands first
	Blind    []Blind   // rules that could not be judged
	Judged   int       // rules that could
}

// Blind is a rule that could not be judged.
type Blind struct {
	Rule, Title, Why string
	Scenario         Scenario
}

// Find gives the finding of a rule, also one that is told as a consequence.
func (r Report) Find(rule string) (Finding, bool) { return find(r.Findings, rule) }

func find(all []Finding, rule string) (Finding, bool) {
	for _, f := range all {
		if f.Rule == rule {
			return f, true
		}
		if g, ok := find(f.Follows, rule); ok {
			return g, true
		}
	}
	return Finding{}, false
}
