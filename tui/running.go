package tui

import (
	"context"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// run is one confirmed plan, from its confirmation to its outcome.
type run struct {
	id     int
	plan   actions.Plan
	ask    asked
	since  time.Time
	ended  time.Time
	said   []said
	result *actions.Result
	feed   feed
}

type said struct {
	at    time.Time
	phase actions.Phase
	text  string
}

// feed carries what a run reports to the screen. It never drops and never
// blocks the run: the run must not wait for a slow terminal.
type feed struct {
	mu   sync.Mutex
	news []actions.Progress
	bell chan struct{} // holds one
}

func (f *feed) put(p actions.Progress) {
	f.mu.Lock()
	f.news = append(f.news, p)
	f.mu.Unlock()
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

func (f *feed) take() []actions.Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	news := f.news
	f.news = nil
	return news
}

type (
	newsMsg struct{ run int } // the feed of a run has something
	endMsg  struct {
		run    int
		result actions.Result
	}
	undoMsg struct{ undoable }
)

// undoable is what undo would take back.
type undoable struct {
	action string
	target actions.Target
	title  string
}

// run starts a confirmed plan and shows its progress.
func (a *App) run(p actions.Plan, given actions.Confirmation, ask asked) tea.Cmd {
	r := &run{id: len(a.runs), plan: p, ask: ask, since: a.now, feed: feed{bell: make(chan struct{}, 1)}}
	a.runs = append(a.runs, r)
	a.open(&runBox{run: r})
	execute := a.guard("run "+p.Title, 0, func(ctx context.Context) tea.Msg {
		if !a.flight.begin() {
			return endMsg{r.id, actions.Result{Plan: p, Verdict: actions.Verdict{Kind: actions.Cancelled,
				Says: "The cockpit is closing; nothing was begun."}}}
		}
		defer a.flight.end()
		return endMsg{r.id, a.cfg.Runner.Run(ctx, p, given, r.feed.put)}
	}, func(err error) tea.Msg {
		return endMsg{r.id, actions.Result{Plan: p, Verdict: actions.Verdict{Kind: actions.Unverdict,
			Says: err.Error(), Next: "Look at the target and at the journal yourself."}}}
	})
	return tea.Batch(execute, a.listen(r))
}

// listen waits for the next report of a run.
func (a *App) listen(r *run) tea.Cmd {
	return a.guard("follow "+r.plan.Title, 0, func(ctx context.Context) tea.Msg {
		select {
		case <-r.feed.bell:
			return newsMsg{r.id}
		case <-ctx.Done():
			return nil
		}
	}, tell)
}

// heard takes over what a run reported.
func (a *App) heard(r *run) tea.Cmd {
	done := false
	for _, p := range r.feed.take() {
		r.said = append(r.said, said{a.now, p.Phase, p.Says})
		done = done || p.Phase == actions.Done
	}
	if done || r.result != nil {
		return nil
	}
	return a.listen(r)
}

// ended takes over the outcome of a run. It is said even where nobody is
// looking; a box is never opened under the hands of whoever does something else.
func (a *App) ended(m endMsg) tea.Cmd {
	r := a.runs[m.run]
	a.heard(r)
	r.result, r.ended = &m.result, a.now
	if top, ok := a.top().(*runBox); !ok || top.run != r {
		sign, tone := verdictSign(m.result.Verdict.Kind)
		a.say(tone, fmt.Sprintf("%s %s: %s. %s  (:actions shows it)", sign, r.plan.Title, m.result.Verdict.Kind, m.result.Verdict.Says))
		a.note.keep = true
	}
	a.cfg.Hub.Refresh()
	if w := r.ask.walk; w != nil {
		return tea.Batch(a.askUndo(), a.acted(w, r.ask.offer, m.result.Verdict))
	}
	return a.askUndo()
}

// askUndo looks into the journal for what undo would take back now.
func (a *App) askUndo() tea.Cmd {
	return a.guard("read the journal", journalTime, func(context.Context) tea.Msg {
		id, t, title, ok := a.cfg.Runner.Undoable()
		if !ok {
			return undoMsg{}
		}
		return undoMsg{undoable{id, t, title}}
	}, tell)
}

// running counts the runs without an outcome.
func (a *App) running() int {
	n := 0
	for _, r := range a.runs {
		if r.result == nil {
			n++
		}
	}
	return n
}

// flight counts the runs that have begun, so that leaving can wait for them. A
// Cmd that Bubble Tea never got to start is not among them.
type flight struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when the last one has ended after closing
}

