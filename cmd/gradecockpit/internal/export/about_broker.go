package export

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes/celery"
)

const (
	queueMessages    = "gradecockpit_queue_messages"
	queueConsumed    = "gradecockpit_queue_consumed"
	workersListening = "gradecockpit_workers_listening"
	workersByState   = "gradecockpit_workers"
	workerSlots      = "gradecockpit_worker_slots"
	workerSlotsBusy  = "gradecockpit_worker_slots_busy"
	tasksByState     = "gradecockpit_tasks"
	taskRunning      = "gradecockpit_task_running_oldest_seconds"
)

// queuesMost bounds the queues with series of their own; the others add up.
const queuesMost = 20

var workerStates = []string{string(celery.Healthy), string(celery.Busy), string(celery.PrefetchFull), string(celery.Frozen), string(celery.Stopping),
	string(celery.Gone), string(celery.Deaf), string(celery.WrongQueue), string(celery.Unsure)}

// liveStates are told by queues and workers, endStates by results.
var (
	liveStates = []string{string(celery.TaskWaiting), string(celery.TaskReserved), string(celery.TaskScheduled), string(celery.TaskRunning),
		string(celery.TaskOrphaned), string(celery.TaskRetrying), string(celery.TaskBad)}
	endStates = []string{string(celery.TaskDone), string(celery.TaskFailed), string(celery.TaskSwallowed), string(celery.TaskRevoked), string(celery.TaskLost)}
)

// knownTasks are the grading tasks of all generations (facts, section 4).
var knownTasks = []string{"async_finalize_copy", "async_import_pdf", "async_batch_import", "async_flatten_copy", "async_export_all_copies",
	"cleanup_orphaned_files", "update_copy_status_metrics", "process_document_set"}

// aboutBroker is what Redis and the workers say.
func aboutBroker() []Metric {
	const queues, workers = "Queues", "Workers and tasks"
	return []Metric{
		queue(Metric{Name: queueMessages, Help: "Messages that wait in a queue.", Labels: []string{"queue"}, Group: queues}, depths),
		queue(Metric{Name: "gradecockpit_queue_oldest_seconds", Labels: []string{"queue"}, Group: queues, Unit: units.Seconds,
			Help: "How long the message that is next has waited, at least: messages carry no time, so it counts from when the exporter saw it first."}, oldestWaiting),
		queue(Metric{Name: queueConsumed, Help: "Whether a worker takes the queue; no series where no worker said.", Labels: []string{"queue"}, Group: queues, Unit: units.BoolYesNo}, consumed),
		queue(Metric{Name: "gradecockpit_unacked_messages", Help: "Messages that workers took and have not acknowledged.", Group: queues},
			func(s sample[celery.Overview]) []point { return just(float64(s.seen.Unacked)) }),
		queue(Metric{Name: "gradecockpit_quarantined_messages", Help: "Messages that were purged into a quarantine and can be brought back.", Group: queues}, quarantined),
		census(Metric{Name: workersListening, Help: "Workers that listen on the control channel.", Group: workers},
			func(s sample[celery.Overview]) []point { return just(float64(s.seen.Receivers)) }),
		census(Metric{Name: workersByState, Labels: []string{"state"}, Group: workers,
			Help: "Workers by what the evidence about them adds up to; those that are gone count for ten minutes."}, byState),
		census(Metric{Name: workerSlots, Help: "Tasks that the workers can run at once, over those that say it.", Group: workers},
			func(s sample[celery.Overview]) []point { all, _ := slots(s.seen); return when(all > 0, float64(all)) }),
		census(Metric{Name: workerSlotsBusy, Help: "Tasks that those workers run now.", Group: workers},
			func(s sample[celery.Overview]) []point {
				all, busy := slots(s.seen)
				return when(all > 0, float64(busy))
			}),
		census(Metric{Name: taskRunning, Labels: []string{"task"}, Group: workers, Unit: units.Seconds,
			Help: "How long the oldest running task of a kind has run; no series when none runs."}, oldestRunning),
		from(celery.TasksID, Metric{Name: tasksByState, Labels: []string{"state"}, Group: workers,
			Help: "Tasks by state, as far as they can be seen: waiting and held ones, and results that Redis still keeps, once all of those have been read. failed_said_success is a failure inside a result that Celery calls a success."},
			tasks),
	}
}

