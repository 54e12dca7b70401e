package practice

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

func latencyCases() []Case {
	return []Case{
		{
			Fault: "open-transaction", Cause: "Somebody left a transaction open in psql", Scenario: diagnosis.HighLatency, Group: "sessions",
			Call:     "One copy cannot be opened: the page loads for ever. Everything else is as fast as always.",
			Panes:    []string{"sessions"},
			Clue:     "The pane of sessions: psql is idle in a transaction, and requests wait behind it, one behind the other.",
			Remedies: []Remedy{{"end-session", actions.OnSession, "the one at the head of the chain", ""}},
			Also:     []string{"blocked-session"},
			Advice:   "Ask its owner to commit or roll back first, if somebody is there.",
			About:    2 * time.Minute,
		},
		{
			Fault: "slow-endpoint", Cause: "One endpoint is slow", Scenario: diagnosis.HighLatency, Group: "endpoint",
			Call:   "\"The list of copies takes for ever to come up.\" Once it is there, all goes well.",
			Panes:  []string{"latency", "logs"},
			Clue:   "The pane of latency: one path is seconds above all others.",
			Advice: "Give the developers the path, its P95 and the slowest requests; nothing on the servers is to be put right.",
			About:  2 * time.Minute,
		},
		{
			Fault: "slow-finalize", Cause: "Large PDFs make finalizations slow", Scenario: diagnosis.HighLatency, Group: "finalize",
			Call:   "\"Finalizing takes a quarter of a minute, sometimes more. It used to be a second.\" It works in the end.",
			Panes:  []string{"latency", "logs"},
			Clue:   "The pane of latency: the path of finalizations alone, far above ten seconds.",
			Harms:  []Harm{{"end-session", "It cuts off a finalization that would have come to its end.", ""}},
			Advice: "Tell the teachers to wait and not to press again. For good: render in the worker, outside of the request.",
			About:  2 * time.Minute,
		},
		{
			Fault: "http-504", Cause: "The proxy gives up on finalizations", Scenario: diagnosis.HighLatency, Group: "finalize",
			Call:   "\"Gateway Timeout\", says the page after a minute. Pressing Finalize once more gives the same.",
			Panes:  []string{"latency", "logs"},
			Clue:   "The logs and the pane of latency: 504 on the path of finalizations, after 60 s.",
			Harms:  []Harm{{"retry", "The first one may still be at work behind the proxy.", ""}},
			Advice: "Raise the proxy's read timeout for that path, and find out why the rendering takes so long.",
			About:  3 * time.Minute,
		},
		{
			Fault: "n-plus-one", Cause: "A page asks the database once for each copy", Scenario: diagnosis.HighLatency, Group: "queries",
			Call:   "The overview of an exam gets slower with each copy that is added to it.",
			Panes:  []string{"database", "logs"},
			Clue:   "The pane of the database: one statement is called forty times as often as the pages are.",
			Advice: "Give the developers the statement and its calls: prefetch_related on the booklets makes it one query.",
			About:  3 * time.Minute,
		},
		{
			Fault: "missing-index", Cause: "An index is missing", Scenario: diagnosis.HighLatency, Group: "queries",
			Call:   "\"The history of a copy comes up slowly since the maintenance of last night.\"",
			Panes:  []string{"database", "timeline"},
			Clue:   "The schema: the events of a copy have no index on copy and time.",
			Advice: "Have it created again: CREATE INDEX CONCURRENTLY ON grading_gradingevent (copy_id, timestamp).",
			About:  4 * time.Minute,
		},
		{
			Fault: "autovacuum-off", Cause: "Nothing cleans up dead rows: autovacuum is off", Scenario: diagnosis.HighLatency, Group: "upkeep",
			Call:   "The site gets slower from week to week, no page more than another. It began after the large import of last month.",
			Panes:  []string{"database"},
			Clue:   "The pane of the database, at its end: the setting autovacuum is off.",
			Advice: "As superuser: ALTER SYSTEM RESET autovacuum; SELECT pg_reload_conf(); nothing has to be restarted. VACUUM (ANALYZE) at a quiet hour, and never VACUUM FULL: it locks whole tables.",
			About:  3 * time.Minute,
		},
		{
			Fault: "process-restarts", Cause: "A web process ends and begins anew, again and again", Scenario: diagnosis.HighLatency, Group: "processes",
			Call:   "\"Now and then a page breaks off with an error, and the next try goes through.\" All over the site, since noon.",
			Panes:  []string{"latency", ":processes"},
			Clue:   "The pane of latency counts the restarts; of the processes behind the metrics one begins anew every few seconds, the others run for hours.",
			Advice: "Read why it ends in the backend's log (WORKER TIMEOUT, SIGKILL, or a traceback at its start) and give that to the developers. More processes do not help: a loop only gets faster.",
			About:  3 * time.Minute,
		},
		{
			Fault: "too-many-clients", Cause: "All database connections are taken", Scenario: diagnosis.HighLatency, Alone: true,
			Call:   "The whole site answers with an error page, for everybody, since a few minutes.",
			Panes:  []string{"sessions", "logs"},
			Clue:   "The first lines: PostgreSQL takes no further connection; the logs say \"too many clients already\".",
			Advice: "Find what opens them and never closes; a pooler (PgBouncer) or fewer processes help. Raising max_connections needs a restart.",
			About:  2 * time.Minute,
		},
		{
			Fault: "metrics-behind-nginx", Cause: "The metrics address leads to the web page", Scenario: diagnosis.HighLatency, Alone: true, // what is measured cannot be seen then
			Call:   "\"I wanted to look up how slow it is, and there is not a single figure of the application any more.\"",
			Panes:  []string{"latency"},
			Clue:   "The pane of latency and the line of sources: /metrics gives HTML.",
			Advice: "Point metrics_url at the backend itself: the proxy forwards only /api/ and /admin/.",
			About:  time.Minute,
		},
	}
}

