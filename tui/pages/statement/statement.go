// Package statement is the page of one statement: its whole text, what
// pg_stat_statements counted, and the plan that PostgreSQL would choose.
package statement

import (
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/explain"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Data is what is read when the page is opened.
type Data struct {
	Text    []string // the statement, line by line
	Plan    explain.Plan
	Problem string // why there is no plan, as a sentence
}

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindStatement, Title: "Statement", Word: "statement", Help: "a queryid: text, figures and plan of the statement",
		Needs: []probes.ID{storage.ID}, Actions: []string{"explain-analyze"}, Text: text,
	}
}

func text(in page.Input) page.Text {
	d, ok := in.Data.(Data)
	if !ok {
		return page.Text{}
	}
	label := ui.Cut(strings.Join(d.Text, " "), 60)
	out := page.Text{Target: &actions.Target{Kind: actions.OnStatement, ID: in.Ref.ID, Label: label}, Yank: strings.Join(d.Text, "\n")}
	out.Mark, out.Tone = mark(d)
	for _, part := range [][]dialog.Para{figures(in), exact(d.Text), plan(d)} {
		if len(part) > 0 {
			out.Paras = append(append(out.Paras, part...), dialog.Para{})
		}
	}
	return out
}

func mark(d Data) (string, ui.Tone) {
	switch {
	case d.Problem != "":
		return "no plan", ui.Dim
	case len(d.Plan.Louds()) > 0:
		return ui.SignWarn + " " + ui.Plural(len(d.Plan.Louds()), "loud line"), ui.Warn
	}
	return "plan", ui.Dim
}

// figures are what was counted, by the probe.
func figures(in page.Input) []dialog.Para {
	o, _, ok := probes.Of[storage.Overview](in.Set, storage.ID)
	if !ok {
		return nil
	}
	for _, s := range o.Statements.Rows {
		if s.Key() == in.Ref.ID {
			return counted(o, s)
		}
	}
	return []dialog.Para{{Text: "It is not among the statements that cost most time or are called most, so there are no figures.", Tone: ui.Dim}}
}

func counted(o storage.Overview, s storage.Statement) []dialog.Para {
	since := "since the counts began"
	if !o.Statements.Since.IsZero() {
		since = "in the last " + ui.Duration(o.At.Sub(o.Statements.Since))
	}
	paras := []dialog.Para{{Head: ui.Fit("counted", 10), Text: pane.Joined(ui.Count(s.Calls)+" calls "+since, "mean "+ui.Took(s.Mean()), "longest "+ui.Took(s.Max),
		ui.Times(float64(s.Rows)/float64(max(s.Calls, 1)))+" rows each", ui.Percent(s.Share)+" of all time")}}
	switch {
	case s.RecentKnown && s.Recent.Calls == 0:
		paras = append(paras, dialog.Para{Head: ui.Fit("now", 10), Text: "no call in the last " + ui.Duration(o.Window)})
	case s.RecentKnown:
		paras = append(paras, dialog.Para{Head: ui.Fit("now", 10), Text: pane.Joined(ui.Rate(float64(s.Recent.Calls)/o.Window.Minutes())+" calls a minute in the last "+ui.Duration(o.Window),
			"mean "+ui.Took(s.Recent.Mean()), ui.Percent(s.Recent.Share)+" of all time")})
	}
	return paras
}

func exact(lines []string) []dialog.Para {
	var paras []dialog.Para
	for _, l := range lines {
		paras = append(paras, dialog.Para{Text: l, Tone: ui.Strong})
	}
	return paras
}

// plan is the plan as psql shows it; what is loud stands under its line.
func plan(d Data) []dialog.Para {
	if d.Problem != "" {
		return []dialog.Para{{Text: "There is no plan. " + d.Problem, Tone: ui.Warn}}
	}
	paras := []dialog.Para{{Text: title(d.Plan), Tone: ui.Header}}
	for _, l := range d.Plan.Lines {
		tone := ui.Plain
		if l.Loud != "" {
			tone = ui.Warn
		}
		paras = append(paras, dialog.Para{Text: l.Text, Tone: tone, Exact: true})
		if l.Loud != "" {
			indent := len(l.Text) - len(strings.TrimLeft(l.Text, " "))
			paras = append(paras, dialog.Para{Text: strings.Repeat(" ", indent) + ui.SignWarn + " " + l.Loud, Tone: ui.Warn, Exact: true})
		}
	}
	return paras
}

func title(p explain.Plan) string {
	switch {
	case p.Measured:
		return "Plan, measured"
	case p.Parameters > 0:
		return "Plan for any value of its " + ui.Plural(p.Parameters, "parameter") + ". It was not run."
	}
	return "Plan. It was not run."
}

// Report is what a command prints of a typed statement.
func Report(d Data) []dialog.Para { return plan(d) }
