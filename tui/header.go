package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// piece is a part of a header line. The ones with the highest drop go first
// when there is no room; 0 never goes.
type piece struct {
	text string // painted
	drop int
}

// bar makes a line of w cells with pieces at both ends.
func bar(w int, left, right []piece) string {
	for {
		l, r := glue(left), glue(right)
		gap := w - ui.Width(l) - ui.Width(r)
		if gap >= 1 || !dropWorst(&left, &right) {
			if gap < 1 { // the right end says whether one may trust the rest
				l = ui.FitStyled(l, max(w-ui.Width(r)-1, 0))
			}
			return ui.FitStyled(l+ui.Blank(max(gap, 1))+r, w)
		}
	}
}

func glue(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// dropWorst takes away the piece that matters least.
func dropWorst(lists ...*[]piece) bool {
	var from *[]piece
	at, worst := 0, 0
	for _, l := range lists {
		for i, p := range *l {
			if p.drop > worst {
				from, at, worst = l, i, p.drop
			}
		}
	}
	if from == nil {
		return false
	}
	*from = slices.Delete(slices.Clone(*from), at, at+1)
	return true
}

// where is the first line: which system, who acts, and whether what is shown
// is fresh. One pane alone has no second line: what is wrong stands in this one.
func (a *App) where(w int) string {
	t, env := a.cfg.Theme, a.cfg.Env
	left := []piece{
		{" " + t.Paint(ui.Strong, "gradecockpit") + " ", 4},
		{" " + t.Badge(env.Colour, " "+env.Title+" "), 0},
	}
	if env.Actor != "" {
		left = append(left, piece{" as " + env.Actor, 3})
	}
	right := a.drillClock()
	if why := a.readOnly(); why != "" {
		right = append(right, piece{t.Paint(ui.Warn, "READ-ONLY") + "  ", 0}, piece{t.Paint(ui.Dim, "("+why+")") + "  ", 5})
	}
	if n := a.running(); n > 0 {
		right = append(right, piece{t.Paint(ui.Accent, ui.SignRight+" "+ui.Plural(n, "action")+" running") + "  ", 2})
	}
	fresh := a.freshness()
	if a.layout.header == 1 {
		right = append(right, a.foundBeside(w, left, append(slices.Clone(right), fresh...))...)
	}
	return bar(w, left, append(right, fresh...))
}

// foundBeside is what is wrong, for the first line: in the richest form that takes
// nothing away but our name. The shortest form is worth more than the actor's as
// well; that nothing was found takes nothing away.
func (a *App) foundBeside(w int, left, right []piece) []piece {
	forms := a.findingsForms()
	if len(forms) == 0 {
		return nil
	}
	put := func(c ui.Cell, drop int) []piece {
		return []piece{{"  " + a.cfg.Theme.Paint(c.Tone, c.Text) + "  ", drop}}
	}
	short, found := forms[len(forms)-1], len(a.report.Findings) > 0
	beside := [][]piece{left}
	if found {
		forms, beside = forms[:len(forms)-1], append(beside, left[1:])
	}
	for _, l := range beside {
		room := w - 1 - ui.Width(glue(l)) - ui.Width(glue(right))
		for _, f := range forms {
			if ui.Width(f.Text)+4 <= room {
				return put(f, 0)
			}
		}
	}
	if found {
		return put(short, 2)
	}
	return put(short, 6)
}

func (a *App) readOnly() string {
	if a.cfg.Env.ReadOnly != "" {
		return a.cfg.Env.ReadOnly
	}
	return a.cfg.Runner.ReadOnly()
}

// freshness says live or paused, and how often the sources are asked. It never
// says live while a source is not.
func (a *App) freshness() []piece {
	t := a.cfg.Theme
	every := piece{t.Paint(ui.Dim, "  "+ui.Fine(a.cfg.Hub.Interval())+" "), 1}
	if a.cfg.Hub.Paused() {
		return []piece{{t.Paint(ui.Warn, "‖ PAUSED"), 0}, every}
	}
	worst := a.worst()
	if worst.rank == 0 {
		return []piece{{t.Paint(ui.Good, ui.SignDot+" live"), 0}, every}
	}
	return []piece{{t.Paint(worst.tone, strings.TrimSpace(worst.sign+" "+worst.name+" "+worst.state+" "+worst.word)), 0}, every}
}

// health is a source as the second line shows it.
type health struct {
	name, sign string
	state      string // live, stale, denied, unknown
	word       string // the least that has to be said
	detail     string // may be cut
	tone       ui.Tone
	rank       int // 0 good
}

// sources lists the health of every source, in the order of the screen.
func (a *App) sources() []health {
	var out []health
	for _, id := range probes.Sources() {
		if id.Optional() && !a.set.Has(id) {
			continue
		}
		out = append(out, healthOf(a.set.SourceHealth(id), id, a.now))
		if id == probes.Postgres {
			out[0].detail = strings.TrimSpace(out[0].detail + skew(a.set))
		}
		if h, ok := workers(a.set); ok && id == probes.Redis {
			out = append(out, h)
		}
	}
	return out
}

// short is what the second line says of a source in any case. A failure is
// told by its sign and its age; a refusal, or that nobody asked, in words.
func (h health) short() string {
	if h.rank == 3 && h.state != "denied" && h.word != "" {
		return h.word
	}
	return strings.TrimSpace(h.state + " " + h.word)
}

// worst is the source that a responder has to know of first.
func (a *App) worst() health {
	return slices.MaxFunc(a.sources(), func(x, y health) int { return x.rank - y.rank })
}

func healthOf(s probes.Snapshot, id probes.SourceID, now time.Time) health {
	h := health{name: string(id), sign: ui.SignBad, tone: ui.Bad, rank: 3, detail: cause(s.Err)}
	var e *probes.Error
	switch s.Health() {
	case probes.Live:
		return health{name: string(id), sign: ui.SignDot, word: ui.Seconds(s.Cost.Seconds()), tone: ui.Good}
	case probes.Denied:
		h.state = "denied"
	case probes.Stale:
		h.state = "stale"
	default:
		if s.Err == nil {
			return health{name: string(id), sign: ui.SignHollow, state: "not read yet", tone: ui.Dim, rank: 1}
		}
		if errors.As(s.Err, &e) && e.Cause == "" {
			return health{name: string(id), sign: ui.SignHollow, state: e.Op, tone: ui.Dim}
		}
		h.state = "unknown"
	}
	if !s.FailedSince.IsZero() {
		h.word = ui.Duration(now.Sub(s.FailedSince))
	}
	return h
}

func cause(err error) string {
	if err == nil {
		return ""
	}
	return probes.Brief(err)
}

// leastSkew is how far the clocks may be apart before it is worth a word.
const leastSkew = 2 * time.Second

func skew(set probes.Set) string {
	o, _, ok := probes.Of[grading.Overview](set, grading.ID)
	switch {
	case !ok || o.Skew.Abs() < leastSkew:
		return ""
	case o.Skew > 0:
		return " its clock is " + ui.Fine(o.Skew) + " ahead"
	}
	return " its clock is " + ui.Fine(-o.Skew) + " behind"
}

// workers says whether anybody takes tasks; false when that was never asked.
func workers(set probes.Set) (health, bool) {
	o, snap, ok := probes.Of[celery.Overview](set, celery.ID)
	switch {
	case !ok:
		return health{}, false
	case snap.Err != nil: // what they were then says nothing of now
		return health{name: "workers", sign: ui.SignHollow, word: "unknown", tone: ui.Dim}, true
	case o.WorkersErr != "":
		return health{name: "workers", sign: ui.SignHollow, word: "unknown", detail: o.WorkersErr, tone: ui.Warn}, true
	case pane.Listening(o) == 0 && o.Receivers == 0:
		return health{name: "workers", sign: ui.SignBad, word: "none", tone: ui.Bad, rank: 2}, true
	}
	if n, state := ailing(o); n > 0 {
		word := fmt.Sprintf("%d %s", n, state)
		return health{name: "workers", sign: ui.SignBad, word: word, tone: ui.Bad}, true
	}
	return health{name: "workers", sign: ui.SignDot, word: fmt.Sprint(max(len(o.Workers), o.Receivers)), tone: ui.Good}, true
}

// ailing counts the workers that something is wrong with, and names it.
func ailing(o celery.Overview) (n int, state celery.WorkerState) {
	for _, w := range o.Workers {
		if _, tone := pane.WorkerState(w.State); tone == ui.Bad {
			n, state = n+1, w.State
		}
	}
	return n, state
}

// health is the second line: the sources, and at its end what is wrong.
func (a *App) health(w int) string {
	found, kept := a.foundAtEnd(w)
	return ui.FitStyled(a.healthIn(w-kept)+found, w)
}

// foundAtEnd is what stands at the end of the second line, right-aligned, and how
// many cells it takes. It gets the richest form that leaves every source its
// least.
func (a *App) foundAtEnd(w int) (painted string, cells int) {
	forms, all := a.findingsForms(), a.sources()
	if len(forms) == 0 {
		return "", 0
	}
	short := forms[len(forms)-1]
	put := func(c ui.Cell) (string, int) {
		return "  " + a.cfg.Theme.Paint(c.Tone, c.Text) + " ", ui.Width(c.Text) + 3
	}
	for _, less := range terser() {
		for _, f := range forms[:len(forms)-1] {
			if painted, cells := put(f); roomBeside(less(all), w-cells, 2) >= 0 {
				return painted, cells
			}
		}
	}
	return put(short)
}

// terser are the forms of the sources, from the richest one on.
func terser() []func([]health) []health {
	return []func([]health) []health{slices.Clone[[]health], missed, hushed, lumped}
}

// hushed says of the sources that are well only that they are.
func hushed(all []health) []health {
	all = missed(all)
	for i, h := range all {
		if h.rank == 0 && h.name != "workers" {
			all[i].word = ""
		}
	}
	return all
}

// lumped names the sources that are not well only.
func lumped(all []health) []health {
	ill := slices.DeleteFunc(slices.Clone(all), func(h health) bool { return h.tone == ui.Good })
	switch {
	case len(ill) == len(all):
		return all
	case len(ill) == 0:
		return []health{{name: "sources", sign: ui.SignDot, word: "all well", tone: ui.Good}}
	}
	return append(ill, health{name: "others", sign: ui.SignDot, word: "well", tone: ui.Good})
}

// missed leaves out what may be absent and is well: it is missed least.
func missed(all []health) []health {
	return slices.DeleteFunc(slices.Clone(all), func(h health) bool { return h.rank == 0 && probes.SourceID(h.name).Optional() })
}

// healthIn is the health of each source in w cells. What they said shares the
// room that is left.
func (a *App) healthIn(w int) string {
	t, all, sep := a.cfg.Theme, a.sources(), 3
	for _, less := range terser() {
		if l := less(all); roomBeside(l, w, 2) >= 0 {
			all = l
			break
		}
	}
	room, talk := roomBeside(all, w, sep), 0
	for _, h := range all {
		if h.detail != "" {
			talk++
		}
	}
	if room < 0 {
		sep = 2
	}
	var b strings.Builder
	b.WriteString(" ")
	for _, h := range all {
		b.WriteString(h.name + " " + t.Paint(h.tone, h.sign+" "+h.short()))
		if h.detail != "" && room/talk >= 6 {
			b.WriteString(t.Paint(h.tone, ": "+ui.Cut(h.detail, room/talk-2)))
		}
		b.WriteString(ui.Blank(sep))
	}
	return ui.FitStyled(strings.TrimRight(b.String(), " "), w)
}

// roomBeside is what a line of w cells has left beside the least that has to be
// said of each source.
func roomBeside(all []health, w, sep int) int {
	room := w - 1 + sep
	for _, h := range all {
		room -= ui.Width(h.name) + 1 + ui.Width(h.sign) + 1 + ui.Width(h.short()) + sep
	}
	return room
}

// tabForm is how much of a pane its tab tells.
type tabForm struct {
	letters int // of the title; long: all of it, word: its first word
	words   int // of the headline, see headline
}

const (
	long = -1
	word = -2
)

// tabForms are tried from the richest on. The focused pane keeps a word.
func tabForms() []tabForm {
	return []tabForm{{long, 2}, {long, 1}, {word, 1}, {word, 0}, {3, 0}, {0, 0}}
}

// tabsLine names all panes with their counts; the focused one stands out by
// brackets, too.
func (a *App) tabsLine(w int) string {
	line := ""
	for _, form := range tabForms() {
		line = ""
		for i := range a.tables {
			line += a.tab(i, form)
		}
		if ui.Width(line) <= w {
			break
		}
	}
	return ui.FitStyled(line, w)
}

func (a *App) tab(i int, form tabForm) string {
	t, here := a.tables[i], i == a.focus
	title := t.Spec().Title()
	first, _, _ := strings.Cut(title, " ")
	switch {
	case form.letters == long:
	case form.letters == word || here:
		title = first
	default:
		title = first[:min(len(first), form.letters)]
	}
	text := pane.Joint(pane.Digit(i+1), title, headline(t.Summary(), form.words))
	if here {
		return a.cfg.Theme.Paint(ui.Focus, "["+text+"]")
	}
	return a.cfg.Theme.Paint(ui.Dim, " "+text+" ")
}

// offstage is the line of the panes that are a key away, with what they would
// say first: on the dashboard nothing else tells that they exist.
func (a *App) offstage(w int) string {
	line := ""
	for _, form := range []struct{ loud, quiet int }{{2, 2}, {2, 1}, {2, 0}, {1, 0}, {0, 0}} {
		line = " "
		for i := len(a.layout.places); i < len(a.tables); i++ {
			line += a.beside(i, form.loud, form.quiet)
		}
		line = strings.TrimRight(line, " ")
		if ui.Width(line) <= w {
			break
		}
	}
	return ui.FitStyled(line, w)
}

// beside names a pane off stage, with so many words of what it would say where
// that is a warning, and where it is not.
func (a *App) beside(i, loud, quiet int) string {
	t, summary := a.cfg.Theme, a.tables[i].Summary()
	title, _, _ := strings.Cut(a.tables[i].Spec().Title(), " ")
	tone, words := ui.Dim, quiet
	if first := headline(summary, 2); strings.Contains(first, ui.SignWarn) || strings.Contains(first, ui.SignBad) {
		tone, words = ui.Warn, loud
	}
	return pane.Joint(t.Paint(ui.Key, pane.Digit(i+1)), title, t.Paint(tone, headline(summary, words))) + "  "
}

// headline is the first fact of a summary: with two words all of it, with one
// the number alone and whether it is a warning, else nothing.
func headline(summary string, words int) string {
	first, _, _ := strings.Cut(summary, " · ")
	fields := strings.Fields(first)
	switch {
	case words <= 0 || len(fields) == 0:
		return ""
	case words >= 2:
		return first
	}
	sign := ""
	for _, f := range fields {
		if f == ui.SignWarn || f == ui.SignBad {
			sign = f
		}
		if f[0] >= '0' && f[0] <= '9' {
			return sign + f
		}
	}
	return ""
}
