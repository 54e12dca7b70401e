package sessions

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// shown bounds a query in a plan, in characters.
const shown = 160

// seen is what a plan keeps for its execution and for the watching.
type seen struct {
	list []activity.Session
	// waiters wait for one of them, directly or behind others.
	waiters []activity.Session
}

// see finds out who waits for the sessions of a plan and is not one of them.
func see(ov activity.Overview, list []activity.Session) seen {
	x := seen{list: list}
	behind := map[int]bool{}
	for _, s := range list {
		behind[s.PID] = true
	}
	for grew := true; grew; {
		grew = false
		for _, s := range ov.Sessions {
			for _, by := range s.BlockedBy {
				if behind[by] && !behind[s.PID] {
					behind[s.PID], grew = true, true
					x.waiters = append(x.waiters, s)
				}
			}
		}
	}
	return x
}

// describe starts a plan: who each session is, what it does, and who waits.
func describe(p actions.Plan, ov activity.Overview, x seen, set probes.Set) actions.Plan {
	p.Private = x
	for _, s := range x.list {
		p.Says = append(p.Says, situation(s, ov.ServerTime))
		if s.Text != "" {
			p.Says = append(p.Says, "Its newest query: "+clean.Capped(s.Text, shown))
		}
		if w := finalizing(s, ov.ServerTime, set); w != "" {
			p.Warnings = append(p.Warnings, w)
		}
		note(p.Seen, s)
	}
	if n := len(x.waiters); n > 0 {
		p.Says = append(p.Says, fmt.Sprintf("%s for it: %s.", count(n, "session waits", "sessions wait"), actions.Names(labels(x.waiters), 4)))
	}
	if ov.Pooled {
		p.Warnings = append(p.Warnings, "A pooler such as PgBouncer stands in between: another request may be served by the same session a moment later.")
	}
	return p
}

// situation is a session in a sentence.
func situation(s activity.Session, now time.Time) string {
	says := fmt.Sprintf("%s is %s", label(s), state(s))
	if !s.Since.IsZero() {
		says += " for " + actions.Span(now.Sub(s.Since))
	}
	if s.InTx() {
		says += ", its transaction began " + actions.Span(now.Sub(s.Xact)) + " ago"
		if s.Wrote {
			says += " and has changed or locked rows"
		}
	}
	if len(s.BlockedBy) > 0 {
		says += "; it waits for " + s.Waits + ", behind " + strings.Trim(fmt.Sprint(s.BlockedBy), "[]")
	}
	if s.Client != "" {
		says += "; client: " + s.Client
	}
	return says + "."
}

func state(s activity.Session) string {
	if s.State == activity.Unseen {
		return "in a state that cannot be seen"
	}
	return clean.Text(string(s.State))
}

// finalizing warns of a finalization that would be lost; "" there is none.
func finalizing(s activity.Session, now time.Time, set probes.Set) string {
	if s.Finalizes == activity.No {
		return ""
	}
	what := "IT FINALIZES " + copies(s, set)
	if s.Finalizes == activity.Perhaps {
		what = "IT MAY BE FINALIZING " + copies(s, set)
	}
	return fmt.Sprintf("%s, for %s. Ended now, the finalization is rolled back and lost: the copy stays LOCKED (READY where locks are not used), "+
		"no event tells of it, and a PDF that was half written may stay.", what, actions.Span(now.Sub(s.Xact)))
}

// copies names the copies that a session's query is about, as people do where
// the probe knows them.
func copies(s activity.Session, set probes.Set) string {
	if len(s.Copies) == 0 {
		return "a copy"
	}
	ov, _, _ := probes.Of[grading.Overview](set, grading.ID)
	known := map[string]string{}
	for _, l := range ov.Locks.Value.Rows {
		known[strings.ToLower(l.Copy.ID)] = l.Copy.Label()
	}
	for _, c := range ov.Stuck.Value.Rows {
		known[strings.ToLower(c.Copy.ID)] = c.Copy.Label()
	}
	var names []string
	for _, id := range s.Copies {
		if known[id] == "" {
			known[id] = grading.CopyRef{ID: id}.Label()
		}
		names = append(names, known[id])
	}
	return actions.Names(names, 3)
}

// note keeps what was seen of a session for the journal.
func note(to map[string]string, s activity.Session) {
	at := fmt.Sprintf("%d ", s.PID)
	to[at+"who"], to[at+"state"] = s.Who(), state(s)
	to[at+began], to[at+"transaction began"], to[at+asked] = stamp(s.Start), stamp(s.Xact), stamp(s.QueryAt)
	to[at+"query"] = clean.Capped(s.Text, shown)
}

// The names under which the journal keeps what settling needs.
const (
	began = "began"
	asked = "query began"
)

func labels(list []activity.Session) []string {
	var out []string
	for _, s := range list {
		out = append(out, label(s))
	}
	return out
}

// subject names the sessions of a plan: the one, or how many.
func subject(list []activity.Session) string {
	if len(list) == 1 {
		return label(list[0])
	}
	return fmt.Sprintf("%d sessions", len(list))
}

// word is what has to be typed for a plan of high risk.
func word(list []activity.Session) string {
	if len(list) == 1 {
		return fmt.Sprint(list[0].PID)
	}
	return subject(list)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ended is what is not as it was when the session itself is another or gone;
// "" it is the same session.
func ended(was activity.Session, is *activity.Session) (string, []actions.Diff) {
	switch {
	case is == nil:
		return "it has ended", []actions.Diff{{Name: "session", Was: "began " + clock(was.Start), Is: "gone"}}
	case !is.Start.Equal(was.Start):
		return "it has ended, and its number belongs to another session", []actions.Diff{{Name: "session", Was: "began " + clock(was.Start), Is: "began " + clock(is.Start)}}
	}
	return "", nil
}

// otherTransaction names what a session does now instead.
func otherTransaction(was activity.Session, is *activity.Session) (string, []actions.Diff) {
	if says, diffs := ended(was, is); says != "" {
		return says, diffs
	}
	diffs := []actions.Diff{
		{Name: "transaction", Was: since(was.Xact), Is: since(is.Xact)},
		{Name: "state", Was: state(was), Is: state(*is)},
		{Name: "query", Was: clean.Capped(was.Text, shown), Is: clean.Capped(is.Text, shown)},
	}
	return "it is not in the transaction that you saw", differing(diffs)
}

// otherQuery names what a session runs now instead.
func otherQuery(was activity.Session, is *activity.Session) (string, []actions.Diff) {
	says, diffs := otherTransaction(was, is)
	if is == nil || !is.Start.Equal(was.Start) {
		return says, diffs
	}
	if is.State != activity.Active {
		return "that query has ended", diffs
	}
	return "it runs another query now", append(diffs, differing([]actions.Diff{{Name: "query began", Was: since(was.QueryAt), Is: since(is.QueryAt)}})...)
}

func differing(diffs []actions.Diff) (out []actions.Diff) {
	for _, d := range diffs {
		if d.Was != d.Is {
			out = append(out, d)
		}
	}
	return out
}

func since(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return "since " + t.UTC().Format("15:04:05.000 UTC")
}
