package guide

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// Tried is an action that was taken from a conclusion, and what became of it.
type Tried struct {
	Offer   playbook.Offer
	Verdict actions.Verdict
	Again   Again
	Says    string // what the look afterwards found
}

// Again is the look after an action.
type Again int

// The states of the look afterwards. Unclear: it could not tell. Useless: there
// was nothing to look at.
const (
	Looking Again = iota
	Well
	Still
	Unclear
	Useless
)

// Wrote tells that an action may have changed something.
func (t Tried) Wrote() bool {
	return !slices.Contains([]actions.VerdictKind{actions.WasRefuse, actions.Changed, actions.Cancelled}, t.Verdict.Kind)
}

// Vain tells that an action was done and did not help.
func (t Tried) Vain() bool {
	return t.Wrote() && t.Again != Looking && (t.Verdict.Kind != actions.Fixed || t.Again == Still)
}

// Same tells whether an action was taken for this offer.
func (t Tried) same(o playbook.Offer) bool {
	return t.Offer.Action == o.Action && t.Offer.Kind == o.Kind && t.Offer.ID == o.ID
}

// Conclusion is the last page of a walkthrough.
func (v View) Conclusion() Page {
	p := Page{Title: v.title(), Mark: "conclusion", Head: []dialog.Para{v.progress()}}
	if v.End == nil {
		p.Paras = []dialog.Para{{Text: "Drawing the conclusion…", Tone: ui.Dim}}
		return p
	}
	p.Head = append(p.Head, v.inShort(), dialog.Para{})
	for _, part := range [][]dialog.Para{v.tried(), v.causes(), v.offers(), v.due(), v.advice(), v.open(), v.prevent()} {
		if len(part) > 0 {
			p.Paras = append(append(p.Paras, part...), dialog.Para{})
		}
	}
	p.Paras = p.Paras[:max(len(p.Paras)-1, 0)]
	return p
}

// inShort is the answer in a line.
func (v View) inShort() dialog.Para {
	looking := 0
	for _, s := range v.Walk.Steps {
		if s.Status == playbook.Running || s.Status == playbook.Waiting {
			looking++
		}
	}
	n := len(v.End.Causes)
	switch {
	case n == 0 && looking > 0:
		return dialog.Para{Head: ui.SignBlind + " ", Text: "No cause so far; " + ui.Plural(looking, "step") + " still looking.", Tone: ui.Accent}
	case n == 0 && len(v.End.Open) > 0:
		return dialog.Para{Head: ui.NotKnown + " ", Text: "No cause was found, and " + ui.Plural(len(v.End.Open), "thing") + " could not be judged: see below.", Tone: ui.Warn}
	case n == 0:
		return dialog.Para{Head: ui.SignGood + " ", Text: "No cause was found, and everything could be judged.", Tone: ui.Good}
	}
	return dialog.Para{Head: ui.SignBad + " ", Text: ui.Plural(n, "cause") + " found" + stillLooking(looking) + ".", Tone: ui.Bad}
}

func stillLooking(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + ui.Plural(n, "step") + " still looking"
}

// mostEvidence is how much of a cause the conclusion shows, a line each: what can
// be done has to be in sight at 80x24. All of it is a key away (o).
const mostEvidence = 2

func (v View) causes() []dialog.Para {
	var out []dialog.Para
	for _, f := range v.End.Causes {
		out = append(out, cause(f)...)
	}
	return out
}

func cause(f diagnosis.Finding) []dialog.Para {
	head := f.Severity.String() + " "
	out := []dialog.Para{
		{Head: head, Text: headed(f) + " (" + joinParts(f.Confidence.String(), affected(f)) + ")", Tone: Grave(f.Severity)},
		{Head: ui.Blank(len(head)), Text: sentence(f.Says)},
	}
	for _, e := range f.Evidence[:min(len(f.Evidence), mostEvidence)] {
		out = append(out, dialog.Para{Head: ui.Blank(len(head)) + "- ", Text: oneLine(e.Says), Tone: ui.Dim, Exact: true})
	}
	if f.Harm != "" {
		out = append(out, dialog.Para{Head: ui.Blank(len(head)) + ui.SignWarn + " Careful: ", Text: sentence(f.Harm), Tone: ui.Warn})
	}
	for _, g := range f.Follows {
		out = append(out, dialog.Para{Head: ui.Blank(len(head)) + "└ ", Text: oneLine(told(g)), Tone: ui.Dim, Exact: true})
	}
	return out
}

// oneLine is a text without line ends.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// due are the rules of who else must know that hold now.
func (v View) due() []dialog.Para {
	if len(v.End.Escalate) == 0 {
		return nil
	}
	out := []dialog.Para{title("Tell others now")}
	for _, e := range v.End.Escalate {
		out = append(out, dialog.Para{Head: ui.SignUp + " ", Text: e.To + ": " + sentence(e.Says), Tone: ui.Bad})
	}
	return out
}

func title(s string) dialog.Para { return dialog.Para{Text: s, Tone: ui.Header} }

func (v View) offers() []dialog.Para {
	if len(v.End.Offers) == 0 {
		return []dialog.Para{title("What fits now"), {Head: "  ", Text: "No action of the cockpit puts this right."}}
	}
	out := []dialog.Para{title("What fits now, safest first (enter shows the plan)")}
	for i, o := range v.End.Offers {
		out = append(out, v.offer(i, o)...)
	}
	return out
}

