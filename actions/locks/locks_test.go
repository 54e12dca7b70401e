package locks_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/actions/locks"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

var dialects = []lab.Dialect{lab.Deployed, lab.Playbook}

// each runs a test on both dialects of the schema.
func each(t *testing.T, test func(t *testing.T, b *bench.Bench)) {
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) { test(t, bench.New(t, bench.Options{Dialect: d})) })
	}
}

// event is the newest event of a copy.
type event struct {
	Action string
	Actor  int64
	Meta   map[string]any
}

func newest(t *testing.T, b *bench.Bench, id string) event {
	t.Helper()
	var e event
	raw := labtest.Get[string](b.DB, `SELECT metadata::text FROM grading_gradingevent WHERE copy_id = $1 ORDER BY timestamp DESC LIMIT 1`, id)
	if err := json.Unmarshal([]byte(raw), &e.Meta); err != nil {
		t.Fatal(err)
	}
	e.Action = labtest.Get[string](b.DB, `SELECT action FROM grading_gradingevent WHERE copy_id = $1 ORDER BY timestamp DESC LIMIT 1`, id)
	e.Actor = labtest.Get[int64](b.DB, `SELECT actor_id::bigint FROM grading_gradingevent WHERE copy_id = $1 ORDER BY timestamp DESC LIMIT 1`, id)
	return e
}

// refused plans and gives the refusal.
func refused(t *testing.T, b *bench.Bench, r *actions.Runner, action string, target actions.Target, choice string) *actions.Refusal {
	t.Helper()
	var no *actions.Refusal
	if _, err := r.Plan(labtest.Context(t), b.Set(), action, target, choice); !errors.As(err, &no) {
		t.Fatalf("%s was not refused: %v", action, err)
	}
	return no
}

func TestForceUnlockOfAnExpiredLock(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		id, token := b.Locked("A3F2-0019", -52*time.Minute)
		p := b.Plan("force-unlock", bench.Copy(id, "A3F2-0019"), "")
		if p.Risk != actions.Low || !strings.Contains(strings.Join(p.Says, " "), "jmartin on A3F2-0019 expired 52m ago") || len(p.Steps) != 3 {
			t.Errorf("%+v", p)
		}
		got := b.Run(p)
		if got.Verdict.Kind != actions.Fixed || !strings.Contains(got.Verdict.Says, "A3F2-0019 is READY") {
			t.Fatalf("%+v", got.Verdict)
		}
		if b.Status(id) != "READY" || b.Count("grading_copylock", id) != 0 || b.Count("grading_gradingevent", id) != 1 {
			t.Error("row, lock and event do not agree")
		}
		want := event{"UNLOCK", b.Operator, map[string]any{
			"forced": true, "by": "mdupont", "reason": "corrector left", "tool": "gradecockpit", "action_id": p.ID,
			"previous_owner": "jmartin", "previous_owner_id": float64(b.Teacher),
		}}
		if diff := cmp.Diff(want, newest(t, b, id)); diff != "" {
			t.Error(diff)
		}
		if b.Dialect == lab.Deployed && labtest.Get[bool](b.DB, `SELECT locked_by_id IS NOT NULL OR locked_at IS NOT NULL FROM exams_copy WHERE id = $1`, id) {
			t.Error("the copy still says who locked it")
		}
		if diff := cmp.Diff([]actions.RecordKind{actions.Intent, actions.Executed, actions.Outcome}, b.Kinds()); diff != "" {
			t.Error(diff)
		}
		for _, r := range b.Records() {
			r.Undo = nil // the way back holds the token, in this file alone
			if raw, _ := json.Marshal(r); strings.Contains(string(raw), token) {
				t.Errorf("the journal shows a whole token: %s", raw)
			}
		}
	})
}

func TestForceUnlockOfALiveLockSaysWhatItEndangers(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		id, token := b.Locked("A3F2-0019", 9*time.Minute+40*time.Second)
		b.AddDraft(lab.DraftRow{Copy: id, Owner: b.Teacher, Version: 31, Token: token})
		p := b.Plan("force-unlock", bench.Copy(id, "A3F2-0019"), "")
		warned := strings.Join(p.Warnings, " ")
		for _, want := range []string{"can be lost", "saved 31 times", "20s ago: somebody is at work"} {
			if !strings.Contains(warned, want) {
				t.Errorf("no %q in %s", want, warned)
			}
		}
		if p.Risk != actions.High || p.Word != "A3F2-0019" {
			t.Errorf("%v %q", p.Risk, p.Word)
		}
		if got := b.Run(p); got.Verdict.Kind != actions.Fixed || b.Status(id) != "READY" {
			t.Errorf("%+v", got.Verdict)
		}
	})
}

