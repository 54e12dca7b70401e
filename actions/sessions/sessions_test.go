package sessions_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/actions/sessions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestCancelAQuery(t *testing.T) {
	s := newStage(t, bench.Options{})
	c := connect(t, s.DSN(), "report")
	ended := c.begins("select pg_sleep(600)")
	c.is(s.DB, "wait_event = 'PgSleep'")
	p := s.plan("cancel-query", c.target(s), "")
	contains(t, says(p), "Cancel the query of "+fmt.Sprint(c.pid), "is active for", "Its newest query: select pg_sleep(600)")
	if p.Risk != actions.Low || len(p.Steps) != 1 {
		t.Errorf("%+v", p)
	}
	got := s.Run(p)
	if got.Verdict.Kind != actions.Fixed || code(<-ended) != "57014" || c.dead() {
		t.Fatalf("%+v", got.Verdict)
	}
	if diff := cmp.Diff([]actions.RecordKind{actions.Intent, actions.Executed, actions.Outcome}, s.Kinds()); diff != "" {
		t.Error(diff)
	}
	s.refused("cancel-query", c.target(s), "runs no query")
}

// The holder of a copy is disconnected: its change is rolled back, and the one
// that waited goes on.
func TestDisconnectTheRootOfAChain(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			s := newStage(t, bench.Options{Dialect: d})
			id := s.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED", Pages: 1})
			holder, waiter := connect(t, s.DSN(), ""), connect(t, s.DSN(), "")
			holder.does("begin")
			holder.does("update exams_copy set status = 'READY' where id = '" + id + "'")
			ended := waiter.begins("update exams_copy set status = 'GRADED' where id = '" + id + "'")
			waiter.is(s.DB, "wait_event_type = 'Lock'")
			s.refused("cancel-query", holder.target(s), "to cancel does nothing")

			p := s.plan("end-session", holder.target(s), "")
			contains(t, says(p), "is idle in transaction for", "has changed or locked rows", "1 session waits for it: "+fmt.Sprint(waiter.pid), "is rolled back")
			if p.Risk != actions.High || p.Word != fmt.Sprint(holder.pid) { // it may be at work: it stands for less than a minute
				t.Errorf("%v %q", p.Risk, p.Word)
			}
			got := s.Run(p)
			if got.Verdict.Kind != actions.Fixed || !holder.dead() {
				t.Fatalf("%+v", got.Verdict)
			}
			contains(t, got.Verdict.Says, "is gone. 1 session that waited goes on.")
			if err := <-ended; err != nil || s.Status(id) != "GRADED" {
				t.Errorf("%v, status %s", err, s.Status(id))
			}
			s.refused("end-session", p.Target, "has ended")
		})
	}
}

func TestAFinalizationInFlightIsDangerous(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			s := newStage(t, bench.Options{Dialect: d})
			id, _ := s.Locked("A3F2-0019", 5*time.Minute)
			c := connect(t, s.DSN(), "")
			c.does("begin")
			c.does("update exams_copy set status = 'GRADING_IN_PROGRESS' where id = '" + id + "'")
			p := s.plan("end-session", c.target(s), "")
			contains(t, says(p), "IT FINALIZES A3F2-0019", "stays LOCKED")
			if p.Risk != actions.High {
				t.Error("it needs no word")
			}
			if got := s.Run(p); got.Verdict.Kind != actions.Fixed || s.Status(id) != "LOCKED" {
				t.Errorf("%+v, %s", got.Verdict, s.Status(id))
			}
		})
	}
}

// Reading transactions and idle sessions lose nothing: one key is enough.
func TestHarmlessDisconnects(t *testing.T) {
	s := newStage(t, bench.Options{})
	idle, reads := connect(t, s.DSN(), ""), connect(t, s.DSN(), "psql")
	idle.does("select 1")
	reads.does("begin")
	reads.does("select count(*) from exams_copy")
	for _, c := range []*client{idle, reads} {
		p := s.plan("end-session", c.target(s), "")
		if got := s.Run(p); p.Risk != actions.Low || got.Verdict.Kind != actions.Fixed || !c.dead() {
			t.Errorf("%v %+v", p.Risk, got.Verdict)
		}
	}
}

