package explain

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// bench is a database with a table of 30,000 events and a reader of a role.
type bench struct {
	*labtest.DB
	t      *testing.T
	reader *postgres.Reader
}

func newBench(t *testing.T, dsn func(*labtest.DB) string) bench {
	t.Helper()
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec(`CREATE TABLE big AS SELECT g AS id, g % 7 AS kind, repeat('x', 40) AS note FROM generate_series(1, 30000) g`)
	db.Exec(`CREATE INDEX big_id ON big (id)`)
	db.Exec(`CREATE SEQUENCE counter`)
	db.Exec(`CREATE FUNCTION quiet(n int) RETURNS int LANGUAGE sql STABLE AS 'SELECT n + 1'`)
	db.Exec(`CREATE FUNCTION noisy(n int) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT nextval(''counter'')'`)
	db.Exec(`CREATE VIEW hides AS SELECT noisy(id) AS n FROM big`)
	db.Exec(`GRANT SELECT ON big, hides TO ` + labtest.ReaderRole)
	db.Exec(`ANALYZE big`)
	b := bench{db, t, postgres.NewReader(postgres.Config{ConnString: dsn(db)})}
	t.Cleanup(func() {
		if err := b.reader.Close(labtest.Context(t)); err != nil {
			t.Error(err)
		}
	})
	return b
}

func admin(db *labtest.DB) string { return db.DSN() }

// plan explains and, whatever came of it, looks that nothing is left behind on
// the connection that all probes share.
func (b bench) plan(text string, how func(context.Context, pgx.Tx, string) (Plan, error)) (p Plan, err error) {
	b.t.Helper()
	ctx := labtest.Context(b.t)
	err = b.reader.Tx(ctx, func(tx pgx.Tx) (err error) {
		p, err = how(ctx, tx, text)
		return err
	})
	left := b.reader.Tx(ctx, func(tx pgx.Tx) error {
		var n int
		var mode string
		if err := tx.QueryRow(ctx, "select count(*), current_setting('plan_cache_mode') from pg_prepared_statements").Scan(&n, &mode); err != nil {
			return err
		}
		if n != 0 || mode != "auto" {
			b.t.Errorf("%s: leaves %d prepared statements, plan_cache_mode %s", text, n, mode)
		}
		return nil
	})
	if left != nil {
		b.t.Error(left)
	}
	if g := b.reader.Generation(); g != 1 {
		b.t.Errorf("%s: the connection was lost (%d)", text, g)
	}
	return p, err
}

func text(p Plan) string {
	var all []string
	for _, l := range p.Lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, "\n")
}

// The plan is the one that psql shows.
func TestReadIsThePlanOfPsql(t *testing.T) {
	b := newBench(t, admin)
	for _, sql := range []string{
		"SELECT * FROM big WHERE id = 7", "SELECT count(*) FROM big WHERE kind = 3", "WITH x AS (SELECT 1 AS one) SELECT * FROM x", "VALUES (1), (2)",
		"SELECT 1 -- with a comment", "INSERT INTO big VALUES (1, 2, 'x')", "UPDATE big SET kind = 1 WHERE id = 3", "DELETE FROM big WHERE id = 3",
	} {
		rows, err := b.Pool.Query(labtest.Context(t), "EXPLAIN "+sql)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.plan(sql, Read)
		if err != nil || text(p) != strings.Join(lines, "\n") || p.Parameters != 0 || p.Measured {
			t.Errorf("%s: %v\n%s\nwant\n%s", sql, err, text(p), strings.Join(lines, "\n"))
		}
	}
	if n := labtest.Get[int](b.DB, "SELECT count(*)::int FROM big"); n != 30000 {
		t.Errorf("a plan changed the table: %d rows", n)
	}
}

