package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/domain"
	"gradecockpit/tui/pages/endpoint"
	"gradecockpit/tui/pages/processes"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes/latency"
)

func newMetrics(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Print what is measured: requests by endpoint, or --processes, --domain, --endpoint \"METHOD path\"",
		Args:  cobra.NoArgs,
	}
	out := output(c)
	ofProcesses := c.Flags().Bool("processes", false, "memory, CPU, file descriptors and restarts of the application's processes")
	ofDomain := c.Flags().Bool("domain", false, "finalize and import durations, lock conflicts, OCR errors, copies by status")
	name := c.Flags().String("endpoint", "", "one endpoint with its last hour, such as \"GET /api/copies/\"")
	c.MarkFlagsMutuallyExclusive("processes", "domain", "endpoint")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		switch {
		case *ofProcesses:
			return o.printPane(c.Context(), processes.New().Rows(pane.Ref{}), *out)
		case *ofDomain:
			return o.printPane(c.Context(), domain.New().Rows(pane.Ref{}), *out)
		case *name != "":
			return o.printEndpoint(c.Context(), *name, *out)
		}
		return o.printPane(c.Context(), latency.New(), *out)
	}
	return c
}

// printEndpoint prints one endpoint with its charts, or all its figures as JSON.
func (o *options) printEndpoint(ctx context.Context, name, format string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	return o.glance(ctx, cfg, func(_ context.Context, l look) error {
		from := metrics.Choose(l.set)
		seen, _, ok := metrics.Best(l.set)
		e, found := seen.At(name)
		switch {
		case !ok:
			return failing(l.set, l.set.Get(from).Source)
		case !found:
			return bad(unknownEndpoint(name, seen))
		case format == "json":
			data := pane.EndpointData(e)
			data["source"] = string(seen.Via)
			return errors.Join(printJSON(o.streams.Out, data), failing(l.set, seen.Via))
		}
		theme := o.plainTheme(cfg)
		in := pane.Input{Set: l.set, Now: l.now, Zone: time.Local, ASCII: theme.ASCII, Width: wide}
		text := endpoint.New().Text(page.Input{Input: in, Ref: pane.Ref{Kind: pane.KindEndpoint, ID: name}, Height: wide / 3})
		_, err := fmt.Fprintln(o.streams.Out, strings.Join(append([]string{name + ": " + text.Mark}, lay(theme, text.Paras)...), "\n"))
		return errors.Join(err, failing(l.set, seen.Via))
	})
}

// unknownEndpoint names those that are known, worst first.
func unknownEndpoint(name string, o metrics.Overview) error {
	var names []string
	for _, e := range o.Endpoints[:min(len(o.Endpoints), 5)] {
		names = append(names, fmt.Sprintf("%q", e.Name()))
	}
	switch {
	case o.Warming != "":
		return errors.New(o.Warming)
	case len(names) == 0:
		return &probes.Error{Source: o.Via, Op: "find " + name, Cause: "no endpoint is known yet"}
	}
	return fmt.Errorf("no endpoint %q was seen; there are %s", name, list(names))
}
