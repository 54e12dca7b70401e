package panes_test

import (
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/pane"
)

// states are the situations all panes are shown in.
func states() []sample.Situation {
	return append(sample.Situations(broker, ""), sample.Situation{Name: "missing", Set: func() probes.Set {
		return sample.Live(7, missing(), deafBroker(), warming(), logs.Overview{})
	}})
}

// broker has a message of each way to name a copy.
func broker() celery.Overview {
	o := sample.Broker()
	shown := o.Queues[0].Sample
	shown[0].Args = "copy_id=" + sample.UUIDA + ", user_id=3"
	o.Queues[0].Sample = slices.Insert(shown, 2, celery.Message{ID: "7b20", Task: "processing.tasks.async_import_pdf",
		Args: "anonymous_id=C09D-0042, exam_id=ef75fab0…, user_id=1", Queue: "celery"})
	return o
}

func input(set probes.Set) pane.Input { return pane.Input{Set: set, Now: sample.Now, Zone: time.UTC} }

// missing is a database without the lock table and without rights, a broker
// without workers, metrics that have been read once.
func missing() grading.Overview {
	return grading.Overview{
		ServerTime: sample.Server, LocksInUse: grading.TriNo, LocksWhy: "there is no table grading_copylock.",
		Locks:  grading.Part[grading.Locks]{Missing: "This database has no table grading_copylock."},
		Stuck:  grading.Part[grading.Stucks]{Missing: "The role cockpit may not read exams_copy.", Fix: "GRANT SELECT ON exams_copy TO cockpit;"},
		Events: grading.Part[grading.Events]{Missing: "The role cockpit may not read grading_gradingevent.", Fix: "GRANT SELECT ON grading_gradingevent TO cockpit;"},
	}
}

func deafBroker() celery.Overview {
	return celery.Overview{Waiting: 8, WorkersErr: "no answer within 2s", Queues: []celery.Queue{{Name: "celery", Depth: 8}}}
}

func warming() metrics.Overview {
	return metrics.Overview{Warming: "Rates need two scrapes of the same process; 1 of 3 processes has answered once."}
}
