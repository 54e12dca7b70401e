package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/actions/sessions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// stage is a bench whose set holds the sessions, too.
type stage struct {
	*bench.Bench
	t     testing.TB
	probe *activity.Probe
}

func newStage(t testing.TB, o bench.Options) *stage {
	t.Helper()
	if o.Timings.Sessions == (sessions.Timings{}) {
		o.Timings.Sessions = sessions.Timings{Poll: 20 * time.Millisecond}
	}
	b := bench.New(t, o)
	if o.DSN == "" {
		o.DSN = b.DSN()
	}
	reader := postgres.NewReader(postgres.Config{ConnString: o.DSN})
	t.Cleanup(func() {
		if err := reader.Close(labtest.Context(t)); err != nil {
			t.Error(err)
		}
	})
	return &stage{b, t, activity.New(reader)}
}

func (s *stage) set() probes.Set {
	s.t.Helper()
	payload, err := s.probe.Sample(labtest.Context(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return probes.NewSet(append(s.Bench.Set().Snapshots(), probes.Snapshot{ID: activity.ID, Source: probes.Postgres, Seq: 1, Payload: payload})...)
}

func (s *stage) plan(action string, t actions.Target, choice string) actions.Plan {
	s.t.Helper()
	p, err := s.Runner.Plan(labtest.Context(s.t), s.set(), action, t, choice)
	if err != nil {
		s.t.Fatalf("plan %s: %v", action, err)
	}
	return p
}

// refused plans and gives the refusal, which has to say so.
func (s *stage) refused(action string, t actions.Target, want string) {
	s.t.Helper()
	var no *actions.Refusal
	if _, err := s.Runner.Plan(labtest.Context(s.t), s.set(), action, t, ""); !errors.As(err, &no) || !strings.Contains(no.Error(), want) {
		s.t.Errorf("%s is not refused for %q: %v", action, want, err)
	}
}

// client is a session that an action is aimed at.
type client struct {
	t    testing.TB
	conn *pgx.Conn
	pid  int
}

func connect(t testing.TB, dsn, app string) *client {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.RuntimeParams["application_name"] = app
	conn, err := pgx.ConnectConfig(labtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(labtest.Context(t)) })
	return &client{t, conn, int(conn.PgConn().PID())}
}

func (c *client) does(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.conn.Exec(labtest.Context(c.t), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// begins sends a statement and gives what it ends with.
func (c *client) begins(sql string) <-chan error {
	ctx, cancel := context.WithCancel(labtest.Context(c.t))
	ended := make(chan error, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, err := c.conn.Exec(ctx, sql)
		ended <- err
	}()
	c.t.Cleanup(func() { cancel(); <-over })
	return ended
}

// is awaits a state of the session, as PostgreSQL says it.
func (c *client) is(db *labtest.DB, where string) {
	c.t.Helper()
	labtest.Eventually(c.t, func() bool {
		return labtest.Get[bool](db, "select exists (select from pg_stat_activity where pid = $1 and "+where+")", c.pid)
	})
}

func (c *client) target(s *stage) actions.Target {
	c.t.Helper()
	start := labtest.Get[int64](s.DB, "select (extract(epoch from backend_start) * 1000000)::bigint from pg_stat_activity where pid = $1", c.pid)
	return actions.Target{Kind: actions.OnSession, ID: fmt.Sprintf("%d/%d", c.pid, start), Label: fmt.Sprint(c.pid)}
}

// dead tells whether the client's session was ended by the server.
func (c *client) dead() bool {
	_, err := c.conn.Exec(labtest.Context(c.t), "select 1")
	return err != nil && c.conn.IsClosed()
}

func code(err error) string {
	var pg *pgconn.PgError
	errors.As(err, &pg)
	if pg == nil {
		return ""
	}
	return pg.Code
}

func says(p actions.Plan) string {
	return strings.Join(append(append([]string{p.Title}, p.Says...), p.Warnings...), "\n")
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}
