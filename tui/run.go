package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// farewell is how long leaving waits for an action that runs.
const farewell = 5 * time.Second

// Run shows the cockpit until it is left or ctx ends; then it says why ctx
// ended. Signals are the caller's: it cancels ctx. An action that runs is
// waited for, after the terminal has been given back.
func Run(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	a := New(cfg)
	a.ctx = ctx
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(out),
	}
	if cfg.Mono {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	_, err := tea.NewProgram(a, options...).Run()
	cause := context.Cause(ctx)
	leave()
	var late error
	if !a.Wait(farewell) {
		late = errors.New("an action did not end in time; its outcome is looked into at the next start")
	}
	if cause != nil {
		return errors.Join(fmt.Errorf("the session ended: %w", cause), late)
	}
	return errors.Join(err, late)
}
