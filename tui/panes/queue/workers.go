package queue

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// old is the age from which the workers' answer is marked: control is asked
// less often than depth.
const old = 30 * time.Second

// workers has a line for each worker and for each task it runs.
func (v view) workers() []pane.Row {
	var rows []pane.Row
	if says, tone := v.silence(); says != "" {
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

// silence says what is wrong with the workers' answers; "" when nothing is.
func (v view) silence() (string, ui.Tone) {
	answered, listening := len(v.o.Workers), v.o.Receivers
	switch {
	case v.o.WorkersErr != "":
		return ui.SignBad + " workers: " + v.o.WorkersErr, ui.Bad
	case v.o.WorkersAt.IsZero() && answered == 0:
		return "workers have not been asked yet", ui.Dim
	case answered == 0 && listening == 0:
		return ui.SignBad + " no worker listens: nothing runs until one is started", ui.Bad
	case answered < listening:
		return ui.SignWarn + " " + ui.Count(int64(listening-answered)) + " of " +
			ui.Plural(listening, "worker") + " did not answer in time; a busy one may be late", ui.Warn
	case v.in.Now.Sub(v.o.WorkersAt) > old:
		return "workers, as of " + ui.Ago(v.in.Now.Sub(v.o.WorkersAt)), ui.Dim
	}
	return "", ui.Plain
}

func (v view) worker(w celery.Worker, width int) []pane.Row {
	r := line("worker "+w.Name, pane.Text(ui.Plain, ui.Fit(w.Name, width)), load(w))
	r.Yank = w.Name
	r.Data = map[string]any{
		"kind": "worker", "key": r.Key, "worker": w.Name, "pool": known(w.Pool), "busy": busy(w), "queues": w.Queues,
	}
	rows := []pane.Row{r}
	held := 0
	for _, t := range w.Running {
		if t.State != "running" {
			held++
			continue
		}
		rows = append(rows, v.task(t))
	}
	if held > 0 {
		rows[0].Cells = append(rows[0].Cells, pane.Text(ui.Dim, ui.Count(int64(held))+" more in hand"))
	}
	return rows
}

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
	switch {
	case n == 0:
		return pane.Text(ui.Good, ui.SignHollow+" "+share+" idle")
	case n >= w.Pool && w.Pool > 0:
		return pane.Text(ui.Warn, ui.SignDot+" "+share+" full")
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
func (v view) task(t celery.Running) pane.Row {
	r := line("task "+t.ID, pane.Text(ui.Plain, "  "+short(t.Task)))
	if t.CopyID != "" {
		r.Cells = append(r.Cells, pane.Text(ui.Accent, v.label(t.CopyID)))
		r.Copy = t.CopyID
	}
	d := map[string]any{"kind": "running", "key": r.Key, "worker": t.Worker, "task": t.Task, "task_id": t.ID, "copy": t.CopyID, "seconds": nil}
	if !t.Started.IsZero() {
		running := max(v.in.Now.Sub(t.Started), 0)
		r.Cells = append(r.Cells, pane.Text(ui.Strong, ui.Fine(running)))
		d["seconds"] = int(running.Seconds())
	}
	r.Yank, r.Data = t.ID, d
	return r
}

// unacked is apart: it is neither waiting nor certainly running.
func (v view) unacked() []pane.Row {
	if v.o.Unacked == 0 {
		return nil
	}
	r := note("unacked", ui.Warn, ui.SignWarn+" "+ui.Count(v.o.Unacked)+" unacked: taken by a worker, not done; a purge does not reach them")
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
