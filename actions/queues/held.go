package queues

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
)

// The choices that also reach what workers hold and have not begun: it is saved
// and revoked, since nothing can take it out of their hands.
const (
	AsSeenAndHeld     = AsSeen + "-and-held"
	EverythingAndHeld = Everything + "-and-held"
)

func alsoHeld(choice string) bool { return choice == AsSeenAndHeld || choice == EverythingAndHeld }

// choices offers to revoke only where workers hold something.
func choices(c celery.Contents) []actions.Choice {
	out := []actions.Choice{
		{ID: AsSeen, Title: "exactly these messages"},
		{ID: Everything, Title: "these and what comes until then"},
	}
	if n := int64(len(reserved(c))); n > 0 {
		out = append(out,
			actions.Choice{ID: AsSeenAndHeld, Title: fmt.Sprintf("exactly these, and revoke %s that workers hold", messages(n))},
			actions.Choice{ID: EverythingAndHeld, Title: "these, what comes until then, and revoke what workers hold"})
	}
	return out
}

// reserved are the messages in workers' hands that no worker has begun.
func reserved(c celery.Contents) []celery.Message {
	begun := map[string]bool{}
	for _, r := range c.Held {
		begun[r.ID] = r.State == "running"
	}
	return slices.DeleteFunc(slices.Clone(c.Unacked), func(m celery.Message) bool { return m.ID == "" || begun[m.ID] })
}

// named lists them for the plan.
func named(held []celery.Message) string {
	var names []string
	for _, m := range held {
		names = append(names, strings.TrimSpace(fmt.Sprintf("%s %.8s", celery.ShortTask(m.Task), orElse(m.CopyID, m.ID))))
	}
	return actions.Names(names, 8)
}

// saveHeld writes messages into a file that only we may read, a line each.
func saveHeld(path string, held []celery.Message) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, m := range held {
		err = errors.Join(err, enc.Encode(map[string]any{"id": m.ID, "queue": m.Queue, "raw": m.Raw}))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// revokeMost is how many ids one command carries.
const revokeMost = 5000

// revokeHeld saves and revokes what workers hold of a purged queue. The purge
// is done by then, so a failure is told and undoes nothing.
func (a purge) revokeHeld(ctx context.Context, p actions.Plan, queue string, e *actions.Effect) {
	failed := func(err error) {
		e.Skip = append(e.Skip, "what workers hold was not revoked: "+err.Error())
	}
	c, err := a.d.Broker.Contents(ctx, queue)
	held := reserved(c)
	if err == nil && c.HeldErr != "" {
		err = errors.New(c.HeldErr)
	}
	if err != nil || len(held) == 0 {
		if err != nil {
			failed(err)
		}
		return
	}
	path := strings.TrimSuffix(a.file(p.ID, queue), ".jsonl") + "-held.jsonl"
	if err := saveHeld(path, held); err != nil {
		failed(fmt.Errorf("save them: %w", err))
		return
	}
	e.Values["held file"] = path
	for part := range slices.Chunk(held, revokeMost) {
		ids := make([]string, len(part))
		for i, m := range part {
			ids[i] = m.ID
		}
		if _, err := a.d.Broker.Revoke(ctx, ids, false, ""); err != nil {
			failed(err)
			return
		}
	}
	e.Did = append(e.Did, "saved and revoked "+messages(int64(len(held)))+" that workers hold")
}
