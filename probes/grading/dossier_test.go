package grading

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func points(f float64) *float64 { return &f }

func TestDossier(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect, labtest.NoScores)
		now := db.Now()
		u := db.AddUser("jmartin")
		since := now.Add(-20 * time.Minute)
		id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED", Exam: db.AddExam("Maths"), Pages: 4, LockedBy: u, LockedAt: since, Corrector: u, Retries: 1})
		db.AddLock(lab.LockRow{Copy: id, Owner: u, Since: since, Expires: now.Add(-10 * time.Minute)})
		db.AddAnnotation(lab.AnnotationRow{Copy: id, By: u, Page: 1, Points: points(3)})
		db.AddAnnotation(lab.AnnotationRow{Copy: id, By: u, Page: 1, Points: points(-1)})
		db.AddAnnotation(lab.AnnotationRow{Copy: id, By: u, Page: 3})
		db.AddEvent(lab.EventRow{Copy: id, Action: "LOCK", Actor: u, At: since})
		db.AddEvent(lab.EventRow{Copy: id, Action: "CREATE_ANN", Actor: u, At: since.Add(time.Minute), Meta: map[string]any{"page": 1}})
		other := db.AddCopy(lab.CopyRow{Anon: "A3F2-0043"})
		db.AddAnnotation(lab.AnnotationRow{Copy: other, By: u, Page: 1, Points: points(5)})
		db.AddEvent(lab.EventRow{Copy: other, Action: "LOCK", Actor: u})

		p := probe(t, db.ReaderDSN(), Options{})
		d, err := p.Dossier(labtest.Context(t), "a3f2-0042")
		if err != nil {
			t.Fatal(err)
		}
		want := Dossier{
			Copy: CopyRef{id, "A3F2-0042"}, Status: "LOCKED", Since: since, SinceFrom: "lock", Exam: "Maths", Booklets: 1, Pages: 4, Retries: -1,
			Annotations: []PageAnnotations{{1, 2, 2}, {3, 1, 0}}, Score: "2", ScoreKnown: true,
		}
		if dialect == lab.Deployed {
			want.Retries, want.PDFSource = 1, "copies/source/copy_"+id+".pdf"
			want.LockedBy, want.LockedAt, want.Corrector = User{u, "jmartin"}, since, User{u, "jmartin"}
		}
		equal(t, "dossier", want, d, cmpopts.EquateApproxTime(time.Microsecond), cmpopts.IgnoreFields(Dossier{}, "ServerTime", "Lock", "Events", "Notes", "Missing"))
		equal(t, "timeline", []string{"CREATE_ANN A3F2-0042 jmartin page 1", "LOCK A3F2-0042 jmartin token"}, shownFirst(d.Events))
		if d.Lock == nil || !d.Lock.Expired || d.Lock.Owner.Name != "jmartin" || len(d.Lock.TokenPrefix) != 8 {
			t.Errorf("lock: %+v", d.Lock)
		}
		contains(t, strings.Join(d.Notes, "\n"), "The lock has expired")
		if d.ServerTime.IsZero() {
			t.Error("no server time")
		}
		for _, ref := range []string{id, strings.ToUpper(id), id[:13], "A3F2-0042 "} {
			if again, err := p.Dossier(labtest.Context(t), ref); err != nil || again.Copy.ID != id {
				t.Errorf("%q: %v %v", ref, again.Copy, err)
			}
		}
	})
}

// shownFirst drops the words after "token", which are random.
func shownFirst(events []Event) []string {
	out := shown(events)
	for i, s := range out {
		if strings.Contains(s, "LOCK") {
			out[i] = strings.TrimSpace(s) + " token"
		}
	}
	return out
}

func TestFind(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	for _, anon := range []string{"A3F2-0017", "A3F2-0019", "B771-0001", "B771-00015", "x%y_z"} {
		db.AddCopy(lab.CopyRow{Anon: anon})
	}
	p := probe(t, db.ReaderDSN(), Options{})
	tests := []struct{ id, found, says string }{
		{"A3F2-0017", "A3F2-0017", ""},
		{"b771-0001", "B771-0001", ""}, // exact beats the longer one
		{"a3f2-0019", "A3F2-0019", ""},
		{"x%", "x%y_z", ""},
		{"X", "x%y_z", ""},
		{"a3f2", "", "several copies begin with a3f2: A3F2-0017, A3F2-0019"},
		{"A3F2-0018", "", "no copy is called A3F2-0018. Near it: A3F2-0017, A3F2-0019"},
		{"%", "", "no copy is called %"},
		{"", "", "no copy is called"},
		{"' or true --", "", "no copy is called ' or true --"},
		{"a\x1b[31m", "", `no copy is called a\x1b[31m`},
	}
	for _, tt := range tests {
		got, err := p.Find(labtest.Context(t), tt.id)
		if got.Anon != tt.found || (err == nil) != (tt.found != "") {
			t.Errorf("%q: %+v, %v", tt.id, got, err)
		}
		if err != nil {
			contains(t, err.Error(), tt.says)
		}
	}
	_, err := p.Find(labtest.Context(t), "A3F2")
	var many *Ambiguous
	if !errors.As(err, &many) || len(many.Matches) != 2 || many.More {
		t.Errorf("%v, want an *Ambiguous", err)
	}
	_, err = p.Find(labtest.Context(t), "nothing like it")
	var none *NotFound
	if !errors.As(err, &none) {
		t.Errorf("%v, want a *NotFound", err)
	}
}

