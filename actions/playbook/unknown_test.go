package playbook

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

// snap is a probe that answered.
func snap(id probes.ID, payload any) probes.Snapshot {
	return probes.Snapshot{ID: id, Seq: 1, At: noon, Good: noon, Payload: payload}
}

// all is a look at every probe.
func all() []probes.Snapshot {
	return []probes.Snapshot{
		snap(grading.ID, grading.Overview{LocksInUse: grading.TriYes,
			Locks: grading.Part[grading.Locks]{Value: grading.Locks{Total: 3, Expired: 2}},
			Stuck: grading.Part[grading.Stucks]{Value: grading.Stucks{Total: 4, ByCause: map[grading.Cause]int{grading.CauseImport: 4},
				Rows: []grading.Stuck{{Copy: grading.CopyRef{ID: "1"}, Status: "LOCKED"}}}}}),
		snap(celery.ID, celery.Overview{Waiting: 7, WorkersAt: noon, Workers: []celery.Worker{{State: celery.Busy}, {State: celery.Deaf}},
			Queues: []celery.Queue{{Name: "import", Depth: 5, Consumed: celery.No}, {Name: "celery", Depth: 2, Consumed: celery.Yes}}}),
		snap(celery.TasksID, celery.Tasks{Counts: map[celery.TaskState]int{celery.TaskFailed: 1, celery.TaskSwallowed: 2}}),
		snap(metrics.ID, metrics.Overview{Total: metrics.Endpoint{ErrorShare: 0.25, P95: metrics.Quantile{Seconds: 6, Known: true}}}),
		snap(logs.ID, logs.Overview{ErrorsLastHour: 9}),
		snap(activity.ID, activity.Overview{Limits: activity.Limits{Max: 100, Used: 50}}),
		{ID: storage.ID, Source: probes.Postgres, Seq: 1, At: noon, Good: noon, Payload: storage.Overview{Replication: storage.Replication{Replica: true, Lag: 90 * time.Second}}},
		snap(host.ID, host.Overview{Memory: host.Memory{Known: true, Total: 4, Available: 1}, Volumes: []host.Volume{
			{Used: 1, Free: 9, Inodes: 100, InodesUsed: 95}, {Used: 3, Free: 1}}}),
	}
}

