package activity

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// probe reads through a Reader that is closed with the test.
func probe(t testing.TB, dsn string) *Probe {
	t.Helper()
	r := postgres.NewReader(postgres.Config{ConnString: dsn})
	t.Cleanup(func() {
		if err := r.Close(labtest.Context(t)); err != nil {
			t.Errorf("close the reader: %v", err)
		}
	})
	return New(r)
}

func sample(t testing.TB, p *Probe) Overview {
	t.Helper()
	v, err := p.Sample(labtest.Context(t))
	if err != nil {
		t.Fatalf("sample: %v", err)
	}
	return v.(Overview)
}

// client is a session of a test, ended with it.
type client struct {
	t    testing.TB
	conn *pgx.Conn
	pid  int
}

// connect opens a session; app is its application_name. Statements go as
// Django's driver sends them: their values in the text.
func connect(t testing.TB, dsn, app string) *client {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	if app != "" {
		cfg.RuntimeParams["application_name"] = app
	}
	conn, err := pgx.ConnectConfig(labtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t, conn, int(conn.PgConn().PID())}
	t.Cleanup(func() { conn.Close(labtest.Context(t)) })
	return c
}

// does runs a statement to its end.
func (c *client) does(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.conn.Exec(labtest.Context(c.t), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// begins sends a statement that does not come to its end before the test does.
func (c *client) begins(sql string, args ...any) {
	ctx, cancel := context.WithCancel(labtest.Context(c.t))
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = c.conn.Exec(ctx, sql, args...) // its end is the test's
	}()
	c.t.Cleanup(func() { cancel(); <-over })
}

// waiting awaits that a session waits for a lock, as PostgreSQL itself sees it.
func waiting(t testing.TB, db *labtest.DB, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		labtest.Eventually(t, func() bool {
			return labtest.Get[bool](db, `select cardinality(pg_blocking_pids($1)) > 0 and exists (select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock')`, pid)
		})
	}
}

// psql asks the program that the playbook uses, as superuser, and gives the
// lines of its answer.
func psql(t testing.TB, db *labtest.DB, sql string) []string {
	t.Helper()
	return psqlAs(t, db.DSN(), sql)
}

func psqlAs(t testing.TB, dsn, sql string) []string {
	t.Helper()
	labtest.Need(t, "psql")
	program, err := lab.Program("psql")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(labtest.Context(t), program, "-XAt", "-d", dsn, "-c", sql).CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// find gives the session of a pid, which has to be there.
func find(t testing.TB, o Overview, pid int) Session {
	t.Helper()
	s, ok := o.Find(pid)
	if !ok {
		t.Fatalf("session %d is not there: %+v", pid, o.Sessions)
	}
	return *s
}

// tree gives the chains that hold one of the sessions, as "1>2>3 4".
func tree(o Overview, names map[int]string) string {
	var b strings.Builder
	for _, l := range o.Chains {
		if name := names[l.PID]; name != "" {
			fmt.Fprintf(&b, "%s%s", strings.Repeat(">", l.Depth), name)
			for _, a := range l.Also {
				b.WriteString("+" + names[a])
			}
			fmt.Fprintf(&b, "(%d) ", l.Blocks)
		}
	}
	return strings.TrimSpace(b.String())
}

func equal(t *testing.T, what string, want, got any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func both(t *testing.T, run func(*testing.T, lab.Dialect)) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) { run(t, d) })
	}
}
