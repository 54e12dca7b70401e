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

// hardEnd is how long the program may take to give the terminal back by itself
// once the session has ended.
const hardEnd = 2 * time.Second

// Run shows the cockpit until it is left or ctx ends; then it says why ctx
// ended. Signals are the caller's: it cancels ctx. An action that runs is
// waited for, after the terminal has been given back.
func Run(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	session, leave := context.WithCancel(ctx)
	defer leave()
	a := New(cfg)
	a.ctx = session
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	options := []tea.ProgramOption{
		tea.WithContext(hard), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(out),
	}
	if cfg.Mono {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	p, ended := tea.NewProgram(a, options...), make(chan struct{})
	// Asked to quit, Bubble Tea ends its reader before it leaves; killed, it
	// leaves it behind. So it is killed only when it does not listen.
	defer context.AfterFunc(ctx, func() {
		late := time.AfterFunc(hardEnd, kill)
		defer late.Stop()
		p.Quit()
		<-ended
	})()
	_, err := p.Run()
	close(ended)
	leave()
	var late error
	if !a.Wait(farewell) {
		late = errors.New("an action did not end in time; its outcome is looked into at the next start")
	}
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(fmt.Errorf("the session ended: %w", cause), late)
	}
	return errors.Join(err, late)
}
