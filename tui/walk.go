package tui

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/guide"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Bounds of a walkthrough. Few steps look at once: they share the connections
// with the panes.
const (
	stepTime   = 15 * time.Second
	stepsAtOn  = 3
	startTime  = 5 * time.Second // that the first looks of all probes are waited for
	mostCopies = 12              // that are offered to choose from
)

// walkPage is one walkthrough. It stays when it is left, so that it can be
// taken up again.
type walkPage struct {
	walk   playbook.Walk
	queue  []int // steps that wait for their turn
	active int
	runs   []int // of each step: the result of an older run is not taken
	end    *playbook.Conclusion
	ends   int // counts the conclusions asked for
	cursor int // the offer
	hand   bool
	text   dialog.Text
	tried  []guide.Tried
	checks []*recheck // second looks that are due
	shown  int        // the step that text was scrolled in
}

type (
	placeMsg struct {
		page  *walkPage
		place playbook.Place
		err   error
		begin bool // the steps look as soon as it is known
	}
	stepMsg struct {
		page      *walkPage
		step, run int
		result    playbook.Result
	}
	endingMsg struct {
		page *walkPage
		n    int
		end  playbook.Conclusion
	}
)

// walkByName opens a walkthrough from the command line: "NAME" or "NAME COPY".
func (a *App) walkByName(text string) tea.Cmd {
	name, id, _ := strings.Cut(strings.TrimSpace(text), " ")
	b := a.book(name)
	switch {
	case name == "":
		return a.openFindings()
	case b == nil:
		return a.say(ui.Warn, "No walkthrough is called "+name+". Tab completes; "+a.keyOf(keys.Guide)+" lists them.")
	case strings.TrimSpace(id) != "":
		return a.begin(b, "", a.copyNamed(strings.TrimSpace(id)))
	}
	return a.openWalk(pane.Ref{ID: name})
}

// startWalk opens the walkthrough that was asked for on the command line, once
// every probe has looked: its steps would find nothing wrong in what nobody has
// seen yet. It does not open under the hands of whoever does something else.
func (a *App) startWalk() tea.Cmd {
	busy := a.input != nil || a.pending != nil || a.top() != nil
	if a.opens == "" || busy || !a.seenAll() && a.now.Sub(a.born) < startTime {
		return nil
	}
	text := a.opens
	a.opens, a.note = "", note{}
	return a.walkByName(text)
}

// seenAll tells whether every probe has looked, and it was judged.
func (a *App) seenAll() bool {
	all := a.set.Snapshots()
	unseen := slices.ContainsFunc(all, func(s probes.Snapshot) bool { return s.Seq == 0 })
	return len(all) > 0 && !unseen && (a.cfg.Judge == nil || !a.report.At.IsZero())
}

// copyNamed is a copy by what people call it; what no probe names is looked for
// in the database.
func (a *App) copyNamed(id string) grading.CopyRef {
	for _, c := range copies(a.set) {
		if strings.EqualFold(c.Anon, id) || strings.EqualFold(c.ID, id) {
			return c
		}
	}
	return grading.CopyRef{Anon: id}
}

// openWalk opens a walkthrough at the step that finds a rule, or takes it up
// where it was left.
func (a *App) openWalk(ref pane.Ref) tea.Cmd {
	name, rule, _ := strings.Cut(ref.ID, " ")
	b := a.book(name)
	if b == nil {
		return a.say(ui.Dim, "There is no walkthrough for this.")
	}
	if p := a.walks[name]; p != nil {
		if i := p.walk.StepOf(rule); rule != "" && i >= 0 {
			p.walk.At = i
		}
		a.close(p)
		a.open(p)
		return a.conclude(p)
	}
	if all := a.affected(b, rule); b.Asks == "copy" && len(all) > 0 {
		a.open(a.whichCopy(b, rule, all))
		return nil
	}
	return a.begin(b, rule, grading.CopyRef{})
}

// affected lists the copies that a walkthrough could look at: those of the
// finding, the one that the cursor is on, those of the playbook's other findings.
// The one under the cursor is the first where the finding is about it too, or
// where the walkthrough was chosen without a finding. A finding that is about no
// copy, such as a message that kills workers, needs none.
func (a *App) affected(b *playbook.Playbook, rule string) []grading.CopyRef {
	var all []grading.CopyRef
	add := func(refs ...grading.CopyRef) {
		for _, c := range refs {
			if c.ID != "" && len(all) < mostCopies && !slices.ContainsFunc(all, func(o grading.CopyRef) bool { return o.ID == c.ID }) {
				all = append(all, c)
			}
		}
	}
	about := guide.About(b, a.report)
	for _, f := range about {
		if f.Rule == rule {
			add(f.Copies...)
		}
	}
	if rule != "" && len(all) == 0 {
		return nil
	}
	if row, ok := a.table().Selected(); ok && row.Copy != "" {
		c := grading.CopyRef{ID: row.Copy, Anon: a.copyLabel(row)}
		same := func(o grading.CopyRef) bool { return o.ID == c.ID }
		if len(all) == 0 || slices.ContainsFunc(all, same) {
			all = slices.Insert(slices.DeleteFunc(all, same), 0, c)
		}
		add(c)
	}
	for _, f := range about {
		add(f.Copies...)
	}
	return all
}

