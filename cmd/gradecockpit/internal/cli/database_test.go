package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// psql asks the database what psql would be told.
func psql[T any](s *station, sql string, args ...any) (v T) {
	s.t.Helper()
	if err := s.DB.Conn.QueryRow(labtest.Context(s.t), sql, args...).Scan(&v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// rows are those of a command's JSON, by their kind.
func (s *station) rows(kind string, args ...string) (found []map[string]any) {
	s.t.Helper()
	var report struct {
		Rows []map[string]any `json:"rows"`
	}
	got := s.run(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		s.t.Fatalf("%q: %v\n%s%s", args, err, got.out, got.err)
	}
	for _, r := range report.Rows {
		if r["kind"] == kind {
			found = append(found, r)
		}
	}
	return found
}

// The playbook's look at the database (scenario 4) has its places on the
// command line, and they say what psql says.
func TestDatabaseCommands(t *testing.T) {
	s := newStation(t)
	size := s.rows("size", "show", "database")
	if len(size) != 1 || size[0]["bytes"].(float64) < 7e6 || size[0]["growth_bytes_per_hour"] != nil {
		t.Errorf("size: %v", size)
	}
	for _, r := range s.rows("table", "tables") {
		name := r["table"].(string)
		if heap := psql[float64](s, "SELECT pg_relation_size($1::text::regclass)::float8", name); r["heap"] != heap {
			t.Errorf("%s: heap %v, psql says %v", name, r["heap"], heap)
		}
	}
	if got := s.rows("index", "indexes"); float64(len(got)) != psql[float64](s, "SELECT count(*)::float8 FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT IN ('django_migrations')") {
		t.Errorf("%d indexes", len(got))
	}
	if got := s.rows("missing index", "indexes"); len(got) == 0 || !strings.HasPrefix(got[0]["create"].(string), "CREATE INDEX CONCURRENTLY ON public.") || got[0]["matters"] != false {
		t.Errorf("missing: %v", got)
	}
	s.wants(exitOK, "log_min_duration_statement", "show", "database")
	s.wants(exitOK, "uniq_copylock_copy", "show", "table", "grading_copylock")
	s.wants(exitOK, "no table nowhere", "show", "table", "nowhere")
}

func TestStatementsAndAnNPlusOneOnTheCommandLine(t *testing.T) {
	s := newStation(t)
	if psql[int](s, "SELECT count(*)::int FROM pg_extension WHERE extname = 'pg_stat_statements'") == 0 {
		labtest.Missing(t, "this test needs pg_stat_statements, which is in postgresql-contrib")
	}
	for range 4 { // the first round of the fault is made by injecting it
		for _, step := range []func() error{
			func() error { return s.Inject(labtest.Context(t), "n-plus-one") }, func() error { return s.Heal(labtest.Context(t), "n-plus-one") },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	suspects := s.rows("n+1", "show", "database")
	if len(suspects) == 0 || !strings.Contains(suspects[0]["text"].(string), "exams_booklet") || suspects[0]["guess"] != true {
		t.Fatalf("suspects: %v", suspects)
	}
	id := suspects[0]["queryid"].(string)
	s.wants(exitOK, id, "statements")
	s.wants(exitOK, "Plan for any value of its 1 parameter", "show", "statement", id)
	s.wants(exitOK, "Plan for any value of its 1 parameter", "explain", id)
	s.wants(exitOK, "WHERE l.copy_id", "show", "statement", id)
	s.wants(exitBad, "", "show", "statement", "x")
}

func TestExplainOnTheCommandLine(t *testing.T) {
	s := newStation(t)
	sql := "SELECT * FROM exams_copy WHERE status = 'LOCKED' ORDER BY anonymous_id DESC"
	s.wants(exitOK, "Plan. It was not run.", "explain", sql)
	for statement, says := range map[string]string{
		"SELEC 1": "syntax error", "SELECT 1; SELECT 2": "more than one statement", "SELECT * FROM nowhere": "nowhere", "": "no statement", "VACUUM": "syntax error",
	} {
		got := s.wants(exitBad, "", "explain", statement)
		if !strings.Contains(got.err, says) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: %q", statement, got.err)
		}
	}
	s.wants(exitBad, "", "explain", sql, "--yes", "--reason", "x")
	s.wants(exitOK, "executed for real, in a READ ONLY transaction", "explain", sql, "--analyze")
	if kinds := s.journal(); len(kinds) != 0 {
		t.Errorf("a plan that was only shown is in the journal: %v", kinds)
	}
	got := s.wants(exitOK, "Measured: it ran for", "explain", sql, "--analyze", "--yes", "--reason", "slow list")
	if !strings.Contains(got.out, "actual time=") {
		t.Errorf("the evidence is no measured plan:\n%s", got.out)
	}
	before := psql[int](s, "SELECT count(*)::int FROM exams_copy")
	s.wants(exitRefused, "The statement writes", "explain", "DELETE FROM grading_annotation", "--analyze", "--yes", "--reason", "x")
	s.wants(exitRefused, "pg_sleep", "explain", "SELECT pg_sleep(1)", "--analyze", "--yes", "--reason", "x")
	s.wants(exitRefused, "read-only", "explain", sql, "--analyze", "--yes", "--reason", "x", "--read-only")
	if after := psql[int](s, "SELECT count(*)::int FROM exams_copy"); after != before {
		t.Errorf("%d copies, were %d", after, before)
	}
	if kinds := s.journal(); fmt.Sprint(kinds) != "[explain-analyze intent explain-analyze executed explain-analyze outcome explain-analyze refused explain-analyze refused explain-analyze refused]" {
		t.Errorf("the journal has %v", kinds)
	}
}

// A role that may only watch gets the figures and the text, and is told why
// there is no plan.
func TestDatabaseForAMonitor(t *testing.T) {
	s := newStation(t)
	admin := s.Postgres.DSN("viatique", lab.AdminUser)
	for _, sql := range []string{"CREATE ROLE watcher LOGIN", "GRANT pg_monitor TO watcher"} {
		execAs(t, admin, sql)
	}
	s.env["DATABASE_URL"] = s.Postgres.DSN("viatique", "watcher")
	if got := s.rows("size", "show", "database"); len(got) != 1 || got[0]["bytes"].(float64) < 7e6 {
		t.Errorf("size: %v", got)
	}
	got := s.wants(exitBad, "", "explain", "SELECT * FROM exams_copy")
	if !strings.Contains(got.err, "permission denied for table exams_copy") || !strings.Contains(got.err, "GRANT SELECT") {
		t.Errorf("%q", got.err)
	}
	execAs(t, admin, "REVOKE pg_monitor FROM watcher")
	got = s.wants(exitOK, "", "show", "database")
	if !strings.Contains(got.out, "GRANT pg_monitor TO watcher;") {
		t.Errorf("%s", got.out)
	}
}

// execAs runs a statement on a connection of its own.
func execAs(t *testing.T, dsn, sql string) {
	t.Helper()
	ctx := labtest.Context(t)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
