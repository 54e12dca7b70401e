package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gradecockpit/actions"
	"gradecockpit/probes/lab"
)

// TestEvidenceFromKeyToPage reaches logs, traces, sessions, the database and the
// charts by keys alone, and what a row leads to is about that row.
func TestEvidenceFromKeyToPage(t *testing.T) {
	for _, tt := range []struct {
		dialect    lab.Dialect
		cols, rows int
	}{{lab.Deployed, 80, 24}, {lab.Playbook, 120, 36}} {
		t.Run(fmt.Sprintf("%s %dx%d", tt.dialect, tt.cols, tt.rows), func(t *testing.T) {
			w := world(t, lab.Options{Dialect: tt.dialect, Seed: 1, Faults: lab.DefaultFaults(lab.Options{Dialect: tt.dialect})})
			env, state := settings(t, w)
			s := open(t, tt.cols, tt.rows, env, binary)
			s.wait("1 Locks")
			readsLogs(s)
			tracesACopy(s)
			walksPages(s)
			disconnects(t, s, w, filepath.Join(state, "gradecockpit", "journal.jsonl"))
			measures(s)
			s.press("q")
			s.wait("[exit 0]")
			s.restored()
			leavesNoConnection(t, w)
		})
	}
}

// readsLogs searches the files for errors, opens one with its traceback, and
// follows it to the copy that it is about.
func readsLogs(s *screen) {
	s.t.Helper()
	s.press("8", "/")
	s.write("level:error")
	s.wait("✗ ERROR", "searched")
	s.press("Enter", "Enter")
	s.wait("Log record", "Traceback (most recent call last)", "FileDataError")
	s.press("o")
	shown := s.until("to show what can be followed, or where it leads", func(shown string) bool {
		return strings.Contains(shown, "Follow") || strings.Contains(shown, "KIND")
	})
	if strings.Contains(shown, "Follow") {
		back(s, "Follow")
	} else {
		back(s, "KIND")
	}
	back(s, "Log record")
	back(s, "searched")
}

// back leaves what shows a text. Two escapes at once would be another key.
func back(s *screen, text string) {
	s.t.Helper()
	s.press("Escape")
	s.gone(text)
}

// tracesACopy goes from a lock to everything that happened to its copy.
func tracesACopy(s *screen) {
	s.t.Helper()
	s.press("1", "g", "o")
	s.wait("Follow", "trace ")
	s.press("Down", "Enter")
	s.wait("Trace ", "KIND", "event", "LOCK")
	back(s, "KIND")
}

// walksPages opens by the command line what has no row on the dashboard.
func walksPages(s *screen) {
	s.t.Helper()
	for _, page := range []struct{ word, title, shows string }{
		{"patterns", "Named searches", "Errors of the last hour"},
		{"times", "Over time", "records"},
		{"events", "Audit events by action", "EXPORT"},
		{"domain", "Domain figures", "Copies by status"},
		{"processes", "Processes", "MEMORY"},
	} {
		s.press(":")
		s.write(page.word)
		s.press("Enter")
		s.wait(page.title, page.shows)
		back(s, page.title)
	}
	s.press(":")
	s.write("host")
	s.press("Enter")
	s.wait("VOLUME", "memory")
	s.press("4")
	s.wait("METHOD", "/api/copies/") // there are rows only after a second scrape
	s.press("g", "Enter")
	s.wait("P95 of each minute", "Endpoint ")
	back(s, "P95 of each minute")
}

// disconnects ends the transaction that blocks two others, and sees them go on.
func disconnects(t *testing.T, s *screen, w *lab.World, journal string) {
	t.Helper()
	waiting := "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
	eventually(t, func() bool { return ask[int](t, w, waiting) > 0 }, func() string { return "nobody waits for the open transaction" })
	s.press("9")
	s.wait("idle in tx", "blocked")
	s.press("g", "D")
	shown := s.wait("Disconnect ", "Reason >", "enter go on") // it has changed rows, so a key is not enough
	s.press("Enter")                                          // confirms nothing
	s.write("left open in psql")
	s.wait("left open in psql")
	s.press("Tab")
	s.write(field(shown, "Disconnect "))
	s.press("Enter")
	s.wait("fixed", "What this rests on")
	back(s, "What this rests on")
	eventually(t, func() bool { return ask[int](t, w, waiting) == 0 }, func() string { return "somebody still waits" })
	records := journalOf(t, journal)
	last := records[len(records)-1]
	if last.Kind != actions.Outcome || last.Verdict != actions.Fixed || last.Action != "end-session" {
		t.Errorf("the journal ends with %+v", last)
	}
}

// measures opens a statement with its plan, and has the plan measured.
func measures(s *screen) {
	s.t.Helper()
	s.press("0", "g", "/")
	s.write("exams_copy")
	s.press("Enter")
	s.wait("STATEMENT", "exams_copy")
	s.press("Enter")
	s.wait("Statement", "cost=")
	back(s, "cost=")
}
