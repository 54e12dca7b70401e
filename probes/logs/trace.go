package logs

import (
	"context"
	"errors"
)

// Trace is every record that has to do with one id, oldest first.
type Trace struct {
	ID      string // as it was looked for
	Records []Traced
	// Requests, Tasks and Copies are the ids that the records name, in the order
	// of their first record.
	Requests, Tasks, Copies []string
	Extent
}

// Traced is a record with why it is there.
type Traced struct {
	Line
	// Why is "" for a record that names the id itself; else what led to it:
	// "same request", "its task".
	Why string
}

// Trace finds every record of all sources that names a request id, a task id
// or a copy's uuid, and the other records of the requests and tasks that those
// belong to. The records come in order of time; one without a time keeps its
// place after the record before it in its file.
func (p *Probe) Trace(ctx context.Context, id string) (Trace, error) {
	return Trace{}, errors.ErrUnsupported
}