// Several marked sessions are one plan: those that moved on are left alone, and
// named.
func TestSeveralSessions(t *testing.T) {
	s := newStage(t, bench.Options{})
	var all []*client
	for range 3 {
		c := connect(t, s.DSN(), "leak")
		c.does("begin")
		c.does("select 1")
		all = append(all, c)
	}
	target := all[0].target(s)
	target.More = []actions.Target{all[1].target(s), all[2].target(s), all[1].target(s)}
	p := s.plan("end-session", target, "")
	if p.Title != "Disconnect 3 sessions" || len(p.Steps) != 3 {
		t.Errorf("%s, %d steps", p.Title, len(p.Steps))
	}
	all[1].does("commit")
	all[1].does("begin")
	all[1].does("select 2")
	got := s.Run(p)
	if got.Verdict.Kind != actions.Fixed || len(got.Effect.Did) != 2 || len(got.Effect.Skip) != 1 {
		t.Fatalf("%+v", got)
	}
	contains(t, got.Verdict.Says, "2 sessions are gone. Left alone: "+fmt.Sprint(all[1].pid), "not in the transaction that you saw")
	if !all[0].dead() || all[1].dead() || !all[2].dead() {
		t.Error("the wrong ones are gone")
	}
	many := all[1].target(s)
	for i := range 20 {
		many.More = append(many.More, actions.Target{Kind: actions.OnSession, ID: fmt.Sprint(100000 + i)})
	}
	s.refused("end-session", many, "21 sessions are too many")
}

func TestWhatIsNotSignalled(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{Settings: map[string]string{"max_wal_senders": "2", "wal_level": "replica"}})
	db := labtest.On(t, server, lab.Deployed)
	s := newStage(t, bench.Options{DB: db})
	cockpit := connect(t, s.DSN(), "gradecockpit/act/mdupont")
	cockpit.does("select 1")
	cfg, err := pgconn.ParseConfig(s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["replication"] = "database"
	standby, err := pgconn.ConnectConfig(labtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.Close(labtest.Context(t)) })
	at := func(pid int) actions.Target { return actions.Target{Kind: actions.OnSession, ID: fmt.Sprint(pid)} }
	helper := labtest.Get[int](db, "select pid from pg_stat_activity where backend_type = 'checkpointer'")
	for _, action := range []string{"cancel-query", "end-session"} {
		s.refused(action, at(cockpit.pid), "session of a cockpit")
		s.refused(action, at(int(standby.PID())), "feeds a standby")
		s.refused(action, at(helper), "helper of PostgreSQL")
		s.refused(action, at(1), "has ended")
		s.refused(action, actions.Target{Kind: actions.OnSession, ID: "4711; drop"}, "named by its PID")
		another := cockpit.target(s)
		another.ID = fmt.Sprintf("%d/12345", cockpit.pid)
		s.refused(action, another, "belongs to another now")
	}
}

// What each role may do, and the GRANT that it is told; with that GRANT it works.
func TestRights(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	appDSN := db.RoleDSN("SELECT ON exams_copy")
	app, err := pgx.ParseConfig(appDSN)
	if err != nil {
		t.Fatal(err)
	}
	dsn := db.RoleDSN("SELECT ON ALL TABLES IN SCHEMA public")
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, bench.Options{DB: db, DSN: dsn})
	c, super := connect(t, appDSN, "report"), connect(t, db.DSN(), "psql")
	c.does("begin")
	super.does("begin")
	role := pgx.Identifier{cfg.User}.Sanitize()

	impossible := s.Runner.Impossible(s.set(), "end-session")
	contains(t, impossible, "GRANT pg_monitor TO "+role+";", "GRANT pg_signal_backend TO "+role+";")
	s.refused("end-session", c.target(s), "GRANT pg_monitor TO "+role+";")
	db.Exec("GRANT pg_monitor TO " + cfg.User)
	contains(t, s.Runner.Impossible(s.set(), "cancel-query"), "GRANT pg_signal_backend TO "+role+";")
	s.refused("end-session", c.target(s), "may not signal sessions of "+app.User+". GRANT pg_signal_backend TO "+role+";")
	db.Exec("GRANT pg_signal_backend TO " + cfg.User)
	if why := s.Runner.Impossible(s.set(), "end-session"); why != "" {
		t.Error(why)
	}
	s.refused("end-session", super.target(s), "only a superuser may end it")
	if got := s.Run(s.plan("end-session", c.target(s), "")); got.Verdict.Kind != actions.Fixed || !c.dead() {
		t.Errorf("%+v", got.Verdict)
	}

	// The right goes between plan and execution: the server refuses, nothing is done.
	d := connect(t, appDSN, "report")
	d.does("begin")
	p := s.plan("end-session", d.target(s), "")
	db.Exec("REVOKE pg_signal_backend FROM " + cfg.User)
	if got := s.Run(p); got.Verdict.Kind != actions.WasRefuse || d.dead() {
		t.Errorf("%+v", got.Verdict)
	}
}

