package export

import (
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes/activity"
	"gradecockpit/probes/storage"
)

const (
	connectionsUsed = "gradecockpit_database_connections_used_ratio"
	blockedSessions = "gradecockpit_database_sessions_blocked"
	replicationLag  = "gradecockpit_database_replication_lag_seconds"
)

// aboutDatabase is what PostgreSQL says of itself.
func aboutDatabase() []Metric {
	const group = "Database"
	return []Metric{
		sessions(Metric{Name: connectionsUsed, Help: "Connections taken, of those that an ordinary role can have.", Unit: units.PercentUnit, Group: group},
			func(s sample[activity.Overview]) []point {
				return when(s.seen.Limits.Ordinary() > 0, s.seen.Limits.Full())
			}),
		sessions(Metric{Name: blockedSessions, Help: "Sessions that wait for a lock of another one.", Group: group},
			func(s sample[activity.Overview]) []point {
				blocked, _ := s.seen.Waiting()
				return just(float64(blocked))
			}),
		sessions(Metric{Name: "gradecockpit_database_oldest_transaction_seconds", Help: "Age of the oldest transaction that can be seen; no series when there is none.", Unit: units.Seconds, Group: group},
			func(s sample[activity.Overview]) []point {
				old := s.seen.OldestTx
				return when(!old.IsZero(), s.seen.ServerTime.Add(s.age).Sub(old).Seconds())
			}),
		stored(Metric{Name: "gradecockpit_database_size_bytes", Help: "Size of the grading database.", Unit: units.BytesIEC, Group: group},
			func(o storage.Overview) []point { return when(o.Database.Size >= 0, float64(o.Database.Size)) }),
		stored(Metric{Name: "gradecockpit_database_transaction_id_age", Help: "Age of the oldest transaction id; the server stops taking writes at about 2 billion.", Group: group},
			func(o storage.Overview) []point {
				return when(o.Database.XIDAge >= 0, float64(o.Database.XIDAge))
			}),
		stored(Metric{Name: replicationLag, Help: "How far the standby that is furthest behind is, or this server itself where it follows another; no series without replication.", Unit: units.Seconds, Group: group}, lag),
	}
}

func sessions(m Metric, read func(sample[activity.Overview]) []point) Metric {
	return from(activity.ID, m, read)
}

func stored(m Metric, read func(storage.Overview) []point) Metric {
	return from(storage.ID, m, func(s sample[storage.Overview]) []point { return read(s.seen) })
}

func lag(o storage.Overview) []point {
	worst, known := time.Duration(0), o.Replication.Replica
	if known {
		worst = o.Replication.Lag
	}
	for _, s := range o.Replication.Standbys {
		if s.Lag >= 0 {
			worst, known = max(worst, s.Lag), true
		}
	}
	return when(known, worst.Seconds())
}
