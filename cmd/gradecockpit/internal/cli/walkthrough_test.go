package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gradecockpit/probes/lab"
)

func TestLook(t *testing.T) {
	s := stationOf(t, lab.Options{Quiet: true, NoWorker: true, Dialect: lab.Deployed})
	own := filepath.Join(t.TempDir(), "own")
	os.Mkdir(own, 0o700)
	data, _ := os.ReadFile("../../../../actions/playbook/testdata/outside.yaml")
	os.WriteFile(filepath.Join(own, "outside.yaml"), data, 0o600)
	s.env["GRADECOCKPIT_PLAYBOOKS"] = own
	s.locked("Z-OUT'; DROP TABLE exams_copy; --$(id)", -time.Minute)
	for _, args := range [][]string{{"walkthrough", "--list"}, {"findings"}, {"walkthrough", "late-returns", "--copy", "Z-OUT'; DROP TABLE exams_copy; --$(id)"},
		{"walkthrough", "late-returns"}, {"walkthrough", "lock-conflicts"}, {"walkthrough", "import-stuck"}, {"walkthrough", "finalization-failing"},{"walkthrough", "high-latency"},{"walkthrough", "missing-audit-events"}} {
		at := time.Now()
		got := s.run(args...)
		t.Log("$", args, got.code, time.Since(at), got.err)
		t.Log(got.out)
	}
}
