package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	scan "gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
)

// addEvent adds one event that is missing on a copy.
type addEvent struct{ Deps }

func (addEvent) ID() string                  { return "add-event" }
func (addEvent) Title() string               { return "Add a missing event" }
func (addEvent) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnCopy} }

// Impossible says why this cannot work here at all.
func (addEvent) Impossible(set probes.Set) string {
	ov, why := overview(set)
	if why != "" {
		return why
	}
	return possible(rows.Tables{Schema: ov.Schema})
}

// Disabled leaves it to the plan whether something is missing: the scan keeps
// examples only.
func (a addEvent) Disabled(set probes.Set, t actions.Target) string {
	if len(t.More) > 0 {
		return "One event is added at a time: mark one copy."
	}
	return a.Impossible(set)
}

// planned is what a plan keeps for its execution.
type planned struct {
	*state
	opening
}

func (a addEvent) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	ov, why := overview(q.Set)
	if why != "" {
		return actions.Plan{}, &actions.Refusal{Why: why}
	}
	var p planned
	var all []opening
	err := rows.Look(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if why := possible(t); why != "" {
			return &actions.Refusal{Why: why}
		}
		if p.state, err = read(ctx, tx, t, q.Target.ID, ov.LocksInUse == grading.TriYes); err != nil {
			return err
		}
		all = p.openings(q.Actor)
		if p.opening, err = p.choose(all, q.Choice); err != nil {
			return err
		}
		return p.signs(ctx, tx, p.opening)
	})
	if err != nil {
		return actions.Plan{}, err
	}
	q.Choice = p.opening.id()
	return a.describe(q, p, all), nil
}

func (a addEvent) describe(q actions.Request, p planned, all []opening) actions.Plan {
	plan := actions.NewPlan(a, q)
	label := p.copy.Label()
	plan.Private, plan.Title = p, "Add a reconstructed "+p.action+" to "+label
	plan.Risk, plan.Word = actions.High, label
	plan.Says = []string{
		p.why,
		fmt.Sprintf("The event is written in the name of %s (%s) and marked as reconstructed, by %s.", rows.Person(p.actor), p.from, q.Actor.Name),
		"Its timestamp is now, as that column means; the time of which it tells is in its metadata: " + p.tells() + ".",
	}
	plan.Warnings = append(plan.Warnings, "An audit trail is evidence: add an event only where you know that it happened.")
	if p.guess {
		plan.Warnings = append(plan.Warnings, "Nothing proves that this event was ever due.")
	}
	for _, o := range all {
		plan.Choices = append(plan.Choices, actions.Choice{ID: o.id(), Title: o.title()})
	}
	plan.Seen = p.seen()
	plan.Steps = []actions.Step{p.step(plan.ID, q)}
	plan.StopsIf = "Stops if the copy has changed, if the event is there by then, or if an operation runs on the copy."
	plan.Undo = "Deletes exactly this event, while it is as it was written."
	if why := p.tables.MayDelete(grading.EventID); why != "" {
		plan.Undo = "Only with a further right. " + why
	}
	return plan
}

// tells says when it happened, and how that is known.
func (o opening) tells() string {
	if o.at.IsZero() {
		return "not known"
	}
	return rows.Moment(o.at) + " at the latest, by " + o.atFrom
}

// seen is what an execution compares.
func (p planned) seen() map[string]string {
	return map[string]string{
		"status": p.copy.Status, p.action + " events": fmt.Sprint(p.trail.Count(p.action)), "missing": p.action, "actor": rows.Person(p.actor),
	}
}

func (p planned) step(id string, q actions.Request) actions.Step {
	meta, _ := json.Marshal(p.meta(id, q)) // of strings and numbers: it cannot fail
	return actions.Step{
		Verb: "insert", Object: p.tables.Columns[grading.EventID].Table,
		Detail:    fmt.Sprintf("%s for copy %s by %s, %s", p.action, p.copy.Label(), rows.Person(p.actor), meta),
		Statement: p.tables.EventSQL(), Args: []string{"new id", p.copy.ID, p.action, fmt.Sprint(p.actor.ID), string(meta)},
	}
}

// meta marks the event as what it is; action_id ties it to the journal.
func (o opening) meta(id string, q actions.Request) map[string]any {
	m := map[string]any{
		"reconstructed": true, "by": q.Actor.Name, "tool": "gradecockpit", "action_id": id,
		"for_time": stamp(o.at), "for_time_from": o.atFrom, "actor_from": o.from,
	}
	if q.Reason != "" {
		m["reason"] = q.Reason
	}
	for k, v := range o.metadata {
		m[k] = v
	}
	return m
}

