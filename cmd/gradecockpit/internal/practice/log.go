package practice

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
)

// Kind is what the responder did.
type Kind string

// The kinds of event. A harmful plan that was Refused or Cancelled wrote
// nothing; one that was Confirmed may have, and Ended says how it went.
const (
	Looked    Kind = "looked"
	Hinted    Kind = "hint"
	Answered  Kind = "answer"
	Refused   Kind = "refused"
	Cancelled Kind = "cancelled"
	Confirmed Kind = "confirmed"
	Ended     Kind = "ended"
	Finished  Kind = "finished"
)

// Event is one thing that the responder did.
type Event struct {
	At   time.Duration // since the clock was started
	Kind Kind
	// What is a pane's ID, "copy" or another kind of page, or the name of a
	// walkthrough when Looked; "fault level" when Hinted; a cause when Answered;
	// an action else.
	What    string
	ID      string // of the plan; ties Ended to Confirmed
	Title   string // of the plan: "Force-unlock A3F2-0019"
	Target  actions.Target
	Choice  string
	Verdict actions.VerdictKind // when Ended
	Says    string              // why it was refused
}

// FromRecords tells what the responder did from the records of the journal.
// start is when the clock was started.
func FromRecords(start time.Time, records []actions.Record) (out []Event) {
	kinds := map[actions.RecordKind]Kind{
		actions.Refused: Refused, actions.Cancel: Cancelled, actions.Intent: Confirmed, actions.Outcome: Ended,
	}
	for _, r := range records {
		kind, ok := kinds[r.Kind]
		if !ok {
			continue
		}
		out = append(out, Event{
			At: max(r.At.Sub(start), 0), Kind: kind, What: r.Action, ID: r.ActionID, Title: cmp.Or(r.Title, r.Action+" "+r.Target.Label),
			Target: r.Target, Choice: r.Choice, Verdict: r.Verdict, Says: r.Says,
		})
	}
	return out
}

// InOrder sorts a log that comes from two sources.
func InOrder(log []Event) []Event {
	log = slices.Clone(log)
	slices.SortStableFunc(log, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return log
}

// Truth is what the world says of a fault when the drill ends.
type Truth struct {
	Fault   string
	Targets []string // ids of copies and tasks, pids of sessions
	Gone    bool     // it no longer shows
	Known   bool     // whether that can be known
}

// aims tells whether all that an action was aimed at belongs to the fault. A
// database session is named by its pid and its start.
func (t Truth) aims(at actions.Target) bool {
	switch at.Kind {
	case actions.OnCopy, actions.OnTask, actions.OnSession:
	default:
		return true // there is one list of locks; queues and workers are nobody's own
	}
	return !slices.ContainsFunc(at.All(), func(one actions.Target) bool {
		return !slices.Contains(t.Targets, key(one.ID))
	})
}

func key(id string) string {
	id, _, _ = strings.Cut(id, "/")
	return id
}
