package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/ui"
)

func newFindings(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "findings",
		Short: "Say what is wrong: the causes found, ranked, with their evidence and what could put them right",
		Long: "Judge what every source says now by all rules, and print the causes found, ranked: what was seen, what would\n" +
			"show that it is wrong, what must not be done now, and the commands that could put it right. What could not be\n" +
			"judged is named with its reason.\n\n" +
			"The exit code is 0 whatever is found, and 2 where nothing could be judged; for alarms there is `check`.",
		Args: cobra.NoArgs,
	}
	out := output(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		cfg, err := o.load()
		if err != nil {
			return err
		}
		return o.glance(c.Context(), cfg, func(_ context.Context, l look) error {
			report := l.Judge(l.set, l.now)
			for _, p := range l.BookProblems() {
				fmt.Fprintln(o.streams.Err, "gradecockpit: left out: "+p.String())
			}
			if *out == "json" {
				err = printJSON(o.streams.Out, reportData(report))
			} else {
				err = sheet{o.streams.Out, o.plainTheme(cfg)}.report(report)
			}
			if l.blind() {
				err = errors.Join(err, failing(l.set, l.configured()...))
			}
			return err
		})
	}
	return c
}

// blind tells that none of the sources that somebody named gave anything: what
// is known of this machine alone says nothing about the grading system.
func (l look) blind() bool {
	return !slices.ContainsFunc(l.configured(), func(id probes.SourceID) bool { return l.set.SourceHealth(id).Err == nil })
}

// sheet prints text for people.
type sheet struct {
	w     io.Writer
	theme *ui.Theme
}

// line prints one line, indented. What it is told is cleaned already; what
// belongs to a row of text stays on it.
func (s sheet) line(indent int, format string, args ...any) {
	says := strings.TrimRight(ui.Blank(indent)+fmt.Sprintf(format, args...), " ")
	fmt.Fprintln(s.w, s.theme.Finish(says))
}

// report prints what is wrong.
func (s sheet) report(r diagnosis.Report) error {
	switch n := len(r.Findings); {
	case n > 0:
		s.line(0, "%s, the most urgent first", plural(n, "finding", "findings"))
	case r.Judged == 0:
		s.line(0, "%s Nothing could be judged.", ui.SignHollow)
	default:
		s.line(0, "%s Nothing wrong was found: %s could be judged, %d could not.", ui.SignGood, plural(r.Judged, "cause", "causes"), len(r.Blind))
	}
	for _, f := range r.Findings {
		s.line(0, "")
		s.finding(0, f)
	}
	s.list("Could not be judged", blinds(r.Blind))
	return nil
}

func blinds(all []diagnosis.Blind) (out []string) {
	for _, b := range all {
		out = append(out, b.Title+"? "+b.Why)
	}
	return out
}

// list prints sentences under a heading; nothing where there are none.
func (s sheet) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	s.line(0, "")
	s.line(0, "%s", title)
	for _, i := range items {
		s.line(2, "- %s", i)
	}
}

// finding prints one cause, and what follows from it deeper.
func (s sheet) finding(indent int, f diagnosis.Finding) {
	subject := ""
	if f.Subject != "" {
		subject = ": " + f.Subject
	}
	s.line(indent, "%s %s  %s%s (%s)", ui.SignBad, f.Severity, f.Title, subject, f.Confidence)
	in := indent + 4
	s.line(in, "%s", f.Says)
	for _, e := range f.Evidence {
		s.line(in, "seen: %s", e.Says)
	}
	if says := affected(f); says != "" {
		s.line(in, "affects: %s", says)
	}
	if !f.Since.IsZero() {
		s.line(in, "since: %s", f.Since.Local().Format("2006-01-02 15:04:05"))
	}
	if f.Mind != "" {
		s.line(in, "against it: %s", f.Mind)
	}
	if f.Harm != "" {
		s.line(in, "%s careful: %s", ui.SignWarn, f.Harm)
	}
	for _, o := range f.Offers {
		s.offer(in, o)
	}
	for _, a := range f.Advice {
		s.line(in, "by hand: %s", a)
	}
	if len(f.Follows) > 0 {
		s.line(in, "follows from it:")
	}
	for _, g := range f.Follows {
		s.finding(in+2, g)
	}
}

// affected names the copies and users, as many as are named.
func affected(f diagnosis.Finding) string {
	var parts []string
	var names []string
	for _, c := range f.Copies {
		names = append(names, c.Label())
	}
	if f.CopyCount > 0 {
		parts = append(parts, plural(f.CopyCount, "copy", "copies")+named(names, f.CopyCount))
	}
	if f.UserCount > 0 {
		parts = append(parts, plural(f.UserCount, "user", "users")+named(f.Users, f.UserCount))
	}
	return strings.Join(parts, ", ")
}

