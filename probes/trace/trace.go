// Package trace puts what logs, database and queue know of one request, task
// or copy into one order of time: HTTP entry, service, task, audit event, with
// the time between. It is pure; the command line's wiring asks the sources.
package trace

import (
	"time"

	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// Kind is what kind of step it is.
type Kind string

// The kinds, in the order in which a request passes through them.
const (
	HTTP    Kind = "http"    // the request as Django or the metrics middleware saw it
	Service Kind = "service" // what the application logged in between
	Task    Kind = "task"    // a Celery worker, or the result of a task
	Event   Kind = "event"   // the audit trail in the database
	Queue   Kind = "queue"   // what waits in Redis now, or is in a worker's hands
)

// Step is one thing that happened.
type Step struct {
	At    time.Time // zero: no time is known
	Kind  Kind
	From  string // logger, actor or worker
	Text  string
	Level string // of a log record; "" else
	// Failed: an error, a failed task, a failed event.
	Failed bool
	// Why it is here, when it does not name the id itself: "same request".
	Why string
	// Derived: no source says this; it follows from what another step says.
	Derived bool
	Trace   []string
	// Gap is the time since the step before that has one; 0 for the first.
	Gap  time.Duration
	Line *logs.Line // the log record, for a step that is one
	// What the step names, "" none: `o` follows them.
	RequestID, TaskID, CopyID string
}

// Trace is everything that has to do with one id, oldest first.
type Trace struct {
	ID   string          // as it was asked for
	Copy grading.CopyRef // the copy, where the id is one of a copy; without its anonymous id where the database does not answer
	// Took is from the first step to the last.
	Steps []Step
	Took  time.Duration
	// Requests, Tasks and Copies are the ids that the steps name.
	Requests, Tasks, Copies []string
	// Problems name sources that failed, and what was left out; Unasked those
	// that nobody said the address of.
	Problems, Unasked []string
	Looked            logs.Extent // how far the logs were searched
}
