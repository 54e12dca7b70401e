package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gradecockpit/cmd/gradecockpit/internal/practice"
	"gradecockpit/probes/lab"
)

// seedOf gives a seed in whose drill exactly these faults are hidden.
func seedOf(t *testing.T, scenario string, faults ...string) string {
	t.Helper()
	var possible []string
	for _, f := range lab.Faults() {
		possible = append(possible, f.Name)
	}
	for seed := range uint64(1000) {
		d, err := practice.New(practice.Options{Seed: seed, Scenario: scenario, Possible: possible})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(d.Faults, faults) {
			return fmt.Sprint(seed)
		}
	}
	t.Fatalf("no seed hides %v", faults)
	return ""
}

// TestPractice goes through a drill from the telephone call to the debrief, and
// leaves nothing.
func TestPractice(t *testing.T) {
	needPostgres(t)
	state := t.TempDir()
	seed := seedOf(t, "lock-conflicts", "expired-locks")
	s := open(t, 80, 24, map[string]string{"TMPDIR": state, "HOME": state}, binary, "practice", "lock-conflicts", "--seed", seed)
	briefing := s.wait("The telephone rings", "not started", "enter")
	if strings.Contains(briefing, "xpired") {
		t.Errorf("the briefing gives it away:\n%s", briefing)
	}
	s.press("Enter")
	s.wait("100 points", "7 expired", ": w") // something is found, and the key to it
	all := descendants(t, s)
	folders := foldersOf(all)

	s.press("w")
	s.wait("Walkthroughs", "Expired locks were not cleared")
	s.press("Enter")
	s.wait("which copy?")
	s.press("Enter")
	s.wait("step 1 of")
	s.press("e")
	s.wait("conclusion", "Clear expired locks")
	s.press("Enter")
	s.wait("Clear 7 expired locks", "y confirm")
	s.press("y")
	s.wait("fixed: Cleared 7 expired locks")
	s.press("Escape")
	s.until("to close the outcome", func(shown string) bool { return !strings.Contains(shown, "esc close") })
	s.write(":answer expired-locks")
	s.press("Enter")
	s.wait("Noted: Expired locks")
	s.write(":finish")
	s.press("Enter")
	s.wait("Debrief", "Solved, with 100 of 100 points", "Found after", "The right action after", "the system itself says so")
	s.press("q")
	s.wait("[exit 0]", "The same again: gradecockpit practice lock-conflicts --seed "+seed, "What was unsafe", "Nothing.", "100  left")
	s.restored()
	eventually(t, func() bool { return len(alive(all)) == 0 }, func() string { return fmt.Sprintf("still alive: %v", alive(all)) })
	for _, dir := range folders {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left behind", dir)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(state, "*")); len(left) > 0 || len(folders) == 0 {
		t.Errorf("left behind: %v; folders of the servers: %v", left, folders)
	}
}
