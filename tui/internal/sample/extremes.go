package sample

import (
	"math"
	"strings"
	"time"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/metrics"
)

func emptyGrading() grading.Overview {
	return grading.Overview{ServerTime: Server, LocksInUse: grading.TriYes}
}

func emptyBroker() celery.Overview {
	return celery.Overview{WorkersAt: Now, Receivers: 1, Workers: []celery.Worker{{Name: "celery@app", State: celery.Healthy, Why: "answers, heartbeats and takes tasks", Pool: 2, Queues: []string{"celery"}, Uptime: time.Hour}},
		Queues: []celery.Queue{{Name: "celery", Consumed: celery.Yes, History: []int64{0, 0, 0}, SlopeKnown: true}}}
}

func emptyTraffic() metrics.Overview { return metrics.Overview{Window: time.Minute} }

func hostileTasks() celery.Tasks {
	r := celery.TaskRow{ID: Hostile, Task: Hostile, CopyID: Hostile, Args: Hostile, State: celery.TaskState(Hostile), Worker: Hostile, Queue: Hostile, Says: Hostile, Trace: []string{Hostile, Hostile}}
	failed := r
	failed.State, failed.Since = celery.TaskFailed, Now
	return celery.Tasks{Rows: []celery.TaskRow{r, failed, failed}, Sampled: Hostile}
}

// Hostile is text that tries everything; clean spells most of it out, and the
// panes must keep their shape even if it had not been called.
var Hostile = "e\u0301\u0327 漢字仮名 👩‍👩‍👧‍👦 \x1b[31mred\x1b]52;c;AAAA\x07\u202egnp\u009b2J\r\nZ" + strings.Repeat("é", 40)

func hostileGrading() grading.Overview {
	o := Grading()
	c := grading.CopyRef{ID: Hostile, Anon: Hostile}
	u := grading.User{Name: Hostile}
	o.Locks.Value = grading.Locks{Total: 1, Rows: []grading.Lock{{LockID: "1", Copy: c, Owner: u, TokenPrefix: Hostile, CopyStatus: Hostile}}}
	o.Stuck.Value = grading.Stucks{Total: 1, Rows: []grading.Stuck{{Copy: c, Holder: u, Status: Hostile, Why: Hostile, SinceFrom: Hostile}}}
	o.Events.Value = grading.Events{Rows: []grading.Event{{ID: "1", Copy: c, Actor: u, Action: Hostile, Detail: Hostile}, {ID: "2", Copy: c, Gap: Hostile}}}
	return o
}

func hostileBroker() celery.Overview {
	m := celery.Message{ID: Hostile, Task: Hostile, CopyID: Hostile, Args: Hostile}
	return celery.Overview{Waiting: 1, WorkersErr: Hostile,
		Queues:  []celery.Queue{{Name: Hostile, Depth: 1, ByTask: []celery.TaskCount{{Task: Hostile, Count: 1}}, Sample: []celery.Message{m}}},
		Workers: []celery.Worker{{Name: Hostile, State: celery.Deaf, Why: Hostile, Version: Hostile, Queues: []string{Hostile}, Totals: []celery.TaskCount{{Task: Hostile}}, Pool: 1, Running: []celery.Running{{ID: "1", Task: Hostile, CopyID: Hostile, State: "running"}}}}}
}

func hostileTraffic() metrics.Overview {
	nan, inf := math.NaN(), math.Inf(1)
	odd := metrics.Quantile{Seconds: inf, Lower: nan, Upper: -1, Known: true}
	e := metrics.Endpoint{Method: Hostile, Path: Hostile, RPS: inf, ErrorShare: nan, P50: odd, P95: odd, Mean: inf, Pain: nan,
		ByStatus: []metrics.Count{{Name: Hostile, Count: nan}}, By: []metrics.Share{{Process: Hostile, RPS: inf, Mean: nan}},
		Trend: []metrics.Point{{At: Now, RPS: inf, P95: odd}, {At: Now.Add(-time.Hour), RPS: -1, P95: odd}, {RPS: nan}}}
	return metrics.Overview{Total: metrics.Endpoint{RPS: nan, Requests: nan, ErrorShare: nan}, Note: Hostile, Endpoints: []metrics.Endpoint{e},
		Processes: []metrics.Process{{Name: Hostile, Address: Hostile, Resident: inf, CPU: -1, CPUShare: inf, OpenFDs: nan, MaxFDs: -1, RPS: nan}},
		Restarts:  []metrics.Restart{{Address: Hostile}},
		Domain: metrics.Domain{Finalize: []metrics.Timing{{Status: Hostile, Group: Hostile, Tally: metrics.Tally{Recent: nan, Total: inf}, P95: odd}},
			Conflicts: []metrics.Tally{{Name: Hostile, Recent: inf, Total: nan}}, Copies: []metrics.Count{{Name: Hostile, Count: nan}}}}
}