func TestScores(t *testing.T) {
	row := func(p scoreParts) *scoreParts { return &p }
	has := func(fields ...Field) *Schema {
		s := &Schema{Columns: map[Field]Column{}}
		for _, f := range append(fields, AnnCopy, AnnPoints) {
			s.Columns[f] = Column{}
		}
		return s
	}
	tests := []struct {
		name   string
		parts  *scoreParts
		schema *Schema
		want   string
		known  bool
	}{
		{"annotations", row(scoreParts{annotations: 12}), has(), "12", true},
		{"nothing yet", row(scoreParts{}), has(), "0", true},
		{"question scores are added", row(scoreParts{annotations: 12, questions: 2.005}), has(QScoreCopy, QScoreValue), "14.01 (annotations 12 + questions 2)", true},
		{"scores_data instead", row(scoreParts{annotations: 12, rows: []string{`{"1a": 4, "1b": "2.5", "2": "", "3": null}`}}), has(ScoreCopy, ScoreData), "6.5 (question scores)", true},
		{"empty scores_data", row(scoreParts{annotations: 12, rows: []string{`{}`}}), has(ScoreCopy, ScoreData), "12", true},
		{"a text that is no number", row(scoreParts{annotations: 12, rows: []string{`{"1": "abs"}`}}), has(ScoreCopy, ScoreData), "", false},
		{"no object", row(scoreParts{rows: []string{`[1]`}}), has(ScoreCopy, ScoreData), "", false},
		{"points cannot be read", row(scoreParts{}), &Schema{}, "", false},
		{"scores cannot be read", row(scoreParts{}), &Schema{Columns: has().Columns, Denied: map[string]bool{tableScore: true}}, "", false},
	}
	for _, tt := range tests {
		if got, known := tt.parts.total(tt.schema); known != tt.known || !strings.HasPrefix(got, strings.Split(tt.want, " (annotations")[0]) {
			t.Errorf("%s: %q %v, want %q %v", tt.name, got, known, tt.want, tt.known)
		}
	}
}

func TestScoresOfBothGenerations(t *testing.T) {
	old := labtest.Postgres(t, lab.Deployed, labtest.NoScores, labtest.QuestionScores)
	recent := labtest.Postgres(t, lab.Deployed)
	for _, tt := range []struct {
		db   *labtest.DB
		want string
	}{{old, "14.5 (annotations 12 + questions 2.5)"}, {recent, "7 (question scores)"}} {
		u := tt.db.AddUser("u")
		id := tt.db.AddCopy(lab.CopyRow{})
		tt.db.AddAnnotation(lab.AnnotationRow{Copy: id, By: u, Points: points(12)})
		if tt.db == old {
			tt.db.AddQuestionScore(lab.QuestionScoreRow{Copy: id, Question: "1", Score: 2.5, By: u})
		} else {
			tt.db.AddScore(lab.ScoreRow{Copy: id, Data: map[string]any{"1": 4, "2": "3"}})
		}
		d, err := probe(t, tt.db.ReaderDSN(), Options{}).Dossier(labtest.Context(t), id)
		if err != nil || d.Score != tt.want {
			t.Errorf("%q, %v; want %q", d.Score, err, tt.want)
		}
	}
}

func TestNotes(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	u := db.AddUser("jmartin")
	twice := db.AddCopy(lab.CopyRow{Status: "LOCKED", LockedBy: u, Pages: 0})
	for range 2 {
		db.AddEvent(lab.EventRow{Copy: twice, Action: "FINALIZE", Actor: u})
	}
	graded := db.AddCopy(lab.CopyRow{Status: "GRADED", Pages: 2})
	db.AddLock(lab.LockRow{Copy: graded, Owner: u})
	p := probe(t, db.ReaderDSN(), Options{Locks: LocksOn})
	for id, want := range map[string][]string{
		twice:  {"2 FINALIZE events by jmartin", "LOCKED without a lock row", "No page: a finalization fails"},
		graded: {"GRADED with a lock row", "GRADED without a final PDF"},
	} {
		d, err := p.Dossier(labtest.Context(t), id)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, strings.Join(d.Notes, "\n"), want...)
		equal(t, "notes", len(want), len(d.Notes))
	}
}

// What the role may not read is said, and the rest is there.
func TestDossierOfAPoorRole(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "READY"})
	d, err := probe(t, db.RoleDSN("SELECT (id, status, anonymous_id) ON exams_copy"), Options{}).Dossier(labtest.Context(t), "A3F2-0042")
	if err != nil || d.Status != "READY" || d.Pages != -1 || d.Booklets != -1 || d.Retries != -1 || d.ScoreKnown {
		t.Errorf("%+v, %v", d, err)
	}
	contains(t, strings.Join(d.Missing, "\n"), "may not read exams_exam", "may not read grading_copylock", "may not read auth_user")
}
