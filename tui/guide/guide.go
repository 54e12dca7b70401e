// Package guide is what the findings and the walkthroughs look like: pure
// functions from a report, a playbook and its results to rows and paragraphs.
// The app runs the steps and keeps the cursor.
package guide

import (
	"strings"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/ui"
)

// Grave is the tone of a severity: an outage and a major feature broken must
// not look like what can wait.
func Grave(s diagnosis.Severity) ui.Tone {
	switch s {
	case diagnosis.P0, diagnosis.P1:
		return ui.Bad
	case diagnosis.P2:
		return ui.Warn
	}
	return ui.Accent
}

// verdict is the sign and the tone of what a step found out.
func verdict(v playbook.Verdict) (sign string, tone ui.Tone) {
	switch v {
	case playbook.OK:
		return ui.SignGood, ui.Good
	case playbook.Suspicious:
		return ui.SignWarn, ui.Warn
	case playbook.Cause:
		return ui.SignBad, ui.Bad
	}
	return ui.NotKnown, ui.Warn
}

// mark is the sign of a step: the verdict of its last look, or that there is
// none.
func mark(s playbook.StepState) (sign string, tone ui.Tone) {
	switch {
	case s.Status == playbook.Skipped || s.Status == playbook.Done && s.Result.Skipped:
		return "–", ui.Dim
	case s.Status != playbook.Done:
		return ui.SignBlind, ui.Dim
	}
	return verdict(s.Result.Verdict)
}

// told is a finding in a line, with what it is about.
func told(f diagnosis.Finding) string {
	about := ""
	if f.Subject != "" {
		about = " (" + f.Subject + ")"
	}
	return f.Title + about + ": " + sentence(f.Says)
}

// affected says how many copies and users a finding touches; "" where that is
// not known.
func affected(f diagnosis.Finding) string {
	var parts []string
	if f.CopyCount > 0 {
		parts = append(parts, copiesOf(f.CopyCount))
	}
	if f.UserCount > 0 {
		parts = append(parts, ui.Plural(f.UserCount, "user"))
	}
	return strings.Join(parts, ", ")
}

func copiesOf(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return ui.Count(int64(n)) + " copies"
}

// headed is what a finding is called: its title and, where it has one, what it
// is about. Of a session's name the process id alone tells people anything.
func headed(f diagnosis.Finding) string {
	subject := f.Subject
	if pid, started, ok := strings.Cut(subject, "/"); ok && digits(pid) && digits(started) {
		subject = pid
	}
	if subject == "" {
		return f.Title
	}
	return f.Title + ": " + subject
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Book gives the playbook that leads through a finding; nil when none does.
func Book(books []*playbook.Playbook, f diagnosis.Finding) *playbook.Playbook {
	for _, b := range books {
		if b.Name == string(f.Scenario) {
			return b
		}
	}
	return nil
}

// About tells the findings of a playbook, consequences included.
func About(b *playbook.Playbook, r diagnosis.Report) []diagnosis.Finding {
	var out []diagnosis.Finding
	for _, f := range r.Findings {
		for _, g := range append([]diagnosis.Finding{f}, f.Follows...) {
			if string(g.Scenario) == b.Name {
				out = append(out, g)
			}
		}
	}
	return out
}

// sentence ends a text like one.
func sentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}