func queueCases() []Case {
	waited := Harm{"purge", "These are tasks that people wait for; unrelated ones go with them.", ""}
	return []Case{
		{
			Fault: "queue-backlog", Cause: "Tasks come in faster than they are done", Scenario: diagnosis.HighLatency, Group: "worker",
			Call:  "Everything that is done \"in the background\" takes longer and longer since an hour.",
			Panes: []string{"queue", "workers"},
			Clue:  "The pane of queues: a list that grows, with a worker that is busy all the time.",
			Eases: []Remedy{{"pool-grow", actions.OnWorker, "more processes", ""}},
			Harms: []Harm{waited,
				{"terminate", "It throws away what is nearly done and makes nothing faster.", ""},
				{"restart", "What it runs is lost, and it is no faster afterwards.", ""}},
			Advice: "More processes for the worker (--concurrency), or a second worker; and ask what sends so much.",
			About:  2 * time.Minute, Stops: []string{"retry"}, // it would wait behind all the others
		},
		{
			Fault: "workers-busy", Cause: "Every process of the worker sits on a very long task", Scenario: diagnosis.HighLatency, Group: "worker",
			Call:  "\"My upload has not begun.\" There are hardly any others today.",
			Panes: []string{"workers", "tasks"},
			Clue:  "The pane of workers: all of its processes run the same import, for many minutes.",
			Remedies: []Remedy{
				{"pool-grow", actions.OnWorker, "one more process for what waits; the long tasks go on", ""},
				{"terminate", actions.OnTask, "one of the long tasks frees one process", ""},
			},
			Harms: []Harm{waited},
			About: 3 * time.Minute,
		},
		{
			Fault: "poison-message", Cause: "A message kills each worker that takes it", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:     "The administrator says that the worker restarts every few seconds, by itself. Nothing comes through.",
			Panes:    []string{"queue", "workers"},
			Clue:     "The pane of queues: the next message lacks its id; the worker dies of it and puts it back.",
			Remedies: []Remedy{{"remove-poison", actions.OnQueue, "that one message, into a quarantine", ""}, {"remove-poison", actions.OnTask, "that one message, into a quarantine", ""}},
			Harms:    []Harm{{"purge", "One message is bad; all the others are tasks that people wait for.", ""}},
			About:    2 * time.Minute,
		},
		{
			Fault: "orphaned-unacked", Cause: "A killed worker left messages behind", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:     "The worker was replaced twenty minutes ago. Five finalizations of that moment never came back, later ones did.",
			Panes:    []string{"queue", "workers", "stuck"},
			Clue:     "The pane of queues: messages are unacknowledged, and no worker says that it holds them.",
			Remedies: []Remedy{{"restore-orphans", actions.OnQueue, "back into their queue", ""}, {"restore-orphans", actions.OnTask, "back into their queue", ""}},
			Harms:    []Harm{waited, dead()},
			Advice:   "Left alone they would come back after the visibility timeout of an hour.",
			About:    3 * time.Minute,
		},
	}
}
