package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/logs"
)

// loss is a way in which an event is lost together with what it tells of, by
// what the application writes into its log.
type loss struct {
	id, title string
	says      string // of what happened, with a %s for how often
	mind      string
	harm      string
	advice    []string
	is        func(logs.Line, string) bool // of a record, and of all its text
}

// lossWindow is how long a record counts, as in the named searches.
const lossWindow = time.Hour

// lossRules are told by the logs alone: a transaction that was rolled back
// leaves nothing else. They come in this order, so that the more exact one has
// a record to itself.
func lossRules() []Rule {
	var all []Rule
	for _, l := range losses() {
		all = append(all, l.rule())
	}
	return all
}

func losses() []loss {
	return []loss{
		{
			id: "event-duplicate-key", title: "An event's UUID was taken already",
			says: "%s refused because an event with the same id was there already; its transaction went with it.",
			mind: "Ids that repeat are no chance: look for a script that writes events with ids of its own.",
			harm: "Delete no event to make room: the one that is there tells of another change.",
			is:   duplicateKey,
		},
		{
			id: "constraint-violation", title: "The database refused an event",
			says:   "%s refused because its event broke a constraint of grading_gradingevent; its transaction went with it.",
			mind:   "A request that came without a user explains a missing actor as well as a fault of the code does.",
			advice: []string{"The record names the column or the key: an actor_id that is null comes from an anonymous request or a task without a user, a foreign key from a copy or a user deleted meanwhile."},
			is:     brokenConstraint,
		},
		{
			id: "rollback-events", title: "A transaction was rolled back, and its event with it",
			says: "%s rolled back: the change went together with its event.",
			mind: "Where the change is there and only its event is not, something else is the cause.",
			is:   rolledBack,
		},
		{
			id: "exception-before-event", title: "An exception came before the event was written",
			says:   "%s ended by an exception in the service, before its event was written.",
			mind:   "Where the change is there although the request failed, it was not one transaction.",
			advice: []string{"The traceback names the line. AttributeError: COMMENTAIRE means that the code asks for an annotation type that it does not define: every annotation fails until the code is put right."},
			is:     failedBefore,
		},
	}
}

func (l loss) rule() Rule {
	return Rule{
		ID: l.id, Title: l.title, Scenario: MissingAuditEvents, Section: "7.3",
		Needs: []probes.ID{logs.ID}, Explains: []string{"missing-events"},
		Judge: func(in Input) ([]Finding, string) {
			lines := l.lines(in)
			if len(lines) == 0 {
				return nil, ""
			}
			return []Finding{l.finding(in, lines)}, ""
		},
	}
}

// lines are the records of this loss within the window, newest first, one for
// each request: Django writes a refusal of its own below that of the service.
func (l loss) lines(in Input) (out []logs.Line) {
	o, _, _ := probes.Of[logs.Overview](in.Set, logs.ID)
	seen := map[string]bool{}
	for _, line := range slices.Backward(o.Errors) {
		text := wholeText(line)
		if in.Now.Sub(line.At) > lossWindow || !l.is(line, text) || l.taken(line, text) {
			continue
		}
		key := line.CopyID + line.At.Truncate(time.Second).String()
		if line.CopyID == "" || !seen[key] {
			out = append(out, line)
		}
		seen[key] = true
	}
	return out
}

// rolledBackCopies are those of which the log tells that a change was lost with
// its event: there is nothing to put on record.
func rolledBackCopies(in Input) map[string]bool {
	out, label := map[string]bool{}, namer(in)
	for _, l := range losses() {
		for _, line := range l.lines(in) {
			out[label(line.CopyID).ID] = true
		}
	}
	delete(out, "")
	return out
}

// taken tells whether a loss that stands before this one has the record.
func (l loss) taken(line logs.Line, text string) bool {
	for _, other := range losses() {
		if other.id == l.id {
			return false
		}
		if other.is(line, text) {
			return true
		}
	}
	return false
}

func (l loss) finding(in Input, lines []logs.Line) Finding {
	f := Finding{
		Says: fmt.Sprintf(l.says, requests(len(lines))), Mind: l.mind, Harm: l.harm, Advice: l.advice,
		Confidence: Certain, Severity: P3, Since: lines[len(lines)-1].At,
	}
	f.Says += " What is missing on the copy was never done: there is nothing to reconstruct."
	var ids []string
	for _, line := range lines {
		if len(f.Evidence) < 5 {
			f.Evidence = append(f.Evidence, saidBy(line, in.Now))
		}
		ids = append(ids, line.CopyID)
	}
	f.onCopies(named(in, ids), nil)
	f.gone(in)
	if f.CopyCount >= 3 || len(lines) >= 10 {
		f.Severity = P2
	}
	return f
}

// gone adds what the audit trail lacks on the copies that the records name.
func (f *Finding) gone(in Input) {
	o, _, _ := probes.Of[audit.Overview](in.Set, audit.ID)
	for _, ref := range f.Copies {
		for _, r := range o.On(ref.ID) {
			if r.Kind == audit.Missing && len(f.Evidence) < 8 {
				f.Evidence = append(f.Evidence, Evidence{From: audit.ID, Kind: "copy", ID: ref.ID, Says: ref.Label() + ": " + r.Says() + ". " + r.Why})
			}
		}
	}
}

func requests(n int) string {
	if n == 1 {
		return "1 request was"
	}
	return fmt.Sprintf("%d requests were", n)
}

func wholeText(l logs.Line) string { return l.Message + "\n" + strings.Join(l.Trace, "\n") }

func duplicateKey(_ logs.Line, text string) bool {
	return strings.Contains(text, "grading_gradingevent") && strings.Contains(text, "duplicate key value")
}

func brokenConstraint(_ logs.Line, text string) bool {
	return strings.Contains(text, "grading_gradingevent") && strings.Contains(text, "violates")
}

func rolledBack(_ logs.Line, text string) bool {
	return slices.ContainsFunc([]string{
		"current transaction is aborted", "InFailedSqlTransaction", "TransactionManagementError", "transaction failed", "was rolled back",
	}, func(s string) bool { return strings.Contains(text, s) })
}

// writers are the service methods that end with an event. Those of import and
// finalization have scenarios of their own.
var writers = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`in (?:(?:add|update|delete)_annotation|(?:acquire|release)_lock|(?:lock|unlock|validate|identify)_copy|mark_ready)\b`)
})

// expected are exceptions by which the service refuses, or that have causes of
// their own in the database.
var expected = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:LockConflict|Permission|Value|Validation|Integrity|Operational|Interface|Database|Programming|Data|Internal)Error\b|DoesNotExist`)
})

func failedBefore(l logs.Line, text string) bool {
	n := len(l.Trace)
	return n > 0 && writers().MatchString(text) && !expected().MatchString(l.Trace[n-1])
}
