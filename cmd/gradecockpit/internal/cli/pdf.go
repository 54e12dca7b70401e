package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/pdf"
	"gradecockpit/tui/pages/file"
	"gradecockpit/tui/ui"
)

func newPDF(o *options) *cobra.Command {
	return o.printing(&cobra.Command{
		Use:   "pdf FILE|COPY",
		Short: "Check a PDF, or those of a copy: does it open, pages, size, encrypted, cut off, damaged",
		Long: "Check a PDF by its path, or the PDFs of a copy by its row id or anonymous id. A path that the database\n" +
			"names is followed inside the media folder (MEDIA_ROOT) only. Nothing is written.\n\n" +
			"Exit code: 0 sound, 2 it is not, or nobody can tell.",
		Args: cobra.ExactArgs(1),
	}, o.checkPDFs)
}

func (o *options) checkPDFs(ctx context.Context, cfg *config.Config, args []string, format string) error {
	cockpit, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(cockpit)
	ctx, cancel := context.WithTimeout(ctx, lookFor+2*pdf.Takes)
	defer cancel()
	checks, err := cockpit.CheckPDFs(ctx, args[0])
	if err != nil {
		return bad(err)
	}
	if format == "json" {
		err = printJSON(o.streams.Out, checks)
	} else {
		err = printChecks(o.streams.Out, checks, o.plainTheme(cfg))
	}
	for _, c := range checks {
		if c.Verdict != pdf.Sound { // it has been said
			return errors.Join(err, &exit{exitBad, nil})
		}
	}
	return err
}

func printChecks(w io.Writer, checks []pdf.Check, theme *ui.Theme) error {
	for i, c := range checks {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for _, l := range file.Lines(c, time.Now(), time.Local) {
			if _, err := fmt.Fprintln(w, theme.Finish(strings.TrimRight(ui.Pad(l.Head, 10)+l.Text, " "))); err != nil {
				return err
			}
		}
	}
	return nil
}

// newExaminePDF is the other half of a check: the process that opens the file.
// It is started by ours, and by nobody else.
func newExaminePDF(o *options) *cobra.Command {
	return &cobra.Command{
		Use: wire.ExaminePDF + " ROOT NAME", Hidden: true, Args: cobra.ExactArgs(2), DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) {
			pdf.Child(args[0], args[1], o.streams.In, o.streams.Out, os.Exit)
		},
	}
}
