package grading

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func schema(t *testing.T, dsn string) *Schema {
	t.Helper()
	s, err := probe(t, dsn, Options{}).EnsureSchema(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// names gives the column that each of some fields was found at.
func names(s *Schema, fields ...Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, s.Columns[f].Name)
	}
	return out
}

func TestDiscoverDialects(t *testing.T) {
	differing := []Field{LockOwner, LockSince, AnnPage, AnnPoints, AnnType, CopyFinalPDF, ExamName, CopyScore, CopyCreated, CopyLockedBy}
	for dialect, want := range map[lab.Dialect][]string{
		lab.Deployed: {"owner_id", "locked_at", "page_index", "score_delta", "type", "final_pdf", "name", "", "", "locked_by_id"},
		lab.Playbook: {"locked_by_id", "created_at", "page", "score", "annotation_type", "final_copy_pdf", "title", "final_score", "created_at", ""},
	} {
		db := labtest.Postgres(t, dialect)
		s := schema(t, db.DSN())
		equal(t, "columns", want, names(s, differing...))
		equal(t, "dialect", Dialect(dialect), s.Dialect)
		equal(t, "database", db.Name, s.Database)
		if s.User != lab.AdminUser || s.Replica || s.RoutedQueues || !strings.HasPrefix(s.Server, "1") || strings.Contains(s.Server, " ") {
			t.Errorf("%s: user %s, replica %v, routed %v, server %q", dialect, s.User, s.Replica, s.RoutedQueues, s.Server)
		}
		equal(t, "event columns to give", []string{"action", "actor_id", "copy_id", "id", "metadata", "timestamp"}, s.Required["grading_gradingevent"])
		equal(t, "quoted", `"public"."grading_copylock" "token"`, s.Table(LockToken)+" "+s.Col(LockToken))
	}
}

func TestDiscoverMixed(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed, labtest.RoutedQueues)
	db.Exec("alter table grading_copylock rename column owner_id to locked_by_id")
	s := schema(t, db.DSN())
	equal(t, "dialect", Mixed, s.Dialect)
	equal(t, "columns", []string{"locked_by_id", "locked_at"}, names(s, LockOwner, LockSince))
	if !s.RoutedQueues {
		t.Error("the migration that routes the queues was not seen")
	}
}

// What is missing is told with its reason; what is only denied, with the GRANT.
func TestDiscoverRights(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed, labtest.NoDrafts)
	s := schema(t, db.RoleDSN("SELECT (id, status) ON exams_copy", "SELECT, DELETE ON grading_copylock", "UPDATE (status) ON exams_copy"))
	why := func(fields ...Field) string { w, fix := s.Why(fields...); return strings.TrimSpace(w + " " + fix) }
	equal(t, "there", "", why(CopyID, CopyStatus, LockCopy))
	contains(t, why(CopyStatus, CopyAnon), "may not read exams_copy.anonymous_id.", "GRANT SELECT (anonymous_id) ON public.exams_copy TO "+s.User+";")
	contains(t, why(DraftVersion), "no table grading_draftstate")
	contains(t, why(CopyScore), "exams_copy has no column final_score")
	equal(t, "copy rights", map[string]bool{"insert": false, "update": true, "delete": false}, s.Rights["exams_copy"])
	equal(t, "lock rights", map[string]bool{"insert": false, "update": false, "delete": true}, s.Rights["grading_copylock"])
	equal(t, "update by column", []bool{true, false}, []bool{s.Columns[CopyStatus].Update, s.Columns[CopyID].Update})
	if !s.Denied["auth_user"] || s.Denied["exams_copy"] {
		t.Errorf("denied: %v", s.Denied)
	}
	equal(t, "the GRANT helps", "", func() string {
		_, fix := s.Why(CopyAnon)
		db.Exec(fix)
		again := schema(t, strings.Replace(db.DSN(), lab.AdminUser, s.User, 1))
		w, _ := again.Why(CopyAnon)
		return w
	}())
}

