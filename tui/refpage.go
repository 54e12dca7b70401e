package tui

import (
	"context"
	"errors"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// readTime bounds a page's Reader that asks for no other bound.
const readTime = 10 * time.Second

// refPage is a page of the catalogue on one thing. What its Reader gave stands
// in the set as the snapshot of [pane.ReadID], so that a page has the same
// states as a pane: waiting, fresh, or old and why.
type refPage struct {
	spec    page.Spec
	ref     pane.Ref
	read    probes.Snapshot
	reading bool
	tried   time.Time
	table   *pane.Table // a page of rows; nil: of prose
	text    dialog.Text
	shown   page.Text // the prose as it was laid out last
}

type refMsg struct {
	page *refPage
	data any
	err  error
}

func (p *refPage) page() bool { return true }

func (p *refPage) scope() keys.Scope {
	if p.table != nil {
		return keys.InPane
	}
	return keys.InPage
}

// openRef opens the page of a thing; a copy has a page of its own kind.
func (a *App) openRef(ref pane.Ref) tea.Cmd {
	switch ref.Kind {
	case pane.KindCopy:
		return a.openCopy(ref.ID, ref.Name())
	case pane.KindPane:
		return a.openPane(ref)
	case pane.KindWalk:
		return a.openWalk(ref)
	case pane.KindFinding:
		return a.openFinding(ref)
	case pane.KindFindings:
		return a.openFindings()
	case pane.KindBlind:
		return a.openBlind(ref)
	}
	i := slices.IndexFunc(a.cfg.Pages, func(s page.Spec) bool { return s.Kind == ref.Kind })
	if i < 0 {
		return a.say(ui.Dim, "There is no page for this.")
	}
	return a.openPage(ref, a.cfg.Pages[i])
}

// openPage opens a page of the catalogue, or one of the guide's.
func (a *App) openPage(ref pane.Ref, spec page.Spec) tea.Cmd {
	a.saw(pagePlace(string(ref.Kind)))
	p := &refPage{spec: spec, ref: ref, read: probes.Snapshot{ID: pane.ReadID}}
	if p.spec.Rows != nil {
		p.table = pane.New(p.spec.Rows(ref), a.cfg.Theme, 0)
	}
	if a.cfg.Read[ref.Kind] == nil { // it shows what the probes saw
		p.read.Seq, p.read.Good, p.read.Payload = 1, a.now, struct{}{}
	}
	a.open(p)
	p.feed(a)
	return a.readRef(p)
}

// readRef asks a page's Reader, unless that is being done already.
func (a *App) readRef(p *refPage) tea.Cmd {
	reader := a.cfg.Read[p.ref.Kind]
	if reader == nil || p.reading {
		return nil
	}
	p.reading, p.tried = true, a.now
	limit := p.spec.Takes
	if limit == 0 {
		limit = readTime
	}
	return a.guard("read "+p.spec.Title+" "+p.ref.Name(), limit, func(ctx context.Context) tea.Msg {
		data, err := reader(ctx, p.ref)
		return refMsg{p, data, err}
	}, func(err error) tea.Msg { return refMsg{page: p, err: err} })
}

// gotRef keeps the last good data when reading failed.
func (a *App) gotRef(m refMsg) {
	p, s := m.page, &m.page.read
	p.reading = false
	s.Seq, s.At, s.Err, s.Source = s.Seq+1, a.now, m.err, ""
	var e *probes.Error
	if errors.As(m.err, &e) {
		s.Source = e.Source
	}
	if m.err == nil {
		s.Payload, s.Good, s.FailedSince = m.data, a.now, time.Time{}
	} else if s.FailedSince.IsZero() {
		s.FailedSince = a.now
	}
	p.feed(a)
}

// refreshPages reads the open pages again whose time has come.
func (a *App) refreshPages() tea.Cmd {
	var cmds []tea.Cmd
	for _, o := range a.stack {
		if p, ok := o.(*refPage); ok && p.spec.Every > 0 && a.now.Sub(p.tried) >= p.spec.Every {
			cmds = append(cmds, a.readRef(p))
		}
	}
	return tea.Batch(cmds...)
}

// feedPages gives the open pages what they may look at.
func (a *App) feedPages() {
	for _, o := range a.stack {
		if p, ok := o.(*refPage); ok {
			p.feed(a)
		}
	}
}

func (p *refPage) feed(a *App) {
	if p.table != nil {
		p.table.SetInput(p.input(a))
	}
}

func (p *refPage) input(a *App) pane.Input {
	in := a.inputOf("")
	in.Set, in.Data = a.set.With(p.read), p.read.Payload
	return in
}

func (p *refPage) lines(a *App, w, h int) []string {
	if p.table != nil {
		return p.table.Render(w, h, true)
	}
	in := page.Input{Input: p.input(a), Ref: p.ref, Height: max(h-2, 0), Read: p.read.Good}
	in.Width = max(w-4, 1)
	p.text.Full = true
	p.text.Title = p.spec.Title + " " + p.ref.Name()
	p.shown = page.Text{}
	if p.read.Payload != nil {
		p.shown = p.spec.Text(in)
	}
	p.text.Mark, p.text.MarkTone, p.text.Paras = p.shown.Mark, p.shown.Tone, p.shown.Paras
	if says := pane.Trouble(p.read, p.read.Source, a.now); says != "" {
		tone := ui.Bad
		if p.read.Err == nil {
			tone = ui.Dim
		}
		p.text.Paras = append([]dialog.Para{{Text: says, Tone: tone}, {}}, p.text.Paras...)
		if p.read.Err != nil && !p.read.Good.IsZero() {
			p.text.Mark, p.text.MarkTone = ui.SignBad+" "+ui.Fine(a.now.Sub(p.read.Good))+" old", ui.Bad
		}
	}
	return p.text.Lines(a.cfg.Theme, w, h)
}

// row is what keys on this page aim at: the row under the cursor, or the page
// itself.
func (p *refPage) row() (pane.Row, bool) {
	if p.table != nil {
		return p.table.Selected()
	}
	yank := p.shown.Yank
	if yank == "" {
		yank = p.ref.ID
	}
	return pane.Row{Key: p.ref.ID, Target: p.shown.Target, Links: p.shown.Links, Yank: yank}, true
}

func (p *refPage) aimed() (marked []pane.Row, row *pane.Row) {
	if r, ok := p.row(); ok {
		row = &r
	}
	if p.table != nil {
		marked = p.table.Marked()
	}
	return marked, row
}

func (p *refPage) press(a *App, k dialog.Key) tea.Cmd {
	if p.table == nil && p.text.Press(k.Command) {
		return nil
	}
	b, _ := a.cfg.Keys.Find(keys.InPane, k.Name)
	if k.Command != keys.None {
		b.ID = k.Command
	}
	if cmd, taken := a.onRows(p.table, p.row, b, k.Name); taken {
		return cmd
	}
	if b.ID == keys.Back {
		a.close(p)
		return nil
	}
	return a.say(ui.Dim, "Nothing is on "+keys.Label(k.Name)+" here; "+a.keyOf(keys.Back)+" leaves the page.")
}

func (p *refPage) actions() []string {
	if p.table != nil {
		return p.table.Spec().Actions()
	}
	return p.spec.Actions
}
