// Package sessions is the pane of PostgreSQL's sessions: first who blocks whom,
// the root of each wait above those that wait for it; then what runs, the
// longest first; then transactions that stand open; then how many are idle.
package sessions

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "sessions" }
func (spec) Title() string      { return "Sessions" }
func (spec) Needs() []probes.ID { return []probes.ID{activity.ID, grading.ID} }
func (spec) Actions() []string  { return []string{"cancel-query", "end-session"} }

func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "PID", Min: 8, Max: 14},
		{Title: "USER/APP", Min: 13, Max: 26},
		{Title: "STATE", Min: 12, Max: 14},
		{Title: "FOR", Min: 5, Max: 6, Right: true},
		{Title: "WAITS", Min: 17, Max: 34, Drop: 3},
		{Title: "BLOCKS", Min: 6, Max: 6, Right: true, Drop: 2},
		{Title: "TX", Min: 5, Max: 6, Right: true, Drop: 4},
		{Title: "QUERY", Min: 14},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, snap, ok := probes.Of[activity.Overview](in.Set, activity.ID)
	if !ok {
		return pane.Content{}
	}
	now := o.ServerTime
	if !snap.Good.IsZero() {
		now = now.Add(max(in.Now.Sub(snap.Good), 0))
	}
	v := view{o: o, now: now, names: pane.NamesIn(in.Set)}
	c := pane.Content{
		Summary: v.summary(), Notes: v.notes(),
		Empty: "No session works, waits or has a transaction open. Nothing to do here.",
	}
	c.Rows = append(c.Rows, v.chains()...)
	c.Rows = append(c.Rows, v.others()...)
	c.Rows = append(c.Rows, v.connections()...)
	return c
}

// view is what the rows are made from. Ages are by the database's clock.
type view struct {
	o     activity.Overview
	now   time.Time
	names pane.Names
}

// summary counts waits and connections, and says how old the oldest open
// transaction is. What is wrong comes first: elsewhere there is only room for that.
func (v view) summary() string {
	var parts []string
	if blocked, roots := v.o.Waiting(); blocked > 0 {
		parts = append(parts, fmt.Sprintf("%s %d blocked by %d", ui.SignWarn, blocked, roots))
	}
	l := v.o.Limits
	parts = append(parts, ui.Count(int64(l.Used))+" of "+ui.Plural(l.Max, "connection"))
	if !v.o.OldestTx.IsZero() {
		parts = append(parts, "oldest tx "+ui.Duration(v.now.Sub(v.o.OldestTx)))
	}
	return pane.Joined(parts...)
}

// chains are the blocking trees.
func (v view) chains() []pane.Row {
	var rows []pane.Row
	for _, l := range v.o.Chains {
		s, ok := v.o.Find(l.PID)
		switch {
		case l.PID == 0:
			rows = append(rows, v.prepared(l))
		case !ok:
			rows = append(rows, unseen(l))
		default:
			rows = append(rows, v.row(*s, l))
		}
	}
	return rows
}

// others are the sessions outside all chains: what runs, then what stands open,
// then PostgreSQL's helpers.
func (v view) others() []pane.Row {
	chained := map[int]bool{}
	for _, l := range v.o.Chains {
		chained[l.PID] = true
	}
	list := slices.DeleteFunc(slices.Clone(v.o.Sessions), func(s activity.Session) bool { return chained[s.PID] })
	slices.SortStableFunc(list, func(a, b activity.Session) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), oldest(a).Compare(oldest(b)))
	})
	var rows []pane.Row
	for _, s := range list {
		rows = append(rows, v.row(s, activity.Link{}))
	}
	return rows
}

func rank(s activity.Session) int {
	switch {
	case slices.Contains([]activity.Kind{activity.Autovacuum, activity.Replication, activity.Background}, s.Kind):
		return 3
	case s.State == activity.Active:
		return 0
	case s.State == activity.IdleTx || s.State == activity.Aborted:
		return 1
	}
	return 2
}

// oldest is what sessions of one kind are ordered by.
func oldest(s activity.Session) time.Time {
	if s.State == activity.Active {
		return s.QueryAt
	}
	return s.Xact
}

// connections are the last rows: how many are idle, and whose all of them are.
func (v view) connections() []pane.Row {
	if v.o.Limits.Used == 0 {
		return nil
	}
	says := ui.Count(int64(v.o.Idle)) + " idle"
	if v.o.Hidden > 0 {
		says += ", " + ui.Count(int64(v.o.Hidden)) + " hidden"
	}
	head := pane.Row{Key: "connections", Span: true, Cells: []ui.Cell{
		pane.Text(ui.Dim, says), pane.Text(ui.Dim, fmt.Sprintf("%d free of the %d for ordinary roles", v.o.Limits.Free(), v.o.Limits.Ordinary())),
	}, Data: v.limitsData()}
	if len(v.o.Groups) > 0 {
		head.Detail = []string{"Connections by user, application and database:"}
	}
	for i, g := range v.o.Groups {
		if i < 8 {
			head.Detail = append(head.Detail, groupSays(g))
		}
		head.Also = append(head.Also, groupData(g))
	}
	return []pane.Row{head}
}

func groupSays(g activity.Group) string {
	parts := []string{ui.Count(int64(g.Total)) + " " + g.Who(), "in " + g.Database}
	for _, p := range []struct {
		n    int
		word string
	}{{g.Active, "active"}, {g.InTx, "idle in transaction"}, {g.Idle, "idle"}} {
		if p.n > 0 {
			parts = append(parts, ui.Count(int64(p.n))+" "+p.word)
		}
	}
	return "  " + pane.Joined(parts...)
}
