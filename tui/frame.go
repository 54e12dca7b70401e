package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"gradecockpit/probes"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// View hands over the frame that the last Update finished. It runs for every
// message, so nothing is laid out here.
func (a *App) View() tea.View {
	v := tea.NewView(a.frame)
	v.AltScreen = true
	v.WindowTitle = "gradecockpit " + a.cfg.Env.Title
	if a.cfg.Mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// compose finishes the frame: exactly h lines of exactly w cells.
func (a *App) compose() {
	switch {
	case a.w <= 0 || a.h <= 0:
		a.frame = ""
		return
	case a.w < leastWidth || a.h < leastHeight:
		a.frame = strings.Join(tooSmall(a.w, a.h), "\n")
		return
	}
	a.arrange()
	lines := make([]string, a.h)
	a.head(lines)
	if p := a.pageOnTop(); p != nil {
		top := min(a.layout.header, 2)
		copy(lines[top:], p.lines(a, a.w, a.h-1-top))
	} else {
		a.panes(lines)
	}
	a.foot(lines)
	if o := a.top(); o != nil && !o.page() {
		float(lines, o.lines(a, a.w, a.h), a.w)
	}
	for i, l := range lines {
		lines[i] = a.cfg.Theme.Finish(l)
	}
	a.frame = strings.Join(lines, "\n")
}

func tooSmall(w, h int) []string {
	lines := make([]string, h)
	for i := range lines {
		lines[i] = ui.Blank(w)
	}
	text := fmt.Sprintf("too small: needs %dx%d", leastWidth, leastHeight)
	for i, l := range ui.Wrap(text, w) {
		if i < h {
			lines[i] = ui.Fit(l, w)
		}
	}
	return lines
}

// arrange shares the screen among the panes, and tells the hub when others
// than before are to be seen: those of the rest slow down.
func (a *App) arrange() {
	l := lay(a.w, a.h, len(a.tables), a.focus, a.only, a.zoom)
	if l.kind == grid {
		a.home = a.focus
	}
	if slices.EqualFunc(l.places, a.layout.places, func(x, y place) bool { return x.pane == y.pane }) {
		a.layout = l
		return
	}
	a.layout = l
	var needs []probes.ID
	for _, p := range l.places {
		needs = append(needs, a.tables[p.pane].Spec().Needs()...)
	}
	slices.Sort(needs)
	a.cfg.Hub.SetVisible(slices.Compact(needs))
	a.feedVisible()
}

// head writes the lines above the panes.
func (a *App) head(lines []string) {
	lines[0] = a.where(a.w)
	if a.layout.header > 1 {
		lines[1] = a.health(a.w)
	}
	if a.layout.header > 2 {
		lines[2] = a.tabsLine(a.w)
		if a.layout.kind == grid {
			lines[2] = a.offstage(a.w)
		}
	}
}

func (a *App) pageOnTop() overlay {
	for _, o := range slices.Backward(a.stack) {
		if o.page() {
			return o
		}
	}
	return nil
}

// panes splices the lines that the tables keep ready. Two panes side by side
// are of the same height, so joining them needs no measuring.
func (a *App) panes(lines []string) {
	for _, p := range a.layout.places {
		for i, l := range a.tables[p.pane].Render(p.w, p.h, p.pane == a.focus) {
			lines[p.y+i] += l
		}
	}
}

// float lays a box over the middle of the frame.
func float(lines, box []string, w int) {
	if len(box) == 0 {
		return
	}
	bw := ui.Width(box[0])
	x, y := (w-bw)/2, (len(lines)-len(box))/2
	for i, l := range box {
		under := lines[y+i]
		if bw >= w {
			lines[y+i] = l
			continue
		}
		left := ui.FitStyled(ansi.Truncate(under, x, ""), x)
		right := ui.FitStyled(ansi.TruncateLeft(under, x+bw, ""), w-x-bw)
		lines[y+i] = left + reset + l + reset + right + reset
	}
}

// reset ends all colours.
const reset = "\x1b[m"

// foot writes the last line: the keys, or what is being typed, or the answer
// to the last key, which takes as many lines as it needs.
func (a *App) foot(lines []string) {
	var foot []string
	switch {
	case a.input != nil:
		foot = a.prompt()
	case a.pending != nil:
		foot = a.wrapped(ui.Accent, fmt.Sprintf("%s: reading what is there now… %s  %s gives up",
			a.pending.title, ui.Fine(a.now.Sub(a.pending.since)), a.keyOf(keys.Back)))
	case a.note.text != "":
		foot = a.wrapped(a.note.tone, a.note.text)
	default:
		foot = []string{a.hints()}
	}
	foot = foot[:min(len(foot), len(lines)-1)]
	for i, l := range foot {
		lines[len(lines)-len(foot)+i] = ui.FitStyled(l, a.w)
	}
}

func (a *App) wrapped(tone ui.Tone, s string) []string {
	var out []string
	for _, l := range ui.Wrap(s, a.w-2) {
		out = append(out, " "+a.cfg.Theme.Paint(tone, l))
	}
	return out
}

// prompt is the line being typed, with what it could become above it.
func (a *App) prompt() []string {
	in, t := a.input, a.cfg.Theme
	var out []string
	column := 24
	for _, o := range in.offers {
		column = min(max(column, ui.Width(o.text)), a.w/2)
	}
	for i, o := range in.offers {
		tone, mark := ui.Dim, "  "
		if i == in.at {
			tone, mark = ui.Strong, ui.SignCursor+" "
		}
		out = append(out, t.Paint(tone, ui.Fit(mark+ui.Pad(o.text, column)+" "+o.help, a.w)))
	}
	sign, help := "/", "  enter keeps it, esc takes it back; ! inverts"
	if in.kind == filtering {
		if s, ok := in.table.Spec().(pane.Seeker); ok {
			help = "  " + s.Seeks()
		}
	}
	if in.kind == commanding {
		sign, help = ":", "  tab completes, enter runs, esc leaves"
	}
	if in.kind == noting {
		sign, help = "note", "  enter keeps it, esc leaves"
	}
	room := max(a.w-ui.Width(help)-ui.Width(sign)-1, 20)
	return append(out, " "+t.Paint(ui.Key, sign)+in.line.Render(t, room, true)+t.Paint(ui.Dim, help))
}

// hint is a key in the footer.
type hint struct {
	key, text string
	dim       bool
}

// hints are the keys that work where the focus is. One whose action is not
// possible now is dimmed and in brackets.
func (a *App) hints() string {
	first, last := a.hintsNow()
	room := a.w + 1 - a.widthOf(last) // the blanks at the end may be cut
	line := " "
	for _, h := range first {
		s := a.hint(h)
		if n := ui.Width(s); n <= room {
			line += s
			room -= n
		}
	}
	return strings.TrimRight(line+glueHints(a, last), " ")
}

func (a *App) hintsNow() (first, last []hint) {
	switch o := a.top().(type) {
	case nil:
		first, last = a.paneHints()
	case *copyPage:
		first, last = a.copyHints(o)
	case *refPage:
		first, last = a.refHints(o)
	case *walkPage:
		first, last = a.walkHints(o)
	case *handBox:
		first, last = []hint{{key: a.keyOf(keys.Up) + a.keyOf(keys.Down), text: "scroll"}, {key: a.keyOf(keys.Yank), text: "copy all of it"}}, []hint{a.of(keys.Back), a.of(keys.Help)}
	default:
		first = []hint{{text: "the box above has the keys", dim: true}}
	}
	return first, last
}

func (a *App) widthOf(hints []hint) int { return ui.Width(glueHints(a, hints)) }

func glueHints(a *App, hints []hint) string {
	var b strings.Builder
	for _, h := range hints {
		b.WriteString(a.hint(h))
	}
	return b.String()
}

func (a *App) hint(h hint) string {
	t := a.cfg.Theme
	switch {
	case h.key == "":
		return t.Paint(ui.Dim, h.text) + "  "
	case h.dim:
		return t.Paint(ui.Dim, "("+h.key+" "+h.text+")") + "  "
	}
	return t.Paint(ui.Key, h.key) + " " + h.text + "  "
}

func (a *App) of(c keys.Command) hint {
	b, _ := a.cfg.Keys.Of(c)
	return hint{key: b.Label(), text: b.Short}
}

func (a *App) paneHints() (first, last []hint) {
	row, _ := a.table().Selected()
	first = a.rowHints(row, a.table().Spec().Actions())
	if a.last.action != "" {
		undo := a.of(keys.Undo)
		undo.dim = a.noUndo() != ""
		first = append(first, undo)
	}
	first = append(first, a.of(keys.Filter), a.of(keys.Menu), a.of(keys.Palette), a.of(keys.Mark), a.of(keys.Zoom))
	return first, []hint{a.of(keys.Help), a.of(keys.Quit)}
}

// rowHints are the keys that lead on from a row, and those that act on it.
func (a *App) rowHints(row pane.Row, actions []string) []hint {
	open := a.of(keys.Open)
	open.dim = row.Copy == "" && row.Opens.Kind == ""
	hints := append([]hint{open}, a.actionHints(actions)...)
	if len(a.linksOf(row)) > 0 {
		hints = append(hints, a.of(keys.Follow))
	}
	return hints
}

func (a *App) actionHints(ids []string) []hint {
	var out []hint
	for _, id := range ids {
		if b, ok := a.cfg.Keys.ForAction(id); ok {
			out = append(out, hint{b.Label(), b.Short, a.whyNot(id) != ""})
		}
	}
	return out
}

// refHints are those of a page: of its row, or of the page as a whole.
func (a *App) refHints(p *refPage) (first, last []hint) {
	row, _ := p.row()
	if p.table != nil {
		first = append(a.named(a.rowHints(row, p.actions()), p.spec, row), a.of(keys.Filter))
	} else {
		first = append([]hint{{key: a.keyOf(keys.Up) + a.keyOf(keys.Down), text: "scroll"}}, a.actionHints(p.actions())...)
		if len(row.Links) > 0 {
			first = append(first, a.of(keys.Follow))
		}
	}
	yank := a.of(keys.Yank)
	yank.text = cmp.Or(p.spec.Yanks, yank.text)
	first = append(first, yank, a.of(keys.Refresh))
	return first, []hint{a.of(keys.Back), a.of(keys.Help)}
}

// named gives enter and o the words of a page, and enter those of what a row
// leads to.
func (a *App) named(hints []hint, spec page.Spec, row pane.Row) []hint {
	opens := cmp.Or(spec.Opens, map[pane.Kind]string{pane.KindWalk: "walk through", pane.KindFinding: "evidence", pane.KindBlind: "why"}[row.Opens.Kind])
	for i, h := range hints {
		switch {
		case h.key == a.keyOf(keys.Open) && opens != "":
			hints[i].text = opens
		case h.key == a.keyOf(keys.Follow) && spec.Follows != "":
			hints[i].text = spec.Follows
		}
	}
	return hints
}

// walkHints are those of a step, or of the conclusion: what leads on first, and
// last what the help or the page itself names as well.
func (a *App) walkHints(p *walkPage) (first, last []hint) {
	last = []hint{a.of(keys.Back), a.of(keys.Help)}
	if !p.atEnd() {
		first = []hint{a.stepping()}
		for _, c := range []keys.Command{keys.ToEnd, keys.Rerun, keys.ByHand, keys.Note, keys.HandOver, keys.Skip} {
			first = append(first, a.inGuide(c))
		}
		return first, last
	}
	choose := hint{key: a.keyOf(keys.Up) + a.keyOf(keys.Down), text: "scroll"}
	if p.end != nil && len(p.end.Offers) > 0 {
		first = append(first, hint{key: "enter", text: "plan"})
		choose.text = "choose"
	}
	first = append(first, choose, hint{key: a.inGuide(keys.PrevStep).key, text: "steps"})
	if a.reasonOf(p) != "" {
		first = append(first, hint{key: a.inGuide(keys.Follow).key, text: "evidence"})
	}
	return append(first, a.inGuide(keys.HandOver), hint{key: a.inGuide(keys.Rerun).key, text: "look at all again"}), last
}

// stepping is how one goes from step to step: by the arrows where they do.
func (a *App) stepping() hint {
	next, _ := a.cfg.Keys.Find(keys.InGuide, "right")
	prev, _ := a.cfg.Keys.Find(keys.InGuide, "left")
	if next.ID == keys.NextStep && prev.ID == keys.PrevStep {
		return hint{key: keys.Label("left") + keys.Label("right"), text: "step"}
	}
	return hint{key: a.inGuide(keys.PrevStep).key + " " + a.inGuide(keys.NextStep).key, text: "step"}
}

// inGuide is a key of the walkthroughs as the footer shows it.
func (a *App) inGuide(c keys.Command) hint {
	for _, b := range a.cfg.Keys.In(keys.InGuide) {
		if b.ID == c {
			return hint{key: b.Label(), text: b.Short}
		}
	}
	return hint{}
}

func (a *App) copyHints(c *copyPage) (first, last []hint) {
	first = []hint{{key: a.keyOf(keys.Up) + a.keyOf(keys.Down), text: "scroll"}}
	for _, act := range a.cfg.Runner.Actions() {
		b, ok := a.cfg.Keys.ForAction(act.ID())
		if ok && slices.Contains(act.Kinds(), c.row().Target.Kind) {
			first = append(first, hint{b.Label(), b.Short, !c.known || a.whyNot(act.ID()) != ""})
		}
	}
	first = append(first, a.of(keys.Follow), a.of(keys.Menu), a.of(keys.Yank))
	return first, []hint{a.of(keys.Back), a.of(keys.Help)}
}