func (f *flight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.n++
	return true
}

func (f *flight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.closed && f.n == 0 {
		close(f.idle)
	}
}

func (f *flight) close() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed, f.idle = true, make(chan struct{})
		if f.n == 0 {
			close(f.idle)
		}
	}
	return f.idle
}

// Wait lets no further action begin and waits for those that run to reach
// their outcome, at most for limit. It tells whether they did.
func (a *App) Wait(limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-a.flight.close():
		return true
	case <-t.C:
		return false
	}
}

// runBox shows how a run goes and how it ended. Leaving it stops nothing.
type runBox struct {
	run  *run
	text dialog.Text
}

func (b *runBox) scope() keys.Scope { return keys.InPage }
func (b *runBox) page() bool        { return false }

func (b *runBox) press(a *App, k dialog.Key) tea.Cmd {
	switch {
	case k.Command == keys.Back || k.Command == keys.Open:
		a.close(b)
		if b.run.result == nil {
			a.say(ui.Dim, "It goes on in the background; :actions shows it again.")
		}
	case k.Name == a.keyOf(keys.Undo) && b.run.undoable():
		a.close(b)
		return a.undo(k.Name)
	default:
		b.text.Press(k.Command)
	}
	return nil
}

func (r *run) undoable() bool { return r.result != nil && r.result.Effect.Undo.Action != "" }

func (b *runBox) lines(a *App, w, h int) []string {
	r := b.run
	b.text.Title = r.plan.Title
	b.text.Foot = a.keyOf(keys.Back) + " leaves this running"
	b.text.Mark, b.text.MarkTone = "running "+ui.Fine(a.now.Sub(r.since)), ui.Accent
	b.text.Paras = r.progress()
	if r.result != nil {
		sign, tone := verdictSign(r.result.Verdict.Kind)
		b.text.Mark, b.text.MarkTone = sign+" "+string(r.result.Verdict.Kind), tone
		b.text.Foot = a.keyOf(keys.Back) + " close"
		if r.undoable() {
			b.text.Foot += "   " + a.keyOf(keys.Undo) + " undo"
		}
		b.text.Paras = r.outcome()
	}
	return b.text.Lines(a.cfg.Theme, w, h)
}

func (r *run) progress() []dialog.Para {
	var out []dialog.Para
	for i, s := range r.said {
		p := dialog.Para{Head: ui.SignGood + " ", Text: s.text, Tone: ui.Dim}
		if i == len(r.said)-1 {
			p.Head, p.Tone = ui.SignRight+" ", ui.Plain
		}
		if d := s.at.Sub(r.since); d >= time.Second {
			p.Text += " (after " + ui.Fine(d) + ")"
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		out = []dialog.Para{{Head: ui.SignRight + " ", Text: "confirmed; starting"}}
	}
	return out
}

// outcome says the verdict first, then what it rests on.
func (r *run) outcome() []dialog.Para {
	v, e := r.result.Verdict, r.result.Effect
	sign, tone := verdictSign(v.Kind)
	out := []dialog.Para{{Head: sign + " ", Text: string(v.Kind) + ": " + v.Says, Tone: tone}}
	out = append(out, list("Done:", e.Did, ui.Plain)...)
	out = append(out, list("Left alone:", e.Skip, ui.Warn)...)
	out = append(out, list("What this rests on:", v.Evidence, ui.Plain)...)
	if v.Next != "" {
		out = append(out, dialog.Para{}, dialog.Para{Head: "Next: ", Text: v.Next, Tone: ui.Strong})
	}
	return append(out, dialog.Para{}, dialog.Para{Text: fmt.Sprintf("Took %s; the journal has it as %s.",
		ui.Fine(r.ended.Sub(r.since)), r.plan.ID), Tone: ui.Dim})
}

func list(title string, items []string, tone ui.Tone) []dialog.Para {
	if len(items) == 0 {
		return nil
	}
	out := []dialog.Para{{}, {Text: title, Tone: ui.Dim}}
	for _, s := range items {
		out = append(out, dialog.Para{Head: "  - ", Text: s, Tone: tone})
	}
	return out
}

func verdictSign(k actions.VerdictKind) (string, ui.Tone) {
	switch k {
	case actions.Fixed:
		return ui.SignGood, ui.Good
	case actions.NotFixed, actions.Failed:
		return ui.SignBad, ui.Bad
	case actions.Cancelled:
		return ui.SignHollow, ui.Dim
	}
	return ui.SignWarn, ui.Warn
}
