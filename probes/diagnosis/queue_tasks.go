package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
)

// poisonMessage: each worker that takes it dies and gives it back to the next.
func poisonMessage() Rule {
	return Rule{
		ID: "poison-message", Title: "A message kills each worker that takes it", Scenario: ImportStuck,
		Needs: []probes.ID{celery.ID}, Explains: waitingForWorkers("worker-down", "worker-frozen", "worker-oom", "workers-busy", "queue-nobody-takes"),
		Judge: func(in Input) (found []Finding, blind string) {
			o, _, _ := probes.Of[celery.Overview](in.Set, celery.ID)
			for _, q := range o.Queues {
				for _, m := range q.Sample {
					if m.Kills {
						found = append(found, poisoned(in, o, q, m))
						break
					}
				}
				if q.Sampled && blind == "" {
					blind = fmt.Sprintf("Of the %d messages in %s only the ends were read.", q.Depth, q.Name)
				}
			}
			if len(found) > 0 {
				blind = ""
			}
			return found, blind
		},
	}
}

func poisoned(in Input, o celery.Overview, q celery.Queue, m celery.Message) Finding {
	f := Finding{
		Subject: q.Name, Confidence: Certain,
		Says:     fmt.Sprintf("A message in %s ends each worker that takes it, and comes back for the next: %s.", q.Name, strings.TrimSuffix(m.Bad, ".")),
		Evidence: []Evidence{{From: celery.ID, Says: fmt.Sprintf("%s: %s", q.Name, m.Bad), Kind: "queue", ID: q.Name}},
		Mind:     "A worker that took the message and lives.",
		Offers: []Offer{{
			Action: "remove-poison", Kind: "queue", ID: q.Name, Label: q.Name,
			Why:         "It takes out exactly this message and keeps it in a file.",
			Consequence: "The task that it was meant to be is not done; the others run on.",
		}},
		Advice: []string{"Once the message is out: " + restartCelery},
		Harm:   "Do not restart workers before the message is out: each one dies of it. Do not purge the queue: that takes sound tasks as well.",
	}
	for _, w := range workersIn(o, celery.Gone) {
		f.Evidence = append(f.Evidence, seenWorker(w))
	}
	f.onWaiting(in, o, o.Receivers)
	f.Severity = min(f.Severity, P1)
	return f
}

// finalizeQueue is where routed finalizations wait. Whoever takes it has all of
// them grade at once.
const finalizeQueue = "finalize"

// queueNobodyTakes: the deployed worker takes only "celery", and tasks that are
// routed elsewhere wait for ever.
func queueNobodyTakes() Rule {
	return Rule{
		ID: "queue-nobody-takes", Title: "Tasks wait where no worker takes them", Scenario: ImportStuck,
		Needs: []probes.ID{celery.ID}, Explains: []string{"import-failed"},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := broker(in)
			if blind != "" || o.Receivers == 0 {
				return nil, blind
			}
			f := Finding{Confidence: Certain, Mind: "A worker that was started with -Q and did not answer in time."}
			var left []string
			n := 0
			for _, q := range o.Queues {
				if q.Depth == 0 || q.Consumed != celery.No {
					continue
				}
				left, n = append(left, q.Name), n+int(q.Depth)
				f.Evidence = append(f.Evidence, seenQueue(q))
				f.Offers = append(f.Offers, purgeOffer(q))
				if q.Name != finalizeQueue { // see the harm
					f.Offers = append(f.Offers, consumeOffer(o, q))
				}
			}
			if n == 0 {
				return nil, ""
			}
			for _, w := range o.Workers {
				if len(w.Queues) > 0 {
					f.Evidence = append(f.Evidence, Evidence{From: celery.ID, Says: w.Name + " takes only " + strings.Join(w.Queues, ", "), Kind: "worker", ID: w.Name})
				}
			}
			f.Says = fmt.Sprintf("%s waiting in %s, which no worker takes.", number(n, "task"), strings.Join(left, " and "))
			f.onWaiting(in, o, o.Receivers)
			f.Severity = severityOf(n)
			if slices.Contains(left, finalizeQueue) {
				f.Harm = "Do not start a worker with -Q finalize and do not let one take it: all the stale retries run at once and grade whatever is in a fitting state, also copies that a teacher corrects."
			}
			f.Advice = []string{"Have the worker take the routed queues for good, once they are empty: command: celery -A core worker -Q celery,import,finalize,maintenance in the service celery, then " + compose + "up -d celery"}
			return []Finding{f}, ""
		},
	}
}

