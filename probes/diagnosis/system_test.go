package diagnosis_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

func saw(id probes.ID, source probes.SourceID, payload any) probes.Snapshot {
	return probes.Snapshot{ID: id, Source: source, Seq: 1, At: now, Good: now, Payload: payload}
}

func failed(id probes.ID, source probes.SourceID, err error) probes.Snapshot {
	return probes.Snapshot{ID: id, Source: source, Seq: 1, At: now, FailedSince: now.Add(-time.Minute),
		Err: &probes.Error{Source: source, Op: "read", Cause: "refused", Err: err}}
}

func refusedWith(code string) []probes.Snapshot {
	err := &pgconn.PgError{Severity: "FATAL", Code: code}
	return []probes.Snapshot{failed(activity.ID, probes.Postgres, err), failed(storage.ID, probes.Postgres, err)}
}

// restarts are web processes of which n began lately, beside three older ones.
func restarts(n int) probes.Snapshot {
	o := metrics.Overview{Processes: make([]metrics.Process, 3+n)}
	for i := range n {
		o.Restarts = append(o.Restarts, metrics.Restart{At: now.Add(time.Duration(i-n) * 10 * time.Second), Address: "backend:8000"})
	}
	return saw(metrics.ID, probes.Metrics, o)
}

// queries are n records of the application's query log.
func queries(n int) probes.Snapshot {
	var o logs.Overview
	for i := range n {
		o.Recent = append(o.Recent, logs.Line{At: now.Add(-time.Second), Logger: "django.db.backends", Level: "DEBUG",
			Message: fmt.Sprintf("(0.00%d) SELECT 1 FROM exams_booklet WHERE copy_id = 'copy %d'; args=(%d,)", i%9, i, i)})
	}
	return saw(logs.ID, probes.Logs, o)
}

func volume(o host.Volume) probes.Snapshot {
	return saw(host.ID, probes.Host, host.Overview{Limits: host.Limits{Warning: 80, Critical: 90}, Volumes: []host.Volume{o}})
}

func sessions(s ...activity.Session) probes.Snapshot {
	o := activity.Overview{ServerTime: now, Sessions: s, Limits: activity.Limits{Max: 100, Superuser: 3, Used: 20, Database: -1, Role: -1}}
	o.Connect()
	return saw(activity.ID, probes.Postgres, o)
}

// TestSystemRules: each moment shows exactly the causes named, in this order.
func TestSystemRules(t *testing.T) {
	idle := activity.Session{PID: 7, Kind: activity.Person, App: "psql", State: activity.IdleTx, Wrote: true, Xact: ago(5 * time.Second), Since: ago(5 * time.Second)}
	waits := activity.Session{PID: 8, Kind: activity.Application, State: activity.Active, BlockedBy: []int{7}, QueryAt: ago(3 * time.Second), WaitSince: ago(3 * time.Second)}
	old := idle
	old.Xact, old.Since = ago(10*time.Minute), ago(10*time.Minute)
	finalizing := idle
	finalizing.Kind, finalizing.Finalizes = activity.Application, activity.Yes
	brief := waits
	brief.WaitSince = ago(100 * time.Millisecond)
	db := func(o storage.Overview) probes.Snapshot { return saw(storage.ID, probes.Postgres, o) }
	for _, tt := range []struct {
		name  string
		snaps []probes.Snapshot
		want  string // rules by comma; "" none
	}{
		{"the cockpit is refused a connection", refusedWith("53300"), "too-many-clients"},
		{"the server starts", refusedWith("57P03"), "postgres-down"},
		{"the disk of the server is full", refusedWith("53100"), "disk-full"},
		{"wrong rights", refusedWith("42501"), ""},
		{"nothing listens", []probes.Snapshot{failed(activity.ID, probes.Postgres, syscall.ECONNREFUSED), failed(storage.ID, probes.Postgres, syscall.ECONNREFUSED)}, "postgres-down"},
		{"one of two looks is late", []probes.Snapshot{sessions(), failed(storage.ID, probes.Postgres, context.DeadlineExceeded)}, ""},
		{"somebody waits for psql", []probes.Snapshot{sessions(idle, waits)}, "open-transaction"},
		{"psql works in a transaction, nobody waits", []probes.Snapshot{sessions(idle)}, ""},
		{"psql was left for minutes", []probes.Snapshot{sessions(old)}, "open-transaction"},
		{"somebody waits for a finalization", []probes.Snapshot{sessions(finalizing, waits)}, "blocked-session"},
		{"a wait that has just begun", []probes.Snapshot{sessions(idle, brief)}, ""},
		{"a statement of a minute", []probes.Snapshot{sessions(activity.Session{PID: 9, Kind: activity.Application, State: activity.Active, QueryAt: ago(time.Minute), Text: "SELECT pg_sleep(100)"})}, "long-statement"},
		{"a deployment restarts each process", []probes.Snapshot{restarts(3)}, ""},
		{"a crash loop", []probes.Snapshot{restarts(6)}, "process-restarts"},
		{"one query for each row", []probes.Snapshot{queries(12)}, "n-plus-one"},
		{"some queries", []probes.Snapshot{queries(5)}, ""},
		{"a volume at 91 %", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 91, Free: 9})}, "disk-fills"},
		{"a volume without inodes", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 1, Free: 9, Inodes: 100, InodesUsed: 100})}, "disk-full"},
		{"a volume at 85 % that does not grow", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 85, Free: 15})}, ""},
		{"a standby is a minute behind", []probes.Snapshot{db(storage.Overview{Replication: storage.Replication{Standbys: []storage.Standby{{Name: "b", Lag: time.Minute}}}})}, "replication-lag"},
		{"transaction ids run out", []probes.Snapshot{db(storage.Overview{Database: storage.Database{XIDAge: 1_900_000_000}})}, "transaction-ids"},
		{"autovacuum is off", []probes.Snapshot{db(storage.Overview{Settings: []storage.Setting{{Name: "autovacuum", Value: "off"}}})}, "autovacuum-off"},
		{"the index on the timeline is gone from a small table", []probes.Snapshot{db(storage.Overview{Missing: []storage.Missing{{Table: "public.grading_gradingevent", Columns: []string{"copy_id", "timestamp"}, Says: "It is small."}}})}, "missing-index"},
		{"a generation without an index on status", []probes.Snapshot{db(storage.Overview{Missing: []storage.Missing{{Table: "public.exams_copy", Columns: []string{"status"}}}})}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := diagnosis.Judge(diagnosis.Input{Set: probes.NewSet(tt.snaps...), Now: now})
			var got []string
			for _, f := range report.Findings {
				got = append(got, f.Rule)
				if f.Says == "" || f.Mind == "" || len(f.Evidence) == 0 {
					t.Errorf("%s does not say what, on what it rests, or what would change its mind: %+v", f.Rule, f)
				}
				if slices.ContainsFunc(f.Evidence, func(e diagnosis.Evidence) bool { return e.Says == "" }) {
					t.Errorf("%s has empty evidence", f.Rule)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
