// Package table is the page of one table: sizes, scans, vacuum, all its
// indexes with their use, and the advice.
package table

import (
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindTable, Title: "Table", Word: "table", Help: "a table: sizes, indexes, scans, vacuum",
		Needs: []probes.ID{storage.ID}, Text: text,
	}
}

func text(in page.Input) page.Text {
	o, snap, ok := probes.Of[storage.Overview](in.Set, storage.ID)
	if !ok {
		return page.Text{Paras: []dialog.Para{{Text: pane.Trouble(snap, probes.Postgres, in.Now), Tone: ui.Dim}}}
	}
	t := find(o, in.Ref.ID)
	if t == nil {
		return page.Text{Paras: []dialog.Para{{Text: "This database has no table " + in.Ref.ID + ", or it is not among the " + ui.Count(int64(len(o.Tables))) + " that are looked at."}}}
	}
	v := view{o: o, t: *t}
	out := page.Text{Mark: bytes(t.Total()), Yank: t.Name}
	if snap.Err != nil {
		out.Paras = append(out.Paras, dialog.Para{Text: pane.Trouble(snap, probes.Postgres, in.Now), Tone: ui.Bad})
	}
	if t.Locked {
		out.Paras = append(out.Paras, dialog.Para{Text: ui.SignWarn + " Locked by ALTER TABLE, VACUUM FULL or the like: its sizes are not known, and whoever reads it waits.", Tone: ui.Warn})
	}
	for _, part := range [][]dialog.Para{v.facts(), v.indexes(), v.missing()} {
		out.Paras = append(append(out.Paras, part...), dialog.Para{})
	}
	return out
}

// find takes a name with its schema, or the first table of that name.
func find(o storage.Overview, id string) *storage.Table {
	for i, t := range o.Tables {
		if t.Ref() == id || t.Name == id {
			return &o.Tables[i]
		}
	}
	return nil
}

type view struct {
	o storage.Overview
	t storage.Table
}

func fact(head, says string) dialog.Para { return dialog.Para{Head: ui.Fit(head, 12), Text: says} }

func (v view) facts() []dialog.Para {
	t := v.t
	paras := []dialog.Para{
		fact("size", pane.Joined("heap "+bytes(t.Heap), "indexes "+bytes(t.Indexes), "toast "+bytes(t.Toast), v.growth())),
		fact("rows", pane.Joined("about "+ui.Count(t.Rows), "dead "+ui.Count(t.Dead)+" ("+ui.Percent(t.DeadShare())+")")),
		fact("scans", pane.Joined("sequential "+ui.Count(t.Scans.Seq)+", which read "+ui.Count(t.Scans.SeqRows)+" rows", "by index "+ui.Count(t.Scans.Index), v.since())),
	}
	if t.RecentKnown && v.o.Window > 0 {
		paras = append(paras, fact("now", pane.Joined("sequential "+ui.Rate(per(t.Recent.Seq, v.o.Window))+"/min", "by index "+ui.Rate(per(t.Recent.Index, v.o.Window))+"/min",
			"in the last "+ui.Duration(v.o.Window))))
	}
	return append(paras, fact("vacuum", pane.Joined("vacuumed "+v.ago(t.Vacuumed), "analyzed "+v.ago(t.Analyzed), ui.Count(t.XIDAge)+" transactions old")))
}

func (v view) growth() string {
	g := v.t.Growth
	switch {
	case !g.Known():
		return "growth " + ui.NotKnown
	case g.Bytes < 0:
		return "shrank by " + bytes(-g.Bytes) + " in " + ui.Duration(g.Over)
	}
	return "grew by " + bytes(g.Bytes) + " in " + ui.Duration(g.Over)
}

func (v view) since() string {
	if v.o.Database.StatsSince.IsZero() {
		return "since the statistics began"
	}
	return "in the last " + ui.Duration(v.o.At.Sub(v.o.Database.StatsSince))
}

func (v view) ago(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return ui.Ago(v.o.At.Sub(at))
}

func per(n int64, over time.Duration) float64 { return float64(n) / over.Minutes() }

func bytes(n int64) string {
	if n < 0 {
		return ui.NotKnown
	}
	return ui.Bytes(uint64(n))
}

func (v view) indexes() []dialog.Para {
	paras := []dialog.Para{{Text: "Indexes", Tone: ui.Header}}
	for _, i := range v.t.List {
		state, tone := i.State()
		paras = append(paras,
			dialog.Para{Text: pane.Joined(i.Name, bytes(i.Size), ui.Count(i.Scans)+" scans", state), Tone: tones[tone]},
			dialog.Para{Head: "  ", Text: i.Definition, Tone: ui.Dim})
	}
	if len(v.t.List) == 0 {
		paras = append(paras, dialog.Para{Text: "none"})
	}
	return paras
}

// tones are those of what the probe judges.
var tones = map[storage.Judgement]ui.Tone{storage.Fine: ui.Plain, storage.Wasteful: ui.Warn, storage.Broken: ui.Bad}

// missing is what queries would want, with why it may not matter.
func (v view) missing() []dialog.Para {
	var paras []dialog.Para
	for _, m := range v.o.Missing {
		if m.Table != v.t.Ref() {
			continue
		}
		tone, sign := ui.Dim, ""
		if m.Matters {
			tone, sign = ui.Warn, ui.SignWarn+" "
		}
		paras = append(paras, dialog.Para{Text: sign + strings.TrimSpace("No index on ("+strings.Join(m.Columns, ", ")+"). "+m.Why+" "+m.Says), Tone: tone},
			dialog.Para{Head: "  ", Text: m.Create, Tone: ui.Dim})
	}
	if len(paras) > 0 {
		head := dialog.Para{Text: "Advice: nothing here runs it. CONCURRENTLY lets the application write meanwhile and cannot stand in a transaction; one that fails leaves an invalid index to drop.", Tone: ui.Header}
		paras = append([]dialog.Para{head}, paras...)
	}
	return paras
}
