package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/postgres"
)

const (
	// nearlyTaken is the exporter's alert as well: beyond it the next burst of
	// requests finds no connection.
	nearlyTaken = 0.9
	// longIdleTx is the application's own idle_in_transaction_session_timeout.
	longIdleTx = time.Minute
)

// tooManyClients: PostgreSQL refuses whoever comes next, which may be the
// cockpit itself; then its error is the evidence.
func tooManyClients() Rule {
	return Rule{
		ID: "too-many-clients", Title: "All connections of PostgreSQL are taken", Scenario: HighLatency, Section: "6.3",
		Explains: []string{"postgres-down", "slow-endpoint", "http-504", "slow-finalize", "rollback-events", "exception-before-event",
			"import-failed", "finalize-failed", "constraint-violation"},
		Judge: func(in Input) ([]Finding, string) {
			f := Finding{Confidence: Certain, Severity: P0, CopyCount: -1, UserCount: -1,
				Mind: "max_connections is larger than what is taken, and the refusals are older than the last restart."}
			refused, told := slotRefusals(in), slotLines(in)
			o, seen := current[activity.Overview](in, activity.ID)
			down, _ := failing(in.Set, probes.Postgres)
			switch {
			case seen && takenOf(o, &f):
			case len(refused) > 0:
				f.Says = "PostgreSQL refuses new connections: every slot is taken."
			case len(told) > 0 && in.Set.Get(activity.ID).Err != nil && !slices.ContainsFunc(down, unanswered):
				f.Says, f.Confidence = "The application was refused connections: every slot of PostgreSQL was taken.", Likely
			default:
				return nil, ""
			}
			f.Evidence = append(append(f.Evidence, refused...), told[:min(len(told), 5)]...)
			f.Offers, f.Advice = freeing(in, o), clientAdvice()
			f.Harm = "Do not restart the workers or the application at once: each opens its connections anew and finds none."
			return []Finding{f}, ""
		},
	}
}

// takenOf judges the limits that hold for the application's role: the server's,
// the database's and the role's own.
func takenOf(o activity.Overview, f *Finding) bool {
	l := o.Limits
	limits := []struct {
		used, most int
		what       string
	}{
		{l.Used, l.Ordinary(), "connections of the server"},
		{l.InDatabase, l.Database, "connections of this database"},
		{l.OfRole, l.Role, "connections of the application's role"},
	}
	for _, x := range limits {
		if x.most <= 0 || float64(x.used) < nearlyTaken*float64(x.most) {
			continue
		}
		f.Says = fmt.Sprintf("%d of %d %s are taken: requests fail that need one more.", x.used, x.most, x.what)
		if x.used < x.most {
			f.Severity, f.Says = P1, fmt.Sprintf("%d of %d %s are taken: the next burst of requests finds none.", x.used, x.most, x.what)
		}
		f.Evidence = append(f.Evidence, Evidence{From: activity.ID, Says: fmt.Sprintf("%d of %d %s", x.used, x.most, x.what), Kind: "pane", ID: "sessions"})
		f.Evidence = append(f.Evidence, connectionHolders(o)...)
		return true
	}
	return false
}

// connectionHolders names who has most connections.
func connectionHolders(o activity.Overview) (out []Evidence) {
	groups := slices.SortedStableFunc(slices.Values(o.Groups), func(a, b activity.Group) int { return cmp.Compare(b.Total, a.Total) })
	for _, g := range groups[:min(len(groups), 3)] {
		out = append(out, Evidence{From: activity.ID, Says: fmt.Sprintf("%s holds %d: %d idle, %d in a transaction, %d active", g.Who(), g.Total, g.Idle, g.InTx, g.Active), Kind: "pane", ID: "sessions"})
	}
	return out
}

// slotRefusals are the errors of our own probes (SQLSTATE 53300).
func slotRefusals(in Input) (out []Evidence) {
	for _, s := range in.Set.Snapshots() {
		if len(out) == 0 && s.Source == probes.Postgres && postgres.Code(s.Err) == "53300" {
			out = append(out, Evidence{From: s.ID, Says: s.Err.Error()})
		}
	}
	return out
}

// slotLines are what the application's records say of it.
func slotLines(in Input) (out []Evidence) {
	o, _ := current[logs.Overview](in, logs.ID)
	for _, l := range slices.Backward(o.Errors) {
		if in.Now.Sub(l.At) < recentLine && mentions(l, "too many clients", "remaining connection slots are reserved", "too many connections for") {
			out = append(out, saidBy(l, in.Now))
		}
	}
	return out
}

// freeing offers to end the sessions that hold a connection for nothing, those
// first that have been idle in their transaction longest.
func freeing(in Input, o activity.Overview) (offers []Offer) {
	for i := range o.Sessions {
		s := &o.Sessions[i]
		if s.State != activity.IdleTx && s.State != activity.Aborted || s.Finalizes != activity.No || o.ServerTime.Sub(s.Since) < longIdleTx {
			continue
		}
		offers = append(offers, endSession(s, "It has been idle in its transaction for "+lasted(o.ServerTime.Sub(s.Since))+" and holds a connection."))
	}
	return offers[:min(len(offers), 5)]
}

// endSession is the offer to disconnect one session.
func endSession(s *activity.Session, why string) Offer {
	return Offer{Action: "end-session", Kind: "session", ID: s.ID(), Label: fmt.Sprintf("%d (%s)", s.PID, s.Who()), Why: why,
		Consequence: "Its transaction is rolled back, and what it did not commit is lost."}
}

// cancelQuery is the offer to stop what a session runs.
func cancelQuery(s *activity.Session, why string) Offer {
	return Offer{Action: "cancel-query", Kind: "session", ID: s.ID(), Label: fmt.Sprintf("%d (%s)", s.PID, s.Who()), Why: why,
		Consequence: "The statement fails; the session stays connected, and its transaction is aborted."}
}

func clientAdvice() []string {
	return []string{
		"SELECT usename, application_name, client_addr, state, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC;",
		"Django: 'CONN_MAX_AGE': 60 in DATABASES['default'] keeps a connection for each thread; processes × threads must stay below max_connections. 0 closes it after each request.",
		"PgBouncer between application and database (pool_mode = transaction, with DISABLE_SERVER_SIDE_CURSORS = True in Django) serves hundreds of threads over a few connections.",
		"More slots, with a restart of PostgreSQL: ALTER SYSTEM SET max_connections = 200; then " + compose + "restart db",
	}
}
