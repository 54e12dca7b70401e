package diagnosis_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/postgres"
)

// appWorld is a simulated system with the probes that the rules about imports,
// finalizations, locks and workers read.
type appWorld struct {
	*lab.World
	grading       *grading.Probe
	queues, tasks probes.Probe
	close         func() error // what they read
	logDir        string
}

func startAppWorld(t *testing.T, o lab.Options) *appWorld {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), o)
	if err != nil {
		labtest.Missing(t, "a world cannot be started: "+err.Error())
	}
	env := w.Env()
	r := postgres.NewReader(postgres.Config{ConnString: env["DATABASE_URL"]})
	a := &appWorld{World: w, grading: grading.NewProbe(r, grading.Options{}), logDir: env["GRADING_LOG_DIR"], close: func() error { return nil }}
	t.Cleanup(func() {
		_ = r.Close(labtest.Context(t))
		if err := errors.Join(a.close(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	a.reopen(t)
	return a
}

// reopen forgets what the probes of the broker remember of ended tasks.
func (w *appWorld) reopen(t *testing.T) {
	t.Helper()
	env := w.Env()
	b, err := celery.Open(celery.Config{BrokerURL: env["CELERY_BROKER_URL"], ResultURL: env["CELERY_RESULT_BACKEND"]})
	if err = errors.Join(err, w.close()); err != nil {
		t.Fatal(err)
	}
	w.close, w.queues, w.tasks = b.Close, celery.NewProbe(b), celery.NewTasksProbe(b)
}

// look samples everything and judges it.
func (w *appWorld) look(t *testing.T) diagnosis.Report {
	t.Helper()
	return diagnosis.Judge(w.input(t))
}

func (w *appWorld) input(t *testing.T) diagnosis.Input {
	t.Helper()
	var snaps []probes.Snapshot
	for _, p := range []probes.Probe{w.queues, w.tasks, w.grading, logs.New(logs.Config{Dir: w.logDir})} {
		payload, err := p.Sample(labtest.Context(t))
		snap := probes.Snapshot{ID: p.ID(), Source: p.Source(), Seq: 1, At: time.Now(), Payload: payload, Err: err}
		if err == nil {
			snap.Good = snap.At
		}
		snaps = append(snaps, snap)
	}
	return diagnosis.Input{Set: probes.NewSet(snaps...), Now: time.Now()}
}

// forget ends the hour for which the logs count: what they say stays, although
// a healed fault takes its copies away.
func (w *appWorld) forget(t *testing.T) {
	for _, name := range []string{"django.log", "celery.log"} {
		if err := os.Truncate(filepath.Join(w.logDir, name), 0); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func appFaults(o lab.Options) (names []string) {
	others := []string{"disk-full", "blocked-session", "lock-race"} // with the rules about the host, sessions and audit
	if o.Dialect == lab.Playbook {
		others = append(others, "worker-deaf", "worker-frozen") // they take seconds, and the tables have no part in them
	}
	for _, f := range lab.Faults() {
		mine := f.Scenario == lab.ScenarioImport || f.Scenario == lab.ScenarioFinalize || f.Scenario == lab.ScenarioLocks || f.Scenario == lab.ScenarioQueue
		// Without locks only what locks have a part in is another story.
		mine = mine && (!o.LocksRemoved || f.Scenario == lab.ScenarioFinalize || f.Scenario == lab.ScenarioLocks)
		if mine && !slices.Contains(others, f.Name) && lab.CheckFault(f.Name, o) == nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestAppFaults injects each fault alone: its rule ranks first, with evidence, and
// nothing is left when the fault is healed.
func TestAppFaults(t *testing.T) {
	labtest.Need(t, "redis-server")
	for name, o := range map[string]lab.Options{
		"deployed": {}, "playbook": {Dialect: lab.Playbook}, "locks removed": {LocksRemoved: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Quiet, o.Seed = true, 11
			w := startAppWorld(t, o)
			for _, fault := range appFaults(o) {
				t.Run(fault, func(t *testing.T) { w.alone(t, fault) })
			}
		})
	}
}

func (w *appWorld) alone(t *testing.T, fault string) {
	ctx := labtest.Context(t)
	if !w.healthy(t) {
		t.Fatalf("before the fault there is %+v", w.look(t).Findings)
	}
	if err := w.Inject(ctx, fault); err != nil {
		t.Fatal(err)
	}
	var r diagnosis.Report
	labtest.Eventually(t, func() bool {
		r = w.look(t)
		return len(r.Findings) > 0 && r.Findings[0].Rule == fault
	})
	for _, f := range r.Findings {
		t.Logf("%s %s %s: %s (%d copies %d users)", f.Severity, f.Confidence, f.Rule, f.Says, f.CopyCount, f.UserCount)
		for _, e := range f.Evidence {
			t.Logf("    %s: %s", e.From, e.Says)
		}
		for _, g := range f.Follows {
			t.Logf("    follows %s: %s", g.Rule, g.Says)
		}
	}
	if f := r.Findings[0]; f.Says == "" || f.Mind == "" || len(f.Evidence) == 0 || len(f.Offers)+len(f.Advice) == 0 {
		t.Errorf("the finding is not complete: %+v", f)
	}
	if len(r.Findings) > 1 {
		t.Errorf("one cause, and %d findings", len(r.Findings))
	}
	if err := w.Heal(ctx, fault); err != nil {
		t.Fatal(err)
	}
	w.forget(t)
	w.reopen(t)
	labtest.Eventually(t, func() bool { return w.healthy(t) })
}

// healthy: nothing is found, and no task is left that the next fault would lose.
func (w *appWorld) healthy(t *testing.T) bool {
	return len(w.look(t).Findings) == 0 && w.Worker.Busy() == 0
}

// TestBusySessionShowsNothing: teachers hold locks, annotate and grade; scans
// come in; a few tasks go through the worker.
func TestBusySessionShowsNothing(t *testing.T) {
	w := startAppWorld(t, lab.Options{Seed: 3, Speed: 60})
	for began := 0; ; {
		in := w.input(t)
		if found := diagnosis.Judge(in).Findings; len(found) > 0 {
			t.Fatalf("found %+v", found)
		}
		o, _, _ := probes.Of[grading.Overview](in.Set, grading.ID)
		events := o.Events.Value.LastHour
		if began == 0 {
			began = events
		}
		if events >= began+40 {
			return
		}
	}
}
