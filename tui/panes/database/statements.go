package database

import (
	"math"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// A statement is slow from a mean of so many seconds on: a page makes several.
const (
	slow       = 0.1
	tooSlow    = 1.0
	statements = 15 // shown here; gradecockpit statements has all
)

// statements are those that took the most time.
func (v view) statements() []pane.Row {
	s := v.o.Statements
	if s.Why != "" {
		r := line("statements", pane.Text(ui.Warn, ui.SignWarn+" "+s.Why))
		r.Detail = []string{s.Fix}
		r.Data = map[string]any{"kind": "statements", "key": r.Key, "why": s.Why, "fix": s.Fix}
		return []pane.Row{r}
	}
	title := "statements by time, last " + ui.Duration(v.o.Window)
	if v.o.Window == 0 {
		title = "statements by time, " + v.since(s)
	}
	if len(s.Rows) == 0 {
		return []pane.Row{head("statements", "no statement was counted yet")}
	}
	rows := []pane.Row{head("statements", title), head("statement columns", "    MEAN  CALLS/MIN  SHARE  STATEMENT")}
	for _, x := range s.Rows {
		idle := v.o.Window > 0 && x.RecentKnown && x.Recent.Calls == 0
		if !x.Own && !idle && len(rows) < statements+2 {
			rows = append(rows, v.statement(x))
		}
	}
	return append(rows, v.own()...)
}

// own sums up what the cockpit itself costs the server.
func (v view) own() []pane.Row {
	share, n := 0.0, 0
	for _, s := range v.o.Statements.Rows {
		switch {
		case !s.Own:
			continue
		case v.o.Window == 0:
			share += s.Share
		case s.RecentKnown && !math.IsNaN(s.Recent.Share):
			share += s.Recent.Share
		}
		n++
	}
	if n == 0 {
		return nil
	}
	r := line("own statements", pane.Text(ui.Dim, ui.FitRight(ui.Percent(share), 26)), pane.Text(ui.Dim, "the cockpit's own reads, "+ui.Plural(n, "statement")))
	r.Skip = true
	r.Data = map[string]any{"kind": "own statements", "key": r.Key, "share": share, "statements": n}
	return []pane.Row{r}
}

func (v view) statement(s storage.Statement) pane.Row {
	mean, share := s.Mean(), s.Share
	rate := math.NaN()
	if v.o.Window > 0 && s.RecentKnown {
		mean, share, rate = s.Recent.Mean(), s.Recent.Share, float64(s.Recent.Calls)/v.o.Window.Minutes()
		if s.Recent.Calls == 0 {
			mean = math.NaN()
		}
	} else if since := v.o.Statements.Since; v.o.Window == 0 && !since.IsZero() && v.o.At.Sub(since) >= time.Minute {
		rate = float64(s.Calls) / v.o.At.Sub(since).Minutes()
	}
	r := line("statement "+s.Key(),
		pane.Text(meanTone(mean), ui.FitRight(ui.Took(mean), 8)), pane.Text(ui.Plain, ui.FitRight(ui.Rate(rate), 9)),
		pane.Text(ui.Plain, ui.FitRight(ui.Percent(share), 5)), pane.Text(ui.Plain, s.Text))
	v.about(&r, s)
	r.Detail = []string{ui.Count(s.Calls) + " calls " + v.since(v.o.Statements) + ": mean " + ui.Took(s.Mean()) + ", longest " + ui.Took(s.Max) +
		", " + ui.Times(float64(s.Rows)/float64(max(s.Calls, 1))) + " rows each."}
	r.Data = map[string]any{"kind": "statement", "key": r.Key, "queryid": s.Key(), "text": s.Text, "own": s.Own, "calls": s.Calls, "rows": s.Rows,
		"total_seconds": s.Total, "mean_seconds": s.Mean(), "max_seconds": s.Max, "share": s.Share, "recent": nil}
	if s.RecentKnown {
		r.Data["recent"] = map[string]any{"window_seconds": v.o.Window.Seconds(), "calls": s.Recent.Calls, "rows": s.Recent.Rows,
			"total_seconds": s.Recent.Total, "share": null(s.Recent.Share)}
	}
	return r
}

// about makes a row one about a statement.
func (v view) about(r *pane.Row, s storage.Statement) {
	label := ui.Cut(s.Text, 60)
	r.Opens = pane.Ref{Kind: pane.KindStatement, ID: s.Key(), Label: label}
	r.Target = &actions.Target{Kind: actions.OnStatement, ID: s.Key(), Label: label}
	r.Yank = s.Text
}

func meanTone(seconds float64) ui.Tone {
	switch {
	case math.IsNaN(seconds):
		return ui.Dim
	case seconds >= tooSlow:
		return ui.Bad
	case seconds >= slow:
		return ui.Warn
	}
	return ui.Plain
}

// suspects are guesses, and say so.
func (v view) suspects() []pane.Row {
	var rows []pane.Row
	for _, s := range storage.Suspects(v.o, v.requests()) {
		often := ui.Count(s.Calls) + " calls"
		if s.Over > 0 {
			often = ui.Rate(float64(s.Calls)/s.Over.Seconds()) + "/s"
		}
		per, detail := "", "It is called far more often than the application is asked."
		switch {
		case s.List.ID != 0:
			per = ui.Times(s.PerList) + " for each list"
			detail = "It is called " + ui.Times(s.PerList) + " times for each call of another statement, once for each row that that one gives: " + ui.Cut(s.List.Text, 200)
		case !math.IsNaN(s.PerRequest):
			per = ui.Times(s.PerRequest) + " for each request"
		}
		r := line("n+1 "+s.Statement.Key(), pane.Text(ui.Warn, ui.SignWarn+" N+1?"), pane.Text(ui.Strong, often), pane.Text(ui.Plain, per), pane.Text(ui.Dim, s.Statement.Text))
		v.about(&r, s.Statement)
		r.Detail = []string{detail, "A guess from counts alone. In Django: select_related or prefetch_related where the list is made."}
		r.Data = map[string]any{"kind": "n+1", "key": r.Key, "guess": true, "queryid": s.Statement.Key(), "text": s.Statement.Text, "calls": s.Calls,
			"over_seconds": s.Over.Seconds(), "per_list": s.PerList, "list": s.List.Text, "per_request": null(s.PerRequest)}
		rows = append(rows, r)
	}
	return rows
}
