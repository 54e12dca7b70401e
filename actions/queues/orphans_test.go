package queues_test

import (
	"strings"
	"syscall"
	"testing"

	"gradecockpit/actions"
	stand "gradecockpit/actions/internal/bench"
	"gradecockpit/probes/lab/labtest"
)

func onTask(id string) actions.Target {
	return actions.Target{Kind: actions.OnTask, ID: id, Label: id}
}

func TestOrphansRunExactlyOnceAfterTheirRestore(t *testing.T) {
	labtest.Python(t)
	b, ctx := stand.NewCelery(t), labtest.Context(t)
	w := b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 6) // one runs, four are prefetched, one waits
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "STARTED" && b.Ask("w1@test").Reserved == 4 })
	b.Refused("restore-orphans", queue("celery"), "", "workers hold what is unacknowledged")
	w.Kill()

	p := b.Plan("restore-orphans", queue("celery"), "")
	if p.Risk != actions.High || p.Word != "restore" || p.Seen["messages"] != "4" || !strings.Contains(strings.Join(p.Warnings, " "), "run twice") {
		t.Errorf("%v %q %v %q", p.Risk, p.Word, p.Seen, p.Warnings)
	}
	one := b.Plan("restore-orphans", onTask(ids[1]), "")
	b.Ends(b.Run(one), actions.Fixed, "1 wait")
	b.Ends(b.Run(p), actions.Changed, "not what was seen")
	b.Do("restore-orphans", queue("celery"), "", actions.Fixed, "3 wait")
	if n := b.Redis.LLen(ctx, "celery").Val(); n != 5 {
		t.Errorf("%d wait", n)
	}
	b.Refused("restore-orphans", onTask(ids[1]), "", "Nothing is unacknowledged")

	b.Release()
	b.Worker(labtest.CeleryOptions{})
	for _, id := range ids[1:] {
		b.Await(id, "SUCCESS")
	}
	for _, key := range b.Redis.Keys(ctx, "ran:*").Val() {
		if n := b.Redis.LLen(ctx, key).Val(); n != 1 {
			t.Errorf("%s: %d runs", key, n)
		}
	}
	if b.State(ids[0]) != "STARTED" {
		t.Error("the task that ran is lost, and its result must say so")
	}
}

// A worker that cannot say what it holds may still run it.
func TestNoOrphanIsRestoredWhileAWorkerIsSilent(t *testing.T) {
	labtest.Python(t)
	b := stand.NewCelery(t)
	dead := b.Worker(labtest.CeleryOptions{})
	ids := b.Publish("celery", 3)
	labtest.Eventually(t, func() bool { return b.State(ids[0]) == "STARTED" && b.Ask("w1@test").Reserved == 2 })
	dead.Kill()
	other := b.Worker(labtest.CeleryOptions{Name: "w2@test"})
	p := b.Plan("restore-orphans", queue("celery"), "")
	other.Signal(syscall.SIGSTOP)
	b.Ends(b.Run(p), actions.WasRefuse, "It is not known what every worker holds")
	b.Refused("restore-orphans", queue("celery"), "", "It is not known what every worker holds")
	other.Signal(syscall.SIGCONT)
	if n := b.Redis.HLen(labtest.Context(t), "unacked").Val(); n != 2 {
		t.Errorf("%d unacknowledged", n)
	}
}

// The message without an id kills a worker, which puts it back as it dies.
func TestPoisonIsTakenOutAndComesBackWhole(t *testing.T) {
	labtest.Python(t)
	b, ctx := stand.NewCelery(t), labtest.Context(t)
	poison := `{"body": "W10=", "content-type": "application/json", "headers": {"task": "grading.tasks.async_finalize_copy"}, ` +
		`"properties": {"body_encoding": "base64", "delivery_tag": "t1", "delivery_info": {"exchange": "", "routing_key": "celery"}}}`
	b.Refused("remove-poison", queue("celery"), "", "No message that would kill a worker")
	b.Redis.LPush(ctx, "celery", poison)
	sound := b.Publish("celery", 1)
	b.Release()
	victim := b.Worker(labtest.CeleryOptions{})
	victim.Wait() // it dies of it
	poison = b.Redis.LIndex(ctx, "celery", -1).Val()
	if !strings.Contains(poison, `"redelivered": true`) {
		t.Fatalf("it is not back: %q", poison)
	}

	p := b.Plan("remove-poison", queue("celery"), "")
	if len(p.Choices) != 1 || p.Choice != p.Choices[0].ID {
		t.Errorf("%+v %q", p.Choices, p.Choice)
	}
	b.Refused("remove-poison", queue("celery"), "nonsense", "There is no choice")
	late := b.Plan("remove-poison", queue("celery"), p.Choice)
	got := b.Ends(b.Run(p), actions.Fixed, "holds no message that kills workers")
	b.Ends(b.Run(late), actions.Changed, "not there any more")
	if kept := b.Redis.LRange(ctx, "cockpit:quarantine:"+got.Effect.Values["quarantine"]+":celery", 0, -1).Val(); len(kept) != 1 || kept[0] != poison {
		t.Errorf("%q", kept)
	}
	b.Worker(labtest.CeleryOptions{})
	b.Await(sound[0], "SUCCESS")
	action, target, _, ok := b.Runner.Undoable()
	if back := b.Plan(action, target, ""); !ok || back.Risk != actions.High || !strings.Contains(strings.Join(back.Warnings, " "), "KILL the worker") {
		t.Errorf("%v %v %q", ok, back.Risk, back.Warnings)
	}
	if b.Ask("w1@test").PID == 0 {
		t.Error("the worker died again")
	}
}
