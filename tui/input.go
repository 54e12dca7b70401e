package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// mostOffers is how many completions are shown at once.
const mostOffers = 6

// input is a line being typed in place of the footer.
type input struct {
	kind   inputKind
	table  *pane.Table // that is filtered
	line   dialog.Line
	before string    // the filter before it was changed
	offers []offer   // completions of the command line
	at     int       // the offer chosen by tab; -1 what was typed
	walk   *walkPage // whose step is noted on
	step   int
}

type inputKind int

const (
	filtering inputKind = iota
	commanding
	noting
)

// offer is a command with what it does.
type offer struct{ text, help string }

// edit takes a key while a line is being typed.
func (a *App) edit(k dialog.Key) tea.Cmd {
	in := a.input
	switch k.Name {
	case "esc", "ctrl+c":
		a.input = nil
		if in.kind == filtering {
			return a.filter(in.table, in.before)
		}
	case "enter":
		a.input = nil
		switch in.kind {
		case commanding:
			return a.command(in.chosen())
		case noting:
			in.walk.walk.Steps[in.step].Note = strings.TrimSpace(in.line.String())
		}
	case "tab", "down", "ctrl+n":
		in.turn(1)
	case "shift+tab", "up", "ctrl+p":
		in.turn(-1)
	case "backspace":
		if in.line.String() == "" {
			a.input = nil
			return nil
		}
		fallthrough
	default:
		in.take()
		in.line.Press(k)
		return a.typed()
	}
	return nil
}

// typed follows a change of the line.
func (a *App) typed() tea.Cmd {
	in := a.input
	switch in.kind {
	case filtering:
		return a.filter(in.table, in.line.String())
	case noting:
		return nil
	}
	in.offers, in.at = a.offers(in.line.String()), -1
	return nil
}

// chosen is the offer that tab went to, else what was typed; a sole match of a
// name that was begun is taken as meant.
func (in *input) chosen() string {
	switch {
	case in.at >= 0:
		return in.offers[in.at].text
	case len(in.offers) == 1 && strings.HasPrefix(in.offers[0].text, in.line.String()):
		return in.offers[0].text
	}
	return in.line.String()
}

func (in *input) turn(by int) {
	if n := len(in.offers); n > 0 {
		in.at = (in.at + by + n) % n
		if in.at < 0 {
			in.at = n - 1
		}
	}
}

// take makes the chosen offer the text, to go on typing from.
func (in *input) take() {
	if in.at >= 0 {
		in.line.Set(in.offers[in.at].text)
		in.at = -1
	}
}

// offers gives the commands that begin with the text, then those that hold it.
func (a *App) offers(text string) []offer {
	want := ui.Fold(strings.TrimSpace(text))
	if want == "" {
		return nil
	}
	var begin, hold []offer
	for _, o := range a.commands() {
		name := ui.Fold(o.text)
		switch {
		case strings.HasPrefix(name, want):
			begin = append(begin, o)
		case strings.Contains(name, want):
			hold = append(hold, o)
		}
	}
	all := append(begin, hold...)
	return all[:min(len(all), mostOffers)]
}

// commands lists everything the command line knows now.
func (a *App) commands() []offer {
	var out []offer
	for _, t := range a.tables {
		out = append(out, offer{string(t.Spec().ID()), "go to " + t.Spec().Title()})
	}
	for _, act := range a.aimable() {
		out = append(out, offer{act.ID(), "action on what the cursor is on: " + act.Title()})
	}
	for _, p := range a.cfg.Pages {
		if p.Word != "" {
			out = append(out, offer{p.Word, p.Word + " ID: " + p.Help})
		}
	}
	out = append(out, a.walkOffers()...)
	out = append(out,
		offer{"undo", "undo the last action that can be undone"},
		offer{"actions", "the actions of this session and how they ended"},
		offer{"copy", "copy ID: everything about one copy"},
		offer{"pause", "stop refreshing"}, offer{"resume", "go on refreshing"},
		offer{"refresh", "ask every source now"}, offer{"faster", "refresh faster"}, offer{"slower", "refresh slower"},
		offer{"zoom", "the focused pane alone, and back"}, offer{"help", "the keys that live here"},
		offer{"quit", "leave"})
	out = append(out, a.drillOffers()...)
	for _, c := range copies(a.set) {
		out = append(out, offer{"copy " + c.Label(), "everything about this copy"})
	}
	return out
}

