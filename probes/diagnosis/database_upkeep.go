package diagnosis

import (
	"fmt"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/storage"
)

const (
	slowReplica = 30 * time.Second // as the exporter's alert; the playbook has no number
	// The server stops taking writes near 2^31 transactions; vacuum that cannot
	// keep up is plain from half of that on.
	oldXID, lastXID = 1_000_000_000, 1_800_000_000
	deadRows        = 10_000
	deadShare       = 0.4
)

// replicationLag: the playbook has the database administrator told.
func replicationLag() Rule {
	return Rule{
		ID: "replication-lag", Title: "A standby is behind", Scenario: HighLatency, Section: "8.2",
		Needs: []probes.ID{storage.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[storage.Overview](in, storage.ID)
			r := o.Replication
			if r.Replica && r.Lag >= slowReplica {
				f := behind("this server", r.Lag, r.LagSize)
				f.Advice = append(f.Advice, "The cockpit reads this replica: what it shows is as old. Point DATABASE_URL at the primary.")
				found = append(found, f)
			}
			for _, s := range r.Standbys {
				if s.Lag >= slowReplica {
					found = append(found, behind(s.Name, s.Lag, s.Behind))
				}
			}
			if r.Blind {
				return found, "How far the standbys are is not visible to our role."
			}
			return found, ""
		},
	}
}

func behind(name string, lag time.Duration, size int64) Finding {
	says := fmt.Sprintf("%s is %s behind", name, lasted(lag))
	if size >= 0 {
		says += fmt.Sprintf(", %s not replayed", bytesOf(float64(size)))
	}
	return Finding{Subject: name, Says: "Standby " + name + " is " + lasted(lag) + " behind.", Confidence: Certain, Severity: P2, CopyCount: -1, UserCount: -1,
		Evidence: []Evidence{{From: storage.ID, Says: says, Kind: "pane", ID: "database"}},
		Mind:     "Nothing was written in that time: a replica then only looks late.",
		Advice:   []string{"Tell the database administrator.", "SELECT application_name, state, replay_lag, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) FROM pg_stat_replication; on the primary."}}
}

// transactionIDs: at the end of them the server refuses every write.
func transactionIDs() Rule {
	return Rule{
		ID: "transaction-ids", Title: "Transaction ids run out", Scenario: HighLatency,
		Needs: []probes.ID{storage.ID},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[storage.Overview](in, storage.ID)
			d := o.Database
			if d.XIDAge < oldXID {
				return nil, ""
			}
			f := Finding{Confidence: Certain, Severity: P1, CopyCount: -1, UserCount: -1,
				Says:     fmt.Sprintf("The oldest transaction id of %s is %d million transactions old; near 2147 million the server stops taking writes.", d.OldestName, d.XIDAge/1_000_000),
				Evidence: []Evidence{{From: storage.ID, Says: fmt.Sprintf("autovacuum forces itself on from %d million", d.FreezeMax/1_000_000), Kind: "pane", ID: "database"}},
				Mind:     "It falls while you look: then a vacuum is at work.",
				Advice:   []string{"Tell the database administrator.", "End what holds it back (old transactions, prepared ones, replication slots), then in database " + d.OldestName + ": VACUUM (FREEZE, VERBOSE);"},
				Harm:     "VACUUM FULL locks each table for as long as it takes: it is not needed."}
			if d.XIDAge >= lastXID {
				f.Severity = P0
			}
			return []Finding{f}, ""
		},
	}
}

// vacuum: dead rows that nobody takes away make every read longer.
func vacuum() Rule {
	return Rule{
		ID: "autovacuum-off", Title: "Dead rows are not cleaned up", Scenario: HighLatency,
		Needs: []probes.ID{storage.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[storage.Overview](in, storage.ID)
			for _, s := range o.Settings {
				if s.Name == "autovacuum" && s.Value == "off" {
					found = append(found, Finding{Confidence: Certain, Severity: P3, CopyCount: -1, UserCount: -1,
						Says:     "autovacuum is off: dead rows stay, tables grow, and transaction ids run out.",
						Evidence: []Evidence{{From: storage.ID, Says: "autovacuum = off", Kind: "pane", ID: "database"}},
						Mind:     "Somebody vacuums by a job of his own.",
						Advice:   []string{"ALTER SYSTEM RESET autovacuum; SELECT pg_reload_conf(); as superuser; no restart."}})
				}
			}
			for _, t := range o.Tables {
				if t.Grading && t.Dead >= deadRows && t.DeadShare() >= deadShare {
					found = append(found, bloated(in, t))
				}
			}
			return found, ""
		},
	}
}

func bloated(in Input, t storage.Table) Finding {
	last := "never"
	if !t.Vacuumed.IsZero() {
		last = ago(in.Now.Sub(t.Vacuumed))
	}
	return Finding{Subject: t.Ref(), Confidence: Likely, Severity: P3, CopyCount: -1, UserCount: -1,
		Says:     fmt.Sprintf("%s of the rows of %s are dead.", share(t.DeadShare()), t.Ref()),
		Evidence: []Evidence{{From: storage.ID, Says: fmt.Sprintf("%d dead and about %d live rows; vacuumed %s", t.Dead, t.Rows, last), Kind: "table", ID: t.Ref()}},
		Mind:     "A vacuum runs now, or a long transaction still needs the rows.",
		Advice:   []string{"VACUUM (ANALYZE) " + t.Ref() + ";"},
		Harm:     "VACUUM FULL locks the table for as long as it takes."}
}