func (a addEvent) Execute(ctx context.Context, plan actions.Plan, q actions.Request) (actions.Effect, error) {
	p := plan.Private.(planned)
	var written rows.Stored
	err := rows.Write(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx) error {
		now, err := read(ctx, tx, p.tables, p.copy.ID, p.locks)
		if err != nil {
			return err
		}
		if err := p.moved(now, q.Actor); err != nil {
			return err
		}
		if err := p.signs(ctx, tx, p.opening); err != nil {
			return err
		}
		if err := p.tables.InsertEvents(ctx, tx, []rows.Event{{CopyID: p.copy.ID, Action: p.action, Actor: p.actor.ID, Meta: p.meta(plan.ID, q)}}); err != nil {
			return err
		}
		list, err := p.tables.Written(ctx, tx, plan.ID, p.copy.ID)
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%d events written instead of one", len(list))
		}
		if err == nil {
			written = list[0]
		}
		return err
	})
	if err != nil {
		return actions.Effect{}, err
	}
	return p.effect(plan, written), nil
}

// moved compares with what the plan saw. A teacher who works on the copy
// changes nothing of that; another event of this kind does.
func (p planned) moved(now *state, operator actions.Actor) error {
	m := &actions.Moved{Says: p.copy.Label() + " is not as it was."}
	add := func(name, was, is string) {
		if was != is {
			m.Diffs = append(m.Diffs, actions.Diff{Name: name, Was: was, Is: is})
		}
	}
	add("status", p.copy.Status, now.copy.Status)
	add(p.action+" events", fmt.Sprint(p.trail.Count(p.action)), fmt.Sprint(now.trail.Count(p.action)))
	if len(m.Diffs) == 0 && !slices.ContainsFunc(now.openings(operator), p.same) {
		add("missing", p.action, "nothing by the rules, or another actor")
	}
	if len(m.Diffs) == 0 {
		return nil
	}
	return m
}

// same tells whether another look came to the same opening: the same event, by
// the same one, about the same annotation.
func (p planned) same(o opening) bool {
	return o.id() == p.opening.id() && o.metadata["annotation_id"] == p.metadata["annotation_id"]
}

func (p planned) effect(plan actions.Plan, e rows.Stored) actions.Effect {
	return actions.Effect{
		Did:    []string{fmt.Sprintf("%s: %s event written in the name of %s, marked as reconstructed", p.copy.Label(), p.action, rows.Person(p.actor))},
		Values: map[string]string{"event": e.ID},
		Undo:   keep(plan, p.copy.Label(), e),
	}
}

// Verify reads the event back and looks at the copy by the rules again.
func (a addEvent) Verify(ctx context.Context, plan actions.Plan, e actions.Effect, _ func(string)) actions.Verdict {
	p := plan.Private.(planned)
	var written []rows.Stored
	var found []scan.Row
	var is *rows.Copy
	err := rows.Read(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if written, err = t.Written(ctx, tx, plan.ID, p.copy.ID); err != nil {
			return err
		}
		if found, err = scan.Look(ctx, tx, t.Schema, p.locks, []string{p.copy.ID}); err != nil {
			return err
		}
		copies, err := t.Read(ctx, tx, []string{p.copy.ID})
		is = copies[p.copy.ID]
		return err
	})
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It was written, but could not be read back.", Evidence: []string{err.Error()}, Next: "Look at the copy."}
	case len(written) != 1 || is == nil:
		return actions.Verdict{Kind: actions.NotFixed, Says: "The event is not there any more.", Next: "Look again."}
	}
	return p.judge(written[0], is, found)
}

// judge says whether the gap is closed and the application left as it was.
func (p planned) judge(e rows.Stored, is *rows.Copy, found []scan.Row) actions.Verdict {
	v := actions.Verdict{Kind: actions.Fixed, Evidence: []string{describe(e), p.copy.Label() + " is " + is.Status}}
	left := 0
	for _, r := range found {
		v.Evidence = append(v.Evidence, p.copy.Label()+": "+r.Says())
		switch {
		case r.Kind == scan.Duplicate && p.action == "FINALIZE":
			v.Kind, v.Next = actions.NotFixed, "Undo this at once."
			v.Says = "There are two FINALIZE events by one actor now: every later finalization by them fails."
			return v
		case r.Kind == scan.Missing && r.Action == p.action:
			left += r.Times
		}
	}
	v.Says = fmt.Sprintf("%s has its %s event, marked as reconstructed; the application goes on as before.", p.copy.Label(), p.action)
	if left > 0 {
		v.Says, v.Next = fmt.Sprintf("The event is there; %d more %s are missing on %s.", left, p.action, p.copy.Label()), "Add the next one."
	}
	return v
}

func (a addEvent) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r)
}
