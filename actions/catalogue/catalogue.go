// Package catalogue lists every action once, in menu order. It is apart from
// package actions because the actions themselves import that.
package catalogue

import (
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/audit"
	"gradecockpit/actions/locks"
	"gradecockpit/actions/queues"
	"gradecockpit/actions/sessions"
	"gradecockpit/actions/statements"
	"gradecockpit/actions/tasks"
	"gradecockpit/actions/workers"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

// Deps is what the actions need. Writer, Grading and Broker are nil where their
// source is not configured; the actions then say so.
type Deps struct {
	Writer  *postgres.Writer
	Grading *grading.Probe
	Broker  *celery.Broker
	Journal actions.Journal // counts earlier attempts; nil knows of none
	LockTTL time.Duration   // the application's; 0 leaves heartbeats out
	SaveDir string          // the folder for purged queues
	Timings Timings
	// Restart is the supervisor's command for the workers, word by word, and
	// RestartFor its time limit.
	Restart    []string
	RestartFor time.Duration
}

// Timings bound the watching after an action; zero values take the defaults.
type Timings struct {
	Locks    locks.Timings
	Tasks    tasks.Timings
	Workers  workers.Timings
	Sessions sessions.Timings
}

// All gives every action.
func All(d Deps) []actions.Action {
	all := locks.All(locks.Deps{Writer: d.Writer, LockTTL: d.LockTTL, Timings: d.Timings.Locks})
	all = append(all, tasks.All(tasks.Deps{Writer: d.Writer, Grading: d.Grading, Broker: d.Broker, Journal: d.Journal, SaveDir: d.SaveDir, Timings: d.Timings.Tasks})...)
	all = append(all, queues.All(queues.Deps{Broker: d.Broker, SaveDir: d.SaveDir})...)
	all = append(all, audit.All(audit.Deps{Writer: d.Writer})...)
	all = append(all, sessions.All(sessions.Deps{Writer: d.Writer, Timings: d.Timings.Sessions})...)
	all = append(all, statements.All(statements.Deps{Writer: d.Writer})...)
	return append(all, workers.All(workers.Deps{Broker: d.Broker, Restart: d.Restart, RestartFor: d.RestartFor, Timings: d.Timings.Workers})...)
}
