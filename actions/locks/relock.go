package locks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// saved is a freed copy as the journal keeps it, so that it can be locked as
// it was. It holds the whole token.
type saved struct {
	Copy, Anon string
	Status     string // before
	After      string // status that freeing left behind
	LockedBy   int64
	LockedAt   time.Time
	Freed      time.Time // the database's clock when the copy was seen
	Lock       *savedLock
}

type savedLock struct {
	ID, Token, OwnerName string
	Owner                int64
	Since, Expires       time.Time
}

// undo keeps what relock needs.
func (b batch) undo(done []*rows.Copy) actions.Undo {
	var list []saved
	for _, c := range done {
		list = append(list, b.save(c))
	}
	data, err := json.Marshal(list)
	if err != nil {
		return actions.Undo{} // cannot happen with these types; then there is no way back
	}
	return actions.Undo{
		Action: "relock",
		Target: actions.Target{Kind: actions.OnRecord, ID: b.plan.ID, Label: subject(done)},
		Data:   map[string]string{"copies": string(data)},
	}
}

func (b batch) save(c *rows.Copy) saved {
	s := saved{Copy: c.ID, Anon: c.Anon, Status: c.Status, After: c.Status, LockedBy: c.LockedBy, LockedAt: c.LockedAt, Freed: c.At}
	if b.givesBack(c) {
		s.After = "READY"
	}
	if l := c.Lock; l != nil {
		s.Lock = &savedLock{ID: l.ID, Token: l.Token, Owner: l.Owner.ID, OwnerName: l.Owner.Name, Since: l.Since, Expires: l.Expires}
	}
	return s
}

func (s saved) label() string { return grading.CopyRef{ID: s.Copy, Anon: s.Anon}.Label() }

// restored is the lock to insert. One that was live when it was taken and would
// have run out meanwhile gets back the time that it had left.
func (s saved) restored(now time.Time) *rows.Lock {
	l := s.Lock
	if l == nil {
		return nil
	}
	expires := l.Expires
	if left := l.Expires.Sub(s.Freed); left > 0 && !expires.After(now) {
		expires = now.Add(left)
	}
	return &rows.Lock{ID: l.ID, CopyID: s.Copy, Token: l.Token, Owner: grading.User{ID: l.Owner, Name: l.OwnerName}, Since: l.Since, Expires: expires}
}

// relock takes back what the other actions of this package did.
type relock struct{ Deps }

func (relock) ID() string                  { return "relock" }
func (relock) Title() string               { return "Put locks back" }
func (relock) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnRecord} }

// Impossible says why this cannot work here at all.
func (a relock) Impossible(set probes.Set) string { return a.unsigned(set, false) }

func (a relock) Disabled(set probes.Set, _ actions.Target) string { return a.impossible(set, false) }

// again is what a relock plan keeps: the copies that are still free, with what
// they were like when the plan looked.
type again struct {
	seen
	saved map[string]saved
}

func (a relock) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	list, err := recall(q.Record)
	if err != nil {
		return actions.Plan{}, err
	}
	g := &again{saved: map[string]saved{}}
	var taken []string
	err = rows.Look(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		if why := a.insertable(t, list); why != "" {
			return &actions.Refusal{Why: why}
		}
		signed, err := signs(ctx, tx, t, q.Actor)
		if err != nil {
			return err
		}
		g.tables, g.unsigned = t, !signed
		taken, err = g.find(ctx, tx, list)
		return err
	})
	if err != nil {
		return actions.Plan{}, err
	}
	if len(g.copies) == 0 {
		return actions.Plan{}, &actions.Refusal{Why: "There is nothing to put back: " + actions.Names(taken, 5) + "."}
	}
	return a.describe(q, g, taken), nil
}

func recall(r *actions.Record) ([]saved, error) {
	if r == nil || r.Undo == nil || r.Undo.Action != "relock" {
		return nil, &actions.Refusal{Why: "That action left nothing to take back."}
	}
	var list []saved
	if err := json.Unmarshal([]byte(r.Undo.Data["copies"]), &list); err != nil {
		return nil, fmt.Errorf("read what the journal saved: %w", err)
	}
	return list, nil
}

func (a relock) insertable(t rows.Tables, list []saved) string {
	if why := a.possible(t, false); why != "" {
		return why
	}
	if !slices.ContainsFunc(list, func(s saved) bool { return s.Lock != nil }) {
		return ""
	}
	fields := append([]grading.Field{grading.LockSince}, rows.LockFields...)
	if why := t.Lacks(fields...); why != "" {
		return why
	}
	return t.MayInsert(fields...)
}

// find keeps the copies that are as freeing left them and says of the others
// why not.
func (g *again) find(ctx context.Context, tx pgx.Tx, list []saved) (taken []string, err error) {
	var want []string
	for _, s := range list {
		want = append(want, s.Copy)
	}
	now, err := g.tables.Read(ctx, tx, want)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		switch is := now[s.Copy]; {
		case is == nil:
			taken = append(taken, s.label()+" is gone")
		case is.Lock != nil:
			taken = append(taken, fmt.Sprintf("%s has locked %s again", is.Lock.Holder(), s.label()))
		case is.Status != s.After:
			taken = append(taken, fmt.Sprintf("%s is %s by now", s.label(), is.Status))
		default:
			g.copies, g.saved[s.Copy] = append(g.copies, is), s
		}
	}
	return taken, nil
}

