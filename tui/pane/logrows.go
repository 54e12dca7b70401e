package pane

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/logs"
	"gradecockpit/tui/ui"
)

// LogColumns are the columns of log records, wherever they are listed.
func LogColumns() []ui.Column {
	return []ui.Column{
		{Title: "TIME", Min: 8, Max: 11},
		{Title: "LEVEL", Min: 9, Max: 10},
		{Title: "TRACE", Min: 5, Max: 5, Right: true, Drop: 1},
		{Title: "LOGGER", Min: 10, Max: 18, Drop: 2, Ends: true},
		{Title: "MESSAGE", Min: 26},
	}
}

// LogRows makes a row of each record. A traceback is folded: the row says how
// long it is, and enter opens it.
func LogRows(lines []logs.Line, in Input) []Row {
	names, seen := NamesIn(in.Set), map[string]int{}
	origins := severalOrigins(lines)
	var rows []Row
	for i := range lines {
		l := &lines[i]
		row := logRow(l, in, names)
		if !origins && l.Origin != "" {
			row.Cells[3].Text = l.Logger
		}
		if n := seen[row.Key]; n > 0 {
			row.Key = fmt.Sprint(row.Key, " ", n)
		}
		seen[logKey(l)]++
		rows = append(rows, row)
	}
	return rows
}

// NewestFirst orders records by time, and keeps one without a time after the one
// before it: several processes write one file, each a little late.
func NewestFirst(lines []logs.Line) []logs.Line {
	type timed struct {
		logs.Line
		at time.Time
	}
	all := make([]timed, len(lines))
	for i, l := range lines {
		all[i] = timed{l, l.At}
		if l.At.IsZero() && i > 0 {
			all[i].at = all[i-1].at
		}
	}
	slices.SortStableFunc(all, func(a, b timed) int { return b.at.Compare(a.at) })
	out := make([]logs.Line, len(all))
	for i := range all {
		out[i] = all[i].Line
	}
	return out
}

// severalOrigins tells whether it says something who printed a record.
func severalOrigins(lines []logs.Line) bool {
	return slices.ContainsFunc(lines, func(l logs.Line) bool { return l.Origin != lines[0].Origin })
}

func logRow(l *logs.Line, in Input, names Names) Row {
	trace := ""
	if n := len(l.Trace); n > 0 {
		trace = fmt.Sprint(ui.SignFold, " ", n)
	}
	row := Row{
		Key: logKey(l),
		Cells: []ui.Cell{
			Number(ui.Dim, ui.Clock(l.At, in.Now, in.Zone), float64(l.At.UnixMicro())/1e6),
			LogLevel(l.Level),
			Number(ui.Accent, trace, float64(len(l.Trace))),
			Text(ui.Dim, strings.TrimSpace(l.Origin+" "+l.Logger)),
			Text(levelTone(l.Level), shortened(l, names)),
		},
		Copy: l.CopyID, Yank: l.RequestID, Trace: l.Trace, Data: logData(l),
		Links: LogLinks(l, names),
	}
	if row.Yank == "" {
		row.Yank = l.Message
	}
	if says := LogDetail(l); says != "" {
		row.Detail = []string{says}
	}
	if l.Place != "" {
		row.Opens = Ref{Kind: KindLogLine, ID: l.Place, Label: ui.Clock(l.At, in.Now, in.Zone) + " " + l.Logger}
	}
	return row
}

// shortened is a message with its copy as people call it: an id is half a line.
func shortened(l *logs.Line, names Names) string {
	if l.CopyID == "" {
		return l.Message
	}
	return strings.Replace(l.Message, l.CopyID, names.Of(l.CopyID, ""), 1)
}

// logKey names a record over refreshes, also where its source gives no place.
func logKey(l *logs.Line) string {
	if l.Place != "" {
		return l.Place
	}
	return fmt.Sprint(l.At.UnixNano(), " ", l.File, " ", l.Origin, " ", l.Message)
}

// LogLevel is a level with a sign, so that it is seen without colours.
func LogLevel(level string) ui.Cell {
	names := logs.Levels()
	order := float64(slices.Index(names[:], level))
	switch level {
	case "CRITICAL", "ERROR":
		return Number(ui.Bad, ui.SignBad+" "+level, order)
	case "WARNING":
		return Number(ui.Warn, ui.SignWarn+" "+level, order)
	case "":
		return Number(ui.Dim, "  "+ui.NotKnown, order)
	}
	return Number(ui.Dim, "  "+level, order)
}

