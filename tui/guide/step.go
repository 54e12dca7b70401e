package guide

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// View is a walkthrough as it is shown now.
type View struct {
	Walk   playbook.Walk
	End    *playbook.Conclusion // nil: not drawn yet
	Tried  []Tried
	Cursor int // the offer that it is on
	Now    time.Time
	Zone   *time.Location
	Width  int  // of the text
	Height int  // of the page
	Wide   bool // the command by hand instead of what was seen
	// Keys of the page, as the footer calls them.
	YankKey, HandKey string
	// Action gives the key and the title of an action, and why it is not possible now.
	Action func(o playbook.Offer) (key, title, why string)
}

// Page is what to draw: Head and Below stay in sight while Paras scroll.
type Page struct {
	Title, Mark        string
	Tone               ui.Tone
	Head, Paras, Below []dialog.Para
}

// Title is the scenario, and the copy that it is about.
func (v View) title() string {
	if c := v.Walk.Place.Copy; c.ID != "" {
		return v.Walk.Book.Title + " · " + c.Label()
	}
	return v.Walk.Book.Title
}

// progress is the line of all steps with what each found out; the one on the
// screen is in brackets.
func (v View) progress() dialog.Para {
	var cells []ui.Cell
	for i, s := range v.Walk.Steps {
		sign, tone := mark(s)
		cells = append(cells, step(fmt.Sprintf("%d %s", i+1, sign), tone, i == v.Walk.At))
	}
	return dialog.Para{Cells: append(cells, step("end", ui.Dim, v.Walk.At == len(v.Walk.Steps)))}
}

func step(text string, tone ui.Tone, here bool) ui.Cell {
	if here {
		return ui.Cell{Text: "[" + text + "] ", Tone: ui.Focus}
	}
	return ui.Cell{Text: " " + text + "  ", Tone: tone}
}

// Step is the page of the step that the walkthrough is at.
func (v View) Step() Page {
	i := v.Walk.At
	s, state := v.Walk.Book.Steps[i], v.Walk.Steps[i]
	p := Page{Title: v.title(), Mark: fmt.Sprintf("step %d of %d", i+1, len(v.Walk.Steps))}
	p.Head = append(p.Head, v.progress(), dialog.Para{Text: joinParts(s.Title, section(s.Section)), Tone: ui.Strong},
		dialog.Para{Text: strings.Join(strings.Fields(s.Why), " "), Tone: ui.Dim}, v.verdict(state), dialog.Para{})
	if v.Wide {
		if v.Height < lowScreen {
			p.Head = append(p.Head[:2:2], dialog.Para{})
		}
		p.Paras = v.byHand(s.ByHand, 0)
		return p
	}
	p.Paras = v.seen(state.Result.Table)
	if state.Status == playbook.Running && state.Runs == 0 {
		p.Paras = nil
	}
	var note []dialog.Para
	if state.Note != "" {
		note = []dialog.Para{{Head: "Your note: ", Text: state.Note, Tone: ui.Accent}}
	}
	if v.Height < lowScreen {
		if len(p.Paras) > 0 {
			p.Paras = append(p.Paras, dialog.Para{})
		}
		p.Paras = append(append(p.Paras, note...), v.byHand(s.ByHand, 0)...)
		return p
	}
	room := v.Height - frame
	for _, part := range [][]dialog.Para{p.Head, p.Paras, note} {
		room -= len(dialog.Lay(plain, part, v.Width))
	}
	p.Below = append(v.byHand(s.ByHand, max(room, leastHand)), note...)
	return p
}

// frame is what the frame of a page takes of its height; leastHand how many
// lines the command by hand has at least, its heading included. On a low screen
// nothing stays in sight but what was found: the command stands at the end.
const (
	frame     = 2
	leastHand = 4
	lowScreen = 18
)

// plain measures how many lines paragraphs take.
var plain = ui.NewTheme(ui.Mono, false)

func section(s string) string {
	if s == "" {
		return ""
	}
	return "playbook " + s
}

