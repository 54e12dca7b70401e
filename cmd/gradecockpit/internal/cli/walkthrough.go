package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
)

// sideBySide is how many steps look at once.
const sideBySide = 4

// walkFlags are the flags of `walkthrough`.
type walkFlags struct {
	copy, check         string
	list, schema, print bool
	out                 *string
}

func newWalkthrough(o *options) *cobra.Command {
	f := &walkFlags{}
	c := &cobra.Command{
		Use:   "walkthrough [NAME]",
		Short: "Go through a scenario: every step's look, its verdict, and at the end what fits to be done",
		Long: "Open the cockpit at the first step of a scenario; where copies are affected, it asks which one, unless --copy\n" +
			"names it. Without a terminal, or with -o, go through all steps at once and print them: what was looked at and\n" +
			"why, what was seen, the verdict, and the command by hand; then the causes, the actions that fit, and who else\n" +
			"must know. That only looks.\n\n" +
			"Own playbooks are YAML files in the folder of the setting `playbooks`, in the form of the built-in ones\n" +
			"(--print shows one, --schema the JSON schema, --check what is wrong with a file).\n\n" +
			"The exit code is 0 whatever is found; for alarms there is `check`.",
		Example: "  gradecockpit walkthrough --list\n  gradecockpit walkthrough import-stuck --copy A3F2-0042\n  gradecockpit walkthrough --check mine.yaml",
		Args:    cobra.MaximumNArgs(1),
	}
	fs := c.Flags()
	fs.StringVar(&f.copy, "copy", "", "the copy that the steps look at, by row id or anonymous id")
	fs.BoolVar(&f.list, "list", false, "list the scenarios")
	fs.StringVar(&f.check, "check", "", "check a playbook's `FILE` and say where it is wrong")
	fs.BoolVar(&f.schema, "schema", false, "print the JSON schema of playbooks")
	fs.BoolVar(&f.print, "print", false, "print the playbook itself")
	f.out = output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := errors.Join(checkOutput(*f.out), f.alone(args)); err != nil {
			return bad(err)
		}
		name := strings.Join(args, "")
		if name != "" && !f.print && !c.Flags().Changed("output") && o.streams.terminal() {
			o.walk = strings.TrimSpace(name + " " + f.copy)
			return runCockpit(c.Context(), o)
		}
		return f.run(c.Context(), o, name)
	}
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.bookNames(), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// alone checks that one thing is asked for.
func (f *walkFlags) alone(args []string) error {
	named := len(args) == 1
	switch n := btoi(f.list) + btoi(f.schema) + btoi(f.check != ""); {
	case n > 1 || n == 1 && (named || f.print || f.copy != ""):
		return errors.New("--list, --schema and --check stand alone")
	case f.print && !named:
		return errors.New("--print needs the name of a playbook")
	case f.print && (f.copy != "" || *f.out == "json"):
		return errors.New("--print gives the file as it is: it takes neither --copy nor -o json")
	case f.copy != "" && !named:
		return errors.New("--copy needs the name of a walkthrough")
	}
	return nil
}

// bookNames are for the shell's completion: each with its title.
func (o *options) bookNames() (names []string) {
	cfg, err := o.load()
	if err != nil {
		return nil
	}
	c, err := wire.New(cfg, nil)
	if err != nil {
		return nil
	}
	defer letGo(c)
	for _, b := range c.Books() {
		names = append(names, cobra.CompletionWithDesc(b.Name, b.Title))
	}
	return names
}

func (f *walkFlags) run(ctx context.Context, o *options, name string) error {
	if f.schema {
		_, err := o.streams.Out.Write(playbook.Schema())
		return err
	}
	cfg, err := o.load()
	if err != nil {
		return err
	}
	if name != "" && !f.print {
		return o.glance(ctx, cfg, func(ctx context.Context, l look) error { return f.walk(ctx, o, l, name) })
	}
	c, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(c)
	switch {
	case f.check != "":
		return f.checkFile(o, c)
	case f.print:
		return printBook(o, c, name)
	}
	return f.printList(o, c)
}

