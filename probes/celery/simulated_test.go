package celery_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// The demo's worker shows the states that a real one does.
func TestSimulatedWorkerInEveryState(t *testing.T) {
	t.Parallel()
	w, err := lab.Start(labtest.Context(t), lab.Options{Dialect: lab.Playbook, Quiet: true, Speed: 0.02})
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	b, c := open(t, celery.Config{BrokerURL: w.Redis.URL()}), client(t, w.Redis)
	p, tasks, name := celery.NewProbe(b), celery.NewTasksProbe(b), w.Worker.Name()
	eventually(t, func() bool { return w.Worker.Busy() == 0 && c.LLen(t.Context(), "celery").Val() == 0 })
	for _, q := range []string{"import", "finalize"} {
		c.Del(t.Context(), q)
	}
	if healthy := within(t, p, name, 2, celery.Healthy); healthy.Version != "celery 5.4.0" || healthy.Prefetch != 8 || len(healthy.Processes) != 2 {
		t.Errorf("%+v", healthy)
	}
	c.LPush(t.Context(), "finalize", "x")
	within(t, p, name, 2, celery.WrongQueue)
	c.Del(t.Context(), "finalize")

	sent := slowImports(t, w, b, 2)
	within(t, p, name, 2, celery.Busy)
	sent = append(sent, slowImports(t, w, b, 9)...)
	within(t, p, name, 2, celery.PrefetchFull)
	w.Worker.Pause()
	within(t, p, name, 2, celery.Frozen)
	w.Worker.Resume()
	within(t, p, name, 2, celery.PrefetchFull)
	for id, want := range map[string]celery.TaskState{sent[0]: celery.TaskRunning, sent[5]: celery.TaskReserved, sent[10]: celery.TaskWaiting} {
		becomes(t, tasks, id, want)
	}

	ctx, giveUp := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- w.Worker.Stop(ctx) }()
	within(t, p, name, 2, celery.Stopping)
	giveUp()
	<-stopped
	if err := w.Worker.Start(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	within(t, p, name, 2, celery.PrefetchFull)
	w.Worker.Kill()
	within(t, p, name, 2, celery.Gone)
	if all, held := tasksOf(t, tasks), c.HLen(t.Context(), "unacked").Val(); held == 0 || all.Counts[celery.TaskOrphaned] != int(held) {
		t.Errorf("%v, %d unacknowledged", all.Counts, held)
	}
}

// slowImports sends tasks that run for about a minute each.
func slowImports(t *testing.T, w *lab.World, b *celery.Broker, n int) (ids []string) {
	t.Helper()
	for range n {
		id, err := w.DB.AddCopy(labtest.Context(t), lab.CopyRow{Status: "STAGING"})
		if err != nil {
			t.Fatal(err)
		}
		send := celery.Task{ID: uuid.NewString(), Name: "grading.tasks.async_import_pdf", Args: []any{id, 1}, Queue: "celery", Origin: "test"}
		publish(t, b, send)
		ids = append(ids, send.ID)
	}
	return ids
}
