package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
)

// auditRules are the causes of missing events: first those that a log line
// proves, then those that the audit trail itself shows.
func auditRules() []Rule {
	return append(lossRules(), auditByHand(), lockRace(), missingEvents())
}

// manyCopies is from how many copies on a hole in the audit trail degrades it.
const manyCopies = 20

// auditOf gives what the search for missing events knows, or why it is blind.
func auditOf(in Input) (audit.Overview, string) {
	o, _, ok := probes.Of[audit.Overview](in.Set, audit.ID)
	switch {
	case !ok:
		return o, "The audit trail has not been looked through yet."
	case !o.Here():
		return o, strings.TrimSpace(o.Missing + " " + o.Fix)
	case !o.Whole:
		return o, fmt.Sprintf("Only %d copies have been looked at so far.", o.Looked)
	}
	return o, ""
}

// missingEvents: the change is there, the event that belongs to it is not, and
// nothing tells why: the code path writes none, or somebody wrote rows without
// the application.
func missingEvents() Rule {
	return Rule{
		ID: "missing-events", Title: "A code path wrote no event", Scenario: MissingAuditEvents, Section: "7.3",
		Needs: []probes.ID{audit.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := auditOf(in)
			f := Finding{Severity: P3, UserCount: -1, Confidence: Likely}
			problems, rows := o.Of(audit.Missing)
			eventless, bare := o.Of(audit.Nothing)
			for _, p := range append(problems, eventless...) {
				f.Evidence = append(f.Evidence, problemSeen(p, append(rows, bare...)))
				f.CopyCount = max(f.CopyCount, p.Copies)
				if p.Sure == audit.Certain {
					f.Confidence = Certain
				}
				if !p.Earliest.IsZero() && (f.Since.IsZero() || p.Earliest.Before(f.Since)) {
					f.Since = p.Earliest
				}
			}
			if f.CopyCount == 0 {
				return nil, blind
			}
			f.Copies, f.CopyCount = affected(append(rows, bare...), f.CopyCount)
			f.Says = lackingSays(o, f.CopyCount)
			f.Mind = "Rows that were written without the application, by a script or a restore, lack their events as well."
			if lost := append(o.Stopped(), o.NeverRecorded()...); len(lost) > 0 {
				f.Severity = P2
				f.Says += " " + strings.Join(lost, ", ") + " is written no more at all: the call is gone from the code."
			} else if f.CopyCount >= manyCopies {
				f.Severity = P2
			}
			f.Offers, f.Harm = reconstruct(in, rows), finalizeHarm
			f.Advice = []string{"Check in backend/grading/services.py that each GradingEvent.objects.create stands inside the transaction of its change, and run pytest backend/grading/tests/test_audit_events.py -v."}
			return []Finding{f}, blind
		},
	}
}

// finalizeHarm is what section 0 of the facts measured.
const finalizeHarm = "Add no FINALIZE event by hand: with two by one actor every later finalization by them fails, and with one their next success is not recorded."

func lackingSays(o audit.Overview, copies int) string {
	events, bare := o.Lacking()
	says := fmt.Sprintf("On %d of %d copies events are missing that the application writes with the change: %d in all", copies, o.Looked, events)
	if bare > 0 {
		says += fmt.Sprintf(", and %d have none at all", bare)
	}
	return says + "."
}

// problemSeen is a problem as evidence, with its newest example.
func problemSeen(p audit.Problem, rows []audit.Row) Evidence {
	e := Evidence{From: audit.ID, Says: fmt.Sprintf("%s: no %s. %s", number(p.Copies, "copy"), p.Action, p.Why)}
	if p.Kind != audit.Missing {
		e.Says = fmt.Sprintf("%s: %s. %s", number(p.Copies, "copy"), p.Kind, p.Why)
	}
	if i := slices.IndexFunc(rows, func(r audit.Row) bool { return r.Name == p.Name }); i >= 0 {
		e.Kind, e.ID = "copy", rows[i].Copy.ID
	}
	return e
}

// affected names the copies of examples. There are least of them at the least.
func affected(rows []audit.Row, least int) (named []grading.CopyRef, count int) {
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Copy.ID] && len(named) < MostCopies {
			named = append(named, r.Copy)
		}
		seen[r.Copy.ID] = true
	}
	return named, max(len(seen), least)
}