// Statements as pg_stat_statements keeps them have parameters and no values.
func TestReadWithParameters(t *testing.T) {
	b := newBench(t, admin)
	for sql, want := range map[string]struct {
		parameters int
		node, loud string
	}{
		"SELECT * FROM big WHERE id = $1":                                    {1, "Index Scan using big_id", ""},
		"SELECT note FROM big WHERE kind = $1 LIMIT $2":                      {2, "Seq Scan on big", "reads all of big, about 30,000 rows"},
		"UPDATE exams_copy SET status = $1 WHERE id = $2":                    {2, "Update on exams_copy", ""},
		"SELECT * FROM exams_copy WHERE status IN ($1, $2) ORDER BY $3::int": {3, "Seq Scan on exams_copy", ""},
	} {
		p, err := b.plan(sql, Read)
		louds := strings.Join(p.Louds(), "|")
		if err != nil || p.Parameters != want.parameters || !strings.Contains(text(p), want.node) || louds != want.loud {
			t.Errorf("%s: %v, %d parameters, loud %q\n%s", sql, err, p.Parameters, louds, text(p))
		}
		if want.parameters > 0 && strings.Contains(sql, "big") && !strings.Contains(text(p), "$1") {
			t.Errorf("%s: the plan is for one value, not for any:\n%s", sql, text(p))
		}
	}
}

func TestWhatIsNoStatementIsASentence(t *testing.T) {
	b := newBench(t, admin)
	for sql, want := range map[string]string{
		"":                                  "There is no statement.",
		"SELEC 1":                           `PostgreSQL cannot read it: syntax error at or near "SELEC" (character 1).`,
		"SELECT * FROM big WHERE":           "cannot read it: syntax error at end of input",
		"SELECT 1; DROP TABLE big":          "There is more than one statement.",
		"SELECT 1; SELECT 2":                "There is more than one statement.",
		"SELECT 1) SELECT 2":                "syntax error",
		"begin":                             "syntax error",
		"CREATE TABLE x AS SELECT 1":        "syntax error",
		"EXPLAIN ANALYZE DELETE FROM big":   "syntax error",
		"SELECT * FROM nowhere":             `relation "nowhere" does not exist (character 15)`,
		"SELECT $1":                         "", // text
		"SELECT $1 + $2":                    "operator is not unique",
		"SELECT interval $1":                "PostgreSQL cannot read it",
		"SELECT '\x1b[31m' FROM no\x1b[2Jw": "cannot read it",
		strings.Repeat("x", maxText+1):      "longer than 100 kB",
	} {
		_, err := b.plan(sql, Read)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", sql, err)
		case want != "" && (!IsRefused(err) || !strings.Contains(err.Error(), want)):
			t.Errorf("%.60q: %v, want %q", sql, err, want)
		case err != nil && strings.ContainsAny(err.Error(), "\x1b\n"):
			t.Errorf("%q: a control byte in %q", sql, err)
		}
	}
	if n := labtest.Get[int](b.DB, "SELECT count(*)::int FROM big"); n != 30000 {
		t.Errorf("the table has %d rows", n)
	}
}

func TestMeasure(t *testing.T) {
	b := newBench(t, admin)
	p, err := b.plan("SELECT id FROM big WHERE kind = 3 ORDER BY note, id", Measure)
	if err != nil || !p.Measured || !strings.Contains(text(p), "actual time=") || !strings.Contains(text(p), "Execution Time") {
		t.Fatalf("%v\n%s", err, text(p))
	}
	if !strings.Contains(strings.Join(p.Louds(), "|"), "reads all of big, about 30,000 rows") || !strings.Contains(strings.Join(p.Louds(), "|"), "to throw them away") {
		t.Errorf("loud is %q\n%s", p.Louds(), text(p))
	}
	if p, err = b.plan("SELECT id FROM big WHERE id = $1", Measure); err != nil || p.Parameters != 1 || !strings.Contains(text(p), "rows=0") {
		t.Errorf("with NULL for the parameter: %v\n%s", err, text(p))
	}
	if p, err = b.plan("SELECT random(), clock_timestamp(), lower(note), now() FROM big WHERE note <> 'nextval(1)' LIMIT 1", Measure); err != nil {
		t.Errorf("harmless functions: %v", err)
	}
}

