package workers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
)

// unlimited is how a choice says that there is no limit.
const unlimited = "none"

// rateLimit is chosen as TASK=RATE, such as
// grading.tasks.async_finalize_copy=5/m.
func rateLimit() order {
	return order{
		id: "rate-limit", title: "Limit the rate of a task", back: "rate-limit",
		choices: rates,
		free:    func(choice string) bool { task, rate := splitRate(choice); return task != "" && rate != "" },
		says: func(w celery.Worker, choice string, _ probes.Set) (says, warns []string) {
			task, rate := splitRate(choice)
			if rate == unlimited {
				return []string{fmt.Sprintf("%s starts %s as often as it can.", w.Name, celery.ShortTask(task))}, nil
			}
			return []string{fmt.Sprintf("%s starts %s at most %s.", w.Name, celery.ShortTask(task), rate)},
				[]string{"What is held back by the limit, the worker tells nobody; its messages stay unacknowledged meanwhile."}
		},
		send: func(ctx context.Context, b *celery.Broker, w celery.Worker, choice string) (celery.Said, error) {
			task, rate := splitRate(choice)
			if rate == unlimited {
				rate = ""
			}
			return b.RateLimit(ctx, w.Name, task, rate)
		},
		before: func(ctx context.Context, b base, w celery.Worker, choice string) (string, error) {
			task, _ := splitRate(choice)
			limits, err := b.Broker.RateLimits(ctx, w.Name)
			if _, known := limits[task]; err == nil && !known {
				err = &actions.Refusal{Why: w.Name + " knows no task " + task + "."}
			}
			return task + "=" + orElse(limits[task], unlimited), err
		},
		holds: func(ctx context.Context, b base, was celery.Worker, choice string) (bool, string, error) {
			task, rate := splitRate(choice)
			limits, err := b.Broker.RateLimits(ctx, was.Name)
			now := orElse(limits[task], unlimited)
			return err == nil && now == rate, fmt.Sprintf("the limit of %s on %s is %s", celery.ShortTask(task), was.Name, now), err
		},
	}
}

func splitRate(choice string) (task, rate string) {
	at := strings.LastIndex(choice, "=")
	if at < 0 {
		return "", ""
	}
	return choice[:at], choice[at+1:]
}

// rates proposes the limits that the deployed settings had, and none, for the
// application's own tasks.
func rates(ctx context.Context, b base, w celery.Worker, _ probes.Set) ([]actions.Choice, error) {
	limits, err := b.Broker.RateLimits(ctx, w.Name)
	if err != nil {
		return nil, err
	}
	var out []actions.Choice
	for _, task := range slices.Sorted(maps.Keys(limits)) {
		if !strings.Contains(task, "async_finalize") && !strings.Contains(task, "async_import") {
			continue
		}
		for _, rate := range []string{"5/m", "10/m", unlimited} {
			if rate != orElse(limits[task], unlimited) {
				out = append(out, actions.Choice{ID: task + "=" + rate, Title: celery.ShortTask(task) + " " + rate})
			}
		}
	}
	return out, nil
}
