package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// view writes what is known of one copy. Ages are judged by now, which is the
// database's clock carried on.
type view struct {
	CopyPage
	now  time.Time
	zone *time.Location
}

const labelWidth = 13

func title(s string) dialog.Para { return dialog.Para{Text: s, Tone: ui.Header} }

// line is one labelled fact.
func line(label, text string) dialog.Para {
	return dialog.Para{Head: "  " + ui.Pad(label, labelWidth), Text: text}
}

// when is a moment, exact and as an age.
func (v view) when(t time.Time) string {
	if t.IsZero() {
		return ui.NotKnown
	}
	if t.After(v.now) {
		return ui.Exact(t, v.zone) + ", in " + ui.Duration(t.Sub(v.now))
	}
	return ui.Exact(t, v.zone) + ", " + ui.Ago(v.now.Sub(t))
}

func name(u grading.User) string {
	switch {
	case u.Name != "":
		return u.Name
	case u.ID != 0:
		return fmt.Sprintf("user %d", u.ID)
	}
	return "nobody"
}

func plural(n int, noun string) string {
	if n < 0 {
		return ui.NotKnown + " " + noun + "s"
	}
	return ui.Plural(n, noun)
}

func count(n int) string {
	if n < 0 {
		return ui.NotKnown
	}
	return fmt.Sprint(n)
}

func (v view) head() []dialog.Para {
	since := v.when(v.Since)
	if v.Guess {
		since = "at least since " + since
	} else if !v.Since.IsZero() {
		since = "since " + since
	}
	if v.SinceFrom != "" {
		since += " (" + v.SinceFrom + ")"
	}
	out := []dialog.Para{
		{Head: "  " + ui.Pad("status", labelWidth), Text: v.Status + ", " + since, Tone: ui.Strong},
		line("exam", known(v.Exam)),
		line("pages", count(v.Pages)+" in "+plural(v.Booklets, "booklet")),
	}
	if v.PDFSource != "" {
		out = append(out, line("source", v.PDFSource))
	}
	out = append(out, v.pdf())
	if v.Corrector.ID != 0 || v.Corrector.Name != "" {
		out = append(out, line("corrector", name(v.Corrector)))
	}
	if v.Error != "" {
		out = append(out, dialog.Para{Head: "  " + ui.Pad("error", labelWidth), Text: v.Error, Tone: ui.Bad})
	}
	if v.Retries > 0 {
		out = append(out, line("finalized", fmt.Sprintf("%d times (the application's counter of retries)", v.Retries)))
	}
	return append(out, line("row id", v.Copy.ID))
}

func known(s string) string {
	if s == "" {
		return ui.NotKnown
	}
	return s
}

func (v view) pdf() dialog.Para {
	switch {
	case v.FinalPDF != "" && !v.GradedAt.IsZero():
		return line("final PDF", v.FinalPDF+", graded "+v.when(v.GradedAt))
	case v.FinalPDF != "":
		return line("final PDF", v.FinalPDF)
	case v.Status == "GRADED":
		return dialog.Para{Head: "  " + ui.Pad("final PDF", labelWidth), Text: ui.SignBad + " none, and it is GRADED", Tone: ui.Bad}
	}
	return line("final PDF", "none yet")
}

// notes come early: they are what a responder must know before acting.
func (v view) notes() []dialog.Para {
	var out []dialog.Para
	for _, s := range v.Notes {
		out = append(out, dialog.Para{Head: "  " + ui.SignWarn + " ", Text: s, Tone: ui.Warn})
	}
	for _, s := range v.Problems {
		out = append(out, dialog.Para{Head: "  " + ui.SignBad + " ", Text: s, Tone: ui.Bad})
	}
	return out
}

