package celery_test

import (
	"strings"
	"testing"

	"gradecockpit/probes/celery"
)

// TestALockTokenThatIsNoUUIDIsCut: the playbook's tokens are text, and may come
// as a positional argument that no name gives away.
func TestALockTokenThatIsNoUUIDIsCut(t *testing.T) {
	const token = "kJ8s0mZr3nQwPq7T_kJ8s0mZr3nQwPq7T-x9yz12"
	raw, err := celery.EncodeTask(celery.Task{ID: "0f2b7a30-0000-4000-8000-000000000001", Name: "grading.tasks.async_finalize_copy",
		Args: []any{copyA, 7, token}, Queue: "celery"})
	if err != nil {
		t.Fatal(err)
	}
	m := celery.DecodeTask(raw)
	if strings.Contains(m.Args, token) || !strings.Contains(m.Args, token[:8]) || !strings.Contains(m.Args, copyA) {
		t.Errorf("args: %s", m.Args)
	}
}
