package events_test

import (
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/pages/events"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// plain is the page over what the grading probe saw.
func plain(t *testing.T, o grading.Overview, audited ...probes.Snapshot) string {
	t.Helper()
	o.ServerTime = sample.Server
	set := probes.NewSet(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, At: sample.Now, Good: sample.Now, Payload: o})
	for _, a := range audited {
		set = set.With(a)
	}
	table := pane.New(events.New().Rows(pane.Ref{}), ui.NewTheme(ui.Mono, false), 0)
	table.SetInput(pane.Input{Set: set, Now: sample.Now, Zone: time.UTC, Width: 100})
	var b strings.Builder
	if err := table.Plain(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	o := grading.Overview{LocksInUse: grading.TriNo, LocksWhy: "there is no lock table"}
	o.Events.Value = grading.Events{
		Failed: 2,
		ByAction: []grading.ActionCount{
			{Action: "CREATE_ANN", Total: 12345, LastHour: 34, Last: sample.Ago(time.Minute)}, {Action: "FINALIZE", Total: 210, LastHour: 9, Last: sample.Ago(time.Hour)},
			{Action: "IMPORT", Total: 3}, {Action: "VALIDATE", Total: 2}, {Action: "UPDATE_ANN", Total: 1}, {Action: "REOPEN", Total: 1},
		},
		Eventless: []grading.StatusCount{{Status: "GRADED", Count: 1}, {Status: "STAGING", Count: 40}}, EventlessAt: sample.Server,
	}
	want := `
Audit events by action: 6 kinds recorded · 4 never
ACTION              COUNT  LAST HOUR  NEWEST    SAYS
CREATE_ANN         12,345         34  14:29:48
FINALIZE              210          9  13:30:48  ⚠ 2 of the last hour failed
IMPORT                  3          0  ?
VALIDATE                2          0  ?
UPDATE_ANN              1          0  ?
REOPEN                  1          0  ?         not a kind that the cockpit knows
LOCK                    0          0            never recorded: locks are not in use (there is no lock table)
DELETE_ANN              0          0            ⚠ never recorded: does the code still write it?
UNLOCK                  0          0            never recorded: locks are not in use (there is no lock table)
EXPORT                  0          0            never recorded: no known version of the application writes it
copies in GRADED        1                       no event at all
copies in STAGING      40                       no event at all; an exam upload writes none
Completeness: the copies have not been looked through yet.
`
	if got := "\n" + plain(t, o); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

// What could not be counted is said, and is not "never".
func TestNotCounted(t *testing.T) {
	if got := plain(t, grading.Overview{}); !strings.Contains(got, "too big to be counted") || strings.Contains(got, "never recorded") {
		t.Errorf("%s", got)
	}
	denied := grading.Overview{Events: grading.Part[grading.Events]{Missing: "The role may not read it.", Fix: "GRANT SELECT"}}
	if got := plain(t, denied); !strings.Contains(got, "The role may not read it. GRANT SELECT") {
		t.Errorf("%s", got)
	}
}

// TestCompleteness: each copy with what is missing, since when, how sure and
// why; what cannot be judged; what audit.log says.
func TestCompleteness(t *testing.T) {
	set := sample.Audited(probes.NewSet(), sample.Audit())
	logged := probes.Snapshot{ID: logs.ID, Seq: 1, Payload: logs.Overview{Recent: []logs.Line{
		{Logger: "audit", CopyID: "id-a3f2-0007", Path: "/api/grading/copies/id-a3f2-0007/final-pdf/"}}}}
	got := "\n" + plain(t, grading.Overview{}, set.Get(audit.ID), logged)
	for _, line := range []string{
		"Completeness: 1234 copies with 20,456 events looked at",
		"⚠ no FINALIZE  on 1  GRADED, and nothing says who finalized it: a grade and its event are one transaction.",
		" A3F2-0007        GRADED    14:10:48     certain  no FINALIZE",
		" B771-0003        LOCKED    01-31 12:30  likely   no CREATE_ANN ×3",
		" IMPORT-8C3B1F0A  READY     ?            likely   no CREATE_ANN",
		" A3F2-0042        LOCKED    13:30:48     certain  FINALIZE ×2 by mdupont",
		"older FINALIZE  on 1", "VALIDATE cannot be judged.", "the final PDF of A3F2-0007 was downloaded",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in%s", line, got)
		}
	}
}

// A row opens its copy, and the actions on a copy are aimed at it.
func TestRowsAreCopies(t *testing.T) {
	in := pane.Input{Set: sample.Audited(sample.Live(1, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged()), sample.Audit()), Now: sample.Now, Zone: time.UTC, Width: 100}
	var copies []string
	for _, r := range events.New().Rows(pane.Ref{}).Content(in).Rows {
		if r.Copy == "" {
			continue
		}
		if r.Skip || r.Target == nil || r.Target.Kind != actions.OnCopy || r.Target.ID != r.Copy {
			t.Errorf("%+v", r)
		}
		copies = append(copies, r.Target.Label)
	}
	if want := "A3F2-0007 B771-0003 IMPORT-8C3B1F0A A3F2-0042 IMPORT-07B70459 A3F2-0009"; strings.Join(copies, " ") != want {
		t.Errorf("got %q", copies)
	}
}

// A kind that was never recorded is an alarm where something shows that it was due.
func TestNeverAndDue(t *testing.T) {
	counted := grading.Overview{Events: grading.Part[grading.Events]{Value: grading.Events{ByAction: []grading.ActionCount{{Action: "LOCK", Total: 1}}}}}
	due := audit.Overview{Whole: true, Counts: []audit.Count{{Action: "IMPORT"}, {Action: "VALIDATE", Expected: 7}, {Action: "UNLOCK", Expected: -1}}}
	got := plain(t, counted, sample.Audited(probes.NewSet(), due).Get(audit.ID))
	for _, line := range []string{"IMPORT          0          0          never recorded, and none was due", "⚠ never recorded, and 7 were due", "⚠ never recorded: does the code still write it?"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

// Why the copies could not be looked through is said, whatever it is.
func TestNotLookedThrough(t *testing.T) {
	counted := grading.Overview{Events: grading.Part[grading.Events]{Value: grading.Events{ByAction: []grading.ActionCount{{Action: "LOCK", Total: 1}}}}}
	failed := probes.Snapshot{ID: audit.ID, Seq: 1, Err: &probes.Error{Source: probes.Postgres, Op: "look for missing events", Cause: "too slow"}}
	denied := sample.Audited(probes.NewSet(), audit.Overview{Missing: "Role x may not read grading_gradingevent.", Fix: "GRANT SELECT"}).Get(audit.ID)
	for want, s := range map[string]probes.Snapshot{"look for missing events: too slow": failed, "may not read grading_gradingevent. GRANT SELECT": denied} {
		if got := plain(t, counted, s); !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

func TestHostileActions(t *testing.T) {
	o := grading.Overview{}
	o.Events.Value.ByAction = []grading.ActionCount{{Action: sample.Hostile, Total: -1}}
	o.Events.Value.Eventless = []grading.StatusCount{{Status: sample.Hostile, Count: 1}}
	hostile := sample.Audited(probes.NewSet(), sample.HostileAudit()).Get(audit.ID)
	if got := plain(t, o, hostile); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("%q", got)
	}
}
