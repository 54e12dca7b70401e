package dialog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

// Quiet is how long no key may come before a dialog that opened by itself
// takes any: what was typed for the panes must never answer a question.
const Quiet = 400 * time.Millisecond

// Answer is what a key press in a confirmation comes to.
type Answer int

// The answers. Again asks for the plan to be read anew, with Choice.
const (
	Stay Answer = iota
	Cancel
	Confirmed
	Again
)

type field int

const (
	onChoice field = iota
	onReason
	onWord
)

// Confirm shows a plan and asks for it to be confirmed, as its risk asks for:
// low by the single key y, high by a reason and a typed word. Enter alone
// never confirms, and neither does the key that opened it.
type Confirm struct {
	Plan   actions.Plan
	Choice string // the choice to plan again with, after Again

	table      keys.Table
	opened     string    // the key that opened it
	last       time.Time // the last key, or when it opened
	armed      bool
	ignored    bool // a key came before the keyboard was quiet
	field      field
	reason     Line
	word       Line
	note       string
	statements bool
	scroll     scroller
}

// NewConfirm makes a confirmation that opened at now, by the key opened.
// reason is what was typed before the plan was read again.
func NewConfirm(p actions.Plan, table keys.Table, opened, reason string, now time.Time) *Confirm {
	c := &Confirm{Plan: p, Choice: p.Choice, table: table, opened: opened, last: now, field: onReason}
	if p.Risk == actions.Low {
		c.field = onChoice
	}
	c.reason.Set(reason)
	return c
}

// Given is what the operator gave.
func (c *Confirm) Given() actions.Confirmation {
	return actions.Confirmation{Yes: true, Word: c.word.String(), Reason: c.Reason()}
}

// Reason is what was typed as reason.
func (c *Confirm) Reason() string { return strings.TrimSpace(c.reason.String()) }

// Armed tells whether the keyboard was quiet for long enough.
func (c *Confirm) Armed(now time.Time) bool { return c.armed || now.Sub(c.last) >= Quiet }

// Press takes one key. Cancelling is possible before the keyboard was quiet,
// too: it writes nothing.
func (c *Confirm) Press(k Key, now time.Time) Answer {
	if k.Command == keys.Cancel {
		return Cancel
	}
	c.armed = c.Armed(now)
	c.last = now
	if !c.armed {
		c.ignored = true
		return Stay
	}
	c.note = ""
	switch {
	case (k.Command == keys.PageDown || k.Command == keys.PageUp) && c.scroll.press(k.Command):
		return Stay
	case k.Command == keys.Refresh:
		return Again
	case k.Command == keys.Statements:
		c.statements = !c.statements
		return Stay
	case c.Plan.Risk == actions.Low:
		return c.pressLow(k, now)
	}
	return c.pressHigh(k, now)
}

func (c *Confirm) pressLow(k Key, now time.Time) Answer {
	switch {
	case c.choose(k):
		return Again
	case k.Command == keys.Confirm && k.Name != c.opened:
		return c.confirm(now)
	case k.Command == keys.Submit:
		c.note = "Enter alone never confirms: " + c.label(keys.Confirm) + " does, " + c.label(keys.Cancel) + " leaves."
	}
	return Stay
}

// pressHigh: in a text field, whatever types a character is text.
func (c *Confirm) pressHigh(k Key, now time.Time) Answer {
	switch {
	case c.field == onChoice && c.choose(k):
		return Again
	case c.field != onChoice && k.Text != "":
		c.line().Insert(k.Text)
	case k.Command == keys.NextField:
		c.turn(1)
	case k.Command == keys.PrevField:
		c.turn(-1)
	case k.Command == keys.Submit:
		return c.enter(now)
	case c.field != onChoice:
		c.line().Press(k)
	}
	return Stay
}

// line is the text field in focus.
func (c *Confirm) line() *Line {
	if c.field == onReason {
		return &c.reason
	}
	return &c.word
}

func (c *Confirm) label(cmd keys.Command) string {
	for _, b := range c.table.In(keys.InDialog) {
		if b.ID == cmd {
			return b.Label()
		}
	}
	return ""
}

