package tasks_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/actions/tasks"
	"gradecockpit/probes/lab/labtest"
)

func onTask(id string) actions.Target {
	return actions.Target{Kind: actions.OnTask, ID: id, Label: id[:8]}
}

// watching bounds how long a revoke is watched.
func watching(d time.Duration) func(*catalogue.Deps) {
	return func(c *catalogue.Deps) { c.Timings.Tasks = tasks.Timings{Poll: 20 * time.Millisecond, Watch: d} }
}

func TestRevokeKeepsARealWorkerFromATask(t *testing.T) {
	labtest.Python(t)
	b := bench.NewCelery(t, watching(300*time.Millisecond))
	b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 8) // one runs, four are prefetched, the others wait
	running, reserved, waiting := ids[0], ids[2], ids[7]
	labtest.Eventually(t, func() bool { return b.State(running) == "STARTED" && b.Ask("w1@test").Reserved == 4 })

	b.Refused("revoke", onTask(running), "", "runs already on w1@test")
	b.Refused("terminate", onTask(reserved), "", "No worker runs this task")
	b.Refused("revoke", onTask("0b0e2bd0-0000-4000-8000-000000000001"), "", "There is no message")
	b.Refused("revoke", onTask(waiting), "x", "There is no choice")
	late := b.Plan("revoke", onTask(ids[1]), "")

	for _, id := range []string{reserved, waiting} {
		p := b.Plan("revoke", onTask(id), "")
		if p.Risk != actions.High || p.Word != id[:8] {
			t.Errorf("%v %q", p.Risk, p.Word)
		}
		m, _, _, err := b.Broker.FindTask(labtest.Context(t), id)
		if err != nil {
			t.Fatal(err)
		}
		got := b.Ends(b.Run(p), actions.Fixed, "Every worker refuses the task")
		if saved, err := os.ReadFile(got.Effect.Values["file"]); err != nil || string(saved) != string(m.Raw) || len(saved) == 0 {
			t.Errorf("saved %q, %v", saved, err)
		}
	}
	b.Release()
	for _, id := range ids {
		want := "SUCCESS"
		if id == reserved || id == waiting {
			want = "REVOKED"
		}
		b.Await(id, want)
	}
	b.Refused("revoke", onTask(ids[1]), "", "its result says SUCCESS")
	b.Ends(b.Run(late), actions.Changed, "begun or ended meanwhile")
	if runs := b.Redis.Keys(labtest.Context(t), "ran:*").Val(); len(runs) != 6 {
		t.Errorf("%d tasks ran", len(runs))
	}
}

func TestTerminateEndsARunningTask(t *testing.T) {
	labtest.Python(t)
	b := bench.NewCelery(t, watching(20*time.Second))
	b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 2)
	b.Await(ids[0], "STARTED")
	p := b.Plan("terminate", onTask(ids[0]), "")
	if warns := strings.Join(p.Warnings, " "); p.Risk != actions.High || p.Choice != "SIGTERM" || !strings.Contains(warns, "THE TASK IS LOST") {
		t.Errorf("%v %q", p.Choice, p.Warnings)
	}
	b.Ends(b.Run(p), actions.Fixed, "Terminated: it runs no more")
	b.Await(ids[0], "REVOKED")
	b.Await(ids[1], "STARTED") // the pool goes on
	hard := b.Plan("terminate", onTask(ids[1]), "SIGKILL")
	b.Release()
	b.Await(ids[1], "SUCCESS")
	labtest.Eventually(t, func() bool { return len(b.Ask("w1@test").Running) == 0 })
	b.Ends(b.Run(hard), actions.Changed, "has ended meanwhile")
}

func TestNothingIsRevokedWhileAWorkerIsSilent(t *testing.T) {
	labtest.Python(t)
	b := bench.NewCelery(t, watching(300*time.Millisecond))
	w := b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 3)
	b.Await(ids[0], "STARTED")
	labtest.Eventually(t, func() bool { return b.Ask("w1@test").Reserved == 2 })
	p := b.Plan("revoke", onTask(ids[2]), "")
	w.Signal(syscall.SIGSTOP)
	b.Ends(b.Run(p), actions.WasRefuse, "A worker does not answer")
	b.Refused("revoke", onTask(ids[1]), "", "A worker does not answer")
	b.Refused("terminate", onTask(ids[0]), "", "A worker does not answer")
	w.Signal(syscall.SIGCONT)
	b.Release()
	for _, id := range ids {
		b.Await(id, "SUCCESS")
	}
	if files, _ := os.ReadDir(b.Dir); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}
