package sample

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
)

// Audited is a set with what the search for missing events found.
func Audited(set probes.Set, o audit.Overview) probes.Set {
	return set.With(probes.Snapshot{ID: audit.ID, Source: probes.Postgres, Seq: 1, At: Now, Good: Now, Cost: 9 * time.Millisecond, Payload: o})
}

// Audit has a problem of most kinds.
func Audit() audit.Overview {
	o := audit.Overview{ServerTime: Server, LocksInUse: grading.TriYes, Looked: 1234, Events: 20456, Whole: true,
		Blind: []string{"VALIDATE cannot be judged. Table exams_copy has no validated_at."}}
	add := func(name string, kind audit.Kind, action string, sure audit.Sure, why string, rows ...audit.Row) {
		p := audit.Problem{Name: name, Kind: kind, Action: action, Sure: sure, Why: why, Copies: len(rows)}
		for i := range rows {
			p.Events += rows[i].Times
			p.Earliest = rows[i].Since
		}
		o.Problems = append(o.Problems, p)
		for _, r := range rows {
			r.Problem = p
			o.Rows = append(o.Rows, r)
		}
	}
	add("FINALIZE", audit.Missing, "FINALIZE", audit.Certain, "GRADED, and nothing says who finalized it: a grade and its event are one transaction.",
		audit.Row{Copy: Ref("A3F2-0007"), Status: "GRADED", Since: Ago(20 * time.Minute), Times: 1})
	add("CREATE_ANN", audit.Missing, "CREATE_ANN", audit.Likely, "It has more annotations than events tell of.",
		audit.Row{Copy: Ref("B771-0003"), Status: "LOCKED", Since: Ago(26 * time.Hour), Times: 3}, audit.Row{Copy: Ref("IMPORT-8C3B1F0A"), Status: "READY", Times: 1})
	add("duplicate", audit.Duplicate, "FINALIZE", audit.Certain, "Two FINALIZE events by one actor: every later finalization by them fails.",
		audit.Row{Copy: Ref("A3F2-0042"), Status: "LOCKED", Since: Ago(time.Hour), Times: 2, Users: []string{"mdupont"}})
	add("hand: late import", audit.ByHand, "IMPORT", audit.Guess, "IMPORT is dated after what it began: events written later bear the time of writing.",
		audit.Row{Copy: Ref("IMPORT-07B70459"), Status: "GRADED", Since: Ago(time.Minute), Times: 1})
	add("reused", audit.Reused, "FINALIZE", audit.Certain, "Graded again: the application keeps the first FINALIZE event of an actor, with the old score.",
		audit.Row{Copy: Ref("A3F2-0009"), Status: "GRADED", Since: Ago(2 * time.Hour), Times: 1})
	return o
}

// HostileAudit has rows as nobody should be able to write them.
func HostileAudit() audit.Overview {
	p := audit.Problem{Name: Hostile, Kind: audit.Kind(Hostile), Action: Hostile, Copies: -1, Events: 1 << 40, Sure: audit.Sure(Hostile), Why: Hostile}
	return audit.Overview{Looked: 1 << 40, Problems: []audit.Problem{p}, Blind: []string{Hostile},
		Rows: []audit.Row{{Problem: p, Copy: grading.CopyRef{ID: Hostile, Anon: Hostile}, Status: Hostile, Users: []string{Hostile}}}}
}
