package diagnosis

import (
	"fmt"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

func lockRules() []Rule {
	return []Rule{expiredLocks()}
}

// expiredLocks: a row past its time refuses every finalization of its copy and
// goes only when somebody acquires the lock or asks for its status.
func expiredLocks() Rule {
	return Rule{
		ID: "expired-locks", Title: "Expired locks were not cleared", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{grading.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, _, _ := probes.Of[grading.Overview](in.Set, grading.ID)
			if !o.Locks.Here() {
				return nil, o.Locks.Missing
			}
			l := o.Locks.Value
			if l.Expired == 0 {
				return nil, ""
			}
			f := Finding{
				Says:       fmt.Sprintf("%d of %d locks have expired and still stand in the table.", l.Expired, l.Total),
				Confidence: Certain, Severity: P2, CopyCount: l.Expired, UserCount: -1,
				Mind:   "A lock that is renewed while you look was only slow.",
				Offers: []Offer{{Action: "clear-expired", Kind: "locks", Why: "They hold nothing any more and refuse every finalization.", Consequence: "The copies stay LOCKED for their correctors, who can go on."}},
			}
			for _, r := range l.Rows {
				if r.Expired && len(f.Copies) < MostCopies {
					f.Copies = append(f.Copies, r.Copy)
				}
			}
			return []Finding{f}, ""
		},
	}
}
