// Package trace is the page of everything that has to do with one request, task
// or copy, in order of time: requests, what the application logged, tasks,
// audit events, with the time between.
package trace

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/trace"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// A second between two steps is worth a look; five are an incident by the
// playbook's scenario 4.
const (
	long    = time.Second
	tooLong = 5 * time.Second
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindTrace, Title: "Trace", Word: "trace", Takes: 30 * time.Second,
		Help: "a request id, task id or copy: all its steps in logs, audit trail and queue",
		Rows: func(ref pane.Ref) pane.Spec { return spec{ref} }}
}

type spec struct{ ref pane.Ref }

func (spec) ID() pane.ID        { return "trace" }
func (s spec) Title() string    { return "Trace " + s.ref.Name() }
func (spec) Needs() []probes.ID { return []probes.ID{pane.ReadID, grading.ID} }
func (spec) Actions() []string  { return nil }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "TIME", Min: 12, Max: 18},
		{Title: "GAP", Min: 6, Max: 8, Right: true},
		{Title: "KIND", Min: 7, Max: 7},
		{Title: "TRACE", Min: 5, Max: 5, Right: true, Drop: 1},
		{Title: "FROM", Min: 8, Max: 18, Drop: 2, Ends: true},
		{Title: "WHAT", Min: 26},
	}
}

func (s spec) Content(in pane.Input) pane.Content {
	t, ok := in.Data.(trace.Trace)
	if !ok {
		return pane.Content{}
	}
	c := pane.Content{Summary: summary(t), Notes: notes(t), Empty: nothing(t, in)}
	names := pane.NamesIn(in.Set)
	days := severalDays(t.Steps, in.Zone)
	for i := range t.Steps {
		c.Rows = append(c.Rows, row(i, &t.Steps[i], in, names, days))
	}
	return c
}

func nothing(t trace.Trace, in pane.Input) string {
	return "Nothing names " + t.ID + ": " + pane.LogsLooked(t.Looked, in) + " in the logs. An anonymous id needs the database; a request that succeeded may have left no record."
}

// summary says how long it took altogether, and where the time went.
func summary(t trace.Trace) string {
	failed, longest := 0, time.Duration(0)
	for i := range t.Steps {
		s := &t.Steps[i]
		if ours(s) {
			longest = max(longest, s.Gap)
		}
		if s.Failed {
			failed++
		}
	}
	bad, wait := "", ""
	if failed > 0 {
		bad = ui.SignBad + " " + ui.Count(int64(failed)) + " failed"
	}
	if longest >= long {
		wait = "longest wait " + span(longest)
	}
	steps := ui.Plural(len(t.Steps), "step")
	if len(t.Steps) > 1 {
		steps += " in " + span(t.Took)
	}
	return pane.Joined(steps, bad, wait)
}

func notes(t trace.Trace) []ui.Cell {
	out := pane.LogNotes(t.Problems)
	for _, s := range t.Unasked {
		out = append(out, pane.Text(ui.Dim, "Not asked: "+s))
	}
	return out
}

// severalDays tells whether the time of day alone does not say when.
func severalDays(steps []trace.Step, zone *time.Location) bool {
	var first time.Time
	for _, s := range steps {
		switch {
		case s.At.IsZero():
		case first.IsZero():
			first = in(s.At, zone)
		case in(s.At, zone).YearDay() != first.YearDay():
			return true
		}
	}
	return false
}

func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.UTC()
	}
	return t.In(zone)
}

func row(i int, s *trace.Step, input pane.Input, names pane.Names, days bool) pane.Row {
	r := pane.Row{
		Key:   fmt.Sprint(i, " ", s.At.UnixNano(), " ", s.Kind),
		Cells: []ui.Cell{when(s, input.Zone, days), gap(i, s), pane.Text(ui.Dim, string(s.Kind)), fold(s), pane.Text(ui.Dim, s.From), what(s, names)},
		Copy:  s.CopyID, Trace: s.Trace, Yank: s.RequestID,
		Links: links(s, names),
	}
	if r.Yank == "" {
		r.Yank = s.Text
	}
	if s.Why != "" {
		r.Detail = append(r.Detail, "Here because: "+s.Why+".")
	}
	if s.Line != nil {
		r.Detail = append(r.Detail, pane.LogDetail(s.Line))
		if s.Line.Place != "" && !s.Derived {
			r.Opens = pane.Ref{Kind: pane.KindLogLine, ID: s.Line.Place, Label: s.At.UTC().Format("15:04:05") + " " + s.Line.Logger}
		}
	}
	return r
}

func when(s *trace.Step, zone *time.Location, days bool) ui.Cell {
	if s.At.IsZero() {
		return pane.Text(ui.Dim, "now")
	}
	layout := "15:04:05.000"
	if days {
		layout = "01-02 15:04:05.000"
	}
	return pane.Number(ui.Plain, in(s.At, zone).Format(layout), float64(s.At.UnixMicro()))
}

// ours tells of a step that the system was waited for. Before an event it may
// have been a person who took the time.
func ours(s *trace.Step) bool { return s.Kind != trace.Event }

// gap is the time since the step before; a long one is loud.
func gap(i int, s *trace.Step) ui.Cell {
	switch {
	case s.At.IsZero() || i == 0:
		return pane.Number(ui.Dim, "", math.NaN())
	case !ours(s):
		return pane.Number(ui.Dim, "+"+span(s.Gap), s.Gap.Seconds())
	case s.Gap >= tooLong:
		return pane.Number(ui.Bad, ui.SignWarn+"+"+span(s.Gap), s.Gap.Seconds())
	case s.Gap >= long:
		return pane.Number(ui.Warn, "+"+span(s.Gap), s.Gap.Seconds())
	}
	return pane.Number(ui.Dim, "+"+span(s.Gap), s.Gap.Seconds())
}

// span is a time between two steps: 0ms, 40ms, 1.2s, 3m12s, 1h02m.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "0ms"
	case d < time.Minute:
		return ui.Seconds(d.Seconds())
	}
	return ui.Fine(d)
}

func fold(s *trace.Step) ui.Cell {
	if len(s.Trace) == 0 {
		return pane.Number(ui.Dim, "", 0)
	}
	return pane.Number(ui.Accent, fmt.Sprint(ui.SignFold, " ", len(s.Trace)), float64(len(s.Trace)))
}

func what(s *trace.Step, names pane.Names) ui.Cell {
	text := s.Text
	if s.CopyID != "" {
		text = strings.Replace(text, s.CopyID, names.Of(s.CopyID, ""), 1)
	}
	switch {
	case s.Failed:
		return pane.Text(ui.Bad, ui.SignBad+" "+text)
	case s.Level == "WARNING":
		return pane.Text(ui.Warn, ui.SignWarn+" "+text)
	case s.Derived:
		return pane.Text(ui.Dim, text)
	}
	return pane.Text(ui.Plain, text)
}

func links(s *trace.Step, names pane.Names) []pane.Ref {
	if s.Line != nil {
		return pane.LogLinks(s.Line, names)
	}
	var out []pane.Ref
	if s.TaskID != "" {
		out = append(out, pane.TraceRef("task", s.TaskID))
	}
	return out
}
