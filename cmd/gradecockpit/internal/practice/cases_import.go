package practice

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

func importCases() []Case {
	noWorker := []string{"retry"}
	doubled := Harm{"retry", "The deployed task makes a second copy out of the file instead of mending the first.", ""}
	return []Case{
		{
			Fault: "worker-down", Cause: "The Celery worker is down", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:   "The secretary has uploaded scans a quarter of an hour ago. The page still says 0 %, for every one of them.",
			Panes:  []string{"workers", "queue", "stuck"},
			Clue:   "The panes of workers and queues: messages wait, and nobody listens.",
			Harms:  []Harm{doubled, {"purge", "The waiting imports are what has to run as soon as a worker is back.", ""}},
			Advice: "Start the worker through its supervisor (docker compose … restart celery); what waits runs by itself then.",
			About:  time.Minute, Stops: noWorker,
		},
		{
			Fault: "worker-frozen", Cause: "The Celery worker is frozen", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:   "Uploads stay at 0 %. The administrator says that the worker's process is running, so it cannot be that.",
			Panes:  []string{"workers", "queue", "stuck"},
			Clue:   "The pane of workers: it listens for control messages and answers none of them.",
			Harms:  []Harm{doubled, {"purge", "The waiting imports are what has to run as soon as a worker answers.", ""}},
			Advice: "Restart it through its supervisor: it answers no command, so only that helps. Look for orphaned messages afterwards.",
			About:  2 * time.Minute, Stops: noWorker,
		},
		{
			Fault: "worker-deaf", Cause: "The Celery worker takes nothing since Redis restarted", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:   "Uploads stay at 0 % since the short maintenance at noon. The administrator sees the worker's process, and \"Connected to redis\" in its log.",
			Panes:  []string{"workers", "queue", "stuck"},
			Clue:   "The pane of workers: it sends heartbeats and does not listen, while messages wait in the queue that is its own.",
			Harms:  []Harm{doubled, {"purge", "The waiting imports are what has to run as soon as a worker takes them.", ""}},
			Advice: "Restart it through its supervisor (docker compose … restart celery); what waits runs by itself then. Started with --without-mingle it stays clear of this.",
			About:  3 * time.Minute, Stops: noWorker,
		},
		{
			Fault: "queue-nobody-takes", Cause: "Tasks wait in queues that no worker takes", Scenario: diagnosis.ImportStuck, Group: "routes",
			Call:  "Some uploads never arrive, and a few teachers wait for their corrected PDFs since half an hour. Other things work.",
			Panes: []string{"queue", "workers", "stuck"},
			Clue:  "The pane of queues: two lists grow and have no taker, while the worker takes another.",
			Eases: []Remedy{{"retry", actions.OnCopy, "it sends the finalization to a queue that is taken", ""}, {"consume", actions.OnWorker, "the list of imports", "import"}},
			Harms: []Harm{
				{"purge", "These are the imports and finalizations that people wait for.", ""},
				{"consume", "All stale finalizations run at once then, and grade whatever is in a fitting state.", "finalize"},
			},
			Advice: "Correct the routes, or the worker's -Q, with the developers. Do not just start a worker for the list of finalizations: " +
				"all stale ones would run at once and grade whatever is in a fitting state.",
			About: 2 * time.Minute,
		},
		{
			Fault: "corrupted-pdf-import", Cause: "The uploaded PDFs are broken", Scenario: diagnosis.ImportStuck, Group: "uploads",
			Call:   "Three uploads of one teacher show no pages. Those of her colleagues are fine.",
			Panes:  []string{"stuck", "logs"},
			Clue:   "The logs of these copies: the PDF cannot be opened.",
			Harms:  []Harm{{"retry", "The file stays broken: it fails the same way, and where it does not there are two copies of one pupil.", ""}},
			Advice: "Have the scans made and uploaded again; retrying cannot help, because the files are cut off.",
			About:  2 * time.Minute,
		},
		{
			Fault: "ocr-timeout", Cause: "An import ran into its time limit", Scenario: diagnosis.ImportStuck, Group: "uploads",
			Call:   "One very thick upload never got its pages. Thinner ones go through.",
			Panes:  []string{"tasks", "stuck", "logs"},
			Clue:   "The results of tasks and the logs: TimeLimitExceeded.",
			Advice: "Split the scan into parts and upload them again, or have the time limit raised.",
			About:  2 * time.Minute,
		},
		{
			Fault: "disk-full", Cause: "No space is left for media", Scenario: diagnosis.ImportStuck, Group: "space",
			Call:   "An upload fails, and a teacher cannot finish a copy either. It began at about the same time.",
			Panes:  []string{"logs", "stuck", "host"},
			Clue:   "The logs: \"No space left on device\", in imports and in finalizations alike.",
			Harms:  []Harm{{"retry", "Without space it fails the same way.", ""}},
			Advice: "Make room on the volume of the media files first. What failed can be tried again then.",
			About:  2 * time.Minute, Stops: []string{"retry"},
		},
		{
			Fault: "folder-not-writable", Cause: "The media folder may not be written", Scenario: diagnosis.ImportStuck, Group: "uploads",
			Call:   "\"An error page, as soon as I upload the scans of a new exam.\" The server was moved yesterday; what was there before can be opened.",
			Panes:  []string{"host"},
			Clue:   "The pane of the host: the media folder is not writable for its owner, who is nobody.",
			Harms:  []Harm{{"retry", "It cannot write what it makes, and fails again.", ""}},
			Advice: "Give the folder back to the application's user and let that one write (chown, chmod u+w); never 777. Then have the scans uploaded again.",
			About:  2 * time.Minute,
		},
		{
			Fault: "worker-oom", Cause: "The worker was killed for its memory", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:   "An upload of this morning is stuck for good. Later ones are all there.",
			Panes:  []string{"tasks", "workers", "stuck"},
			Clue:   "The results of tasks: one says STARTED for ever, by a process that no longer exists.",
			Harms:  []Harm{{"retry", "The same file asks for the same memory again.", ""}},
			Advice: "Upload it again in smaller parts, and have the worker's memory limit looked at.",
			About:  3 * time.Minute,
		},
		{
			Fault: "lost-task", Cause: "An import was lost with the worker that ran it", Scenario: diagnosis.ImportStuck, Group: "worker",
			Call:   "One upload stands at 0 % since this morning, when the server was restarted. All later ones came through.",
			Panes:  []string{"tasks", "stuck", "workers"},
			Clue:   "The pane of tasks: one says STARTED and no worker runs it; no line of the logs tells why.",
			Eases:  []Remedy{{"retry", actions.OnCopy, "where the tables have the playbook's names: it imports this copy again", ""}},
			Advice: "Nobody tries it again by itself. See that the copy has no pages, then have its file uploaded again.",
			About:  3 * time.Minute,
		},
	}
}
