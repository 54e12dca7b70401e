package queue

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

// queues has a line for each queue, and one for the tasks in it. Empty queues
// that nobody is known to take share one line.
func (v view) queues() []pane.Row {
	var rows []pane.Row
	var shown, idle []celery.Queue
	var names, depths []string
	for _, q := range v.o.Queues {
		if q.Depth == 0 && q.Consumed != celery.Yes {
			idle = append(idle, q)
			continue
		}
		shown = append(shown, q)
		names, depths = append(names, q.Name), append(depths, ui.Count(q.Depth))
	}
	nameW, depthW := widest(names, 20), widest(depths, 10)
	for _, q := range shown {
		rows = append(rows, v.queue(q, nameW, depthW))
		if says := byTask(q); says != "" {
			rows = append(rows, note("tasks "+q.Name, ui.Dim, " "+says))
		}
	}
	return append(rows, v.idle(idle)...)
}

// idle names the empty queues that nobody is known to take.
func (v view) idle(queues []celery.Queue) []pane.Row {
	if len(queues) == 0 {
		return nil
	}
	var names []string
	r := note("empty queues", ui.Dim, "")
	for _, q := range queues {
		names = append(names, q.Name)
		r.Also = append(r.Also, v.data(q))
	}
	r.Cells[0].Text = "empty: " + strings.Join(names, ", ")
	return []pane.Row{r}
}

// queue puts what is wrong before what is nice to know: the end is cut first.
func (v view) queue(q celery.Queue, nameW, depthW int) pane.Row {
	r := line("queue "+q.Name,
		pane.Text(ui.Accent, ui.Fit(q.Name, nameW)),
		pane.Text(depthTone(q), ui.FitRight(ui.Count(q.Depth), depthW)),
	)
	facts := []ui.Cell{v.consumed(q), v.trend(q), slope(q), v.oldest(q)}
	if q.Depth == 0 && !slices.ContainsFunc(q.History, func(n int64) bool { return n > 0 }) {
		facts = nil // nothing waits and nothing did
	}
	for _, c := range facts {
		if c.Text != "" {
			r.Cells = append(r.Cells, c)
		}
	}
	r.Target = &actions.Target{Kind: actions.OnQueue, ID: q.Name, Label: q.Name}
	r.Yank = q.Name
	r.Data = v.data(q)
	return r
}

func depthTone(q celery.Queue) ui.Tone {
	switch {
	case q.Depth == 0:
		return ui.Dim
	case q.Consumed == celery.No:
		return ui.Bad
	}
	return ui.Strong
}

// consumed speaks when tasks wait and no worker takes the queue.
func (v view) consumed(q celery.Queue) ui.Cell {
	switch {
	case q.Depth == 0:
	case q.Consumed == celery.No:
		return pane.Text(ui.Bad, ui.SignWarn+" no worker takes it")
	case q.Consumed == celery.Unknown:
		return pane.Text(ui.Dim, "taken by a worker?")
	}
	return ui.Cell{}
}

// trend is as wide in every line as the longest history needs, unless a warning
// has moved it already.
func (v view) trend(q celery.Queue) ui.Cell {
	longest := len(q.History)
	for _, other := range v.o.Queues {
		if v.consumed(q).Text == "" {
			longest = max(longest, len(other.History))
		}
	}
	values := make([]float64, len(q.History))
	for i, n := range q.History {
		values[i] = float64(n)
	}
	most := max(8, min(v.in.Width-48, 30))
	return pane.Text(ui.Accent, ui.Sparkline(values, min(longest, most)))
}

// slope is in messages a minute. From fewer samples than three there is none.
func slope(q celery.Queue) ui.Cell {
	switch {
	case !q.SlopeKnown:
		return ui.Cell{}
	case math.Abs(q.Slope) < 0.05:
		return pane.Text(ui.Dim, "steady")
	case math.Abs(q.Slope) < 9.95:
		return pane.Text(slopeTone(q.Slope), fmt.Sprintf("%+.1f/min", q.Slope))
	}
	return pane.Text(slopeTone(q.Slope), fmt.Sprintf("%+.0f/min", q.Slope))
}

