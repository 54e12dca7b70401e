package sample

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/storage"
)

// composeLogs is how long commands for a deployment are.
const composeLogs = "docker compose --env-file .env -f infra/docker/docker-compose.prod.yml logs --no-color --since 24h "

// Night is a judgement with something of everything that a finding can have:
// consequences, evidence that leads on, copies, harm, offers and advice, and
// rules that could not be judged. Its texts are as long as those of the rules.
func Night(in diagnosis.Input) diagnosis.Report {
	return diagnosis.Report{At: in.Now, Judged: 62, Findings: []diagnosis.Finding{oom(), expiredNight(), index(), many(), leak()}, Blind: []diagnosis.Blind{
		{Rule: "disk-full", Title: "No space is left on a disk", Scenario: diagnosis.ImportStuck, Why: "Host: not configured. Set MEDIA_ROOT, or run the cockpit on the host of the application."},
		{Rule: "reused-finalize", Title: "A copy was graded again, and the event kept the first score", Scenario: diagnosis.MissingAuditEvents, Why: "Postgres: permission denied for table grading_gradingevent. GRANT SELECT ON grading_gradingevent TO gradecockpit_reader;"},
		{Rule: "slow-endpoint", Title: "An endpoint is slow", Scenario: diagnosis.HighLatency, Why: "metrics has not been looked at yet."},
	}}
}

func oom() diagnosis.Finding {
	return diagnosis.Finding{Rule: "worker-oom", Title: "The kernel kills workers", Scenario: diagnosis.ImportStuck, Subject: "w1@app1",
		Says:       "The kernel killed 3 processes of w1@app1 for want of memory, the last 2m ago; each took an import with it.",
		Confidence: diagnosis.Certain, Severity: diagnosis.P1, CopyCount: 1, UserCount: -1, Since: Ago(24 * time.Minute),
		Copies: []grading.CopyRef{{ID: UUIDA, Anon: "A3F2-0042"}},
		Evidence: []diagnosis.Evidence{
			{From: host.ID, Says: "3 killed since the machine started, 3 of them while the cockpit looked", Kind: "pane", ID: "host"},
			{From: logs.ID, Says: "14:28:41 ERROR celery.worker: Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 412.')", Kind: "logs", ID: "pattern:worker-lost"},
			{From: celery.ID, Says: "w1@app1 runs async_import_pdf of A3F2-0042 for the third time", Kind: "pane", ID: "workers"},
		},
		Mind:   "The kernel's log names other programs: journalctl -k | grep -i 'out of memory'.",
		Harm:   "Do not retry the largest import first: it ends the same way, and takes what runs beside it with it.",
		Advice: []string{"Start the worker with --max-memory-per-child=400000 (KiB), so that a child that grew ends after its task.", composeLogs + "celery | grep -iE 'out of memory|oom-kill|signal 9' | tail -30"},
		Offers: []diagnosis.Offer{
			{Action: "revoke", Kind: "task", ID: "7b1e", Label: "import_pdf of A3F2-0042", Why: "It kills every worker that takes it.", Consequence: "The copy stays in STAGING until it is imported again."},
			{Action: "restart", Kind: "worker", ID: "w1@app1", Label: "w1@app1", Why: "What it had reserved is given back.", Consequence: "What it runs is run again from the start."},
		},
		Follows: []diagnosis.Finding{
			{Rule: "orphaned-unacked", Title: "Messages of a killed worker wait", Scenario: diagnosis.ImportStuck, Says: "8 messages were taken and never acknowledged; they come back in 57m by themselves.",
				Confidence: diagnosis.Likely, Severity: diagnosis.P2, CopyCount: 8, UserCount: 3, Mind: "Their worker answers again."},
			{Rule: "queue-backlog", Title: "Imports wait", Scenario: diagnosis.ImportStuck, Subject: "celery", Says: "1,241 imports wait, 11 more each minute, and nobody takes them.",
				Confidence: diagnosis.Certain, Severity: diagnosis.P2, CopyCount: 1241, UserCount: 17},
		}}
}

