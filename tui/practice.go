package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// Drill is an exercise under way. Its methods are called from the screen's one
// goroutine, but Finish.
type Drill interface {
	// Briefing says what users report and what is to be done. Begin starts the
	// clock when it is closed.
	Briefing() []dialog.Para
	Begin()
	// Clock is the time and the points for the first line.
	Clock(now time.Time) string
	// Saw tells that the responder looked at a place: the ID of a pane, "page"
	// and its kind, the name of a walkthrough.
	Saw(place string)
	// Causes are what an answer may name; Answer takes one of them, or says that
	// there is none of that name. Both say what came of it.
	Causes() []DrillCause
	Answer(cause string) string
	Hint() string
	// Finish stops the clock, looks what became of the faults and gives the debrief.
	Finish(ctx context.Context) []dialog.Para
	// Blind tells whether the findings are hidden.
	Blind() bool
}

// DrillCause is one that an answer may name.
type DrillCause struct{ ID, Title string }

// debriefTime is how long the look at what became of the faults may take.
const debriefTime = 20 * time.Second

type debriefMsg struct{ paras []dialog.Para }

// brief opens the briefing.
func (a *App) brief() {
	if a.cfg.Drill != nil {
		foot := "the clock starts when this is closed: esc or enter"
		a.open(&drillPage{text: dialog.Text{Title: "Practice", Paras: a.cfg.Drill.Briefing(), Foot: foot, Full: true}, closed: a.cfg.Drill.Begin})
	}
}

// saw tells the drill where the responder looked.
func (a *App) saw(place string) {
	if a.cfg.Drill != nil {
		a.cfg.Drill.Saw(place)
	}
}

// blind tells whether the findings are hidden from whoever practises.
func (a *App) blind() bool { return a.cfg.Drill != nil && a.cfg.Drill.Blind() }

// drillClock is what the first line says of a drill.
func (a *App) drillClock() []piece {
	if a.cfg.Drill == nil {
		return nil
	}
	return []piece{{a.cfg.Theme.Paint(ui.Accent, "  "+a.cfg.Drill.Clock(a.now)) + "  ", 0}}
}

// drillOffers are what the command line knows in practice.
func (a *App) drillOffers() []offer {
	if a.cfg.Drill == nil {
		return nil
	}
	out := []offer{
		{"answer", "say what the cause is; pick it from a list"}, {"hint", "take a hint; it costs points"},
		{"briefing", "read again what users report"}, {"finish", "stop the clock and read how it went"},
	}
	for _, c := range a.cfg.Drill.Causes() {
		out = append(out, offer{"answer " + c.ID, c.Title})
	}
	return out
}

// drillWord runs a command of practice.
func (a *App) drillWord(word, rest string) (tea.Cmd, bool) {
	d := a.cfg.Drill
	if d == nil {
		return nil, false
	}
	switch {
	case word == "hint":
		a.open(&textBox{dialog.Text{Title: "Hint", Paras: []dialog.Para{{Text: d.Hint()}}}})
	case word == "answer" && rest != "":
		a.note = note{text: d.Answer(rest), keep: true}
	case word == "answer":
		a.open(a.causes())
	case word == "briefing":
		a.open(&drillPage{text: dialog.Text{Title: "Practice", Paras: d.Briefing(), Foot: a.keyOf(keys.Back) + " close", Full: true}})
	case word == "finish":
		return a.finish(), true
	default:
		return nil, false
	}
	return nil, true
}

// causes is the list to pick an answer from.
func (a *App) causes() *menuBox {
	m := dialog.Menu{Title: "What is the cause?", Foot: "enter answers  esc back"}
	for _, c := range a.cfg.Drill.Causes() {
		m.Items = append(m.Items, dialog.Item{ID: c.ID, Title: c.Title})
	}
	return &menuBox{Menu: m, pick: func(id, _ string) tea.Cmd {
		a.note = note{text: a.cfg.Drill.Answer(id), keep: true}
		return nil
	}}
}

// finish ends the drill, but not under an action that runs.
func (a *App) finish() tea.Cmd {
	if a.running() > 0 {
		return a.say(ui.Warn, "An action still runs; its outcome belongs to the drill. Finish when it has ended.")
	}
	a.say(ui.Dim, "Looking what became of it…")
	return a.guard("end the drill", debriefTime, func(ctx context.Context) tea.Msg {
		return debriefMsg{a.cfg.Drill.Finish(ctx)}
	}, tell)
}

// debrief shows how the drill went, in place of all else.
func (a *App) debrief(m debriefMsg) {
	a.note = note{}
	a.stack = slices.DeleteFunc(a.stack, func(o overlay) bool { _, same := o.(*drillPage); return same })
	foot := "q leave practice   " + a.keyOf(keys.Back) + " look around once more"
	a.open(&drillPage{text: dialog.Text{Title: "Debrief", Paras: m.paras, Foot: foot, Full: true}, ends: true})
}

// drillPage is the briefing or the debrief.
type drillPage struct {
	text   dialog.Text
	closed func() // called when it is closed; nil nothing
	ends   bool   // q leaves the cockpit from here
}

func (p *drillPage) scope() keys.Scope { return keys.InPage }
func (p *drillPage) page() bool        { return true }

func (p *drillPage) press(a *App, k dialog.Key) tea.Cmd {
	switch {
	case p.ends && k.Name == "q":
		return a.quit()
	case k.Command == keys.Back || k.Command == keys.Open || k.Name == "enter":
		a.close(p)
		if p.closed != nil {
			p.closed()
		}
	default:
		p.text.Press(k.Command)
	}
	return nil
}

func (p *drillPage) lines(a *App, w, h int) []string { return p.text.Lines(a.cfg.Theme, w, h) }

// pagePlace is how the log of a drill names a page.
func pagePlace(kind string) string { return strings.TrimSpace("page " + kind) }
