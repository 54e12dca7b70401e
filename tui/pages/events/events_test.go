package events_test

import (
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/pages/events"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// plain is the page over what the grading probe saw.
func plain(t *testing.T, o grading.Overview) string {
	t.Helper()
	o.ServerTime = sample.Server
	set := probes.NewSet(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, At: sample.Now, Good: sample.Now, Payload: o})
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

func TestHostileActions(t *testing.T) {
	o := grading.Overview{}
	o.Events.Value.ByAction = []grading.ActionCount{{Action: sample.Hostile, Total: -1}}
	o.Events.Value.Eventless = []grading.StatusCount{{Status: sample.Hostile, Count: 1}}
	if got := plain(t, o); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("%q", got)
	}
}
