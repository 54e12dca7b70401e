package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// copyEvery is how often the page of one copy is read again while news come.
const copyEvery = 2 * time.Second

// copyPage is everything about one copy.
type copyPage struct {
	id, label string
	data      CopyPage
	known     bool      // data has been read
	loading   bool      // it is being read now
	at        time.Time // when data was read, by our clock
	tried     time.Time
	err       error
	text      dialog.Text
}

type copyMsg struct {
	page *copyPage
	data CopyPage
	err  error
}

func (c *copyPage) scope() keys.Scope { return keys.InPage }
func (c *copyPage) page() bool        { return true }

// row is what actions on this page aim at.
func (c *copyPage) row() pane.Row {
	id := c.id
	if c.known {
		id = c.data.Copy.ID
	}
	return pane.Row{Key: id, Yank: id, Links: c.links(id),
		Target: &actions.Target{Kind: actions.OnCopy, ID: id, Label: c.label}}
}

// links are what a copy leads to: its trace through logs, events and tasks, and
// its files.
func (c *copyPage) links(id string) []pane.Ref {
	links := []pane.Ref{{Kind: pane.KindTrace, ID: id, Label: c.label}}
	for _, file := range []string{c.data.PDFSource, c.data.FinalPDF} {
		if file != "" {
			links = append(links, pane.Ref{Kind: pane.KindFile, ID: file})
		}
	}
	return links
}

func (c *copyPage) aimed() (marked []pane.Row, row *pane.Row) {
	if !c.known {
		return nil, nil
	}
	r := c.row()
	return nil, &r
}

func (a *App) openCopy(id, label string) tea.Cmd {
	a.saw(pagePlace("copy"))
	c := &copyPage{id: id, label: label}
	a.open(c)
	return a.load(c)
}

// load reads the copy, unless it is being read already.
func (a *App) load(c *copyPage) tea.Cmd {
	if c.loading || a.cfg.Dossier == nil {
		return nil
	}
	c.loading, c.tried = true, a.now
	id := c.id
	return a.guard("read copy "+c.label, dossierTime, func(ctx context.Context) tea.Msg {
		data, err := a.cfg.Dossier(ctx, id)
		return copyMsg{c, data, err}
	}, func(err error) tea.Msg { return copyMsg{page: c, err: err} })
}

// gotCopy keeps the last good page when reading it again failed.
func (a *App) gotCopy(m copyMsg) {
	c := m.page
	c.loading, c.err = false, m.err
	if m.err == nil {
		c.data, c.known, c.at = m.data, true, a.now
		c.label = c.data.Copy.Label()
	}
}

// refreshCopy reads the open copy again, as the panes do with theirs.
func (a *App) refreshCopy() tea.Cmd {
	var cmds []tea.Cmd
	for _, o := range a.stack {
		if c, ok := o.(*copyPage); ok && a.now.Sub(c.tried) >= copyEvery {
			cmds = append(cmds, a.load(c))
		}
	}
	return tea.Batch(cmds...)
}

func (c *copyPage) press(a *App, k dialog.Key) tea.Cmd {
	b, _ := a.cfg.Keys.Find(keys.InPane, k.Name)
	switch {
	case k.Command == keys.Back:
		a.close(c)
	case c.text.Press(k.Command):
	case b.Acts && b.ID != keys.Undo:
		return a.startOnCopy(c, b.Action, k.Name)
	default:
		if cmd, taken := a.onRows(nil, func() (pane.Row, bool) { return c.row(), true }, b, k.Name); taken && b.ID != keys.Open {
			return cmd
		}
		return a.say(ui.Dim, "Nothing is on "+keys.Label(k.Name)+" here; "+a.keyOf(keys.Back)+" leaves the copy.")
	}
	return nil
}

// startOnCopy acts only once it is known which copy this is.
func (a *App) startOnCopy(c *copyPage, id, opened string) tea.Cmd {
	if !c.known {
		return a.say(ui.Warn, "This copy has not been read yet.")
	}
	return a.start(id, opened)
}

func (c *copyPage) lines(a *App, w, h int) []string {
	c.text.Full = true
	c.text.Title = "Copy " + c.label
	c.text.Mark, c.text.MarkTone = c.state(a.now)
	c.text.Paras = c.paras(a)
	return c.text.Lines(a.cfg.Theme, w, h)
}

// state says how fresh the page is.
func (c *copyPage) state(now time.Time) (string, ui.Tone) {
	switch {
	case c.err != nil && c.known:
		return ui.SignBad + " " + ui.Fine(now.Sub(c.at)) + " old", ui.Bad
	case c.known:
		return c.data.Status, ui.Accent
	case c.err != nil:
		return ui.SignBad + " not read", ui.Bad
	}
	return "reading", ui.Dim
}

func (c *copyPage) paras(a *App) []dialog.Para {
	var out []dialog.Para
	if c.err != nil {
		out = append(out, dialog.Para{Head: ui.SignBad + " ", Text: "This copy cannot be read: " + oneLine(c.err) +
			" It is tried again with the next refresh.", Tone: ui.Bad}, dialog.Para{})
	}
	switch {
	case !c.known && a.cfg.Dossier == nil:
		return append(out, dialog.Para{Text: "There is no database to read a copy from."})
	case !c.known && c.err == nil:
		return append(out, dialog.Para{Text: "Reading everything about " + c.label + "…"})
	case !c.known:
		return out
	}
	v := view{c.data, c.data.ServerTime.Add(a.now.Sub(c.at)), a.cfg.Zone}
	for _, part := range [][]dialog.Para{v.head(), v.notes(), c.actions(a), v.lock(), v.work(), v.timeline(), v.tasks(), v.logs(), v.missing()} {
		if len(part) > 0 {
			out = append(append(out, part...), dialog.Para{})
		}
	}
	return out
}

func oneLine(err error) string {
	s := probes.Brief(err)
	if s == "" {
		s = err.Error()
	}
	return strings.TrimSuffix(s, ".") + "."
}

// actions lists what can be done about this copy now, then what cannot and why.
func (c *copyPage) actions(a *App) []dialog.Para {
	out := []dialog.Para{{Text: "What can be done", Tone: ui.Header}}
	var not []dialog.Para
	for _, act := range a.cfg.Runner.Actions() {
		if !slices.Contains(act.Kinds(), actions.OnCopy) {
			continue
		}
		b, _ := a.cfg.Keys.ForAction(act.ID())
		head := "  " + ui.Pad(b.Label(), 3) + ui.Pad(act.Title(), 24) + " "
		if why := a.cfg.Runner.Disabled(a.set, act.ID(), *c.row().Target); why != "" {
			not = append(not, dialog.Para{Head: head, Text: "not now: " + why, Tone: ui.Dim})
		} else {
			out = append(out, dialog.Para{Head: head, Text: fit(act.ID(), b.Help, c.data)})
		}
	}
	return append(out, not...)
}

// fit says why an action makes sense for a copy as it is.
func fit(id, help string, d CopyPage) string {
	switch {
	case id == "force-unlock" && d.Lock != nil && d.Lock.Expired:
		return "the lock of " + name(d.Lock.Owner) + " expired"
	case id == "force-unlock" && d.Lock != nil:
		return name(d.Lock.Owner) + " still holds a valid lock: work can be lost"
	case id == "retry" && d.Status == "STAGING":
		return "the import left no page"
	case id == "retry" && d.ScoreKnown:
		return "it would be graded with " + d.Score
	case id == "release-locked" && d.Lock == nil && d.Status == "LOCKED":
		return "it is LOCKED and nobody holds a lock"
	}
	return help
}
