package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// removeEvent takes back what add-event did: it deletes exactly that row.
type removeEvent struct{ Deps }

func (removeEvent) ID() string                  { return "remove-event" }
func (removeEvent) Title() string               { return "Remove the reconstructed event" }
func (removeEvent) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnRecord} }

// kept is an event in the journal, with the action that wrote it.
type kept struct {
	rows.Stored
	Label, WrittenBy string
}

// keep is the way back of an addition.
func keep(p actions.Plan, label string, e rows.Stored) actions.Undo {
	data, err := json.Marshal(kept{e, label, p.ID})
	if err != nil {
		return actions.Undo{} // cannot happen with these types; then there is no way back
	}
	return actions.Undo{
		Action: "remove-event", Target: actions.Target{Kind: actions.OnRecord, ID: p.ID, Label: label},
		Data: map[string]string{"event": string(data)},
	}
}

func recall(r *actions.Record) (k kept, err error) {
	if r == nil || r.Undo == nil || r.Undo.Action != "remove-event" {
		return k, &actions.Refusal{Why: "That action left nothing to take back."}
	}
	if err := json.Unmarshal([]byte(r.Undo.Data["event"]), &k); err != nil {
		return k, fmt.Errorf("read what the journal saved: %w", err)
	}
	return k, nil
}

// Impossible says why this cannot work here at all.
func (removeEvent) Impossible(set probes.Set) string {
	ov, why := overview(set)
	if why != "" {
		return why
	}
	return removable(rows.Tables{Schema: ov.Schema})
}

func (a removeEvent) Disabled(set probes.Set, _ actions.Target) string { return a.Impossible(set) }

func removable(t rows.Tables) string {
	if why := possible(t); why != "" {
		return why
	}
	return t.MayDelete(grading.EventID)
}

// back is what a plan keeps for its execution.
type back struct {
	kept
	tables rows.Tables
}

func (a removeEvent) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	k, err := recall(q.Record)
	if err != nil {
		return actions.Plan{}, err
	}
	b := back{kept: k}
	err = rows.Look(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		if why := removable(t); why != "" {
			return &actions.Refusal{Why: why}
		}
		b.tables = t
		return b.unchanged(ctx, tx)
	})
	if err != nil {
		return actions.Plan{}, err
	}
	p := actions.NewPlan(a, q)
	p.Private, p.Title = b, fmt.Sprintf("Remove the reconstructed %s from %s", clean.Text(k.Action), clean.Text(k.Label))
	p.Says = []string{"Exactly the event that was added goes; the copy lacks its " + clean.Text(k.Action) + " again."}
	p.Seen["event"], p.Seen["copy"] = describe(k.Stored), k.Copy
	p.Steps = []actions.Step{{
		Verb: "delete", Object: b.tables.Columns[grading.EventID].Table, Detail: describe(k.Stored),
		Statement: b.tables.DeleteEventSQL(), Args: []string{k.ID, k.Copy, k.Stored.Action, k.Actor, k.At, k.Meta},
	}}
	p.StopsIf = "Stops if the event has changed since it was written, or if an operation runs on the copy."
	p.Undo = "Add the event anew."
	return p, nil
}

// unchanged holds the copy and compares the event with what was written.
func (b back) unchanged(ctx context.Context, tx pgx.Tx) error {
	held, err := b.tables.Hold(ctx, tx, []string{b.Copy})
	if err != nil {
		return err
	}
	if !held[b.Copy] {
		return rows.Busy(clean.Text(b.Label))
	}
	list, err := b.tables.Written(ctx, tx, b.WrittenBy, b.Copy)
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return &actions.Refusal{Why: "The event is gone already."}
	case len(list) > 1 || list[0] != b.Stored:
		return &actions.Refusal{Why: "The event is not as it was written: somebody has changed it.", Next: "Look at " + describe(list[0]) + "."}
	}
	return nil
}

func (a removeEvent) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	b := p.Private.(back)
	err := rows.Write(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx) error {
		if err := b.unchanged(ctx, tx); err != nil {
			return err
		}
		gone, err := b.tables.DeleteEvent(ctx, tx, b.Stored)
		if err == nil && !gone {
			err = &actions.Moved{Says: "The event was changed meanwhile."}
		}
		return err
	})
	if err != nil {
		return actions.Effect{}, err
	}
	return actions.Effect{
		Did:    []string{fmt.Sprintf("%s: the reconstructed %s event deleted", clean.Text(b.Label), clean.Text(b.Stored.Action))},
		Values: map[string]string{"event": b.ID},
	}, nil
}

// Verify looks once whether the event is gone.
func (a removeEvent) Verify(ctx context.Context, p actions.Plan, _ actions.Effect, _ func(string)) actions.Verdict {
	return a.gone(ctx, p.Private.(back).kept)
}

func (a removeEvent) gone(ctx context.Context, k kept) actions.Verdict {
	var left []rows.Stored
	err := rows.Read(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if t.Has(rows.EventFields...) {
			left, err = t.Written(ctx, tx, k.WrittenBy, k.Copy)
		}
		return err
	})
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the event is gone: the database cannot be read.", Evidence: []string{err.Error()}}
	case len(left) > 0:
		return actions.Verdict{Kind: actions.NotFixed, Says: "The event is still there.", Evidence: []string{describe(left[0])}, Next: "Look again."}
	}
	return actions.Verdict{Kind: actions.Fixed, Says: "The event is gone; " + clean.Text(k.Label) + " lacks it again.", Evidence: []string{"No event of action " + k.WrittenBy + " is on the copy."}}
}

// Settle looks for the event by the action that wrote it, which the target names.
func (a removeEvent) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.gone(ctx, kept{Stored: rows.Stored{Copy: r.Seen["copy"]}, Label: r.Target.Label, WrittenBy: r.Target.ID})
}
