package panes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

func sessionsOf(o activity.Overview) pane.Input {
	o.ServerTime = sample.Server
	o.Connect()
	return input(probes.NewSet(probes.Snapshot{ID: activity.ID, Source: probes.Postgres, Seq: 1, At: sample.Now, Good: sample.Now, Payload: o}))
}

// First the chains, root above those that wait for it, then what runs, the
// longest first, then what stands open, then PostgreSQL's helpers, then counts.
func TestSessionsOrder(t *testing.T) {
	var got []string
	for _, r := range spec("sessions").Content(states0()).Rows {
		got = append(got, r.Cells[0].Text)
	}
	want := []string{"4711", "╰ 4712", "  ╰ 4713", "╰ 4801", "4990", "5120", "5133", "6001", "14 idle"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	row := spec("sessions").Content(states0()).Rows[3]
	if got := row.Cells[4].Text; got != "table of exams_copy, also 4990" {
		t.Errorf("it waits for %q", got)
	}
}

func states0() pane.Input { return input(states()[0].Set()) }

// A row leads to its page, its copy and its statement, and its actions aim at
// exactly this session.
func TestSessionRowsLead(t *testing.T) {
	rows := spec("sessions").Content(states0()).Rows
	psql, report := rows[0], rows[5]
	if psql.Opens.Kind != pane.KindSession || psql.Target.ID != psql.Opens.ID || !strings.HasPrefix(psql.Target.ID, "4711/") || psql.Copy != sample.UUIDA {
		t.Errorf("%+v %+v", psql.Opens, psql.Target)
	}
	if diff := cmp.Diff([]pane.Ref{{Kind: pane.KindCopy, ID: sample.UUIDA, Label: "A3F2-0042"}}, psql.Links); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]pane.Ref{{Kind: pane.KindStatement, ID: "-4711221133", Label: "statement -4711221133"}}, report.Links); diff != "" {
		t.Error(diff)
	}
	if rows[8].Target != nil {
		t.Error("the count of idle sessions can be disconnected")
	}
}

func TestConnectionsNearTheirLimit(t *testing.T) {
	limits := func(l activity.Limits) activity.Overview {
		return activity.Overview{Limits: l, Rights: activity.Rights{SeesAll: true}, AppRole: "viatique_user",
			Groups: []activity.Group{{Kind: activity.Application, User: "viatique_user", Total: 70, Idle: 61}}}
	}
	none := activity.Limits{Max: 100, Superuser: 3, Role: -1, Database: -1}
	with := func(change func(*activity.Limits)) activity.Limits { l := none; change(&l); return l }
	for name, tt := range map[string]struct {
		l    activity.Limits
		want string
		tone ui.Tone
	}{
		"plenty":            {with(func(l *activity.Limits) { l.Used = 77 }), "", ui.Plain},
		"four of five":      {with(func(l *activity.Limits) { l.Used = 78 }), "⚠ 78 of 97 connections are taken (3 more are kept for superusers): viatique_user has 70, 61 of them idle.", ui.Warn},
		"nine of ten":       {with(func(l *activity.Limits) { l.Used = 88 }), "✗ 88 of 97 connections are taken (3 more are kept for superusers): viatique_user has 70, 61 of them idle. What leaks", ui.Bad},
		"reserved since 16": {with(func(l *activity.Limits) { l.Used, l.Reserved = 78, 10 }), "⚠ 78 of 87 connections are taken (13 more are kept for superusers and pg_use_reserved_connections)", ui.Warn},
		"of the role":       {with(func(l *activity.Limits) { l.Used, l.Role, l.OfRole = 20, 20, 18 }), "✗ viatique_user has 18 of the 20 connections that its role may have.", ui.Bad},
		"of the database":   {with(func(l *activity.Limits) { l.Used, l.Database, l.InDatabase = 20, 20, 19 }), "✗ This database has 19 of the 20 connections that it may have.", ui.Bad},
	} {
		notes := spec("sessions").Content(sessionsOf(limits(tt.l))).Notes
		switch {
		case tt.want == "" && len(notes) > 0:
			t.Errorf("%s: %v", name, notes)
		case tt.want != "" && (len(notes) == 0 || !strings.HasPrefix(notes[0].Text, tt.want) || notes[0].Tone != tt.tone):
			t.Errorf("%s: %v", name, notes)
		}
	}
}

// What a role cannot see is counted and said, with the GRANT; it is never idle.
func TestHiddenSessionsAreSaid(t *testing.T) {
	c := spec("sessions").Content(sessionsOf(activity.Overview{Hidden: 12, Idle: 1, Limits: activity.Limits{Max: 100, Used: 13, Role: -1, Database: -1},
		Rights: activity.Rights{Role: `"reader"`}}))
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Text, "12 sessions") || !strings.Contains(c.Notes[0].Text, `GRANT pg_monitor TO "reader";`) {
		t.Errorf("%v", c.Notes)
	}
	if len(c.Rows) != 1 || c.Rows[0].Cells[0].Text != "1 idle, 12 hidden" {
		t.Errorf("%v", c.Rows)
	}
}

func TestFinalizationsAreLeftAlone(t *testing.T) {
	s := activity.Session{PID: 7, Start: sample.Ago(time.Hour), Kind: activity.Application, State: activity.IdleTx, Finalizes: activity.Yes, Copies: []string{sample.UUIDB}}
	for took, want := range map[time.Duration]string{
		12 * time.Second: "⚠ 7 finalizes 1d0e3c55, for 12s now: leave it alone.",
		6 * time.Minute:  "⚠ 7 finalizes 1d0e3c55, for 6m now: longer than a finalization takes.",
	} {
		s.Xact = sample.Ago(took)
		notes := spec("sessions").Content(sessionsOf(activity.Overview{Sessions: []activity.Session{s}, Rights: activity.Rights{SeesAll: true}})).Notes
		if len(notes) != 1 || !strings.HasPrefix(notes[0].Text, want) {
			t.Errorf("after %s: %v", took, notes)
		}
	}
}
