package tui

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Deadlines of what the app asks for itself.
const (
	planTime    = 15 * time.Second
	dossierTime = 10 * time.Second
	olderTime   = 10 * time.Second
	journalTime = 5 * time.Second
	messageTime = 8 * time.Second
)

// guard makes a Cmd of f: bounded, and a panic in it becomes what failed makes
// of it instead of the end of the program. The stack goes to the log.
func (a *App) guard(what string, limit time.Duration, f func(context.Context) tea.Msg, failed func(error) tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		ctx := a.ctx
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		defer func() {
			if r := recover(); r != nil {
				a.cfg.Log("panic while trying to %s: %v\n%s", what, r, debug.Stack())
				msg = failed(fmt.Errorf("%s: the cockpit has a bug here: %v; the log file has the details", what, r))
			}
		}()
		return f(ctx)
	}
}

// tell is the message of a Cmd that ends in a sentence only.
type tellMsg struct{ err error }

func tell(err error) tea.Msg { return tellMsg{err} }
