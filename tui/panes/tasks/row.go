package tasks

import (
	"math"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

func (v view) row(r celery.TaskRow) pane.Row {
	sign, tone := look(v.state(r))
	if doubtful(r) {
		sign, tone = ui.SignWarn, ui.Warn
	}
	task, copyName := pane.TaskName(r.Task), v.names.Of(r.CopyID, r.Args)
	if task == "" {
		task = ui.NotKnown // a result does not store it
	}
	row := pane.Row{
		Key: "task " + r.ID + " " + r.Queue,
		Cells: []ui.Cell{
			pane.Text(tone, sign+" "+string(v.state(r))), pane.Text(ui.Plain, task), pane.Text(ui.Accent, copyName),
			v.since(r), v.tries(r), where(r), pane.Text(says(tone), r.Says),
		},
		Copy: v.names.Copy(r.CopyID, r.Args), Yank: r.ID,
		Detail: detail(r),
		Trace:  r.Trace,
		Data:   v.data(r),
	}
	if r.ID != "" {
		label := strings.TrimSpace(pane.TaskName(r.Task) + " " + copyName)
		row.Target = &actions.Target{Kind: actions.OnTask, ID: r.ID, Label: label}
		row.Key = "task " + r.ID
		row.Links = []pane.Ref{{Kind: pane.KindTrace, ID: r.ID, Label: label}}
		if label == "" {
			row.Target.Label = r.ID
		}
	}
	return row
}

// doubtful tells whether a task is said to run, and something speaks against it.
func doubtful(r celery.TaskRow) bool { return r.State == celery.TaskRunning && r.Says != "" }

// look is the sign and tone of a state.
func look(s celery.TaskState) (string, ui.Tone) {
	switch s {
	case celery.TaskLost, celery.TaskSwallowed, celery.TaskFailed:
		return ui.SignBad, ui.Bad
	case celery.TaskOrphaned, celery.TaskBad, late:
		return ui.SignWarn, ui.Bad
	case celery.TaskRetrying:
		return ui.SignWarn, ui.Warn
	case celery.TaskRunning:
		return ui.SignDot, ui.Good
	case celery.TaskDone:
		return ui.SignGood, ui.Dim
	}
	return ui.SignHollow, ui.Dim
}

// says is loud where the state is: its reason is what to read next.
func says(state ui.Tone) ui.Tone {
	if state == ui.Bad || state == ui.Warn {
		return ui.Plain
	}
	return ui.Dim
}

// since is how long it is in its state; one that runs is held against the
// limit. ≥ marks what may be longer.
func (v view) since(r celery.TaskRow) ui.Cell {
	if r.Since.IsZero() {
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	c := pane.Age(r.Since, v.in.Now)
	if r.AtLeast {
		c.Text = ui.SignGuess + c.Text
	}
	if r.State == celery.TaskRunning && v.o.Limit > 0 {
		c.Text += " of " + ui.Duration(v.o.Limit)
	}
	if v.state(r) == late {
		c.Tone = ui.Bad
	}
	return c
}

// tries are the retries so far, and when the next one is due.
func (v view) tries(r celery.TaskRow) ui.Cell {
	var parts []string
	if r.Retries > 0 {
		parts = append(parts, "retry "+ui.Count(int64(r.Retries)))
	}
	if r.ETA.After(v.in.Now) {
		parts = append(parts, "in "+ui.Duration(r.ETA.Sub(v.in.Now)))
	}
	return pane.Number(ui.Warn, pane.Joined(parts...), float64(r.Retries))
}

func where(r celery.TaskRow) ui.Cell {
	if r.Worker != "" {
		return pane.Text(ui.Plain, r.Worker)
	}
	return pane.Text(ui.Dim, r.Queue)
}

// detail says in full what the columns cut.
func detail(r celery.TaskRow) []string {
	queue := ""
	if r.Queue != "" {
		queue = "queue " + r.Queue
	}
	out := []string{pane.Joined(r.Task, r.ID, queue, r.Args)}
	if out[0] == "" {
		return nil
	}
	return out
}

// data is the task for programs; what is not known is null.
func (v view) data(r celery.TaskRow) map[string]any {
	d := map[string]any{
		"key": r.ID, "task_id": r.ID, "task": r.Task, "copy": r.CopyID, "copy_label": v.names.Of(r.CopyID, r.Args), "state": string(r.State),
		"worker": r.Worker, "queue": r.Queue, "priority": r.Priority, "retries": r.Retries, "args": r.Args, "says": r.Says, "trace": r.Trace,
		"seconds": nil, "at_least": r.AtLeast, "eta_seconds": nil, "past_limit": v.state(r) == late,
	}
	if !r.Since.IsZero() {
		d["seconds"] = int(v.in.Now.Sub(r.Since).Seconds())
	}
	if !r.ETA.IsZero() {
		d["eta_seconds"] = int(r.ETA.Sub(v.in.Now).Seconds())
	}
	return d
}