func (v view) lock() []dialog.Para {
	out := []dialog.Para{title("Lock")}
	l := v.Lock
	if l == nil {
		out = append(out, dialog.Para{Head: "  ", Text: "No lock row for this copy."})
		if v.LockedBy.ID != 0 || v.LockedBy.Name != "" {
			out = append(out, line("copy says", "locked by "+name(v.LockedBy)+", "+v.when(v.LockedAt)))
		}
		return out
	}
	expires := dialog.Para{Head: "  " + ui.Pad("expires", labelWidth), Text: ui.SignGood + " " + v.when(l.Expires), Tone: ui.Good}
	if l.Expired {
		expires.Text, expires.Tone = ui.SignBad+" expired: "+v.when(l.Expires), ui.Bad
	}
	out = append(out, line("held by", name(l.Owner)), line("since", v.when(l.Since)), expires)
	if !l.LastBeat.IsZero() {
		beat := line("heartbeat", v.when(l.LastBeat))
		if l.Abandoned {
			beat.Text, beat.Tone = beat.Text+": the browser is gone", ui.Warn
		}
		out = append(out, beat)
	}
	if l.DraftVersion >= 0 {
		out = append(out, dialog.Para{Head: "  " + ui.Pad("draft", labelWidth), Text: fmt.Sprintf("version %d, not saved as annotations", l.DraftVersion), Tone: ui.Warn})
	}
	return append(out, line("token", l.TokenPrefix+"…"))
}

// work is what a corrector has put into the copy.
func (v view) work() []dialog.Para {
	out := []dialog.Para{title("Annotations")}
	n, points := 0, 0.0
	var pages []string
	for _, p := range v.Annotations {
		n += p.Count
		points += p.Points
		pages = append(pages, fmt.Sprintf("page %d: %d (%+g)", p.Page, p.Count, p.Points))
	}
	if n == 0 {
		out = append(out, dialog.Para{Head: "  ", Text: "None."})
	} else {
		out = append(out, line("total", fmt.Sprintf("%d, %+g points", n, points)), line("by page", strings.Join(pages, " · ")))
	}
	if v.ScoreKnown {
		return append(out, line("score now", v.Score))
	}
	return append(out, line("score now", "cannot be computed"))
}

func (v view) timeline() []dialog.Para {
	out := []dialog.Para{title("Timeline, newest first")}
	if len(v.Events) == 0 {
		return append(out, dialog.Para{Head: "  ", Text: "No event names this copy."})
	}
	for _, e := range v.Events {
		at := "  " + ui.Pad(ui.Clock(e.At, v.now, v.zone), 15) + ui.Pad(ui.Ago(v.now.Sub(e.At)), 11)
		if e.Gap != "" {
			out = append(out, dialog.Para{Head: at + ui.SignWarn + " ", Text: "gap: " + e.Gap, Tone: ui.Warn})
			continue
		}
		p := dialog.Para{Head: at, Text: strings.TrimSpace(e.Action + "  " + name(e.Actor) + "  " + e.Detail)}
		if e.Failed {
			p.Head, p.Tone = at+ui.SignBad+" ", ui.Bad
		}
		out = append(out, p)
	}
	return out
}

func (v view) tasks() []dialog.Para {
	out := []dialog.Para{title("Celery tasks")}
	for _, r := range v.Tasks {
		out = append(out, running(r, v.now))
	}
	for _, m := range v.Messages {
		p := dialog.Para{Head: "  waiting   ", Text: fmt.Sprintf("%s in %s, priority %d, retries %d, task %s", pane.TaskName(m.Task), m.Queue, m.Priority, m.Retries, m.ID)}
		if m.Bad != "" {
			p.Text, p.Tone = p.Text+": cannot be decoded: "+m.Bad, ui.Bad
		}
		out = append(out, p)
	}
	if len(out) == 1 {
		out = append(out, dialog.Para{Head: "  ", Text: "None waiting, none running."})
	}
	for _, r := range v.Results {
		if !v.live(r.ID) {
			out = append(out, v.result(r)...)
		}
	}
	return out
}

