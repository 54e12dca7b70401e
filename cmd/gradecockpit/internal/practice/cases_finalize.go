package practice

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

// dead is the harm of giving a copy back whose finalization failed.
func dead() Harm {
	return Harm{"release-locked", "READY closes the way: only LOCKED copies can be finalized again by a task.", ""}
}

func finalizeCases() []Case {
	retry := []Remedy{{"retry", actions.OnCopy, "as the user who locked the copy, with a look at the score first", ""}}
	return []Case{
		{
			Fault: "finalize-pymupdf-error", Cause: "The PDF library failed", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:     "\"I press Finalize and it says that the PDF could not be generated.\" Two copies; all others go through.",
			Panes:    []string{"stuck", "logs"},
			Clue:     "The logs of the two copies: the PDF library could not open the document.",
			Remedies: retry, Harms: []Harm{dead()},
			Advice: "A retry mends the one whose file is sound. The other fails again the same way: its scan has to be uploaded anew.",
			About:  3 * time.Minute,
		},
		{
			Fault: "missing-annotations", Cause: "Annotations vanished during the finalization", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:   "\"I cannot finish this one copy, and my remarks on it are gone.\"",
			Panes:  []string{"stuck", "logs", "timeline"},
			Clue:   "The copy's page: its history has annotations made, and the copy has none; the log says that one does not exist.",
			Harms:  []Harm{{"retry", "It grades the copy without its annotations: a score of 0 is published.", ""}, dead()},
			Advice: "Retry nothing. The annotations have to come back first: from the drafts, a backup, or the teacher.",
			About:  4 * time.Minute,
		},
		{
			Fault: "lock-token-mismatch", Cause: "A finalization came with another token than the lock's", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:  "\"It says that I have no right to finalize, and it is my own copy. I have it open in two windows, if that matters.\"",
			Panes: []string{"logs", "locks"},
			Clue:  "The logs: \"Invalid lock token\" and 403, while the lock itself is alive.",
			Harms: []Harm{
				{"force-unlock", "The teacher is at work there: what is not saved is refused from then on.", ""},
				{"retry", "It publishes the correction as it stands, while the teacher is still at it.", ""},
			},
			Advice: "Have the teacher reload the page and finalize from that one window; the lock is the teacher's own.",
			About:  2 * time.Minute,
		},
		{
			Fault: "finalize-disk-full", Cause: "The final PDF cannot be written: no space", Scenario: diagnosis.FinalizationFailing, Group: "space",
			Call:  "\"This long copy says that its PDF could not be generated. The short ones I finalized before and after went through.\"",
			Panes: []string{"logs", "stuck", "host"},
			Clue:  "The log of the copy: \"No space left on device\", while smaller PDFs are still written.",
			Also:  []string{"disk-full"},
			Harms: []Harm{{"retry", "Without space it fails again, at the very end of the rendering.", ""}, dead()},
			Advice: "Make room on the volume of the media files: look with df inside the containers, for the host's own disk says nothing of it. " +
				"Then finalize this copy once.",
			About: 2 * time.Minute,
		},
		{
			Fault: "finalize-no-pages", Cause: "The copy has no pages", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:   "One copy cannot be finalized, however often it is tried. The teacher corrected \"something\", but shows no page of it.",
			Panes:  []string{"stuck", "logs"},
			Clue:   "The copy's page shows no pages, and the log \"No pages found to flatten\".",
			Harms:  []Harm{{"retry", "It fails the same way every time.", ""}, dead()},
			Advice: "Import the scan again; a retry is useless, and the cockpit refuses it.",
			About:  2 * time.Minute,
		},
		{
			Fault: "finalize-memory-error", Cause: "A large PDF needs more memory than there is", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:   "The thickest copy of the exam cannot be finished. The site is slow for a moment each time the teacher tries.",
			Panes:  []string{"logs", "stuck"},
			Clue:   "The log of the copy: MemoryError, with far more pages than the others have.",
			Harms:  []Harm{{"retry", "It asks for the same memory again, and takes it from everybody else.", ""}, dead()},
			Advice: "Have the worker's memory raised or the scan made smaller before it is tried again.",
			About:  3 * time.Minute,
		},
		{
			Fault: "finalize-idle-timeout", Cause: "PostgreSQL ended the idle transaction during the rendering", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:     "\"I waited for more than a minute, then there was an error page.\" One copy, half an hour ago.",
			Panes:    []string{"logs", "stuck", "latency"},
			Clue:     "The logs: over 60 s, then \"connection already closed\": the limit on idle transactions struck while the PDF was made.",
			Remedies: retry, Harms: []Harm{dead()},
			Advice: "Retry it at a calm time. For good: render outside the transaction, or raise idle_in_transaction_session_timeout.",
			About:  4 * time.Minute,
		},
		{
			Fault: "duplicate-finalize", Cause: "Two FINALIZE events by one user", Scenario: diagnosis.FinalizationFailing, Group: "finalize",
			Call:   "One copy that was corrected anew cannot be finalized any more. \"Earlier today it worked twice.\"",
			Panes:  []string{"logs", "timeline", "stuck"},
			Clue:   "The log: \"get() returned more than one GradingEvent\"; the copy's history has FINALIZE twice.",
			Harms:  []Harm{{"retry", "With two such events every finalization fails.", ""}, {"add-event", "Two are one too many already.", ""}, dead()},
			Advice: "A developer has to remove the duplicate event; nothing else lets it be finalized.",
			About:  3 * time.Minute,
		},
		{
			Fault: "schema-drift", Cause: "The tables are not as the application makes them", Scenario: diagnosis.FinalizationFailing, Alone: true,
			Call:   "\"Exams have lost their names, and one copy is ARCHIVED. I did not know that there is such a thing.\" Since the maintenance of last night.",
			Panes:  []string{":domain"},
			Clue:   "The figures of the domain: a copy with a status that no version knows; and the copies' pages know no exam any more.",
			Harms:  []Harm{{"retry", "Whether the code or the tables are right is not known, and a grade is not taken back.", ""}, dead()},
			Advice: "Have the developers hold the migrations (manage.py showmigrations, migrate --plan) against the tables. Finalize nothing and correct nothing by SQL before.",
			About:  4 * time.Minute,
		},
	}
}
