package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
)

const (
	// longWait is when a wait for a row is no coincidence any more. The
	// application gives up after 5 s (its lock_timeout), so that each single
	// wait is short while requests fail one after the other.
	longWait = time.Second
	// longQuery is the application's statement_timeout: what runs longer is not
	// its own, or has none.
	longQuery = 30 * time.Second
)

// idleRoot tells that a session blocks others and does nothing itself, other
// than a finalization between two statements.
func idleRoot(s *activity.Session) bool {
	return (s.State == activity.IdleTx || s.State == activity.Aborted) && s.Finalizes == activity.No
}

// openTransaction: somebody, or a request that hangs, changed rows and neither
// commits nor ends.
func openTransaction() Rule {
	return Rule{
		ID: "open-transaction", Title: "A transaction stands open", Scenario: HighLatency,
		Needs: []probes.ID{activity.ID}, Explains: []string{"slow-endpoint", "http-504", "slow-finalize"},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[activity.Overview](in, activity.ID)
			found := prepared(o)
			for i := range o.Sessions {
				s := &o.Sessions[i]
				waiters := waitersOf(o, s.PID)
				old := s.Wrote && o.ServerTime.Sub(s.Since) >= longIdleTx // idle for so long, not at work between two statements
				if idleRoot(s) && s.Kind != activity.Cockpit && (old || longestWait(o, waiters) >= longWait) {
					found = append(found, standing(in, o, s, waiters))
				}
			}
			return found, hiddenSessions(o)
		},
	}
}

func hiddenSessions(o activity.Overview) string {
	if o.Hidden == 0 || o.Rights.SeesAll || o.Rights.Superuser {
		return ""
	}
	return fmt.Sprintf("What %s of other roles do cannot be seen. %s", number(o.Hidden, "session"), o.Rights.SeeGrant())
}

func standing(in Input, o activity.Overview, s *activity.Session, waiters []*activity.Session) Finding {
	f := blocking(in, o, s, waiters)
	f.Says = fmt.Sprintf("Session %d (%s) has been idle in its transaction for %s", s.PID, s.Who(), lasted(o.ServerTime.Sub(s.Since)))
	if len(waiters) > 0 {
		f.Says += "; " + waiting(len(waiters)) + " for it."
	} else {
		f.Says += " and holds locks on what it changed."
		f.Severity, f.Confidence = P3, Likely
	}
	f.Mind = "It commits while you look: then it was only slow."
	f.Offers = []Offer{endSession(s, "It does nothing, and nobody behind it goes on before it ends.")}
	f.Advice = []string{
		"First ask whoever sits there (" + s.Who() + ") to COMMIT or ROLLBACK.",
		"ALTER SYSTEM SET idle_in_transaction_session_timeout = '5min'; SELECT pg_reload_conf(); ends such sessions by itself. Less than the longest PDF takes makes finalizations fail.",
	}
	return f
}

// waiting is the number of waiting sessions with its verb.
func waiting(n int) string {
	if n == 1 {
		return "1 session waits"
	}
	return fmt.Sprintf("%d sessions wait", n)
}

// blocking is what both rules tell of a root: who it is, who waits, and since when.
func blocking(in Input, o activity.Overview, s *activity.Session, waiters []*activity.Session) Finding {
	f := Finding{Subject: s.ID(), Confidence: Certain, Severity: P2, Since: s.Xact}
	text := ""
	if s.Text != "" {
		text = ", last: " + s.Text
	}
	f.Evidence = []Evidence{{From: activity.ID, Says: fmt.Sprintf("%d %s: %s for %s%s", s.PID, s.Who(), s.State, lasted(o.ServerTime.Sub(s.Since)), text), Kind: "session", ID: s.ID()}}
	ids := append([]string(nil), s.Copies...)
	for _, w := range waiters {
		if len(f.Evidence) < 6 {
			f.Evidence = append(f.Evidence, Evidence{From: activity.ID, Says: fmt.Sprintf("%d %s waits %s for a %s", w.PID, w.Who(), lasted(waited(o, w)), strings.TrimSpace(w.Waits)), Kind: "session", ID: w.ID()})
		}
		ids = append(ids, w.Copies...)
	}
	if len(waiters) >= 5 {
		f.Severity = P1
	}
	f.onCopies(named(in, ids), nil)
	return f
}

// waitersOf are the sessions below a root of the blocking trees, itself left out.
func waitersOf(o activity.Overview, root int) (out []*activity.Session) {
	below := false
	for _, l := range o.Chains {
		if l.Depth == 0 {
			below = l.PID == root
			continue
		}
		if s, ok := o.Find(l.PID); below && ok {
			out = append(out, s)
		}
	}
	return out
}

func waited(o activity.Overview, s *activity.Session) time.Duration {
	since := s.WaitSince
	if since.IsZero() {
		since = s.QueryAt
	}
	if since.IsZero() {
		return 0
	}
	return o.ServerTime.Sub(since)
}

