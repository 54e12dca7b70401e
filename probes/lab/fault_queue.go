package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// queueFaults are what goes wrong between the producers and the worker; the
// playbook has them under several scenarios.
func queueFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioQueue, inject: inject}
	}
	return []Fault{
		fault("queue-backlog", "Tasks come in faster than the worker ends them.", queueBacklog),
		fault("workers-busy", "Every child of the worker sits on a very long import.", workersBusy),
		fault("poison-message", "A message without an id kills each worker that takes it.", poisonMessage),
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
	in.restartWorker()
	return nil
}

// restartWorker has the healing end what the worker runs.
func (in *injection) restartWorker() {
	in.undoing(func(ctx context.Context) error {
		if !in.w.Worker.Alive() {
			return nil
		}
		return in.w.Worker.Start(ctx)
	})
}

// poisonMessage lacks the id in its headers: the worker dies and the message
// comes back, for its successor.
func poisonMessage(ctx context.Context, in *injection) error {
	ran := in.w.Worker.Alive()
	in.undoing(func(ctx context.Context) error {
		if !ran {
			return nil
		}
		return in.w.Worker.Start(ctx)
	})
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
	in.undoing(func(context.Context) error { in.w.Worker.Kill(); return nil })
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
