package locks

import (
	"context"
	"fmt"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// The choices of force-unlock. READY makes a retry impossible, so one of them
// leaves the copy LOCKED.
const (
	Unlock          = "unlock"
	UnlockThenRetry = "unlock-then-retry"
)

// forceUnlock takes a lock away from its owner.
type forceUnlock struct{ Deps }

func (forceUnlock) ID() string                  { return "force-unlock" }
func (forceUnlock) Title() string               { return "Force-unlock" }
func (forceUnlock) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnCopy} }

// Impossible says why this cannot work here at all.
func (a forceUnlock) Impossible(set probes.Set) string { return a.unsigned(set, true) }

func (a forceUnlock) Disabled(set probes.Set, t actions.Target) string {
	if why := a.impossible(set, true); why != "" {
		return why
	}
	ov, _ := overview(set)
	if !ov.Locks.Here() || len(ov.Locks.Value.Rows) < ov.Locks.Value.Total {
		return "" // not all locks are known here; the plan looks itself
	}
	for _, l := range ov.Locks.Value.Rows {
		if l.Copy.ID == t.ID {
			return ""
		}
	}
	return "No lock is held on " + t.Label + "."
}

func (a forceUnlock) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice == "" {
		q.Choice = Unlock
	}
	if q.Choice != Unlock && q.Choice != UnlockThenRetry {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	s, err := a.look(ctx, q, true)
	if err != nil {
		return actions.Plan{}, err
	}
	s.keepLocked = q.Choice == UnlockThenRetry
	for _, c := range s.copies {
		if no := unlockable(c); no != nil {
			return actions.Plan{}, no
		}
	}
	return a.describe(q, s), nil
}

// unlockable refuses where there is no lock, or where taking it away would
// close the only way out.
func unlockable(c *rows.Copy) *actions.Refusal {
	switch {
	case c.Lock == nil && c.Status == "LOCKED":
		return &actions.Refusal{Why: c.Label() + " is LOCKED, but no lock is held on it.", Next: "Give it back to READY instead (release-locked)."}
	case c.Lock == nil:
		return &actions.Refusal{Why: "No lock is held on " + c.Label() + " any more."}
	case c.Status == "GRADING_IN_PROGRESS" && !c.Lock.Expired:
		return &actions.Refusal{
			Why:  c.Label() + " is GRADING_IN_PROGRESS, and this lock is its only way back to LOCKED.",
			Next: "Ask " + c.Lock.Holder() + " to open the copy again.",
		}
	}
	return nil
}

func (a forceUnlock) describe(q actions.Request, s *seen) actions.Plan {
	p := a.plan(a, q, s)
	p.Title = "Force-unlock " + subject(s.copies)
	for _, c := range s.copies {
		p.Says = append(p.Says, a.situation(c)...)
		if !c.Lock.Expired {
			p.Risk = actions.High
			p.Warnings = append(p.Warnings, a.endangered(c)...)
		}
	}
	if p.Risk == actions.High {
		p.Word = subject(s.copies)
	}
	if len(filter(s.copies, func(c *rows.Copy) bool { return c.Status == "LOCKED" })) > 0 {
		p.Choices = []actions.Choice{
			{ID: Unlock, Title: "unlock and give back (READY)"},
			{ID: UnlockThenRetry, Title: "unlock, stay LOCKED for a retry"},
		}
		p.Warnings = append(p.Warnings, consequence(s))
	}
	p.StopsIf = "Stops if a lock or a status has changed since you looked, or if an operation runs on a copy."
	p.Undo = "The same lock, with the same token, while the copy is free."
	return p
}

// consequence is what follows for a retry.
func consequence(s *seen) string {
	if s.keepLocked {
		return "The copy stays LOCKED only until the application looks at its lock the next time; retry at once."
	}
	return "READY makes a retry of the finalization impossible until a teacher locks the copy again."
}

// situation says who holds a lock and how alive it is.
func (a forceUnlock) situation(c *rows.Copy) []string {
	l, who := c.Lock, c.Lock.Holder()
	if l.Expired {
		return append([]string{fmt.Sprintf("The lock of %s on %s expired %s ago.", who, c.Label(), actions.Span(l.Left(c.At)))}, kept(c)...)
	}
	return append([]string{fmt.Sprintf("%s holds the lock on %s, it is valid for %s more.", who, c.Label(), actions.Span(l.Left(c.At)))}, kept(c)...)
}

// kept explains a status that does not become READY.
func kept(c *rows.Copy) []string {
	if c.Status == "LOCKED" {
		return nil
	}
	says := fmt.Sprintf("The copy is %s and stays so.", c.Status)
	switch c.Status {
	case "GRADED":
		says += " With a lock on it, the next look of the application would make it LOCKED again."
	case "GRADING_FAILED":
		says += " Without this lock a retry needs a teacher to open it again, unless the copy names who locked it."
	case "GRADING_IN_PROGRESS":
		says += " Only a teacher who opens it gets it out of that."
	}
	return []string{says}
}

