package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/reality"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/ui"
)

// searchFor bounds one search of the logs for what a step greps.
const searchFor = 10 * time.Second

// doctorPlaybook says of each step of the incident playbook whether it runs here.
func (o *options) doctorPlaybook(ctx context.Context, cfg *config.Config, format string) error {
	cockpit, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(cockpit)
	ctx, cancel := context.WithTimeout(ctx, lookFor+searchFor)
	defer cancel()
	// One look is enough: nothing here needs a rate.
	l := look{cockpit, cockpit.Hub.SampleAll(ctx), time.Now()}
	lines := reality.Judge(l.here(ctx))
	if format == "json" {
		return printJSON(o.streams.Out, lines)
	}
	return printReality(o.streams.Out, lines, o.plainTheme(cfg))
}

// here is what the look knows of the system.
func (l look) here(ctx context.Context) reality.Here {
	h := reality.Here{
		Set: l.set, Books: playbook.Books(),
		Names: map[string]string{"log_dir": l.Config.Text(config.LogDir), "metrics_url": l.Config.Text(config.MetricsURL)},
		Token: l.Config.Text(config.MetricsToken) != "", Restart: strings.Join(l.Config.Words(config.RestartCommand), " "),
		Holds: func(query string) (bool, error) { return l.holds(ctx, query) },
	}
	if urls := l.Config.List(config.MetricsURL); len(urls) > 0 {
		h.Metrics = urls[0]
	}
	return h
}

// holds tells whether the logs hold a record that a query finds.
func (l look) holds(ctx context.Context, query string) (bool, error) {
	p, err := l.Logs()
	if err != nil {
		return false, err
	}
	q, err := logs.ParseQuery(query, l.now, time.Local)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	q.Limit = 1
	found, err := p.Search(ctx, q)
	return len(found.Lines) > 0, err
}

// printReality prints the steps by section, and how the rewritten ones run.
func printReality(w io.Writer, lines []reality.Line, theme *ui.Theme) error {
	signs := map[reality.Outcome]string{reality.AsWritten: ui.SignGood, reality.Rewritten: ui.SignWarn, reality.Unknown: "?", reality.Impossible: ui.SignBad}
	counts := map[reality.Outcome]int{}
	for _, l := range lines {
		counts[l.Outcome]++
		text := fmt.Sprintf("%s %s  %s  %s: %s", signs[l.Outcome], l.Section, ui.Pad(string(l.Outcome), 16), l.Title, l.Why)
		if _, err := fmt.Fprintln(w, theme.Finish(strings.TrimRight(text, ": "))); err != nil {
			return err
		}
		for _, line := range strings.Split(l.How, "\n") {
			if line != "" {
				fmt.Fprintln(w, theme.Finish("         "+line))
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d run as written, %d rewritten, %d are impossible here, %d cannot be judged.\n",
		counts[reality.AsWritten], counts[reality.Rewritten], counts[reality.Impossible], counts[reality.Unknown])
	return err
}
