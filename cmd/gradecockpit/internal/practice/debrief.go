package practice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/ui"
)

// Span is a time since the clock was started; below zero it never came. In JSON
// it is in whole seconds, or null.
type Span time.Duration

// MarshalJSON gives seconds or null.
func (s Span) MarshalJSON() ([]byte, error) {
	if s < 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(time.Duration(s) / time.Second))
}

func (s Span) String() string {
	if s < 0 {
		return "never"
	}
	return "after " + ui.Fine(time.Duration(s))
}

// State is what became of a fault.
type State string

// The states. What the world shows decides, not what an action said of itself.
const (
	StateRight   State = "put right"
	StateItself  State = "gone by itself"
	StateLeft    State = "still there"
	StateBeyond  State = "beyond the cockpit's reach"
	StateUnknown State = "not known"
)

// Debrief is how a drill went.
type Debrief struct {
	Seed        uint64   `json:"seed"`
	Scenario    string   `json:"scenario,omitempty"`
	Again       string   `json:"again"`
	Calls       []string `json:"calls"`
	Blind       bool     `json:"blind"`
	Solved      bool     `json:"solved"`
	Points      int      `json:"points"`
	Lasted      Span     `json:"lasted_s"`
	FalseAlarm  bool     `json:"false_alarm"`
	Named       Span     `json:"false_alarm_named_s"`
	Faults      []Found  `json:"faults,omitempty"`
	Distractors []string `json:"distractors,omitempty"`
	Wrong       []string `json:"wrong_answers,omitempty"`
	Hints       int      `json:"hints"`
	Looks       int      `json:"looks"`
	Aside       []string `json:"looks_aside,omitempty"` // places that show nothing of the trouble
	Unneeded    []Deed   `json:"unneeded,omitempty"`
	Unsafe      []Deed   `json:"unsafe,omitempty"`
	Costs       []Cost   `json:"costs,omitempty"`
	Unread      string   `json:"unread,omitempty"` // why the journal, and so the actions, are not judged
}

// Found is how one fault was found and put right.
type Found struct {
	Fault  string `json:"fault"`
	Cause  string `json:"cause"`
	Found  Span   `json:"found_s"` // named, or put right, whichever came first
	Named  Span   `json:"named_s"`
	Acted  Span   `json:"acted_s"`
	Action string `json:"action,omitempty"`
	State  State  `json:"state"`
	Advice string `json:"advice,omitempty"`
	Expert Expert `json:"expert"`
}

