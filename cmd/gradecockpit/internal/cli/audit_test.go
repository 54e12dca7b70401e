package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// TestAudit: a missing event is found, added by the command that the report
// names, and found no more.
func TestAudit(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.AddUser("demo")
	teacher := db.AddUser("jmartin")
	id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "READY"})
	ann := db.AddAnnotation(lab.AnnotationRow{Copy: id, By: teacher})
	db.AddEvent(lab.EventRow{Copy: id, Action: "LOCK", Actor: teacher, At: db.Now().Add(-time.Minute)})
	env := map[string]string{"DATABASE_URL": db.DSN(), "GRADECOCKPIT_AS": "demo", "GRADECOCKPIT_LOCKS": "on", "GRADECOCKPIT_JOURNAL": t.TempDir() + "/journal"}

	got := run(t, env, "audit")
	if got.code != exitBad || !strings.Contains(got.out, "⚠ no CREATE_ANN  on 1") || !strings.Contains(got.out, "A3F2-0019") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	got = run(t, env, "audit", "-o", "json")
	var report auditReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != exitBad {
		t.Fatalf("%d %v %s%s", got.code, err, got.out, got.err)
	}
	if p := report.Problems; len(p) != 1 || p[0].Action != "CREATE_ANN" || p[0].Copies != 1 || p[0].Examples[0].ID != id || !report.Whole {
		t.Errorf("%+v", report)
	}
	if got := run(t, env, "add-event", "A3F2-0019", "--choice", "FINALIZE"); got.code != exitRefused {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	got = run(t, env, "add-event", "A3F2-0019", "--choice", "CREATE_ANN", "--yes", "--reason", "lost on Monday", "--confirm", "A3F2-0019")
	if got.code != exitOK || labtest.Get[string](db, `SELECT metadata ->> 'annotation_id' FROM grading_gradingevent WHERE action = 'CREATE_ANN'`) != ann {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	if got = run(t, env, "audit"); got.code != exitOK || !strings.Contains(got.out, "nothing is missing by the rules") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	if got := run(t, map[string]string{}, "audit"); got.code != exitBad || !strings.Contains(got.err, "not configured") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
}
