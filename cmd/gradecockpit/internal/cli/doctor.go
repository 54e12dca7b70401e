package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/actions/journal"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

// finding is one line of the doctor: something that works, or why it does not
// and what would bring it.
type finding struct {
	Part string `json:"part"` // "source", "schema", "pane", "action", "operator", "journal"
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Note bool   `json:"note,omitempty"` // worth knowing, not wrong
	Says string `json:"says"`
	Fix  string `json:"fix,omitempty"`
}

func newDoctor(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say which sources, panes and actions work here, and exactly what is missing for the others",
		Args:  cobra.NoArgs,
	}
	out := output(c)
	steps := c.Flags().Bool("playbook", false, "say of each step of the incident playbook whether it runs here as written, rewritten, or not at all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		cfg, err := o.load()
		if err != nil {
			return err
		}
		if *steps {
			return o.doctorPlaybook(c, cfg, *out)
		}
		return o.glance(c.Context(), cfg, func(ctx context.Context, l look) error {
			all := l.examine(ctx)
			if *out == "json" {
				err = printJSON(o.streams.Out, all)
			} else {
				err = printFindings(o.streams.Out, all, o.plainTheme(cfg))
			}
			// The findings hold the sentences already; the code tells a script.
			if failing(l.set, l.configured()...) != nil {
				err = errors.Join(err, &exit{exitBad, nil})
			}
			return err
		})
	}
	return c
}

// examine looks at every part.
func (l look) examine(ctx context.Context) []finding {
	all := l.examineSources()
	ov, _, known := probes.Of[grading.Overview](l.set, grading.ID)
	if known && ov.Schema != nil {
		all = append(all, examineSchema(ov)...)
	}
	all = append(all, l.examinePanes()...)
	all = append(all, l.examineActions()...)
	return append(all, l.examineOperator(ctx, known), l.examineJournal())
}

func (l look) examineSources() []finding {
	var all []finding
	for _, id := range probes.Sources() {
		if id.Optional() && !l.set.Has(id) {
			continue
		}
		s := l.set.SourceHealth(id)
		f := finding{Part: "source", Name: string(id), OK: s.Err == nil, Says: fmt.Sprintf("%s, answered in %s", s.Health(), s.Cost.Round(time.Millisecond))}
		var e *probes.Error
		switch {
		case errors.As(s.Err, &e):
			f.Says, f.Fix = joined(": ", s.Health().String(), e.Op, e.Cause), e.Next
			f.Note = !l.Configured(id)
		case s.Err != nil:
			f.Says = s.Err.Error()
		}
		all = append(all, f)
	}
	if ov, _, ok := probes.Of[celery.Overview](l.set, celery.ID); ok {
		f := finding{Part: "source", Name: "workers", OK: ov.Receivers > 0, Says: plural(ov.Receivers, "worker listens", "workers listen") + " on the control channel"}
		if ov.WorkersErr != "" {
			f.OK, f.Says = false, ov.WorkersErr
		}
		all = append(all, f)
	}
	return all
}

func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// examineSchema says which dialect was found and what it lacks.
func examineSchema(ov grading.Overview) []finding {
	s := ov.Schema
	says := fmt.Sprintf("%s names, PostgreSQL %s, database %s, role %s", s.Dialect, s.Server, s.Database, s.User)
	if s.Replica {
		says += ", a read-only replica"
	}
	all := []finding{
		{Part: "schema", Name: "dialect", OK: true, Says: says},
		examineLocks(ov),
	}
	// A field with a GRANT is one that we are kept from: that is to mend. A
	// field that is not there belongs to another generation: that is a note.
	var absent []string
	for field, why := range s.Absent {
		if fix := s.Fixes[field]; fix != "" {
			all = append(all, finding{Part: "schema", Name: string(field), Says: why, Fix: fix})
		} else {
			absent = append(absent, string(field))
		}
	}
	slices.SortFunc(all[2:], func(a, b finding) int { return strings.Compare(a.Name, b.Name) })
	if slices.Sort(absent); len(absent) > 0 {
		all = append(all, finding{Part: "schema", Name: "not here", OK: true, Note: true, Says: list(absent)})
	}
	return all
}

