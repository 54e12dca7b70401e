package diagnosis

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/postgres"
)

// failing gives the errors of a source's probes when none of them gets an
// answer any more; one that is refused or not configured is up for all we know.
func failing(set probes.Set, source probes.SourceID) (errs []*probes.Error, since time.Time) {
	for _, s := range set.Snapshots() {
		if s.Source != source || s.Seq == 0 {
			continue
		}
		var e *probes.Error
		if s.Err == nil || !errors.As(s.Err, &e) || e.Denied || e.Op == "not configured" {
			return nil, time.Time{}
		}
		errs = append(errs, e)
		if since.IsZero() || s.FailedSince.Before(since) {
			since = s.FailedSince
		}
	}
	return errs, since
}

// unanswered tells that nobody is there, or that whoever is there says that he
// is starting or stopping (SQLSTATE class 57P).
func unanswered(e *probes.Error) bool {
	code := postgres.Code(e)
	return code == "" || slices.Contains([]string{"57P01", "57P02", "57P03"}, code)
}

// nobodyThere is how sure it is that a server is down: no listener is proof, an
// answer that does not come in time is not.
func nobodyThere(errs []*probes.Error) Confidence {
	for _, e := range errs {
		if errors.Is(e, context.DeadlineExceeded) {
			return Likely
		}
		if errors.Is(e, syscall.ECONNREFUSED) || errors.Is(e, fs.ErrNotExist) {
			return Certain
		}
	}
	return Likely
}

// told puts the probes' own words into evidence, each sentence once.
func told(from probes.SourceID, errs []*probes.Error) (out []Evidence) {
	for _, e := range errs {
		if says := e.Error(); !slices.ContainsFunc(out, func(x Evidence) bool { return x.Says == says }) {
			out = append(out, Evidence{From: probes.ID(from), Says: says})
		}
	}
	return out
}

// databaseDown: without PostgreSQL nothing of the application works.
func databaseDown() Rule {
	return Rule{
		ID: "postgres-down", Title: "PostgreSQL does not answer", Scenario: HighLatency, Section: "8.1",
		Explains: []string{"slow-endpoint", "http-504", "slow-finalize", "rollback-events", "import-failed", "finalize-failed"},
		Judge: func(in Input) ([]Finding, string) {
			errs, since := failing(in.Set, probes.Postgres)
			if len(errs) == 0 || !slices.ContainsFunc(errs, unanswered) {
				return nil, ""
			}
			return []Finding{{
				Says:       "The grading database does not answer since " + lasted(in.Now.Sub(since)) + ": nothing of the application works.",
				Confidence: nobodyThere(errs), Severity: P0, Evidence: told(probes.Postgres, errs), CopyCount: -1, UserCount: -1, Since: since,
				Mind: "The application still answers: then only the way from here to the database is cut (VPN, address, firewall).",
				Advice: []string{
					compose + "ps db",
					compose + "logs --tail 50 db",
				},
				Harm: "Do not delete files of the database's volume to make room or to unlock it: that loses data. Read its log first.",
			}}, ""
		},
	}
}

// brokerDown: without Redis no task is queued or taken.
func brokerDown() Rule {
	return Rule{
		ID: "redis-down", Title: "Redis does not answer", Scenario: ImportStuck, Section: "8.1",
		Explains: []string{"worker-down", "worker-frozen", "worker-deaf", "queue-nobody-takes", "queue-backlog", "workers-busy", "orphaned-unacked", "lost-task"},
		Judge: func(in Input) ([]Finding, string) {
			errs, since := failing(in.Set, probes.Redis)
			if len(errs) == 0 {
				return nil, ""
			}
			return []Finding{{
				Says:       "The broker does not answer since " + lasted(in.Now.Sub(since)) + ": no task is queued and none is taken.",
				Confidence: nobodyThere(errs), Severity: P0, Evidence: told(probes.Redis, errs), CopyCount: -1, UserCount: -1, Since: since,
				Mind:   "Workers still take tasks: then only the way from here to Redis is cut.",
				Advice: []string{compose + "ps redis", compose + "logs --tail 50 redis"},
				Harm:   "Workers connect again by themselves; some old ones then take nothing. Look at them before you restart anything, and once more after Redis is back.",
			}}, ""
		},
	}
}

// unreadable: what only the cockpit misses.
func unreadable() Rule {
	return Rule{
		ID: "source-unreadable", Title: "The cockpit cannot read a source", Scenario: HighLatency,
		Judge: func(in Input) (found []Finding, blind string) {
			for _, source := range []probes.SourceID{probes.Logs, probes.Metrics, probes.Prometheus, probes.Host} {
				errs, since := failing(in.Set, source)
				if len(errs) == 0 || webPage(errs[0]) {
					continue
				}
				found = append(found, Finding{
					Subject: string(source), Says: "The " + string(source) + " cannot be read since " + lasted(in.Now.Sub(since)) + ": findings that rest on them are missing.",
					Confidence: Certain, Severity: P3, Evidence: told(source, errs), CopyCount: -1, UserCount: -1, Since: since,
					Mind: "Users report that nothing opens: then the application itself may be down, not only this.",
				})
			}
			return found, ""
		},
	}
}