func TestUnlockThenRetryStaysLocked(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		id, _ := b.Locked("A3F2-0019", -time.Minute)
		if got := b.Do("force-unlock", bench.Copy(id, "A3F2-0019"), locks.UnlockThenRetry); got.Verdict.Kind != actions.Fixed {
			t.Fatalf("%+v", got.Verdict)
		}
		if b.Status(id) != "LOCKED" || b.Count("grading_copylock", id) != 0 || newest(t, b, id).Action != "UNLOCK" {
			t.Error("the copy should be LOCKED without a lock, with its event")
		}
		if b.Dialect == lab.Deployed && labtest.Get[int64](b.DB, `SELECT locked_by_id::bigint FROM exams_copy WHERE id = $1`, id) != b.Teacher {
			t.Error("a retry needs to know who locked the copy")
		}
	})
}

func TestForceUnlockKeepsOtherStatuses(t *testing.T) {
	for _, status := range []string{"READY", "STAGING", "GRADED", "GRADING_FAILED"} {
		t.Run(status, func(t *testing.T) {
			b := bench.New(t, bench.Options{})
			id := b.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: status, Pages: 1})
			b.AddLock(lab.LockRow{Copy: id, Owner: b.Teacher})
			p := b.Plan("force-unlock", bench.Copy(id, "A3F2-0019"), "")
			if !strings.Contains(strings.Join(p.Says, " "), "is "+status+" and stays so") || len(p.Choices) != 0 {
				t.Errorf("%q %v", p.Says, p.Choices)
			}
			if got := b.Run(p); got.Verdict.Kind != actions.Fixed || b.Status(id) != status || b.Count("grading_copylock", id) != 0 {
				t.Errorf("%+v, %s", got.Verdict, b.Status(id))
			}
		})
	}
}