func queue(m Metric, read func(sample[celery.Overview]) []point) Metric {
	return from(celery.ID, m, read)
}

// askedSeldom is three times the longest wait between two questions to workers,
// which are asked less often than Redis where one of them is mute.
const askedSeldom = 15 * time.Second

// census makes a metric of what the workers answered, which is not known while
// they cannot be asked.
func census(m Metric, read func(sample[celery.Overview]) []point) Metric {
	return queue(m, func(s sample[celery.Overview]) []point {
		if s.seen.WorkersErr != "" || s.now.Sub(s.seen.WorkersAt) > max(s.bound(celery.ID), askedSeldom) {
			return nil
		}
		return read(s)
	})
}

// perQueue gives a point a queue. Those without a label of their own are added
// up when that makes sense, else left out.
func perQueue(o celery.Overview, rest bool, read func(celery.Queue) (float64, bool)) (out []point) {
	var names []string
	for _, q := range o.Queues {
		names = append(names, q.Name)
	}
	own, sum, more := admitted(names, queuesMost), 0.0, false
	for _, q := range o.Queues {
		v, ok := read(q)
		switch name := admitted([]string{q.Name}, 1)[0]; {
		case !ok:
		case slices.Contains(own, name):
			out = append(out, point{v, []string{name}})
		default:
			sum, more = sum+v, rest
		}
	}
	if more {
		out = append(out, point{sum, []string{other}})
	}
	return out
}

func depths(s sample[celery.Overview]) []point {
	return perQueue(s.seen, true, func(q celery.Queue) (float64, bool) { return float64(q.Depth), true })
}

func oldestWaiting(s sample[celery.Overview]) []point {
	return perQueue(s.seen, false, func(q celery.Queue) (float64, bool) {
		return s.now.Sub(q.Oldest).Seconds(), q.Depth > 0 && !q.Oldest.IsZero()
	})
}

func consumed(s sample[celery.Overview]) []point {
	return perQueue(s.seen, false, func(q celery.Queue) (float64, bool) {
		return truth(q.Consumed == celery.Yes), q.Consumed != celery.Unknown
	})
}

func quarantined(s sample[celery.Overview]) []point {
	n := int64(0)
	for _, q := range s.seen.Quarantines {
		n += q.Count
	}
	return just(float64(n))
}

func byState(s sample[celery.Overview]) []point {
	t := newTally(workerStates...)
	for _, w := range s.seen.Workers {
		state := w.State
		if state == "" {
			state = celery.Unsure
		}
		t.add(string(state), 1)
	}
	return t.points()
}

// slots counts those of the workers that say how many they have.
func slots(o celery.Overview) (all, busy int) {
	for _, w := range o.Workers {
		if w.Pool > 0 {
			all, busy = all+w.Pool, busy+running(w)
		}
	}
	return all, busy
}

func running(w celery.Worker) (n int) {
	for _, r := range w.Running {
		if r.State == "running" {
			n++
		}
	}
	return n
}

func oldestRunning(s sample[celery.Overview]) (out []point) {
	oldest := map[string]float64{}
	for _, w := range s.seen.Workers {
		for _, r := range w.Running {
			if r.State == "running" && !r.Started.IsZero() {
				name := taskLabel(r.Task)
				oldest[name] = max(oldest[name], s.now.Sub(r.Started).Seconds())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(oldest)) {
		out = append(out, point{oldest[name], []string{name}})
	}
	return out
}

// taskLabel is the last part of a dotted name, where it is one of the grading
// system's.
func taskLabel(task string) string {
	if name := task[strings.LastIndex(task, ".")+1:]; slices.Contains(knownTasks, name) {
		return name
	}
	return other
}

// tasks leaves the ended ones out until all results have been gone through: old
// failures that come in one after the other are no new ones.
func tasks(s sample[celery.Tasks]) []point {
	states := slices.Clone(liveStates)
	if !s.seen.Partial {
		states = append(states, endStates...)
	}
	t := newTally(states...)
	for state, n := range s.seen.Counts {
		if !s.seen.Partial || !slices.Contains(endStates, string(state)) {
			t.add(string(state), float64(n))
		}
	}
	return t.points()
}
