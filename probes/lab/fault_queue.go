package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// queueFaults are what goes wrong between the producers and the worker; the
// playbook has them under several scenarios.
func queueFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioQueue, inject: inject}
	}
	deaf := fault("worker-deaf", "Redis restarted and the worker, alive and connected, takes nothing since.", workerDeaf)
	deaf.redis = true
	return []Fault{
		fault("queue-backlog", "Tasks come in faster than the worker ends them.", queueBacklog),
		fault("workers-busy", "Every child of the worker sits on a very long import.", workersBusy),
		fault("poison-message", "A message without an id kills each worker that takes it.", poisonMessage),
		fault("lost-task", "An import began and its worker is not the one that runs now: STARTED for ever, and no log line tells of it.", lostTask),
		deaf,
		fault("orphaned-unacked", "A killed worker left messages in unacked; nothing runs them before an hour is over.", orphanedUnacked),
	}
}

// queueBacklog has 41 imports and 12 stale finalizations wait, and one more
// import every four seconds, with a worker that takes 20 s for each.
func queueBacklog(ctx context.Context, in *injection) error {
	imports, err := in.backlogged(ctx)
	if err != nil {
		return err
	}
	graded, err := in.copies(ctx, 4, func(i int) spec {
		return spec{status: "GRADED", age: time.Duration(8+5*i) * time.Minute, pages: 4, holder: i, annotations: 4}
	})
	if err != nil {
		return err
	}
	killFirst := in.renewsWorker()
	in.setDuration(func(t *trouble) *time.Duration { return &t.importTime }, 20*time.Second)
	for i := range in.scaled(53) {
		m := in.finalizeMessage("celery", graded[i%4].id, graded[i%4].holder)
		if i%53%9 < 7 { // 41 of 53
			if m, err = in.importOf(imports[i%4], i%50); err != nil {
				return err
			}
		}
		if err := in.push(ctx, m); err != nil {
			return err
		}
	}
	if !in.w.opts.Quiet {
		in.growBacklog(imports)
	}
	killFirst()
	return nil
}

// backlogged is what the imports are for: in the playbook's dialect copies that
// wait for their pages, in the deployed one copies that do not exist yet.
func (in *injection) backlogged(ctx context.Context) ([]seeded, error) {
	if in.w.opts.Dialect == Playbook {
		return in.copies(ctx, 4, func(i int) spec { return emptyImport(time.Duration(90+60*i) * time.Second) })
	}
	var coming []seeded
	for i := range 4 {
		exam := in.w.cast.exams[i%len(in.w.cast.exams)]
		coming = append(coming, seeded{exam: exam.id, anon: fmt.Sprintf("%s-%04d", exam.prefix, 900+i)})
	}
	return coming, nil
}

func (in *injection) importOf(c seeded, scan int) (message, error) {
	file, err := in.scanned(scan)
	return in.importMessage("celery", c, file), err
}

func (in *injection) growBacklog(imports []seeded) {
	in.loop(4*time.Second, func(ctx context.Context) {
		if m, err := in.importOf(imports[in.rng.IntN(len(imports))], 0); err == nil {
			_ = in.push(ctx, m)
		}
	})
}

func workersBusy(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return emptyImport(11 * time.Minute) })
	if err != nil {
		return err
	}
	killFirst := in.renewsWorker()
	in.setDuration(func(t *trouble) *time.Duration { return &t.importTime }, 30*time.Minute)
	for i := range in.w.Worker.cfg.concurrency {
		m, err := in.importOf(made[0], i)
		if err != nil {
			return err
		}
		in.blamed = append(in.blamed, m)
		if err := in.push(ctx, m); err != nil {
			return err
		}
	}
	killFirst()
	return in.longAgo(ctx, 4*time.Minute)
}

// longAgo waits until the worker has begun what it was sent, and has it have
// begun that earlier; a worker that begins nothing is left alone.
func (in *injection) longAgo(ctx context.Context, ago time.Duration) error {
	w := in.w.Worker
	for tries := 0; w.Alive() && w.Busy() < w.cfg.concurrency && tries < 200; tries++ {
		if err := nap(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	w.each(func(p *workerProcess) { p.backdate(ago) })
	return nil
}

// renewsWorker has the healing start the worker anew, last of all. What it gives
// has it killed first, so that it takes and runs nothing while the rest is healed.
func (in *injection) renewsWorker() (killFirst func()) {
	ran := in.w.Worker.Alive()
	in.undoing(func(ctx context.Context) error {
		if !ran {
			return nil
		}
		return in.w.Worker.Start(ctx)
	})
	return func() {
		in.undoing(func(context.Context) error { in.w.Worker.Kill(); return nil })
	}
}

// poisonMessage lacks the id in its headers: the worker dies and the message
// comes back, for its successor.
func poisonMessage(ctx context.Context, in *injection) error {
	killFirst := in.renewsWorker()
	m := in.finalizeMessage("celery", in.uuid(), in.w.cast.operator)
	var envelope map[string]any
	if err := json.Unmarshal(m.bytes(), &envelope); err != nil {
		return err
	}
	envelope["headers"] = map[string]any{"task": m.task, "lang": "py", "origin": "by hand"}
	envelope["body"] = base64.StdEncoding.EncodeToString([]byte(`[[], {}, null]`))
	raw, err := json.Marshal(envelope)
	if err != nil {
		return err
	}
	in.blamed = append(in.blamed, m)
	if err := in.pushRaw(ctx, "celery", m.tag, raw); err != nil {
		return err
	}
	killFirst()
	return nil
}

// orphanedUnacked is what a worker held that was killed twenty minutes ago.
func orphanedUnacked(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, in.scaled(5), func(i int) spec { return in.w.interrupted(time.Duration(24+i%5) * time.Minute) })
	if err != nil {
		return err
	}
	for _, c := range made {
		if err := in.hold(ctx, in.finalizeMessage("celery", c.id, c.holder), 20*time.Minute); err != nil {
			return err
		}
	}
	return nil
}

// lostTask is what a node that went down left: the result, and a copy without
// pages.
func lostTask(ctx context.Context, in *injection) error {
	if _, err := in.copies(ctx, 1, func(int) spec { return emptyImport(15 * time.Minute) }); err != nil {
		return err
	}
	return in.result(ctx, "STARTED", object{{"pid", 4}, {"hostname", in.w.Worker.Name()}}, nil)
}

// workerDeaf loses what Redis held, as the deployed one does that saves nothing,
// and then some imports come.
func workerDeaf(ctx context.Context, in *injection) error {
	if in.w.Redis.Kind() != RealRedis {
		return errors.New("this fault needs redis-server: another one restarts without a trace")
	}
	in.renewsWorker()
	in.w.Worker.deafen()
	if err := in.w.Redis.Restart(ctx); err != nil {
		return err
	}
	return in.waitingImports(ctx, in.scaled(3), "celery")
}
