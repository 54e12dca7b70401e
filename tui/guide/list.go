package guide

import (
	"fmt"
	"math"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// List is the page that `w` opens: the findings, then the playbooks, then what
// could not be judged.
type List struct {
	Books []*playbook.Playbook
	// LeftOut says why playbooks of the operator's are not among them.
	LeftOut []string
	// Hidden leaves the findings out: whoever practises finds them.
	Hidden bool
	// Under says where a walkthrough that was left stands: "at step 3 of 5"; ""
	// it was not begun.
	Under func(name string) string
}

func (List) ID() pane.ID        { return pane.ID(pane.KindFindings) }
func (List) Title() string      { return "Walkthroughs" }
func (List) Needs() []probes.ID { return []probes.ID{pane.ReadID} }
func (List) Actions() []string  { return nil }

func (List) Columns() []ui.Column {
	return []ui.Column{
		{Title: "", Min: 2, Max: 2},
		{Title: "SURE", Min: 8, Max: 8, Drop: 1},
		{Title: "WHAT IS WRONG", Min: 34, Max: 60},
		{Title: "COPIES", Min: 6, Right: true, Drop: 2},
		{Title: "USERS", Min: 5, Right: true, Drop: 3},
		{Title: "WHAT WAS SEEN", Min: 30, Drop: 4},
	}
}

// Content lists them.
func (l List) Content(in pane.Input) pane.Content {
	if l.Hidden {
		return l.hidden()
	}
	c := pane.Content{Summary: Summary(in.Report)}
	for _, s := range l.LeftOut {
		c.Notes = append(c.Notes, pane.Text(ui.Warn, ui.SignWarn+" Left out: "+s))
	}
	for _, f := range in.Report.Findings {
		c.Rows = append(c.Rows, l.finding(f, ""))
		for _, g := range f.Follows {
			c.Rows = append(c.Rows, l.finding(g, "└ "))
		}
	}
	if len(in.Report.Findings) == 0 {
		c.Rows = append(c.Rows, nothingWrong(in.Report))
	}
	c.Rows = append(c.Rows, heading("space", ""), heading("", "Lead me through: what users report, step by step"))
	for _, b := range l.Books {
		c.Rows = append(c.Rows, l.book(b, in.Report))
	}
	if n := len(in.Report.Blind); n > 0 {
		c.Rows = append(c.Rows, heading("blank", ""), pane.Row{Key: "blind", Span: true, Opens: pane.Ref{Kind: pane.KindBlind},
			Cells:  []ui.Cell{pane.Text(ui.Warn, ui.SignFold+" "+ui.SignBlind+" "+ui.Plural(n, "rule")+" could not be judged"), pane.Text(ui.Dim, "enter says why")},
			Detail: []string{"What these rules look for may be wrong without being told above."}})
	}
	return c
}

func (l List) hidden() pane.Content {
	c := pane.Content{Summary: "the findings are hidden", Rows: []pane.Row{heading("", "Lead me through: what users report, step by step")}}
	for _, b := range l.Books {
		c.Rows = append(c.Rows, l.book(b, diagnosis.Report{}))
	}
	return c
}

// Summary says in a few words what is wrong.
func Summary(r diagnosis.Report) string {
	found := "nothing wrong is seen"
	if n := len(r.Findings); n > 0 {
		found = ui.Plural(n, "finding")
	}
	if r.At.IsZero() {
		return "not judged yet"
	}
	return found + " · " + ui.Plural(r.Judged, "rule") + " judged" + some(len(r.Blind), " · %d blind")
}

func some(n int, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// nothingWrong says so, and how much that is worth.
func nothingWrong(r diagnosis.Report) pane.Row {
	says, tone := ui.SignGood+" Nothing wrong is seen", ui.Good
	switch {
	case r.At.IsZero():
		says, tone = "Nothing has been judged yet.", ui.Dim
	case r.Judged == 0:
		says, tone = ui.SignBlind+" Nothing could be judged", ui.Warn
	case len(r.Blind) > 0:
		says += fmt.Sprintf(" by the %s that could be judged", ui.Plural(r.Judged, "rule"))
	}
	return pane.Row{Key: "none", Span: true, Skip: true, Cells: []ui.Cell{pane.Text(tone, says)}}
}

func heading(key, text string) pane.Row {
	return pane.Row{Key: "heading " + key + text, Span: true, Skip: true, Cells: []ui.Cell{pane.Text(ui.Header, text)}}
}

// finding is one row. Enter leads through, o shows the evidence.
func (l List) finding(f diagnosis.Finding, indent string) pane.Row {
	id := strings.TrimSpace(f.Rule + " " + f.Subject)
	r := pane.Row{
		Key: "finding " + id,
		Cells: []ui.Cell{
			{Text: f.Severity.String(), Tone: Grave(f.Severity)},
			{Text: f.Confidence.String(), Tone: ui.Dim},
			{Text: indent + headed(f), Tone: Grave(f.Severity)},
			count(f.CopyCount), count(f.UserCount),
			{Text: f.Says, Tone: ui.Plain},
		},
		Opens: pane.Ref{Kind: pane.KindFinding, ID: id, Label: f.Title},
		Links: []pane.Ref{{Kind: pane.KindFinding, ID: id, Label: f.Title}},
		Yank:  f.Says,
	}
	if b := Book(l.Books, f); b != nil {
		r.Opens = walkOf(b, f.Rule)
	}
	if len(f.Offers) > 0 {
		t := Target(f.Offers[0])
		r.Target = &t
	}
	return r
}

// count is how many a finding touches; blank where that is none or not known.
func count(n int) ui.Cell {
	if n <= 0 {
		return ui.Cell{SortNum: math.NaN(), Numeric: true}
	}
	return ui.Cell{Text: ui.Count(int64(n)), SortNum: float64(n), Numeric: true}
}

// Target is what an offer aims at, as package actions names it.
func Target(o diagnosis.Offer) actions.Target {
	t := actions.Target{Kind: actions.TargetKind(o.Kind), ID: o.ID, Label: o.Label}
	if t.Kind == actions.OnLocks && t.ID == "" {
		t.ID, t.Label = "expired", "expired locks"
	}
	if t.Label == "" {
		t.Label = t.ID
	}
	return t
}

// titleWidth has room for the longest title of the built-in ones.
const titleWidth = 22

// book is one playbook: the symptoms in a line, and whether something of it was
// found.
func (l List) book(b *playbook.Playbook, r diagnosis.Report) pane.Row {
	sign, tone := "  ", ui.Plain
	detail := []string{strings.Join(b.When, " ")}
	if found := About(b, r); len(found) > 0 {
		sign, tone = ui.SignUp+" ", Grave(found[0].Severity)
		detail = append(detail, ui.Plural(len(found), "finding")+" of it, above.")
	}
	symptoms := strings.Join(b.When, " ")
	if under := l.Under(b.Name); under != "" {
		symptoms = under + ": enter goes on"
	}
	return pane.Row{
		Key: "book " + b.Name, Span: true, Yank: b.Name,
		Cells:  []ui.Cell{{Text: sign + ui.Pad(b.Title, titleWidth), Tone: tone}, {Text: symptoms, Tone: ui.Dim}},
		Detail: detail,
		Opens:  pane.Ref{Kind: pane.KindWalk, ID: b.Name, Label: b.Title},
	}
}
