package cli

import (
	"strings"

	"gradecockpit/actions/playbook"
	"gradecockpit/tui/ui"
)

// The bounds of a table in the text of a walkthrough.
const (
	walkRows  = 15
	walkCell  = 60  // cells
	walkWidth = 110 // cells of a whole row
)

// walk prints a walkthrough page after page, then its end.
func (s sheet) walk(w playbook.Walk, c playbook.Conclusion) {
	s.line(0, "%s", w.Book.Title)
	if w.Place.Copy.ID != "" {
		s.line(0, "Copy %s", w.Place.Copy.Label())
	}
	for _, sign := range w.Book.When {
		s.line(2, "- %s", sign)
	}
	for i := range w.Book.Steps {
		s.line(0, "")
		s.step(w, i)
	}
	s.end(w, c)
}

func (s sheet) step(w playbook.Walk, i int) {
	step, r := w.Book.Steps[i], w.Steps[i].Result
	s.line(0, "%d/%d %s", i+1, len(w.Book.Steps), step.Title)
	for l := range strings.SplitSeq(strings.TrimSpace(step.Why), "\n") {
		s.line(4, "%s", l)
	}
	s.table(r.Table)
	s.line(2, "%s %s: %s", verdictSign(r.Verdict), verdictWord(r), r.Says)
	s.byHand(w.Place.Text(step.ByHand), step.ByHand.Note)
}

func verdictSign(v playbook.Verdict) string {
	switch v {
	case playbook.OK:
		return ui.SignGood
	case playbook.Suspicious:
		return ui.SignWarn
	case playbook.Cause:
		return ui.SignBad
	}
	return ui.SignHollow
}

func verdictWord(r playbook.Result) string {
	if r.Skipped {
		return "skipped"
	}
	return r.Verdict.Words()
}

// table prints what a step saw, as much as is of use.
func (s sheet) table(t playbook.Table) {
	if t.Note != "" {
		s.line(4, "%s", t.Note)
	}
	rows := t.Rows[:min(len(t.Rows), walkRows)]
	if len(rows) > 0 {
		widths := widthsOf(t.Columns, rows)
		s.line(4, "%s", laid(t.Columns, widths))
		for _, r := range rows {
			s.line(4, "%s", laid(r, widths))
		}
	}
	lines := t.Lines[:min(len(t.Lines), walkRows)]
	for _, l := range lines {
		s.line(4, "%s", ui.Cut(l, walkWidth))
	}
	if more := len(t.Rows) - len(rows) + len(t.Lines) - len(lines) + t.More; more > 0 {
		s.line(4, "… and %d more", more)
	}
}

func widthsOf(columns []string, rows [][]string) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = ui.Width(c)
		for _, r := range rows {
			widths[i] = max(widths[i], min(ui.Width(r[i]), walkCell))
		}
	}
	return widths
}

func laid(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		b.WriteString(ui.Pad(ui.Cut(c, widths[i]), widths[i]) + "  ")
	}
	return ui.Cut(strings.TrimRight(b.String(), " "), walkWidth)
}

// byHand prints a command to learn from or to paste.
func (s sheet) byHand(text, note string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	s.line(2, "by hand:")
	for l := range strings.SplitSeq(text, "\n") {
		s.line(6, "%s", l)
	}
	if note != "" {
		s.line(4, "(%s)", note)
	}
}

// end prints the conclusion.
func (s sheet) end(w playbook.Walk, c playbook.Conclusion) {
	s.line(0, "")
	s.line(0, "Causes")
	if len(c.Causes) == 0 {
		s.line(2, "None was found.")
	}
	for _, f := range c.Causes {
		f.Offers = nil // they follow, each once
		s.finding(2, f)
	}
	s.line(0, "")
	s.line(0, "What fits now, safest first")
	if len(c.Offers) == 0 {
		s.line(2, "No action of the cockpit.")
	}
	for _, o := range c.Offers {
		s.offer(2, o.Offer)
	}
	s.advice(w, c.Advice)
	var due []string
	for _, e := range c.Escalate {
		due = append(due, e.To+": "+e.Says)
	}
	s.list("Who else must know", due)
	s.list("To prevent it", c.Prevent)
	s.list("Not known", c.Open)
}

// advice prints what is outside the cockpit's reach.
func (s sheet) advice(w playbook.Walk, all []playbook.Advice) {
	if len(all) == 0 {
		return
	}
	s.line(0, "")
	s.line(0, "Not done by the cockpit")
	for _, a := range all {
		s.line(2, "- %s: %s", a.Title, strings.Join(strings.Fields(a.Says), " "))
		s.byHand(w.Place.Text(a.Text), a.Text.Note)
	}
}
