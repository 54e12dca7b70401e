package sessions

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/activity"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// row is one session, at its place in a chain where it is in one.
func (v view) row(s activity.Session, l activity.Link) pane.Row {
	state, tone := pane.SessionState(s, v.now)
	if l.Depth == 0 && l.Blocks > 0 && !l.Deadlock {
		tone = ui.Bad // the one to look at: nothing behind it moves
	}
	r := pane.Row{
		Key: s.ID(),
		Cells: []ui.Cell{
			pid(l, s.PID), pane.Text(whose(s), s.Who()), pane.Text(tone, state), v.age(pane.SessionSince(s)),
			waits(s, l), blocks(l), v.age(s.Xact), pane.Text(ui.Plain, v.query(s)),
		},
		Target: pane.OnSession(s), Opens: pane.SessionRef(s), Links: v.names.Links(s), Yank: fmt.Sprint(s.PID),
		Detail: v.detail(s), Data: v.data(s, l),
	}
	if len(s.Copies) > 0 {
		r.Copy = s.Copies[0]
	}
	return r
}

// pid is the number, indented below the session that it waits for.
func pid(l activity.Link, n int) ui.Cell {
	return pane.Number(ui.Strong, branch(l)+fmt.Sprint(n), float64(n))
}

// branch is the place in the tree; deep ones are not indented any further.
func branch(l activity.Link) string {
	if l.Depth == 0 {
		return ""
	}
	return ui.Blank(2*(min(l.Depth, 4)-1)) + "╰ "
}

func whose(s activity.Session) ui.Tone {
	switch s.Kind {
	case activity.Application:
		return ui.Plain
	case activity.Person, activity.Other:
		return ui.Accent
	}
	return ui.Dim
}

// age is how long something lasts; blank where there is nothing.
func (v view) age(since time.Time) ui.Cell {
	if since.IsZero() {
		return pane.Number(ui.Dim, "", math.NaN())
	}
	return pane.Age(since, v.now)
}

// waits is what the session waits for, and for whom besides the one above it.
func waits(s activity.Session, l activity.Link) ui.Cell {
	says := s.Waits
	if len(l.Also) > 0 {
		says += ", also " + pids(l.Also)
	}
	if l.Deadlock {
		says += ", for " + pids(s.BlockedBy)
	}
	if len(s.BlockedBy) > 0 {
		return pane.Text(ui.Warn, says)
	}
	return pane.Text(ui.Dim, says)
}

func pids(list []int) string {
	var out []string
	for _, pid := range list {
		if pid == 0 {
			out = append(out, "a prepared transaction")
			continue
		}
		out = append(out, fmt.Sprint(pid))
	}
	return strings.Join(out, ", ")
}

func blocks(l activity.Link) ui.Cell {
	if l.Blocks == 0 {
		return pane.Number(ui.Dim, "", 0)
	}
	return pane.Number(ui.Bad, ui.Count(int64(l.Blocks)), float64(l.Blocks))
}

// query is the copy that it is about, and its text.
func (v view) query(s activity.Session) string {
	text := s.Text
	if s.Hidden {
		text = "(hidden from this role)"
	}
	return pane.Joined(v.names.CopiesOf(s), text)
}

// detail is what the columns do not say.
func (v view) detail(s activity.Session) []string {
	var open string
	if s.InTx() {
		open = "transaction open for " + ui.Duration(v.now.Sub(s.Xact))
		if s.Wrote {
			open += ", has changed or locked rows"
		}
	}
	var out []string
	if says := pane.Joined(string(s.State), open, holds(s)); says != "" {
		out = append(out, says)
	}
	var client string
	if s.Client != "" {
		client = "from " + s.Client
		if v.o.Pooled {
			client += " (a pooler's address)"
		}
	}
	return append(out, pane.Joined(string(s.Kind), "in "+s.Database, client, workers(s)))
}

func workers(s activity.Session) string {
	if s.Workers == 0 {
		return ""
	}
	return "with " + ui.Plural(s.Workers, "parallel worker")
}

// holds names the tables it has locked; reading locks of a query are left out
// where there are others.
func holds(s activity.Session) string {
	var tables []string
	for _, h := range s.Holds {
		if h.Mode != "AccessShareLock" && !slices.Contains(tables, h.Table) {
			tables = append(tables, h.Table)
		}
	}
	if len(tables) == 0 {
		return ""
	}
	return "holds locks on " + strings.Join(tables, ", ")
}

// prepared is a root without a session.
func (v view) prepared(l activity.Link) pane.Row {
	says, since := "a prepared transaction; which one is not known", time.Time{}
	if len(v.o.Prepared) == 1 {
		p := v.o.Prepared[0]
		says, since = fmt.Sprintf("prepared transaction %q of %s", p.Name, p.Owner), p.At
	}
	return pane.Row{
		Key: "prepared",
		Cells: []ui.Cell{
			pane.Text(ui.Strong, "–"), pane.Text(ui.Dim, "prepared"), pane.Text(ui.Bad, ui.SignBad+" prepared"), v.age(since),
			pane.Text(ui.Dim, ""), blocks(l), v.age(since), pane.Text(ui.Plain, says),
		},
		Detail: []string{"It has no session that could be disconnected: whoever prepared it has to COMMIT PREPARED or ROLLBACK PREPARED it."},
		Data:   map[string]any{"kind": "prepared", "says": says, "blocks": l.Blocks},
	}
}

// unseen is a blocker that the look did not list: it had gone by then.
func unseen(l activity.Link) pane.Row {
	return pane.Row{
		Key: fmt.Sprint(l.PID),
		Cells: []ui.Cell{
			pid(l, l.PID), pane.Text(ui.Dim, ui.NotKnown), pane.Text(ui.Dim, ui.NotKnown), pane.Text(ui.Dim, ""),
			pane.Text(ui.Dim, ""), blocks(l), pane.Text(ui.Dim, ""), pane.Text(ui.Dim, "it was gone a moment later"),
		},
		Data: map[string]any{"pid": l.PID, "kind": "unknown", "blocks": l.Blocks},
	}
}
