package diagnosis

import (
	"fmt"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// unlockWrongToken: the row stays until it expires. The application answers 403
// and does nothing.
func unlockWrongToken() Rule {
	return Rule{
		ID: "unlock-wrong-token", Title: "A lock could not be given back: wrong token", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{logs.ID},
		Judge: func(in Input) ([]Finding, string) {
			t, ok := troubleWith(in, logs.OpUnlock, logs.CauseToken)
			sure := Certain
			if !ok {
				t, ok = troubleWith(in, logs.OpUnlock, logs.CauseForbidden)
				sure = Possible // a session that ended is refused in the same way
			}
			if !ok {
				return nil, ""
			}
			held, known := locksOf(in), withoutTables(in) == ""
			f := Finding{
				Confidence: sure, Severity: P3, Since: t.First,
				Mind: "The same teacher unlocks or finalizes it in another window.",
				Harm: "Do not force-unlock it while its heartbeat is fresh: somebody corrects it in another window.",
				Advice: []string{
					"Ask the teacher to close all windows of this copy and to open it once: opening takes the lock anew with its own token. Else it runs out by itself within the lock's time.",
				},
			}
			var copies []grading.CopyRef
			users := map[string]bool{}
			label := namer(in)
			for _, c := range t.Copies {
				lock, is := held[c.CopyID]
				if known && !is {
					continue // it was given back since
				}
				copies, users[lock.Owner.Name] = append(copies, label(c.CopyID)), true
				f.Evidence = append(f.Evidence, saidBy(c.Last, in.Now))
				if is && (lock.Abandoned || lock.Expired) {
					f.Offers = append(f.Offers, silentOffer(lock))
				}
			}
			if len(copies) == 0 {
				return nil, ""
			}
			delete(users, "")
			f.Evidence, f.Offers = f.Evidence[:min(len(f.Evidence), mostEvidence)], f.Offers[:min(len(f.Offers), 3)]
			f.onCopies(copies, users)
			f.Says = fmt.Sprintf("%s still locked: giving the lock back was refused for its token.", number(len(copies), "copy"))
			return []Finding{f}, ""
		},
	}
}

// lockConflicts: somebody tries again and again to open what another holds. All
// that the application leaves of a conflict is the answer 409.
func lockConflicts() Rule {
	return Rule{
		ID: "lock-conflicts", Title: "A copy is asked for that another teacher holds", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{logs.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			t, _ := troubleWith(in, logs.OpLock, logs.CauseConflict)
			held := locksOf(in)
			for _, c := range t.Copies {
				lock := held[c.CopyID]
				if c.N < manyRefused || in.Now.Sub(c.Last.At) > stillTrying || lock.Abandoned && !lock.Expired {
					continue
				}
				found = append(found, refusals(in, c, lock))
				if len(found) == MostCopies {
					break
				}
			}
			return found, ""
		},
	}
}

func refusals(in Input, c logs.CopyTrouble, lock grading.Lock) Finding {
	ref := namer(in)(c.CopyID)
	f := Finding{
		Subject: ref.Label(), Confidence: Likely, Severity: P3, Since: c.First,
		Evidence: []Evidence{{From: logs.ID, Says: fmt.Sprintf("%d answers of 409 to taking %s in the last hour, the last one %s", c.N, ref.Label(), ago(in.Now.Sub(c.Last.At))), Kind: "trace", ID: c.CopyID}, saidBy(c.Last, in.Now)},
		Says:     fmt.Sprintf("%s was asked for %s in the last hour and refused, because another user holds it.", ref.Label(), times(c.N)),
		Mind:     "The lock goes by itself meanwhile: then nobody is refused any more.",
		Advice:   []string{"Two locks on one copy are impossible: the table has a unique constraint, and the application holds the row while it looks. The second one is always refused."},
	}
	users := map[string]bool{}
	if lock.LockID != "" {
		o, _ := current[grading.Overview](in, grading.ID)
		users[lock.Owner.Name], f.Confidence, f.Severity = true, Certain, P2
		who := orWord(lock.Owner.Name, "another user")
		f.Says = fmt.Sprintf("%s was asked for %s in the last hour and refused: %s holds it.", ref.Label(), times(c.N), who)
		f.Evidence = append(f.Evidence, Evidence{From: grading.ID, Kind: "trace", ID: c.CopyID,
			Says: fmt.Sprintf("lock of %s since %s, expires in %s", who, lasted(o.ServerTime.Sub(lock.Since)), lasted(lock.Expires.Sub(o.ServerTime)))})
		f.Advice = append([]string{"Ask " + who + " to finish or to give the copy back, or give the other teacher another copy."}, f.Advice...)
	}
	if inHand(lock) {
		f.Harm = "Do not force-unlock it: its heartbeat is fresh, and the holder's annotations would be refused from then on."
	} else if lock.Expired {
		f.Offers = []Offer{clearOffer}
	}
	delete(users, "")
	f.onCopies([]grading.CopyRef{ref}, users)
	return f
}