// find gives a playbook by its name.
func find(c *wire.Cockpit, name string) (*playbook.Playbook, error) {
	var names []string
	for _, b := range c.Books() {
		if b.Name == name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	err := fmt.Errorf("no walkthrough %q; there are %s", clean.Capped(name, 80), list(names))
	if n := len(c.BookProblems()); n > 0 {
		err = fmt.Errorf("%w (%s left out, see --list)", err, plural(n, "mistake: a file was", "mistakes: files were"))
	}
	return nil, bad(err)
}

// printBook prints the file of a playbook, to be copied and changed.
func printBook(o *options, c *wire.Cockpit, name string) error {
	b, err := find(c, name)
	if err != nil {
		return err
	}
	data, builtIn := playbook.Source(b)
	if !builtIn {
		if data, err = os.ReadFile(b.Origin); err != nil {
			return bad(err)
		}
	}
	_, err = o.streams.Out.Write(data)
	return err
}

// checkFile says what is wrong with a playbook, a line each.
func (f *walkFlags) checkFile(o *options, c *wire.Cockpit) error {
	b, problems := c.CheckBook(f.check)
	if *f.out == "json" {
		return errors.Join(printJSON(o.streams.Out, map[string]any{"ok": len(problems) == 0, "problems": problemsData(problems)}), wrong(problems))
	}
	for _, p := range problems {
		fmt.Fprintln(o.streams.Out, p.String())
	}
	if len(problems) == 0 {
		fmt.Fprintf(o.streams.Out, "%s: %s, %s and %s. No mistake was found.\n", b.Origin, plural(len(b.Steps), "step", "steps"),
			plural(len(b.Rules), "cause of its own", "causes of its own"), plural(len(b.Actions), "action", "actions"))
	}
	return wrong(problems)
}

func wrong(problems []playbook.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return bad(fmt.Errorf("%s in the playbook", plural(len(problems), "mistake", "mistakes")))
}

func problemsData(all []playbook.Problem) []map[string]any {
	out := []map[string]any{}
	for _, p := range all {
		out = append(out, map[string]any{"file": p.Origin, "line": p.Line, "column": p.Column, "says": p.Says})
	}
	return out
}

// printList lists the scenarios, and the own playbooks that cannot be used.
func (f *walkFlags) printList(o *options, c *wire.Cockpit) error {
	if *f.out == "json" {
		books := []map[string]any{}
		for _, b := range c.Books() {
			books = append(books, map[string]any{"name": b.Name, "title": b.Title, "section": b.Section, "when": orNone(b.When), "asks": b.Asks, "steps": len(b.Steps), "origin": b.Origin})
		}
		return printJSON(o.streams.Out, map[string]any{"playbooks": books, "problems": problemsData(c.BookProblems()), "folder": c.BookFolder()})
	}
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTITLE\tSTEPS\tORIGIN\tWHEN")
	for _, b := range c.Books() {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", b.Name, clean.Text(b.Title), len(b.Steps), origins(b), clean.Text(strings.Join(b.When[:min(1, len(b.When))], "")))
	}
	err := w.Flush()
	for _, p := range c.BookProblems() {
		fmt.Fprintln(o.streams.Out, "left out: "+p.String())
	}
	return err
}

func origins(b *playbook.Playbook) string {
	if _, ok := playbook.Source(b); ok {
		return "built in"
	}
	return b.Origin
}

// walk goes through a playbook and prints it.
func (f *walkFlags) walk(ctx context.Context, o *options, l look, name string) error {
	book, err := find(l.Cockpit, name)
	if err != nil {
		return err
	}
	place, err := l.Place(ctx, l.set, f.copy)
	if err != nil {
		return bad(err)
	}
	in := diagnosis.Input{Set: l.set, Now: l.now}
	report := l.Judge(l.set, l.now)
	w := walked(ctx, book, place, l.Sources(), in, report)
	end := playbook.Conclude(w, in, report)
	if *f.out == "json" {
		return printJSON(o.streams.Out, walkData(w, end))
	}
	sheet{o.streams.Out, o.plainTheme(l.Config)}.walk(w, end)
	return nil
}

// walked runs all steps, a few side by side.
func walked(ctx context.Context, book *playbook.Playbook, place playbook.Place, src playbook.Sources, in diagnosis.Input, report diagnosis.Report) playbook.Walk {
	w := playbook.Walk{Book: book, Place: place, Started: in.Now, Steps: make([]playbook.StepState, len(book.Steps)), At: len(book.Steps)}
	turns := make(chan struct{}, sideBySide)
	var wg sync.WaitGroup
	for i, s := range book.Steps {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			w.Steps[i] = playbook.StepState{Status: playbook.Done, Runs: 1, Result: playbook.Run(ctx, s, place, src, in, report, time.Now)}
		})
	}
	wg.Wait()
	return w
}

// walkData is a walkthrough for programs.
func walkData(w playbook.Walk, c playbook.Conclusion) map[string]any {
	steps := []map[string]any{}
	for i, s := range w.Book.Steps {
		r := w.Steps[i].Result
		steps = append(steps, map[string]any{
			"id": s.ID, "title": s.Title, "section": s.Section, "why": strings.TrimSpace(s.Why), "verdict": r.Verdict, "says": r.Says, "rule": r.Rule, "skipped": r.Skipped,
			"columns": orNone(r.Table.Columns), "rows": rowsOrNone(r.Table.Rows), "more": r.Table.More, "lines": orNone(r.Table.Lines), "note": r.Table.Note,
			"by_hand": strings.TrimSpace(w.Place.Text(s.ByHand)), "by_hand_note": s.ByHand.Note, "took_ms": r.Took.Milliseconds(),
		})
	}
	offers, due, advice := []map[string]any{}, []map[string]any{}, []map[string]any{}
	for _, o := range c.Offers {
		d := offerData(o.Offer)
		d["finding"], d["step"] = o.Finding, o.Step
		offers = append(offers, d)
	}
	for _, e := range c.Escalate {
		due = append(due, map[string]any{"to": e.To, "says": e.Says})
	}
	for _, a := range c.Advice {
		advice = append(advice, map[string]any{"title": a.Title, "section": a.Section, "says": strings.TrimSpace(a.Says), "text": strings.TrimSpace(w.Place.Text(a.Text))})
	}
	return map[string]any{
		"name": w.Book.Name, "title": w.Book.Title, "origin": w.Book.Origin, "copy": map[string]any{"id": w.Place.Copy.ID, "anonymous_id": w.Place.Copy.Anon},
		"steps": steps, "causes": findingsData(c.Causes), "offers": offers, "advice": advice, "prevent": orNone(c.Prevent), "escalate": due, "open": orNone(c.Open),
	}
}

func rowsOrNone(rows [][]string) [][]string {
	if rows == nil {
		return [][]string{}
	}
	return slices.Clone(rows)
}