// levelTone lets the records stand back that are there in thousands.
func levelTone(level string) ui.Tone {
	if level == "DEBUG" || level == "" {
		return ui.Dim
	}
	return ui.Plain
}

// LogDetail is what a record says besides its message: the request, its
// answer, how long it took, who asked.
func LogDetail(l *logs.Line) string {
	answer, took, user, request, task := "", "", "", "", ""
	if l.StatusCode != 0 {
		answer = fmt.Sprint("answered ", l.StatusCode)
	}
	if l.Duration > 0 {
		took = "took " + ui.Seconds(l.Duration.Seconds())
	}
	if l.UserID != 0 {
		user = fmt.Sprint("user ", l.UserID)
	}
	if l.RequestID != "" {
		request = "request " + l.RequestID
	}
	if l.TaskID != "" {
		task = "task " + l.TaskID
	}
	return Joined(strings.TrimSpace(l.Method+" "+l.Path), answer, took, user, request, task, l.File)
}

// LogLinks are what a record names: its request and its task; the copy is the
// row's own.
func LogLinks(l *logs.Line, names Names) []Ref {
	var links []Ref
	if l.RequestID != "" {
		links = append(links, TraceRef("request", l.RequestID))
	}
	if l.TaskID != "" {
		links = append(links, TraceRef("task", l.TaskID))
	}
	if l.CopyID != "" {
		label := names.Of(l.CopyID, "")
		links = append(links, Ref{Kind: KindCopy, ID: l.CopyID, Label: label}, Ref{Kind: KindTrace, ID: l.CopyID, Label: label})
	}
	return links
}

// briefID is an id as far as people compare it.
func briefID(id string) string {
	const enough = 8
	if r := []rune(id); len(r) > enough+4 {
		return string(r[:enough]) + "…"
	}
	return id
}

// TraceRef names the trace of a request or a task.
func TraceRef(what, id string) Ref {
	return Ref{Kind: KindTrace, ID: id, Label: what + " " + briefID(id)}
}

// logData is a record for programs.
func logData(l *logs.Line) map[string]any {
	data := map[string]any{"key": logKey(l), "level": l.Level, "logger": l.Logger, "message": l.Message}
	if !l.At.IsZero() {
		data["time"] = l.At.UTC().Format(time.RFC3339Nano)
	}
	for _, name := range []string{"request_id", "copy_id", "task_id", "method", "path", "status_code", "user_id", "file", "origin"} {
		if value, ok := l.Value(name); ok {
			data[name] = value
		}
	}
	if l.Duration > 0 {
		data["seconds"] = l.Duration.Seconds()
	}
	if len(l.Trace) > 0 {
		data["traceback"] = l.Trace
	}
	for _, f := range l.Fields {
		if _, taken := data[f.Name]; !taken {
			data[f.Name] = f.Value
		}
	}
	return data
}

// LogsLooked says how far a search looked: "all 312 MB", "back to 13:02 · 40 of
// 312 MB".
func LogsLooked(x logs.Extent, in Input) string {
	of := size(x.Bytes)
	if x.Total > x.Bytes {
		of += " of " + size(x.Total)
	}
	switch {
	case !x.Truncated && x.Bytes > 0:
		return "all " + size(max(x.Bytes, x.Total)) + " searched"
	case !x.Truncated:
		return "all searched"
	case x.Oldest.IsZero():
		return of + " searched"
	}
	return "back to " + ui.Clock(x.Oldest, in.Now, in.Zone) + " · " + of
}

func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprint(bytes, " B")
	case bytes < 1e6:
		return fmt.Sprint((bytes+500)/1000, " kB")
	case bytes < 1e10:
		return fmt.Sprint((bytes+5e5)/1e6, " MB")
	}
	return fmt.Sprint((bytes+5e8)/1e9, " GB")
}

// LogNotes are sentences about what could not be read.
func LogNotes(skipped []string) []ui.Cell {
	var notes []ui.Cell
	for _, s := range skipped {
		notes = append(notes, Text(ui.Warn, ui.SignWarn+" "+strings.TrimSuffix(s, ".")+"."))
	}
	return notes
}
