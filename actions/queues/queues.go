// Package queues holds the actions on what lies in queues: a purge that moves a
// queue into a quarantine (and into a file, before that), and the restore that
// brings it back in its order; the same for one message that kills workers; and
// the restore of messages that a killed worker left. Nothing is ever deleted.
package queues

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
)

// Deps is what these actions need.
type Deps struct {
	Broker *celery.Broker
	// SaveDir is the folder for the files of purged queues. It is made, with
	// mode 0700, at the first purge.
	SaveDir string
	Watch   time.Duration // bound of Verify; 0 is 10 s
}

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action {
	if d.Watch <= 0 {
		d.Watch = actions.WatchFor
	}
	x := deps{d}
	return []actions.Action{purge{x}, restore{x}, restoreOrphans{x}, removePoison{x}}
}

type deps struct{ d Deps }

// Watch is the bound of Verify.
func (x deps) Watch() time.Duration { return x.d.Watch }

// overview gives what the probe saw, or why there is nothing to judge by.
func (x deps) overview(set probes.Set) (celery.Overview, string) {
	ov, snap, ok := probes.Of[celery.Overview](set, celery.ID)
	switch {
	case x.d.Broker == nil:
		return ov, "No broker is configured: set CELERY_BROKER_URL."
	case ok:
		return ov, ""
	case snap.Err != nil:
		return ov, "The broker cannot be read: " + snap.Err.Error() + "."
	}
	return ov, "The broker has not been read yet."
}

// explain turns a failure of the broker into what an action reports. After an
// error that is no refusal of ours the script may have run all the same.
func explain(err error) error {
	var moved *celery.ErrMoved
	var readOnly *celery.ErrReadOnly
	var known *probes.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &moved):
		return &actions.Moved{Says: "The queue has changed. One that never stands still can be purged with what comes meanwhile: pick that choice.", Diffs: diffs(moved)}
	case errors.Is(err, celery.ErrQueueEmpty):
		return &actions.Moved{Says: "The queue is empty: workers took what was in it."}
	case errors.As(err, &readOnly):
		return &actions.Refusal{Why: "Nothing may be written: " + readOnly.Why + "."}
	case errors.As(err, &known) && !known.Denied:
		return &actions.Unsure{Err: known}
	}
	return err
}

func diffs(m *celery.ErrMoved) []actions.Diff {
	var out []actions.Diff
	for _, d := range m.Diffs {
		name := clean.Text(strings.ReplaceAll(d.Key, celery.DefaultSep, " priority "))
		if d.WasLen != d.IsLen {
			out = append(out, actions.Diff{Name: name, Was: fmt.Sprint(d.WasLen, " messages"), Is: fmt.Sprint(d.IsLen, " messages")})
		}
		if d.NextChanged {
			out = append(out, actions.Diff{Name: name + " next", Was: "as shown", Is: "another message"})
		}
		if d.EndChanged {
			out = append(out, actions.Diff{Name: name + " newest", Was: "as shown", Is: "another message"})
		}
	}
	return out
}

// find gives a quarantine by its id. A queue narrows the choice, should one id
// hold several.
func (x deps) find(ctx context.Context, id, queue string) (celery.Quarantine, bool, error) {
	all, err := x.d.Broker.Quarantines(ctx)
	for _, q := range all {
		if q.ID == id && (queue == "" || q.Queue == queue) {
			return q, true, err
		}
	}
	return celery.Quarantine{}, false, err
}

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
