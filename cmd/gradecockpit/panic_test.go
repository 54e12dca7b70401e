package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/probes"
	"gradecockpit/tui"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// panicSwitch names the variable that turns the test binary into a cockpit
// whose hub panics inside Update once the named file exists.
const panicSwitch = "GRADECOCKPIT_TEST_PANIC"

// TestPanicRestoresTheTerminal: a bug of ours must leave a usable shell and a
// readable message behind.
func TestPanicRestoresTheTerminal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trigger := filepath.Join(t.TempDir(), "now")
	s := open(t, 160, 60, map[string]string{panicSwitch: trigger}, self)
	s.wait("gradecockpit", "1 Quiet")
	if err := os.WriteFile(trigger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.press("+", "-")
	s.wait("the roof is on fire", "[exit 1]")
	s.restored()
}

// panicky is the cockpit of the test binary.
func panicky(trigger string) error {
	cfg := tui.Config{
		Hub:    bomb{probes.NewHub(nil, nil), trigger},
		Runner: actions.NewRunner(actions.Config{Journal: journal.Lazy(trigger + ".journal")}),
		Specs:  []pane.Spec{quiet{}}, Keys: keys.Default(), Theme: ui.NewTheme(ui.Dark, false),
		Now: time.Now, Zone: time.UTC, Log: func(string, ...any) {},
	}
	return tui.Run(context.Background(), cfg, os.Stdin, os.Stdout)
}

// bomb goes off inside Update, which asks the hub for its pace.
type bomb struct {
	*probes.Hub
	trigger string
}

func (b bomb) Interval() time.Duration {
	if _, err := os.Stat(b.trigger); err == nil {
		panic("the roof is on fire")
	}
	return b.Hub.Interval()
}

// quiet is a pane with nothing to say.
type quiet struct{}

func (quiet) ID() pane.ID                     { return "quiet" }
func (quiet) Title() string                   { return "Quiet" }
func (quiet) Needs() []probes.ID              { return []probes.ID{"none"} }
func (quiet) Columns() []ui.Column            { return []ui.Column{{Title: "A", Min: 5}} }
func (quiet) Actions() []string               { return nil }
func (quiet) Content(pane.Input) pane.Content { return pane.Content{Summary: "nothing"} }

// asPanicky runs the test binary as a cockpit when it was started as one.
func asPanicky() {
	if trigger := os.Getenv(panicSwitch); trigger != "" {
		if err := panicky(trigger); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}
