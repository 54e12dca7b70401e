package wire

import (
	"context"
	"slices"
	"strings"
	"sync"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui"
)

// copyLines bounds the log lines on the page of one copy.
const copyLines = 50

// FindCopy finds a copy by its row id or its anonymous id.
func (c *Cockpit) FindCopy(ctx context.Context, name string) (grading.CopyRef, error) {
	if c.grading == nil {
		return grading.CopyRef{}, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return c.grading.Find(ctx, name)
}

// CopyPage reads everything about one copy: the database first, because it
// knows which copy is meant, then queue and logs side by side. A source that
// fails takes away its part and is named in Problems.
func (c *Cockpit) CopyPage(ctx context.Context, id string) (tui.CopyPage, error) {
	if c.grading == nil {
		return tui.CopyPage{}, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	dossier, err := c.grading.Dossier(ctx, id)
	if err != nil {
		return tui.CopyPage{}, err
	}
	page := tui.CopyPage{Dossier: dossier}
	var tasks, lines []string // the problems of each part, in a fixed order
	var wg sync.WaitGroup
	wg.Go(func() { tasks = c.copyTasks(ctx, &page) })
	wg.Go(func() { page.Lines, lines = c.copyLines(ctx, dossier.Copy.ID) })
	wg.Wait()
	page.Problems = append(tasks, lines...)
	return page, nil
}

// copyTasks puts the tasks of a copy on its page: what workers hold, what
// waits, and what became of the others.
func (c *Cockpit) copyTasks(ctx context.Context, page *tui.CopyPage) (problems []string) {
	if c.broker == nil {
		return []string{"Tasks: " + probes.NotConfigured(probes.Redis, "CELERY_BROKER_URL").Error()}
	}
	rows, err := c.broker.CopyTasks(ctx, page.Copy.ID)
	for _, r := range rows {
		switch r.State {
		case celery.TaskWaiting:
			page.Messages = append(page.Messages, celery.Message{ID: r.ID, Task: r.Task, CopyID: r.CopyID, Args: r.Args,
				Retries: r.Retries, ETA: r.ETA, Queue: r.Queue, Priority: r.Priority})
		case celery.TaskReserved, celery.TaskScheduled, celery.TaskRunning, celery.TaskOrphaned:
			page.Tasks = append(page.Tasks, celery.Running{ID: r.ID, Task: r.Task, CopyID: r.CopyID, Args: r.Args,
				Started: r.Since, State: string(r.State), Worker: r.Worker, Queue: r.Queue})
		default:
			page.Results = append(page.Results, r)
		}
	}
	if err != nil {
		problems = []string{"Tasks: " + err.Error()}
	}
	return problems
}

func (c *Cockpit) copyLines(ctx context.Context, id string) (lines []logs.Line, problems []string) {
	if c.logs == nil {
		return nil, []string{"Logs: " + probes.NotConfigured(probes.Logs, "GRADING_LOG_DIR").Error()}
	}
	found, err := c.logs.Search(ctx, logs.Query{CopyID: strings.ToLower(id), Limit: copyLines})
	if err != nil {
		return nil, []string{"Logs: " + err.Error()}
	}
	if found.Truncated {
		problems = []string{"Logs: the search ended at its limit; older lines may exist."}
	}
	slices.Reverse(found.Lines) // newest last, as everywhere
	return found.Lines, problems
}

// Older reads the events before a place in the timeline.
func (c *Cockpit) Older(ctx context.Context, before grading.Cursor, n int) ([]grading.Event, error) {
	if c.grading == nil {
		return nil, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return c.grading.Older(ctx, before, n)
}
