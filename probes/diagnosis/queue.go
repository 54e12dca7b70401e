package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/logs"
)

// queueRules are about the workers first: what they do explains most of what is
// seen of the queues.
func queueRules() []Rule {
	return []Rule{
		poisonMessage(), workerDeaf(), workerFrozen(), workerOOM(), workerDown(),
		queueNobodyTakes(), workersBusy(), queueBacklog(), orphanedUnacked(), lostTask(), swallowedFailures(),
	}
}

const restartCelery = compose + "restart celery"

// waitingForWorkers are the rules whose findings follow when nobody takes tasks.
func waitingForWorkers(more ...string) []string {
	return append(more, "queue-backlog", "import-failed", "orphaned-unacked", "lost-task")
}

// broker gives the queues where the workers were asked too, else why not.
func broker(in Input) (celery.Overview, string) {
	o, _, _ := probes.Of[celery.Overview](in.Set, celery.ID)
	switch {
	case o.WorkersErr != "":
		return o, "The workers could not be asked: " + o.WorkersErr
	case o.WorkersAt.IsZero():
		return o, "The workers have not been asked yet."
	}
	return o, ""
}

func workersIn(o celery.Overview, states ...celery.WorkerState) (out []celery.Worker) {
	for _, w := range o.Workers {
		if slices.Contains(states, w.State) {
			out = append(out, w)
		}
	}
	return out
}

func seenWorker(w celery.Worker) Evidence {
	return Evidence{From: celery.ID, Says: fmt.Sprintf("%s is %s: %s", w.Name, w.State, w.Why), Kind: "worker", ID: w.Name}
}

// steadySlope is from how many looks on a slope is worth telling.
const steadySlope = 5

func seenQueue(q celery.Queue) Evidence {
	says := fmt.Sprintf("%s: %s", q.Name, number(int(q.Depth), "message")+" waiting")
	for _, t := range q.ByTask[:min(len(q.ByTask), 3)] {
		says += fmt.Sprintf(", %d %s", t.Count, t.Task)
	}
	if q.Sampled {
		says += " in the sample"
	}
	if q.SlopeKnown && len(q.History) >= steadySlope {
		if n := math.Round(q.Slope); n == 0 {
			says += ", steady"
		} else {
			says += fmt.Sprintf(", %+.0f a minute", n)
		}
	}
	return Evidence{From: celery.ID, Says: says, Kind: "queue", ID: q.Name}
}

// waits are the queues in which something waits.
func waits(o celery.Overview) (out []Evidence) {
	for _, q := range o.Queues {
		if q.Depth > 0 && len(out) < mostEvidence {
			out = append(out, seenQueue(q))
		}
	}
	return out
}

func restartOffer(w celery.Worker) Offer {
	return Offer{
		Action: "restart", Kind: "worker", ID: w.Name, Label: w.Name,
		Why:         "A new process connects anew and takes the tasks that wait.",
		Consequence: "A task that it runs ends unfinished; what it held is restored or waits up to an hour in unacked.",
	}
}

// onWaiting puts in the copies of the tasks that wait, and those that wait for
// their pages; the deployed tasks do not name them. How bad that is: all
// workers down while work waits is the playbook's example of P0 (8.1).
func (f *Finding) onWaiting(in Input, o celery.Overview, workers int) {
	var ids []string
	for _, q := range o.Queues {
		for _, m := range q.Sample {
			ids = append(ids, m.CopyID)
		}
	}
	for _, s := range unblamedImports(in) {
		ids = append(ids, s.Copy.ID)
	}
	f.onCopies(named(in, ids), nil)
	f.Severity = P2
	if o.Waiting > 0 {
		f.Severity = P1
		if workers == 0 {
			f.Severity = P0
		}
	}
	for _, q := range o.Queues {
		if q.Sampled {
			f.CopyCount = -1
		}
	}
}

// workerDown: nobody listens on the control channel, so nobody takes tasks. The
// other answers to why come before it.
func workerDown() Rule {
	return Rule{
		ID: "worker-down", Title: "No Celery worker runs", Scenario: ImportStuck, Section: "3.3",
		Needs: []probes.ID{celery.ID}, Explains: waitingForWorkers("queue-nobody-takes"),
		Judge: func(in Input) ([]Finding, string) {
			o, blind := broker(in)
			if blind != "" || o.Receivers > 0 || len(workersIn(o, celery.Deaf, celery.Stopping, celery.Unsure)) > 0 {
				return nil, blind
			}
			f := Finding{
				Says:       fmt.Sprintf("No worker listens: %s, and nobody takes them.", number(int(o.Waiting), "task")+" waiting"),
				Confidence: Certain,
				Evidence:   []Evidence{{From: celery.ID, Says: "0 workers listen for control messages", Kind: "pane", ID: "workers"}},
				Mind:       "A worker with worker_enable_remote_control off listens for nothing and works all the same: then the queues shrink.",
				Advice:     []string{restartCelery, compose + "logs --tail 50 celery"},
				Harm:       "Do not start a worker with -Q finalize while old retries wait there: all of them run at once and grade whatever is in a fitting state.",
			}
			for _, w := range workersIn(o, celery.Gone) {
				f.Evidence = append(f.Evidence, seenWorker(w))
				f.Offers = append(f.Offers, restartOffer(w))
			}
			f.Evidence = append(f.Evidence, waits(o)...)
			f.onWaiting(in, o, 0)
			return []Finding{f}, ""
		},
	}
}

