package diagnosis

import (
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

func lockRules() []Rule {
	return []Rule{lockCleanup(), expiredLocks(), abandonedLocks(), lockedNoLock(), unlockWrongToken(), lockConflicts()}
}

// Bounds of the lock rules.
const (
	// neverCleared: so many rows past their time, the oldest for over an hour,
	// are no forgotten browsers: nothing clears them.
	neverCleared = 30
	clearedAfter = time.Hour
	// manyAbandoned: now and then a browser ends without saying so, and its lock
	// runs out by itself within ten minutes.
	manyAbandoned = 3
	// manyRefused: a teacher who opens a copy that another corrects is refused
	// once or twice; from here on somebody tries again and again.
	manyRefused = 5
	stillTrying = 15 * time.Minute
)

// lockTable gives the locks, or why they cannot be judged.
func lockTable(in Input) (grading.Overview, string) {
	o, _, _ := probes.Of[grading.Overview](in.Set, grading.ID)
	return o, o.Locks.Missing
}

var clearOffer = Offer{
	Action: "clear-expired", Kind: "locks", ID: "expired", Label: "expired locks",
	Why: "They hold nothing any more and refuse every finalization.", Consequence: "The copies become READY for their correctors. Retry a failed finalization first: READY copies refuse it.",
}

// expired gathers the rows past their time. The head of the table is the oldest.
func (f *Finding) expired(o grading.Overview) {
	l := o.Locks.Value
	var copies []grading.CopyRef
	users := map[string]bool{}
	for _, r := range l.Rows {
		if !r.Expired {
			continue
		}
		copies, users[orWord(r.Owner.Name, "unknown")] = append(copies, r.Copy), true
		if len(f.Evidence) < mostEvidence {
			f.Evidence = append(f.Evidence, Evidence{From: grading.ID, Kind: "trace", ID: r.Copy.ID, Says: fmt.Sprintf(
				"%s: lock of %s expired %s", r.Copy.Label(), orWord(r.Owner.Name, "an unknown user"), ago(o.ServerTime.Sub(r.Expires)))})
		}
		if f.Since.IsZero() || r.Expires.Before(f.Since) {
			f.Since = r.Expires
		}
	}
	delete(users, "unknown")
	f.onCopies(copies, users)
	f.CopyCount = l.Expired
	f.Offers = []Offer{clearOffer}
}

const lockHarm = "Do not force-unlock a copy whose heartbeat is fresh: the teacher's annotations are refused from then on. Do not set copies to READY by hand where a finalization is to be retried: it refuses READY."

// expiredLocks: a row past its time refuses every finalization of its copy and
// goes only when somebody acquires the lock or asks for its status.
func expiredLocks() Rule {
	return Rule{
		ID: "expired-locks", Title: "Expired locks were not cleared", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{grading.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := lockTable(in)
			if l := o.Locks.Value; blind != "" || l.Expired == 0 || o.LocksInUse == grading.TriNo {
				return nil, blind
			}
			f := Finding{
				Says:       fmt.Sprintf("%d of %d locks have expired and still stand in the table.", o.Locks.Value.Expired, o.Locks.Value.Total),
				Confidence: Certain, Mind: "A lock that is renewed while you look was only slow.", Harm: lockHarm,
			}
			f.expired(o)
			f.Severity = severityOf(f.CopyCount / 2) // their correctors can still go on by opening them
			return []Finding{f}, ""
		},
	}
}

// lockCleanup: no version of the application has a job that clears them.
func lockCleanup() Rule {
	return Rule{
		ID: "lock-cleanup-cron", Title: "Nothing clears expired locks", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{grading.ID}, Explains: []string{"expired-locks"},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := lockTable(in)
			if blind != "" || o.Locks.Value.Expired < neverCleared || o.LocksInUse == grading.TriNo {
				return nil, blind
			}
			f := Finding{Confidence: Likely, Harm: lockHarm, Mind: "A clean-up that ran within the last hour: then so many browsers were closed since."}
			f.expired(o)
			age := o.ServerTime.Sub(f.Since)
			if age < clearedAfter {
				return nil, ""
			}
			f.Says = fmt.Sprintf("%d of %d locks have expired, the oldest %s: nothing ever clears them.", f.CopyCount, o.Locks.Value.Total, ago(age))
			f.Severity = severityOf(f.CopyCount / 2)
			f.Advice = []string{
				"No version of the application has such a job. For good, as a cron job every five minutes: " + compose +
					`exec -T db psql -U <user> -d <database> -c "DELETE FROM grading_copylock WHERE expires_at < now()"`,
			}
			return []Finding{f}, ""
		},
	}
}