// What would write or act is refused, and did not: the sequence stands still,
// the victim lives.
func TestMeasureRefuses(t *testing.T) {
	b := newBench(t, admin)
	victim, err := b.Pool.Acquire(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Release()
	var pid string
	if err := victim.QueryRow(labtest.Context(t), "select pg_backend_pid()::text").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"DELETE FROM big":                    "The statement writes",
		"INSERT INTO big VALUES (1, 1, 'x')": "The statement writes",
		"UPDATE big SET kind = $1":           "The statement writes",
		"WITH gone AS (DELETE FROM big RETURNING id) SELECT count(*) FROM gone": "The statement writes",
		"SELECT * FROM big WHERE id = 1 FOR UPDATE":                             "locks rows",
		"SELECT nextval('counter')":                                             "nextval",
		`SELECT "nextval"('counter')`:                                           "nextval",
		"SELECT pg_catalog . nextval /* */ ('counter')":                         "",
		"SELECT pg_terminate_backend(" + pid + ")":                              "pg_terminate_backend",
		"SELECT * FROM pg_terminate_backend(" + pid + ")":                       "pg_terminate_backend",
		"SELECT lo_import('/etc/hostname')":                                     "lo_import",
		"SELECT pg_advisory_lock(1)":                                            "pg_advisory_lock",
		"SELECT set_config('work_mem', '1GB', false)":                           "set_config",
		"SELECT noisy(1)":                                                       "noisy",
		"SELECT count(n) FROM hides":                                            "nextval",
		"SELECT id FROM big WHERE noisy(id) > 3":                                "noisy",
		"SELECT id FROM big ORDER BY (SELECT nextval('counter'))":               "nextval",
		"SELECT quiet(id) FROM big":                                             "quiet",
	} {
		_, err := b.plan(sql, Measure)
		if !IsRefused(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	if labtest.Get[bool](b.DB, "SELECT is_called FROM counter") {
		t.Error("the sequence moved")
	}
	if err := victim.Conn().Ping(labtest.Context(t)); err != nil {
		t.Errorf("the session was ended: %v", err)
	}
	if n := labtest.Get[int](b.DB, "SELECT count(*)::int FROM big"); n != 30000 {
		t.Errorf("the table has %d rows", n)
	}
}

// What a plan does not show, or what one can hide from who reads it.
func TestMeasureRefusesWhatIsHidden(t *testing.T) {
	b := newBench(t, admin)
	for _, sql := range []string{
		`CREATE TABLE odd AS SELECT null::text AS "a'b"`,
		`CREATE VIEW limited AS SELECT id FROM big LIMIT length(set_config('gradecockpit.acted', 'yes', false))`,
		`CREATE VIEW listed AS SELECT * FROM (VALUES (set_config('gradecockpit.acted', 'yes', false)), ('b')) v(x)`,
		`CREATE VIEW around AS SELECT * FROM limited`,
		`CREATE FUNCTION "Odd name"() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN set_config('gradecockpit.acted', 'yes', false); END $$`,
		`CREATE FUNCTION random(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN set_config('gradecockpit.acted', 'yes', false); END $$`,
		`CREATE EXTENSION file_fdw`, `CREATE SERVER files FOREIGN DATA WRAPPER file_fdw`,
		`CREATE FOREIGN TABLE printed (line text) SERVER files OPTIONS (program 'echo x')`,
	} {
		b.Exec(sql)
	}
	const act = `('gradecockpit.acted', 'yes', false)`
	for sql, want := range map[string]string{
		`SELECT coalesce("a'b", set_config` + act + `) FROM odd`:             "It calls set_config",
		`SELECT id FROM big LIMIT length(set_config/**/` + act + `)`:         "It calls set_config",
		"SELECT id FROM big LIMIT length(set_config -- '\n" + act + `)`:      "It calls set_config",
		`SELECT id, E'\'' FROM big LIMIT length(set_config` + act + `) -- '`: "It calls set_config",
		`SELECT id, $$'$$ FROM big LIMIT length(set_config` + act + `) -- '`: "It calls set_config",
		`SELECT 1 /* /* */ ' */ LIMIT length(set_config` + act + `) -- '`:    "It calls set_config",
		`SELECT id FROM big LIMIT length(U&"set\005fconfig"` + act + `)`:     "a name written with U&",
		`SELECT id FROM limited`:      "It calls set_config",
		`SELECT x FROM listed`:        "It calls set_config",
		`SELECT count(*) FROM around`: "It calls set_config",
		`SELECT "Odd name"()`:         "It calls Odd name",
		`SELECT random(1)`:            "It calls random",
		`SELECT line FROM printed`:    "It reads a foreign table",
		"SELECT 1\x00; SELECT 2":      "NUL byte",
		`SELECT query_to_xml('select set_config` + "(''a.b'', ''c'', false)', true, true, '')": "It calls query_to_xml",
	} {
		_, err := b.plan(sql, Measure)
		if !IsRefused(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	_, err := b.plan("SELECT count(*) FROM big", Measure)
	if err != nil {
		t.Errorf("and what is plain runs: %v", err)
	}
}

// Operators, casts, aggregates and domains run functions that no plan names.
func TestMeasureRefusesWhatOperatorsConceal(t *testing.T) {
	for sql, make := range map[string][]string{
		"SELECT note @@@@ note FROM big": {`CREATE FUNCTION acts(text, text) RETURNS text LANGUAGE sql STABLE AS 'SELECT set_config(''a.b'', $1, false)'`,
			`CREATE OPERATOR @@@@ (leftarg = text, rightarg = text, function = acts)`},
		"SELECT id::wrapped FROM big": {`CREATE TYPE wrapped AS (x int)`,
			`CREATE FUNCTION acts(int) RETURNS wrapped LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM set_config(''a.b'', ''c'', false); RETURN row($1); END'`,
			`CREATE CAST (int AS wrapped) WITH FUNCTION acts(int)`},
		"SELECT id::checked FROM big": {`CREATE FUNCTION acts(int) RETURNS bool LANGUAGE sql AS 'SELECT set_config(''a.b'', ''c'', false) IS NOT NULL'`,
			`CREATE DOMAIN checked AS int CHECK (acts(VALUE))`},
		"SELECT folded(id) FROM big": {`CREATE FUNCTION acts(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM set_config(''a.b'', ''c'', false); RETURN $1; END'`,
			`CREATE AGGREGATE folded(int) (sfunc = acts, stype = int)`},
	} {
		t.Run(sql, func(t *testing.T) {
			b := newBench(t, admin)
			if _, err := b.plan("SELECT count(*) FROM big", Measure); err != nil {
				t.Fatal(err)
			}
			for _, m := range make {
				b.Exec(m)
			}
			if _, err := b.plan(sql, Measure); !IsRefused(err) || !strings.Contains(err.Error(), "acts") {
				t.Errorf("%v", err)
			}
			if p, err := b.plan(sql, Read); err != nil || len(p.Lines) == 0 {
				t.Errorf("its plan: %v", err)
			}
		})
	}
}

// The read-only transaction is the guard behind the guard.
func TestTheTransactionStopsWrites(t *testing.T) {
	b := newBench(t, admin)
	ctx := labtest.Context(t)
	err := b.reader.Tx(ctx, func(tx pgx.Tx) error {
		return with(ctx, tx, "DELETE FROM big", func(execute string, _ int) error {
			_, err := tx.Exec(ctx, "EXPLAIN (ANALYZE) "+execute)
			return err
		})
	})
	if !IsRefused(err) || !strings.Contains(err.Error(), "cannot execute DELETE in a read-only transaction") {
		t.Errorf("%v", err)
	}
}

// A statement that would run for hours ends at the limit, and the connection
// goes on.
func TestMeasureHasATimeLimit(t *testing.T) {
	b := newBench(t, admin)
	_, err := b.plan("SELECT count(*) FROM big a, big b, big c", func(ctx context.Context, tx pgx.Tx, text string) (p Plan, err error) {
		err = with(ctx, tx, text, func(execute string, _ int) error {
			if _, err := tx.Exec(ctx, "set local statement_timeout = 50"); err != nil {
				return err
			}
			return p.show(ctx, tx, "ANALYZE", execute)
		})
		return p, err
	})
	if !IsRefused(err) || !strings.Contains(err.Error(), "time limit") {
		t.Errorf("%v", err)
	}
}

func TestWhatTheRoleMayNotReadIsASentence(t *testing.T) {
	b := newBench(t, func(db *labtest.DB) string { return db.RoleDSN() })
	_, err := b.plan("SELECT * FROM exams_copy WHERE id = $1", Read)
	if !IsRefused(err) || !strings.Contains(err.Error(), "permission denied for table exams_copy") || !strings.Contains(err.Error(), "GRANT SELECT") {
		t.Errorf("%v", err)
	}
	if p, err := b.plan("SELECT 1", Read); err != nil || len(p.Lines) == 0 {
		t.Errorf("%v", err)
	}
}

// Through a pooler in transaction mode the preparation is taken back in the
// transaction that made it.
func TestThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Playbook)
	dsn, _ := labtest.PgBouncer(t, db)
	reader := postgres.NewReader(postgres.Config{ConnString: dsn})
	defer reader.Close(labtest.Context(t))
	for range 3 {
		ctx := labtest.Context(t)
		err := reader.Tx(ctx, func(tx pgx.Tx) error {
			p, err := Read(ctx, tx, "SELECT * FROM exams_copy WHERE status = $1")
			if err == nil && p.Parameters != 1 {
				t.Errorf("%d parameters", p.Parameters)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoud(t *testing.T) {
	sizes := map[string]relation{"big": {rows: 120_000}, "small": {rows: 40, pages: 1}, "bloated": {rows: 12, pages: 5000}}
	for line, want := range map[string]string{
		"Seq Scan on big  (cost=0.00..1.01 rows=1 width=4)":                                                       "reads all of big, about 120,000 rows",
		"  ->  Parallel Seq Scan on bloated b  (cost=0.00..1.01 rows=1 width=4)":                                  "reads all of bloated, about 12 rows",
		"Seq Scan on small  (cost=0.00..1.01 rows=1 width=4)":                                                     "",
		"  Sort Method: external merge  Disk: 51200kB":                                                            "sorts on disk (51,200 kB): work_mem is too small for it",
		"  Sort Method: quicksort  Memory: 25kB":                                                                  "",
		"  Buckets: 1024  Batches: 8  Memory Usage: 40kB":                                                         "the hash table does not fit into work_mem: 8 batches",
		"  Buckets: 1024 (originally 1024)  Batches: 1 (originally 1)  Memory Usage: 40kB":                        "",
		"  Rows Removed by Filter: 25714":                                                                         "reads 25,714 rows to throw them away",
		"Index Scan using i on t  (cost=0.29..8.31 rows=1 width=8) (actual time=0.01..9.02 rows=1200 loops=1)":    "planned 1 rows, got 1,200",
		"Index Scan using i on t  (cost=0.29..8.31 rows=5000 width=8) (actual time=0.01..0.02 rows=0.00 loops=1)": "planned 5,000 rows, got 0",
		"Index Scan using i on t  (cost=0.29..8.31 rows=1 width=8) (actual time=0.01..0.02 rows=1 loops=40000)":   "runs 40,000 times",
		"Index Scan using i on t  (cost=0.29..8.31 rows=500 width=8) (never executed)":                            "",
		"Nested Loop  (cost=0.29..8.31 rows=400000 width=8)":                                                      "expects 400,000 rows",
	} {
		if got := loud(line, sizes); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
