package locks

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
)

// batch is one transaction that frees copies.
type batch struct {
	*seen
	plan    actions.Plan
	request actions.Request
	// lenient leaves out what moved instead of stopping; expired also demands
	// that the database calls each lock expired now.
	lenient, expired bool
}

// mover is a copy that is not as the plan saw it, or that is being worked on.
type mover struct {
	copy  *rows.Copy
	busy  bool
	says  string
	diffs []actions.Diff
}

// write frees the copies given and tells which it left alone. The order
// matters: the copy rows are held first, so that nothing of the application
// that takes them can come between the comparison and the writes.
func (b batch) write(ctx context.Context, tx pgx.Tx, copies []*rows.Copy) (done []*rows.Copy, left []mover, err error) {
	done, left, err = b.compare(ctx, tx, copies)
	if err != nil || len(left) > 0 && !b.lenient {
		return nil, left, err
	}
	done, late, err := b.delete(ctx, tx, done)
	left = append(left, late...)
	if err != nil || len(left) > 0 && !b.lenient {
		return nil, left, err
	}
	back := filter(done, b.givesBack)
	gave, err := b.tables.GiveBack(ctx, tx, ids(back))
	if err == nil && len(gave) != len(back) {
		err = fmt.Errorf("%d of %d copies given back", len(gave), len(back))
	}
	if err == nil && !b.unsigned {
		err = b.tables.InsertEvents(ctx, tx, b.events(done))
	}
	return done, left, err
}

// compare holds the copy rows and sorts out what has moved.
func (b batch) compare(ctx context.Context, tx pgx.Tx, copies []*rows.Copy) (same []*rows.Copy, left []mover, err error) {
	held, err := b.tables.Hold(ctx, tx, ids(copies))
	if err != nil {
		return nil, nil, err
	}
	now, err := b.tables.Read(ctx, tx, ids(copies))
	if err != nil {
		return nil, nil, err
	}
	for _, was := range copies {
		is := now[was.ID]
		says, diffs := rows.Changed(was, is)
		switch {
		case is != nil && !held[was.ID]:
			left = append(left, mover{copy: was, busy: true, says: "an operation is running on it now"})
		case says != "":
			left = append(left, mover{copy: was, says: says, diffs: diffs})
		case b.expired && !is.Lock.Expired:
			left = append(left, mover{copy: was, says: "the database does not call its lock expired"})
		default:
			same = append(same, was)
		}
	}
	return same, left, nil
}

// delete removes the locks. One that was renewed or released after it was
// compared (a heartbeat does not take the copy row) is told apart by what is
// there now.
func (b batch) delete(ctx context.Context, tx pgx.Tx, copies []*rows.Copy) (done []*rows.Copy, late []mover, err error) {
	var locks []*rows.Lock
	for _, c := range copies {
		if c.Lock != nil {
			locks = append(locks, c.Lock)
		}
	}
	deleted, err := b.tables.DeleteLocks(ctx, tx, locks)
	if err != nil || len(deleted) == len(locks) {
		return copies, nil, err
	}
	now, err := b.tables.Read(ctx, tx, ids(copies))
	if err != nil {
		return nil, nil, err
	}
	for _, c := range copies {
		if c.Lock == nil || deleted[c.Lock.ID] {
			done = append(done, c)
			continue
		}
		says, diffs := rows.Changed(c, now[c.ID])
		if says == "" {
			says = "its lock changed"
		}
		late = append(late, mover{copy: c, says: says, diffs: diffs})
	}
	return done, late, nil
}

// events signs an UNLOCK for each copy, in the operator's name.
func (b batch) events(copies []*rows.Copy) []rows.Event {
	var out []rows.Event
	for _, c := range copies {
		meta := b.meta(map[string]any{"forced": true})
		if c.Lock != nil {
			meta["previous_owner"], meta["previous_owner_id"] = c.Lock.Holder(), c.Lock.Owner.ID
		} else if c.LockedBy != 0 {
			meta["previous_owner_id"] = c.LockedBy
		}
		out = append(out, rows.Event{CopyID: c.ID, Action: "UNLOCK", Actor: b.request.Actor.UserID, Meta: meta})
	}
	return out
}

// meta adds who acts and why; action_id ties the event to the journal.
func (b batch) meta(m map[string]any) map[string]any {
	m["by"], m["tool"], m["action_id"] = b.request.Actor.Name, "gradecockpit", b.plan.ID
	if b.request.Reason != "" {
		m["reason"] = b.request.Reason
	}
	return m
}

// stopped turns what moved into the error of an execution that wrote nothing.
func stopped(left []mover) error {
	m := &actions.Moved{}
	var says []string
	for _, l := range left {
		if l.busy {
			return rows.Busy(l.copy.Label())
		}
		says = append(says, l.copy.Label()+": "+l.says+".")
		for _, d := range l.diffs {
			if len(left) > 1 {
				d.Name = l.copy.Label() + " " + d.Name
			}
			m.Diffs = append(m.Diffs, d)
		}
	}
	m.Says = strings.Join(says, " ")
	return m
}

// all runs one transaction over every copy of a plan, or none.
func (b batch) all(ctx context.Context, d Deps) (actions.Effect, error) {
	err := rows.Write(ctx, d.Writer, func(ctx context.Context, tx pgx.Tx) error {
		_, left, err := b.write(ctx, tx, b.copies)
		if err == nil && len(left) > 0 {
			err = stopped(left)
		}
		return err
	})
	if err != nil {
		return actions.Effect{}, err
	}
	return b.effect(b.copies, nil), nil
}

// effect says what was done and keeps what takes it back.
func (b batch) effect(done []*rows.Copy, left []mover) actions.Effect {
	e := actions.Effect{Values: map[string]string{"freed": fmt.Sprint(len(done))}}
	for _, c := range done {
		e.Did = append(e.Did, b.did(c))
	}
	for _, l := range left {
		e.Skip = append(e.Skip, l.copy.Label()+": "+l.says)
	}
	if len(done) > 0 {
		e.Undo = b.undo(done)
	}
	return e
}

func (b batch) did(c *rows.Copy) string {
	var parts []string
	if c.Lock != nil {
		parts = append(parts, "deleted the lock of "+c.Lock.Holder())
	}
	if b.givesBack(c) {
		parts = append(parts, "status READY")
	}
	if !b.unsigned {
		parts = append(parts, "UNLOCK event written")
	}
	return c.Label() + ": " + strings.Join(parts, ", ")
}
