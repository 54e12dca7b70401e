package audit_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// TestActions shares a database among all tests of a dialect. What does not
// depend on the names of columns is tried in one of them.
func TestActions(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			b := bench.New(t, bench.Options{Dialect: d, Locks: grading.LocksOn})
			t.Run("add and undo", func(t *testing.T) { addAndUndo(t, b) })
			t.Run("each kind", func(t *testing.T) { eachKind(t, b) })
			t.Run("refusals", func(t *testing.T) { refusals(t, b) })
			if d == lab.Deployed {
				t.Run("undo stops", func(t *testing.T) { undoStops(t, b) })
				t.Run("settle", func(t *testing.T) { settles(t, b) })
				t.Run("races", func(t *testing.T) { races(t, b) })
			}
		})
	}
}

// annotated is a READY copy that the teacher annotated without a LOCK event on
// record: the same gap in both dialects.
func annotated(b *bench.Bench, anon string) (id string, at time.Time) {
	at = b.Now().Add(-30 * time.Minute)
	id = b.AddCopy(lab.CopyRow{Anon: anon, Status: "READY", Pages: 2})
	ann := b.AddAnnotation(lab.AnnotationRow{Copy: id, By: b.Teacher, At: at})
	b.AddEvent(lab.EventRow{Copy: id, Action: "CREATE_ANN", Actor: b.Teacher, At: at, Meta: map[string]any{"annotation_id": ann, "page": 0}})
	return id, at
}

// event is the newest event of a kind on a copy.
type event struct {
	Actor int64
	Now   bool // dated at the time of writing
	Meta  map[string]any
}

