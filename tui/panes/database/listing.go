package database

import (
	"math"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// listing is one part of the pane as a table of its own, for the command line.
type listing struct {
	id      pane.ID
	title   string
	columns []ui.Column
	fill    func(view, *pane.Content)
}

func (l listing) ID() pane.ID          { return l.id }
func (l listing) Title() string        { return l.title }
func (listing) Needs() []probes.ID     { return []probes.ID{storage.ID} }
func (listing) Actions() []string      { return nil }
func (l listing) Columns() []ui.Column { return l.columns }

func (l listing) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[storage.Overview](in.Set, storage.ID)
	if !ok {
		return pane.Content{}
	}
	c := pane.Content{}
	for _, says := range o.Hidden {
		c.Notes = append(c.Notes, pane.Text(ui.Warn, ui.SignWarn+" "+says))
	}
	l.fill(view{in: in, o: o}, &c)
	return c
}

// Statements lists all statements that were read.
func Statements() pane.Spec {
	return listing{"statements", "Statements", []ui.Column{
		{Title: "QUERYID", Min: 20}, {Title: "CALLS", Min: 8, Right: true}, {Title: "MEAN", Min: 6, Right: true}, {Title: "MAX", Min: 6, Right: true},
		{Title: "ROWS/CALL", Min: 9, Right: true}, {Title: "SHARE", Min: 5, Right: true}, {Title: "STATEMENT", Min: 20},
	}, func(v view, c *pane.Content) {
		c.Summary = v.since(v.o.Statements)
		if c.Problem = strings.TrimSpace(v.o.Statements.Why + " " + v.o.Statements.Fix); c.Problem != "" {
			return
		}
		c.Empty = "No statement was counted yet."
		for _, s := range v.o.Statements.Rows {
			r := v.statement(s)
			each := float64(s.Rows) / float64(max(s.Calls, 1))
			r.Span, r.Cells = false, []ui.Cell{
				pane.Text(ui.Dim, s.Key()), pane.Number(ui.Plain, ui.Count(s.Calls), float64(s.Calls)), pane.Number(meanTone(s.Mean()), ui.Took(s.Mean()), s.Mean()),
				pane.Number(ui.Plain, ui.Took(s.Max), s.Max), pane.Number(ui.Plain, ui.Times(each), each), pane.Number(ui.Plain, ui.Percent(s.Share), s.Share),
				pane.Text(ui.Plain, s.Text),
			}
			c.Rows = append(c.Rows, r)
		}
	}}
}

// Tables lists the tables.
func Tables() pane.Spec {
	return listing{"tables", "Tables", []ui.Column{
		{Title: "TABLE", Min: 20}, {Title: "SIZE", Min: 5, Right: true}, {Title: "HEAP", Min: 5, Right: true}, {Title: "INDEXES", Min: 7, Right: true},
		{Title: "TOAST", Min: 5, Right: true}, {Title: "ROWS", Min: 9, Right: true}, {Title: "DEAD", Min: 5, Right: true},
		{Title: "SEQ SCANS", Min: 9, Right: true}, {Title: "INDEX SCANS", Min: 11, Right: true}, {Title: "VACUUMED", Min: 8, Right: true}, {Title: "ANALYZED", Min: 8, Right: true},
	}, func(v view, c *pane.Content) {
		c.Summary = pane.Joined(ui.Plural(v.o.TableCount, "table"), bytes(v.o.Database.Size))
		c.Empty = "The database has no table of its own."
		for _, t := range v.o.Tables {
			n := func(f int64, says string) ui.Cell { return pane.Number(ui.Plain, says, float64(f)) }
			c.Rows = append(c.Rows, pane.Row{Key: "table " + t.Ref(), Data: v.data(t), Cells: []ui.Cell{
				pane.Text(ui.Accent, t.Ref()), n(t.Total(), bytes(t.Total())), n(t.Heap, bytes(t.Heap)), n(t.Indexes, bytes(t.Indexes)), n(t.Toast, bytes(t.Toast)),
				n(t.Rows, ui.Count(t.Rows)), pane.Number(dead(t).Tone, strings.TrimSpace(dead(t).Text), t.DeadShare()),
				n(t.Scans.Seq, ui.Count(t.Scans.Seq)), n(t.Scans.Index, ui.Count(t.Scans.Index)), pane.Age(t.Vacuumed, v.o.At), pane.Age(t.Analyzed, v.o.At),
			}})
		}
	}}
}

// Indexes lists the indexes of the grading tables with their use, and those
// that are missing.
func Indexes() pane.Spec {
	return listing{"indexes", "Indexes", []ui.Column{
		{Title: "TABLE", Min: 20}, {Title: "INDEX", Min: 20}, {Title: "SIZE", Min: 5, Right: true}, {Title: "SCANS", Min: 8, Right: true},
		{Title: "STATE", Min: 10}, {Title: "DEFINITION", Min: 20},
	}, func(v view, c *pane.Content) {
		c.Empty = "The grading tables have no index."
		for _, m := range v.o.Missing {
			c.Rows = append(c.Rows, absent(m))
		}
		for _, t := range v.o.Tables {
			for _, i := range t.List {
				if t.Grading {
					c.Rows = append(c.Rows, present(t, i))
				}
			}
		}
	}}
}

// absent is an index that is not there: loud where that matters.
func absent(m storage.Missing) pane.Row {
	state, tone := "absent: "+m.Says, ui.Dim
	if m.Matters {
		state, tone = ui.SignWarn+" missing: "+m.Why, ui.Warn
	}
	none := pane.Number(ui.Dim, "", math.NaN())
	return pane.Row{Key: "missing " + m.Create, Cells: []ui.Cell{
		pane.Text(ui.Accent, m.Table), pane.Text(ui.Dim, "none on "+strings.Join(m.Columns, ", ")), none, none, pane.Text(tone, state), pane.Text(ui.Dim, m.Create),
	}, Data: map[string]any{"kind": "missing index", "key": "missing " + m.Create, "table": m.Table, "columns": m.Columns, "matters": m.Matters, "why": m.Why, "says": m.Says, "create": m.Create}}
}

func present(t storage.Table, i storage.Index) pane.Row {
	state, how := i.State()
	key := "index " + t.Schema + "." + i.Name
	return pane.Row{Key: key, Cells: []ui.Cell{
		pane.Text(ui.Accent, t.Ref()), pane.Text(ui.Plain, i.Name), pane.Number(ui.Plain, bytes(i.Size), float64(i.Size)), pane.Number(ui.Plain, ui.Count(i.Scans), float64(i.Scans)),
		pane.Text(tones[how], state), pane.Text(ui.Dim, i.Definition),
	}, Data: map[string]any{"kind": "index", "key": key, "table": t.Ref(), "index": i.Name, "columns": i.Columns, "bytes": size(i.Size), "scans": i.Scans,
		"unique": i.Unique, "primary": i.Primary, "valid": i.Valid, "unused": i.Unused(), "duplicate_of": i.DuplicateOf, "definition": i.Definition}}
}

// tones are those of what the probe judges.
var tones = map[storage.Judgement]ui.Tone{storage.Fine: ui.Plain, storage.Wasteful: ui.Warn, storage.Broken: ui.Bad}
