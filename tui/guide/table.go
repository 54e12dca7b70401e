package guide

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// gap is the room between two columns; lots is from how many cells on a column
// is text rather than a name.
const (
	gap  = 2
	lots = 48
)

// bothEnds are the columns that are cut in their middle.
var bothEnds = []string{"MESSAGE", "TRACE", "PATH"}

// seen is what a step saw as lines that fit the page.
func (v View) seen(t playbook.Table) []dialog.Para {
	var out []dialog.Para
	if t.Note != "" {
		out = append(out, dialog.Para{Text: sentence(t.Note), Tone: ui.Dim})
	}
	out = append(out, v.rows(t)...)
	for _, l := range t.Lines {
		out = append(out, dialog.Para{Text: l, Exact: true})
	}
	if t.More > 0 {
		out = append(out, dialog.Para{Text: fmt.Sprintf("… and %s more", ui.Count(int64(t.More))), Tone: ui.Dim})
	}
	return out
}

// rows lays a table out: what is empty goes first, a column is cut before it is
// left out, and the first ones, which name the row, go last.
func (v View) rows(t playbook.Table) []dialog.Para {
	if len(t.Columns) == 0 || len(t.Rows) == 0 {
		return nil
	}
	all, room := make([]column, len(t.Columns)), -gap
	for i, name := range t.Columns {
		all[i] = v.column(name, t.Rows, i)
		room += all[i].natural + gap
	}
	if room > v.Width {
		all = slices.DeleteFunc(all, func(c column) bool { return c.empty })
	}
	cols, natural := make([]ui.Column, len(all)), make([]int, len(all))
	for i, c := range all {
		natural[i] = c.natural
		cols[i] = ui.Column{Title: c.title, Min: min(c.natural, 12)}
		if c.natural > lots {
			cols[i].Min = max(v.Width/4, 12)
		}
		if i > 1 {
			cols[i].Drop = i
		}
	}
	widths := ui.Layout(cols, natural, v.Width, gap)
	out := []dialog.Para{{Text: line(all, widths, -1), Exact: true, Tone: ui.Header}}
	for i := range t.Rows {
		out = append(out, dialog.Para{Text: line(all, widths, i), Exact: true})
	}
	return out
}

// column is one of a table, as it is shown.
type column struct {
	title   string
	cells   []string
	natural int
	empty   bool // no row has anything in it
	right   bool // figures
}

// figure is a number or a span of time, with its unit.
var figure = regexp.MustCompile(`^[≥≤<>~+-]?\d[\d,.]*( ?(%|[kMGT]?i?B|[µm]?s|min|m|h|d)|[dhm]\d+[hms])?$`)

func (v View) column(name string, rows [][]string, i int) column {
	c := column{title: strings.ToUpper(strings.ReplaceAll(name, "_", " ")), empty: true, right: true}
	c.natural = ui.Width(c.title)
	for _, r := range rows {
		s := ""
		if i < len(r) {
			s = v.moment(strings.ReplaceAll(r[i], "\n", " "))
		}
		c.cells, c.natural = append(c.cells, s), max(c.natural, ui.Width(s))
		c.empty = c.empty && s == ""
		c.right = c.right && (s == "" || s == "–" || s == ui.NotKnown || figure.MatchString(s))
	}
	c.right = c.right && !c.empty
	return c
}

// moments are how databases and logs write one; without a zone it is local.
var moments = []string{"2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999"}

// moment writes a time as the panes do; anything else stays as it is.
func (v View) moment(s string) string {
	zone := v.Zone
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range moments {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return ui.Clock(t, v.Now, zone)
		}
	}
	return s
}

// line is a row, or at -1 the titles.
func line(all []column, widths []int, row int) string {
	var b strings.Builder
	for i, n := range widths {
		if n == 0 {
			continue
		}
		s, fit := all[i].title, ui.Fit
		if row >= 0 {
			s = all[i].cells[row]
		}
		if all[i].right {
			fit = ui.FitRight
		}
		if slices.Contains(bothEnds, all[i].title) {
			s = ui.CutMiddle(s, n)
		}
		b.WriteString(fit(s, n) + ui.Blank(gap))
	}
	return strings.TrimRight(b.String(), " ")
}