// enter goes from field to field; only with all of them filled it confirms.
func (c *Confirm) enter(now time.Time) Answer {
	switch {
	case c.Reason() == "":
		c.field, c.note = onReason, "A reason is needed; it goes to the journal and the audit trail."
	case c.word.String() == "":
		if c.field == onWord {
			c.note = "Type " + c.Plan.Word + " to go on."
		}
		c.field = onWord
	case strings.TrimSpace(c.word.String()) != c.Plan.Word:
		c.field, c.note = onWord, "That is not "+c.Plan.Word+"."
	case c.field != onWord:
		c.field = onWord
	default:
		return c.confirm(now)
	}
	return Stay
}

func (c *Confirm) confirm(now time.Time) Answer {
	if c.Expired(now) {
		c.note = c.tooOld()
		return Stay
	}
	c.word.Set(strings.TrimSpace(c.word.String()))
	return Confirmed
}

func (c *Confirm) tooOld() string {
	return "This plan is too old to run: " + c.label(keys.Refresh) + " reads again what is there."
}

// Expired tells whether the plan may no longer run.
func (c *Confirm) Expired(now time.Time) bool {
	return !c.Plan.ValidUntil.IsZero() && !now.Before(c.Plan.ValidUntil)
}

func (c *Confirm) turn(by int) {
	first := onReason
	if len(c.Plan.Choices) > 1 {
		first = onChoice
	}
	n := onWord - first + 1
	c.field = first + (c.field-first+field(by)+n)%n
}

// choose takes a digit, or the field keys and arrows, and tells whether
// another choice is in force.
func (c *Confirm) choose(k Key) bool {
	n := len(c.Plan.Choices)
	if n < 2 {
		return false
	}
	i := slices.IndexFunc(c.Plan.Choices, func(ch actions.Choice) bool { return ch.ID == c.Plan.Choice })
	low := c.Plan.Risk == actions.Low
	switch {
	case k.Name == "left" || low && k.Command == keys.PrevField:
		i = (max(i, 0) + n - 1) % n
	case k.Name == "right" || low && k.Command == keys.NextField:
		i = (i + 1) % n
	case len(k.Name) == 1 && k.Name[0] >= '1' && int(k.Name[0]-'1') < n:
		i = int(k.Name[0] - '1')
	default:
		return false
	}
	c.Choice = c.Plan.Choices[i].ID
	return c.Choice != c.Plan.Choice
}

// Paste puts text into the reason. The word has to be typed: a clipboard
// knows nothing of what it is about.
func (c *Confirm) Paste(s string, now time.Time) {
	c.armed = c.Armed(now)
	c.last = now
	switch {
	case !c.armed || c.Plan.Risk == actions.Low:
	case c.field == onReason:
		c.reason.Insert(s)
	default:
		c.note = "Type the word; pasting does not count."
	}
}

// Lines draws the confirmation.
func (c *Confirm) Lines(t *ui.Theme, w, h int, now time.Time) []string {
	w = min(w, mostWidth)
	b := box{title: c.Plan.Title, mark: "low risk", markTone: ui.Good}
	if c.Plan.Risk != actions.Low {
		b.mark, b.markTone = c.Plan.Risk.String(), ui.Bad
	}
	b.body = Lay(t, c.paras(), inner(w))
	b.foot = c.foot(t, inner(w), now)
	return b.lines(t, w, h, &c.scroll)
}

func (c *Confirm) paras() []Para {
	var out []Para
	for _, s := range c.Plan.Says {
		out = append(out, Para{Text: s})
	}
	for _, s := range c.Plan.Warnings {
		out = append(out, Para{Head: ui.SignWarn + " ", Text: s, Tone: ui.Warn})
	}
	out = append(out, Para{}, Para{Text: "Will do:", Tone: ui.Strong})
	for _, s := range c.Plan.Steps {
		out = append(out, c.step(s)...)
	}
	if len(c.Plan.Steps) == 0 {
		out = append(out, Para{Text: "  nothing"})
	}
	out = append(out, Para{})
	for _, s := range []string{c.Plan.StopsIf, undoLine(c.Plan.Undo)} {
		if s != "" {
			out = append(out, Para{Text: s})
		}
	}
	return append(out, Para{})
}

