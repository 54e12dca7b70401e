package tui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// App is the screen. It is used from Bubble Tea's one goroutine; only its Cmds
// run elsewhere, and they touch nothing of it but flight and the feeds.
type App struct {
	cfg Config
	ctx context.Context // ends with the session

	w, h   int
	now    time.Time
	set    probes.Set
	report diagnosis.Report     // the judgement of set
	walks  map[string]*walkPage // by the name of the playbook
	tables []*pane.Table
	focus  int
	home   int // the pane on the dashboard that had the focus last
	zoom   bool
	only   bool
	layout layout
	stack  []overlay // the last one has the keys
	input  *input    // filter or command line; takes the keys before all else

	note    note
	pending *pending
	asks    int // counts the plans asked for
	runs    []*run
	flight  flight
	last    undoable // what undo would take back
	history history
	seeks   map[pane.ID]*seeking // what sources were asked through filters

	opens string    // the walkthrough that is to be opened; "" none
	born  time.Time // when the screen was made

	frame string // the finished screen; View only hands it over
}

// overlay is what lies above the panes and has the keys.
type overlay interface {
	scope() keys.Scope
	page() bool // takes the place of the panes; else it floats above them
	press(a *App, k dialog.Key) tea.Cmd
	// lines gives at most h lines of at most w cells; a page gives exactly that.
	lines(a *App, w, h int) []string
}

// note is the line that answers the last key.
type note struct {
	text  string
	tone  ui.Tone
	until time.Time
	keep  bool // stays until a key is pressed
}

type (
	setMsg struct {
		set    probes.Set
		report diagnosis.Report
		err    error
	}
	tickMsg  struct{}
	wakeMsg  struct{} // only to lay out again
	retryMsg struct{} // wait for news again
)

// New makes an App. It does nothing until its messages come.
func New(cfg Config) *App {
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Env.Title, cfg.Env.Actor = clean.Text(cfg.Env.Title), clean.Text(cfg.Env.Actor)
	a := &App{cfg: cfg, ctx: context.Background(), now: cfg.Now(), set: cfg.Hub.Latest(), seeks: map[pane.ID]*seeking{}, walks: map[string]*walkPage{}, opens: cfg.Start}
	a.born = a.now
	for i, s := range cfg.Specs {
		a.tables = append(a.tables, pane.New(s, cfg.Theme, i+1))
		if s.ID() == cfg.Only {
			a.focus, a.only = i, true
		}
	}
	if len(cfg.Unsettled) > 0 {
		a.open(unsettled(cfg.Unsettled))
	}
	a.brief()
	a.feedAll()
	return a
}

// Init starts the clock, the one wait for news, and the look into the journal.
func (a *App) Init() tea.Cmd {
	if a.cfg.Start != "" {
		a.note = note{text: "Looking at every source; then the walkthrough opens.", tone: ui.Dim, keep: true}
	}
	return tea.Batch(a.tick(), a.next(), a.askUndo(), a.judgeFirst())
}

// tick moves the ages once a second.
func (a *App) tick() tea.Cmd { return a.after(time.Second, tickMsg{}) }

// wakeIn lays out again after a moment in which nothing may happen.
func (a *App) wakeIn(d time.Duration) tea.Cmd { return a.after(d, wakeMsg{}) }

// after is tea.Tick that ends with the session.
func (a *App) after(d time.Duration, msg tea.Msg) tea.Cmd {
	return func() tea.Msg {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return msg
		case <-a.ctx.Done():
			return nil
		}
	}
}

// next waits for the next set. There is never more than one such wait.
func (a *App) next() tea.Cmd {
	return a.guard("wait for news", 0, func(ctx context.Context) tea.Msg {
		set, err := a.cfg.Hub.Next(ctx, a.cfg.Settle)
		if err != nil {
			return setMsg{err: err}
		}
		return setMsg{set: set, report: a.judge(set)}
	}, func(err error) tea.Msg { return setMsg{err: err} })
}

// Update takes one message. It never waits for anything.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	a.now = a.cfg.Now()
	cmd := a.take(msg)
	a.compose()
	return a, cmd
}

func (a *App) take(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.w, a.h = m.Width, m.Height
	case tea.KeyPressMsg:
		return a.press(m)
	case tea.PasteMsg:
		return a.paste(m.Content)
	case tea.MouseWheelMsg:
		return a.wheel(m)
	case tea.MouseClickMsg:
		a.click(m.X, m.Y)
	case setMsg:
		return a.news(m)
	case tickMsg:
		a.feedVisible()
		a.feedPages()
		a.note.fade(a.now)
		return tea.Batch(a.tick(), a.checkLate(), a.startWalk())
	case retryMsg:
		return a.next()
	case tellMsg:
		return a.say(ui.Bad, m.err.Error())
	default:
		return a.takeOwn(msg)
	}
	return nil
}