func TestFactsAreWhatTheProbesSaw(t *testing.T) {
	in := diagnosis.Input{Set: probes.NewSet(all()...), Now: noon}
	place := Place{Dialect: grading.Playbook, Copy: grading.CopyRef{ID: "1", Anon: "A3F2-0001"}, Failed: 1}
	want := map[string]any{
		"locks": 3, "locks_expired": 2, "locks_in_use": true, "stuck": 4, "stuck_imports": 4, "stuck_no_pdf": 0,
		"copy_status": "LOCKED", "copy": "A3F2-0001", "dialect": "playbook", "failed_attempts": 1, "waiting": 7, "untaken": 5,
		"workers": 2, "workers_busy": 1, "workers_ill": 1, "tasks_failed": 3, "tasks_lost": 0, "p95": 6.0, "errors_percent": 25.0,
		"log_errors": 9, "connections_percent": 50.0, "connections_free": 50, "replication_lag_seconds": 90.0,
		"memory_percent": 75.0, "disk_percent": 75.0, "connection_errors": 0,
	}
	for _, f := range Facts() {
		got := f.of(in, place)
		if got != nil && reflect.TypeOf(got) != reflect.TypeOf(f.sample) {
			t.Errorf("%s is a %T; expressions are checked with a %T", f.Name, got, f.sample)
		}
		if w, ok := want[f.Name]; ok && got != w {
			t.Errorf("%s: want %v, got %v", f.Name, w, got)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("there is no fact %s", name)
	}
}

// TestWhatIsNotKnownIsNotZero: a probe that fails, that never answered or that
// cannot see leaves its facts unknown.
func TestWhatIsNotKnownIsNotZero(t *testing.T) {
	failed := all()
	for i := range failed {
		failed[i].Err = errors.New("connection refused")
	}
	unseen := []probes.Snapshot{
		snap(grading.ID, grading.Overview{Locks: grading.Part[grading.Locks]{Missing: "no table"}, Stuck: grading.Part[grading.Stucks]{Missing: "no GRANT"}}),
		snap(celery.ID, celery.Overview{WorkersErr: "no answer", Queues: []celery.Queue{{Depth: 3}}}),
		snap(celery.TasksID, celery.Tasks{Partial: true}),
		snap(metrics.ID, metrics.Overview{Total: metrics.Endpoint{ErrorShare: math.NaN()}}),
		snap(storage.ID, storage.Overview{Replication: storage.Replication{Standbys: []storage.Standby{{Lag: -1}}}}),
		snap(host.ID, host.Overview{}),
	}
	for name, set := range map[string]probes.Set{"never asked": probes.NewSet(), "failed": probes.NewSet(failed...)} {
		for _, f := range Facts() {
			if got := f.of(diagnosis.Input{Set: set, Now: noon}, Place{}); f.From != "" && got != nil {
				t.Errorf("%s, %s: %v", name, f.Name, got)
			}
		}
	}
	set := probes.NewSet(unseen...)
	for _, f := range Facts() {
		switch f.Name {
		case "locks", "locks_expired", "locks_in_use", "stuck", "stuck_no_lock", "untaken", "workers", "workers_ill", "p95", "errors_percent",
			"replication_lag_seconds", "memory_percent", "disk_percent", "copy_status", "tasks_failed", "tasks_lost", "connection_errors":
			if got := f.of(diagnosis.Input{Set: set, Now: noon}, Place{}); got != nil {
				t.Errorf("not seen, %s: %v", f.Name, got)
			}
		}
	}
}

// TestWorkersThatNobodyHasAskedYetAreNotNone: depths are read before the workers
// are asked.
func TestWorkersThatNobodyHasAskedYetAreNotNone(t *testing.T) {
	set := probes.NewSet(snap(celery.ID, celery.Overview{Waiting: 3}))
	if ok, why := newView(diagnosis.Input{Set: set, Now: noon}, Place{}, diagnosis.Report{}).holds(nil, "workers == 0", factsOnly); ok || why == "" {
		t.Errorf("%v %q", ok, why)
	}
}

// TestADatabaseThatIsNotConfiguredFailsNot: nobody has to be told of it.
func TestADatabaseThatIsNotConfiguredFailsNot(t *testing.T) {
	absent := probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, Err: probes.NotConfigured(probes.Postgres, "DATABASE_URL")}
	down := probes.Snapshot{ID: activity.ID, Source: probes.Postgres, Seq: 1, Err: errors.New("connection refused")}
	for want, set := range map[any]probes.Set{nil: probes.NewSet(absent), 1: probes.NewSet(down)} {
		if got := failing(set, probes.Postgres); got != want {
			t.Errorf("want %v, got %v", want, got)
		}
	}
}

// TestAVerdictBehindWhatIsNotKnownIsNotOK: a later one that finds nothing wrong
// says nothing of what could not be told.
func TestAVerdictBehindWhatIsNotKnownIsNotOK(t *testing.T) {
	p := parse(t, within(`    look: {pane: locks}
    verdicts:
      - {when: waiting > 100, is: cause, says: Too many.}
      - {when: "rows == 0", is: ok, says: All is well.}
`))
	v := newView(diagnosis.Input{Now: noon}, Place{}, diagnosis.Report{}).over(Table{})
	if is, says, _ := judge(p.Steps[0], Place{}, v); is != Unknown {
		t.Errorf("%s: %s", is, says)
	}
	queues := diagnosis.Input{Now: noon, Set: probes.NewSet(snap(celery.ID, celery.Overview{Waiting: 3}))}
	if is, says, _ := judge(p.Steps[0], Place{}, newView(queues, Place{}, diagnosis.Report{}).over(Table{})); is != OK || says != "All is well." {
		t.Errorf("%s: %s", is, says)
	}
}
