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
	"gradecockpit/probes/audit"
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

// requests are n requests that each ask for their session and nothing else twice.
func requests(n int, id func(int) string) probes.Snapshot {
	var o logs.Overview
	for i := range n {
		for _, sql := range []string{"SELECT 1 FROM django_session WHERE key = 'k%d'", "SELECT 1 FROM exams_copy WHERE id = 'c%d'"} {
			o.Recent = append(o.Recent, logs.Line{At: now.Add(-time.Second), Logger: "django.db.backends", Level: "DEBUG", RequestID: id(i),
				Message: "(0.001) " + fmt.Sprintf(sql, i)})
		}
	}
	return saw(logs.ID, probes.Logs, o)
}

// said are records of errors.
func said(messages ...string) probes.Snapshot {
	var o logs.Overview
	for _, m := range messages {
		o.Errors = append(o.Errors, logs.Line{At: ago(10 * time.Minute), Level: "ERROR", Message: m})
	}
	return saw(logs.ID, probes.Logs, o)
}

// stale is a look that was good before the newest one failed.
func stale(s probes.Snapshot) probes.Snapshot {
	s.Err = &probes.Error{Source: s.Source, Op: "read", Cause: "no answer"}
	return s
}

func machine(o host.Overview) probes.Snapshot { return saw(host.ID, probes.Host, o) }

func volume(o host.Volume) probes.Snapshot {
	return saw(host.ID, probes.Host, host.Overview{Limits: host.Limits{Warning: 80, Critical: 90}, Volumes: []host.Volume{o}})
}

func sessions(s ...activity.Session) probes.Snapshot {
	o := activity.Overview{ServerTime: now, Sessions: s, Limits: activity.Limits{Max: 100, Superuser: 3, Used: 20, Database: -1, Role: -1}}
	o.Connect()
	return saw(activity.ID, probes.Postgres, o)
}

// asked are n records of the same statement.
func asked(sql string, n int) probes.Snapshot {
	var o logs.Overview
	for range n {
		o.Recent = append(o.Recent, logs.Line{At: ago(time.Second), Logger: "django.db.backends", Level: "DEBUG", Message: "(0.001) " + sql})
	}
	return saw(logs.ID, probes.Logs, o)
}

// byDesign is a large table without the index that some generations do without.
func byDesign(statements ...storage.Statement) storage.Overview {
	return storage.Overview{Missing: []storage.Missing{{Table: "public.exams_copy", Columns: []string{"status"}, Matters: true, ByDesign: true}},
		Tables:     []storage.Table{{Schema: "public", Name: "exams_copy"}},
		Statements: storage.Statements{Rows: statements}}
}

// TestFindingsSayOnlyWhatWasSeen: a sentence that is not the usual one.
func TestFindingsSayOnlyWhatWasSeen(t *testing.T) {
	for _, tt := range []struct {
		rule, says string
		sure       diagnosis.Confidence
		snap       probes.Snapshot
	}{
		{"memory-pressure", "Tasks waited for memory 20 % of the last minute, with 80 % of it available", diagnosis.Possible,
			machine(host.Overview{Memory: host.Memory{Known: true, Total: 100, Available: 80, Pressure: &host.Pressure{Some: 0.2}}})},
		{"folder-not-writable", "The media folder /app/media: missing.", diagnosis.Possible,
			machine(host.Overview{Folders: []host.Folder{{Role: host.Media, Path: "/app/media", Problems: []host.Problem{{Says: "missing", Severe: true}}}}})},
		{"folder-not-writable", "The database folder /data: PostgreSQL does not start with mode 0755.", diagnosis.Certain,
			machine(host.Overview{Folders: []host.Folder{{Role: host.Database, Path: "/data", Mode: "drwxr-xr-x", Problems: []host.Problem{{Says: "PostgreSQL does not start with mode 0755", Severe: true}}}}})},
	} {
		f, ok := diagnosis.Judge(diagnosis.Input{Set: probes.NewSet(tt.snap), Now: now}).Find(tt.rule)
		if !ok || !strings.HasPrefix(f.Says, tt.says) || f.Confidence != tt.sure {
			t.Errorf("%s: %q (%s)", tt.rule, f.Says, f.Confidence)
		}
	}
}

// TestTimesWithoutFractionsMayBeChance: of a million events one has none.
func TestTimesWithoutFractionsMayBeChance(t *testing.T) {
	for want, o := range map[bool]audit.Overview{
		true:  {Whole: true, Looked: 20, Events: 500},
		false: {Whole: true, Looked: 100_000, Events: 1_000_000},
	} {
		p := audit.Problem{Name: "hand: whole seconds", Kind: audit.ByHand, Copies: 1, Sure: audit.Guess, Why: "w"}
		o.Problems, o.Rows = []audit.Problem{p}, []audit.Row{{Problem: p}}
		_, got := diagnosis.Judge(diagnosis.Input{Set: probes.NewSet(saw(audit.ID, probes.Postgres, o)), Now: now}).Find("audit-by-hand")
		if got != want {
			t.Errorf("1 of %d events: found %v", o.Events, got)
		}
	}
}

