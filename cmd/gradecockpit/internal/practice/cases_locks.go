package practice

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/diagnosis"
)

// unfinished is the harm of a retry on a copy that nobody asked to finalize.
func unfinished() Harm {
	return Harm{"retry", "It publishes the grade of a correction that nobody has finished.", ""}
}

func lockCases() []Case {
	atWork := Harm{"force-unlock", "The teacher is at work there: autosave and annotations are refused from then on, and a second teacher can take the copy.", ""}
	return []Case{
		{
			Fault: "expired-locks", Cause: "Expired locks were not cleared", Scenario: diagnosis.LockConflicts, Group: "locks",
			Call:  "\"It says that my copy is locked, and I cannot finalize it.\" Several teachers, after the lunch break.",
			Panes: []string{"locks"},
			Clue:  "The pane of locks: rows whose time is over.",
			Remedies: []Remedy{
				{"clear-expired", actions.OnLocks, "all of them at once; the copies go back to READY, as the application does it", ""},
				{"force-unlock", actions.OnCopy, "one copy at a time", ""},
			},
			Harms: []Harm{unfinished()}, About: time.Minute,
		},
		{
			Fault: "abandoned-locks", Cause: "Browsers were closed without unlocking", Scenario: diagnosis.LockConflicts, Group: "abandoned",
			Call:     "\"My colleague has gone home, and three of his copies still say that he has them open.\"",
			Panes:    []string{"locks"},
			Clue:     "The pane of locks: not expired, and no heartbeat for more than 90 seconds, where a browser sends one every 30.",
			Remedies: []Remedy{{"force-unlock", actions.OnCopy, "only those without a heartbeat; or wait until they run out", ""}},
			Harms:    []Harm{unfinished()}, Also: []string{"expired-locks"},
			Advice: "Waiting is right as well: they run out within minutes.",
			About:  2 * time.Minute,
		},
		{
			Fault: "lock-cleanup-cron", Cause: "Nothing clears expired locks", Scenario: diagnosis.LockConflicts, Group: "locks",
			Call:     "\"Every second copy I open is locked by somebody who was here days ago.\" It gets worse from week to week.",
			Panes:    []string{"locks"},
			Clue:     "The pane of locks: a hundred and more expired rows, some of them days old.",
			Remedies: []Remedy{{"clear-expired", actions.OnLocks, "all of them at once", ""}},
			Also:     []string{"expired-locks"},
			Harms:    []Harm{unfinished()},
			Advice:   "No version of the application has a clean-up job: have one made that runs every few minutes.",
			About:    time.Minute,
		},
		{
			Fault: "lock-conflicts", Cause: "A teacher asks again and again for a copy that another has open", Scenario: diagnosis.LockConflicts, Group: "conflicts",
			Call:   "\"I try all the time, and the copy says that it is locked by another user. Please free it!\"",
			Panes:  []string{"locks", "logs"},
			Clue:   "The logs: 409 for the same copy every few seconds, while its lock is alive and its heartbeat fresh.",
			Harms:  []Harm{atWork, unfinished()},
			Advice: "Unlock nothing: its holder is at work. Tell the two who has it, and that it is free when the other is done.",
			About:  2 * time.Minute,
		},
		{
			Fault: "unlock-wrong-token", Cause: "A lock was given back with another token than its own", Scenario: diagnosis.LockConflicts, Group: "token",
			Call:   "\"I closed the copy and there was an error; it still stands under my name.\" One teacher, who has several windows open.",
			Panes:  []string{"logs", "locks"},
			Clue:   "The logs: \"Invalid lock token\" and 403 where the lock is released, and the lock's heartbeat goes on: from another window.",
			Harms:  []Harm{atWork, unfinished()},
			Advice: "Have the teacher close all windows of the copy but one and load that again: it gets the lock's token, and can give it back. Else the lock runs out by itself.",
			About:  2 * time.Minute,
		},
		{
			Fault: "lock-race", Cause: "Two users locked a copy at the same time", Scenario: diagnosis.LockConflicts, Group: "race",
			Call:   "\"We both had the same copy open, I swear!\" Two teachers, twenty minutes ago; each of them could write.",
			Panes:  []string{"timeline"},
			Clue:   "The copy's history: LOCK by two users within seconds, and no UNLOCK between them.",
			Advice: "Compare what each of them wrote with what is there now, and tell the developers: the lock's unique constraint should not allow it.",
			About:  4 * time.Minute,
		},
		{
			Fault: "locked-no-lock", Cause: "Copies are LOCKED without a lock", Scenario: diagnosis.LockConflicts, Group: "stranded",
			Call:     "Two copies are shown as locked, and no name stands beside. Nobody remembers having them open.",
			Panes:    []string{"stuck"},
			Clue:     "The pane of stuck copies: LOCKED, and no lock is held.",
			Remedies: []Remedy{{"release-locked", actions.OnCopy, "back to READY", ""}},
			Harms:    []Harm{unfinished()},
			About:    2 * time.Minute,
		},
		{
			Fault: "blocked-session", Cause: "A database session holds a copy and is idle in its transaction", Scenario: diagnosis.LockConflicts, Group: "sessions",
			Call:     "\"The page turns and turns\" as soon as somebody opens one certain copy. Its finalization never came back.",
			Panes:    []string{"sessions"},
			Clue:     "The pane of sessions: one idle in its transaction, and another waits for it.",
			Remedies: []Remedy{{"end-session", actions.OnSession, "the one that holds, not the one that waits; once it lasts longer than the minute that a PDF may take", ""}},
			Harms: []Harm{
				{"force-unlock", "A finalization is under way: it waits on the row, or comes between.", ""},
				{"retry", "A finalization is under way: a second one would follow it.", ""},
			},
			Also: []string{"open-transaction"}, About: 2 * time.Minute,
		},
	}
}
