package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/tui"
)

func newCopy(o *options) *cobra.Command {
	return o.printing(&cobra.Command{
		Use:   "copy ID",
		Short: "Print everything about one copy, by row id or anonymous id (A3F2-0042)",
		Args:  cobra.ExactArgs(1),
	}, func(ctx context.Context, cfg *config.Config, args []string, format string) error {
		cockpit, err := wire.New(cfg, nil)
		if err != nil {
			return err
		}
		defer letGo(cockpit)
		ctx, cancel := context.WithTimeout(ctx, lookFor)
		defer cancel()
		page, err := cockpit.CopyPage(ctx, args[0])
		if err != nil {
			return bad(err)
		}
		if format == "json" {
			return printJSON(o.streams.Out, page)
		}
		for _, line := range tui.CopyReport(page, o.plainTheme(cfg), time.Local) {
			if _, werr := fmt.Fprintln(o.streams.Out, line); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		return err
	})
}