func purgeOffer(q celery.Queue) Offer {
	return Offer{
		Action: "purge", Kind: "queue", ID: q.Name, Label: q.Name,
		Why:         "It takes the stale tasks out of the way into a quarantine, from where they can be restored.",
		Consequence: "None of them runs; each copy must be looked at and retried by itself.",
	}
}

func consumeOffer(o celery.Overview, q celery.Queue) Offer {
	out := Offer{
		Action: "consume", Choice: q.Name, Kind: "worker",
		Why:         "The worker takes " + q.Name + " besides, until it restarts.",
		Consequence: fmt.Sprintf("All %d tasks run now, in the state in which their copies are by now.", q.Depth),
	}
	for _, w := range o.Workers {
		if len(w.Queues) > 0 {
			out.ID, out.Label = w.Name, w.Name
		}
	}
	return out
}

// Bounds of the rules about work that piles up. The deployed tasks take seconds
// and end after 300 s at the latest.
const (
	longTask    = time.Minute
	deepBacklog = 20
	soonDrained = 2 * time.Minute
	drainsBy    = 1.0 // messages a minute: less is no trend
)

// workersBusy: every slot has been taken for long, so that nothing else begins.
func workersBusy() Rule {
	return Rule{
		ID: "workers-busy", Title: "Every slot of the workers is taken for long", Scenario: ImportStuck, Section: "6.3",
		Needs: []probes.ID{celery.ID}, Explains: []string{"queue-backlog", "import-failed"},
		Judge: func(in Input) ([]Finding, string) {
			o, blind := broker(in)
			busy := workersIn(o, celery.Busy, celery.PrefetchFull)
			if blind != "" || len(busy) == 0 || len(busy) < o.Receivers {
				return nil, blind
			}
			long, slots := longest(in, busy)
			if long < longTask {
				return nil, ""
			}
			hit := unblamedImports(in)
			f := Finding{
				Says: fmt.Sprintf("All %s of the workers run a task, the oldest for %s; %s.", number(slots, "slot"), lasted(long), number(int(o.Waiting), "task")+" waiting"),
				Mind: "A task that ends while you look: then the work only takes its time.", Confidence: Likely,
				Advice: []string{"Set a time limit for tasks in the application's settings (CELERY_TASK_TIME_LIMIT = 300), and more children for good: --concurrency=4 in the service celery."},
				Harm:   "Do not terminate a finalization: its copy stays as it was and is finalized a second time. Do not start a second worker in the same container: it has the same name.",
			}
			if long >= 2*longTask {
				f.Confidence = Certain
			}
			for _, w := range busy {
				f.Evidence = append(f.Evidence, seenWorker(w))
				f.Offers = append(f.Offers, growOffer(w))
			}
			f.Evidence = append(append(f.Evidence, waits(o)...), stuckEvidence(in, hit)...)
			f.onWaiting(in, o, len(busy))
			if o.Waiting == 0 && !slices.ContainsFunc(busy, func(w celery.Worker) bool { return w.Reserved > 0 }) {
				f.Severity = P3 // nothing is held up
			}
			return []Finding{f}, ""
		},
	}
}

func growOffer(w celery.Worker) Offer {
	return Offer{
		Action: "pool-grow", Kind: "worker", ID: w.Name, Label: w.Name,
		Why:         "One more task runs at once.",
		Consequence: "It takes the memory of one more process, until the worker restarts.",
	}
}

// longest gives how long the oldest task runs, and how many run.
func longest(in Input, busy []celery.Worker) (long time.Duration, slots int) {
	for _, w := range busy {
		for _, r := range w.Running {
			slots++
			if !r.Started.IsZero() {
				long = max(long, in.Now.Sub(r.Started))
			}
		}
	}
	return long, slots
}

