package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/tui"
)

func newCopy(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "copy ID",
		Short: "Print everything about one copy, by row id or anonymous id (A3F2-0042)",
		Args:  cobra.ExactArgs(1),
	}
	out := output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		cfg, err := o.load()
		if err != nil {
			return err
		}
		cockpit, err := wire.New(cfg, nil)
		if err != nil {
			return err
		}
		defer letGo(cockpit)
		ctx, cancel := context.WithTimeout(c.Context(), lookFor)
		defer cancel()
		page, err := cockpit.CopyPage(ctx, args[0])
		if err != nil {
			return bad(err)
		}
		if *out == "json" {
			return printJSON(o.streams.Out, page)
		}
		for _, line := range tui.CopyReport(page, o.plainTheme(cfg), time.Local) {
			if _, werr := fmt.Fprintln(o.streams.Out, line); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		return err
	}
	return c
}
