package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gradecockpit/actions"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// deed is an action as a command.
type deed struct {
	use, short string
	action     string // actions.Action.ID
	kind       actions.TargetKind
}

// deeds lists the acting commands in the order of the help. Their order of
// steps, their confirmation and their journal are the screen's.
func deeds() []deed {
	return []deed{
		{"retry COPY", "Send the task of a copy again and watch what becomes of it", "retry", actions.OnCopy},
		{"unlock COPY", "Force-unlock a copy", "force-unlock", actions.OnCopy},
		{"give-back COPY", "Give back a copy that is LOCKED without a lock", "release-locked", actions.OnCopy},
		{"clear-expired", "Clear the expired locks", "clear-expired", actions.OnLocks},
		{"add-event COPY", "Add one missing audit event, marked as reconstructed (--choice VALIDATE, or VALIDATE:USER)", "add-event", actions.OnCopy},
		{"purge QUEUE", "Move a queue into a quarantine", "purge", actions.OnQueue},
		{"restore ID", "Bring a purged queue or a removed message back from its quarantine", "restore", actions.OnQuarantine},
		{"restore-orphans QUEUE", "Put back what a killed worker had taken from a queue and not acknowledged", "restore-orphans", actions.OnQueue},
		{"remove-poison QUEUE", "Move a message that kills workers out of a queue, into a quarantine", "remove-poison", actions.OnQueue},
		{"revoke TASK", "Make the workers refuse a task that has not begun, by its id", "revoke", actions.OnTask},
		{"terminate TASK", "End a running task in the middle, by its id", "terminate", actions.OnTask},
		{"cancel PID", "Cancel what a database session runs, by its PID or PID/START", "cancel-query", actions.OnSession},
		{"disconnect PID", "Disconnect a database session, by its PID or PID/START", "end-session", actions.OnSession},
		{"ping WORKER", "Ask a worker for a sign of life", "ping", actions.OnWorker},
		{"restart WORKER", "Restart a worker through the configured supervisor command", "restart", actions.OnWorker},
		{"shutdown WORKER", "Stop a worker once its running tasks are done", "shutdown", actions.OnWorker},
		{"pool-grow WORKER", "Add a process to a worker's pool", "pool-grow", actions.OnWorker},
		{"pool-shrink WORKER", "Take an idle process from a worker's pool", "pool-shrink", actions.OnWorker},
		{"consume WORKER", "Make a worker take a queue too (--choice QUEUE)", "consume", actions.OnWorker},
		{"stop-consuming WORKER", "Make a worker leave a queue alone (--choice QUEUE)", "stop-consuming", actions.OnWorker},
		{"rate-limit WORKER", "Limit how often a worker starts a task (--choice TASK=10/m, or =none)", "rate-limit", actions.OnWorker},
		{"events-on WORKER", "Switch on the task events of a worker", "events-on", actions.OnWorker},
		{"events-off WORKER", "Switch off the task events of a worker", "events-off", actions.OnWorker},
	}
}

// consent are the flags of an acting command.
type consent struct {
	yes, dry                bool
	reason, confirm, choice string
	output                  *string
}

func newDeeds(o *options) []*cobra.Command {
	var all []*cobra.Command
	for _, d := range deeds() {
		all = append(all, newDeed(o, d))
	}
	return all
}

func newDeed(o *options, d deed) *cobra.Command {
	c := &cobra.Command{Use: d.use, Short: d.short, Args: cobra.ExactArgs(strings.Count(d.use, " ")),
		Long: d.short + ".\n\nWithout --yes the plan is printed and nothing is written. A plan of high risk also wants --confirm with its word.\n" +
			"Exit codes: 0 fixed, 1 failed, 2 bad input, 3 done but not verified, 4 refused, 5 the target changed, 6 not fixed."}
	var g consent
	f := c.Flags()
	f.BoolVar(&g.yes, "yes", false, "confirm the plan and run it")
	f.BoolVar(&g.dry, "dry-run", false, "print the plan only, whatever else is given")
	f.StringVar(&g.reason, "reason", "", "why, for the journal and the audit trail")
	f.StringVar(&g.confirm, "confirm", "", "the word that a plan of high risk asks for")
	f.StringVar(&g.choice, "choice", "", "a variant of the plan, by its id")
	g.output = output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := errors.Join(checkOutput(*g.output), g.check()); err != nil {
			return bad(err)
		}
		return o.act(c.Context(), d, strings.Join(args, ""), g)
	}
	return c
}

