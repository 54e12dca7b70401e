package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/export"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
)

// exportOptions are the flags of export.
type exportOptions struct {
	listen           string
	anyone           bool
	rules, dashboard bool
	patient          time.Duration
}

func newExport(o *options) *cobra.Command {
	var e exportOptions
	c := &cobra.Command{
		Use:   "export",
		Short: "Serve what the cockpit sees as Prometheus metrics, or print alert rules or a Grafana dashboard for them",
		Long: "export serves /metrics and /healthz until it is ended by a signal. It only reads, and writes nothing anywhere.\n\n" +
			"What is not known has no series, and what is older than --stale-after is withheld. No label names a person or a copy.\n" +
			"Copies by status are served as grading_copies_by_status, the playbook's own name, so that alerts written for it work.",
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&e.listen, "listen", "127.0.0.1:9810", "address to serve on")
	f.BoolVar(&e.anyone, "anyone", false, "allow an address that other machines can reach")
	f.DurationVar(&e.patient, "stale-after", time.Minute, "how long a source may be silent before its series are withheld")
	f.BoolVar(&e.rules, "rules", false, "print alert rules for Prometheus, with the limits of the configuration")
	f.BoolVar(&e.dashboard, "dashboard", false, "print a dashboard for Grafana 10 or later")
	c.RunE = func(c *cobra.Command, _ []string) error { return o.export(c.Context(), e) }
	return c
}

func (o *options) export(ctx context.Context, e exportOptions) error {
	cfg, err := o.loadReadOnly()
	if err != nil {
		return err
	}
	switch {
	case e.rules && e.dashboard:
		return bad(errors.New("--rules and --dashboard print two files: give one of them"))
	case e.rules:
		return o.printMade(export.Rules(limits(cfg)))
	case e.dashboard:
		return o.printMade(export.Dashboard())
	case e.patient <= 0:
		return bad(fmt.Errorf("--stale-after %v: it must be above 0", e.patient))
	}
	return o.serve(ctx, cfg, e)
}

func (o *options) printMade(text []byte, err error) error {
	if err == nil {
		_, err = o.streams.Out.Write(text)
	}
	return err
}

// serve runs the exporter until ctx ends. Its talk goes to standard error: it
// has no log file, as it has no journal.
func (o *options) serve(ctx context.Context, cfg *config.Config, e exportOptions) error {
	log := slog.New(slog.NewTextHandler(o.streams.Err, nil))
	c, err := wire.New(cfg, log)
	if err != nil {
		return err
	}
	defer letGo(c)
	l, err := export.Listen(ctx, e.listen, e.anyone)
	if err != nil {
		return bad(err)
	}
	calm(c)
	fmt.Fprintf(o.streams.Err, "gradecockpit: serving http://%s/metrics\n", l.Addr())
	return export.New(c.Hub, export.Options{Sources: configured(c), Patient: e.patient, Log: log}).Serve(ctx, l)
}

// calmest is the pace of an exporter whose configuration says nothing of it:
// Prometheus asks every 15 s or less often, so nobody sees more.
const calmest = 5 * time.Second

func calm(c *wire.Cockpit) {
	for c.Config.Value(config.Refresh).Origin == "default" && c.Hub.Interval() < calmest {
		c.Hub.Slower()
	}
}

// configured are the sources that somebody told us the address of.
func configured(c *wire.Cockpit) (ids []probes.SourceID) {
	for _, id := range probes.Sources() {
		if c.Hub.Latest().Has(id) && c.Configured(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// limits are those of the alert rules.
func limits(cfg *config.Config) export.Thresholds {
	n := func(name string) int { return cfg.Int("thresholds." + name) }
	return export.Thresholds{
		StuckWarning: n("stuck_warning"), StuckCritical: n("stuck_critical"), ExpiredWarning: n("expired_warning"),
		WaitingWarning: n("waiting_warning"), WaitingCritical: n("waiting_critical"),
		DiskWarning: n("disk_warning"), DiskCritical: n("disk_critical"),
		P95: cfg.Duration("thresholds.p95_warning"), InProgress: cfg.Duration("thresholds.in_progress"),
	}
}