// endangered is what taking a live lock can destroy.
func (a forceUnlock) endangered(c *rows.Copy) []string {
	l := c.Lock
	out := []string{fmt.Sprintf("Unsaved work in the browser of %s can be lost: it can neither save nor annotate from then on.", l.Holder())}
	if beat := a.beat(c); beat != "" {
		out = append(out, beat)
	}
	if l.Draft > 0 {
		out = append(out, fmt.Sprintf("%s has a draft on %s, saved %d times; autosave stops.", l.Holder(), c.Label(), l.Draft))
	}
	return out
}

// missedBeats is after how long without a heartbeat nobody is there: browsers
// beat every 30 s (facts, "Age without created_at").
const missedBeats = 90 * time.Second

// beat infers the last heartbeat, which moved the expiry to one TTL ahead.
func (a forceUnlock) beat(c *rows.Copy) string {
	if a.LockTTL <= 0 {
		return ""
	}
	ago := a.LockTTL - c.Lock.Left(c.At)
	switch {
	case ago < 0:
		return "" // another TTL than the one configured
	case ago < missedBeats:
		return fmt.Sprintf("The last heartbeat came %s ago: somebody is at work.", actions.Span(ago))
	}
	return fmt.Sprintf("The last heartbeat came %s ago: nobody seems to be there.", actions.Span(ago))
}

func (a forceUnlock) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	return batch{seen: p.Private.(*seen), plan: p, request: q}.all(ctx, a.Deps)
}

func (a forceUnlock) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	return a.watch(ctx, p, p.Private.(*seen), say)
}

func (a forceUnlock) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r)
}

// releaseLocked gives copies back that are LOCKED without a lock: a dead end
// where the application has no locks any more.
type releaseLocked struct{ Deps }

func (releaseLocked) ID() string                  { return "release-locked" }
func (releaseLocked) Title() string               { return "Give back to READY" }
func (releaseLocked) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnCopy} }

// Impossible says why this cannot work here at all.
func (a releaseLocked) Impossible(set probes.Set) string { return a.unsigned(set, false) }

func (a releaseLocked) Disabled(set probes.Set, t actions.Target) string {
	if why := a.impossible(set, false); why != "" {
		return why
	}
	ov, _ := overview(set)
	for _, l := range ov.Locks.Value.Rows {
		if l.Copy.ID == t.ID {
			return "A lock is held on " + t.Label + "; force-unlock is for that."
		}
	}
	for _, s := range ov.Stuck.Value.Rows {
		if s.Copy.ID == t.ID && s.Status != "LOCKED" {
			return t.Label + " is " + s.Status + ", not LOCKED."
		}
	}
	return ""
}

func (a releaseLocked) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	s, err := a.look(ctx, q, false)
	if err != nil {
		return actions.Plan{}, err
	}
	for _, c := range s.copies {
		switch {
		case c.Lock != nil:
			return actions.Plan{}, &actions.Refusal{Why: c.Lock.Holder() + " holds a lock on " + c.Label() + ".", Next: "Use force-unlock."}
		case c.Status != "LOCKED":
			return actions.Plan{}, &actions.Refusal{Why: c.Label() + " is " + c.Status + ", not LOCKED."}
		}
	}
	ov, _ := overview(q.Set)
	return a.describe(q, s, ov.LocksInUse), nil
}

func (a releaseLocked) describe(q actions.Request, s *seen, inUse grading.Tri) actions.Plan {
	p := a.plan(a, q, s)
	p.Title = "Give back " + subject(s.copies)
	for _, c := range s.copies {
		p.Says = append(p.Says, fmt.Sprintf("%s is LOCKED (by %s), and no lock is held on it.", c.Label(), rows.User(c.LockedBy)))
	}
	if inUse == grading.TriNo {
		p.Says = append(p.Says, "Locks are not in use here: nothing else leads out of LOCKED.")
	} else {
		p.Warnings = append(p.Warnings, "If its finalization failed, retry first: "+consequence(s))
	}
	p.StopsIf = "Stops if somebody has locked a copy since you looked, or if an operation runs on it."
	p.Undo = "LOCKED again as it was, while the copy is free."
	return p
}

func (a releaseLocked) Execute(ctx context.Context, p actions.Plan, q actions.Request) (actions.Effect, error) {
	return batch{seen: p.Private.(*seen), plan: p, request: q}.all(ctx, a.Deps)
}

func (a releaseLocked) Verify(ctx context.Context, p actions.Plan, e actions.Effect, say func(string)) actions.Verdict {
	return a.watch(ctx, p, p.Private.(*seen), say)
}

func (a releaseLocked) Settle(ctx context.Context, r actions.Record) actions.Verdict {
	return a.settle(ctx, r)
}
