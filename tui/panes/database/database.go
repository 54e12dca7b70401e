// Package database is the pane of PostgreSQL as the place of the data: what is
// wrong with it first, then its figures, the statements that cost the most
// time, and the tables. Who is connected is the pane of the sessions.
package database

import (
	"math"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "database" }
func (spec) Title() string      { return "Database" }
func (spec) Needs() []probes.ID { return []probes.ID{storage.ID, metrics.ID} }
func (spec) Actions() []string  { return []string{"explain-analyze"} }

// Columns has one column only: figures, statements and tables have little in
// common, so every row spans the pane and is aligned with its own kind.
func (spec) Columns() []ui.Column { return []ui.Column{{Title: "DATABASE", Min: 10}} }

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[storage.Overview](in.Set, storage.ID)
	if !ok {
		return pane.Content{}
	}
	v := view{in: in, o: o}
	warnings := append(v.missing(), v.suspects()...)
	c := pane.Content{Summary: v.summary(len(warnings)), Empty: "The database has no table of its own."}
	for _, says := range o.Hidden {
		c.Notes = append(c.Notes, pane.Text(ui.Warn, ui.SignWarn+" "+says))
	}
	for _, part := range [][]pane.Row{warnings, v.figures(), v.statements(), v.tables(), v.settings()} {
		c.Rows = append(c.Rows, part...)
	}
	return c
}

// view is what the rows are made from.
type view struct {
	in pane.Input
	o  storage.Overview
}

func (v view) summary(warnings int) string {
	warn := ""
	if warnings > 0 {
		warn = ui.SignWarn + " " + ui.Plural(warnings, "warning")
	}
	hits := v.o.Database.RecentCacheHits
	if math.IsNaN(hits) {
		hits = v.o.Database.CacheHits
	}
	return pane.Joined(warn, bytes(v.o.Database.Size), "cache "+ui.Percent(hits))
}

// line is a row over the whole width.
func line(key string, cells ...ui.Cell) pane.Row {
	return pane.Row{Key: key, Span: true, Cells: cells}
}

// head is a line that the cursor passes over.
func head(key, says string) pane.Row {
	r := line(key, pane.Text(ui.Header, says))
	r.Skip = true
	return r
}

// requests are those of the application a second; NaN where nobody counts.
func (v view) requests() float64 {
	m, snap, ok := probes.Of[metrics.Overview](v.in.Set, metrics.ID)
	if !ok || snap.Err != nil || m.Warming != "" {
		return math.NaN()
	}
	return m.Total.RPS
}

// bytes is a size, "?" when it is not known.
func bytes(n int64) string {
	if n < 0 {
		return ui.NotKnown
	}
	return ui.Bytes(uint64(n))
}

// steadyFor is from how long a comparison on a growth an hour may be spoken of.
const steadyFor = 10 * 60

// growth is by how much something grew: an hour, or since the first look.
func growth(g storage.Growth) string {
	if !g.Known() {
		return ui.NotKnown
	}
	n, per := float64(g.Bytes), " in "+ui.Duration(g.Over)
	if g.Over.Seconds() >= steadyFor {
		n, per = g.PerHour(), "/h"
	}
	switch sign := "+"; {
	case math.Abs(n) < 1:
		return "steady"
	case n < 0:
		sign, n = "-", -n
		fallthrough
	default:
		return sign + bytes(int64(n)) + per
	}
}

// null gives null for programs where a number is not known.
func null(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// size gives null for a size that is not known.
func size(n int64) any {
	if n < 0 {
		return nil
	}
	return n
}