// verdict is what the step found out, and when it looked.
func (v View) verdict(s playbook.StepState) dialog.Para {
	switch {
	case s.Status == playbook.Waiting && s.Runs == 0:
		return dialog.Para{Head: ui.SignBlind + " ", Text: "waiting for its turn", Tone: ui.Dim}
	case s.Status == playbook.Running && s.Runs == 0:
		return dialog.Para{Head: ui.SignBlind + " ", Text: "looking…", Tone: ui.Accent}
	case s.Status == playbook.Running || s.Status == playbook.Waiting:
		return dialog.Para{Head: ui.SignBlind + " ", Text: "looking again…", Tone: ui.Accent}
	case s.Status == playbook.Skipped:
		return dialog.Para{Head: "– ", Text: "skipped by you", Tone: ui.Dim}
	case s.Result.Skipped:
		return dialog.Para{Head: "– ", Text: "skipped: " + s.Result.Says, Tone: ui.Dim}
	}
	sign, tone := verdict(s.Result.Verdict)
	ago := "just now"
	if d := v.Now.Sub(s.Result.At); d >= 2*time.Second {
		ago = ui.Duration(d) + " ago"
	}
	return dialog.Para{Head: sign + " ", Text: strings.ToUpper(s.Result.Verdict.Words()) + ": " + sentence(s.Result.Says) + " (" + ago + ")", Tone: tone}
}

// byHand is the command for this deployment in at most h lines; 0: all of them.
func (v View) byHand(b playbook.ByHand, h int) []dialog.Para {
	text := strings.TrimRight(v.Walk.Place.Text(b), "\n ")
	if text == "" {
		return []dialog.Para{{Text: "By hand: nothing to type; the panes show it.", Tone: ui.Dim}}
	}
	var note []dialog.Para
	if b.Note != "" {
		note = []dialog.Para{{Head: "Here: ", Text: sentence(b.Note), Tone: ui.Dim}}
	}
	head, whole := "By hand ("+v.YankKey+" copies it)", exact("  ", text, v.Width)
	if v.Wide {
		head = "By hand (" + v.YankKey + " copies it, " + v.HandKey + " goes back)"
	}
	with := 1 + len(whole) + len(dialog.Lay(plain, note, v.Width))
	switch {
	case h == 0 || with <= h:
		whole = append(whole, note...)
	case 1+len(whole) > h:
		head, whole = v.shortHand(text, h-1)
	default: // only the note has no room
		head = "By hand (" + v.YankKey + " copies it, " + v.HandKey + " says more)"
	}
	return append([]dialog.Para{{Text: head, Tone: ui.Header}}, whole...)
}

// shortHand is as much of a command as h lines hold, and what its heading says
// of the rest.
func (v View) shortHand(text string, h int) (head string, out []dialog.Para) {
	lines := strings.Split(text, "\n")
	head = fmt.Sprintf("By hand (%s copies it, %s shows all of it)", v.YankKey, v.HandKey)
	if len(lines) > h {
		head = fmt.Sprintf("By hand (%s copies all %d lines, %s shows them)", v.YankKey, len(lines), v.HandKey)
	}
	for _, l := range lines[:max(min(len(lines), h), 1)] {
		out = append(out, dialog.Para{Head: "  ", Text: l, Exact: true, Tone: ui.Accent})
	}
	return head, out
}

// exact is a text to be typed, behind head. A line that is too long goes on in
// the next one, behind a sign that says so.
func exact(head, text string, w int) (out []dialog.Para) {
	const further = "  … "
	for l := range strings.SplitSeq(text, "\n") {
		in := ui.Blank(len(l) - len(strings.TrimLeft(l, " ")))
		for i, part := range ui.Break(l, w-len(head), len(in)+ui.Width(further)) {
			if i > 0 {
				part = in + further + part
			}
			out = append(out, dialog.Para{Head: head, Text: part, Exact: true, Tone: ui.Accent})
		}
	}
	return out
}

// Command is what `y` copies on a step.
func (v View) Command() string {
	if v.Walk.At >= len(v.Walk.Steps) {
		return ""
	}
	return strings.TrimRight(v.Walk.Place.Text(v.Walk.Book.Steps[v.Walk.At].ByHand), "\n ")
}

// Where is the pane or page that a step looked at; zero where it has none.
func Where(s playbook.Step, place playbook.Place) pane.Ref {
	switch {
	case s.Look.Pane != "":
		return pane.Ref{Kind: pane.KindPane, ID: s.Look.Pane}
	case s.Look.Logs != "":
		return pane.Ref{Kind: pane.KindLogs, ID: place.FillCommand(s.Look.Logs)}
	case s.Look.Page != "":
		kind, id, _ := strings.Cut(place.FillCommand(s.Look.Page), " ")
		if !strings.Contains(id, "{") {
			return pane.Ref{Kind: pane.Kind(kind), ID: id}
		}
	case len(s.Look.Causes) > 0:
		return pane.Ref{Kind: pane.KindFindings}
	}
	return pane.Ref{}
}