// whichCopy asks for the copy that the steps look at.
func (a *App) whichCopy(b *playbook.Playbook, rule string, all []grading.CopyRef) *menuBox {
	m := dialog.Menu{Title: b.Title + ": which copy?", Foot: "enter goes on  esc back"}
	for i, c := range all {
		m.Items = append(m.Items, dialog.Item{ID: fmt.Sprint(i), Title: pane.Joined(c.Label(), a.standing(c))})
	}
	m.Items = append(m.Items, dialog.Item{ID: "none", Title: "none: look at all of them", Note: "steps about one copy are skipped"})
	return &menuBox{Menu: m, pick: func(id, _ string) tea.Cmd {
		for i, c := range all {
			if id == fmt.Sprint(i) {
				return a.begin(b, rule, c)
			}
		}
		return a.begin(b, rule, grading.CopyRef{})
	}}
}

// standing is how a copy stands, as far as the panes show it: by its name alone
// nobody knows which one to choose.
func (a *App) standing(c grading.CopyRef) string {
	o, _, _ := probes.Of[grading.Overview](a.set, grading.ID)
	for _, s := range o.Stuck.Value.Rows {
		if s.Copy.ID == c.ID {
			return pane.Joined(s.Status, s.Why)
		}
	}
	for _, l := range o.Locks.Value.Rows {
		if l.Copy.ID == c.ID {
			return pane.Joined(l.CopyStatus, "held by "+l.Owner.Name)
		}
	}
	return ""
}

// begin opens a walkthrough anew: its steps look as soon as it is known where.
func (a *App) begin(b *playbook.Playbook, rule string, c grading.CopyRef) tea.Cmd {
	p := &walkPage{walk: playbook.Walk{Book: b, Started: a.now, Steps: make([]playbook.StepState, len(b.Steps))}, runs: make([]int, len(b.Steps))}
	if old := a.walks[b.Name]; old != nil {
		a.close(old)
		old.queue, old.checks = nil, nil // nobody can come back to it
		p.takeNotes(old, c)
	}
	if rule != "" {
		p.walk.At = max(p.walk.StepOf(rule), 0)
	}
	p.walk.Place.Copy = c
	a.walks[b.Name] = p
	a.saw(b.Name)
	a.open(p)
	return a.readPlace(p, true)
}

// takeNotes keeps what was noted before a copy was chosen, or on the same one.
func (p *walkPage) takeNotes(old *walkPage, c grading.CopyRef) {
	if was := old.walk.Place.Copy; was.ID != "" && was.ID != c.ID {
		return
	}
	for i, s := range old.walk.Steps {
		p.walk.Steps[i].Note = s.Note
	}
}

// readPlace finds out what the texts are filled in with.
func (a *App) readPlace(p *walkPage, begin bool) tea.Cmd {
	set, was := a.set, p.walk.Place
	c := was.Copy
	return a.guard("begin "+p.walk.Book.Title, stepTime, func(ctx context.Context) tea.Msg {
		place, err := a.cfg.Place(ctx, set, cmp.Or(c.ID, c.Anon))
		return placeMsg{p, place, err, begin}
	}, func(err error) tea.Msg { return placeMsg{page: p, err: err, begin: begin, place: was} })
}

func (a *App) gotPlace(m placeMsg) tea.Cmd {
	p := m.page
	was := p.walk.Place.Copy
	p.walk.Place = m.place
	switch {
	case !m.begin: // the copy is known, though it cannot be read now
		p.walk.Place.Copy = was
		return a.conclude(p)
	case m.err != nil:
		a.say(ui.Warn, "It goes on without a copy: "+oneLine(m.err))
	}
	for i := range p.walk.Steps {
		p.queue = append(p.queue, i)
	}
	return a.lookOn(p)
}

// lookOn starts steps that wait, as far as there is room. The one on the screen
// goes first.
func (a *App) lookOn(p *walkPage) tea.Cmd {
	var cmds []tea.Cmd
	for p.active < stepsAtOn && len(p.queue) > 0 {
		next := max(slices.Index(p.queue, p.walk.At), 0)
		i := p.queue[next]
		p.queue = slices.Delete(p.queue, next, next+1)
		cmds = append(cmds, a.look(p, i))
	}
	return tea.Batch(cmds...)
}