// reconstruct offers to add what is missing, for the newest copies. FINALIZE is
// never offered.
func reconstruct(in Input, rows []audit.Row) (offers []Offer) {
	undone := rolledBackCopies(in)
	for _, r := range rows {
		taken := slices.ContainsFunc(offers, func(o Offer) bool { return o.ID == r.Copy.ID })
		if r.Action == "FINALIZE" || undone[r.Copy.ID] || taken || len(offers) == 3 {
			continue
		}
		offers = append(offers, Offer{
			Action: "add-event", Choice: r.Action, Kind: "copy", ID: r.Copy.ID, Label: r.Copy.Label(),
			Why:         "It puts the missing " + r.Action + " on record, marked as reconstructed.",
			Consequence: "The event bears the time of writing; nothing else on the copy changes.",
		})
	}
	return offers
}

// auditByHand: events that the application cannot have written so.
func auditByHand() Rule {
	return Rule{
		ID: "audit-by-hand", Title: "Events were added by hand", Scenario: MissingAuditEvents,
		Needs: []probes.ID{audit.ID}, Explains: []string{"duplicate-finalize"}, OnSameCopies: true,
		Judge: func(in Input) ([]Finding, string) {
			o, blind := auditOf(in)
			problems, rows := o.Of(audit.ByHand)
			problems = slices.DeleteFunc(problems, func(p audit.Problem) bool { return byChance(o, p) })
			rows = slices.DeleteFunc(rows, func(r audit.Row) bool { return byChance(o, r.Problem) })
			if len(problems) == 0 {
				return nil, blind
			}
			f := Finding{Severity: P3, UserCount: -1}
			least := 0
			for _, p := range problems {
				f.Evidence = append(f.Evidence, problemSeen(p, rows))
				least = max(least, p.Copies)
			}
			f.Copies, f.CopyCount = affected(rows, least)
			if f.CopyCount < len(rows) || slices.ContainsFunc(problems, func(p audit.Problem) bool { return p.Name == "hand: says so" }) {
				f.Confidence = Likely // several signs on one copy, or one that says it
			}
			f.Says = fmt.Sprintf("On %s events stand that the application does not write so.", number(f.CopyCount, "copy"))
			f.Mind = "An import or a restore that set the times anew would look the same."
			f.Harm = finalizeHarm
			_, twice := o.Of(audit.Duplicate)
			if slices.ContainsFunc(twice, func(r audit.Row) bool { return slices.Contains(f.Copies, r.Copy) }) {
				f.Severity = P2 // duplicate-finalize, told below it, breaks the application
			}
			return []Finding{f}, blind
		},
	}
}

// byChance tells of times without fractions that are no sign of a hand: of a
// million events one has such a time, because clocks count microseconds.
func byChance(o audit.Overview, p audit.Problem) bool {
	return p.Name == "hand: whole seconds" && float64(p.Copies) <= 20*float64(o.Events)/1e6
}

// seenRow is what is wrong with the events of one copy, as evidence.
func seenRow(r audit.Row) Evidence {
	return Evidence{From: audit.ID, Kind: "copy", ID: r.Copy.ID, Says: r.Copy.Label() + ": " + r.Says()}
}

// lockRace: a row lock and a unique constraint make it impossible on the
// deployed system, so where it happened one of them is gone.
func lockRace() Rule {
	return Rule{
		ID: "lock-race", Title: "Two users locked a copy at the same time", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{audit.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := auditOf(in)
			problems, rows := o.Of(audit.Race)
			if len(problems) == 0 {
				return nil, blind
			}
			p := problems[0]
			f := Finding{
				Severity: P3, Confidence: Likely, Since: p.Earliest,
				Says: fmt.Sprintf("On %s LOCK events of two users stand within 10 seconds, with no UNLOCK between.", number(p.Copies, "copy")),
				Mind: "An UNLOCK event that is missing between the two explains it as well.",
				Advice: []string{"Check that grading_copylock still has its unique constraint on copy_id: " +
					`SELECT conname FROM pg_constraint WHERE conrelid = 'grading_copylock'::regclass AND contype = 'u';`},
			}
			f.Copies, f.CopyCount = affected(rows, p.Copies)
			for _, r := range rows {
				for _, u := range r.Users {
					if !slices.Contains(f.Users, u) && len(f.Users) < MostCopies {
						f.Users = append(f.Users, u)
					}
				}
				if len(f.Evidence) < 5 {
					f.Evidence = append(f.Evidence, seenRow(r))
				}
			}
			f.UserCount = len(f.Users)
			return []Finding{f}, blind
		},
	}
}