// named is an action with its choice and what it is aimed at, unless its name
// says that.
func named(name string, o playbook.Offer) string {
	label := Target(o.Offer).Label
	switch {
	case strings.HasSuffix(name, label):
		return name
	case o.Choice != "":
		return name + ": " + o.Choice + ", " + label
	case strings.Contains(name, " "):
		return name + ": " + label
	}
	return name + " " + label
}

func (v View) offer(i int, o playbook.Offer) []dialog.Para {
	key, name, why := v.Action(o)
	here, head, tone := i == v.Cursor, "  ", ui.Accent
	if here {
		head, tone = ui.SignCursor+" ", ui.Strong
	}
	if why != "" && !here {
		tone = ui.Dim
	}
	head += ui.Pad(key, 2)
	out := []dialog.Para{{Head: head, Text: named(name, o), Tone: tone, Here: here}}
	more := func(sign, text string, tone ui.Tone) {
		if text != "" {
			out = append(out, dialog.Para{Head: ui.Blank(ui.Width(head)) + sign, Text: text, Tone: tone, Here: here})
		}
	}
	more("", strings.TrimSpace(sentence(o.Why)+" "+sentence(o.Consequence)), ui.Plain)
	if why != "" {
		more("", "Not now: "+why, ui.Warn)
	}
	return out
}

// tried says what became of the actions that were taken from here, the last one
// first.
func (v View) tried() []dialog.Para {
	var out []dialog.Para
	for i := len(v.Tried) - 1; i >= 0; i-- {
		out = append(out, v.outcome(v.Tried[i])...)
	}
	for _, o := range v.twice() {
		out = append(out, dialog.Para{Head: ui.SignUp + " ", Text: fmt.Sprintf("%s did not help twice. Do not try it a third time: hand over to whoever is named under the playbook's escalation rules.", o), Tone: ui.Bad})
		for _, e := range v.Walk.Book.Escalate {
			out = append(out, dialog.Para{Head: "  - ", Text: e.To + ": " + sentence(e.Says)})
		}
	}
	return out
}

func (v View) outcome(t Tried) []dialog.Para {
	_, name, _ := v.Action(t.Offer)
	sign, tone := ui.SignGood, ui.Good
	if t.Verdict.Kind != actions.Fixed {
		sign, tone = ui.SignBad, ui.Bad
	}
	out := []dialog.Para{{Head: sign + " ", Text: named(name, t.Offer) + ": " + string(t.Verdict.Kind) + ". " + sentence(t.Verdict.Says), Tone: tone}}
	switch t.Again {
	case Looking:
		out = append(out, dialog.Para{Head: "  " + ui.SignBlind + " ", Text: "Checking again…", Tone: ui.Accent})
	case Well:
		out = append(out, dialog.Para{Head: "  " + ui.SignGood + " ", Text: "Checked again: ok. " + sentence(t.Says), Tone: ui.Good})
	case Unclear:
		out = append(out, dialog.Para{Head: "  " + ui.NotKnown + " ", Text: "Checked again: cannot know. " + sentence(t.Says), Tone: ui.Warn})
	case Still:
		out = append(out, dialog.Para{Head: "  " + ui.SignBad + " ", Text: "Checked again: still: " + sentence(t.Says), Tone: ui.Bad})
	}
	return out
}

// twice names the actions that did not help two times.
func (v View) twice() (out []string) {
	for i, t := range v.Tried {
		n := 0
		for _, o := range v.Tried[:i+1] {
			if o.same(t.Offer) && o.Vain() {
				n++
			}
		}
		if n == 2 && t.Vain() {
			_, name, _ := v.Action(t.Offer)
			out = append(out, named(name, t.Offer))
		}
	}
	return out
}

func (v View) advice() []dialog.Para {
	var out []dialog.Para
	for _, f := range v.End.Causes {
		for _, a := range f.Advice {
			out = append(out, dialog.Para{Head: "  - ", Text: strings.Join(strings.Fields(a), " ")}) // often a command, which ends as it is
		}
	}
	for _, a := range v.End.Advice {
		out = append(out, dialog.Para{Head: "  - ", Text: a.Title + ": " + sentence(a.Says)})
		if text := strings.TrimRight(v.Walk.Place.Text(a.Text), "\n "); text != "" {
			out = append(out, exact("      ", text, v.Width)...)
		}
		if a.Text.Note != "" {
			out = append(out, dialog.Para{Head: "    ", Text: sentence(a.Text.Note), Tone: ui.Dim})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return append([]dialog.Para{title("To do by hand: none of it has been done")}, out...)
}

func (v View) open() []dialog.Para { return listed("What remains open", v.End.Open, ui.NotKnown) }

func (v View) prevent() []dialog.Para {
	return listed("So that it does not come back (for the report)", v.End.Prevent, "-")
}

func listed(head string, items []string, sign string) []dialog.Para {
	if len(items) == 0 {
		return nil
	}
	out := []dialog.Para{title(head)}
	for _, s := range items {
		out = append(out, dialog.Para{Head: "  " + sign + " ", Text: sentence(s)})
	}
	return out
}