func expiredNight() diagnosis.Finding {
	g := Grading()
	f := expired(g)[0]
	f.Says += " Each refuses the finalization of its copy."
	f.Harm = "Do not delete the rows by SQL: the copies stay LOCKED, and no UNLOCK event tells of it."
	f.Mind = "A lock that is renewed while you look was only slow."
	f.Advice = []string{"Have the developers add a job that clears them every five minutes."}
	return f
}

func index() diagnosis.Finding {
	return diagnosis.Finding{Rule: "missing-index", Title: "An index is missing", Scenario: diagnosis.HighLatency, Subject: "grading_gradingevent(copy_id, timestamp DESC)",
		Says:       "No index serves grading_gradingevent(copy_id, timestamp DESC). The list of a copy's events reads the whole table.",
		Confidence: diagnosis.Possible, Severity: diagnosis.P2, CopyCount: -1, UserCount: 40,
		Evidence: []diagnosis.Evidence{{From: storage.ID, Says: "grading_gradingevent: about 1204455 rows; read from end to end 812 times in 10m, 97800000 rows in all", Kind: "table", ID: "public.grading_gradingevent"}},
		Mind:     "The plan of the slow statement does not read this table from end to end (explain-analyze shows it).",
		Advice:   []string{"CREATE INDEX CONCURRENTLY grading_gradingevent_copy_id_timestamp_idx ON public.grading_gradingevent (copy_id, timestamp DESC);"},
		Harm:     "Without CONCURRENTLY the statement stops all writes to the table until it is done; it cannot run inside a transaction."}
}

func many() diagnosis.Finding {
	f := diagnosis.Finding{Rule: "audit-missing", Title: "Events are missing from the audit trail", Scenario: diagnosis.MissingAuditEvents,
		Says: "12,345 copies are GRADED, and nothing says who finalized them.", Confidence: diagnosis.Likely, Severity: diagnosis.P3, CopyCount: 12345, UserCount: -1,
		Evidence: []diagnosis.Evidence{{From: audit.ID, Says: "12,345 copies: no FINALIZE", Kind: "events"}}, Mind: "They were brought in from another system with their grades."}
	for _, c := range []string{"A3F2-0007", "A3F2-0009", "B771-0003"} {
		f.Copies = append(f.Copies, Ref(c))
	}
	return f
}

func leak() diagnosis.Finding {
	return diagnosis.Finding{Rule: "process-leak", Title: "A process of the application leaks memory", Scenario: diagnosis.HighLatency, Subject: "web-2",
		Says: "Web process web-2 grew by 812 MB within 3h.", Confidence: diagnosis.Possible, Severity: diagnosis.P3, CopyCount: -1, UserCount: -1}
}

// HostileNight is a judgement in which every text is hostile.
func HostileNight(in diagnosis.Input) diagnosis.Report {
	e := diagnosis.Evidence{From: probes.ID(Hostile), Says: Hostile, Kind: Hostile, ID: Hostile}
	f := diagnosis.Finding{Rule: "hostile", Title: Hostile, Scenario: diagnosis.ImportStuck, Subject: Hostile, Says: Hostile, Severity: diagnosis.P1, CopyCount: 1 << 40, UserCount: 1 << 40,
		Confidence: diagnosis.Certain, Evidence: []diagnosis.Evidence{e, e, e}, Mind: Hostile, Copies: []grading.CopyRef{{ID: Hostile, Anon: Hostile}}, Advice: []string{Hostile}, Harm: Hostile,
		Offers: []diagnosis.Offer{{Action: "retry", Kind: "copy", ID: Hostile, Label: Hostile, Why: Hostile, Consequence: Hostile}, {Action: Hostile, Kind: Hostile, ID: Hostile, Why: Hostile}}}
	g := f
	g.Rule, g.Severity = "hostile-too", diagnosis.P2
	f.Follows = []diagnosis.Finding{g}
	return diagnosis.Report{At: in.Now, Judged: 1, Findings: []diagnosis.Finding{f},
		Blind: []diagnosis.Blind{{Rule: Hostile, Title: Hostile, Why: Hostile, Scenario: diagnosis.ImportStuck}}}
}
