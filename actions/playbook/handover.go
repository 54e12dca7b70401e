package playbook

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
)

// dialect is that of the tables as they were seen; deployed where they were not.
func dialect(in diagnosis.Input) grading.Dialect {
	if o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID); ok && o.Schema != nil {
		return o.Schema.Dialect
	}
	return grading.Deployed
}

// HandOver is the walkthrough as text for the next responder: what was looked
// at, what was found, the notes, what is left. It pastes well into a ticket.
func HandOver(w Walk, c Conclusion, at time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		for l := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
			b.WriteString(strings.TrimRight(clean.Text(l), " ") + "\n")
		}
	}
	line("# %s", w.Book.Title)
	line("")
	if w.Place.Copy.ID != "" {
		line("Copy: %s", w.Place.Copy.Label())
	}
	line("Begun %s, handed over %s", w.Started.UTC().Format(time.DateTime+" UTC"), at.UTC().Format(time.DateTime+" UTC"))
	line("\n## What was looked at\n")
	for i, s := range w.Book.Steps {
		line("%d. %s: %s", i+1, s.Title, w.Steps[i].told())
		if note := w.Steps[i].Note; note != "" {
			line("   Note: %s", strings.Join(strings.Fields(note), " "))
		}
	}
	section(line, "Causes", c.causes(), "None was found.")
	section(line, "What fits now, safest first", c.actions(), "No action of the cockpit.")
	section(line, "Not done by the cockpit", c.advice(w.Place), "")
	section(line, "Escalate", c.due(), "")
	section(line, "Not known", c.Open, "")
	return b.String()
}

func section(line func(string, ...any), title string, items []string, none string) {
	if len(items) == 0 && none == "" {
		return
	}
	line("\n## %s\n", title)
	for _, s := range items {
		line("- %s", s)
	}
	if len(items) == 0 {
		line("%s", none)
	}
}

// told is a step in a line.
func (s StepState) told() string {
	switch {
	case s.Status == Skipped || s.Result.Skipped:
		return "skipped"
	case s.Status != Done:
		return "not ended"
	}
	return s.Result.Verdict.Words() + ". " + s.Result.Says
}

func (c Conclusion) causes() (out []string) {
	for _, f := range c.Causes {
		says := fmt.Sprintf("%s (%s, %s): %s", f.Title, f.Severity, f.Confidence, f.Says)
		for _, e := range f.Evidence {
			says += "\n  - " + e.Says
		}
		out = append(out, says)
	}
	return out
}

func (c Conclusion) actions() (out []string) {
	for _, o := range c.Offers {
		name := o.Label
		if name == "" {
			name = o.ID
		}
		says := strings.TrimSpace(o.Action+" "+name) + ": " + strings.TrimSpace(o.Why+" "+o.Consequence)
		out = append(out, strings.TrimSuffix(says, ": "))
	}
	return out
}

// advice has the exact texts for this deployment below its sentences.
func (c Conclusion) advice(p Place) (out []string) {
	for _, f := range c.Causes {
		out = append(out, f.Advice...)
	}
	for _, a := range c.Advice {
		says := a.Title + ": " + strings.Join(strings.Fields(a.Says), " ")
		if text := strings.TrimSpace(p.Text(a.Text)); text != "" {
			says += "\n\n      " + strings.ReplaceAll(text, "\n", "\n      ") + "\n"
		}
		out = append(out, says)
	}
	return out
}

func (c Conclusion) due() (out []string) {
	for _, e := range c.Escalate {
		out = append(out, e.To+": "+e.Says)
	}
	return out
}