// When every slot is taken the cockpit still looks, over the connection it has;
// that it cannot act is said with what helps.
func TestNoSlotIsLeft(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{MaxConnections: 16})
	db := labtest.On(t, server, lab.Deployed)
	dsn := db.RoleDSN("pg_monitor", "pg_signal_backend", "SELECT ON ALL TABLES IN SCHEMA public")
	s := newStage(t, bench.Options{DB: db, DSN: dsn})
	payload, err := s.probe.Sample(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	set := probes.NewSet(probes.Snapshot{ID: activity.ID, Source: probes.Postgres, Seq: 1, Payload: payload})
	leak := connect(t, db.ReaderDSN(), "leak")
	for {
		conn, err := pgx.Connect(labtest.Context(t), db.ReaderDSN())
		if code(err) == "53300" {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(labtest.Context(t))
	}
	if payload, err = s.probe.Sample(labtest.Context(t)); err != nil || payload.(activity.Overview).Limits.Free() != 0 {
		t.Errorf("%+v, %v", payload, err)
	}
	var no *actions.Refusal
	if _, err := s.Runner.Plan(labtest.Context(t), set, "end-session", leak.target(s), ""); !errors.As(err, &no) || !strings.Contains(no.Error(), "Every connection slot is taken") {
		t.Errorf("%v", err)
	}
}

// Read-only is enforced where signals are sent, not only where keys are read.
func TestReadOnlySignalsNothing(t *testing.T) {
	s := newStage(t, bench.Options{Writer: "--read-only"})
	c := connect(t, s.DSN(), "report")
	c.does("begin")
	if got := s.Run(s.plan("end-session", c.target(s), "")); got.Verdict.Kind != actions.WasRefuse || c.dead() {
		t.Errorf("%+v", got.Verdict)
	}
}

// A query that does not end is not fixed, and says what is left to do.
func TestStillThereIsNotFixed(t *testing.T) {
	s := newStage(t, bench.Options{})
	c := connect(t, s.DSN(), "stubborn")
	// A block that catches the cancellation and goes on.
	c.begins(`do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then null; end; end loop; end $$`)
	c.is(s.DB, "wait_event = 'PgSleep'")
	r := s.As(func(cfg *actions.Config) {
		d := s.Deps
		d.Timings.Sessions = sessions.Timings{Watch: 3 * time.Second, Poll: 50 * time.Millisecond}
		cfg.Actions = catalogue.All(d)
	})
	p, err := r.Plan(labtest.Context(t), s.set(), "cancel-query", c.target(s), "")
	if err != nil {
		t.Fatal(err)
	}
	got := bench.Run(labtest.Context(t), r, p)
	if got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Says, "still runs it") || !strings.Contains(got.Verdict.Next, "Disconnect") {
		t.Errorf("%+v", got.Verdict)
	}
	if got := s.Run(s.plan("end-session", c.target(s), "")); got.Verdict.Kind != actions.Fixed {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestSettle(t *testing.T) {
	s := newStage(t, bench.Options{})
	c := connect(t, s.DSN(), "report")
	c.begins("select pg_sleep(600)")
	c.is(s.DB, "wait_event = 'PgSleep'")
	for action, still := range map[string]string{"cancel-query": "still runs that query", "end-session": "is still there"} {
		p := s.plan(action, c.target(s), "")
		a, _ := s.Runner.Find(action)
		rec := actions.Record{Action: action, Target: p.Target, Seen: p.Seen}
		if v := a.(actions.Settler).Settle(labtest.Context(t), rec); v.Kind != actions.NotFixed || !strings.Contains(v.Says, still) {
			t.Errorf("%s: %+v", action, v)
		}
		t.Cleanup(func() {
			if v := a.(actions.Settler).Settle(labtest.Context(t), rec); v.Kind != actions.Fixed || !strings.Contains(v.Says, "is not known") {
				t.Errorf("%s: %+v", action, v)
			}
		})
	}
	if got := s.Run(s.plan("end-session", c.target(s), "")); got.Verdict.Kind != actions.Fixed {
		t.Fatalf("%+v", got.Verdict)
	}
}

func TestThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	dsn, _ := labtest.PgBouncer(t, db)
	s := newStage(t, bench.Options{DB: db, DSN: dsn})
	c := connect(t, dsn, "")
	c.does("begin")
	c.does("lock table grading_copylock in share mode")
	pid := labtest.Get[int](db, "select pid from pg_locks where relation = 'grading_copylock'::regclass")
	target := actions.Target{Kind: actions.OnSession, ID: fmt.Sprint(pid)}
	if got := s.Run(s.plan("end-session", target, "")); got.Verdict.Kind != actions.Fixed || !c.dead() {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestHostileTextIsCleanInPlans(t *testing.T) {
	s := newStage(t, bench.Options{})
	c := connect(t, s.DSN(), "x\x1b[2J\u202e")
	c.does("begin")
	c.does("select '\x1b]52;c;aGk=\x07\u202e'")
	p := s.plan("end-session", c.target(s), "")
	got := s.Run(p)
	all := append([]string{says(p), got.Verdict.Says}, append(got.Verdict.Evidence, got.Effect.Did...)...)
	for k, v := range p.Seen {
		all = append(all, k, v)
	}
	for _, step := range p.Steps {
		all = append(all, step.Detail)
	}
	if text := strings.Join(all, "\n"); got.Verdict.Kind != actions.Fixed || strings.ContainsAny(text, "\x1b\x07\u202e") {
		t.Errorf("%q", text)
	}
}
