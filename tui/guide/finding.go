package guide

import (
	"fmt"
	"strings"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Finding is the page of one finding: what it rests on, what would change its
// mind, what must not be done, what fits.
type Finding struct {
	Of    string // "rule" or "rule subject"
	Books []*playbook.Playbook
	// Key gives the key and the title of an action.
	Key func(action string) (key, title string)
}

func (Finding) ID() pane.ID        { return pane.ID(pane.KindFinding) }
func (Finding) Title() string      { return "Finding" }
func (Finding) Needs() []probes.ID { return []probes.ID{pane.ReadID} }
func (Finding) Actions() []string  { return nil }

// Columns are not used: every row spans the page.
func (Finding) Columns() []ui.Column { return []ui.Column{{Title: ""}} }

// Find gives a finding of a report by "rule" or "rule subject", consequences
// included.
func Find(r diagnosis.Report, id string) (diagnosis.Finding, bool) {
	for _, f := range r.Findings {
		for _, g := range append([]diagnosis.Finding{f}, f.Follows...) {
			if strings.TrimSpace(g.Rule+" "+g.Subject) == id {
				return g, true
			}
		}
	}
	rule, _, _ := strings.Cut(id, " ")
	return r.Find(rule)
}

// Content tells the finding as it is now.
func (p Finding) Content(in pane.Input) pane.Content {
	f, ok := Find(in.Report, p.Of)
	if !ok {
		return pane.Content{Summary: "gone", Empty: ui.SignGood + " This is not found any more."}
	}
	w := &writer{width: in.Width - 3}
	c := pane.Content{Summary: headed(f)}
	w.say("says", "", f.Says, ui.Strong)
	if b := Book(p.Books, f); b != nil { // enter goes on from where the cursor is first
		w.last().Opens = walkOf(b, f.Rule)
	}
	w.say("grade", "", joinParts(f.Severity.String(), f.Confidence.String(), affected(f), since(f, in)), Grave(f.Severity))
	if b := Book(p.Books, f); b != nil {
		w.say("walk", ui.SignRight+" ", "Walk through it: "+b.Title, ui.Accent)
		w.last().Opens = walkOf(b, f.Rule)
	}
	p.must(w, f)
	p.evidence(w, f)
	p.offers(w, f)
	p.rest(w, f)
	c.Rows = w.rows
	return c
}

// walkOf is the walkthrough at the step that finds a rule.
func walkOf(b *playbook.Playbook, rule string) pane.Ref {
	return pane.Ref{Kind: pane.KindWalk, ID: b.Name + " " + rule, Label: b.Title}
}

func since(f diagnosis.Finding, in pane.Input) string {
	if f.Since.IsZero() {
		return ""
	}
	return "since " + ui.Exact(f.Since, in.Zone)
}

func joinParts(parts ...string) string { return pane.Joined(parts...) }

// must is what comes before all else: what would do harm.
func (p Finding) must(w *writer, f diagnosis.Finding) {
	if f.Harm != "" {
		w.say("harm", ui.SignWarn+" Careful: ", f.Harm, ui.Warn)
	}
}

// evidence is what was seen; each row leads to where it was.
func (p Finding) evidence(w *writer, f diagnosis.Finding) {
	w.head("What it rests on")
	for i, e := range f.Evidence {
		w.say(fmt.Sprint("evidence ", i), "  - ", e.Says, ui.Plain)
		w.last().Opens = refOf(e)
		if o := refOf(e); o.Kind != "" {
			w.last().Links = []pane.Ref{o}
		}
	}
	if len(f.Evidence) == 0 {
		w.say("no evidence", "  ", "What is said above.", ui.Dim)
	}
	if f.Mind != "" {
		w.say("mind", "  What would speak against it: ", f.Mind, ui.Dim)
	}
	for _, c := range f.Copies {
		w.say("copy "+c.ID, "  copy ", c.Label(), ui.Accent)
		w.last().Copy, w.last().Yank = c.ID, c.ID
	}
	if more := f.CopyCount - len(f.Copies); more > 0 && len(f.Copies) > 0 {
		w.say("more", "  ", fmt.Sprintf("and %d more", more), ui.Dim)
	}
}

// refOf names what shows a piece of evidence.
func refOf(e diagnosis.Evidence) pane.Ref {
	if e.Kind == "" {
		return pane.Ref{}
	}
	return pane.Ref{Kind: pane.Kind(e.Kind), ID: e.ID}
}

func (p Finding) offers(w *writer, f diagnosis.Finding) {
	if len(f.Offers) > 0 {
		w.head("What could put it right, safest first")
	}
	for i, o := range f.Offers {
		key, title := p.Key(o.Action)
		t := Target(o)
		w.say(fmt.Sprint("offer ", i), "  "+ui.Pad(key, 3), named(title, playbook.Offer{Offer: o})+": "+sentence(o.Why)+" "+sentence(o.Consequence), ui.Plain)
		w.last().Target = &t
	}
}

func (p Finding) rest(w *writer, f diagnosis.Finding) {
	if len(f.Advice) > 0 {
		w.head("What the cockpit cannot do for you")
	}
	for i, a := range f.Advice {
		w.say(fmt.Sprint("advice ", i), "  - ", a, ui.Plain)
	}
	if len(f.Follows) > 0 {
		w.head("What follows from it")
	}
	for _, g := range f.Follows {
		id := strings.TrimSpace(g.Rule + " " + g.Subject)
		w.say("follows "+id, "  - ", told(g), ui.Plain)
		w.last().Opens = pane.Ref{Kind: pane.KindFinding, ID: id, Label: g.Title}
	}
}

// writer makes rows of prose: a paragraph is a row that the cursor can stand on
// and, below it, the lines that had no room in it.
type writer struct {
	width int
	rows  []pane.Row
	at    int // the row of the last paragraph
}

func (w *writer) last() *pane.Row { return &w.rows[w.at] }

func (w *writer) head(text string) { w.rows = append(w.rows, heading("", text)) }

// say writes a paragraph behind its head. `y` copies the text as it is.
func (w *writer) say(key, head, text string, tone ui.Tone) {
	n := ui.Width(head)
	w.at = len(w.rows)
	if n > w.width/4 { // below a long head there is hardly room for words
		text, head, n = strings.TrimLeft(head, " ")+text, "  ", 4
	}
	for i, l := range ui.Wrap(text, max(w.width-n, 10)) {
		row := pane.Row{Key: key, Span: true, Yank: text, Cells: []ui.Cell{{Text: head + l, Tone: tone}}}
		if i > 0 {
			row.Key, row.Skip, row.Under = fmt.Sprint(key, " ", i), true, true
			row.Cells[0].Text = ui.Blank(n) + l
		}
		w.rows = append(w.rows, row)
	}
}