// abandonedLocks: the browser beats every 30 s, so that three missed beats tell
// of a closed one long before its lock expires.
func abandonedLocks() Rule {
	return Rule{
		ID: "abandoned-locks", Title: "Browsers were closed without unlocking", Scenario: LockConflicts, Section: "5.3",
		Needs: []probes.ID{grading.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := lockTable(in)
			if blind != "" || o.LocksInUse == grading.TriNo {
				return nil, blind
			}
			refused, _ := troubleWith(in, logs.OpLock, logs.CauseConflict)
			f := Finding{Confidence: Likely, Harm: lockHarm,
				Mind:   "A heartbeat: then the teacher is still there, behind a slow network.",
				Advice: []string{"Where nobody waits for the copy: wait. Each of these locks runs out by itself, and its teacher can go on as before."}}
			var copies []grading.CopyRef
			users, wanted := map[string]bool{}, false
			for _, r := range o.Locks.Value.Rows {
				if !r.Abandoned || r.Expired {
					continue
				}
				wanted = wanted || refusedOn(refused, r.Copy.ID) > 0
				copies, users[r.Owner.Name] = append(copies, r.Copy), true
				f.Evidence = append(f.Evidence, seenSilent(o, r))
				f.Offers = append(f.Offers, silentOffer(r))
			}
			if len(copies) < manyAbandoned && !wanted {
				return nil, ""
			}
			delete(users, "")
			f.onCopies(copies, users)
			f.Evidence, f.Offers = f.Evidence[:min(len(f.Evidence), mostEvidence)], f.Offers[:min(len(f.Offers), 3)]
			f.Severity, f.Says = P3, fmt.Sprintf("%s locked by browsers that have missed three heartbeats or more.", number(len(copies), "copy"))
			if wanted || len(copies) >= manyAffected {
				f.Severity = P2
			}
			return []Finding{f}, ""
		},
	}
}

func refusedOn(t logs.Trouble, copyID string) int {
	if i := slices.IndexFunc(t.Copies, func(c logs.CopyTrouble) bool { return c.CopyID == copyID }); i >= 0 {
		return t.Copies[i].N
	}
	return 0
}

func seenSilent(o grading.Overview, r grading.Lock) Evidence {
	return Evidence{From: grading.ID, Kind: "trace", ID: r.Copy.ID, Says: fmt.Sprintf("%s: %s, last heartbeat %s, expires in %s",
		r.Copy.Label(), orWord(r.Owner.Name, "an unknown user"), ago(o.ServerTime.Sub(r.LastBeat)), lasted(r.Expires.Sub(o.ServerTime)))}
}

func silentOffer(r grading.Lock) Offer {
	out := Offer{
		Action: "force-unlock", Kind: "copy", ID: r.Copy.ID, Label: r.Copy.Label(),
		Why: "Nobody is behind the lock, and another teacher can take the copy.", Consequence: "Should its teacher come back, what was not saved is refused.",
	}
	if r.DraftVersion > 0 {
		out.Consequence += fmt.Sprintf(" Their draft was saved %s and stays.", times(r.DraftVersion))
	}
	return out
}

// lockedNoLock: the status says locked and no row says by whom. Where locks are
// not in use any more nothing leaves that status.
func lockedNoLock() Rule {
	return Rule{
		ID: "locked-no-lock", Title: "LOCKED copies without a lock", Scenario: LockConflicts,
		Needs: []probes.ID{grading.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[grading.Overview](in, grading.ID)
			if !o.Stuck.Here() {
				return nil, o.Stuck.Missing
			}
			failed, tasks := blamed(in, logs.OpFinalize), tasked(in)
			hit := slices.DeleteFunc(stuckBy(in, grading.CauseNoLock, grading.CauseDeadEnd), func(s grading.Stuck) bool {
				_, has := tasks[s.Copy.ID]
				return has || failed[s.Copy.ID]
			})
			if len(hit) == 0 {
				return nil, ""
			}
			return []Finding{unheld(in, hit)}, withoutLog(in)
		},
	}
}

func unheld(in Input, hit []grading.Stuck) Finding {
	f := Finding{
		Says:       fmt.Sprintf("%s LOCKED, and no lock row says by whom.", number(len(hit), "copy")),
		Confidence: Certain, Since: firstSince(hit), Evidence: stuckEvidence(in, hit),
		Mind: "A lock row that comes within the minute: then the application was about to take it.",
		Harm: "Do not retry the finalization: it succeeds, and publishes the grade of a correction that nobody has finished.",
		Offers: offersFor(copiesIn(hit), Offer{Action: "release-locked",
			Why:         "The copy becomes READY and any teacher can take it.",
			Consequence: "Its annotations stay. A retry of the finalization is refused until a teacher has locked it again."}),
		Advice: []string{"The page of the copy does the same: the application gives a LOCKED copy without a lock back to READY when its lock status is asked for."},
	}
	f.onCopies(copiesIn(hit), holders(hit))
	f.Severity = severityOf(len(hit))
	if hit[0].Cause == grading.CauseDeadEnd {
		f.Title = "LOCKED copies where locks are not in use any more"
		f.Says = fmt.Sprintf("%s LOCKED where the application uses no locks any more: nothing frees them.", number(len(hit), "copy"))
		f.Mind = "Locks that are in use all the same: set locks = \"on\" in the configuration."
		f.Advice = nil
		f.Harm = "Do not retry: no task leaves LOCKED in this version."
	}
	return f
}
