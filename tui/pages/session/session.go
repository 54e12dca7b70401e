// Package session is the page of one PostgreSQL session: who it is, what it
// runs in full, whom it blocks and who blocks it, the locks it holds and waits
// for, and what cancelling or disconnecting it would do.
package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page.
func New() page.Spec {
	return page.Spec{
		Kind: pane.KindSession, Title: "Session", Word: "session", Help: "PID of a database session: its query, locks, whom it blocks",
		Needs: []probes.ID{grading.ID}, Every: 2 * time.Second, Takes: 4 * time.Second,
		Actions: []string{"cancel-query", "end-session"}, Text: text,
	}
}

// mostLocks and mostOthers bound the lists, each with a line for the rest.
const (
	mostLocks  = 60
	mostOthers = 20
)

func text(in page.Input) page.Text {
	d, ok := in.Data.(activity.Detail)
	if !ok {
		return page.Text{}
	}
	if d.Session == nil {
		return ended(d)
	}
	v := view{Detail: d, s: *d.Session, now: d.ServerTime, zone: in.Zone, names: pane.NamesIn(in.Set)}
	if !in.Read.IsZero() {
		v.now = v.now.Add(max(in.Now.Sub(in.Read), 0))
	}
	mark, tone := pane.SessionState(v.s, v.now)
	t := page.Text{Mark: mark, Tone: tone, Target: pane.OnSession(v.s), Links: v.links(), Yank: fmt.Sprint(v.s.PID)}
	for _, part := range [][]dialog.Para{v.who(), v.notes(), v.query(), v.chain(), v.locks(), v.actions()} {
		if len(part) > 0 && len(t.Paras) > 0 {
			t.Paras = append(t.Paras, dialog.Para{})
		}
		t.Paras = append(t.Paras, part...)
	}
	return t
}

// ended is the page of a session that is not there.
func ended(d activity.Detail) page.Text {
	says := "This session has ended."
	if d.Replaced {
		says += " Its number belongs to another session now: :session with the PID alone shows that one."
	}
	return page.Text{Mark: "ended", Tone: ui.Dim, Paras: []dialog.Para{{Text: says}}}
}

// view writes one session. Ages are by the database's clock.
type view struct {
	activity.Detail
	s     activity.Session
	now   time.Time
	zone  *time.Location
	names pane.Names
}

const labelWidth = 13

func line(label, says string) dialog.Para {
	return dialog.Para{Head: "  " + ui.Pad(label, labelWidth), Text: says}
}

func title(s string) dialog.Para { return dialog.Para{Text: s, Tone: ui.Header} }

// since is a moment, exact and as an age; "" where there is none.
func (v view) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ui.Duration(v.now.Sub(t)) + ", since " + ui.Exact(t, v.zone)
}

func (v view) who() []dialog.Para {
	s := v.s
	out := []dialog.Para{line("whose", whose[s.Kind]+": "+s.Who())}
	add := func(label, says string) {
		if says != "" {
			out = append(out, line(label, says))
		}
	}
	add("database", s.Database)
	add("client", v.client())
	add("connected", v.since(s.Start))
	if s.Hidden {
		return append(out, line("hidden", "What it does is hidden from role "+v.Rights.Role+". "+v.Rights.SeeGrant()))
	}
	add("state", pane.Joined(string(s.State), v.since(s.Since)))
	add("transaction", v.transaction())
	add("waits for", s.Waits)
	if s.Workers > 0 {
		add("with", ui.Plural(s.Workers, "parallel worker"))
	}
	return out
}

// whose says it in full words.
var whose = map[activity.Kind]string{
	activity.Application: "the application's own", activity.Person: "a person's tool", activity.Other: "another program",
	activity.Cockpit: "a cockpit", activity.Autovacuum: "PostgreSQL's autovacuum", activity.Replication: "a standby or a backup", activity.Background: "a helper of PostgreSQL",
}

// client says how little an address can mean.
func (v view) client() string {
	switch {
	case v.s.Client == "":
		return ""
	case v.Pooled:
		return v.s.Client + ": a pooler such as PgBouncer is in between, so this is its address, and the session serves one client after another"
	case v.s.Kind == activity.Application:
		return v.s.Client + " (behind PgBouncer it would be PgBouncer's, for every client)"
	}
	return v.s.Client
}