// command runs what was typed: a pane, an action, a word, or a copy.
func (a *App) command(text string) tea.Cmd {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	if i := slices.IndexFunc(a.cfg.Specs, func(s pane.Spec) bool { return string(s.ID()) == word }); i >= 0 {
		a.stack = nil
		a.focusOn(i)
		return nil
	}
	if _, ok := a.cfg.Runner.Find(word); ok {
		if p, is := a.top().(*walkPage); is { // the cursor of a pane below is not to be seen
			return a.actHere(p, keys.Binding{Action: word}, "enter")
		}
		return a.start(word, "enter")
	}
	if i := slices.IndexFunc(a.cfg.Pages, func(p page.Spec) bool { return p.Word == word && word != "" }); i >= 0 {
		return a.pageByName(a.cfg.Pages[i], rest)
	}
	if cmd, ok := a.word(word, rest); ok {
		return cmd
	}
	if rest == "" && a.knows(word) {
		return a.copyByName(word)
	}
	return a.say(ui.Warn, "No command is called "+word+". Tab completes; "+a.keyOf(keys.Help)+" shows the keys.")
}

// word runs a command that is neither pane nor action nor copy.
func (a *App) word(word, rest string) (tea.Cmd, bool) {
	switch word {
	case "":
		return nil, true
	case "copy":
		return a.copyByName(rest), true
	case "findings":
		return a.openFindings(), true
	case "walkthrough":
		return a.walkByName(rest), true
	case "undo":
		return a.undo("enter"), true
	case "actions":
		a.open(a.runsMenu())
		return nil, true
	case "pause", "resume":
		if (word == "pause") == a.cfg.Hub.Paused() {
			return a.say(ui.Dim, "It is so already."), true
		}
		return a.pace(keys.Pause), true
	case "refresh", "faster", "slower":
		return a.pace(keys.Command(word)), true
	case "zoom":
		return a.everywhere(keys.Binding{ID: keys.Zoom}, ""), true
	case "help":
		return a.everywhere(keys.Binding{ID: keys.Help}, ""), true
	case "q", "quit":
		return a.quit(), true
	}
	return a.drillWord(word, rest)
}

// pageByName opens a page on what was typed behind its word.
func (a *App) pageByName(p page.Spec, name string) tea.Cmd {
	if name == "" && !p.Whole {
		return a.say(ui.Warn, p.Word+" needs something to look at: "+p.Help+".")
	}
	return a.openRef(pane.Ref{Kind: p.Kind, ID: name})
}

// copyByName opens a copy by its row id or anonymous id.
func (a *App) copyByName(name string) tea.Cmd {
	if name == "" {
		return a.say(ui.Warn, "Which copy? Type copy and its id, such as copy A3F2-0042.")
	}
	for _, c := range copies(a.set) {
		if strings.EqualFold(c.Anon, name) || strings.EqualFold(c.ID, name) {
			return a.openCopy(c.ID, c.Label())
		}
	}
	return a.openCopy(name, name)
}

func (a *App) knows(name string) bool {
	return slices.ContainsFunc(copies(a.set), func(c grading.CopyRef) bool {
		return strings.EqualFold(c.Anon, name) || strings.EqualFold(c.ID, name)
	})
}

