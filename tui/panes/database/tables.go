package database

import (
	"math"

	"gradecockpit/probes/storage"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Dead rows are worth a word where there are many and they are a large part.
const (
	deadWarn = 0.2
	deadMany = 10_000
)

// missing are the indexes that large tables lack.
func (v view) missing() []pane.Row {
	var rows []pane.Row
	for _, m := range v.o.Missing {
		if !m.Matters {
			continue
		}
		r := line("missing "+m.Create, pane.Text(ui.Warn, ui.SignWarn+" no index"), pane.Text(ui.Strong, m.On()))
		for _, t := range v.o.Tables {
			if t.Ref() == m.Table {
				r.Cells = append(r.Cells, pane.Text(ui.Plain, pane.Joined(ui.Count(t.Rows)+" rows", v.scanned(t))))
			}
		}
		r.Opens, r.Yank = pane.Ref{Kind: pane.KindTable, ID: m.Table}, m.Create
		r.Detail = []string{m.Why, "Advice, nothing here runs it: " + m.Create}
		r.Data = map[string]any{"kind": "missing index", "key": r.Key, "table": m.Table, "columns": m.Columns, "why": m.Why, "create": m.Create}
		rows = append(rows, r)
	}
	return rows
}

// scanned is how often all of a table was read.
func (v view) scanned(t storage.Table) string {
	if !t.RecentKnown {
		return "read from end to end " + ui.Count(t.Scans.Seq) + " times"
	}
	return "read from end to end " + ui.Rate(float64(t.Recent.Seq)/v.o.Window.Minutes()) + " times a minute"
}

// tables are all of them, the largest first.
func (v view) tables() []pane.Row {
	if len(v.o.Tables) == 0 {
		return nil
	}
	title := "tables by size"
	if n := len(v.o.Tables); n < v.o.TableCount {
		title += ", " + pane.Shown(n, v.o.TableCount)
	}
	name := 12
	for _, t := range v.o.Tables {
		name = min(max(name, ui.Width(called(t))), 28)
	}
	rows := []pane.Row{head("tables", title), head("table columns", " "+ui.Fit("TABLE", name)+"   SIZE       GROWTH       ROWS   DEAD  SEQ/MIN  IDX/MIN")}
	for _, t := range v.o.Tables {
		rows = append(rows, v.table(t, name))
	}
	return rows
}

// called leaves out the schema that nearly all tables are in.
func called(t storage.Table) string {
	if t.Schema == "public" {
		return t.Name
	}
	return t.Ref()
}

func (v view) table(t storage.Table, name int) pane.Row {
	r := line("table "+t.Ref(), pane.Text(ui.Accent, " "+ui.Fit(called(t), name)),
		pane.Text(ui.Strong, ui.FitRight(bytes(t.Total()), 5)), pane.Text(ui.Plain, ui.FitRight(growth(t.Growth), 11)),
		pane.Text(ui.Plain, ui.FitRight(ui.Count(t.Rows), 9)), dead(t),
		v.perMinute(t, t.Recent.Seq, 7, t.Rows >= storage.Large), v.perMinute(t, t.Recent.Index, 7, false))
	if t.Locked {
		r.Cells = append(r.Cells, pane.Text(ui.Warn, ui.SignWarn+" locked by ALTER TABLE, VACUUM FULL or the like"))
	}
	r.Opens, r.Yank = pane.Ref{Kind: pane.KindTable, ID: t.Ref(), Label: called(t)}, t.Name
	r.Detail = []string{"heap " + bytes(t.Heap) + ", indexes " + bytes(t.Indexes) + ", toast " + bytes(t.Toast) + "; vacuumed " + v.ago(t.Vacuumed.IsZero(), v.o.At.Sub(t.Vacuumed).Seconds()) +
		", analyzed " + v.ago(t.Analyzed.IsZero(), v.o.At.Sub(t.Analyzed).Seconds())}
	r.Data = v.data(t)
	return r
}

func (v view) ago(never bool, seconds float64) string {
	if never {
		return "never"
	}
	return ui.Seconds(seconds) + " ago"
}

func dead(t storage.Table) ui.Cell {
	share := t.DeadShare()
	c := pane.Text(ui.Dim, ui.FitRight(ui.Percent(share), 5))
	switch {
	case math.IsNaN(share):
		c.Text = ui.FitRight("", 5)
	case share >= deadWarn && t.Dead >= deadMany:
		c.Text, c.Tone = ui.FitRight(ui.SignWarn+ui.Percent(share), 5), ui.Warn
	}
	return c
}

// perMinute of a large table that is read from end to end is loud.
func (v view) perMinute(t storage.Table, n int64, w int, loud bool) ui.Cell {
	if !t.RecentKnown || v.o.Window <= 0 {
		return pane.Text(ui.Dim, ui.FitRight(ui.NotKnown, w))
	}
	c := pane.Text(ui.Plain, ui.FitRight(ui.Rate(float64(n)/v.o.Window.Minutes()), w))
	switch {
	case n == 0:
		c.Tone = ui.Dim
	case loud:
		c.Tone = ui.Warn
	}
	return c
}

// data is the table for programs; what is not known is null.
func (v view) data(t storage.Table) map[string]any {
	d := map[string]any{"kind": "table", "key": "table " + t.Ref(), "table": t.Ref(), "bytes": size(t.Total()), "heap": size(t.Heap), "indexes": size(t.Indexes),
		"toast": size(t.Toast), "rows": t.Rows, "dead": t.Dead, "seq_scans": t.Scans.Seq, "index_scans": t.Scans.Index, "locked": t.Locked, "xid_age": t.XIDAge,
		"growth_bytes_per_hour": null(t.Growth.PerHour()), "vacuumed": nil, "analyzed": nil, "recent": nil}
	if !t.Vacuumed.IsZero() {
		d["vacuumed"] = t.Vacuumed.UTC()
	}
	if !t.Analyzed.IsZero() {
		d["analyzed"] = t.Analyzed.UTC()
	}
	if t.RecentKnown {
		d["recent"] = map[string]any{"window_seconds": v.o.Window.Seconds(), "seq_scans": t.Recent.Seq, "seq_rows": t.Recent.SeqRows, "index_scans": t.Recent.Index}
	}
	return d
}