func (g consent) check() error {
	if g.yes && !g.dry && strings.TrimSpace(g.reason) == "" {
		return errors.New("--yes also needs --reason: it goes to the journal")
	}
	return nil
}

// act plans, and runs what was confirmed.
func (o *options) act(ctx context.Context, d deed, name string, g consent) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	c, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(c)
	set := lookOnce(ctx, c)
	target, err := aim(ctx, c, d.kind, name)
	if err != nil {
		return bad(err)
	}
	p, err := c.Runner.Plan(ctx, set, d.action, target, g.choice)
	switch {
	case err != nil:
		return o.unplanned(d, target, *g.output, err)
	case !g.yes || g.dry:
		return o.show(p, *g.output)
	case p.Risk == actions.High && g.confirm == "":
		return bad(fmt.Errorf("%s: this needs --confirm %q; without --yes the plan is printed", p.Title, p.Word))
	}
	r := c.Runner.Run(ctx, p, actions.Confirmation{Yes: true, Word: g.confirm, Reason: g.reason}, o.progress)
	return o.ended(r, *g.output)
}

// lookOnce is one look at all sources: an action judges by the same probes as
// on the screen.
func lookOnce(ctx context.Context, c *wire.Cockpit) probes.Set {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	return c.Hub.SampleAll(ctx)
}

// aim finds the target. Copies have two names; everything else is called what
// the panes call it.
func aim(ctx context.Context, c *wire.Cockpit, kind actions.TargetKind, name string) (actions.Target, error) {
	switch kind {
	case actions.OnLocks:
		return actions.Target{Kind: kind, ID: "expired", Label: "expired locks"}, nil
	case actions.OnQuarantine:
		return actions.Target{Kind: kind, ID: name}, nil
	case actions.OnCopy:
		ctx, cancel := context.WithTimeout(ctx, lookFor)
		defer cancel()
		ref, err := c.FindCopy(ctx, name)
		return actions.Target{Kind: kind, ID: ref.ID, Label: ref.Label()}, err
	}
	return actions.Target{Kind: kind, ID: name, Label: clean.Text(name)}, nil
}

// progress tells where a run is.
func (o *options) progress(p actions.Progress) {
	if p.Phase != actions.Done { // the verdict follows on standard output
		fmt.Fprintf(o.streams.Err, "%s: %s\n", p.Phase, clean.Text(p.Says))
	}
}

// unplanned is the end of an action that was never planned.
func (o *options) unplanned(d deed, t actions.Target, format string, err error) error {
	var no *actions.Refusal
	var moved *actions.Moved
	v := actions.Verdict{Kind: actions.Failed, Says: "It could not be planned: " + err.Error()}
	switch {
	case errors.As(err, &no):
		v = actions.Verdict{Kind: actions.WasRefuse, Says: no.Why, Next: no.Next}
	case errors.As(err, &moved):
		v = actions.Verdict{Kind: actions.Changed, Says: moved.Error()}
	}
	return o.ended(actions.Result{Plan: actions.Plan{Action: d.action, Target: t}, Verdict: v}, format)
}

// ended prints the verdict and gives the exit code for it.
func (o *options) ended(r actions.Result, format string) error {
	write := printVerdict
	if format == "json" {
		write = printVerdictJSON
	}
	if err := write(o.streams.Out, r); err != nil {
		return err
	}
	if code := exitOf(r.Verdict.Kind); code != exitOK {
		return &exit{code, nil}
	}
	return nil
}

// exitOf gives the exit code of a verdict.
func exitOf(k actions.VerdictKind) int {
	switch k {
	case actions.Fixed:
		return exitOK
	case actions.Unverdict:
		return exitUnknown
	case actions.WasRefuse:
		return exitRefused
	case actions.Changed:
		return exitChanged
	case actions.NotFixed:
		return exitNotFixed
	}
	return exitFailed
}
