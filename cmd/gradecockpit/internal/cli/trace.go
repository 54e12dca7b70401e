package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/trace"
)

func newTrace(o *options) *cobra.Command {
	return o.printing(&cobra.Command{
		Use:   "trace ID",
		Short: "Print everything about one request, task or copy in order of time: logs, audit events, queue",
		Long: "Print what all logs with their rotated parts, the audit trail and the queue know of a request id, a task id,\n" +
			"or a copy's row id or anonymous id, with the time between the steps.",
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, cfg *config.Config, args []string, format string) error {
		// The heap stays below what this lets it grow to (32 MB), so that most
		// traces end before a collection that would cost more than it frees.
		debug.SetGCPercent(800)
		cockpit, err := wire.New(cfg, nil)
		if err != nil {
			return err
		}
		defer letGo(cockpit)
		t, err := cockpit.Trace(ctx, args[0])
		if err != nil {
			return bad(err)
		}
		if format == "json" {
			return errors.Join(printJSON(o.streams.Out, t), untraced(t))
		}
		printTrace(o.streams.Out, t)
		return untraced(t)
	})
}

// untraced is an error when nothing was found where a source failed or none
// was asked: a script must not take that silence for an answer.
func untraced(t trace.Trace) error {
	problems := append(slices.Clone(t.Problems), t.Unasked...)
	if len(t.Steps) > 0 || len(t.Problems) == 0 && len(t.Unasked) < 3 {
		return nil
	}
	return bad(errors.New(strings.Join(problems, "; ")))
}

// printTrace prints a step on a line, and its traceback below.
func printTrace(w io.Writer, t trace.Trace) {
	name := t.ID
	if t.Copy.ID != "" && t.Copy.Anon != "" {
		name = fmt.Sprintf("%s (copy %s)", t.Copy.Anon, t.Copy.ID)
	}
	fmt.Fprintf(w, "%s: %d steps over %s\n", name, len(t.Steps), t.Took.Round(time.Millisecond))
	for _, s := range t.Steps {
		printStep(w, s)
	}
	for _, p := range slices.Concat(t.Problems, t.Unasked) {
		fmt.Fprintln(w, p)
	}
}

func printStep(w io.Writer, s trace.Step) {
	at, gap := "now", ""
	if !s.At.IsZero() {
		at = s.At.Local().Format(logTime)
	}
	if s.Gap > 0 {
		gap = "+" + shortGap(s.Gap)
	}
	mark := " "
	if s.Failed {
		mark = "!"
	}
	text := s.Text
	if s.Why != "" {
		text += "  (" + s.Why + ")"
	}
	fmt.Fprintf(w, "%-23s %9s %s %-7s %-8s %s  %s\n", at, gap, mark, s.Kind, s.Level, s.From, text)
	for _, line := range s.Trace {
		fmt.Fprintln(w, "    "+line)
	}
}

// shortGap rounds a span to what matters in it.
func shortGap(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute).String()
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