// takeOwn takes what the app's own Cmds found.
func (a *App) takeOwn(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case planMsg:
		return a.planned(m)
	case newsMsg:
		return a.heard(a.runs[m.run])
	case endMsg:
		return a.ended(m)
	case undoMsg:
		a.last = m.undoable
	case copyMsg:
		a.gotCopy(m)
	case refMsg:
		a.gotRef(m)
	case reportMsg:
		return a.judged(m.report)
	case placeMsg:
		return a.gotPlace(m)
	case stepMsg:
		return a.looked(m)
	case endingMsg:
		a.concluded(m)
	case handMsg:
		a.showHandOver(m)
	case seekMsg:
		return a.found(m)
	case olderMsg:
		a.gotOlder(m)
	case debriefMsg:
		a.debrief(m)
	}
	return nil
}

// news takes a new set and asks for the one after it.
func (a *App) news(m setMsg) tea.Cmd {
	if m.err != nil {
		if a.ctx.Err() != nil {
			return nil
		}
		a.cfg.Log("no news: %v", m.err)
		a.say(ui.Bad, m.err.Error())
		return a.after(time.Second, retryMsg{})
	}
	old := a.set
	a.set, a.report = m.set, m.report
	a.history.follow(old, a.set)
	for _, t := range a.tables {
		if changed(old, m.set, t.Spec().Needs()) {
			a.feed(t)
		}
	}
	a.feedPages()
	return tea.Batch(a.next(), a.refreshCopy(), a.refreshPages(), a.checkLate(), a.concludeOpen(), a.startWalk())
}

// changed tells whether a pane with these needs has something new to show.
func changed(old, set probes.Set, needs []probes.ID) bool {
	return slices.ContainsFunc(needs, func(id probes.ID) bool {
		return old.Get(id).Seq != set.Get(id).Seq
	})
}

// feed gives a pane what it may look at.
func (a *App) feed(t *pane.Table) { t.SetInput(a.inputOf(t.Spec().ID())) }

// inputOf is what a pane may look at.
func (a *App) inputOf(id pane.ID) pane.Input {
	in := pane.Input{Set: a.set, Report: a.report, Now: a.now, Zone: a.cfg.Zone, ASCII: a.cfg.Theme.ASCII, Older: a.history.events}
	if s := a.seeks[id]; s != nil {
		in.Query, in.Data, in.Problem, in.Seeking = s.query, s.data, s.problem(), !s.done
	}
	return in
}

func (a *App) feedAll() {
	for _, t := range a.tables {
		a.feed(t)
	}
}

// feedVisible moves the ages of what is on the screen.
func (a *App) feedVisible() {
	for _, p := range a.layout.places {
		a.feed(a.tables[p.pane])
	}
}

// say puts a sentence into the message line.
func (a *App) say(tone ui.Tone, s string) tea.Cmd {
	a.note = note{text: s, tone: tone, until: a.now.Add(messageTime)}
	return nil
}

func (n *note) fade(now time.Time) {
	if !n.keep && now.After(n.until) {
		*n = note{}
	}
}

// open puts an overlay on top. Whoever opens something above the briefing has
// begun: it is closed.
func (a *App) open(o overlay) {
	if b, ok := a.top().(*drillPage); ok && b.closed != nil {
		a.close(b)
		b.closed()
	}
	a.stack = append(a.stack, o)
}

// close takes an overlay away, wherever it is in the stack.
func (a *App) close(o overlay) {
	a.stack = slices.DeleteFunc(a.stack, func(x overlay) bool { return x == o })
}

// top is the overlay that has the keys; nil when the panes have them.
func (a *App) top() overlay {
	if len(a.stack) == 0 {
		return nil
	}
	return a.stack[len(a.stack)-1]
}

// table is the focused pane.
func (a *App) table() *pane.Table { return a.tables[a.focus] }

// aimed gives the rows that an action key means: those of the page on top when
// one is open, else the marked ones and the one under the cursor.
func (a *App) aimed() (marked []pane.Row, row *pane.Row) {
	for _, o := range slices.Backward(a.stack) {
		if s, ok := o.(subject); ok {
			return s.aimed()
		}
	}
	if r, ok := a.table().Selected(); ok {
		row = &r
	}
	return a.table().Marked(), row
}

// keyOf is the first key of a command, as the table has it.
func (a *App) keyOf(c keys.Command) string {
	b, _ := a.cfg.Keys.Of(c)
	return b.Label()
}
