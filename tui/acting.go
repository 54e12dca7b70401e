package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// pending is the plan that is being read; there is at most one.
type pending struct {
	n      int
	title  string
	since  time.Time
	cancel context.CancelFunc
}

// asked is a wish for a plan.
type asked struct {
	action string
	target actions.Target
	choice string
	opened string // the key that asked
	reason string // typed already, when the plan is read again
	// walk is the walkthrough that offered it, which looks again afterwards; nil: none.
	walk  *walkPage
	offer playbook.Offer
}

type planMsg struct {
	n    int
	ask  asked
	plan actions.Plan
	err  error
}

// aim gives what an action would be aimed at: all of the marked rows, else the
// row or the copy that it names, else all locks where the action takes them.
// With marks, the row under the cursor is never meant. Where nothing fits it is
// the zero target, which the Runner refuses with the reason.
func (a *App) aim(act actions.Action) actions.Target {
	marked, row := a.aimed()
	switch {
	case len(marked) > 0:
		if t, ok := a.together(act, marked); ok {
			return t
		}
	case row != nil:
		if t, ok := a.targetOf(act, *row); ok {
			return t
		}
	}
	if slices.Contains(act.Kinds(), actions.OnLocks) {
		return actions.Target{Kind: actions.OnLocks, ID: "expired", Label: "expired locks"}
	}
	return actions.Target{}
}

func (a *App) targetOf(act actions.Action, row pane.Row) (actions.Target, bool) {
	if row.Target != nil && slices.Contains(act.Kinds(), row.Target.Kind) {
		return *row.Target, true
	}
	if row.Copy != "" && slices.Contains(act.Kinds(), actions.OnCopy) {
		return actions.Target{Kind: actions.OnCopy, ID: row.Copy, Label: a.copyLabel(row)}, true
	}
	return actions.Target{}, false
}

// labelOf is what people call what the row is about.
func (a *App) labelOf(row pane.Row) string {
	switch {
	case row.Target != nil && row.Target.Label != "":
		return row.Target.Label
	case row.Copy != "":
		return a.copyLabel(row)
	}
	return row.Yank
}

// copyLabel is what people call the copy that the row names; the row may be
// about something else, such as a task.
func (a *App) copyLabel(row pane.Row) string {
	if row.Target != nil && row.Target.Kind == actions.OnCopy && row.Target.Label != "" {
		return row.Target.Label
	}
	for _, c := range copies(a.set) {
		if strings.EqualFold(c.ID, row.Copy) {
			return c.Label()
		}
	}
	return grading.CopyRef{ID: row.Copy}.Label()
}

// together makes one target of several rows.
func (a *App) together(act actions.Action, rows []pane.Row) (actions.Target, bool) {
	var all []actions.Target
	for _, r := range rows {
		t, ok := a.targetOf(act, r)
		if !ok {
			return actions.Target{}, false
		}
		if !slices.ContainsFunc(all, func(o actions.Target) bool { return o.ID == t.ID }) {
			all = append(all, t)
		}
	}
	first := all[0]
	first.More = all[1:]
	return first, true
}

// start begins an action on what the screen is aimed at, or says why not.
func (a *App) start(id, opened string) tea.Cmd {
	action, ok := a.cfg.Runner.Find(id)
	if !ok {
		return a.say(ui.Warn, a.whyNot(id))
	}
	return a.plan(asked{action: id, target: a.aim(action), opened: opened})
}

// whyNot gives the reason why an action is not possible now; "" when it is.
func (a *App) whyNot(id string) string {
	action, ok := a.cfg.Runner.Find(id)
	if !ok {
		return "This cockpit has no action " + id + "."
	}
	return a.cfg.Runner.Disabled(a.set, id, a.aim(action))
}

// undo plans to take the last action back.
func (a *App) undo(opened string) tea.Cmd {
	if why := a.cfg.Runner.ReadOnly(); why != "" {
		return a.say(ui.Warn, "Nothing may be written: "+why+".")
	}
	if a.last.action == "" {
		return a.say(ui.Warn, noUndo)
	}
	return a.plan(asked{action: a.last.action, target: a.last.target, opened: opened})
}

const noUndo = "The journal holds no action that can be undone."