// TestSystemRules: each moment shows exactly the causes named, in this order.
func TestSystemRules(t *testing.T) {
	idle := activity.Session{PID: 7, Kind: activity.Person, App: "psql", State: activity.IdleTx, Wrote: true, Xact: ago(5 * time.Second), Since: ago(5 * time.Second)}
	waits := activity.Session{PID: 8, Kind: activity.Application, State: activity.Active, BlockedBy: []int{7}, QueryAt: ago(3 * time.Second), WaitSince: ago(3 * time.Second)}
	old := idle
	old.Xact, old.Since = ago(10*time.Minute), ago(10*time.Minute)
	atWork := old
	atWork.Since = ago(3 * time.Millisecond)
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
		{"an import of minutes, between two statements", []probes.Snapshot{sessions(atWork)}, ""},
		{"psql was left for minutes", []probes.Snapshot{sessions(old)}, "open-transaction"},
		{"somebody waits for a finalization", []probes.Snapshot{sessions(finalizing, waits)}, "blocked-session"},
		{"a wait that has just begun", []probes.Snapshot{sessions(idle, brief)}, ""},
		{"a statement of a minute", []probes.Snapshot{sessions(activity.Session{PID: 9, Kind: activity.Application, State: activity.Active, QueryAt: ago(time.Minute), Text: "SELECT pg_sleep(100)"})}, "long-statement"},
		{"a deployment restarts each process", []probes.Snapshot{restarts(3)}, ""},
		{"a crash loop", []probes.Snapshot{restarts(6)}, "process-restarts"},
		{"a cockpit that has seen three deployments", []probes.Snapshot{machine(host.Overview{Groups: []host.Group{{Name: "celery", Count: 1, Restarts: 3,
			Restarted: []time.Time{ago(72 * time.Hour), ago(48 * time.Hour), ago(time.Minute)}}}})}, ""},
		{"a worker in a crash loop", []probes.Snapshot{machine(host.Overview{Groups: []host.Group{{Name: "celery", Count: 1, Restarts: 9,
			Restarted: []time.Time{ago(3 * time.Minute), ago(2 * time.Minute), ago(time.Minute)}}}})}, "process-restarts"},
		{"a crash loop of an hour ago, and the machine does not answer", []probes.Snapshot{stale(machine(host.Overview{Groups: []host.Group{{Name: "celery",
			Restarted: []time.Time{ago(3 * time.Minute), ago(2 * time.Minute), ago(time.Minute)}}}}))}, "source-unreadable"},
		{"each request asks for its session, and has an id", []probes.Snapshot{requests(30, func(i int) string { return fmt.Sprint("r", i) })}, ""},
		{"each request asks for its session, and has none", []probes.Snapshot{requests(30, func(int) string { return "" })}, ""},
		{"one request asks for each row, among others", []probes.Snapshot{requests(12, func(i int) string { return fmt.Sprint("r", i/12) })}, "n-plus-one"},
		{"health checks ask the same again and again", []probes.Snapshot{asked("SELECT 1", 30)}, ""},
		{"one query for each row", []probes.Snapshot{queries(12)}, "n-plus-one"},
		{"some queries", []probes.Snapshot{queries(5)}, ""},
		{"a volume at 91 %", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 91, Free: 9})}, "disk-fills"},
		{"a volume without inodes", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 1, Free: 9, Inodes: 100, InodesUsed: 100})}, "disk-full"},
		{"a full volume, and the machine does not answer any more", []probes.Snapshot{stale(volume(host.Volume{Mount: "/m", Used: 100}))}, "source-unreadable"},
		{"a full volume that is mounted read-only here", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 100, ReadOnly: true, Type: "ext4"})}, "disk-full"},
		{"an image that is full by its nature", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 100, ReadOnly: true, Type: "squashfs"})}, ""},
		{"tasks wait for memory while there is plenty", []probes.Snapshot{machine(host.Overview{Memory: host.Memory{Known: true, Total: 100, Available: 80, Pressure: &host.Pressure{Some: 0.2}}})}, "memory-pressure"},
		{"a folder that is not mounted here", []probes.Snapshot{machine(host.Overview{Folders: []host.Folder{{Role: host.Media, Path: "/app/media",
			Problems: []host.Problem{{Says: "missing", Next: "Is it mounted here?", Severe: true}}}}})}, "folder-not-writable"},
		{"the log tells of refused connections, and the server is down", append([]probes.Snapshot{said("FATAL: sorry, too many clients already")},
			failed(activity.ID, probes.Postgres, syscall.ECONNREFUSED), failed(storage.ID, probes.Postgres, syscall.ECONNREFUSED)), "postgres-down"},
		{"the log tells of refused connections, and ours may not look", append([]probes.Snapshot{said("FATAL: sorry, too many clients already")}, refusedWith("42501")...), "too-many-clients"},
		{"the log tells of refused connections that have passed", []probes.Snapshot{said("FATAL: sorry, too many clients already"), sessions()}, ""},
		{"a volume at 85 % that does not grow", []probes.Snapshot{volume(host.Volume{Mount: "/m", Used: 85, Free: 15})}, ""},
		{"a standby is a minute behind", []probes.Snapshot{db(storage.Overview{Replication: storage.Replication{Standbys: []storage.Standby{{Name: "b", Lag: time.Minute}}}})}, "replication-lag"},
		{"transaction ids run out", []probes.Snapshot{db(storage.Overview{Database: storage.Database{XIDAge: 1_900_000_000}})}, "transaction-ids"},
		{"autovacuum is off", []probes.Snapshot{db(storage.Overview{Settings: []storage.Setting{{Name: "autovacuum", Value: "off"}}})}, "autovacuum-off"},
		{"the index on the timeline is gone from a small table", []probes.Snapshot{db(storage.Overview{Missing: []storage.Missing{{Table: "public.grading_gradingevent", Columns: []string{"copy_id", "timestamp"}, Says: "It is small."}}})}, "missing-index"},
		{"and a dump has read the whole table", []probes.Snapshot{db(byDesign())}, ""},
		{"and a page waits for it", []probes.Snapshot{db(byDesign(storage.Statement{Text: `SELECT 1 FROM "exams_copy" WHERE "status" = $1`,
			RecentKnown: true, Recent: storage.Counts{Calls: 10, Total: 3}}))}, "missing-index"},
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