func undoLine(s string) string {
	if s == "" {
		return ""
	}
	return "Undo: " + s
}

func (c *Confirm) step(s actions.Step) []Para {
	out := []Para{{Head: "  " + ui.Pad(s.Verb, 8) + " ", Text: s.Object + " " + s.Detail, Tone: ui.Accent}}
	if c.statements && s.Statement != "" {
		out = append(out, Para{Head: "    ", Text: s.Statement, Tone: ui.Dim})
		for i, a := range s.Args {
			out = append(out, Para{Head: fmt.Sprintf("    $%d = ", i+1), Text: a, Tone: ui.Dim})
		}
	}
	return out
}

func (c *Confirm) foot(t *ui.Theme, w int, now time.Time) []string {
	var out []string
	if len(c.Plan.Choices) > 1 {
		out = append(out, c.choices(t, w)...)
	}
	if c.Plan.Risk != actions.Low {
		out = append(out,
			c.input(t, w, "Reason", &c.reason, onReason),
			c.input(t, w, "Type "+c.Plan.Word+" to go on", &c.word, onWord))
	}
	note := c.note
	switch {
	case !c.Armed(now) && c.ignored:
		note = "Keys are ignored until the keyboard was quiet for a moment; " + c.label(keys.Cancel) + " leaves."
	case c.Expired(now) && note == "":
		note = c.tooOld()
	}
	if note != "" {
		out = append(out, Lay(t, []Para{{Text: note, Tone: ui.Warn}}, w)...)
	}
	return append(out, c.keys(t, w, now))
}

func (c *Confirm) choices(t *ui.Theme, w int) []string {
	var paras []Para
	for i, ch := range c.Plan.Choices {
		p := Para{Head: fmt.Sprintf("( ) %d ", i+1), Text: ch.Title, Tone: ui.Dim}
		if ch.ID == c.Plan.Choice {
			p.Head, p.Tone = fmt.Sprintf("(x) %d ", i+1), ui.Plain
			if c.field == onChoice {
				p.Tone = ui.Strong
			}
		}
		paras = append(paras, p)
	}
	return Lay(t, paras, w)
}

func (c *Confirm) input(t *ui.Theme, w int, label string, l *Line, f field) string {
	label = ui.Cut(label, max(w-12, w/2)) + " > "
	tone := ui.Dim
	if c.field == f {
		tone = ui.Strong
	}
	return t.Paint(tone, label) + l.Render(t, w-ui.Width(label), c.field == f)
}

// keys says which keys do something here and how long the plan is good for.
func (c *Confirm) keys(t *ui.Theme, w int, now time.Time) string {
	left := c.label(keys.Cancel) + " cancel"
	if offered := c.offered(now); offered != "" {
		left = offered + "  " + left
	}
	if n := len(c.Plan.Choices); n > 1 && (c.Plan.Risk == actions.Low || c.field == onChoice) {
		left += fmt.Sprintf("  1-%d choose", n)
	}
	if slices.ContainsFunc(c.Plan.Steps, func(s actions.Step) bool { return s.Statement != "" }) {
		left += "  " + c.label(keys.Statements) + " statements"
	}
	right := ""
	if !c.Plan.ValidUntil.IsZero() && !c.Expired(now) {
		right = "valid for " + ui.Fine(c.Plan.ValidUntil.Sub(now))
	}
	left = ui.Fit(left, w-ui.Width(right)-1)
	return t.Paint(ui.Dim, left+" "+right)
}

// offered are the keys that go on. Only what works is offered: before the
// keyboard was quiet they do nothing, and an old plan cannot be confirmed. What
// stands there keeps its place, so that nothing jumps under the reader.
func (c *Confirm) offered(now time.Time) string {
	says := c.label(keys.Confirm) + " confirm"
	if c.Plan.Risk != actions.Low {
		says = c.label(keys.NextField) + " next field  " + c.label(keys.Submit) + " go on"
	}
	switch {
	case !c.Armed(now):
		return ui.Pad("…", ui.Width(says))
	case c.Expired(now):
		return c.label(keys.Refresh) + " read again"
	}
	return says
}