func slopeTone(perMinute float64) ui.Tone {
	if perMinute > 0 {
		return ui.Warn
	}
	return ui.Good
}

// oldest is a lower bound: messages carry no time of their own.
func (v view) oldest(q celery.Queue) ui.Cell {
	if q.Oldest.IsZero() || q.Depth == 0 {
		return ui.Cell{}
	}
	return pane.Text(ui.Plain, "oldest "+ui.SignGuess+ui.Duration(v.in.Now.Sub(q.Oldest)))
}

func byTask(q celery.Queue) string {
	var parts []string
	seen := 0
	for _, t := range q.ByTask {
		parts = append(parts, pane.TaskName(t.Task)+" "+ui.Count(int64(t.Count)))
		seen += t.Count
	}
	if q.Sampled && len(parts) > 0 {
		parts = append(parts, ui.Count(int64(seen))+" looked at")
	}
	return pane.Joined(parts...)
}

// data is the queue for programs; what is not known is null.
func (v view) data(q celery.Queue) map[string]any {
	d := map[string]any{
		"kind": "queue", "key": "queue " + q.Name, "queue": q.Name, "depth": q.Depth,
		"by_task": map[string]int{}, "sampled": q.Sampled, "consumed": nil,
		"slope_per_minute": nil, "oldest_at_least_seconds": nil,
	}
	tasks := map[string]int{}
	for _, t := range q.ByTask {
		tasks[t.Task] = t.Count
	}
	d["by_task"] = tasks
	if q.Consumed != celery.Unknown {
		d["consumed"] = q.Consumed == celery.Yes
	}
	if q.SlopeKnown {
		d["slope_per_minute"] = q.Slope
	}
	if !q.Oldest.IsZero() {
		d["oldest_at_least_seconds"] = int(v.in.Now.Sub(q.Oldest).Seconds())
	}
	return d
}

// samples shows what is next to run, after everything that is more urgent.
func (v view) samples() []pane.Row {
	var rows []pane.Row
	for _, q := range v.o.Queues {
		if len(q.Sample) == 0 {
			continue
		}
		rows = append(rows, note("next "+q.Name, ui.Header, "next in "+q.Name))
		for i, m := range q.Sample {
			rows = append(rows, v.message(q, i, m))
		}
	}
	return rows
}

func (v view) message(q celery.Queue, i int, m celery.Message) pane.Row {
	key := "message " + m.ID
	if m.ID == "" {
		key = fmt.Sprintf("message %s %d", q.Name, i)
	}
	if m.Bad != "" {
		r := line(key, pane.Text(ui.Bad, " "+ui.SignBad+" cannot be decoded: "+m.Bad))
		r.Data = map[string]any{"kind": "message", "key": key, "queue": q.Name, "bad": m.Bad}
		return r
	}
	r := line(key, pane.Text(ui.Plain, " "+ui.Fit(pane.TaskName(m.Task), 18)))
	if label := v.labels.Of(m.CopyID, m.Args); label != "" {
		r.Cells = append(r.Cells, pane.Text(ui.Accent, ui.Fit(label, 10)))
	}
	for _, c := range v.details(m) {
		if c.Text != "" {
			r.Cells = append(r.Cells, c)
		}
	}
	r.Copy, r.Yank = v.labels.Copy(m.CopyID, m.Args), m.ID
	r.Data = map[string]any{
		"kind": "message", "key": key, "queue": q.Name, "task": m.Task, "task_id": m.ID,
		"copy": m.CopyID, "retries": m.Retries, "args": m.Args,
	}
	return r
}

func (v view) details(m celery.Message) []ui.Cell {
	var retries, eta ui.Cell
	if m.Retries > 0 {
		retries = pane.Text(ui.Warn, "retry "+ui.Count(int64(m.Retries)))
	}
	if m.ETA.After(v.in.Now) {
		eta = pane.Text(ui.Plain, "in "+ui.Duration(m.ETA.Sub(v.in.Now)))
	}
	return []ui.Cell{retries, eta, pane.Text(ui.Dim, rest(m.Args))}
}
