package storage

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// statementsIn creates the extension, where the server has it.
func statementsIn(t *testing.T, db *labtest.DB) {
	t.Helper()
	if labtest.Get[string](db, "SHOW shared_preload_libraries") == "" {
		labtest.Missing(t, "this test needs pg_stat_statements, which is in postgresql-contrib")
	}
	db.Exec("CREATE EXTENSION pg_stat_statements")
}

// slowly runs a statement that takes a while, and a list with a lookup for each
// of its rows.
func slowly(db *labtest.DB, rounds int) {
	for range rounds {
		db.Exec("SELECT pg_sleep(0.03)")
		db.Exec("SELECT id, anonymous_id FROM exams_copy ORDER BY anonymous_id LIMIT 12")
		for i := range 12 {
			db.Exec("SELECT b.id FROM exams_booklet b JOIN exams_copy_booklets l ON b.id = l.booklet_id WHERE l.copy_id = $1", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		}
	}
}

func TestSlowStatementsAndAnNPlusOne(t *testing.T) {
	t.Parallel()
	dialects(t, func(t *testing.T, d lab.Dialect) {
		db := labtest.Postgres(t, d)
		statementsIn(t, db)
		exam := db.AddExam("maths")
		for i := range 15 {
			db.AddCopy(lab.CopyRow{Exam: exam, Anon: fmt.Sprintf("A3F2-%04d", i), Status: "READY"})
		}
		p := probe(t, monitor(db))
		slowly(db, 3)
		if first := sample(t, p); len(Suspects(first, math.NaN())) == 0 || Suspects(first, math.NaN())[0].Over != 0 {
			t.Errorf("one look finds %+v by the counts since the statistics", Suspects(first, math.NaN()))
		}
		slowly(db, 3)
		o := sample(t, p)
		if o.Statements.Why != "" || o.Statements.Hidden != 0 || !strings.Contains(o.Statements.Rows[0].Text, "pg_sleep($1)") {
			t.Fatalf("%+v", o.Statements)
		}
		s := o.Statements.Rows[0]
		if s.Calls != 6 || s.Recent.Calls != 3 || s.Mean() < 0.03 || s.Recent.Mean() < 0.03 || s.Max < 0.03 || !(s.Share > 0.05 && s.Share <= 1) || !(s.Recent.Share > 0.1 && s.Recent.Share <= 1) {
			t.Errorf("%+v", s)
		}
		calls := labtest.Get[int64](db, "SELECT sum(calls)::bigint FROM pg_stat_statements WHERE queryid = $1 AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())", s.ID)
		if calls != s.Calls {
			t.Errorf("%d calls, psql says %d", s.Calls, calls)
		}
		own := slices.DeleteFunc(slices.Clone(o.Statements.Rows), func(s Statement) bool { return !s.Own })
		if len(own) < 5 || !slices.ContainsFunc(own, func(s Statement) bool { return strings.Contains(s.Text, "pg_stat_user_tables") }) || o.Statements.Rows[0].Own {
			t.Errorf("the cockpit's own are %+v", own)
		}
		got := Suspects(o, math.NaN())
		if len(got) != 1 || !strings.Contains(got[0].Statement.Text, "exams_booklet") || got[0].Calls != 36 || got[0].PerList != 12 || !strings.Contains(got[0].List.Text, "exams_copy ORDER BY") {
			t.Errorf("suspects: %+v", got)
		}
		text, err := p.Statement(labtest.Context(t), s.ID)
		if err != nil || text != "SELECT pg_sleep($1)" {
			t.Errorf("the text is %q, %v", text, err)
		}
		if _, err := p.Statement(labtest.Context(t), 42); err != ErrNoStatement {
			t.Errorf("an unknown statement: %v", err)
		}
		db.Exec("SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()")
		slowly(db, 1)
		o = sample(t, p)
		at := slices.IndexFunc(o.Statements.Rows, func(now Statement) bool { return now.ID == s.ID })
		if at < 0 || o.Statements.Rows[at].Calls != 1 || o.Statements.Rows[at].RecentKnown {
			t.Errorf("counts before and after a reset were compared: %+v", o.Statements.Rows)
		}
	})
}

// By requests: far more calls than the application was asked for.
func TestSuspectsByRequests(t *testing.T) {
	o := Overview{Window: 10 * time.Second, Statements: Statements{Rows: []Statement{
		{ID: 1, Text: "SELECT x FROM t WHERE id = $1", RecentKnown: true, Recent: Counts{Calls: 600, Rows: 100}},
		{ID: 2, Text: "SELECT y FROM t WHERE id = $1", RecentKnown: true, Recent: Counts{Calls: 40, Rows: 40}},
		{ID: 3, Text: "UPDATE t SET x = $1", RecentKnown: true, Recent: Counts{Calls: 900}},
	}}}
	if got := Suspects(o, 4); len(got) != 1 || got[0].Statement.ID != 1 || got[0].PerRequest != 15 || got[0].List.ID != 0 {
		t.Errorf("%+v", got)
	}
	if got := Suspects(o, math.NaN()); len(got) != 0 {
		t.Errorf("without a count of requests: %+v", got)
	}
}

func TestWithoutTheExtensionItSaysWhatToDo(t *testing.T) {
	t.Parallel()
	server := labtest.Server(t, lab.PostgresOptions{Settings: map[string]string{"shared_preload_libraries": ""}})
	db := labtest.On(t, server, lab.Deployed)
	p := probe(t, db.DSN())
	o := sample(t, p)
	if !strings.Contains(o.Statements.Why, "not installed") || !strings.Contains(o.Statements.Fix, "shared_preload_libraries") || !strings.Contains(o.Statements.Fix, "CREATE EXTENSION") {
		t.Errorf("%+v", o.Statements)
	}
	if n := labtest.Get[int](db, "SELECT count(*)::int FROM pg_available_extensions WHERE name = 'pg_stat_statements'"); n == 0 {
		labtest.Missing(t, "this test needs pg_stat_statements, which is in postgresql-contrib")
	}
	db.Exec("CREATE EXTENSION pg_stat_statements")
	if o = sample(t, p); !strings.Contains(o.Statements.Why, "not loaded") {
		t.Errorf("%+v", o.Statements)
	}
}

// A pg_stat_statements that fails takes only itself away.
func TestStatementsThatFailLeaveTheRest(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	statementsIn(t, db)
	p := probe(t, monitor(db))
	if o := sample(t, p); o.Statements.Why != "" {
		t.Fatal(o.Statements.Why)
	}
	db.Exec("REVOKE SELECT ON pg_stat_statements FROM public")
	for range 2 {
		o := sample(t, p)
		if len(o.Tables) == 0 || !strings.Contains(o.Statements.Why, "cannot be read") || !strings.Contains(o.Statements.Why, "permission denied") {
			t.Errorf("%d tables, statements: %s", len(o.Tables), o.Statements.Why)
		}
	}
	db.Exec("GRANT SELECT ON pg_stat_statements TO public")
	if o := sample(t, p); o.Statements.Why != "" || len(o.Statements.Rows) == 0 {
		t.Errorf("and it is not read again: %s", o.Statements.Why)
	}
}

// The names of its columns changed in 1.8.
func TestVersionsOfTheExtension(t *testing.T) {
	for version, want := range map[string]string{"1.6": "total_time", "1.8": "total_exec_time", "1.10": "total_exec_time", "1.12": "total_exec_time"} {
		list, totals := extension{version: version, schema: "public", usage: true, loaded: true}.queries()
		if !strings.Contains(list, want+" as total") || !strings.Contains(totals, "sum("+want+")") || strings.Contains(totals, "_info") != (version != "1.6" && version != "1.8") {
			t.Errorf("%s: %s %s", version, list, totals)
		}
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1\n  FROM x":              "SELECT 1 FROM x",
		"-- why\n/* and\nhow */ SELECT 1": "SELECT 1",
		"ALTER ROLE x\nPASSWORD 'hidden'": "ALTER ROLE x PASSWORD '…'",
		"-- nothing else":                 "-- nothing else",
		"SELECT '\x1b[31m'\r\n":           `SELECT '\x1b[31m'`,
		strings.Repeat("x", maxText+1):    strings.Repeat("x", maxText-1) + "…",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
