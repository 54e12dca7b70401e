package sessions

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/activity"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

// The statement that signals hits nothing that differs in one microsecond of
// what was seen: as when a process number was given away again, which nobody
// can bring about in a test. The same session as it was seen is hit.
func TestTheSignalComparesEverything(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	w := postgres.NewWriter(postgres.Config{ConnString: db.DSN()})
	conn := func(app string) *pgx.Conn {
		cfg, err := pgx.ParseConfig(db.DSN())
		if err != nil {
			t.Fatal(err)
		}
		cfg.RuntimeParams["application_name"] = app
		c, err := pgx.ConnectConfig(labtest.Context(t), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(labtest.Context(t)) })
		if _, err := c.Exec(labtest.Context(t), "begin"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	victim, cockpit := conn("report"), conn("gradecockpit/act")
	see := func(c *pgx.Conn) (s activity.Session) {
		err := w.Read(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
			o, err := activity.Look(ctx, tx, int(c.PgConn().PID()))
			if found, ok := o.Find(int(c.PgConn().PID())); ok {
				s = *found
			}
			return err
		})
		if err != nil || s.PID == 0 {
			t.Fatal(s, err)
		}
		return s
	}
	send := func(sql string, s activity.Session) int {
		x := &sending{sql: sql, list: []activity.Session{s}}
		if err := w.Tx(labtest.Context(t), x.send); err != nil {
			t.Fatal(err)
		}
		return len(x.obeyed)
	}
	was := see(victim)
	off := func(change func(*activity.Session)) activity.Session { s := was; change(&s); return s }
	earlier := func(t *time.Time) { *t = t.Add(-time.Microsecond) }
	for name, tt := range map[string]struct {
		sql string
		s   activity.Session
	}{
		"another start":            {endSQL(true), off(func(s *activity.Session) { earlier(&s.Start) })},
		"another start, as seen":   {endSQL(false), off(func(s *activity.Session) { earlier(&s.Start) })},
		"another transaction":      {endSQL(false), off(func(s *activity.Session) { earlier(&s.Xact) })},
		"no transaction":           {endSQL(false), off(func(s *activity.Session) { s.Xact = time.Time{} })},
		"cancel what does not run": {cancelSQL(), was},
		"a cockpit":                {endSQL(true), see(cockpit)},
	} {
		if n := send(tt.sql, tt.s); n != 0 {
			t.Errorf("%s: %d sessions were signalled", name, n)
		}
	}
	if _, err := victim.Exec(labtest.Context(t), "select 1"); err != nil {
		t.Fatalf("the session was hit: %v", err)
	}
	if n := send(endSQL(false), see(victim)); n != 1 {
		t.Errorf("%d sessions were signalled, want the one", n)
	}
	if _, err := victim.Exec(labtest.Context(t), "select 1"); err == nil {
		t.Error("the session is still there")
	}
}