// sick is a rule about workers in one state.
func sick(r Rule, state celery.WorkerState, says, mind string, advice ...string) Rule {
	r.Scenario, r.Needs = ImportStuck, []probes.ID{celery.ID}
	r.Judge = func(in Input) ([]Finding, string) {
		o, blind := broker(in)
		bad := workersIn(o, state)
		if blind != "" || len(bad) == 0 {
			return nil, blind
		}
		f := Finding{Confidence: Certain, Mind: mind, Advice: append([]string{restartCelery}, advice...)}
		var names []string
		for _, w := range bad {
			names = append(names, w.Name)
			f.Evidence = append(f.Evidence, seenWorker(w))
			f.Offers = append(f.Offers, restartOffer(w))
			if len(w.Running) > 0 {
				f.Harm = "It ran a task when it was last heard: a restart loses that task. Look at what became of its copy before you retry it."
			}
		}
		f.Says = fmt.Sprintf(says, strings.Join(names, ", ")) + fmt.Sprintf(" %s.", number(int(o.Waiting), "task")+" waiting")
		f.Evidence = append(f.Evidence, waits(o)...)
		f.onWaiting(in, o, len(workersIn(o, celery.Healthy, celery.Busy, celery.PrefetchFull)))
		if f.Severity == P0 {
			f.Severity = P1 // it need only be restarted
		}
		return []Finding{f}, ""
	}
	return r
}

func workerFrozen() Rule {
	return sick(Rule{ID: "worker-frozen", Title: "A worker is frozen", Section: "3.3", Explains: waitingForWorkers("workers-busy")},
		celery.Frozen, "%s listens and answers nothing: its main process is stopped or hangs.",
		"An answer to a ping: then it was only busy.", compose+"top celery")
}

// workerDeaf: the worker looks healthy to everything but the control channel.
func workerDeaf() Rule {
	r := sick(Rule{ID: "worker-deaf", Title: "A worker takes nothing since Redis restarted", Explains: waitingForWorkers("worker-down", "queue-nobody-takes")},
		celery.Deaf, "%s is alive and takes no task since Redis restarted.",
		"Messages that go from its queues.", "To avoid it: start the worker with --without-mingle, or bring kombu to 5.4.")
	known := r.Judge
	r.Judge = func(in Input) ([]Finding, string) {
		if found, blind := known(in); len(found) > 0 || blind != "" {
			return found, blind
		}
		return maybeDeaf(in), ""
	}
	return r
}

// maybeDeaf: a worker that was never heard before its Redis restarted looks like
// one that is told not to listen. Messages that nobody takes speak against that.
func maybeDeaf(in Input) []Finding {
	o, _ := broker(in)
	unsure := slices.DeleteFunc(workersIn(o, celery.Unsure), func(w celery.Worker) bool { return in.Now.Sub(w.LastBeat) > time.Minute })
	if o.Receivers > 0 || o.Waiting == 0 || len(unsure) == 0 {
		return nil
	}
	f := Finding{
		Says:       fmt.Sprintf("%s sends heartbeats and does not listen; %s.", unsure[0].Name, number(int(o.Waiting), "task")+" waiting"),
		Confidence: Possible, Evidence: append([]Evidence{seenWorker(unsure[0])}, waits(o)...),
		Offers: []Offer{restartOffer(unsure[0])}, Advice: []string{restartCelery},
		Mind: "Queues that shrink: then worker_enable_remote_control is off, and it works.",
	}
	f.onWaiting(in, o, 1)
	return []Finding{f}
}

// workerOOM: a child that was killed says so in the worker's log; the import it
// ran is gone without a word in the database.
func workerOOM() Rule {
	return Rule{
		ID: "worker-oom", Title: "A worker was killed for its memory", Scenario: ImportStuck, Section: "3.3",
		Needs: []probes.ID{logs.ID}, Explains: []string{"lost-task", "import-failed", "orphaned-unacked"},
		Judge: func(in Input) ([]Finding, string) {
			t, ok := troubleWith(in, logs.OpWorker, logs.CauseKilled, logs.CauseMemory)
			if i, also := troubleWith(in, logs.OpImport, logs.CauseKilled, logs.CauseMemory); also {
				t.N, ok = t.N+i.N, true
				if i.Last.At.After(t.Last.At) {
					t.Last = i.Last
				}
			}
			if !ok {
				return nil, ""
			}
			hit := leftImports(in)
			f := Finding{
				Says:       fmt.Sprintf("The worker's log tells %s in the last hour that one of its processes was killed; what it ran is lost.", times(t.N)),
				Confidence: Likely, Since: t.First,
				Evidence: append([]Evidence{saidBy(t.Last, in.Now)}, stuckEvidence(in, hit)...),
				Mind:     "Somebody who killed the process by hand leaves the same line: the kernel's log tells (dmesg).",
				Advice: []string{
					"dmesg -T | grep -i 'killed process'",
					"Give the service celery more memory, or let its children end after few tasks: --concurrency=2 --max-tasks-per-child=20 --max-memory-per-child=400000",
				},
				Harm: "Do not import the same file again before there is more memory: it kills the next worker.",
			}
			f.onCopies(copiesIn(hit), nil)
			f.Severity = severityOf(len(hit))
			return []Finding{f}, ""
		},
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