// live tells whether a task is shown already as waiting or in a worker's hands.
func (v view) live(id string) bool {
	return slices.ContainsFunc(v.Tasks, func(r celery.Running) bool { return r.ID == id }) ||
		slices.ContainsFunc(v.Messages, func(m celery.Message) bool { return m.ID == id && id != "" })
}

// result is what became of a task. Loud is what nobody would learn elsewhere: a
// task that is lost, or that failed and said success.
func (v view) result(r celery.TaskRow) []dialog.Para {
	p := dialog.Para{Head: "  " + ui.SignHollow + " ", Text: string(r.State)}
	switch r.State {
	case celery.TaskLost, celery.TaskSwallowed, celery.TaskFailed, celery.TaskOrphaned, celery.TaskBad:
		p.Head, p.Tone = "  "+ui.SignBad+" ", ui.Bad
	case celery.TaskDone:
		p.Head = "  " + ui.SignGood + " "
	}
	if r.Says != "" {
		p.Text += ": " + r.Says
	}
	where := []string{pane.TaskName(r.Task), "", "", "task " + r.ID}
	if r.Worker != "" {
		where[1] = "on " + r.Worker
	}
	if !r.Since.IsZero() {
		where[2] = ui.Ago(v.now.Sub(r.Since))
	}
	return append([]dialog.Para{p, {Head: "      ", Text: pane.Joined(where...), Tone: ui.Dim}}, folded(r.Trace)...)
}

func running(r celery.Running, now time.Time) dialog.Para {
	text := pane.TaskName(r.Task) + " on " + r.Worker
	if !r.Started.IsZero() {
		text += ", for " + ui.Fine(now.Sub(r.Started))
	}
	return dialog.Para{Head: "  " + ui.Pad(r.State, 10), Text: text + ", task " + r.ID, Tone: ui.Accent}
}

// foldAt is how many lines of a traceback are shown: its end says what happened.
const foldAt = 3

func (v view) logs() []dialog.Para {
	out := []dialog.Para{title("Log lines, newest first")}
	for i := len(v.Lines) - 1; i >= 0; i-- {
		out = append(out, v.logLine(v.Lines[i])...)
	}
	if len(v.Lines) == 0 {
		out = append(out, dialog.Para{Head: "  ", Text: "No log line that was read names this copy."})
	}
	return out
}

func (v view) logLine(l logs.Line) []dialog.Para {
	tone := ui.Plain
	switch l.Level {
	case "ERROR", "CRITICAL":
		tone = ui.Bad
	case "WARNING":
		tone = ui.Warn
	}
	at := ui.NotKnown
	if !l.At.IsZero() {
		at = ui.Clock(l.At, v.now, v.zone)
	}
	out := []dialog.Para{{Head: "  " + ui.Pad(at, 15) + ui.Pad(l.Level, 9), Text: l.Message, Tone: tone}}
	out = append(out, folded(l.Trace)...)
	if l.RequestID != "" {
		out = append(out, dialog.Para{Head: "      ", Text: "request id " + l.RequestID, Tone: ui.Dim})
	}
	return out
}

// folded is the end of a traceback, and how much of it was left out.
func folded(trace []string) []dialog.Para {
	var out []dialog.Para
	if n := len(trace) - foldAt; n > 0 {
		out = append(out, dialog.Para{Head: "      ", Text: fmt.Sprintf("traceback, its first %d lines left out:", n), Tone: ui.Dim})
		trace = trace[n:]
	}
	for _, s := range trace {
		out = append(out, dialog.Para{Head: "      ", Text: s, Tone: ui.Dim})
	}
	return out
}

func (v view) missing() []dialog.Para {
	if len(v.Missing) == 0 {
		return nil
	}
	out := []dialog.Para{title("Not known here")}
	for _, s := range v.Missing {
		out = append(out, dialog.Para{Head: "  - ", Text: s, Tone: ui.Dim})
	}
	return out
}
