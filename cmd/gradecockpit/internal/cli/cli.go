// Package cli is the command line: one file a command, the exit codes in one
// table. Standard output carries data, standard error carries talk; the full
// screen opens only on a terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/tui"
)

// The exit codes. Those of check are the Nagios plugin API's; those from 3 on
// tell a script how an action ended.
const (
	exitOK       = 0 // an action: it is put right
	exitFailed   = 1 // an unexpected failure; check: warning
	exitBad      = 2 // bad input: a setting, a flag, a source that refuses; check: critical
	exitUnknown  = 3 // check: a source is out of reach; an action: done, and nobody knows what came of it
	exitRefused  = 4 // an action that would make things worse or is not allowed; nothing was written
	exitChanged  = 5 // an action whose target changed since it was planned; nothing was written
	exitNotFixed = 6 // an action that was done and did not help
	exitHangUp   = 128 + int(syscall.SIGHUP)
	exitInterupt = 128 + int(syscall.SIGINT)
	exitTerm     = 128 + int(syscall.SIGTERM)
)

// Streams is what a command talks to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) (string, bool)
}

// Standard are the process's own.
func Standard() Streams {
	return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv}
}

// terminal tells whether the full screen can be opened. CI and TERM=dumb count
// as no terminal; ACCESSIBLE asks for plain text, which a screen reader can read.
func (s Streams) terminal() bool {
	for _, name := range []string{"CI", "ACCESSIBLE"} {
		if v, _ := s.Getenv(name); v != "" && v != "false" && v != "0" {
			return false
		}
	}
	if t, _ := s.Getenv("TERM"); t == "dumb" || t == "" {
		return false
	}
	in, ok := s.In.(term.File)
	out, ok2 := s.Out.(term.File)
	return ok && ok2 && term.IsTerminal(in.Fd()) && term.IsTerminal(out.Fd())
}

// exit ends a command with a code of its own. err is printed, if there is one.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// bad is an error of what the operator gave us.
func bad(err error) error { return &exit{exitBad, err} }

// Main runs a command line and gives the exit code.
func Main(args []string, s Streams) int {
	ctx, stop := signals()
	defer stop()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if code, ok := ended(ctx); ok {
		return code
	}
	return finish(s.Err, err)
}

// signals gives a context that ends with SIGHUP, SIGTERM or SIGINT and
// remembers which one. Nobody else in the process handles SIGHUP, and a
// cockpit whose SSH session broke must finish its statement in flight.
func signals() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		select {
		case sig := <-c:
			cancel(signalled{sig})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		close(done)
		cancel(nil)
	}
}

type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() }

func ended(ctx context.Context) (int, bool) {
	var s signalled
	if !errors.As(context.Cause(ctx), &s) {
		return 0, false
	}
	switch s.Signal {
	case syscall.SIGHUP:
		return exitHangUp, true
	case syscall.SIGTERM:
		return exitTerm, true
	default:
		return exitInterupt, true
	}
}

// finish prints an error as one line and gives its code.
func finish(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var e *exit
	var c *config.Error
	code := exitFailed
	switch {
	case errors.As(err, &e):
		code = e.code
	case errors.As(err, &c):
		code = exitBad
	}
	if says := err.Error(); says != "" {
		fmt.Fprintln(w, "gradecockpit: "+says)
	}
	return code
}

// newRoot builds the command tree. Nothing is kept between two calls.
func newRoot(s Streams) *cobra.Command {
	o := &options{streams: s}
	root := &cobra.Command{
		Use:   "gradecockpit",
		Short: "An incident cockpit for the grading system",
		Long: "gradecockpit watches the grading system's locks, stuck copies, queues, latency and audit trail,\n" +
			"and puts things right by confirmed actions that verify their own outcome.\n\n" +
			"Without a command it opens the cockpit; without a terminal it prints the whole dashboard once.",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return runCockpit(c.Context(), o) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return bad(err) })
	o.register(root.PersistentFlags())
	root.Flags().StringVar(&o.pane, "pane", "", "one pane alone: "+list(paneNames()))
	add(root, "Look:", append(newPanes(o),
		newDemo(o),
		newPractice(o),
		newShow(o),
		newFindings(o),
		newWalkthrough(o),
		newCopy(o),
		newPDF(o),
		newTrace(o),
		newLogs(o),
		newMetrics(o),
		newAudit(o),
		newCheck(o),
		newExport(o),
		newDoctor(o),
		newJournal(o),
	)...)
	add(root, "Look into the database:", newDatabase(o)...)
	add(root, "Act (prints the plan; --yes --reason carries it out):", newDeeds(o)...)
	root.AddCommand(newConfig(o), newVersion(o), newMan(), newExaminePDF(o))
	strict(root)
	return root
}

// add puts commands under a heading of the help.
func add(root *cobra.Command, heading string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: heading, Title: heading})
	for _, c := range commands {
		c.GroupID = heading
	}
	root.AddCommand(commands...)
}

// strict makes wrong arguments bad input (exit code 2), in one line.
func strict(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, a []string) error {
			if err := args(c, a); err != nil {
				return bad(err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// options are the flags that every command shares.
type options struct {
	streams     Streams
	file        string
	environment string
	envFile     string
	pane        string
	noColour    bool
	flags       *pflag.FlagSet
	walk        string    // the walkthrough that the screen opens with; "" none
	drill       tui.Drill // the exercise that the screen is opened for; nil none
}

func (o *options) register(f *pflag.FlagSet) {
	o.flags = f
	f.StringVar(&o.file, "config", "", "configuration file (default: config.yaml in the XDG config folder)")
	f.StringVarP(&o.environment, "env", "e", "", "named environment of the configuration file")
	f.StringVar(&o.envFile, "env-file", "", "the Django project's .env")
	f.BoolVar(&o.noColour, "no-color", false, "no colours")
	for _, s := range config.Settings() {
		switch {
		case s.NoFlag:
		case s.Bool:
			f.Bool(s.Flag(), s.Default == "true", s.Help)
		default:
			f.String(s.Flag(), s.Default, s.Help)
		}
	}
}

// given are the settings that stand on the command line.
func (o *options) given() map[string]string {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if f := o.flags.Lookup(s.Flag()); f != nil && f.Changed {
			given[s.Key] = f.Value.String()
		}
	}
	return given
}

// load puts the configuration together from the flags that were given and
// everything behind them.
func (o *options) load() (*config.Config, error) { return o.loadWith(o.given()) }

func (o *options) loadWith(flags map[string]string) (*config.Config, error) {
	return config.Load(config.Sources{File: o.file, Environment: o.environment, EnvFile: o.envFile,
		Flags: flags, Getenv: o.streams.Getenv})
}

// loadReadOnly is load for a command that must not be able to write anything,
// whatever is configured.
func (o *options) loadReadOnly() (*config.Config, error) {
	flags := o.given()
	flags[config.ReadOnly] = "true"
	return o.loadWith(flags)
}