// plan has a plan read. The keys go on working meanwhile; esc gives it up.
func (a *App) plan(ask asked) tea.Cmd {
	if why := a.cfg.Runner.Disabled(a.set, ask.action, ask.target); why != "" {
		if ask.target.Kind == "" && a.cfg.Runner.ReadOnly() == "" {
			why += " Put the cursor on one first."
		}
		return a.say(ui.Warn, why)
	}
	if a.pending != nil {
		return a.say(ui.Warn, "Still reading for "+a.pending.title+"; esc gives that up.")
	}
	a.asks++
	n, set, title := a.asks, a.set, a.titleOf(ask)
	ctx, cancel := context.WithCancel(a.ctx)
	a.pending = &pending{n: n, title: title, since: a.now, cancel: cancel}
	a.note = note{}
	return a.guard("plan "+title, planTime, func(bound context.Context) tea.Msg {
		defer cancel()
		stop := context.AfterFunc(bound, cancel)
		defer stop()
		p, err := a.cfg.Runner.Plan(ctx, set, ask.action, ask.target, ask.choice)
		return planMsg{n, ask, p, err}
	}, func(err error) tea.Msg { return planMsg{n: n, ask: ask, err: err} })
}

func (a *App) titleOf(ask asked) string {
	title := ask.action
	if action, ok := a.cfg.Runner.Find(ask.action); ok {
		title = action.Title()
	}
	return strings.TrimSpace(title + " " + ask.target.Label)
}

// giveUp stops the reading of a plan.
func (a *App) giveUp() {
	a.pending.cancel()
	a.pending = nil
}

// planned shows a plan that has been read, or why there is none.
func (a *App) planned(m planMsg) tea.Cmd {
	if a.pending == nil || a.pending.n != m.n {
		return nil // given up meanwhile: it was never shown
	}
	a.pending = nil
	if m.err != nil {
		a.open(refusal(a.titleOf(m.ask), m.err))
		return nil
	}
	a.input = nil // what is being typed must not go on under a question
	a.open(&confirmBox{dialog.NewConfirm(m.plan, a.cfg.Keys, m.ask.opened, m.ask.reason, a.now), m.ask})
	return a.wakeIn(dialog.Quiet)
}

// refusal tells why there is no plan: in words of the action, or as the error
// it was.
func refusal(title string, err error) *textBox {
	x := dialog.Text{Title: title, Mark: "not done", MarkTone: ui.Warn}
	var no *actions.Refusal
	var moved *actions.Moved
	switch {
	case errors.As(err, &no):
		x.Paras = []dialog.Para{{Text: no.Why}, {Text: no.Next}}
	case errors.As(err, &moved):
		x.Paras = movedParas(moved)
	case errors.Is(err, context.DeadlineExceeded):
		x.Paras = []dialog.Para{{Text: "The sources did not answer in time: " + err.Error()}}
	default:
		x.Paras = []dialog.Para{{Text: "It could not be planned: " + err.Error()}}
	}
	x.Paras = append(x.Paras, dialog.Para{}, dialog.Para{Text: "Nothing has been written.", Tone: ui.Dim})
	return &textBox{Text: x}
}

func movedParas(m *actions.Moved) []dialog.Para {
	out := []dialog.Para{{Text: m.Says}}
	for _, d := range m.Diffs {
		out = append(out, dialog.Para{Head: "  ", Text: fmt.Sprintf("%s: was %s, is %s", d.Name, d.Was, d.Is), Tone: ui.Warn})
	}
	return out
}

// confirmBox is the overlay that asks for a plan to be confirmed.
type confirmBox struct {
	*dialog.Confirm
	ask asked
}

func (b *confirmBox) scope() keys.Scope { return keys.InDialog }
func (b *confirmBox) page() bool        { return false }

func (b *confirmBox) lines(a *App, w, h int) []string {
	return b.Lines(a.cfg.Theme, w, h, a.now)
}

func (b *confirmBox) press(a *App, k dialog.Key) tea.Cmd {
	switch b.Press(k, a.cfg.Now()) {
	case dialog.Cancel:
		a.close(b)
		a.say(ui.Dim, "Cancelled: nothing was written.")
		return a.cancelled(b.Plan)
	case dialog.Again:
		a.close(b)
		ask := b.ask
		ask.choice, ask.reason = b.Choice, b.Reason()
		return tea.Batch(a.cancelled(b.Plan), a.plan(ask))
	case dialog.Confirmed:
		a.close(b)
		return a.run(b.Plan, b.Given(), b.ask)
	}
	if !b.Armed(a.now) {
		return a.wakeIn(dialog.Quiet)
	}
	return nil
}

// cancelled journals that a plan was shown and not confirmed.
func (a *App) cancelled(p actions.Plan) tea.Cmd {
	return a.guard("journal a cancelled plan", journalTime, func(context.Context) tea.Msg {
		a.cfg.Runner.Cancel(p)
		return nil
	}, tell)
}
