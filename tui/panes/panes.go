// Package panes is the catalogue: it lists every pane once, in the order of the
// number keys. Each pane is a package of its own below; panes do not import
// each other.
package panes

import (
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes/database"
	"gradecockpit/tui/panes/host"
	"gradecockpit/tui/panes/latency"
	"gradecockpit/tui/panes/locks"
	"gradecockpit/tui/panes/logs"
	"gradecockpit/tui/panes/queue"
	"gradecockpit/tui/panes/sessions"
	"gradecockpit/tui/panes/stuck"
	"gradecockpit/tui/panes/tasks"
	"gradecockpit/tui/panes/timeline"
	"gradecockpit/tui/panes/workers"
)

// All gives the panes; the first is focused by 1, and so on.
func All() []pane.Spec {
	return []pane.Spec{
		locks.New(),
		stuck.New(),
		queue.New(),
		latency.New(),
		timeline.New(),
		workers.New(),
		tasks.New(),
		logs.New(),
		sessions.New(),
		database.New(),
		host.New(),
	}
}

// Find gives a pane by its name.
func Find(id pane.ID) (pane.Spec, bool) {
	for _, s := range All() {
		if s.ID() == id {
			return s, true
		}
	}
	return nil, false
}
