package diagnosis

import (
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes/host"
	"gradecockpit/probes/metrics"
)

const (
	restartsIn = 10 * time.Minute
	// A deployment restarts each process once; more than that is a loop.
	restartsMost = 3
)

// processRestarts: processes that end and come back lose the requests they held.
func processRestarts() Rule {
	return Rule{
		ID: "process-restarts", Title: "Processes of the application restart again and again", Scenario: HighLatency,
		Judge: func(in Input) (found []Finding, blind string) {
			if f, ok := webRestarts(in); ok {
				found = append(found, f)
			}
			o, _ := current[host.Overview](in, host.ID)
			for _, g := range o.Groups {
				recent := slices.DeleteFunc(slices.Clone(g.Restarted), func(at time.Time) bool { return in.Now.Sub(at) > restartsIn })
				if n := len(recent); n >= restartsMost {
					found = append(found, Finding{Subject: g.Name, Confidence: Likely, Severity: P2, CopyCount: -1, UserCount: -1, Since: recent[0],
						Says:     fmt.Sprintf("%s was replaced %d times within %s.", g.Name, n, lasted(in.Now.Sub(recent[0]))),
						Evidence: []Evidence{{From: host.ID, Says: fmt.Sprintf("the oldest %s process began %s", g.Name, ago(in.Now.Sub(g.Since))), Kind: "pane", ID: "host"}},
						Mind:     "Somebody restarts them on purpose, as in a deployment."})
				}
			}
			return found, ""
		},
	}
}

func webRestarts(in Input) (Finding, bool) {
	m, snap, ok := metrics.Best(in.Set)
	if !ok || snap.Err != nil {
		return Finding{}, false
	}
	var recent []metrics.Restart
	for _, r := range m.Restarts {
		if in.Now.Sub(r.At) <= restartsIn {
			recent = append(recent, r)
		}
	}
	// Those that ended are listed for as long, each beside the one in its place.
	living := len(m.Processes) - len(recent)
	if len(recent) <= max(living, restartsMost) {
		return Finding{}, false
	}
	last := recent[len(recent)-1]
	f := Finding{Subject: "web", Confidence: Likely, Severity: P2, CopyCount: -1, UserCount: -1, Since: recent[0].At,
		Says: fmt.Sprintf("Web processes restarted %d times within %s, with %d running: what they held was lost.", len(recent), lasted(in.Now.Sub(recent[0].At)), living),
		Evidence: []Evidence{{From: metrics.Choose(in.Set), Says: fmt.Sprintf("%d starts at %s, the last %s", len(recent), last.Address, ago(in.Now.Sub(last.At))),
			Kind: "processes"}},
		Mind:   "A deployment restarts each process once and stops there.",
		Advice: []string{compose + "logs --tail 100 backend | grep -E 'Booting worker|WORKER TIMEOUT|SIGKILL'"},
		Harm:   "Do not raise the number of workers: each start costs memory, and a loop gets faster."}
	return f, true
}

// processLeak: memory that only grows ends in a kill.
func processLeak() Rule {
	return Rule{
		ID: "process-leak", Title: "A process of the application leaks memory", Scenario: HighLatency,
		Judge: func(in Input) (found []Finding, blind string) {
			m, snap, ok := metrics.Best(in.Set)
			if !ok || snap.Err != nil {
				return nil, ""
			}
			for _, p := range m.Processes {
				grown, over := p.Grown()
				if !p.Leaks() {
					continue
				}
				found = append(found, Finding{Subject: p.Name, Confidence: Possible, Severity: P3, CopyCount: -1, UserCount: -1,
					Says:     fmt.Sprintf("Web process %s grew by %s within %s.", p.Name, bytesOf(grown), lasted(over)),
					Evidence: []Evidence{{From: metrics.Choose(in.Set), Says: fmt.Sprintf("it has %s now and had %s", bytesOf(p.Resident), bytesOf(p.Resident-grown)), Kind: "processes"}},
					Mind:     "It stays where it is now: then it only warmed up.",
					Advice:   []string{"gunicorn: max_requests = 1000, max_requests_jitter = 100 in gunicorn_config.py; each process then ends before it is too large."}})
			}
			return found, ""
		},
	}
}
