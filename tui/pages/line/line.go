// Package line is the page of one log record: all its fields, and the whole of
// its traceback, wrapped so that nothing is cut.
package line

import (
	"fmt"
	"strings"

	"gradecockpit/probes/logs"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{Kind: pane.KindLogLine, Title: "Log record", Text: text}
}

func text(in page.Input) page.Text {
	r, ok := in.Data.(logs.Record)
	if !ok {
		return page.Text{}
	}
	level := pane.LogLevel(r.Level)
	names := pane.NamesIn(in.Set)
	t := page.Text{Mark: strings.TrimSpace(level.Text), Tone: level.Tone, Links: pane.LogLinks(&r.Line, names), Yank: strings.Join(r.Text, "\n")}
	t.Paras = append(t.Paras, dialog.Para{Text: r.Message, Tone: ui.Strong}, dialog.Para{})
	for _, f := range fields(r, in, names) {
		t.Paras = append(t.Paras, dialog.Para{Head: ui.Pad(f.Name, 13), Text: f.Value})
	}
	if r.Cut {
		t.Paras = append(t.Paras, dialog.Para{Text: ui.SignWarn + fmt.Sprintf(" The record is longer than %d kB: here is its beginning.", logs.MaxRecord>>10), Tone: ui.Warn})
	}
	trace := r.Trace
	if len(r.Text) > 1 {
		trace = r.Text[1:] // as it stands, where it is lines of its own
	}
	if len(trace) > 0 {
		t.Paras = append(t.Paras, dialog.Para{}, dialog.Para{Text: ui.Plural(len(trace), "line") + " of traceback", Tone: ui.Header},
			dialog.Para{Exact: true, Text: strings.Join(wrapped(trace, in.Width), "\n")})
	}
	return t
}

// fields are what the record says, what people look for first.
func fields(r logs.Record, in page.Input, names pane.Names) []logs.Field {
	l := &r.Line
	all := []logs.Field{{Name: "time", Value: ui.Exact(l.At, in.Zone)}, {Name: "logger", Value: strings.TrimSpace(l.Origin + " " + l.Logger)}}
	add := func(name, value string) {
		if value != "" {
			all = append(all, logs.Field{Name: name, Value: value})
		}
	}
	add("request", strings.TrimSpace(l.Method+" "+l.Path))
	for _, name := range []string{"status_code", "user_id", "request_id", "task_id"} {
		value, _ := l.Value(name)
		add(strings.ReplaceAll(name, "_", " "), value)
	}
	if l.Duration > 0 {
		add("took", ui.Seconds(l.Duration.Seconds()))
	}
	if l.CopyID != "" {
		add("copy", copyName(l.CopyID, names))
	}
	for _, f := range l.Fields {
		add(f.Name, f.Value)
	}
	add("file", l.File)
	return all
}

// copyName is the copy as people call it, with its id where that says more.
func copyName(id string, names pane.Names) string {
	if label := names.Of(id, ""); !strings.HasPrefix(id, strings.TrimSuffix(label, "…")) {
		return label + " (" + id + ")"
	}
	return id
}

// wrapped breaks lines that are wider than w, and keeps their indentation for
// what is broken off.
func wrapped(lines []string, w int) []string {
	var out []string
	for _, l := range lines {
		indent := ui.Blank(min(len(l)-len(strings.TrimLeft(l, " "))+4, w/2))
		for first := true; first || l != ""; first = false {
			if !first {
				l = indent + l
			}
			head := fitting(l, w)
			out, l = append(out, head), l[len(head):]
		}
	}
	return out
}

// fitting is the beginning of a line that has room in w cells, one character at
// least.
func fitting(l string, w int) string {
	if ui.Width(l) <= w {
		return l
	}
	end := 0
	for i := range l {
		if i > 0 && ui.Width(l[:i]) > w {
			break
		}
		end = i
	}
	if end == 0 {
		return l
	}
	return l[:end]
}
