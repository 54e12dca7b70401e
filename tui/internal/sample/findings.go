package sample

import (
	"fmt"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
)

// Judge is a judgement with few rules of its own, so that the frames do not
// change with the real ones.
func Judge(in diagnosis.Input) diagnosis.Report {
	r := diagnosis.Report{At: in.Now}
	blind := func(rule, title string, s diagnosis.Scenario, snap probes.Snapshot) bool {
		switch {
		case snap.Err != nil:
			r.Blind = append(r.Blind, diagnosis.Blind{Rule: rule, Title: title, Why: snap.Err.Error(), Scenario: s})
		case snap.Payload == nil:
			r.Blind = append(r.Blind, diagnosis.Blind{Rule: rule, Title: title, Why: string(snap.ID) + " has not been looked at yet.", Scenario: s})
		default:
			r.Judged++
			return false
		}
		return true
	}
	if o, snap, _ := probes.Of[celery.Overview](in.Set, celery.ID); !blind("frozen-worker", "A worker hangs", diagnosis.ImportStuck, snap) {
		r.Findings = append(r.Findings, frozen(o)...)
	}
	if o, snap, _ := probes.Of[grading.Overview](in.Set, grading.ID); !blind("expired-locks", "Expired locks were not cleared", diagnosis.LockConflicts, snap) {
		r.Findings = append(r.Findings, expired(o)...)
	}
	return r
}

func frozen(o celery.Overview) (out []diagnosis.Finding) {
	for _, w := range o.Workers {
		if w.State == celery.Frozen {
			out = append(out, diagnosis.Finding{Rule: "frozen-worker", Title: "A worker hangs", Scenario: diagnosis.ImportStuck, Subject: w.Name,
				Says: w.Name + " answers no ping and has finished nothing for 12 minutes.", Confidence: diagnosis.Likely, Severity: diagnosis.P1,
				CopyCount: 1, UserCount: -1, Copies: []grading.CopyRef{Ref("A3F2-0042")},
				Evidence: []diagnosis.Evidence{{From: celery.ID, Says: "no answer to a ping within 2 s, three times", Kind: "pane", ID: "workers"}},
				Mind:     "A worker that only computes for long answers again.",
				Harm:     "Do not purge the queue: what it holds would be lost as well.",
				Advice:   []string{"Look at the worker's host: `py-spy dump --pid PID` says where it hangs."},
				Offers: []diagnosis.Offer{{Action: "restart", Kind: "worker", ID: w.Name, Label: w.Name, Why: "Nothing else ends a worker that hangs.",
					Consequence: "What it runs is run again from the start."}},
				Follows: []diagnosis.Finding{{Rule: "queue-grows", Title: "Imports wait", Scenario: diagnosis.ImportStuck, Subject: "celery",
					Says: "41 imports wait and nobody takes them.", Severity: diagnosis.P2, CopyCount: 41, UserCount: 7}},
			})
		}
	}
	return out
}

func expired(o grading.Overview) []diagnosis.Finding {
	l := o.Locks.Value
	if l.Expired == 0 {
		return nil
	}
	f := diagnosis.Finding{Rule: "expired-locks", Title: "Expired locks were not cleared", Scenario: diagnosis.LockConflicts,
		Says: fmt.Sprintf("%d of %d locks have expired and still stand in the table.", l.Expired, l.Total), Confidence: diagnosis.Certain,
		Severity: diagnosis.P2, CopyCount: l.Expired, UserCount: -1, Since: Ago(0),
		Offers: []diagnosis.Offer{{Action: "clear-expired", Kind: "locks", Why: "They hold nothing any more and refuse every finalization.", Consequence: "The copies stay LOCKED."},
			{Action: "retry", Kind: "copy", ID: UUIDA, Label: "A3F2-0007", Why: "Its finalization was refused."}}}
	for _, row := range l.Rows {
		if row.Expired {
			f.Copies = append(f.Copies, row.Copy)
			f.Evidence = append(f.Evidence, diagnosis.Evidence{From: grading.ID, Says: row.Copy.Label() + " is held by " + row.Owner.Name, Kind: "copy", ID: row.Copy.ID})
		}
	}
	return []diagnosis.Finding{f}
}
