package tasks_test

import (
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// A worker that is killed with the task in its hands takes it along: its result
// says STARTED for ever.
func TestATaskThatDiesWithItsWorkerIsLost(t *testing.T) {
	s := newStage(t, lab.Options{Faults: []string{"slow-finalize"}}, grading.LocksOn)
	id := s.copy(lab.CopyRow{Anon: "Z-LOST", Status: "LOCKED", Pages: 4, LockedBy: s.teacher})
	s.lock(id, 5*time.Minute)
	p := s.plan(id)
	c := actions.Confirmation{Word: p.Word, Reason: "exam office asked"}
	got := s.runner.Run(labtest.Context(t), p, c, func(g actions.Progress) {
		if strings.Contains(g.Says, "running on") {
			s.Worker.Kill()
		}
	})
	if got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "the task is lost") || !strings.Contains(got.Verdict.Next, "then retry") {
		t.Errorf("%+v", got.Verdict)
	}
	if s.status(id) != "LOCKED" {
		t.Error(s.status(id))
	}
}