// look has one step look. It reads through the sources, beside the screen.
func (a *App) look(p *walkPage, i int) tea.Cmd {
	p.active++
	p.runs[i]++
	p.walk.Steps[i].Status = playbook.Running
	n, step, place := p.runs[i], p.walk.Book.Steps[i], p.walk.Place
	in, report := diagnosis.Input{Set: a.set, Now: a.now}, a.report
	return a.guard("look at "+step.Title, stepTime, func(ctx context.Context) tea.Msg {
		return stepMsg{p, i, n, playbook.Run(ctx, step, place, a.cfg.Sources, in, report, a.cfg.Now)}
	}, func(err error) tea.Msg {
		return stepMsg{p, i, n, playbook.Result{Verdict: playbook.Unknown, Says: err.Error(), Err: err, At: in.Now}}
	})
}

// again queues a step that has looked already.
func (a *App) again(p *walkPage, i int) tea.Cmd {
	if s := &p.walk.Steps[i]; s.Status != playbook.Running && !slices.Contains(p.queue, i) {
		p.queue = append(p.queue, i)
		if s.Status != playbook.Done {
			s.Status = playbook.Waiting
		}
	}
	return a.lookOn(p)
}

// looked takes over what a step found, unless it was skipped or asked again.
func (a *App) looked(m stepMsg) tea.Cmd {
	p := m.page
	p.active--
	if s := &p.walk.Steps[m.step]; p.runs[m.step] == m.run && s.Status == playbook.Running {
		s.Status, s.Result = playbook.Done, m.result
		s.Runs++
		a.checked(p, m.step, &s.Result)
	}
	return tea.Batch(a.lookOn(p), a.conclude(p))
}

// conclude has the conclusion drawn: expressions are judged beside the screen.
func (a *App) conclude(p *walkPage) tea.Cmd {
	p.ends++
	n, w, in, report := p.ends, p.walk, diagnosis.Input{Set: a.set, Now: a.now}, a.report
	w.Steps = slices.Clone(w.Steps)
	if n := p.unhelpful(); n > 0 { // 0 says nothing where the journal cannot be read
		w.Place.Failed = max(w.Place.Failed, n)
	}
	return a.guard("conclude "+w.Book.Title, stepTime, func(context.Context) tea.Msg {
		return endingMsg{p, n, playbook.Conclude(w, in, report)}
	}, tell)
}

func (a *App) concluded(m endingMsg) {
	if p := m.page; m.n == p.ends {
		p.cursor = p.stay(m.end.Offers)
		p.end = &m.end
	}
}

// stay keeps the cursor on its offer. Where that is gone under the eyes of
// whoever looks, it is on nothing, never on what took its place: -1.
func (p *walkPage) stay(offers []playbook.Offer) int {
	if p.end == nil || len(p.end.Offers) == 0 || p.cursor == 0 && !p.atEnd() {
		return 0
	}
	at := -1
	if p.cursor >= 0 && p.cursor < len(p.end.Offers) {
		was := p.end.Offers[p.cursor]
		at = slices.IndexFunc(offers, func(o playbook.Offer) bool {
			return o.Action == was.Action && o.Kind == was.Kind && o.Choice == was.Choice && (o.ID == was.ID || o.ID == "" || was.ID == "")
		})
	}
	if at < 0 && !p.atEnd() {
		return 0
	}
	return at
}

// concludeOpen draws the conclusions anew of the walkthroughs on the screen.
func (a *App) concludeOpen() tea.Cmd {
	var cmds []tea.Cmd
	for _, o := range a.stack {
		if p, ok := o.(*walkPage); ok {
			cmds = append(cmds, a.conclude(p))
		}
	}
	return tea.Batch(cmds...)
}

// stands says where a walkthrough that was left is; "" it was not begun.
func (a *App) stands(name string) string {
	p := a.walks[name]
	switch {
	case p == nil:
		return ""
	case p.walk.At == len(p.walk.Steps):
		return "left at its conclusion"
	}
	return fmt.Sprintf("left at step %d of %d", p.walk.At+1, len(p.walk.Steps))
}

// walkOffers are the words of the command line.
func (a *App) walkOffers() []offer {
	var out []offer
	if a.cfg.Judge != nil {
		out = append(out, offer{"findings", "what is wrong now, and the walkthroughs"})
	}
	for _, b := range a.cfg.Books {
		out = append(out, offer{"walkthrough " + b.Name, b.Title + ", step by step; a copy's id may follow"})
	}
	for _, name := range slices.Sorted(maps.Keys(a.walks)) {
		for _, f := range guide.About(a.walks[name].walk.Book, a.report) {
			for _, c := range f.Copies {
				out = append(out, offer{"walkthrough " + name + " " + c.Label(), "with this copy"})
			}
		}
	}
	return out
}
