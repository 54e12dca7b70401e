package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gradecockpit/actions"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/tui/pages/statement"
	"gradecockpit/tui/panes/database"
)

// newDatabase gives the parts of the database pane as tables of their own, and
// the plan of a statement that one types.
func newDatabase(o *options) []*cobra.Command {
	return []*cobra.Command{
		newPane(o, database.Statements(), "statements", "Print the statements that cost the most time"),
		newPane(o, database.Tables(), "tables", "Print the tables: size, dead rows, scans, vacuum"),
		newPane(o, database.Indexes(), "indexes", "Print the indexes of the grading tables with their use, and the missing ones"),
		newExplain(o),
	}
}

func newExplain(o *options) *cobra.Command {
	c := &cobra.Command{Use: "explain STATEMENT", Args: cobra.ExactArgs(1),
		Short: "Print the plan of a statement, by its text or its queryid; --analyze runs it",
		Long: "Print the plan that PostgreSQL would choose for one statement, given by its text or by its queryid.\n" +
			"Nothing is run, in a read-only transaction with a time limit.\n\n" +
			"--analyze runs a SELECT once to measure it, in a read-only transaction. Without --yes that is only planned.",
	}
	var g consent
	f := c.Flags()
	analyze := f.Bool("analyze", false, "run it once, to measure its plan")
	f.BoolVar(&g.yes, "yes", false, "with --analyze: confirm that it is run")
	f.StringVar(&g.reason, "reason", "", "with --analyze: why, for the journal")
	g.output = output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := errors.Join(checkOutput(*g.output), g.check()); err != nil {
			return bad(err)
		}
		if *analyze {
			d := deed{action: "explain-analyze", kind: actions.OnStatement}
			return o.act(c.Context(), d, args[0], g)
		}
		if g.yes || g.reason != "" {
			return bad(errors.New("--yes and --reason go with --analyze: a plan alone runs nothing"))
		}
		return o.explain(c.Context(), args[0], *g.output)
	}
	return c
}

// explain prints a plan. A statement that has none is bad input.
func (o *options) explain(ctx context.Context, text, format string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	c, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(c)
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	d, err := c.ExplainTyped(ctx, text)
	switch {
	case err != nil:
		return bad(err)
	case d.Problem != "":
		return bad(errors.New(d.Problem))
	case format == "json":
		return printJSON(o.streams.Out, d.Plan)
	}
	_, err = fmt.Fprintln(o.streams.Out, strings.Join(lay(o.plainTheme(cfg), statement.Report(d)), "\n"))
	return err
}
