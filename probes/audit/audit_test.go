package audit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// fixture is a database with a probe over it.
type fixture struct {
	*labtest.DB
	t          *testing.T
	now        time.Time
	exam       string
	anna, bert int64
}

func newFixture(t *testing.T, d lab.Dialect) *fixture {
	db := labtest.Postgres(t, d)
	f := &fixture{DB: db, t: t, now: db.Now().Truncate(time.Second).Add(137 * time.Microsecond)}
	f.exam, f.anna, f.bert = db.AddExam("Maths"), db.AddUser("anna"), db.AddUser("bert")
	return f
}

func (f *fixture) probe(dsn string, locks grading.LockMode) *Probe {
	f.t.Helper()
	r := postgres.NewReader(postgres.Config{ConnString: dsn})
	f.t.Cleanup(func() {
		if err := r.Close(labtest.Context(f.t)); err != nil {
			f.t.Error(err)
		}
	})
	return New(r, grading.NewProbe(r, grading.Options{Locks: locks}))
}

func (f *fixture) all(p *Probe) Overview {
	f.t.Helper()
	o, err := p.All(labtest.Context(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

// happened is one event: "LOCK anna 40m", with metadata behind.
func (f *fixture) happened(id string, events ...string) {
	f.t.Helper()
	for _, e := range events {
		w := strings.SplitN(e, " ", 4)
		ago, err := time.ParseDuration(w[2])
		if err != nil {
			f.t.Fatal(err)
		}
		at, meta := f.now.Add(-ago), map[string]any{}
		for _, kv := range strings.Fields(strings.Join(w[3:], " ")) {
			k, v, _ := strings.Cut(kv, "=")
			meta[k] = v
			if v == "false" || v == "true" {
				meta[k] = v == "true"
			}
			if k == "even" {
				at = at.Truncate(time.Second)
				delete(meta, k)
			}
		}
		actor := f.anna
		if w[1] == "bert" {
			actor = f.bert
		}
		f.AddEvent(lab.EventRow{Copy: id, Action: w[0], Actor: actor, At: at, Meta: meta})
	}
}

// scene is a copy with its events and what must be said of it.
type scene struct {
	anon, status string
	change       func(*fixture, *lab.CopyRow)
	drawn        int // annotations
	lock         bool
	events       []string
	want         string // problems, by name, with commas
	only         lab.Dialect
}

func validated(f *fixture, c *lab.CopyRow) { c.Validated = f.now.Add(-2 * time.Hour) }

func graded(f *fixture, c *lab.CopyRow) {
	validated(f, c)
	c.Graded = f.now.Add(-20 * time.Minute)
}

// way is that of a copy from its import to its grade.
func way(without ...string) []string {
	all := []string{"IMPORT anna 3h", "VALIDATE anna 2h", "LOCK anna 50m", "CREATE_ANN anna 40m", "FINALIZE anna 20m retries=1"}
	return slices.DeleteFunc(all, func(e string) bool { return slices.Contains(without, strings.Fields(e)[0]) })
}

var scenes = []scene{
	// As it should be.
	{anon: "IMPORT-01", status: "GRADED", change: graded, drawn: 1, events: way()},
	{anon: "UP-02", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT")},
	{anon: "UP-03", status: "STAGING"},
	{anon: "UP-04", status: "READY"},
	{anon: "UP-05", status: "READY", events: []string{"LOCK anna 90m", "LOCK bert 60m"}}, // the first one ran out
	{anon: "UP-06", status: "READY", events: []string{"LOCK anna 90m", "UNLOCK anna 1h1s", "LOCK bert 1h"}},
	{anon: "UP-07", status: "LOCKED", lock: true, events: []string{"LOCK anna 12m"}},
	{anon: "UP-08", status: "READY", drawn: 1, events: []string{"LOCK anna 9m", "CREATE_ANN anna 8m", "CREATE_ANN anna 7m", "DELETE_ANN anna 6m"}},
	{anon: "IMPORT-09", status: "STAGING", change: func(_ *fixture, c *lab.CopyRow) { c.Pages = -1 }}, // its import has not written its pages
	// What is missing.
	{anon: "IMPORT-11", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT"), want: "IMPORT"},
	{anon: "UP-12", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT", "VALIDATE"), want: "VALIDATE", only: lab.Deployed},
	{anon: "UP-13", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT", "LOCK"), want: "LOCK before work"},
	{anon: "UP-14", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT", "FINALIZE"), want: "FINALIZE"},
	{anon: "UP-15", status: "GRADED", change: graded, drawn: 1, events: way("IMPORT", "CREATE_ANN"), want: "CREATE_ANN"},
	{anon: "UP-16", status: "LOCKED", lock: true, events: []string{"LOCK anna 50m"}, want: "LOCK of the lock"},
	{anon: "UP-17", status: "READY", events: []string{"UNLOCK anna 9m"}, want: "LOCK before UNLOCK"},
	{anon: "UP-18", status: "READY", events: []string{"LOCK anna 9m", "UPDATE_ANN anna 8m"}, want: "CREATE_ANN before change"},
	{anon: "UP-19", status: "GRADED", change: graded, want: "nothing"},
	{anon: "UP-20", status: "READY", events: []string{"LOCK anna 9m", "CREATE_ANN anna 8m"}, want: "vanished"},
	// What is wrong with those that are there.
	{anon: "UP-21", status: "LOCKED", lock: true, events: []string{"FINALIZE anna 3h", "FINALIZE anna 2h", "LOCK anna 4h", "LOCK anna 12m"}, want: "duplicate"},
	{anon: "UP-22", status: "READY", events: []string{"LOCK anna 9m", "LOCK bert 8m57s"}, want: "race"},
	{anon: "UP-23", status: "GRADED", change: graded, events: append(way("IMPORT", "FINALIZE", "CREATE_ANN"), "FINALIZE anna 20m success=false"), want: "reused"},
	{anon: "IMPORT-24", status: "GRADED", change: graded, drawn: 1, events: append(way("IMPORT"), "IMPORT anna 1m"), want: "hand: late import"},
	{anon: "IMPORT-25", status: "READY", events: []string{"IMPORT anna 9m filename=reconstructed"}, want: "hand: says so"},
	{anon: "UP-26", status: "GRADED", change: graded, drawn: 1, events: append(way("IMPORT", "FINALIZE"), "FINALIZE anna 5m"), want: "hand: after grading", only: lab.Deployed},
	{anon: "UP-27", status: "READY", events: []string{"LOCK anna 9m", "UNLOCK anna 8m", "LOCK anna 7m even=1"}, want: "hand: whole seconds"},
	// What this cockpit added counts, and is no sign of a stranger's hand.
	{anon: "IMPORT-31", status: "GRADED", change: graded, drawn: 1, events: append(way("IMPORT", "LOCK"), "IMPORT anna 1m tool=gradecockpit reconstructed=true", "LOCK anna 1m tool=gradecockpit reconstructed=true")},
}

func (f *fixture) play(s scene) string {
	c := lab.CopyRow{Anon: s.anon, Status: s.status, Exam: f.exam, Pages: 2}
	if s.change != nil {
		s.change(f, &c)
	}
	id := f.AddCopy(c)
	for range s.drawn {
		f.AddAnnotation(lab.AnnotationRow{Copy: id, By: f.anna})
	}
	if s.lock {
		f.AddLock(lab.LockRow{Copy: id, Owner: f.anna, Since: f.now.Add(-12 * time.Minute)})
	}
	f.happened(id, s.events...)
	return id
}

// problems are the names by copy.
func problems(o Overview) map[string]string {
	by := map[string]string{}
	for _, r := range o.Rows {
		by[r.Copy.Anon] = strings.TrimPrefix(by[r.Copy.Anon]+", "+r.Name, ", ")
	}
	return by
}

func TestRules(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			f, want := newFixture(t, d), map[string]string{}
			for _, s := range scenes {
				f.play(s)
				if s.want != "" && (s.only == "" || s.only == d) {
					want[s.anon] = s.want
				}
			}
			p := f.probe(f.DSN(), grading.LocksOn)
			o := f.all(p)
			if diff := cmp.Diff(want, problems(o)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if !o.Whole || o.Looked != len(scenes) || len(o.Problems) != len(want) {
				t.Errorf("whole %v, looked %d, %d problems", o.Whole, o.Looked, len(o.Problems))
			}
			f.mended(p)
			f.withoutLocks()
			f.poor()
		})
	}
}

// mended: what was put right since the last pass goes, although that pass has
// not come round again.
func (f *fixture) mended(p *Probe) {
	f.t.Helper()
	before := f.all(p)
	f.Exec(`UPDATE exams_copy SET status = 'READY' WHERE anonymous_id = 'UP-14'`)
	if err := p.again(labtest.Context(f.t), grading.TriYes); err != nil {
		f.t.Fatal(err)
	}
	after := p.last.overview()
	if got := problems(after)["UP-14"]; got != "" || len(after.Rows) != len(before.Rows)-1 {
		f.t.Errorf("UP-14 is %q, %d rows of %d", got, len(after.Rows), len(before.Rows))
	}
	for _, q := range after.Problems {
		if q.Name == "FINALIZE" {
			f.t.Errorf("%+v", q)
		}
	}
	f.Exec(`UPDATE exams_copy SET status = 'GRADED' WHERE anonymous_id = 'UP-14'`)
}

// withoutLocks: nobody misses a LOCK where locks are not in use, or where that
// is not known.
func (f *fixture) withoutLocks() {
	f.t.Helper()
	for _, mode := range []grading.LockMode{grading.LocksOff, grading.LocksAuto} {
		o := f.all(f.probe(f.DSN(), mode))
		for _, r := range o.Rows {
			if r.Kind == Missing && r.Action == "LOCK" {
				f.t.Errorf("locks %s: %s %s", mode, r.Copy.Anon, r.Name)
			}
		}
		if !strings.Contains(strings.Join(o.Blind, " "), "LOCK") {
			f.t.Errorf("locks %s: nobody says that LOCK is not judged: %q", mode, o.Blind)
		}
	}
}

// poor: a role that may not read is told the GRANT, for all or for a part.
func (f *fixture) poor() {
	f.t.Helper()
	role := f.Name + "_poor"
	f.Exec(`CREATE ROLE ` + role + ` LOGIN; GRANT SELECT ON exams_copy TO ` + role)
	p := f.probe(f.Server.DSN(f.Name, role), grading.LocksOn)
	o := f.all(p)
	if o.Here() || !strings.Contains(o.Missing+o.Fix, "GRANT SELECT") || !strings.Contains(o.Missing+o.Fix, "grading_gradingevent") {
		f.t.Errorf("%q %q", o.Missing, o.Fix)
	}
	f.Exec(`GRANT SELECT (id, copy_id, action, timestamp) ON grading_gradingevent TO ` + role)
	o = f.all(f.probe(f.Server.DSN(f.Name, role), grading.LocksOn))
	if got := problems(o); !o.Here() || got["UP-14"] != "FINALIZE" || got["UP-21"] != "" || len(o.Blind) < 3 {
		f.t.Errorf("%q %q %q", o.Missing, got, o.Blind)
	}
	f.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role)
}

// A pass of several pieces comes to the same as one of a single piece.
func TestPieces(t *testing.T) {
	f := newFixture(t, lab.Deployed)
	f.Exec(`INSERT INTO exams_copy (id, anonymous_id, status, exam_id, is_identified, grading_retries, validated_at, graded_at)
		SELECT gen_random_uuid(), 'A-' || i, case when i % 3 = 0 then 'GRADED' else 'READY' end, $1, true, 1, null, null FROM generate_series(1, 700) i`, f.exam)
	f.Exec(`INSERT INTO grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		SELECT gen_random_uuid(), 'VALIDATE', now() - interval '1 hour' + interval '1 microsecond', '{}', id, $1 FROM exams_copy`, f.anna)
	p := f.probe(f.DSN(), grading.LocksOff)
	whole := f.all(p)
	p.pass, p.last, p.cursor = nil, nil, nil
	var over bool
	for pieces := 1; !over; pieces++ {
		p.piece = minPiece
		var err error
		if over, err = p.next(labtest.Context(t), grading.TriNo); err != nil {
			t.Fatal(err)
		}
		if over && pieces != 4 {
			t.Errorf("%d pieces", pieces)
		}
	}
	got := p.pass.overview()
	if got.Looked != 700 || got.Events != 700 || len(got.Problems) != 1 || got.Problems[0].Copies != 233 || len(got.Rows) != MostRows {
		t.Errorf("looked %d, events %d, %d rows: %+v", got.Looked, got.Events, len(got.Rows), got.Problems)
	}
	if diff := cmp.Diff(whole.Problems, got.Problems); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(whole.Counts, got.Counts); diff != "" {
		t.Error(diff)
	}
}

func TestNeverAndStopped(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	o := Overview{Whole: true, Counts: []Count{
		{Action: "VALIDATE", Recorded: 0, Expected: 4}, {Action: "LOCK", Recorded: 5, Expected: 9, Last: now},
		{Action: "FINALIZE", Recorded: 5, Expected: 9, Last: now.Add(time.Hour)}, {Action: "EXPORT", Expected: -1},
	}, Problems: []Problem{
		{Name: "a", Kind: Missing, Action: "LOCK", Copies: 4, Earliest: now.Add(time.Minute)},
		{Name: "b", Kind: Missing, Action: "FINALIZE", Copies: 4, Earliest: now.Add(time.Minute)},
	}}
	if got := o.NeverRecorded(); !slices.Equal(got, []string{"VALIDATE"}) {
		t.Errorf("never: %q", got)
	}
	if got := o.Stopped(); !slices.Equal(got, []string{"LOCK"}) {
		t.Errorf("stopped: %q", got)
	}
	o.Whole = false
	if got := o.NeverRecorded(); got != nil {
		t.Errorf("a pass that is not over knows of no never: %q", got)
	}
}

// Only a path names a copy in audit.log: a download proves a grade.
func TestAgree(t *testing.T) {
	graded, other := grading.CopyRef{ID: "aa-1", Anon: "A-1"}, grading.CopyRef{ID: "aa-2", Anon: "A-2"}
	o := Overview{Rows: []Row{
		{Problem: Problem{Kind: Missing, Action: "FINALIZE"}, Copy: graded},
		{Problem: Problem{Kind: Missing, Action: "LOCK"}, Copy: other},
	}}
	line := func(logger, id, tail string) logs.Line {
		return logs.Line{Logger: logger, CopyID: id, Path: "/api/grading/copies/" + id + "/" + tail}
	}
	a := Agree(o, []logs.Line{line("audit", "aa-1", "final-pdf/"), line("audit", "aa-1", "final-pdf/"), line("audit", "aa-2", "final-pdf/"),
		line("django", "aa-1", "final-pdf/"), line("audit", "", "login/")})
	if diff := cmp.Diff(Agreement{3, []grading.CopyRef{graded}}, a); diff != "" {
		t.Error(diff)
	}
	if says := strings.Join(a.Says(), " "); !strings.Contains(says, "A-1 was downloaded") {
		t.Error(says)
	}
	if says := strings.Join(Agree(o, nil).Says(), " "); !strings.Contains(says, "None of the newest log lines") {
		t.Error(says)
	}
}