func longestWait(o activity.Overview, waiters []*activity.Session) (d time.Duration) {
	for _, w := range waiters {
		d = max(d, waited(o, w))
	}
	return d
}

// prepared transactions hold locks with nobody there to end them.
func prepared(o activity.Overview) (found []Finding) {
	for _, p := range o.Prepared {
		age := o.ServerTime.Sub(p.At)
		if age < longIdleTx {
			continue
		}
		found = append(found, Finding{Subject: "prepared " + p.Name, Confidence: Certain, Severity: P2, CopyCount: -1, UserCount: -1, Since: p.At,
			Says:     fmt.Sprintf("A prepared transaction of %s stands for %s and holds its locks.", p.Owner, lasted(age)),
			Evidence: []Evidence{{From: activity.ID, Says: fmt.Sprintf("prepared transaction %q in %s", p.Name, p.Database), Kind: "pane", ID: "sessions"}},
			Mind:     "A transaction manager is about to finish it.",
			Advice:   []string{fmt.Sprintf("ROLLBACK PREPARED '%s'; in database %s, by its owner or a superuser.", strings.ReplaceAll(p.Name, "'", "''"), p.Database)}})
	}
	return found
}

// blockedSession: sessions wait for one that works, or for a finalization whose
// transaction stays open while the PDF is made.
func blockedSession() Rule {
	return Rule{
		ID: "blocked-session", Title: "Sessions wait for another one", Scenario: HighLatency,
		Needs: []probes.ID{activity.ID}, Explains: []string{"slow-endpoint", "http-504", "long-statement", "locked-no-lock"},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[activity.Overview](in, activity.ID)
			for _, l := range o.Chains {
				s, ok := o.Find(l.PID)
				if l.Depth > 0 || !ok || idleRoot(s) {
					continue
				}
				if waiters := waitersOf(o, s.PID); longestWait(o, waiters) >= longWait {
					found = append(found, blockedBy(in, o, s, waiters))
				}
			}
			return found, hiddenSessions(o)
		},
	}
}

func blockedBy(in Input, o activity.Overview, s *activity.Session, waiters []*activity.Session) Finding {
	f := blocking(in, o, s, waiters)
	f.Says = fmt.Sprintf("%s for session %d (%s), which has been %s for %s.", waiting(len(waiters)), s.PID, s.Who(), s.State, lasted(o.ServerTime.Sub(s.Since)))
	f.Mind = "The wait ends by itself within seconds."
	if s.Finalizes != activity.No {
		f.Says = fmt.Sprintf("%s for a finalization in session %d, %s for %s.", waiting(len(waiters)), s.PID, s.State, lasted(o.ServerTime.Sub(s.Since)))
		f.Harm = "It makes a PDF with its transaction open: unlock, retry or change the copy only once it has ended."
		f.Mind = "The worker or the web process is still at its PDF: then it ends by itself."
	}
	if s.State == activity.Active {
		f.Offers = append(f.Offers, cancelQuery(s, "It is what the others wait for."))
	}
	f.Offers = append(f.Offers, endSession(s, "Nobody behind it goes on before its transaction ends."))
	return f
}

// longStatement: the application ends its own after 30 s, so that this is a
// person's, a dump, or a session without that setting.
func longStatement() Rule {
	return Rule{
		ID: "long-statement", Title: "A statement runs for long", Scenario: HighLatency, Section: "6.2",
		Needs: []probes.ID{activity.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[activity.Overview](in, activity.ID)
			for i := range o.Sessions {
				s := &o.Sessions[i]
				ran := o.ServerTime.Sub(s.QueryAt)
				client := s.Kind == activity.Application || s.Kind == activity.Person || s.Kind == activity.Other
				if !client || s.State != activity.Active || len(s.BlockedBy) > 0 || ran < longQuery {
					continue
				}
				found = append(found, Finding{Subject: s.ID(), Confidence: Certain, Severity: P3, CopyCount: len(s.Copies), UserCount: -1, Since: s.QueryAt,
					Says:     fmt.Sprintf("Session %d (%s) has run one statement for %s.", s.PID, s.Who(), lasted(ran)),
					Evidence: []Evidence{{From: activity.ID, Says: s.Text, Kind: "session", ID: s.ID()}},
					Mind:     "It is a dump or a migration that somebody waits for.",
					Offers:   []Offer{cancelQuery(s, "It loads the server, and its client most likely gave up.")},
					Advice:   []string{slowLog}})
			}
			return found, hiddenSessions(o)
		},
	}
}

// slowLog is the playbook's "enable the slow query log" for a server in a
// container: no file to edit, no restart.
const slowLog = "ALTER SYSTEM SET log_min_duration_statement = '1s'; SELECT pg_reload_conf(); as superuser; then " + compose + "logs -f db | grep duration:"
