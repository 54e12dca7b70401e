package workers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// rows is a worker, and under it the reason when it is not well.
func (v view) rows(w celery.Worker) []pane.Row {
	word, tone := pane.WorkerState(w.State)
	tasks := oldestFirst(w)
	r := pane.Row{
		Key: w.Name,
		Cells: []ui.Cell{
			pane.Text(tone, word), pane.Text(ui.Plain, w.Name), slots(w), v.runs(w, tasks), takes(w), holds(w),
			known(w.Scheduled), up(w), pane.Text(ui.Dim, w.Version), pane.Text(ui.Dim, done(w)),
		},
		Target: &actions.Target{Kind: actions.OnWorker, ID: w.Name, Label: w.Name},
		Yank:   w.Name,
		Detail: v.detail(w, tasks),
		Data:   v.data(w, tasks),
	}
	if len(tasks) > 0 {
		r.Copy = v.names.Copy(tasks[0].CopyID, tasks[0].Args)
	}
	if !pane.Ails(w.State) || w.Why == "" {
		return []pane.Row{r}
	}
	why := pane.Row{Key: "why " + w.Name, Span: true, Skip: true, Under: true, Cells: []ui.Cell{pane.Text(tone, "  "+ui.SignRight+" "+w.Why)}}
	return []pane.Row{r, why}
}

// oldestFirst are the tasks that run, the oldest first: that is the one to
// worry about.
func oldestFirst(w celery.Worker) []celery.Running {
	tasks := slices.DeleteFunc(slices.Clone(w.Running), func(t celery.Running) bool { return t.State != "running" })
	slices.SortStableFunc(tasks, func(a, b celery.Running) int { return a.Started.Compare(b.Started) })
	return tasks
}

func slots(w celery.Worker) ui.Cell {
	n := busy(w)
	used, pool, tone := ui.Count(int64(n)), ui.NotKnown, ui.Plain
	if w.Pool >= 0 {
		pool = ui.Count(int64(w.Pool))
	}
	if n == 0 {
		tone = ui.Dim
	}
	if n == 0 && pane.Mute(w.State) {
		return pane.Number(tone, ui.NotKnown+"/"+pool, math.NaN())
	}
	return pane.Number(tone, used+"/"+pool, float64(n))
}

// runs is the oldest task, and how many more there are.
func (v view) runs(w celery.Worker, tasks []celery.Running) ui.Cell {
	switch {
	case len(tasks) == 0 && pane.Mute(w.State):
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	case len(tasks) == 0:
		return pane.Number(ui.Dim, "nothing", 0)
	}
	says, age := v.task(tasks[0])
	if n := len(tasks) - 1; n > 0 {
		says += "  +" + ui.Count(int64(n))
	}
	tone := ui.Plain
	if age.Tone == ui.Bad {
		tone = ui.Bad
	}
	return pane.Number(tone, says, age.SortNum)
}

// task is a task with its copy and its age, and the age alone.
func (v view) task(t celery.Running) (string, ui.Cell) {
	age := pane.RunTime(t.Started, v.in.Now, v.limit)
	parts := []string{pane.TaskName(t.Task), v.names.Of(t.CopyID, t.Args), age.Text}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " "), age
}

func takes(w celery.Worker) ui.Cell {
	if len(w.Queues) == 0 {
		return pane.Text(ui.Dim, ui.NotKnown)
	}
	tone := ui.Plain
	if w.State == celery.WrongQueue {
		tone = ui.Bad
	}
	return pane.Text(tone, strings.Join(w.Queues, ", "))
}

// holds is what it has taken and not started, beside what it may take.
func holds(w celery.Worker) ui.Cell {
	c := known(w.Reserved)
	if w.Reserved >= 0 && w.Prefetch > 0 {
		c.Text += "/" + ui.Count(int64(w.Prefetch))
	}
	return c
}

// known is a number that is not known below 0.
func known(n int) ui.Cell {
	switch {
	case n < 0:
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	case n == 0:
		return pane.Number(ui.Dim, "0", 0)
	}
	return pane.Number(ui.Plain, ui.Count(int64(n)), float64(n))
}

func up(w celery.Worker) ui.Cell {
	if w.Uptime <= 0 {
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	return pane.Number(ui.Dim, ui.Duration(w.Uptime), w.Uptime.Seconds())
}

func done(w celery.Worker) string {
	var parts []string
	for _, t := range w.Totals {
		parts = append(parts, pane.TaskName(t.Task)+" "+ui.Count(int64(t.Count)))
	}
	return pane.Joined(parts...)
}

// detail is what is known of the chosen worker, the reason for its state first
// where the line under it does not give that in full.
func (v view) detail(w celery.Worker, tasks []celery.Running) []string {
	var out []string
	if inline := ui.Width(w.Why) + 6; w.Why != "" && (!pane.Ails(w.State) || inline > v.in.Width) {
		word, _ := pane.WorkerState(w.State)
		out = append(out, word+": "+w.Why)
	}
	for i, t := range tasks {
		if says, _ := v.task(t); i > 0 {
			out = append(out, "also runs "+says)
		}
	}
	return append(out, v.heard(w))
}

// heard is where it runs and when it was last heard.
func (v view) heard(w celery.Worker) string {
	pids, beat := "", "no event seen from it yet"
	if w.PID > 0 {
		pids = fmt.Sprintf("pid %d", w.PID)
	}
	for i, p := range w.Processes {
		pids += []string{", pool ", ", "}[min(i, 1)] + fmt.Sprint(p)
	}
	if !w.LastBeat.IsZero() {
		beat = "last event " + ui.Ago(v.in.Now.Sub(w.LastBeat))
	}
	return pane.Joined(w.Name, strings.TrimPrefix(pids, ", "), beat)
}

// data is the worker for programs; what is not known is null.
func (v view) data(w celery.Worker, tasks []celery.Running) map[string]any {
	running := []map[string]any{}
	for _, t := range tasks {
		d := map[string]any{"task": t.Task, "task_id": t.ID, "copy": t.CopyID, "seconds": nil}
		if !t.Started.IsZero() {
			d["seconds"] = int(v.in.Now.Sub(t.Started).Seconds())
		}
		running = append(running, d)
	}
	totals := map[string]int{}
	for _, t := range w.Totals {
		totals[t.Task] = t.Count
	}
	queues := w.Queues
	if queues == nil {
		queues = []string{}
	}
	d := map[string]any{
		"key": w.Name, "worker": w.Name, "state": string(state(w)), "why": w.Why, "pool": orNull(w.Pool), "busy": len(tasks), "queues": queues,
		"running": running, "prefetch": orNull(w.Prefetch), "reserved": orNull(w.Reserved), "scheduled": orNull(w.Scheduled),
		"version": w.Version, "totals": totals, "pid": w.PID, "uptime_seconds": nil, "last_event_seconds": nil,
	}
	if w.Uptime > 0 {
		d["uptime_seconds"] = int(w.Uptime.Seconds())
	}
	if !w.LastBeat.IsZero() {
		d["last_event_seconds"] = int(v.in.Now.Sub(w.LastBeat).Seconds())
	}
	return d
}

func orNull(n int) any {
	if n < 0 {
		return nil
	}
	return n
}
