package pane

import (
	"fmt"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/activity"
	"gradecockpit/tui/ui"
)

// What the pane and the page of database sessions say alike.

// Long transactions and queries: the deployed application ends its own idle
// transactions after 60 s and its own statements after 30 s; a finalization is
// bounded by the tasks' limit of 300 s.
const (
	LongIdleTx   = time.Minute
	LongQuery    = 30 * time.Second
	LongFinalize = 5 * time.Minute
)

// SessionRef names a session.
func SessionRef(s activity.Session) Ref {
	return Ref{KindSession, s.ID(), fmt.Sprintf("%d %s", s.PID, s.Who())}
}

// OnSession is the target of actions on one session.
func OnSession(s activity.Session) *actions.Target {
	return &actions.Target{Kind: actions.OnSession, ID: s.ID(), Label: fmt.Sprintf("%d (%s)", s.PID, s.Who())}
}

// SessionState is what a session does, in a word or two.
func SessionState(s activity.Session, now time.Time) (string, ui.Tone) {
	switch {
	case s.Hidden:
		return ui.NotKnown + " hidden", ui.Dim
	case len(s.BlockedBy) > 0:
		return ui.SignWarn + " waits", ui.Warn
	case s.State == activity.Aborted:
		return ui.SignBad + " aborted tx", ui.Bad
	case s.State == activity.IdleTx && now.Sub(s.Since) >= LongIdleTx:
		return ui.SignWarn + " idle in tx", ui.Warn
	case s.State == activity.IdleTx:
		return ui.SignHollow + " idle in tx", ui.Plain
	case s.State == activity.Active && s.Kind != activity.Replication && now.Sub(s.QueryAt) >= LongQuery:
		return ui.SignDot + " active", ui.Warn
	case s.State == activity.Active:
		return ui.SignDot + " active", ui.Good
	case s.State == activity.Idle:
		return ui.SignHollow + " idle", ui.Dim
	case s.State == "":
		return ui.NotKnown + " unknown", ui.Dim
	}
	return ui.SignDot + " " + string(s.State), ui.Plain
}

// SessionSince is when what SessionState says began; zero where that is not known.
func SessionSince(s activity.Session) time.Time {
	switch {
	case len(s.BlockedBy) > 0 && !s.WaitSince.IsZero():
		return s.WaitSince
	case s.State == activity.Active:
		return s.QueryAt
	}
	return s.Since
}

// Finalizing says that a session is a finalization in flight, and to leave it
// alone; "" when it is none. copies is what people call what it finalizes.
func Finalizing(s activity.Session, copies string, now time.Time) (string, ui.Tone) {
	took := now.Sub(s.Xact)
	if copies == "" {
		copies = "a copy"
	}
	verb := "finalizes"
	switch {
	case s.Finalizes == activity.No:
		return "", ui.Plain
	case s.Finalizes == activity.Perhaps:
		verb = "may be finalizing"
	}
	says := fmt.Sprintf("%s %d %s %s, for %s now", ui.SignWarn, s.PID, verb, copies, ui.Duration(took))
	if took >= LongFinalize {
		return says + ": longer than a finalization takes. See whether its worker or request still lives; ending it loses the finalization.", ui.Warn
	}
	return says + ": leave it alone. Others see the old status until it commits.", ui.Warn
}

// CopiesOf names the copies of a session's query, as people do.
func (n Names) CopiesOf(s activity.Session) string {
	var names []string
	for _, id := range s.Copies {
		names = append(names, n.Of(id, ""))
	}
	if len(names) > 3 {
		names = append(names[:2], fmt.Sprintf("%d more", len(names)-2))
	}
	return joined(", ", names...)
}

// Links are the copies that a session's query names, and the statement that
// it runs.
func (n Names) Links(s activity.Session) []Ref {
	var refs []Ref
	for _, id := range s.Copies {
		refs = append(refs, Ref{KindCopy, id, n.Of(id, "")})
	}
	if s.QueryID != "" {
		refs = append(refs, Ref{KindStatement, s.QueryID, "statement " + s.QueryID})
	}
	return refs
}
