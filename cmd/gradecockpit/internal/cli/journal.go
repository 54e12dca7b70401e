package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/clean"
)

func newJournal(o *options) *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: "Print what was done, by whom, why, and how it ended", Args: cobra.NoArgs}
	return o.printing(c, func(_ context.Context, cfg *config.Config, _ []string, format string) error {
		file, err := journal.Open(wire.JournalPath(cfg))
		if err != nil {
			return bad(err)
		}
		records, err := file.Records()
		if err != nil {
			return err
		}
		if format == "json" {
			for i := range records {
				records[i].Undo = nil // it holds lock tokens; they stay in the file
			}
			return printJSON(o.streams.Out, records)
		}
		return printJournal(o, records)
	})
}

func printJournal(o *options, records []actions.Record) error {
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME (UTC)\tWHO\tWHAT\tKIND\tSAYS")
	for _, r := range records {
		says := r.Says
		if says == "" {
			says = r.Reason
		}
		what := r.Title
		if what == "" {
			what = r.Action + " " + r.Target.Label
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\n", r.At.UTC().Format("2006-01-02 15:04:05"),
			clean.Text(r.Actor), clean.Text(what), r.Kind, r.Verdict, clean.Text(says))
	}
	return w.Flush()
}