// copies gives every copy that a probe names now, each once.
func copies(set probes.Set) []grading.CopyRef {
	var out []grading.CopyRef
	seen := map[string]bool{}
	add := func(c grading.CopyRef) {
		if c.ID != "" && !seen[c.ID] {
			seen[c.ID] = true
			out = append(out, c)
		}
	}
	o, _, _ := probes.Of[grading.Overview](set, grading.ID)
	for _, l := range o.Locks.Value.Rows {
		add(l.Copy)
	}
	for _, s := range o.Stuck.Value.Rows {
		add(s.Copy)
	}
	for _, e := range o.Events.Value.Rows {
		add(e.Copy)
	}
	q, _, _ := probes.Of[celery.Overview](set, celery.ID)
	for _, w := range q.Workers {
		for _, r := range w.Running {
			add(grading.CopyRef{ID: r.CopyID})
		}
	}
	for _, queue := range q.Queues {
		for _, m := range queue.Sample {
			add(grading.CopyRef{ID: m.CopyID})
		}
	}
	return out
}

// menu lists every action there is, for what the cursor is on.
func (a *App) menu() *menuBox {
	m := dialog.Menu{Title: "Actions", Foot: "enter or its key reads a plan, which asks before anything is written  esc back"}
	if _, row := a.aimed(); row != nil {
		m.Title += " on " + a.labelOf(*row)
	}
	if marked, _ := a.aimed(); len(marked) > 0 {
		m.Title = "Actions on " + ui.Plural(len(marked), "marked row")
	}
	fits := func(act actions.Action) bool { return a.aim(act).Kind != "" }
	all := a.aimable()
	// What takes such a target comes first: the rest only says what it is for.
	for _, act := range append(slices.DeleteFunc(slices.Clone(all), func(act actions.Action) bool { return !fits(act) }), slices.DeleteFunc(all, fits)...) {
		b, _ := a.cfg.Keys.ForAction(act.ID())
		m.Items = append(m.Items, dialog.Item{ID: act.ID(), Key: b.Label(), Title: act.Title(), Note: b.Help, Why: a.whyNot(act.ID())})
	}
	undo := dialog.Item{ID: "undo", Key: a.keyOf(keys.Undo), Title: "Undo", Note: a.last.title, Why: a.noUndo()}
	m.Items = append(m.Items, undo)
	return &menuBox{Menu: m, pick: func(id, key string) tea.Cmd {
		if id == "undo" {
			return a.undo(key)
		}
		return a.start(id, key)
	}}
}

// aimable lists the actions that are aimed at something on the screen; the
// others are only ways back, which undo finds in the journal.
func (a *App) aimable() []actions.Action {
	return slices.DeleteFunc(slices.Clone(a.cfg.Runner.Actions()), func(act actions.Action) bool {
		return !slices.ContainsFunc(act.Kinds(), func(k actions.TargetKind) bool { return k != actions.OnRecord })
	})
}

func (a *App) noUndo() string {
	switch {
	case a.cfg.Runner.ReadOnly() != "":
		return "Nothing may be written: " + a.cfg.Runner.ReadOnly() + "."
	case a.last.action == "":
		return noUndo
	}
	return a.cfg.Runner.Disabled(a.set, a.last.action, a.last.target)
}

// runsMenu lists the actions of this session, newest first.
func (a *App) runsMenu() *menuBox {
	m := dialog.Menu{Title: "Actions of this session", Foot: "enter opens  esc back"}
	for _, r := range slices.Backward(a.runs) {
		it := dialog.Item{ID: r.plan.ID, Title: r.plan.Title, Note: "running " + ui.Fine(a.now.Sub(r.since))}
		if r.result != nil {
			sign, _ := verdictSign(r.result.Verdict.Kind)
			it.Note = sign + " " + string(r.result.Verdict.Kind) + ": " + r.result.Verdict.Says
		}
		m.Items = append(m.Items, it)
	}
	if len(a.runs) == 0 {
		m.Items = []dialog.Item{{Title: "none yet", Why: "No action was run in this session."}}
	}
	return &menuBox{Menu: m, pick: func(id, _ string) tea.Cmd {
		i := slices.IndexFunc(a.runs, func(r *run) bool { return r.plan.ID == id })
		a.open(&runBox{run: a.runs[i]})
		return nil
	}}
}
