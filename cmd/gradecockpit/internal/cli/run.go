package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gradecockpit/actions"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

// How long the parts may take to let go when the cockpit is left.
const (
	closeFor  = 2 * time.Second
	settleFor = 5 * time.Second
)

// runCockpit opens the cockpit, or prints the dashboard where there is no
// terminal.
func runCockpit(ctx context.Context, o *options) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	return o.open(ctx, cfg)
}

// open runs the full screen or the plain report over a configuration.
func (o *options) open(ctx context.Context, cfg *config.Config) error {
	if !o.streams.terminal() {
		return o.printDashboard(ctx, cfg)
	}
	log, closeLog := openLog(cfg)
	defer closeLog()
	c, err := wire.New(cfg, log)
	if err != nil {
		return err
	}
	defer letGo(c)
	screen, err := o.screen(c)
	if err != nil {
		return err
	}
	screen.Log = func(format string, args ...any) { log.Error(fmt.Sprintf(format, args...)) }

	if screen.Unsettled, err = settled(ctx, c); err != nil {
		log.Error("settle", "error", err)
	}

	ctx, stop := context.WithCancel(ctx)
	var hub sync.WaitGroup
	hub.Go(func() { c.Hub.Run(ctx) })
	defer hub.Wait()
	defer stop()
	return tui.Run(ctx, screen, o.streams.In, o.streams.Out)
}

// settled looks at what an earlier session left without outcome, before the
// screen opens. It is rare, and worth the wait.
func settled(ctx context.Context, c *wire.Cockpit) ([]actions.Unsettled, error) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	return c.Runner.Settle(ctx)
}

// screen is the configuration of the App over a cockpit.
func (o *options) screen(c *wire.Cockpit) (tui.Config, error) {
	table, err := keys.Default().Remap(c.Config.Keys)
	if err != nil {
		return tui.Config{}, &config.Error{Where: c.Config.Path, Why: err.Error()}
	}
	specs := panes.All()
	only := pane.ID(o.pane)
	if only != "" && !known(specs, only) {
		return tui.Config{}, bad(unknownPane(o.pane))
	}
	if name, _, _ := strings.Cut(o.walk, " "); name != "" {
		if _, err := find(c, name); err != nil {
			return tui.Config{}, err
		}
	}
	settle := 100 * time.Millisecond
	if v, _ := o.streams.Getenv("SSH_TTY"); v != "" {
		settle = 250 * time.Millisecond // fewer frames over a slow link
	}
	return tui.Config{
		Judge: func(in diagnosis.Input) diagnosis.Report { return c.Judge(in.Set, in.Now) }, Start: o.walk,
		Books: c.Books(), LeftOut: leftOut(c), Sources: c.Sources(), Place: c.Place, SaveHandOver: keeper(c.Config),
		Hub: c.Hub, Runner: c.Runner, Specs: specs, Pages: pages.All(), Read: c.Readers(), Seek: c.Seekers(), Keys: table, Theme: o.theme(c.Config),
		Drill: o.drill, Env: c.Env, Only: only, Dossier: c.CopyPage, Older: c.Older, Settle: settle,
		Now: time.Now, Zone: time.Local, Mouse: c.Config.Bool(config.Mouse), Mono: o.mono(),
	}, nil
}

// leftOut says which playbooks of the operator's cannot be used, and why.
func leftOut(c *wire.Cockpit) (out []string) {
	for _, p := range c.BookProblems() {
		out = append(out, p.String())
	}
	return out
}

// keeper saves hand-overs beside the journal, for their owner alone: they name
// copies and what was found about them.
func keeper(cfg *config.Config) func(name, text string) (string, error) {
	return func(name, text string) (string, error) {
		dir := filepath.Dir(wire.JournalPath(cfg))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		path := filepath.Join(dir, "handover-"+filepath.Base(name)+"-"+time.Now().UTC().Format("20060102T150405Z")+".md")
		return path, os.WriteFile(path, []byte(text), 0o600)
	}
}

// mono tells whether colours are off. Any non-empty NO_COLOR counts; the
// terminal library would take only truth values.
func (o *options) mono() bool {
	v, _ := o.streams.Getenv("NO_COLOR")
	return v != "" || o.noColour
}

func (o *options) theme(cfg *config.Config) *ui.Theme {
	look := ui.Look(cfg.Text(config.Theme))
	if o.mono() {
		look = ui.Mono
	}
	return ui.NewTheme(look, cfg.Bool(config.ASCII))
}

func known(specs []pane.Spec, id pane.ID) bool {
	for _, s := range specs {
		if s.ID() == id {
			return true
		}
	}
	return false
}

func unknownPane(name string) error {
	var ids []string
	for _, s := range panes.All() {
		ids = append(ids, string(s.ID()))
	}
	return fmt.Errorf("no pane %q; there are %s", name, list(append(ids, pageWords()...)))
}

// letGo closes the connections within a bound: a server that hangs must not
// keep the terminal.
func letGo(c *wire.Cockpit) {
	ctx, cancel := context.WithTimeout(context.Background(), closeFor)
	defer cancel()
	c.Close(ctx)
}

// openLog opens the cockpit's own log. Where that is not possible nothing is
// logged: the screen belongs to the responder.
func openLog(cfg *config.Config) (*slog.Logger, func()) {
	path := cfg.Text(config.LogFile)
	if path == "" {
		path = filepath.Join(config.StateDir(), "gradecockpit.log")
	}
	f, err := appendTo(path)
	if err != nil {
		return slog.New(slog.DiscardHandler), func() {}
	}
	return slog.New(slog.NewTextHandler(f, nil)), func() { f.Close() }
}

// logMost is when the log is begun anew, with one older part kept, in bytes.
const logMost = 5 << 20

func appendTo(path string) (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > logMost {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