func TestNotGrading(t *testing.T) {
	server := labtest.Postgres(t, lab.Deployed)
	_, err := probe(t, server.Server.DSN("postgres", lab.AdminUser), Options{}).Sample(labtest.Context(t))
	var not *NotGrading
	var told *probes.Error
	if !errors.As(err, &not) || !errors.As(err, &told) {
		t.Fatalf("%v, want a *NotGrading in a *probes.Error", err)
	}
	contains(t, err.Error(), `"postgres" is not a grading database`, "exams_copy", "Check the database name")
	if !told.Denied || strings.Contains(err.Error(), "\n") {
		t.Errorf("%+v", told)
	}
}

// Tables outside the search path do not count, as for the application.
func TestSearchPath(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec("alter schema public rename to app")
	_, err := probe(t, db.DSN(), Options{}).EnsureSchema(labtest.Context(t))
	var not *NotGrading
	if !errors.As(err, &not) || not.Elsewhere != "app" {
		t.Fatalf("%v, want the schema named", err)
	}
	contains(t, err.Error(), "GRANT USAGE ON SCHEMA app TO "+lab.AdminUser)
	db.Exec("alter database " + db.Name + " set search_path = app")
	s := schema(t, db.DSN())
	equal(t, "table", `"app"."exams_copy"`, s.Table(CopyID))
	sample(t, probe(t, db.DSN(), Options{}))
}

// Names from the catalog are quoted, whatever they hold.
func TestHostileNames(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec(`create schema "a'; drop table x; --""b"`)
	for _, table := range tableNames() {
		db.Exec(`alter table if exists ` + table + ` set schema "a'; drop table x; --""b"`)
	}
	db.Exec(`alter database ` + db.Name + ` set search_path = "a'; drop table x; --""b"`)
	db.Pool.Reset() // its sessions have the old search path
	db.AddCopy(lab.CopyRow{})
	if o := sample(t, probe(t, db.DSN(), Options{})); !o.Locks.Here() || !o.Events.Here() || len(o.Status.Value) != 1 {
		t.Errorf("%+v", o)
	}
}

// Every part of the SQL composes for every subset of tables.
func TestComposeWithoutAnyTable(t *testing.T) {
	for _, gone := range tableNames() {
		db := labtest.Postgres(t, lab.Deployed, labtest.QuestionScores)
		id := db.AddCopy(lab.CopyRow{Status: "STAGING", Pages: -1})
		db.AddEvent(lab.EventRow{Copy: id, Action: "IMPORT", Actor: db.AddUser("u")})
		db.Exec("drop table " + gone + " cascade")
		p := probe(t, db.DSN(), Options{})
		o := sample(t, p)
		for part, missing := range map[string]string{
			"grading_copylock": o.Locks.Missing, "exams_copy": o.Stuck.Missing + o.Status.Missing, "grading_gradingevent": o.Events.Missing,
		} {
			if (missing != "") != (part == gone) {
				t.Errorf("without %s: %s says %q", gone, part, missing)
			}
		}
		if _, err := p.Dossier(context.WithoutCancel(t.Context()), id); (err != nil) != (gone == "exams_copy") {
			t.Errorf("without %s: dossier: %v", gone, err)
		}
		if _, err := p.Older(labtest.Context(t), Cursor{At: db.Now()}, 10); (err != nil) != (gone == "grading_gradingevent") {
			t.Errorf("without %s: older: %v", gone, err)
		}
	}
}

// Every column may be denied on its own without taking the rest along.
func TestDeniedColumns(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{Status: "STAGING", Pages: -1})
	u := db.AddUser("u")
	db.AddEvent(lab.EventRow{Copy: id, Action: "IMPORT", Actor: u})
	db.AddLock(lab.LockRow{Copy: id, Owner: u})
	full := schema(t, db.DSN())
	for field, column := range full.Columns {
		var grants []string
		for other, c := range full.Columns {
			if other != field {
				grants = append(grants, "SELECT ("+quote(c.Name)+") ON "+c.Table)
			}
		}
		slices.Sort(grants)
		p := probe(t, db.RoleDSN(grants...), Options{})
		o := sample(t, p)
		if why, fix := o.Schema.Why(field); !strings.Contains(why, column.Table+"."+column.Name) || fix == "" {
			t.Errorf("%s: %q %q", field, why, fix)
		}
		if _, err := p.Dossier(labtest.Context(t), id); (err != nil) != (field == CopyID) {
			t.Errorf("without %s: dossier: %v", field, err)
		}
	}
}
