// Package logs is the pane of the application's log records, newest first: what
// was written lately, or what a search in the whole logs finds as it is typed.
package logs

import (
	"slices"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID          { return "logs" }
func (spec) Title() string        { return "Logs" }
func (spec) Needs() []probes.ID   { return []probes.ID{logs.ID, grading.ID} }
func (spec) Columns() []ui.Column { return pane.LogColumns() }
func (spec) Actions() []string    { return nil }

// Seeks is a part of [logs.Language] that leaves room to type.
func (spec) Seeks() string { return `words !not /re/ level:error since:1h` }

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[logs.Overview](in.Set, logs.ID)
	switch {
	case !ok:
		return pane.Content{}
	case in.Query != "":
		return found(in)
	}
	c := pane.Content{
		Summary: summary(o, in),
		Empty:   "Nothing was logged lately. / searches everything that is kept.",
		Rows:    pane.LogRows(newestFirst(o.Recent), in),
	}
	if o.Note != "" {
		c.Notes = []ui.Cell{pane.Text(ui.Warn, ui.SignWarn+" "+o.Note)}
	}
	return c
}

// summary counts what is loud. Where less than an hour was read it says since when.
func summary(o logs.Overview, in pane.Input) string {
	span := "in the last hour"
	if !o.Since.IsZero() && in.Now.Sub(o.Since).Hours() < 1 {
		span = "since " + ui.Clock(o.Since, in.Now, in.Zone)
	}
	if o.ErrorsLastHour+o.WarningsLastHour == 0 {
		return "no error " + span
	}
	bad := ui.Plural(o.ErrorsLastHour, "error")
	if o.ErrorsLastHour > 0 {
		bad = ui.SignBad + " " + bad
	}
	return pane.Joined(bad, ui.Plural(o.WarningsLastHour, "warning")) + " " + span
}

func newestFirst(recent []logs.Line) []logs.Line {
	lines := slices.Clone(recent)
	slices.Reverse(lines)
	return lines
}

// found shows what the search finds, and how far it looked. What an earlier one
// found stays until there is something better.
func found(in pane.Input) pane.Content {
	r, _ := in.Data.(logs.Result)
	c := pane.Content{Rows: pane.LogRows(pane.NewestFirst(r.Lines), in), Notes: pane.LogNotes(r.Skipped)}
	n := ui.Count(int64(len(r.Lines))) + " found"
	switch {
	case in.Problem != "":
		c.Summary = "not searched"
		c.Notes = append([]ui.Cell{pane.Text(ui.Warn, ui.SignWarn+" "+in.Problem)}, c.Notes...)
		c.Empty = "esc clears the filter. It takes words and \"texts\", !not, /regular expressions/, level: logger: since: until: copy: req: pattern: and key=value."
	case in.Seeking && r.Bytes == 0:
		c.Summary, c.Empty = "searching…", "Searching…"
	case in.Seeking:
		c.Summary, c.Empty = pane.Joined("searching…", n, pane.LogsLooked(r.Extent, in)), "Searching…"
	default:
		c.Summary, c.Empty = pane.Joined(n, pane.LogsLooked(r.Extent, in)), "No record matches: "+pane.LogsLooked(r.Extent, in)+". esc clears the filter."
	}
	return c
}