func (a relock) describe(q actions.Request, g *again, taken []string) actions.Plan {
	p := actions.NewPlan(a, q)
	p.Private, p.Title = g, "Put back the lock on "+subject(g.copies)
	for _, c := range g.copies {
		s := g.saved[c.ID]
		note(p.Seen, c)
		p.Steps = append(p.Steps, g.steps(c, s)...)
		if l := s.restored(c.At); l != nil {
			p.Says = append(p.Says, fmt.Sprintf("%s gets the lock on %s back, %s.", l.Holder(), c.Label(), validity(l, c.At)))
		}
	}
	if len(taken) > 0 {
		p.Says = append(p.Says, "Left alone: "+actions.Names(taken, 5)+".")
	}
	if g.unsigned {
		p.Seen[gap], p.Warnings = "yes", append(p.Warnings, "No event is written, because nobody can sign it.")
	} else {
		p.Steps = append(p.Steps, g.signStep(q.Actor, "LOCK", `{"restored": true, …}`))
	}
	p.StopsIf = "Stops if a copy was locked or has changed since you looked."
	p.Undo = "Force-unlock takes the lock away again."
	return p
}

func validity(l *rows.Lock, now time.Time) string {
	if left := l.Left(now); left > 0 {
		return "valid for " + actions.Span(left) + " more"
	}
	return "expired as it was"
}

func (g *again) steps(c *rows.Copy, s saved) []actions.Step {
	var out []actions.Step
	if l := s.restored(c.At); l != nil {
		out = append(out, actions.Step{
			Verb: "insert", Object: g.tables.Columns[grading.LockID].Table,
			Detail: fmt.Sprintf("copy %s for %s, token %s, expires %s", c.Label(), l.Holder(), l.Prefix(), l.Expires.UTC().Format("15:04:05 UTC")),
		})
	}
	if s.After != s.Status {
		out = append(out, actions.Step{
			Verb: "update", Object: g.tables.Columns[grading.CopyStatus].Table,
			Detail: fmt.Sprintf("copy %s, %s → %s, locked by %s", c.Label(), s.After, s.Status, rows.User(s.LockedBy)),
		})
	}
	return out
}

// Execute puts back all that the plan named, or nothing.
func (a relock) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	g := p.Private.(*again)
	b := batch{seen: &g.seen, plan: p, request: q}
	e := actions.Effect{Values: map[string]string{"restored": fmt.Sprint(len(g.copies))}}
	err := rows.Write(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx) error {
		_, left, err := b.compare(ctx, tx, g.copies)
		if err == nil && len(left) > 0 {
			err = stopped(left)
		}
		if err != nil {
			return err
		}
		return b.putBack(ctx, tx, g)
	})
	if err != nil {
		return actions.Effect{}, err
	}
	for _, c := range g.copies {
		e.Did = append(e.Did, c.Label()+": locked as it was")
	}
	return e, nil
}

func (b batch) putBack(ctx context.Context, tx pgx.Tx, g *again) error {
	var events []rows.Event
	var locks []*rows.Lock
	var back []*rows.Copy
	for _, c := range g.copies {
		s := g.saved[c.ID]
		if l := s.restored(c.At); l != nil {
			locks = append(locks, l)
		}
		if s.After != s.Status {
			back = append(back, &rows.Copy{ID: s.Copy, LockedBy: s.LockedBy, LockedAt: s.LockedAt})
		}
		meta := b.meta(map[string]any{"restored": true, "undoes": b.plan.Target.ID})
		events = append(events, rows.Event{CopyID: c.ID, Action: "LOCK", Actor: b.request.Actor.UserID, Meta: meta})
	}
	if err := b.tables.PutLocks(ctx, tx, locks); err != nil {
		return err
	}
	changed, err := b.tables.Restore(ctx, tx, back)
	if err == nil && len(changed) != len(back) {
		err = fmt.Errorf("%d of %d copies locked again", len(changed), len(back))
	}
	if err != nil || b.unsigned {
		return err
	}
	return b.tables.InsertEvents(ctx, tx, events)
}

// Verify looks once whether the locks are there, by token.
func (a relock) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	g := p.Private.(*again)
	st, err := a.state(ctx, p.ID, ids(g.copies))
	if err != nil {
		return unwatched(err)
	}
	var wrong, fine []string
	for _, c := range g.copies {
		s, is := g.saved[c.ID], st.now[c.ID]
		switch {
		case is == nil:
			wrong = append(wrong, c.Label()+" is gone")
		case s.Lock != nil && (is.Lock == nil || is.Lock.Token != s.Lock.Token):
			wrong = append(wrong, "the lock on "+c.Label()+" is not there")
		default:
			fine = append(fine, c.Label()+" is "+is.Status)
		}
	}
	if len(wrong) > 0 {
		return actions.Verdict{Kind: actions.NotFixed, Says: sentenceOf(wrong), Evidence: append(wrong, fine...), Next: "Look again."}
	}
	return actions.Verdict{Kind: actions.Fixed, Says: "Locked as before: " + sentenceOf(fine), Evidence: fine}
}

func (a relock) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r)
}
