package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gradecockpit/actions"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// fill are signs that each pane shows real data, at sizes where all are seen.
var fill = []string{"1 Locks", "expired", "2 Stuck copies", "STAGING", "3 Queue", "waiting", "4 Latency", "p95", "5 Audit timeline", "CREATE_ANN"}

// TestForceUnlockFromKeyToOutcome is the main job: see an expired lock, put it
// right, and find the row, the event and the journal in agreement.
func TestForceUnlockFromKeyToOutcome(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		for _, size := range [][2]int{{80, 24}, {120, 36}} {
			t.Run(fmt.Sprintf("%s %dx%d", dialect, size[0], size[1]), func(t *testing.T) {
				w := world(t, lab.Options{Dialect: dialect, Seed: 1, Faults: lab.DefaultFaults(lab.Options{Dialect: dialect})})
				env, state := settings(t, w)
				s := open(t, size[0], size[1], env, binary)
				showsAllPanes(s, size[0])
				unlock(t, s, w, filepath.Join(state, "gradecockpit", "journal.jsonl"))
				s.press("q")
				s.wait("[exit 0]")
				s.restored()
				leavesNoConnection(t, w)
			})
		}
	}
}

// showsAllPanes visits every pane: at 80 columns they are tabs.
func showsAllPanes(s *screen, cols int) {
	s.t.Helper()
	if cols >= 120 {
		s.wait(fill...)
		return
	}
	for i := 0; i < len(fill); i += 2 {
		s.press(fmt.Sprint(i/2 + 1))
		s.wait(fill[i+1])
	}
	s.press("1")
}

// unlock drives the first lock of the pane, which is the one that expired
// first, from key to verified outcome.
func unlock(t *testing.T, s *screen, w *lab.World, journal string) {
	t.Helper()
	s.wait("✗ expired")
	locks := "select count(*) from grading_copylock"
	before := ask[int](t, w, locks+" where expires_at < now()")
	s.press("g", "U")
	shown := s.wait("Force-unlock", "Will do", "y confirm")
	label := field(shown, "Force-unlock ")
	copyID := ask[string](t, w, "select id::text from exams_copy where anonymous_id = $1", label)
	if got := ask[int](t, w, locks+" where copy_id = $1", copyID); got != 1 {
		t.Fatalf("the plan is about %s, which has %d locks", label, got)
	}
	s.press("Enter") // never confirms
	s.press("U")     // nor does the key that opened it
	s.wait("y confirm")
	if got := ask[int](t, w, locks+" where expires_at < now()"); got < before {
		t.Fatalf("something was deleted before the confirmation: %d expired locks, there were %d", got, before)
	}
	s.press("y")
	s.wait("fixed", "What this rests on")
	s.press("Escape")
	s.gone("What this rests on")

	if got := ask[int](t, w, locks+" where copy_id = $1", copyID); got != 0 {
		t.Errorf("%d lock rows are left on %s", got, label)
	}
	if got := ask[string](t, w, "select status from exams_copy where id = $1", copyID); got != "READY" {
		t.Errorf("%s is %s, want READY", label, got)
	}
	var meta map[string]any
	raw := ask[string](t, w, `select metadata::text from grading_gradingevent
		where copy_id = $1 and action = 'UNLOCK' order by timestamp desc limit 1`, copyID)
	if err := json.Unmarshal([]byte(raw), &meta); err != nil {
		t.Fatal(err)
	}
	actor := ask[string](t, w, `select u.username from grading_gradingevent e join auth_user u on u.id = e.actor_id
		where e.copy_id = $1 and e.action = 'UNLOCK' order by e.timestamp desc limit 1`, copyID)
	records := journalOf(t, journal)
	if len(records) != 3 || records[0].Kind != actions.Intent || records[1].Kind != actions.Executed || records[2].Kind != actions.Outcome {
		t.Fatalf("the journal has %+v, want an intent, its execution and its outcome", records)
	}
	intent, outcome := records[0], records[2]
	if outcome.Verdict != actions.Fixed || outcome.Actor != lab.Operator || actor != lab.Operator {
		t.Errorf("journal: %s by %s; event by %s", outcome.Verdict, outcome.Actor, actor)
	}
	if meta["action_id"] != intent.ActionID || outcome.ActionID != intent.ActionID || intent.Target.ID != copyID {
		t.Errorf("row, event and journal name different things: event %v, intent %s on %s, outcome %s, copy %s",
			meta["action_id"], intent.ActionID, intent.Target.ID, outcome.ActionID, copyID)
	}
}

// field is the word after a heading on the screen.
func field(shown, heading string) string {
	_, after, _ := strings.Cut(shown, heading)
	word, _, _ := strings.Cut(after, " ")
	return word
}

// ask reads one value from the world's database.
func ask[T any](t *testing.T, w *lab.World, sql string, args ...any) (v T) {
	t.Helper()
	if err := w.DB.Conn.QueryRow(labtest.Context(t), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func journalOf(t *testing.T, path string) (records []actions.Record) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r actions.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		records = append(records, r)
	}
	return records
}

// leavesNoConnection waits until the servers have seen the cockpit go.
func leavesNoConnection(t *testing.T, w *lab.World) {
	t.Helper()
	sessions := 0
	eventually(t, func() bool {
		sessions = ask[int](t, w, "select count(*) from pg_stat_activity where application_name like 'gradecockpit/%'")
		return sessions == 0
	}, func() string { return fmt.Sprintf("%d sessions of the cockpit are left in PostgreSQL", sessions) })
}
