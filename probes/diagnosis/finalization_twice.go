package diagnosis

import (
	"cmp"
	"fmt"
	"slices"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// duplicateFinalize: the application gets the one FINALIZE event of a copy and
// an actor, and fails where there are two. The log tells on which copies it
// did, the audit trail on which it will.
func duplicateFinalize() Rule {
	c := failureCause{
		id: "duplicate-finalize", title: "Two FINALIZE events of one actor stand in the way",
		causes: []logs.Cause{logs.CauseTwice}, sure: Certain, explains: []string{"exception-before-event", "rollback-events"},
		says: "%s with two FINALIZE events of one actor: each further finalization by that actor fails.",
		mind: "A finalization by another user, which looks at that user's events only.",
		harm: "Do not retry and do not add a FINALIZE event by hand: each one more breaks further finalizations.",
		advice: []string{
			"The development team decides which of the two events goes: SELECT id, timestamp, metadata FROM grading_gradingevent WHERE action = 'FINALIZE' AND copy_id = '<copy>' ORDER BY timestamp;",
		},
	}
	r := c.rule()
	failures := r.Judge
	r.Judge = func(in Input) ([]Finding, string) {
		found, blind := failures(in)
		if why := unread(in.Set, []probes.ID{audit.ID}); why != "" {
			return found, cmp.Or(blind, "Without the audit trail only finalizations that failed are seen: "+why)
		}
		o, why := auditOf(in)
		problems, rows := o.Of(audit.Duplicate)
		n := 0 // copies; rows are but examples
		for _, p := range problems {
			n += p.Copies
		}
		var latent []audit.Row
		for _, row := range rows {
			i := slices.IndexFunc(found, func(f Finding) bool { return slices.Contains(f.Copies, row.Copy) })
			if i < 0 {
				latent = append(latent, row)
			} else {
				found[i].Evidence = append(found[i].Evidence, seenRow(row))
				n--
			}
		}
		if len(latent) > 0 {
			found = append(found, c.latent(latent, n))
		}
		return found, cmp.Or(blind, why)
	}
	return r
}

// latent is told of n copies on which nobody has failed yet. Nothing happens to
// a GRADED one before it is opened again.
func (c failureCause) latent(rows []audit.Row, n int) Finding {
	f := Finding{
		Subject: "not met yet", Title: "Two FINALIZE events of one actor lie in wait", Confidence: Certain, Severity: P3,
		Mind: c.mind, Harm: c.harm, Advice: c.advice,
	}
	var copies []grading.CopyRef
	open := 0
	for _, r := range rows {
		copies = append(copies, r.Copy)
		if r.Status != "GRADED" {
			open++
		}
		if !r.Since.IsZero() && (f.Since.IsZero() || r.Since.Before(f.Since)) {
			f.Since = r.Since
		}
		if len(f.Evidence) < mostEvidence {
			f.Evidence = append(f.Evidence, seenRow(r))
		}
	}
	f.onCopies(copies, nil)
	f.CopyCount = n
	f.Says = fmt.Sprintf("%s with two FINALIZE events of one actor, and nobody has run into it yet: nothing breaks before a copy is graded anew, then that actor's finalization fails.", number(n, "copy"))
	if open > 0 {
		f.Severity = P2
		f.Says = fmt.Sprintf("%s with two FINALIZE events of one actor, %d of them not GRADED: their next finalization by that actor fails.", number(n, "copy"), open)
	}
	return f
}