func TestSeveralCopiesAreOnePlan(t *testing.T) {
	b := bench.New(t, bench.Options{})
	one, _ := b.Locked("A-1", -time.Minute)
	two, _ := b.Locked("A-2", time.Minute)
	target := bench.Copy(one, "A-1")
	target.More = []actions.Target{bench.Copy(two, "A-2"), bench.Copy(one, "A-1")}
	p := b.Plan("force-unlock", target, "")
	if p.Title != "Force-unlock 2 copies" || p.Word != "2 copies" || p.Risk != actions.High {
		t.Errorf("%s %q", p.Title, p.Word)
	}
	b.Exec(`UPDATE grading_copylock SET expires_at = expires_at + interval '1 hour' WHERE copy_id = $1`, two)
	if got := b.Run(p); got.Verdict.Kind != actions.Changed || b.Count("grading_copylock", one) != 1 || b.Status(one) != "LOCKED" {
		t.Errorf("half a plan was written: %+v", got.Verdict)
	}
	if got := b.Do("force-unlock", target, ""); got.Verdict.Kind != actions.Fixed || b.Status(one)+b.Status(two) != "READYREADY" {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		status string
		lock   time.Duration // 0: no lock row
		action string
		choice string
		want   string
	}{
		"no lock, LOCKED":       {"LOCKED", 0, "force-unlock", "", "No lock is held"},
		"no lock, READY":        {"READY", 0, "force-unlock", "", "No lock is held"},
		"unknown choice":        {"LOCKED", time.Minute, "force-unlock", "other", "no choice other"},
		"the only way back":     {"GRADING_IN_PROGRESS", time.Minute, "force-unlock", "", "only way back"},
		"give back, lock":       {"LOCKED", time.Minute, "release-locked", "", "force-unlock"},
		"give back, not LOCKED": {"GRADING_FAILED", 0, "release-locked", "", "not LOCKED"},
		"nothing expired":       {"LOCKED", time.Minute, "clear-expired", "", "No lock has expired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, bench.Options{})
			id := b.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: tt.status, Pages: 1})
			if tt.lock != 0 {
				b.AddLock(lab.LockRow{Copy: id, Owner: b.Teacher, Expires: b.Now().Add(tt.lock)})
			}
			target := bench.Copy(id, "A3F2-0019")
			if tt.action == "clear-expired" {
				target = actions.Target{Kind: actions.OnLocks, ID: "expired"}
			}
			if no := refused(t, b, b.Runner, tt.action, target, tt.choice); !strings.Contains(no.Error(), tt.want) {
				t.Error(no)
			}
			if diff := cmp.Diff([]actions.RecordKind{actions.Refused}, b.Kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoSuchCopy(t *testing.T) {
	b := bench.New(t, bench.Options{})
	for id, want := range map[string]string{"0b0e2bd0-0000-4000-8000-000000000000": "no copy", "nonsense": "not the id of a copy"} {
		if no := refused(t, b, b.Runner, "release-locked", bench.Copy(id, "x"), ""); !strings.Contains(no.Error(), want) {
			t.Error(no)
		}
	}
}

func TestACopyThatAnOperationRunsOnIsLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, b *bench.Bench) {
		id, _ := b.Locked("A3F2-0019", -time.Minute)
		target := bench.Copy(id, "A3F2-0019")
		p := b.Plan("force-unlock", target, "")
		all := b.Plan("clear-expired", actions.Target{Kind: actions.OnLocks, ID: "expired"}, "")

		tx, err := b.Pool.Begin(labtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(labtest.Context(t), `SELECT FROM exams_copy WHERE id = $1 FOR UPDATE`, id); err != nil {
			t.Fatal(err)
		}
		const busy = "An operation is running on A3F2-0019 now."
		if no := refused(t, b, b.Runner, "force-unlock", target, ""); no.Why != busy {
			t.Error(no)
		}
		if got := b.Run(p); got.Verdict.Kind != actions.WasRefuse || got.Verdict.Says != busy {
			t.Errorf("%+v", got.Verdict)
		}
		if got := b.Run(all); got.Verdict.Kind != actions.Changed || !strings.Contains(got.Verdict.Says, "A3F2-0019: an operation is running") {
			t.Errorf("%+v", got.Verdict)
		}
		if err := tx.Rollback(labtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		if b.Status(id) != "LOCKED" || b.Count("grading_copylock", id) != 1 || b.Count("grading_gradingevent", id) != 0 {
			t.Error("something was written")
		}
	})
}

func TestWhoCannotSign(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	target := bench.Copy(id, "A3F2-0019")
	nobody := b.As(func(c *actions.Config) { c.Actor = actions.Actor{Name: "roo\x1b[31mt"} })
	if no := refused(t, b, nobody, "force-unlock", target, ""); !strings.Contains(no.Error(), "has no user") || strings.Contains(no.Error(), "\x1b") {
		t.Errorf("%q", no.Error())
	}
	gone := b.As(func(c *actions.Config) { c.Actor.UserID = 999999 })
	if no := refused(t, b, gone, "force-unlock", target, ""); !strings.Contains(no.Error(), "user number 999999") {
		t.Error(no)
	}
	unsigned := b.As(func(c *actions.Config) { c.Actor = actions.Actor{Name: "root", Unsigned: true} })
	p, err := unsigned.Plan(labtest.Context(t), b.Set(), "force-unlock", target, "")
	if err != nil || !strings.Contains(strings.Join(p.Warnings, " "), "the audit trail gets a gap") {
		t.Fatalf("%v %q", err, p.Warnings)
	}
	if got := bench.Run(labtest.Context(t), unsigned, p); got.Verdict.Kind != actions.Fixed || b.Status(id) != "READY" || b.Count("grading_gradingevent", id) != 0 {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestReadOnlyIsEnforcedTwice(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	p := b.Plan("force-unlock", bench.Copy(id, "A3F2-0019"), "")
	guarded := b.As(func(c *actions.Config) { c.ReadOnly = "--read-only" })
	if got := bench.Run(labtest.Context(t), guarded, p); got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, "--read-only") {
		t.Errorf("runner: %+v", got.Verdict)
	}
	w := bench.New(t, bench.Options{DB: onlyUsers(b), Writer: "the environment is read-only"})
	for _, a := range w.Config.Actions {
		if a.ID() != "force-unlock" {
			continue
		}
		_, err := a.Execute(labtest.Context(t), p, actions.Request{Actor: w.Config.Actor})
		var no *actions.Refusal
		if !errors.As(err, &no) || !strings.Contains(no.Why, "the environment is read-only") {
			t.Errorf("writer: %v", err)
		}
	}
	if b.Status(id) != "LOCKED" || b.Count("grading_copylock", id) != 1 {
		t.Error("something was written")
	}
}

// onlyUsers lets a second bench use the same database: its users are made anew.
func onlyUsers(b *bench.Bench) *labtest.DB {
	b.Exec(`UPDATE auth_user SET username = username || '-first'`)
	return b.DB
}

func TestMissingRightsNameTheGrant(t *testing.T) {
	const read = "SELECT ON ALL TABLES IN SCHEMA public"
	tests := map[string]struct {
		grants []string
		want   []string
	}{
		"no update of copies": {[]string{read}, []string{"GRANT UPDATE", `"status"`, `"exams_copy"`}},
		"no delete of locks":  {[]string{read, "UPDATE ON exams_copy"}, []string{"GRANT DELETE ON", `"grading_copylock"`}},
		"no insert of events": {[]string{read, "UPDATE ON exams_copy", "DELETE ON grading_copylock"}, []string{"audit trail cannot be written", "GRANT INSERT", `"grading_gradingevent"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			db := labtest.Postgres(t, lab.Deployed)
			b := bench.New(t, bench.Options{DB: db, DSN: db.RoleDSN(tt.grants...)})
			id, _ := b.Locked("A3F2-0019", -time.Minute)
			no := refused(t, b, b.Runner, "force-unlock", bench.Copy(id, "A3F2-0019"), "")
			for _, want := range tt.want {
				if !strings.Contains(no.Error(), want) {
					t.Errorf("no %q in %s", want, no)
				}
			}
			if why := b.Runner.Impossible(b.Set(), "force-unlock"); !strings.Contains(why, tt.want[len(tt.want)-1]) {
				t.Errorf("doctor says %q", why)
			}
		})
	}
}

func TestTheLeastRightsAreEnough(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	b := bench.New(t, bench.Options{DB: db, DSN: db.RoleDSN("SELECT ON ALL TABLES IN SCHEMA public",
		"UPDATE (status, locked_by_id, locked_at) ON exams_copy", "DELETE, INSERT ON grading_copylock", "INSERT ON grading_gradingevent")})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	if got := b.Do("force-unlock", bench.Copy(id, "A3F2-0019"), ""); got.Verdict.Kind != actions.Fixed {
		t.Fatalf("%+v", got.Verdict)
	}
	action, target, _, _ := b.Runner.Undoable()
	if got := b.Do(action, target, ""); got.Verdict.Kind != actions.Fixed || b.Count("grading_copylock", id) != 1 {
		t.Fatalf("%+v", got.Verdict)
	}
}

func TestHostileNamesAreCleanEverywhere(t *testing.T) {
	b := bench.New(t, bench.Options{})
	evil := b.AddUser("x\x1b]52;c;aGk=\x07\u202e{\"a\":'\\")
	id := b.AddCopy(lab.CopyRow{Anon: "A\x1b[2J\u009b1", Status: "LOCKED", Pages: 1, LockedBy: evil})
	b.AddLock(lab.LockRow{Copy: id, Owner: evil, Expires: b.Now().Add(-time.Minute)})
	p := b.Plan("force-unlock", bench.Copy(id, "label"), "")
	got := b.Run(p)
	if got.Verdict.Kind != actions.Fixed {
		t.Fatalf("%+v", got.Verdict)
	}
	var shown []string
	shown = append(shown, p.Title, p.Undo, p.StopsIf, got.Verdict.Says)
	shown = append(append(append(shown, p.Says...), p.Warnings...), got.Verdict.Evidence...)
	shown = append(append(shown, got.Effect.Did...), got.Effect.Skip...)
	for _, s := range p.Steps {
		shown = append(shown, s.Detail)
	}
	for k, v := range p.Seen {
		shown = append(shown, k, v)
	}
	if all := strings.Join(shown, "\n"); strings.ContainsAny(all, "\x1b\x07\u009b\u202e") {
		t.Errorf("%q", all)
	}
}

func TestWithoutAJournalNothingIsWritten(t *testing.T) {
	b := bench.New(t, bench.Options{})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	broken := b.As(func(c *actions.Config) { c.Journal = noJournal{} })
	p, err := broken.Plan(labtest.Context(t), b.Set(), "force-unlock", bench.Copy(id, "A3F2-0019"), "")
	if err != nil {
		t.Fatal(err)
	}
	got := bench.Run(labtest.Context(t), broken, p)
	if got.Verdict.Kind != actions.Failed || b.Status(id) != "LOCKED" || b.Count("grading_copylock", id) != 1 || b.Count("grading_gradingevent", id) != 0 {
		t.Errorf("%+v", got.Verdict)
	}
}

type noJournal struct{}

func (noJournal) Append(actions.Record) error        { return errors.New("no space left") }
func (noJournal) Records() ([]actions.Record, error) { return nil, nil }

func TestThroughPgBouncerInTransactionMode(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	dsn, _ := labtest.PgBouncer(t, db)
	b := bench.New(t, bench.Options{DB: db, DSN: dsn})
	id, _ := b.Locked("A3F2-0019", -time.Minute)
	if got := b.Do("force-unlock", bench.Copy(id, "A3F2-0019"), ""); got.Verdict.Kind != actions.Fixed || b.Status(id) != "READY" {
		t.Fatalf("%+v", got.Verdict)
	}
	action, target, _, _ := b.Runner.Undoable()
	if got := b.Do(action, target, ""); got.Verdict.Kind != actions.Fixed || b.Count("grading_copylock", id) != 1 {
		t.Errorf("%+v", got.Verdict)
	}
	if got := b.Do("clear-expired", expired, ""); got.Verdict.Kind != actions.Fixed {
		t.Errorf("%+v", got.Verdict)
	}
}