func (v view) transaction() string {
	if !v.s.InTx() {
		return "none open"
	}
	if v.s.Wrote {
		return "open for " + v.since(v.s.Xact) + "; has changed or locked rows"
	}
	return "open for " + v.since(v.s.Xact) + "; has changed nothing"
}

// notes come early: they are what one must know before acting.
func (v view) notes() []dialog.Para {
	says, tone := pane.Finalizing(v.s, v.names.CopiesOf(v.s), v.now)
	if says == "" {
		return nil
	}
	return []dialog.Para{{Text: says, Tone: tone}}
}

func (v view) query() []dialog.Para {
	if v.s.Hidden || len(v.s.Lines) == 0 {
		return nil
	}
	head := "Query"
	switch {
	case v.s.State == activity.Active:
		head = "Runs, for " + v.since(v.s.QueryAt)
	case v.s.InTx():
		head = "Last ran in this transaction"
	case v.s.State == activity.Idle:
		head = "Last ran"
	}
	out := []dialog.Para{title(head)}
	for _, l := range v.s.Lines {
		indent := min(len(l)-len(strings.TrimLeft(l, " ")), 20)
		out = append(out, dialog.Para{Head: "  " + ui.Blank(indent), Text: l})
	}
	if names := v.names.CopiesOf(v.s); names != "" {
		out = append(out, line("copy", names+"  (o follows)"))
	}
	return out
}

// chain is who stands in its way, and whose way it stands in.
func (v view) chain() []dialog.Para {
	var out []dialog.Para
	if len(v.s.BlockedBy) > 0 {
		out = append(out, title("Blocked by"))
		for _, pid := range v.s.BlockedBy {
			out = append(out, v.blocker(pid))
		}
	}
	behind := v.behind()
	if len(behind) > 0 {
		out = append(out, title(fmt.Sprintf("Blocks %d", len(behind))))
	}
	for i, s := range behind {
		if i == mostOthers {
			out = append(out, dialog.Para{Head: "  ", Text: fmt.Sprintf("and %d more", len(behind)-i)})
			break
		}
		out = append(out, v.other(s))
	}
	return out
}

func (v view) blocker(pid int) dialog.Para {
	if s, ok := v.Find(pid); ok {
		return v.other(*s)
	}
	says := "gone, or not to be seen"
	if pid == 0 {
		says = "a prepared transaction, which has no session: COMMIT PREPARED or ROLLBACK PREPARED ends it"
		for _, p := range v.Prepared {
			says += fmt.Sprintf("; %q of %s, for %s", p.Name, p.Owner, ui.Duration(v.now.Sub(p.At)))
		}
	}
	return dialog.Para{Head: fmt.Sprintf("  %-8d", pid), Text: says}
}

func (v view) other(s activity.Session) dialog.Para {
	state, _ := pane.SessionState(s, v.now)
	age := ""
	if from := pane.SessionSince(s); !from.IsZero() {
		age = "for " + ui.Duration(v.now.Sub(from))
	}
	says := pane.Joined(s.Who(), strings.TrimSpace(state+" "+age), s.Waits, v.names.CopiesOf(s), s.Text)
	return dialog.Para{Head: fmt.Sprintf("  %-8d", s.PID), Text: ui.Cut(says, 300)}
}

// behind are the sessions that wait for this one, directly or behind others,
// in the order of the chain.
func (v view) behind() []activity.Session {
	reached := map[int]bool{v.s.PID: true}
	var out []activity.Session
	for grew := true; grew; {
		grew = false
		for _, s := range v.Sessions {
			waits := slices.ContainsFunc(s.BlockedBy, func(pid int) bool { return reached[pid] })
			if waits && !reached[s.PID] {
				reached[s.PID], grew = true, true
				out = append(out, s)
			}
		}
	}
	return out
}

// links are what `o` follows: its copies, its statement, its blockers.
func (v view) links() []pane.Ref {
	refs := v.names.Links(v.s)
	for _, pid := range v.s.BlockedBy {
		if s, ok := v.Find(pid); ok {
			refs = append(refs, pane.SessionRef(*s))
		}
	}
	for i, s := range v.behind() {
		if i < mostOthers {
			refs = append(refs, pane.SessionRef(s))
		}
	}
	return refs
}