// queueBacklog: workers take the queue and do not keep up.
func queueBacklog() Rule {
	return Rule{
		ID: "queue-backlog", Title: "Tasks come in faster than they are done", Scenario: ImportStuck, Section: "6.3",
		Needs: []probes.ID{celery.ID}, Explains: []string{"swallowed-failures"},
		Judge: func(in Input) (found []Finding, blind string) {
			o, blind := broker(in)
			for _, q := range o.Queues {
				if q.Depth < deepBacklog || q.Consumed == celery.No || drainsSoon(q) {
					continue
				}
				f := Finding{
					Subject: q.Name, Confidence: Likely,
					Says:     fmt.Sprintf("%s in %s for %s.", number(int(q.Depth), "task")+" waiting", q.Name, number(o.Receivers, "worker")),
					Evidence: []Evidence{seenQueue(q)},
					Mind:     "A queue that shrinks: then it is a peak that passes.",
					Advice:   []string{"For good: --concurrency=4 in the service celery, then " + compose + "up -d celery. Who has sent so much? No page of the application queues grading tasks; a script or an operator does."},
					Harm:     "Do not purge without a look at what waits: unrelated tasks share the queue, and each lost one must be sent again by hand.",
				}
				switch {
				case q.SlopeKnown && q.Slope > 0:
					f.Confidence = Certain
				case q.SlopeKnown && q.Slope < -drainsBy:
					f.Title = "Tasks wait for long"
					f.Says = fmt.Sprintf("%s in %s for %s; at this pace the last one begins in %s.", number(int(q.Depth), "task")+" waiting", q.Name, number(o.Receivers, "worker"),
						lasted(time.Duration(min(float64(q.Depth)/-q.Slope, 60*24)*float64(time.Minute))))
				}
				for _, w := range workersIn(o, celery.Healthy, celery.Busy, celery.PrefetchFull) {
					f.Evidence = append(f.Evidence, seenWorker(w))
					f.Offers = append(f.Offers, growOffer(w))
				}
				f.Offers = append(f.Offers, purgeOffer(q))
				f.onWaiting(in, o, 1)
				f.Severity = P2
				if q.Depth >= 10*deepBacklog {
					f.Severity = P1
				}
				found = append(found, f)
			}
			return found, blind
		},
	}
}

func drainsSoon(q celery.Queue) bool {
	return q.SlopeKnown && q.Slope < 0 && float64(q.Depth)/-q.Slope < soonDrained.Minutes()
}

// orphanedUnacked: messages that a killed worker held come back by themselves
// only after the visibility timeout of an hour.
func orphanedUnacked() Rule {
	return Rule{
		ID: "orphaned-unacked", Title: "A killed worker left tasks behind", Scenario: ImportStuck,
		Needs: []probes.ID{celery.TasksID},
		Judge: func(in Input) ([]Finding, string) {
			t, _, _ := probes.Of[celery.Tasks](in.Set, celery.TasksID)
			n := t.Counts[celery.TaskOrphaned]
			if n == 0 {
				return nil, ""
			}
			f := taskFinding(in, t, celery.TaskOrphaned)
			f.Says = fmt.Sprintf("%s taken and not done, and no worker holds them any more: nothing runs them before an hour is over.", number(n, "task"))
			f.Confidence, f.Severity = Certain, severityOf(n)
			f.Mind = "A worker that holds them and did not answer."
			f.Harm = "A finalization that is restored grades its copy in whatever state that is by then: look at each copy first. Do not retry a copy whose task was left behind: it would be finalized twice."
			queues := map[string]bool{}
			for _, r := range t.Rows {
				if r.State == celery.TaskOrphaned && !queues[r.Queue] && r.Queue != "" {
					queues[r.Queue] = true
					f.Offers = append(f.Offers, Offer{Action: "restore-orphans", Kind: "queue", ID: r.Queue, Label: r.Queue,
						Why:         "It puts exactly these messages back in front of their queue.",
						Consequence: "They run at once, in the state in which their copies are by now."})
				}
			}
			return []Finding{f}, ""
		},
	}
}

