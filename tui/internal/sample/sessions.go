package sample

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
)

func sessionsPart() Part {
	return Part{ID: activity.ID, Source: probes.Postgres, Cost: 4 * time.Millisecond, Normal: Sessions(), Empty: noSessions(), Hostile: hostileSessions()}
}

// Sessions has a transaction left open in psql with a chain behind it, one that
// waits for two, a finalization in flight, a long query, a session of another
// role and a worker of autovacuum.
func Sessions() activity.Overview {
	s := func(pid int, kind activity.Kind, user, app string, state activity.State, since time.Duration, text string) activity.Session {
		return activity.Session{PID: pid, Start: Ago(3 * time.Hour), Kind: kind, Database: "viatique", User: user, App: app, Client: "10.0.0.5", Backend: "client backend",
			State: state, Since: Ago(since), QueryAt: Ago(since), Xact: Ago(since), Text: text, MaySignal: true}
	}
	psql := s(4711, activity.Person, "viatique_user", "psql", activity.IdleTx, 7*time.Minute, "SELECT * FROM exams_copy WHERE id = '"+UUIDA+"' FOR UPDATE")
	psql.Wrote, psql.Copies, psql.Client = true, []string{UUIDA}, "local socket"
	psql.Holds = []activity.Held{{Table: "exams_copy", Mode: "RowShareLock"}}
	first := s(4712, activity.Application, "viatique_user", "", activity.Active, 192*time.Second, `UPDATE "exams_copy" SET "status" = 'LOCKED', "locked_at" = '2026-02-01T14:27:33' WHERE "exams_copy"."id" = '`+UUIDA+`'::uuid`)
	first.BlockedBy, first.Waits, first.WaitType, first.WaitEvent, first.WaitSince, first.Copies = []int{4711}, "row of exams_copy", "Lock", "transactionid", Ago(190*time.Second), []string{UUIDA}
	second := s(4713, activity.Application, "viatique_user", "", activity.Active, 44*time.Second, `SELECT "exams_copy"."id" FROM "exams_copy" WHERE "exams_copy"."id" = '`+UUIDA+`'::uuid FOR UPDATE`)
	second.BlockedBy, second.Waits, second.WaitType, second.WaitEvent, second.Copies = []int{4712}, "row of exams_copy", "Lock", "tuple", []string{UUIDA}
	alter := s(4801, activity.Other, "dba", "migrate", activity.Active, 15*time.Second, "ALTER TABLE exams_copy ADD COLUMN llm_summary text")
	alter.BlockedBy, alter.Waits, alter.WaitType = []int{4711, 4990}, "table of exams_copy", "Lock"
	finalize := s(4990, activity.Application, "viatique_user", "", activity.IdleTx, 12*time.Second, `UPDATE "exams_copy" SET "status" = 'GRADING_IN_PROGRESS' WHERE "exams_copy"."id" = '`+UUIDB+`'::uuid`)
	finalize.Finalizes, finalize.Wrote, finalize.Copies = activity.Yes, true, []string{UUIDB}
	report := s(5120, activity.Other, "reporting", "metabase", activity.Active, 26*time.Minute, "SELECT e.name, count(*) FROM grading_annotation a JOIN exams_copy c ON c.id = a.copy_id JOIN exams_exam e ON e.id = c.exam_id GROUP BY 1")
	report.Workers, report.Waits, report.QueryID = 2, "disk: DataFileRead", "-4711221133"
	forgot := s(5133, activity.Application, "viatique_user", "", activity.IdleTx, 4*time.Minute, "SELECT 1")
	vacuum := s(6001, activity.Autovacuum, "", "", activity.Active, 3*time.Minute, "autovacuum: VACUUM public.grading_gradingevent")
	vacuum.Backend, vacuum.Client = "autovacuum worker", ""
	o := activity.Overview{
		ServerTime: Server, Version: 150005, Self: 4000, AppRole: "viatique_user", OldestTx: Ago(26 * time.Minute), Idle: 14,
		Rights:   activity.Rights{Role: `"gradecockpit_operator"`, SeesAll: true, Signals: true},
		Limits:   activity.Limits{Max: 100, Superuser: 3, Used: 23, Database: -1, Role: -1, InDatabase: 23, OfRole: 19},
		Sessions: []activity.Session{psql, first, second, alter, finalize, report, forgot, vacuum},
		Groups: []activity.Group{
			{Kind: activity.Application, Database: "viatique", User: "viatique_user", Total: 18, Active: 2, Idle: 14, InTx: 2},
			{Kind: activity.Other, Database: "viatique", User: "reporting", App: "metabase", Total: 1, Active: 1},
		},
	}
	o.Connect()
	return o
}

func noSessions() activity.Overview {
	return activity.Overview{ServerTime: Server, Version: 150005, Rights: activity.Rights{SeesAll: true}, Limits: activity.Limits{Max: 100, Superuser: 3}}
}

// hostileSessions is full to the last connection, too, and seen by a role that
// sees nothing.
func hostileSessions() activity.Overview {
	bad := activity.Session{PID: 1 << 30, Kind: activity.Kind(Hostile), Database: Hostile, User: Hostile, App: Hostile, Client: Hostile, Backend: Hostile,
		State: activity.State(Hostile), Text: Hostile, QueryID: Hostile, Copies: []string{Hostile}, Finalizes: activity.Perhaps, Xact: Ago(time.Hour), Waits: Hostile,
		Holds: []activity.Held{{Table: Hostile, Mode: Hostile}}, BlockedBy: []int{7, 0}}
	hidden := activity.Session{PID: 7, User: Hostile, Hidden: true, BlockedBy: []int{1 << 30}}
	o := activity.Overview{ServerTime: Server, Rights: activity.Rights{Role: Hostile}, Limits: activity.Limits{Max: 100, Superuser: 3, Reserved: 2, Used: 95, Role: -1, Database: -1},
		Hidden: 12, LeftOut: 3, Idle: 80, Pooled: true, Sessions: []activity.Session{bad, hidden}, Prepared: []activity.Prepared{{Name: Hostile, Owner: Hostile}},
		Groups: []activity.Group{{Kind: activity.Person, User: Hostile, App: Hostile, Database: Hostile, Total: 90, Idle: 80}}}
	o.Connect()
	return o
}
