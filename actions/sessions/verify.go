package sessions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/activity"
)

// outcome is what a watch waits for, and how it is told.
type outcome struct {
	over  func(was activity.Session, is *activity.Session) bool
	done  func([]activity.Session) string
	still string // "still runs it"
	next  string
}

// watch looks until what was signalled is over. A look that fails says nothing;
// what is still there at the end is not fixed.
func (b base) watch(ctx context.Context, x seen, e actions.Effect, say func(string), o outcome) actions.Verdict {
	signalled := slices.DeleteFunc(slices.Clone(x.list), func(s activity.Session) bool {
		return !slices.Contains(strings.Fields(e.Values["sessions"]), s.ID())
	})
	v := actions.Verdict{Kind: actions.Unverdict, Says: "The signal was sent, and nobody could see what became of it.", Next: "Look at the sessions."}
	for {
		ov, err := b.read(ctx, targets(append(slices.Clone(signalled), x.waiters...)))
		switch {
		case err != nil && ctx.Err() == nil:
			v = actions.Verdict{Kind: actions.Unverdict, Says: "The signal was sent; the sessions cannot be read.", Evidence: []string{err.Error()}, Next: "Look at the sessions."}
			say("the sessions cannot be read")
		case err == nil:
			left := remaining(ov, signalled, o.over)
			if len(left) == 0 {
				return fixed(o.done(signalled), ov, x, e)
			}
			v = actions.Verdict{Kind: actions.NotFixed, Says: fmt.Sprintf("The signal was sent, and %s %s.", subject(left), o.still),
				Evidence: append(slices.Clone(e.Did), labels(left)...), Next: o.next}
			say(subject(left) + " " + o.still)
		}
		select {
		case <-time.After(b.Timings.Poll):
		case <-ctx.Done():
			return v
		}
	}
}

// remaining are the sessions that are not over.
func remaining(ov activity.Overview, list []activity.Session, over func(activity.Session, *activity.Session) bool) []activity.Session {
	return slices.DeleteFunc(slices.Clone(list), func(s activity.Session) bool {
		is, _ := ov.Find(s.PID)
		return over(s, is)
	})
}

func targets(list []activity.Session) []actions.Target {
	var out []actions.Target
	for _, s := range list {
		out = append(out, actions.Target{ID: s.ID()})
	}
	return out
}

// fixed is a good end, with what became of those that waited.
func fixed(says string, ov activity.Overview, x seen, e actions.Effect) actions.Verdict {
	v := actions.Verdict{Kind: actions.Fixed, Says: says, Evidence: slices.Clone(e.Did)}
	if len(e.Skip) > 0 {
		v.Says += " Left alone: " + actions.Names(e.Skip, 3) + "."
	}
	if len(x.waiters) == 0 {
		return v
	}
	still := remaining(ov, x.waiters, func(was activity.Session, is *activity.Session) bool {
		return is == nil || !is.Start.Equal(was.Start) || len(is.BlockedBy) == 0
	})
	if len(still) == 0 {
		v.Says += fmt.Sprintf(" %s on.", count(len(x.waiters), "session that waited goes", "sessions that waited go"))
		return v
	}
	v.Says += fmt.Sprintf(" Of %s, %d still %s, for others now.", count(len(x.waiters), "session that waited", "sessions that waited"), len(still), waitWord(len(still)))
	for _, s := range still {
		is, _ := ov.Find(s.PID)
		v.Evidence = append(v.Evidence, fmt.Sprintf("%s waits for %s", label(s), strings.Trim(fmt.Sprint(is.BlockedBy), "[]")))
	}
	return v
}

func waitWord(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

// settle finds out what became of the sessions of an intent whose end nobody
// saw. That they are over does not prove that it was the signal, but it is what
// was wanted.
func (b base) settle(ctx context.Context, r actions.Record, over func(activity.Session, *activity.Session) bool, yes, no string) actions.Verdict {
	ov, err := b.read(ctx, r.Target.All())
	if err != nil {
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the signal was sent: the sessions cannot be read.", Evidence: []string{err.Error()}, Next: "Look at the sessions."}
	}
	was := recorded(r)
	if len(was) == 0 {
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known which sessions this was about.", Next: "Look at the sessions."}
	}
	if left := remaining(ov, was, over); len(left) > 0 {
		return actions.Verdict{Kind: actions.NotFixed, Says: fmt.Sprintf("Session %s %s.", numbers(left), no), Next: "Look again, then decide anew."}
	}
	return actions.Verdict{Kind: actions.Fixed, Says: fmt.Sprintf("Session %s %s; whether by this signal or by itself is not known.", numbers(was), yes)}
}

func numbers(list []activity.Session) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprint(s.PID))
	}
	return actions.Names(out, 5)
}

// recorded are the sessions as the journal has them.
func recorded(r actions.Record) (out []activity.Session) {
	for _, t := range r.Target.All() {
		pid, _, err := activity.ParseID(t.ID)
		start, err2 := time.Parse("2006-01-02 15:04:05.000000-07", r.Seen[fmt.Sprintf("%d %s", pid, began)])
		if err != nil || err2 != nil {
			continue
		}
		query, _ := time.Parse("2006-01-02 15:04:05.000000-07", r.Seen[fmt.Sprintf("%d %s", pid, asked)]) // none: it ran no query yet
		out = append(out, activity.Session{PID: pid, Start: start, QueryAt: query})
	}
	return out
}