// Deed is an action that did not help.
type Deed struct {
	Title   string `json:"action"`
	At      Span   `json:"at_s"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
}

// Cost is what was taken off, and why.
type Cost struct {
	Points int    `json:"points"`
	Why    string `json:"why"`
}

// Expert is how somebody who knows the way would have gone.
type Expert struct {
	About Span     `json:"about_s"` // an estimate
	Way   []string `json:"way"`
}

// Guide is what the debrief names of the screen.
type Guide struct {
	Walkthrough string                     // the key that opens one
	Key         func(action string) string // the key of an action; "" none
	Books       []*playbook.Playbook       // the walkthroughs
	Blind       bool                       // the findings were hidden
}

func (g Guide) expert(c Case) Expert {
	way := fmt.Sprintf("%s, then %s", g.Walkthrough, titleOf(string(c.Scenario)))
	if s := StepOf(g.Books, c); s != "" {
		way += fmt.Sprintf(": the step %q finds it", s)
	}
	e := Expert{About: Span(c.About), Way: []string{way + ". " + c.Clue}}
	if len(c.Remedies) > 0 {
		r := c.Remedies[0]
		key := r.Action
		if k := g.Key(r.Action); k != "" {
			key = k + " (" + r.Action + ")"
		}
		e.Way = append(e.Way, fmt.Sprintf("%s: %s. Read the plan, confirm, and wait for the verdict.", key, r.Note))
	}
	if c.Advice != "" {
		e.Way = append(e.Way, c.Advice)
	}
	return e
}

// Line is one paragraph of a text that screen and terminal show alike.
type Line struct {
	Head string // before the first line; further ones are indented as far
	Text string
	Tone ui.Tone
}

// Text lays lines out for a terminal of w cells.
func Text(lines []Line, w int) string {
	var b strings.Builder
	for _, l := range lines {
		head := l.Head
		for _, row := range ui.Wrap(l.Text, w-ui.Width(l.Head)) {
			b.WriteString(strings.TrimRight(head+row, " ") + "\n")
			head = ui.Blank(ui.Width(l.Head))
		}
	}
	return b.String()
}

// Lines tells a debrief.
func (d Debrief) Lines() []Line {
	verdict := Line{Text: fmt.Sprintf("Solved, with %d of %d points, in %s.", d.Points, Full, ui.Fine(time.Duration(d.Lasted))), Tone: ui.Good}
	if !d.Solved {
		verdict = Line{Text: fmt.Sprintf("Not solved; %d of %d points, in %s.", d.Points, Full, ui.Fine(time.Duration(d.Lasted))), Tone: ui.Bad}
	}
	out := []Line{verdict, {}, {Text: "What was wrong", Tone: ui.Strong}}
	if d.FalseAlarm {
		out = append(out, d.falseAlarm()...)
	}
	for _, f := range d.Faults {
		out = append(out, f.lines()...)
	}
	for _, x := range d.Distractors {
		c, _ := Find(x)
		out = append(out, Line{"  ", "Beside it, and nobody called about it: " + c.Cause + ".", ui.Dim})
	}
	if d.Unread != "" {
		out = append(out, Line{}, Line{Text: "What you did could not be read: " + d.Unread, Tone: ui.Warn})
	}
	out = append(out, d.unsafe()...)
	out = append(out, d.stepLines()...)
	out = append(out, d.sum()...)
	return append(out, Line{}, Line{Text: "The same again: " + d.Again, Tone: ui.Dim})
}

func (d Debrief) falseAlarm() []Line {
	l := Line{"  ", "Nothing was. You said so " + d.Named.String() + ".", ui.Good}
	if d.Named < 0 {
		l = Line{"  ", "Nothing was, and that is an answer too: an expert looks at the findings and the panes, sees all of them well, and says so.", ui.Bad}
	}
	return []Line{l}
}

func (f Found) lines() []Line {
	tone, found := ui.Good, "Found "+f.Found.String()
	if f.Found < 0 {
		tone, found = ui.Bad, "Not found"
	}
	switch {
	case f.Found >= 0 && f.Named < 0:
		found += ", by acting; it was not named"
	case f.Found >= 0 && f.Named > f.Found:
		found += ", by acting; named " + f.Named.String()
	}
	out := []Line{{"  ", f.Cause + " (" + f.Fault + ")", tone}, {"    ", found + ".", ui.Plain}}
	if f.Acted >= 0 {
		out = append(out, Line{"    ", "The right action " + f.Acted.String() + ": " + f.Action + ".", ui.Plain})
	}
	out = append(out, Line{"    ", f.State.says(), ui.Plain})
	out = append(out, Line{"    ", fmt.Sprintf("An expert takes about %s:", ui.Duration(time.Duration(f.Expert.About))), ui.Dim})
	for _, w := range f.Expert.Way {
		out = append(out, Line{"      - ", w, ui.Dim})
	}
	return out
}

// says tells a state in a sentence.
func (s State) says() string {
	return map[State]string{
		StateRight:   "Put right: the system itself no longer shows it.",
		StateItself:  "It is over, without an action of yours.",
		StateLeft:    "The system still shows it: it was not put right.",
		StateBeyond:  "Beyond the cockpit's reach: to name it and to pass it on is the right answer.",
		StateUnknown: "Whether it was put right could not be read.",
	}[s]
}

func (d Debrief) unsafe() []Line {
	out := []Line{{}, {Text: "What was unsafe", Tone: ui.Strong}}
	for _, x := range d.Unsafe {
		l := Line{"  ", x.Title + ", " + x.At.String() + ". " + x.Why, ui.Bad}
		switch x.Outcome {
		case refusedHarm:
			l.Text, l.Tone = l.Text+" The cockpit refused it, and saved you.", ui.Warn
		case cancelledHarm:
			l.Text, l.Tone = l.Text+" You read the plan and cancelled it: well done.", ui.Plain
		}
		out = append(out, l)
	}
	if len(d.Unsafe) == 0 {
		out = append(out, Line{"  ", "Nothing.", ui.Good})
	}
	return out
}

func (d Debrief) stepLines() []Line {
	out := []Line{{}, {Text: "Steps that were not needed", Tone: ui.Strong}}
	before := len(out)
	if len(d.Aside) > 0 {
		var aside []string
		for _, name := range d.Aside {
			aside = append(aside, place(name))
		}
		out = append(out, Line{"  ", fmt.Sprintf("You looked at %s; nothing of this shows in %s. Looking costs only time.", ui.Plural(d.Looks, "place"), strings.Join(aside, ", ")), ui.Plain})
	}
	for _, x := range d.Unneeded {
		out = append(out, Line{"  ", x.Title + ", " + x.At.String() + ": it changed nothing of the trouble.", ui.Warn})
	}
	if len(out) == before {
		out = append(out, Line{"  ", "None.", ui.Good})
	}
	return out
}

func (d Debrief) sum() []Line {
	row := func(points int, why string, tone ui.Tone) Line {
		return Line{fmt.Sprintf("  %4d  ", points), why, tone}
	}
	out := []Line{{}, {Text: "Points", Tone: ui.Strong}, row(Full, "to begin with", ui.Plain)}
	for _, c := range d.Costs {
		out = append(out, row(-c.Points, c.Why, ui.Plain))
	}
	return append(out, row(d.Points, "left", ui.Strong))
}
