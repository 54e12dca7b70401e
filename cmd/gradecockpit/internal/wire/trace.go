package wire

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/trace"
)

const (
	// besideFor is how long database and queue may take when the logs have
	// answered: what they add must not keep the rest back.
	besideFor = 3 * time.Second
	// A request touches one copy as a rule; of a list of them the first ones count.
	tracedCopies = 3
	tracedTasks  = 10
	// nearRequest is how far from a request's records its events may lie.
	nearRequest = 10 * time.Second
)

// Trace puts together what logs, database and queue know of a request id, a
// task id, or a copy's row id or anonymous id. The sources are asked side by
// side; one that fails takes away its part and is named in Problems. An error
// is only an id that nothing can be looked for by.
func (c *Cockpit) Trace(ctx context.Context, id string) (trace.Trace, error) {
	if id = strings.TrimSpace(id); id == "" {
		return trace.Trace{}, errors.New("no id to trace")
	}
	t := tracing{c: c, parts: trace.Parts{ID: id}}
	var wg sync.WaitGroup
	beside, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { t.copy, t.copyErr = t.findCopy(beside) })
	t.readLogs(ctx, id)
	limit := time.AfterFunc(besideFor, cancel)
	wg.Wait()
	t.settleCopy(ctx)
	t.askBeside(beside)
	limit.Stop()
	return trace.Build(t.parts), nil
}

// tracing is one trace while it is put together.
type tracing struct {
	c       *Cockpit
	parts   trace.Parts
	copy    grading.CopyRef
	copyErr error

	mu sync.Mutex // for parts, while sources are asked side by side
}

func (t *tracing) problem(source string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := &t.parts.Problems
	if e := (*probes.Error)(nil); errors.As(err, &e) && e.Op == "not configured" {
		list = &t.parts.Unasked
	}
	*list = append(*list, source+": "+err.Error())
}

func (t *tracing) readLogs(ctx context.Context, id string) {
	p, err := t.c.Logs()
	if err == nil {
		t.parts.Logs, err = p.Trace(ctx, id)
	}
	if err != nil {
		t.problem("Logs", err)
	}
}

// findCopy asks the database whether the id is one of a copy.
func (t *tracing) findCopy(ctx context.Context) (grading.CopyRef, error) {
	if t.c.grading == nil {
		return grading.CopyRef{}, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return t.c.grading.Find(ctx, t.parts.ID)
}

// settleCopy takes a copy that the id names, and reads the logs for its row id
// where they do not know the id itself. A copy whose id only begins so counts
// when the logs know nothing of the id.
func (t *tracing) settleCopy(ctx context.Context) {
	exact := strings.EqualFold(t.copy.ID, t.parts.ID) || strings.EqualFold(t.copy.Anon, t.parts.ID)
	switch {
	case isNotFound(t.copyErr):
	case t.copyErr != nil:
		t.problem("Database", t.copyErr)
	case exact || len(t.parts.Logs.Records) == 0:
		t.parts.Copy = t.copy
		if !strings.EqualFold(t.copy.ID, t.parts.ID) {
			t.parts.Problems, t.parts.Unasked = nil, nil // the logs said what they had to, if anything
			t.readLogs(ctx, t.copy.ID)
		}
	}
	if t.copyErr != nil && slices.Contains(t.parts.Logs.Copies, strings.ToLower(t.parts.ID)) {
		t.parts.Copy = grading.CopyRef{ID: strings.ToLower(t.parts.ID)} // the logs call it a copy's
	}
}

// askBeside reads events and tasks side by side.
func (t *tracing) askBeside(ctx context.Context) {
	var wg sync.WaitGroup
	copies := []string{t.parts.Copy.ID}
	if t.parts.Copy.ID == "" {
		copies = t.parts.Logs.Copies[:min(len(t.parts.Logs.Copies), tracedCopies)]
	}
	if len(copies) > 0 && copies[0] != "" && (t.copyErr == nil || isNotFound(t.copyErr)) {
		wg.Go(func() { t.readEvents(ctx, copies) })
	}
	wg.Go(func() { t.readTasks(ctx) })
	wg.Wait()
}

// isNotFound tells of a database that answered, and knows no such copy.
func isNotFound(err error) bool {
	var unknown *grading.NotFound
	var several *grading.Ambiguous
	return errors.As(err, &unknown) || errors.As(err, &several)
}

// readEvents reads the audit events of the copies; of a copy that only a
// request or a task names, those around its records.
func (t *tracing) readEvents(ctx context.Context, copies []string) {
	for _, id := range copies {
		d, err := t.c.grading.Dossier(ctx, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			t.problem("Audit events", err)
			return
		}
		events := d.Events
		if t.parts.Copy.ID == "" {
			events = t.near(events)
		}
		t.mu.Lock()
		t.parts.Events = append(t.parts.Events, events...)
		t.mu.Unlock()
	}
}

// near keeps the events around the records of the logs.
func (t *tracing) near(events []grading.Event) []grading.Event {
	r := t.parts.Logs.Records
	first, last := r[0].When.Add(-nearRequest), r[len(r)-1].When.Add(nearRequest)
	return slices.DeleteFunc(slices.Clone(events), func(e grading.Event) bool { return e.At.Before(first) || e.At.After(last) })
}

// readTasks asks the queue for the tasks of the copy, or for those that the
// records name.
func (t *tracing) readTasks(ctx context.Context) {
	if t.c.broker == nil {
		t.problem("Tasks", probes.NotConfigured(probes.Redis, "CELERY_BROKER_URL"))
		return
	}
	if t.parts.Copy.ID != "" {
		rows, err := t.c.broker.CopyTasks(ctx, t.parts.Copy.ID)
		t.parts.Tasks = rows
		if err != nil {
			t.problem("Tasks", err)
		}
		return
	}
	ids := t.parts.Logs.Tasks
	if len(ids) == 0 {
		ids = []string{t.parts.ID}
	}
	for _, id := range ids[:min(len(ids), tracedTasks)] {
		if err := t.readTask(ctx, id); err != nil {
			t.problem("Tasks", err)
			return
		}
	}
}

// readTask looks for one task among the results, then among the messages.
func (t *tracing) readTask(ctx context.Context, id string) error {
	r, found, err := t.c.broker.Result(ctx, id)
	if err == nil && found {
		t.parts.Tasks = append(t.parts.Tasks, r.Row())
		return nil
	}
	if _, notTask := uuid.Parse(id); err != nil || notTask != nil {
		return err // Celery gives tasks uuids; a walk through the queues is not for anything else
	}
	m, state, found, err := t.c.broker.FindTask(ctx, id)
	if found {
		row := celery.TaskRow{ID: m.ID, Task: m.Task, CopyID: m.CopyID, Args: m.Args, Queue: m.Queue, Retries: m.Retries, State: celery.TaskReserved}
		if state == celery.StateWaiting {
			row.State = celery.TaskWaiting
		}
		t.parts.Tasks = append(t.parts.Tasks, row)
	}
	return err
}
