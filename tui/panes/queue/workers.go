package queue

import (
	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// workers has a line for each worker and for each task it runs.
func (v view) workers() []pane.Row {
	var rows []pane.Row
	if says, tone := pane.Silence(v.o, v.in.Now); says != "" {
		rows = append(rows, note("workers", tone, says))
	}
	var names []string
	for _, w := range v.o.Workers {
		names = append(names, w.Name)
	}
	width := widest(names, 24)
	for _, w := range v.o.Workers {
		rows = append(rows, v.worker(w, width)...)
	}
	return rows
}

// worker has its first task on its own line, the others below it.
func (v view) worker(w celery.Worker, width int) []pane.Row {
	r := line("worker "+w.Name, pane.Text(ui.Plain, ui.Fit(w.Name, width)), load(w))
	r.Yank = w.Name
	r.Data = v.workerData(w)
	rows := []pane.Row{r}
	for _, t := range w.Running {
		if t.State != "running" {
			continue
		}
		if len(rows) == 1 && rows[0].Copy == "" && len(rows[0].Cells) == 2 {
			rows[0].Cells, rows[0].Copy = append(rows[0].Cells, v.task(t)...), v.labels.Copy(t.CopyID, t.Args)
			continue
		}
		indent := pane.Text(ui.Plain, ui.Blank(width+gapTo(load(w))))
		rows = append(rows, pane.Row{Key: "task " + t.ID, Span: true, Cells: append([]ui.Cell{indent}, v.task(t)...),
			Copy: v.labels.Copy(t.CopyID, t.Args), Links: []pane.Ref{{Kind: pane.KindTrace, ID: t.ID, Label: pane.TaskName(t.Task)}}, Yank: t.ID})
	}
	if held := len(w.Running) - busy(w); held > 0 {
		rows[0].Cells = append(rows[0].Cells, pane.Text(ui.Dim, "+"+ui.Count(int64(held))+" reserved"))
	}
	return rows
}

// gapTo is the room that a worker's load takes on the line above.
func gapTo(load ui.Cell) int { return 2 + ui.Width(load.Text) }

// busy counts what a worker runs now, without what it only holds.
func busy(w celery.Worker) int {
	n := 0
	for _, t := range w.Running {
		if t.State == "running" {
			n++
		}
	}
	return n
}

func load(w celery.Worker) ui.Cell {
	pool := ui.NotKnown
	if w.Pool >= 0 {
		pool = ui.Count(int64(w.Pool))
	}
	n := busy(w)
	share := ui.Count(int64(n)) + "/" + pool
	if pane.Ails(w.State) {
		word, tone := pane.WorkerState(w.State)
		return pane.Text(tone, word)
	}
	switch {
	case n == 0:
		return pane.Text(ui.Good, ui.SignHollow+" "+share+" idle")
	case n >= w.Pool && w.Pool > 0: // what waits has to wait for it
		return pane.Text(ui.Warn, ui.SignDot+" "+share+" busy")
	}
	return pane.Text(ui.Good, ui.SignDot+" "+share+" busy")
}

// known gives null for a number below 0, which stands for not known.
func known(n int) any {
	if n < 0 {
		return nil
	}
	return n
}

// task is what a worker runs, with its copy and for how long.
func (v view) task(t celery.Running) []ui.Cell {
	cells := []ui.Cell{pane.Text(ui.Plain, pane.TaskName(t.Task))}
	if label := v.labels.Of(t.CopyID, t.Args); label != "" {
		cells = append(cells, pane.Text(ui.Accent, label))
	}
	if !t.Started.IsZero() {
		cells = append(cells, pane.Text(ui.Strong, ui.Fine(v.in.Now.Sub(t.Started))))
	}
	return cells
}

// workerData is the worker for programs; what is not known is null.
func (v view) workerData(w celery.Worker) map[string]any {
	tasks := []map[string]any{}
	for _, t := range w.Running {
		d := map[string]any{"task": t.Task, "task_id": t.ID, "copy": t.CopyID, "state": t.State, "seconds": nil}
		if !t.Started.IsZero() {
			d["seconds"] = int(v.in.Now.Sub(t.Started).Seconds())
		}
		tasks = append(tasks, d)
	}
	return map[string]any{
		"kind": "worker", "key": "worker " + w.Name, "worker": w.Name, "pool": known(w.Pool), "queues": w.Queues, "tasks": tasks,
	}
}

// unacked is apart: it is neither waiting nor certainly running.
func (v view) unacked() []pane.Row {
	if v.o.Unacked == 0 {
		return nil
	}
	says, tone := ui.Count(v.o.Unacked)+" unacked: in workers' hands, beyond a purge", ui.Dim
	t, _, known := probes.Of[celery.Tasks](v.in.Set, celery.TasksID)
	switch n := t.Counts[celery.TaskOrphaned]; {
	case n > 0:
		says, tone = ui.SignWarn+" "+ui.Count(v.o.Unacked)+" unacked, "+ui.Count(int64(n))+" of them orphaned: their worker is gone", ui.Warn
	case !known:
		says, tone = ui.SignWarn+" "+says, ui.Warn
	}
	r := note("unacked", tone, says)
	r.Data = map[string]any{"kind": "unacked", "key": r.Key, "count": v.o.Unacked}
	return []pane.Row{r}
}

func (v view) quarantines() []pane.Row {
	var rows []pane.Row
	for _, q := range v.o.Quarantines {
		r := line("quarantine "+q.ID+" "+q.Queue, pane.Text(ui.Plain, "quarantine "+q.ID),
			pane.Text(ui.Strong, ui.Plural(int(q.Count), "message")), pane.Text(ui.Plain, "from "+q.Queue))
		if !q.At.IsZero() {
			r.Cells = append(r.Cells, pane.Text(ui.Dim, ui.Ago(v.in.Now.Sub(q.At))))
		}
		r.Target = &actions.Target{Kind: actions.OnQuarantine, ID: q.ID, Label: q.Queue}
		r.Yank = q.ID
		r.Data = map[string]any{"kind": "quarantine", "key": r.Key, "id": q.ID, "queue": q.Queue, "count": q.Count}
		rows = append(rows, r)
	}
	return rows
}
