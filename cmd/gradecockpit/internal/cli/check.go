package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/metrics"
)

// level is a Nagios state; its number is the exit code.
type level int

const (
	levelOK level = iota
	levelWarning
	levelCritical
	levelUnknown
)

func (l level) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[l]
}

// result is one thing that was checked.
type result struct {
	Name  string  `json:"name"`
	Level level   `json:"-"`
	State string  `json:"state"`
	Says  string  `json:"says"`
	Value float64 `json:"value"`
	Perf  string  `json:"-"` // perfdata, "stuck=3;1;5"; "" none
}

func newCheck(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "One line for monitoring: exit code 0 ok, 1 warning, 2 critical, 3 a source is out of reach",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringP("output", "o", "line", "line, table or json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		out, _ := c.Flags().GetString("output")
		if out != "line" && out != "table" && out != "json" {
			return &exit{exitUnknown, fmt.Errorf("-o %q: there are line, table and json", out)}
		}
		cfg, err := o.load()
		if err == nil {
			err = o.glance(c.Context(), cfg, func(_ context.Context, l look) error {
				return o.printCheck(judge(l), out)
			})
		}
		// For monitoring, what cannot be looked at is unknown, never "bad".
		var e *exit
		if err != nil && !errors.As(err, &e) {
			fmt.Fprintln(o.streams.Out, "GRADING UNKNOWN - "+err.Error())
			return &exit{exitUnknown, nil}
		}
		return err
	}
	return c
}

// judge runs all checks over one look.
func judge(l look) []result {
	var all []result
	for _, id := range l.configured() {
		if s := l.set.SourceHealth(id); s.Err != nil {
			all = append(all, result{Name: string(id), Level: levelUnknown, Says: s.Err.Error()})
		}
	}
	if ov, _, ok := probes.Of[grading.Overview](l.set, grading.ID); ok {
		all = append(all, judgeGrading(ov, l.Config)...)
	}
	if ov, _, ok := probes.Of[celery.Overview](l.set, celery.ID); ok {
		all = append(all, judgeQueues(ov, l.Config)...)
	}
	if ov, _, ok := metrics.Best(l.set); ok {
		all = append(all, judgeLatency(ov, l.Config)...)
	}
	for i := range all {
		all[i].State = all[i].Level.String()
	}
	return all
}

// count judges a number against its limits; critical 0 is "never".
func count(name string, n, warning, critical int, says string) result {
	r := result{Name: name, Says: says, Value: float64(n)}
	switch {
	case critical > 0 && n >= critical:
		r.Level = levelCritical
	case n >= warning:
		r.Level = levelWarning
	}
	r.Perf = fmt.Sprintf("%s=%d;%d", name, n, warning)
	if critical > 0 {
		r.Perf += fmt.Sprintf(";%d", critical)
	}
	return r
}

func judgeGrading(ov grading.Overview, cfg *config.Config) []result {
	var all []result
	if ov.Stuck.Here() {
		n := ov.Stuck.Value.Total
		all = append(all, count("stuck", n, cfg.Int("thresholds.stuck_warning"), cfg.Int("thresholds.stuck_critical"), plural(n, "stuck copy", "stuck copies")))
	}
	if ov.Locks.Here() {
		n := ov.Locks.Value.Expired
		all = append(all, count("expired_locks", n, cfg.Int("thresholds.expired_warning"), 0, plural(n, "expired lock", "expired locks")))
	}
	if ov.Events.Here() {
		n := ov.Events.Value.Gaps
		all = append(all, count("audit_gaps", n, 1, 0, plural(n, "gap in the newest audit events", "gaps in the newest audit events")))
	}
	return all
}

func judgeQueues(ov celery.Overview, cfg *config.Config) []result {
	waiting := count("waiting", int(ov.Waiting), cfg.Int("thresholds.waiting_warning"), cfg.Int("thresholds.waiting_critical"),
		plural(int(ov.Waiting), "waiting task", "waiting tasks"))
	all := []result{waiting}
	if ov.WorkersErr != "" {
		return append(all, result{Name: "workers", Level: levelUnknown, Says: ov.WorkersErr})
	}
	workers := result{Name: "workers", Value: float64(ov.Receivers), Says: plural(ov.Receivers, "worker", "workers"), Perf: fmt.Sprintf("workers=%d", ov.Receivers)}
	if ov.Receivers == 0 {
		workers.Level, workers.Says = levelCritical, "no worker listens"
	}
	all = append(all, workers)
	for _, q := range ov.Queues {
		if q.Depth > 0 && q.Consumed == celery.No {
			all = append(all, result{Name: "queue_" + q.Name, Level: levelCritical, Value: float64(q.Depth),
				Says: fmt.Sprintf("no worker takes queue %s, where %s", q.Name, plural(int(q.Depth), "task waits", "tasks wait"))})
		}
	}
	return all
}

func judgeLatency(ov metrics.Overview, cfg *config.Config) []result {
	if ov.Warming != "" || !ov.Total.P95.Known {
		return nil // no traffic between two scrapes is no news
	}
	r := result{Name: "p95", Value: ov.Total.P95.Seconds, Says: fmt.Sprintf("P95 %.2fs", ov.Total.P95.Seconds)}
	limit := cfg.Duration("thresholds.p95_warning").Seconds()
	if ov.Total.P95.Above || ov.Total.P95.Seconds > limit {
		r.Level = levelWarning
	}
	r.Perf = fmt.Sprintf("p95=%.3fs;%g", ov.Total.P95.Seconds, limit)
	return []result{r}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// worst is the state of all together. Unknown wins: with a source out of reach
// nobody can say that it is not worse.
func worst(all []result) level {
	w := levelOK
	for _, r := range all {
		w = max(w, r.Level)
	}
	return w
}

func (o *options) printCheck(all []result, out string) error {
	state := worst(all)
	var err error
	switch out {
	case "json":
		err = printJSON(o.streams.Out, struct {
			State   string   `json:"state"`
			Results []result `json:"results"`
		}{state.String(), all})
	case "table":
		w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "STATE\tCHECK\tSAYS")
		for _, r := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.State, r.Name, r.Says)
		}
		err = w.Flush()
	default:
		_, err = fmt.Fprintln(o.streams.Out, checkLine(state, all))
	}
	if err != nil || state == levelOK {
		return err
	}
	return &exit{int(state), nil}
}

// checkLine is the plugin line: the worst first, then perfdata.
func checkLine(state level, all []result) string {
	var says, fine, perf []string
	for l := levelUnknown; l >= levelOK; l-- {
		for _, r := range all {
			switch {
			case r.Level != l:
			case l == levelOK:
				fine = append(fine, r.Says)
			default:
				says = append(says, r.Says)
			}
		}
	}
	if len(says) == 0 {
		says = fine
	}
	for _, r := range all {
		if r.Perf != "" {
			perf = append(perf, r.Perf)
		}
	}
	// The bar separates text from perfdata, so it cannot stand in the text.
	line := "GRADING " + state.String() + " - " + strings.ReplaceAll(strings.Join(says, "; "), "|", "/")
	if len(perf) > 0 {
		line += " | " + strings.Join(perf, " ")
	}
	return line
}
