package session

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

func input(d activity.Detail) page.Input {
	set := probes.NewSet()
	return page.Input{Input: pane.Input{Set: set, Now: sample.Now, Zone: time.UTC, Data: d}, Read: sample.Now, Ref: pane.Ref{Kind: pane.KindSession, ID: d.Asked}, Height: 40}
}

func detail(pid int) activity.Detail {
	d := activity.Detail{Overview: sample.Sessions()}
	if s, ok := d.Find(pid); ok {
		s.Lines = strings.Split("SELECT *\n  FROM exams_copy\n "+s.Text, "\n")
		d.Session, d.Asked = s, s.ID()
	}
	return d
}

func lines(t page.Text, width int) string {
	return ansi.Strip(strings.Join(dialog.Lay(ui.NewTheme(ui.Mono, false), t.Paras, width), "\n"))
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func TestTheRootOfAChain(t *testing.T) {
	d := detail(4711)
	d.Locks = []activity.Lock{
		{Type: "relation", Mode: "RowShareLock", Granted: true, Relation: "exams_copy"},
		{Type: "relation", Mode: "RowShareLock", Granted: true, Relation: "exams_copy_pkey", Index: true},
		{Type: "transactionid", Mode: "ExclusiveLock", Granted: true, Detail: "transaction 753"},
	}
	got := text(input(d))
	contains(t, lines(got, 78),
		"whose        a person's tool: psql as viatique_user", "client       local socket",
		"state        idle in transaction · 7m, since 2026-02-01 14:23:48 UTC", "open for 7m", "has changed or",
		"Last ran in this transaction\n  SELECT *\n    FROM exams_copy", "Blocks 3", "  4712    viatique_user · ⚠ waits for 3m", "  4713 ", "  4801 ",
		"holds    RowShareLock on exams_copy", "and 1 index of these tables", "cancel       nothing: it runs no query.", "disconnect   what its transaction has changed is rolled back")
	if got.Target == nil || got.Target.ID != d.Asked || got.Mark != "⚠ idle in tx" || got.Yank != "4711" {
		t.Errorf("%+v", got)
	}
	if len(got.Links) != 4 || got.Links[0].Kind != pane.KindCopy || got.Links[1].Kind != pane.KindSession {
		t.Errorf("%v", got.Links)
	}
}

func TestOneThatWaits(t *testing.T) {
	d := detail(4801)
	d.Locks = []activity.Lock{{Type: "relation", Mode: "AccessExclusiveLock", Relation: "exams_copy", Since: sample.Ago(15 * time.Second)}}
	got := text(input(d))
	contains(t, lines(got, 78), "Blocked by\n  4711", "  4990", "Runs, for 15s", "⚠ waits  AccessExclusiveLock on exams_copy, for 15s",
		"cancel       ends this query with an error")
	if got.Mark != "⚠ waits" {
		t.Errorf("%q", got.Mark)
	}
}

func TestAFinalization(t *testing.T) {
	contains(t, lines(text(input(detail(4990))), 200), "⚠ 4990 finalizes 1d0e3c55, for 12s now: leave it alone", "the finalization is rolled back and lost, the copy stays LOCKED")
}

func TestAPreparedBlocker(t *testing.T) {
	d := detail(5133)
	d.Session.BlockedBy, d.Prepared = []int{0}, []activity.Prepared{{Name: "import 7", Owner: "viatique_user", At: sample.Ago(time.Hour)}}
	contains(t, lines(text(input(d)), 200), "a prepared transaction, which has no session", `"import 7" of viatique_user, for 1h00m`)
}

// What cannot be seen is said with the GRANT, and an address behind a pooler
// with what it is worth.
func TestHiddenAndPooled(t *testing.T) {
	d := detail(5133)
	d.Pooled = true
	contains(t, lines(text(input(d)), 200), "a pooler such as PgBouncer is in between")
	d.Session.Hidden, d.Rights = true, activity.Rights{Role: `"reader"`}
	got := lines(text(input(d)), 200)
	contains(t, got, `GRANT pg_monitor TO "reader";`)
	if strings.Contains(got, "SELECT *") || strings.Contains(got, "idle in transaction") {
		t.Errorf("what is hidden is shown:\n%s", got)
	}
}

func TestEnded(t *testing.T) {
	got := text(input(activity.Detail{Overview: sample.Sessions(), Asked: "1/2", Replaced: true}))
	if contains(t, lines(got, 78), "This session has ended. Its number belongs to another"); got.Target != nil || got.Mark != "ended" {
		t.Errorf("%+v", got)
	}
	if got := text(page.Input{}); len(got.Paras) != 0 {
		t.Errorf("%+v", got)
	}
}
