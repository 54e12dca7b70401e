package queues_test

import (
	"os"
	"strings"
	"testing"

	"gradecockpit/actions"
	stand "gradecockpit/actions/internal/bench"
	"gradecockpit/actions/queues"
	"gradecockpit/probes/lab/labtest"
)

// Without the revoke, what a worker holds comes back after a purge.
func TestAPurgeCanRevokeWhatAWorkerHolds(t *testing.T) {
	labtest.Python(t)
	b := stand.NewCelery(t)
	b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 8) // one runs, four are prefetched, three wait
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "STARTED" && b.Ask("w1@test").Reserved == 4 })

	p := b.Plan("purge", queue("celery"), "")
	if len(p.Choices) != 4 || !strings.Contains(strings.Join(p.Warnings, " "), "Not begun: async_finalize_copy") {
		t.Errorf("%+v %q", p.Choices, p.Warnings)
	}
	p = b.Plan("purge", queue("celery"), queues.AsSeenAndHeld)
	if !strings.Contains(p.Undo, "What was revoked does not") || len(p.Steps) != 3 {
		t.Errorf("%q %v", p.Undo, p.Steps)
	}
	got := b.Ends(b.Run(p), actions.Fixed, "Purged: 3 messages in quarantine")
	if !strings.Contains(strings.Join(got.Effect.Did, " "), "saved and revoked 4 messages") || len(got.Effect.Skip) != 0 {
		t.Errorf("%+v", got.Effect)
	}
	if saved, err := os.ReadFile(got.Effect.Values["held file"]); err != nil || strings.Count(string(saved), "\n") != 4 || !strings.Contains(string(saved), ids[1]) {
		t.Errorf("%v %s", err, saved)
	}
	b.Release()
	for i, id := range ids[:5] {
		b.Await(id, map[bool]string{true: "SUCCESS", false: "REVOKED"}[i == 0])
	}
	b.Do("restore", actions.Target{Kind: actions.OnQuarantine, ID: got.Effect.Values["quarantine"], Label: "celery"}, "", actions.Fixed, "3 messages are back")
	for _, id := range ids[5:] {
		b.Await(id, "SUCCESS")
	}
}
