package events

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// complete is the part about single copies: which events are missing or wrong
// on which copy, since when, by which rule, and how sure that is.
func (v view) complete() (rows []pane.Row, summary string) {
	o, snap, ok := probes.Of[audit.Overview](v.in.Set, audit.ID)
	switch {
	case !ok && snap.Err == nil:
		return []pane.Row{note("completeness", ui.Dim, "Completeness: the copies have not been looked through yet.")}, ""
	case !ok:
		return []pane.Row{note("completeness", ui.Warn, "Completeness: "+snap.Err.Error())}, ""
	case !o.Here():
		return []pane.Row{note("completeness", ui.Warn, strings.TrimSpace("Completeness: "+o.Missing+" "+o.Fix))}, ""
	}
	rows = append(rows, heading("completeness", "Completeness: "+lookedAt(o)))
	for _, p := range o.Problems {
		rows = append(rows, v.problem(p))
		for _, r := range o.Rows {
			if r.Name == p.Name {
				rows = append(rows, v.example(r))
			}
		}
	}
	for i, says := range append(o.Blind, v.agreement(o)...) {
		rows = append(rows, note(fmt.Sprintf("note %d", i), ui.Dim, says))
	}
	return rows, lacking(o)
}

// lookedAt says how much was looked at.
func lookedAt(o audit.Overview) string {
	says := fmt.Sprintf("%s with %s", ui.Plural(o.Looked, "copy"), ui.Plural(o.Events, "event"))
	if o.Looked != 1 {
		says = fmt.Sprintf("%s copies with %s events", ui.Count(int64(o.Looked)), ui.Count(int64(o.Events)))
	}
	switch {
	case !o.Whole:
		return says + " looked at so far"
	case len(o.Problems) == 0:
		return says + ": nothing is missing by the rules"
	}
	return says + " looked at"
}

// lacking is for the title.
func lacking(o audit.Overview) string {
	events, copies := o.Lacking()
	switch {
	case events > 0:
		return ui.SignWarn + " " + ui.Plural(events, "event") + " missing"
	case copies > 0:
		return fmt.Sprintf("%s %d copies without any", ui.SignWarn, copies)
	}
	return ""
}

// problem is a heading with the rule, in words.
func (v view) problem(p audit.Problem) pane.Row {
	what := string(p.Kind)
	if p.Kind == audit.Missing {
		what = "no " + p.Action
	}
	r := pane.Row{Key: "problem " + p.Name, Span: true, Skip: true, Cells: []ui.Cell{
		pane.Text(tone(p), sign(p)+what), pane.Text(tone(p), "on "+ui.Count(int64(p.Copies))), pane.Text(ui.Dim, p.Why),
	}}
	r.Data = map[string]any{"problem": p.Name, "kind": string(p.Kind), "action": p.Action, "copies": p.Copies, "events": p.Events, "sure": string(p.Sure), "says": p.Why, "earliest": stamp(p.Earliest)}
	return r
}

func tone(p audit.Problem) ui.Tone {
	if p.Kind == audit.Reused {
		return ui.Dim
	}
	return ui.Warn
}

func sign(p audit.Problem) string {
	if p.Kind == audit.Reused {
		return ""
	}
	return ui.SignWarn + " "
}

// copyWidth is that of an anonymous id of a single import.
const copyWidth = 15

// example is one copy: enter opens it, and the actions on a copy apply.
func (v view) example(r audit.Row) pane.Row {
	since := ui.NotKnown
	if !r.Since.IsZero() {
		since = ui.Clock(r.Since, v.now, v.in.Zone)
	}
	return pane.Row{
		Key: r.Name + " " + r.Copy.ID, Span: true, Copy: r.Copy.ID, Target: pane.OnCopy(r.Copy), Yank: r.Copy.ID,
		Cells: []ui.Cell{
			pane.Text(ui.Plain, " "+ui.Pad(ui.Cut(r.Copy.Label(), copyWidth), copyWidth)), pane.Text(ui.Plain, ui.Pad(r.Status, 8)),
			pane.Text(ui.Plain, ui.Pad(since, 11)), pane.Text(ui.Dim, ui.Pad(string(r.Sure), 7)), pane.Text(tone(r.Problem), r.Says()),
		},
		Detail: []string{r.Why},
		Data: map[string]any{"problem": r.Name, "kind": string(r.Kind), "action": r.Action, "copy": r.Copy.ID, "anonymous_id": r.Copy.Anon, "status": r.Status,
			"since": stamp(r.Since), "times": r.Times, "users": r.Users, "sure": string(r.Sure), "says": r.Why},
	}
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// agreement compares with audit.log, where the logs are read.
func (v view) agreement(o audit.Overview) []string {
	l, _, ok := probes.Of[logs.Overview](v.in.Set, logs.ID)
	if !ok {
		return nil
	}
	return audit.Agree(o, l.Recent).Says()
}

func heading(key, says string) pane.Row {
	return pane.Row{Key: key, Span: true, Skip: true, Cells: []ui.Cell{pane.Text(ui.Header, says)}}
}

func note(key string, t ui.Tone, says string) pane.Row {
	return pane.Row{Key: key, Span: true, Skip: true, Cells: []ui.Cell{pane.Text(t, says)}}
}
