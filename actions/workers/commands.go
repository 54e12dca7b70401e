package workers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// commands lists the orders in menu order.
func commands() []order {
	return []order{poolGrow(), poolShrink(), consume(), cancelConsumer(), rateLimit(), eventsOn(), eventsOff()}
}

func poolGrow() order {
	return order{
		id: "pool-grow", title: "Grow the pool by one", back: "pool-shrink",
		says: func(w celery.Worker, _ string, _ probes.Set) (says, warns []string) {
			return []string{fmt.Sprintf("%s gets one process more: it has %d.", w.Name, len(w.Processes))},
				[]string{"Each process takes memory like the others; look at the host's first."}
		},
		refuse: noProcesses,
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, _ string) (celery.Said, error) {
			return b.PoolGrow(ctx, w.Name, 1)
		},
		holds: sized(+1),
	}
}

func poolShrink() order {
	return order{
		id: "pool-shrink", title: "Shrink the pool by one", back: "pool-grow",
		says: func(w celery.Worker, _ string, _ probes.Set) (says, warns []string) {
			return []string{fmt.Sprintf("%s gives up one idle process of %d. One that runs a task is never taken.", w.Name, len(w.Processes))}, nil
		},
		refuse: func(w celery.Worker, choice string) string {
			if len(w.Processes) == 1 {
				return w.Name + " has one process only: without it, it takes tasks and runs none."
			}
			return noProcesses(w, choice)
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, _ string) (celery.Said, error) {
			return b.PoolShrink(ctx, w.Name, 1)
		},
		holds: sized(-1),
	}
}

// noProcesses refuses pools of threads, which cannot be counted.
func noProcesses(w celery.Worker, _ string) string {
	if len(w.Processes) == 0 {
		return w.Name + " tells of no processes: its pool cannot be resized, or could not be seen to be."
	}
	return ""
}

// sized looks for a pool that is larger or smaller by so many.
func sized(by int) func(context.Context, base, celery.Worker, string) (bool, string, error) {
	return func(ctx context.Context, b base, was celery.Worker, _ string) (bool, string, error) {
		now, err := b.Broker.Worker(ctx, was.Name)
		if err != nil {
			return false, "", err
		}
		n := len(now.Processes) - len(was.Processes)
		return n == by, fmt.Sprintf("%s has %d processes, it had %d", was.Name, len(now.Processes), len(was.Processes)), nil
	}
}

func consume() order {
	return order{
		id: "consume", title: "Take a queue", back: "stop-consuming",
		choices: func(_ context.Context, b base, w celery.Worker, set probes.Set) ([]actions.Choice, error) {
			ov, _ := b.overview(set)
			return untaken(ov, w), nil
		},
		free: func(queue string) bool { return queue != "" && !strings.ContainsAny(queue, " \t\n") },
		refuse: func(w celery.Worker, queue string) string {
			if slices.Contains(w.Queues, queue) {
				return w.Name + " takes " + queue + " already."
			}
			return ""
		},
		says: func(w celery.Worker, queue string, set probes.Set) (says, warns []string) {
			says = []string{fmt.Sprintf("%s takes %s too, beside %s.", w.Name, queue, actions.Names(w.Queues, 6))}
			if n := depth(set, queue); n > 0 {
				warns = []string{fmt.Sprintf("%s wait in it: they run at once, and a finalization grades whatever is fit for it by now.", tasks(n))}
			}
			return says, warns
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, queue string) (celery.Said, error) {
			return b.AddConsumer(ctx, w.Name, queue)
		},
		holds: takes(true),
	}
}

func cancelConsumer() order {
	return order{
		id: "stop-consuming", title: "Leave a queue alone", back: "consume",
		choices: func(_ context.Context, _ base, w celery.Worker, _ probes.Set) ([]actions.Choice, error) {
			var out []actions.Choice
			for _, q := range w.Queues {
				out = append(out, actions.Choice{ID: q, Title: "leave " + q + " alone"})
			}
			return out, nil
		},
		refuse: func(w celery.Worker, queue string) string {
			if !slices.Contains(w.Queues, queue) {
				return w.Name + " does not take " + queue + "."
			}
			return ""
		},
		says: func(w celery.Worker, queue string, set probes.Set) (says, warns []string) {
			says = []string{fmt.Sprintf("%s takes nothing more from %s. What it holds of it already, it still runs.", w.Name, queue)}
			if !othersTake(set, w.Name, queue) {
				warns = []string{"No other worker is known to take " + queue + ": what comes waits until one does."}
			}
			return says, warns
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, queue string) (celery.Said, error) {
			return b.CancelConsumer(ctx, w.Name, queue)
		},
		holds: takes(false),
	}
}

// untaken lists the queues that a worker does not take, those where tasks wait
// in vain first.
func untaken(ov celery.Overview, w celery.Worker) []actions.Choice {
	queues := slices.DeleteFunc(slices.Clone(ov.Queues), func(q celery.Queue) bool { return slices.Contains(w.Queues, q.Name) })
	slices.SortStableFunc(queues, func(a, b celery.Queue) int { return urgency(b) - urgency(a) })
	var out []actions.Choice
	for _, q := range queues {
		out = append(out, actions.Choice{ID: q.Name, Title: fmt.Sprintf("take %s, where %s wait", q.Name, tasks(int(q.Depth)))})
	}
	return out
}

func urgency(q celery.Queue) int {
	switch {
	case q.Depth > 0 && q.Consumed == celery.No:
		return 2
	case q.Depth > 0:
		return 1
	}
	return 0
}

func depth(set probes.Set, queue string) int {
	ov, _, _ := probes.Of[celery.Overview](set, celery.ID)
	for _, q := range ov.Queues {
		if q.Name == queue {
			return int(q.Depth)
		}
	}
	return 0
}

func othersTake(set probes.Set, worker, queue string) bool {
	ov, _, _ := probes.Of[celery.Overview](set, celery.ID)
	return slices.ContainsFunc(ov.Workers, func(w celery.Worker) bool { return w.Name != worker && slices.Contains(w.Queues, queue) })
}

// takes looks whether a worker takes a queue, or not any more.
func takes(want bool) func(context.Context, base, celery.Worker, string) (bool, string, error) {
	return func(ctx context.Context, b base, was celery.Worker, queue string) (bool, string, error) {
		now, err := b.Broker.Worker(ctx, was.Name)
		if err != nil {
			return false, "", err
		}
		seen := was.Name + " takes " + orElse(actions.Names(now.Queues, 20), "no queue")
		return slices.Contains(now.Queues, queue) == want, seen, nil
	}
}

func eventsOn() order {
	return order{
		id: "events-on", title: "Switch on task events", back: "events-off",
		says: func(w celery.Worker, _ string, _ probes.Set) (says, warns []string) {
			return []string{w.Name + " tells of every task it receives, starts and ends. That costs a message each."}, nil
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, _ string) (celery.Said, error) {
			return b.EnableEvents(ctx, w.Name)
		},
	}
}

func eventsOff() order {
	return order{
		id: "events-off", title: "Switch off task events", back: "events-on",
		says: func(w celery.Worker, _ string, _ probes.Set) (says, warns []string) {
			return []string{w.Name + " tells no more of its tasks; heartbeats go on."}, []string{"Whatever else listens, such as Flower, sees no tasks any more."}
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, _ string) (celery.Said, error) {
			return b.DisableEvents(ctx, w.Name)
		},
	}
}