// examineLocks says whether the application uses locks, and by what that is known.
func examineLocks(ov grading.Overview) finding {
	f := finding{Part: "schema", Name: "locks", OK: true}
	switch ov.LocksInUse {
	case grading.TriYes:
		f.Says = "in use: " + ov.LocksWhy
	case grading.TriNo:
		f.Says = "not in use: " + ov.LocksWhy
	default:
		f.Note, f.Says, f.Fix = true, joined(": ", "unknown whether they are in use", ov.LocksWhy), "Say it with --locks on or --locks off."
	}
	return f
}

// examinePanes asks each pane what it would show.
func (l look) examinePanes() []finding {
	var all []finding
	for _, spec := range panes.All() {
		f := finding{Part: "pane", Name: string(spec.ID()), OK: true, Says: "works"}
		for _, need := range spec.Needs() {
			if s := l.set.Get(need); s.Err != nil {
				f.Note, f.Says = true, "lacks "+string(s.Source)+": "+brief(s.Err)
			}
		}
		if s := l.set.Get(pane.Main(spec, l.set)); s.Err != nil {
			f.OK, f.Note, f.Says = false, !l.Configured(s.Source), string(s.Source)+": "+brief(s.Err)
		} else if c := spec.Content(pane.Input{Set: l.set, Now: l.now, Zone: time.Local, Width: wide}); c.Problem != "" {
			f.OK, f.Note, f.Says = false, false, c.Problem
		}
		all = append(all, f)
	}
	return all
}

// brief is the cause of an error, or its operation where that is all there is.
func brief(err error) string {
	var e *probes.Error
	if errors.As(err, &e) && e.Cause == "" {
		return e.Op
	}
	return probes.Brief(err)
}

// examineActions asks each action whether it could be planned here at all, on
// a target that stands for any.
func (l look) examineActions() []finding {
	var all []finding
	for _, a := range l.Runner.Actions() {
		f := finding{Part: "action", Name: a.ID(), OK: true, Says: "possible"}
		if why := l.Runner.Impossible(l.set, a.ID()); why != "" {
			f.OK, f.Says = false, why
		}
		all = append(all, f)
	}
	return all
}

// examineOperator finds out who would sign.
func (l look) examineOperator(ctx context.Context, database bool) finding {
	f := finding{Part: "operator", Name: l.Config.Operator()}
	if f.Name == "" {
		f.Name, f.Says, f.Fix = "nobody", "no operator is known", "Name one with --as."
		return f
	}
	if !database {
		f.Says = "unknown whether the application has this account: the database cannot be read"
		return f
	}
	id, err := l.Identify(ctx, f.Name)
	switch {
	case err != nil:
		f.Says = "unknown whether the application has this account: " + err.Error()
	case id == 0:
		f.Says, f.Fix = "no account of the application has this name, so nobody could sign events", "Name an account with --as, or accept a gap in the audit trail with --unsigned."
	default:
		f.OK, f.Says = true, fmt.Sprintf("signs events as auth_user %d", id)
	}
	return f
}

// examineJournal proves that the journal can be written: without it no action
// runs. Looking must leave no trace, so a folder that does not exist yet is
// judged by its nearest parent.
func (l look) examineJournal() finding {
	path := wire.JournalPath(l.Config)
	f := finding{Part: "journal", Name: path, OK: true, Says: "can be written"}
	if _, err := os.Stat(path); err != nil {
		f.Says = "will be made with the first action"
		return f
	}
	if _, err := journal.Open(path); err != nil {
		f.OK, f.Says, f.Fix = false, err.Error(), "Without a journal no action runs. Choose another file with --journal."
	}
	return f
}

// printFindings prints them by part.
func printFindings(w io.Writer, all []finding, theme *ui.Theme) error {
	width, part := 0, ""
	for _, f := range all {
		width = max(width, ui.Width(f.Name))
	}
	width = min(width, 24)
	for _, f := range all {
		if f.Part != part {
			part = f.Part
			fmt.Fprintf(w, "\n%s\n", strings.ToUpper(part))
		}
		sign := ui.SignGood
		switch {
		case f.Note:
			sign = ui.SignWarn
		case !f.OK:
			sign = ui.SignBad
		}
		if _, err := fmt.Fprintln(w, theme.Finish(sign+" "+ui.Pad(f.Name, width)+"  "+f.Says)); err != nil {
			return err
		}
		if f.Fix != "" {
			fmt.Fprintln(w, theme.Finish("  "+ui.Pad("", width)+"  → "+f.Fix))
		}
	}
	return nil
}