// fewNames is how many names a line has room for.
const fewNames = 5

func named(names []string, of int) string {
	if len(names) == 0 {
		return ""
	}
	more := ""
	if shown := min(len(names), fewNames); of > shown {
		more = ", …"
	}
	return " (" + list(names[:min(len(names), fewNames)]) + more + ")"
}

// offer prints an action as the command that plans it.
func (s sheet) offer(indent int, o diagnosis.Offer) {
	s.line(indent, "%s %s", ui.SignRight, commandLine(o))
	if says := strings.TrimSpace(o.Why + " " + o.Consequence); says != "" {
		s.line(indent+2, "%s", says)
	}
}

// word is what a shell takes for one word as it stands.
var word = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,][A-Za-z0-9_./:@%+=,-]*$`)

// quoted is a word for a shell, whatever is in it.
func quoted(s string) string {
	if word.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(clean.Text(s), "'", `'\''`) + "'"
}

// commandLine is the command that plans an offered action. A copy is called by
// its anonymous id where that is a plain word.
func commandLine(o diagnosis.Offer) string {
	i := slices.IndexFunc(deeds(), func(d deed) bool { return d.action == o.Action && string(d.kind) == o.Kind })
	if i < 0 {
		return strings.TrimSuffix("in the cockpit: "+o.Action+" with the target "+clean.Text(cmp.Or(o.Label, o.ID)), " with the target ")
	}
	d := deeds()[i]
	words := []string{"gradecockpit", strings.Fields(d.use)[0]}
	if o.Choice != "" {
		words = append(words, "--choice", quoted(o.Choice))
	}
	if strings.Contains(d.use, " ") {
		name := o.ID
		if d.kind == actions.OnCopy && word.MatchString(o.Label) {
			name = o.Label
		}
		if strings.HasPrefix(name, "-") {
			words = append(words, "--")
		}
		words = append(words, quoted(name))
	}
	return strings.Join(words, " ")
}

// reportData is what was found for programs.
func reportData(r diagnosis.Report) map[string]any {
	return map[string]any{"at": r.At.UTC().Format(time.RFC3339), "judged": r.Judged, "findings": findingsData(r.Findings), "not_judged": blindData(r.Blind)}
}

func blindData(all []diagnosis.Blind) []map[string]any {
	out := []map[string]any{}
	for _, b := range all {
		out = append(out, map[string]any{"rule": b.Rule, "title": b.Title, "why": b.Why, "scenario": b.Scenario})
	}
	return out
}

func findingsData(all []diagnosis.Finding) []map[string]any {
	out := []map[string]any{}
	for _, f := range all {
		copies, seen := []map[string]any{}, []map[string]any{}
		for _, c := range f.Copies {
			copies = append(copies, map[string]any{"id": c.ID, "anonymous_id": c.Anon})
		}
		for _, e := range f.Evidence {
			seen = append(seen, map[string]any{"probe": e.From, "says": e.Says, "kind": e.Kind, "id": e.ID})
		}
		m := map[string]any{
			"rule": f.Rule, "title": f.Title, "scenario": f.Scenario, "subject": f.Subject, "says": f.Says,
			"confidence": f.Confidence.String(), "severity": f.Severity.String(), "evidence": seen, "wrong_if": f.Mind, "do_not": f.Harm,
			"copies": copies, "copy_count": counted(f.CopyCount), "users": orNone(f.Users), "user_count": counted(f.UserCount),
			"offers": offersData(f.Offers), "advice": orNone(f.Advice), "follows": findingsData(f.Follows),
		}
		if !f.Since.IsZero() {
			m["since"] = f.Since.UTC().Format(time.RFC3339)
		}
		out = append(out, m)
	}
	return out
}

// counted is null where nobody knows.
func counted(n int) any {
	if n < 0 {
		return nil
	}
	return n
}

func offersData(all []diagnosis.Offer) []map[string]any {
	out := []map[string]any{}
	for _, o := range all {
		out = append(out, offerData(o))
	}
	return out
}

func offerData(o diagnosis.Offer) map[string]any {
	return map[string]any{"action": o.Action, "choice": o.Choice, "kind": o.Kind, "id": o.ID, "label": o.Label,
		"why": o.Why, "consequence": o.Consequence, "command": commandLine(o)}
}