// taskFinding gathers the copies and the evidence of the tasks in one state.
func taskFinding(in Input, t celery.Tasks, states ...celery.TaskState) (f Finding) {
	var ids []string
	label := namer(in)
	for _, r := range t.Rows {
		if !slices.Contains(states, r.State) && !(r.Nobody && slices.Contains(states, celery.TaskLost)) {
			continue
		}
		ids = append(ids, r.CopyID)
		if !r.Since.IsZero() && (f.Since.IsZero() || r.Since.Before(f.Since)) {
			f.Since = r.Since
		}
		if len(f.Evidence) < mostEvidence {
			f.Evidence = append(f.Evidence, seenTask(r, label(r.CopyID)))
		}
	}
	f.onCopies(named(in, ids), nil)
	return f
}

func seenTask(r celery.TaskRow, c grading.CopyRef) Evidence {
	says := orWord(celery.ShortTask(r.Task), "a task") + " " + r.ID
	if c.Anon != "" {
		says = orWord(celery.ShortTask(r.Task), "a task") + " of " + c.Anon
	}
	if r.Nobody && r.State != celery.TaskLost {
		says += " has STARTED and nobody runs it"
	} else {
		says += " is " + string(r.State)
	}
	if r.Says != "" {
		says += ": " + r.Says
	}
	return Evidence{From: celery.TasksID, Says: says, Kind: "task", ID: r.ID}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// lostTask: its result says STARTED for ever, and nobody tries it again.
func lostTask() Rule {
	return Rule{
		ID: "lost-task", Title: "A task was lost while it ran", Scenario: ImportStuck,
		Needs: []probes.ID{celery.TasksID}, Explains: []string{"import-failed"},
		Judge: func(in Input) ([]Finding, string) {
			t, _, _ := probes.Of[celery.Tasks](in.Set, celery.TasksID)
			lost, early := t.Counts[celery.TaskLost], 0
			for _, r := range t.Rows {
				if r.Nobody && r.State != celery.TaskLost {
					early++
				}
			}
			if lost+early == 0 {
				return nil, ""
			}
			f := taskFinding(in, t, celery.TaskLost)
			f.Says = fmt.Sprintf("%s began, and no worker runs it any more: nobody tries it again.", number(lost+early, "task"))
			f.Severity, f.Confidence = severityOf(f.CopyCount), Likely
			hit := leftImports(in)
			if len(f.Copies) == 0 && len(hit) > 0 {
				f.onCopies(copiesIn(hit), nil)
			}
			f.Evidence = append(f.Evidence, stuckEvidence(in, hit)...)
			if lost == 0 && len(hit) == 0 {
				f.Confidence, f.Severity = Possible, P3
			}
			f.Mind = "A task that was sent with ignore_result leaves STARTED behind although it has ended well."
			f.Advice = []string{compose + "logs --since 1h celery", "Import the file again once you know that its copy has no pages; the result itself expires after a day."}
			f.Harm = "Look at the copy before you send the task again: where it did its work before it was lost, it would be done twice."
			return []Finding{f}, ""
		},
	}
}

// swallowedWindow is how long a failure that called itself a success is told of;
// results are kept for a day.
const swallowedWindow = time.Hour

// swallowedFailures: the tasks catch everything and return it, so that Celery
// counts a success.
func swallowedFailures() Rule {
	return Rule{
		ID: "swallowed-failures", Title: "Tasks failed and said success", Scenario: FinalizationFailing,
		Needs: []probes.ID{celery.TasksID},
		Judge: func(in Input) ([]Finding, string) {
			t, _, _ := probes.Of[celery.Tasks](in.Set, celery.TasksID)
			recent := celery.Tasks{}
			for _, r := range t.Rows {
				if r.State == celery.TaskSwallowed && !r.AtLeast && in.Now.Sub(r.Since) < swallowedWindow {
					recent.Rows = append(recent.Rows, r)
				}
			}
			if len(recent.Rows) == 0 {
				return nil, ""
			}
			f := taskFinding(in, recent, celery.TaskSwallowed)
			f.Says = fmt.Sprintf("%s in the last hour returned an error inside a SUCCESS: no dashboard of Celery shows it.", number(len(recent.Rows), "task"))
			f.Confidence, f.Severity = Certain, P3
			f.Mind = "Copies that are GRADED by now: then somebody has put it right since."
			f.Advice = []string{"Each result says why; celery's own counters and max_retries never see it. The copy is as it was before the task."}
			return []Finding{f}, ""
		},
	}
}
