package tui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/ui"
)

// olderPage is how many events are read at once when paging back.
const olderPage = 100

// mostOlder bounds what paging back keeps; further back is for SQL.
const mostOlder = 5000

// history is the part of the timeline that was paged back to. The probe brings
// only the newest rows.
type history struct {
	events  grading.Events
	loading bool
	end     bool // there is nothing older
}

type olderMsg struct {
	events []grading.Event
	err    error
}

// pageBack asks for older events once the cursor is on the last of them.
func (a *App) pageBack() tea.Cmd {
	t, h := a.table(), &a.history
	newest, _, ok := probes.Of[grading.Overview](a.set, grading.ID)
	if t.Spec().ID() != "timeline" || a.cfg.Older == nil || !ok || h.loading || h.end || !t.AtEnd() || t.Filter() != "" {
		return nil
	}
	last, some := oldest(newest.Events.Value.Rows, h.events.Rows)
	if !some || !newest.Events.Value.More || len(h.events.Rows) >= mostOlder {
		return nil
	}
	from := grading.Cursor{At: last.At, ID: last.ID}
	h.loading = true
	a.say(ui.Dim, "Reading older events…")
	return a.guard("read older events", olderTime, func(ctx context.Context) tea.Msg {
		events, err := a.cfg.Older(ctx, from, olderPage)
		return olderMsg{events, err}
	}, func(err error) tea.Msg { return olderMsg{err: err} })
}

func (a *App) gotOlder(m olderMsg) {
	h := &a.history
	h.loading = false
	switch {
	case m.err != nil:
		a.say(ui.Bad, "No older events: "+probes.Brief(m.err))
		return
	case len(m.events) == 0:
		h.end = true
		a.say(ui.Dim, "This is where the timeline begins.")
		return
	}
	a.note = note{}
	h.add(h.events.Rows, m.events)
	a.feedAll()
}

// follow keeps what was paged back to joined to the probe's part, which moves
// on with every new event: rows that it leaves behind come over here. When the
// two no longer meet, all is forgotten: a timeline with a hole tells a false story.
func (h *history) follow(old, set probes.Set) {
	before, _, ok := probes.Of[grading.Overview](old, grading.ID)
	after, _, ok2 := probes.Of[grading.Overview](set, grading.ID)
	if len(h.events.Rows) == 0 || !ok || !ok2 {
		return
	}
	was, is := before.Events.Value.Rows, after.Events.Value.Rows
	if len(is) == 0 {
		*h = history{}
		return
	}
	last := is[len(is)-1]
	i := slices.IndexFunc(was, func(e grading.Event) bool { return e.ID == last.ID && e.Gap == last.Gap })
	if i < 0 {
		*h = history{}
		return
	}
	h.add(was[i+1:], h.events.Rows)
}

// add makes the rows of two parts, the newer one first.
func (h *history) add(newer, older []grading.Event) {
	h.events.Rows = slices.Concat(newer, older)
	h.events.Gaps = 0
	for _, e := range h.events.Rows {
		if e.Gap != "" {
			h.events.Gaps++
		}
	}
}

// oldest is the last event that is one; gaps have no place of their own.
func oldest(parts ...[]grading.Event) (grading.Event, bool) {
	for _, rows := range slices.Backward(parts) {
		for _, e := range slices.Backward(rows) {
			if e.Gap == "" {
				return e, true
			}
		}
	}
	return grading.Event{}, false
}