func newest(t *testing.T, b *bench.Bench, id, action string) event {
	t.Helper()
	var e event
	var raw string
	err := b.Pool.QueryRow(labtest.Context(t), `SELECT actor_id::bigint, timestamp > now() - interval '1 minute', metadata::text FROM grading_gradingevent
		WHERE copy_id = $1 AND action = $2 ORDER BY timestamp DESC LIMIT 1`, id, action).Scan(&e.Actor, &e.Now, &raw)
	if err == nil {
		err = json.Unmarshal([]byte(raw), &e.Meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func refused(t *testing.T, b *bench.Bench, r *actions.Runner, id, choice string) string {
	t.Helper()
	var no *actions.Refusal
	if _, err := r.Plan(labtest.Context(t), b.Set(), "add-event", bench.Copy(id, "X"), choice); !errors.As(err, &no) {
		t.Fatalf("%s was not refused: %v", choice, err)
	}
	return no.Error()
}

func choices(p actions.Plan) (ids []string) {
	for _, c := range p.Choices {
		ids = append(ids, c.Title)
	}
	return ids
}

func addAndUndo(t *testing.T, b *bench.Bench) {
	id, at := annotated(b, "A3F2-0019")
	p := b.Plan("add-event", bench.Copy(id, "A3F2-0019"), "")
	if p.Risk != actions.High || p.Word != "A3F2-0019" || len(p.Steps) != 1 || !strings.Contains(p.Undo, "exactly this event") {
		t.Errorf("%+v", p)
	}
	want := []string{"LOCK in the name of jmartin (annotated it)", "LOCK in the name of mdupont (you: the real one is not known)"}
	if diff := cmp.Diff(want, choices(p)); diff != "" {
		t.Error(diff)
	}
	got := b.Run(p)
	if got.Verdict.Kind != actions.Fixed || !strings.Contains(got.Verdict.Says, "has its LOCK event") {
		t.Fatalf("%+v", got.Verdict)
	}
	added := event{b.Teacher, true, map[string]any{
		"reconstructed": true, "by": "mdupont", "reason": "corrector left", "tool": "gradecockpit", "action_id": p.ID,
		"for_time": at.UTC().Format(time.RFC3339Nano), "for_time_from": "the first work on it", "actor_from": "annotated it",
	}}
	if diff := cmp.Diff(added, newest(t, b, id, "LOCK")); diff != "" {
		t.Error(diff)
	}
	if b.Status(id) != "READY" || b.Count("grading_copylock", id) != 0 {
		t.Error("more than the event was written")
	}
	// By the rules LOCK is there now; UNLOCK is a guess that is offered.
	if says := refused(t, b, b.Runner, id, "LOCK"); !strings.Contains(says, "lacks no LOCK") {
		t.Error(says)
	}
	undo(t, b, id)
}

// undo takes the last action back and looks whether only that row went.
func undo(t *testing.T, b *bench.Bench, id string) {
	t.Helper()
	before := b.Count("grading_gradingevent", id)
	action, target, _, ok := b.Runner.Undoable()
	if !ok || action != "remove-event" {
		t.Fatalf("undo is %q", action)
	}
	if got := b.Do(action, target, ""); got.Verdict.Kind != actions.Fixed || b.Count("grading_gradingevent", id) != before-1 {
		t.Fatalf("%+v, %d events of %d", got.Verdict, b.Count("grading_gradingevent", id), before)
	}
	if p := b.Plan("add-event", bench.Copy(id, "A3F2-0019"), "LOCK"); !strings.HasPrefix(p.Choice, "LOCK:") {
		t.Errorf("the gap is not back: %+v", p)
	}
	if _, _, _, again := b.Runner.Undoable(); again {
		t.Error("what was taken back is offered again")
	}
}

func undoStops(t *testing.T, b *bench.Bench) {
	for i, tt := range [][2]string{
		{`UPDATE grading_gradingevent SET metadata = metadata || '{"reason": "x"}' WHERE id = $1`, "not as it was written"},
		{`UPDATE grading_gradingevent SET actor_id = (SELECT min(id) FROM auth_user WHERE id <> actor_id) WHERE id = $1`, "not as it was written"},
		{`DELETE FROM grading_gradingevent WHERE id = $1`, "gone already"},
	} {
		change, want := tt[0], tt[1]
		id, _ := annotated(b, "C-"+string(rune('1'+i)))
		done := b.Do("add-event", bench.Copy(id, "C"), "LOCK")
		undo := done.Effect.Undo
		p := b.Plan(undo.Action, undo.Target, "")
		b.Exec(change, done.Effect.Values["event"])
		if got := b.Run(p); got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, want) {
			t.Errorf("%s: %+v", change, got.Verdict)
		}
	}
}

// eachKind adds what a copy without any event lacks, one after the other,
// and never FINALIZE where the application would break.
func eachKind(t *testing.T, b *bench.Bench) {
	graded := b.Now().Add(-20 * time.Minute)
	id := b.AddCopy(lab.CopyRow{Anon: "IMPORT-77", Status: "GRADED", Pages: 3, Validated: graded.Add(-time.Hour), Graded: graded, Corrector: b.Teacher, Score: new(7.5)})
	ann := b.AddAnnotation(lab.AnnotationRow{Copy: id, By: b.Other, Page: 2})
	target := bench.Copy(id, "IMPORT-77")
	want := []string{"IMPORT", "VALIDATE", "LOCK", "CREATE_ANN", "FINALIZE"}
	if b.Dialect == lab.Playbook {
		want = slices.DeleteFunc(want, func(a string) bool { return a == "VALIDATE" }) // nothing tells of it there
	} else {
		want = want[:4]
	}
	var got []string
	for range 6 {
		p, err := b.Runner.Plan(labtest.Context(t), b.Set(), "add-event", target, "")
		if err != nil {
			break
		}
		got = append(got, strings.Split(p.Choice, ":")[0])
		if r := b.Run(p); r.Verdict.Kind != actions.Fixed {
			t.Fatalf("%+v", r.Verdict)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("added (-want +got):\n%s", diff)
	}
	if e := newest(t, b, id, "CREATE_ANN"); e.Actor != b.Other || e.Meta["annotation_id"] != ann || e.Meta["page"] != 2.0 {
		t.Errorf("%+v", e)
	}
	if e := newest(t, b, id, "IMPORT"); e.Actor != b.Operator || e.Meta["pages"] != 3.0 || e.Meta["actor_from"] != "you: the real one is not known" {
		t.Errorf("%+v", e)
	}
	if b.Dialect == lab.Playbook {
		if e := newest(t, b, id, "FINALIZE"); e.Meta["final_score"] != 7.5 || e.Meta["success"] != true {
			t.Errorf("%+v", e)
		}
		return
	}
	if says := refused(t, b, b.Runner, id, ""); !strings.Contains(says, "would not be recorded") || !strings.Contains(says, "graded_at") {
		t.Error(says)
	}
}

func refusals(t *testing.T, b *bench.Bench) {
	id, _ := annotated(b, "R-1")
	fine := b.AddCopy(lab.CopyRow{Anon: "R-2", Status: "READY"})
	twice := b.AddCopy(lab.CopyRow{Anon: "R-3", Status: "LOCKED"})
	b.AddEvent(lab.EventRow{Copy: twice, Action: "LOCK", Actor: b.Teacher})
	b.AddEvent(lab.EventRow{Copy: twice, Action: "FINALIZE", Actor: b.Teacher})
	nobody := b.As(func(c *actions.Config) { c.Actor.UserID, c.Actor.Name = 0, "stranger" })
	imported := b.AddCopy(lab.CopyRow{Anon: "IMPORT-R4", Status: "READY", Pages: 1})
	for _, tt := range []struct {
		runner     *actions.Runner
		id, choice string
		want       string
	}{
		{b.Runner, fine, "", "no event is missing"},
		{b.Runner, id, "VALIDATE", "lacks no VALIDATE"},
		{b.Runner, id, "REOPEN", "no kind of event called REOPEN"},
		{b.Runner, id, "LOCK:99999", "user number 99999 did it. Choose"},
		{b.Runner, twice, "FINALIZE", "already has a FINALIZE event, by jmartin"},
		{nobody, imported, "", "demands an actor"},
		{b.Runner, "00000000-0000-4000-8000-000000000000", "", "There is no copy"},
		{b.Runner, "no uuid", "", "not the id of a copy"},
	} {
		if got := refused(t, b, tt.runner, tt.id, tt.choice); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.choice, got)
		}
	}
	tx, err := b.Pool.Begin(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(labtest.Context(t))
	if _, err := tx.Exec(labtest.Context(t), `SELECT FROM exams_copy WHERE id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	if got := refused(t, b, b.Runner, id, ""); !strings.Contains(got, "An operation is running on R-1") {
		t.Error(got)
	}
}

// TestPoorRole: what a role may not is said before anything is planned, with
// the GRANT.
func TestPoorRole(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	role := db.Name + "_operator"
	db.Exec(`CREATE ROLE ` + role + ` LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + role)
	b := bench.New(t, bench.Options{DB: db, DSN: db.Server.DSN(db.Name, role), Locks: grading.LocksOn})
	for _, step := range []struct{ action, want, grant string }{
		{"add-event", "GRANT UPDATE", `GRANT UPDATE (status, locked_by_id, locked_at) ON exams_copy TO ` + role},
		{"add-event", "GRANT INSERT", `GRANT INSERT ON grading_gradingevent TO ` + role},
		{"remove-event", "GRANT DELETE", ""},
	} {
		b.Anew()
		if got := b.Runner.Impossible(b.Set(), step.action); !strings.Contains(got, step.want) {
			t.Errorf("%s: %q", step.action, got)
		}
		if step.grant != "" {
			db.Exec(step.grant)
		}
	}
	id, _ := annotated(b, "P-1")
	p := b.Plan("add-event", bench.Copy(id, "P-1"), "")
	if !strings.Contains(p.Undo, "GRANT DELETE") {
		t.Errorf("the way back: %q", p.Undo)
	}
	if got := b.Run(p); got.Verdict.Kind != actions.Fixed {
		t.Errorf("%+v", got.Verdict)
	}
	db.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role)
}

func settles(t *testing.T, b *bench.Bench) {
	id, _ := annotated(b, "S-1")
	done := b.Do("add-event", bench.Copy(id, "S-1"), "")
	settle := func(action string, target actions.Target, actionID string) actions.VerdictKind {
		a, _ := b.Runner.Find(action)
		rec := actions.Record{Kind: actions.Intent, ActionID: actionID, Action: action, Target: target, Seen: map[string]string{"copy": id}}
		return a.(actions.Settler).Settle(labtest.Context(t), rec).Kind
	}
	target := bench.Copy(id, "S-1")
	if got := settle("add-event", target, done.Plan.ID); got != actions.Fixed {
		t.Errorf("an event that is there: %s", got)
	}
	if got := settle("add-event", target, "never"); got != actions.NotFixed {
		t.Errorf("one that is not: %s", got)
	}
	if got := settle("remove-event", done.Effect.Undo.Target, "x"); got != actions.NotFixed {
		t.Errorf("one that is still there: %s", got)
	}
	b.Do(done.Effect.Undo.Action, done.Effect.Undo.Target, "")
	if got := settle("remove-event", done.Effect.Undo.Target, "x"); got != actions.Fixed {
		t.Errorf("one that is gone: %s", got)
	}
}

// take holds the copy row, as every service method of the application does.
func take(t *testing.T, tx pgx.Tx, id string) error {
	_, err := tx.Exec(t.Context(), `SELECT FROM exams_copy WHERE id = $1 FOR UPDATE`, id)
	return err
}
