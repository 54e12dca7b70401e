package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

// lookFor bounds a one-shot look at all sources: with it each of the four probes
// of PostgreSQL has the time that the screen would give it, or nearly so.
const lookFor = 7 * time.Second

// look is one look at all sources for a command that prints and ends.
type look struct {
	*wire.Cockpit
	set probes.Set
	now time.Time
}

// glance builds the cockpit, looks once at every source and hands it over. The
// panes that are to be printed bring the looks that are taken for them alone.
func (o *options) glance(ctx context.Context, cfg *config.Config, do func(context.Context, look) error, printed ...pane.Spec) error {
	c, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(c)
	var needs []probes.ID
	for _, spec := range printed {
		needs = append(needs, spec.Needs()...)
	}
	c.Hub.SetVisible(needs)
	looking, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	set := c.Look(looking)
	return do(ctx, look{c, set, time.Now()})
}

// wide is the width that panes without a screen lay sparklines out for.
const wide = 120

// table is a pane filled with the look.
func (l look) table(spec pane.Spec, theme *ui.Theme) *pane.Table {
	t := pane.New(spec, theme, 0)
	t.SetInput(pane.Input{Set: l.set, Now: l.now, Zone: time.Local, ASCII: theme.ASCII, Width: wide})
	return t
}

// output is the -o flag.
func output(c *cobra.Command) *string {
	return c.Flags().StringP("output", "o", "table", "table or json")
}

// printing gives a command the -o flag, and runs it over the configuration.
func (o *options) printing(c *cobra.Command, run func(ctx context.Context, cfg *config.Config, args []string, format string) error) *cobra.Command {
	out := output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		cfg, err := o.load()
		if err != nil {
			return err
		}
		return run(c.Context(), cfg, args, *out)
	}
	return c
}

func checkOutput(o string) error {
	if o != "table" && o != "json" {
		return bad(fmt.Errorf("-o %q: there are table and json", o))
	}
	return nil
}

func newShow(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:       "show PANE | show PAGE [ID]",
		Short:     "Print one pane or page as text or JSON: " + list(slices.Concat(paneNames(), pageWords())),
		Args:      cobra.RangeArgs(1, 2),
		ValidArgs: slices.Concat(paneNames(), pageWords()),
	}
	out := output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		if spec, ok := panes.Find(pane.ID(args[0])); ok && len(args) == 1 {
			return o.printPane(c.Context(), spec, *out)
		}
		spec, ok := findPage(args[0])
		switch {
		case !ok:
			return bad(unknownPane(args[0]))
		case len(args) == 1 && !spec.Whole:
			return bad(fmt.Errorf("show %s needs an ID: %s", spec.Word, spec.Help))
		}
		return o.printPage(c.Context(), spec, strings.Join(args[1:], ""), *out)
	}
	return c
}

// printPane prints one pane.
func (o *options) printPane(ctx context.Context, spec pane.Spec, format string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	return o.glance(ctx, cfg, func(_ context.Context, l look) error {
		t := l.table(spec, o.plainTheme(cfg))
		write := t.Plain
		if format == "json" {
			write = t.JSON
		}
		return errors.Join(write(o.streams.Out), failing(l.set, sourcesOf(spec, l.set)...))
	}, spec)
}

func paneNames() []string {
	var names []string
	for _, s := range panes.All() {
		names = append(names, string(s.ID()))
	}
	return names
}

// plainTheme is for text that goes to a pipe: no colours.
func (o *options) plainTheme(cfg *config.Config) *ui.Theme {
	return ui.NewTheme(ui.Mono, cfg.Bool(config.ASCII))
}

// sourcesOf is the source that makes the rows of a pane: without it, it shows
// nothing. The others only add to it.
func sourcesOf(spec pane.Spec, set probes.Set) []probes.SourceID {
	return []probes.SourceID{set.Get(pane.Main(spec, set)).Source}
}

// failing is an error with exit code 2 when one of the sources gave nothing: a
// script must not take an empty table for good news.
func failing(set probes.Set, sources ...probes.SourceID) error {
	var says []string
	for _, id := range sources {
		if s := set.SourceHealth(id); s.Err != nil {
			says = append(says, s.Err.Error())
		}
	}
	if len(says) == 0 {
		return nil
	}
	return bad(errors.New(strings.Join(says, "; ")))
}

// printDashboard prints every pane once, for pipes, logs and screen readers.
func (o *options) printDashboard(ctx context.Context, cfg *config.Config) error {
	specs := panes.All()
	if o.pane != "" {
		spec, ok := panes.Find(pane.ID(o.pane))
		if !ok {
			return bad(unknownPane(o.pane))
		}
		specs = []pane.Spec{spec}
	}
	return o.glance(ctx, cfg, func(_ context.Context, l look) error {
		theme := o.plainTheme(cfg)
		fmt.Fprintln(o.streams.Out, strings.TrimSpace("gradecockpit  "+l.Env.Title+"  as "+l.Env.Actor+"  "+l.Env.ReadOnly))
		fmt.Fprintln(o.streams.Out, l.now.UTC().Format("2006-01-02 15:04:05 UTC"))
		l.printSources(o.streams.Out)
		for _, spec := range specs {
			fmt.Fprintln(o.streams.Out)
			if err := l.table(spec, theme).Plain(o.streams.Out); err != nil {
				return err
			}
		}
		return failing(l.set, l.configured()...)
	}, specs...)
}

// configured are the sources that somebody told us the address of. None at all
// is a mistake of its own, so then it is all of them.
func (l look) configured() []probes.SourceID {
	var ids []probes.SourceID
	for _, id := range probes.Sources() {
		if l.set.Has(id) && id != probes.Host && l.Configured(id) {
			ids = append(ids, id)
		}
	}
	if ids == nil {
		return slices.DeleteFunc(probes.Sources(), probes.SourceID.Optional)
	}
	return ids
}

func (l look) printSources(w io.Writer) {
	for _, id := range probes.Sources() {
		if !l.set.Has(id) {
			continue
		}
		s := l.set.SourceHealth(id)
		says := s.Cost.Round(time.Millisecond).String()
		if s.Err != nil {
			says = s.Err.Error()
		}
		fmt.Fprintf(w, "%-9s %-8s %s\n", id, s.Health(), says)
	}
}

// list joins words by commas.
func list(words []string) string { return strings.Join(words, ", ") }

// printJSON writes a value indented, for people who look at it too.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
