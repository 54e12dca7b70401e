package activity

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/internal/wiretap"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

var _ probes.Probe = (*Probe)(nil)

func TestSampleIsOneRoundTrip(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	tap := wiretap.New(t, "unix", filepath.Join(db.Server.Dir(), ".s.PGSQL.5432"))
	p := probe(t, fmt.Sprintf("host=%s port=%d dbname=%s user=%s sslmode=disable", tap.Host, tap.Port, db.Name, labtest.ReaderRole))
	sample(t, p) // connects, and learns the version
	before := tap.RoundTrips()
	sample(t, p)
	equal(t, "round trips", 1, tap.RoundTrips()-before)
	if _, err := p.Session(labtest.Context(t), "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "round trips of a page", 2, tap.RoundTrips()-before)
}

// Row locks of a copy: A holds it, B waits for A, C waits behind B.
func TestChainOfRowLocks(t *testing.T) {
	both(t, func(t *testing.T, d lab.Dialect) {
		db := labtest.Postgres(t, d)
		id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED"})
		a, b, c := connect(t, db.DSN(), ""), connect(t, db.DSN(), ""), connect(t, db.DSN(), "psql")
		take := "update exams_copy set status = 'READY' where id = '" + id + "'"
		a.does("begin")
		a.does(take)
		b.begins(take)
		waiting(t, db, b.pid)
		c.begins(take)
		waiting(t, db, c.pid)

		o := sample(t, probe(t, db.DSN()))
		names := map[int]string{a.pid: "A", b.pid: "B", c.pid: "C"}
		equal(t, "tree", "A(2) >B(1) >>C(0)", tree(o, names))
		for _, pid := range []int{a.pid, b.pid, c.pid} {
			s := find(t, o, pid)
			want := psql(t, db, fmt.Sprintf(`select backend_start = to_timestamp(%d / 1e6::numeric), state, (select coalesce(string_agg(distinct b::text, ','), '') from unnest(pg_blocking_pids(pid)) b) from pg_stat_activity where pid = %d`, s.Start.UnixMicro(), pid))
			got := "t|" + string(s.State) + "|" + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.BlockedBy), " ", ","), "[]")
			equal(t, "what psql says of it", want, []string{got})
			equal(t, "its copy", []string{id}, s.Copies)
		}
		equal(t, "what B waits for", "row of exams_copy", find(t, o, b.pid).Waits)
		equal(t, "what C waits for", "row of exams_copy", find(t, o, c.pid).Waits)
		if s := find(t, o, b.pid); s.WaitSince.Before(s.QueryAt) || s.WaitSince.After(o.ServerTime) {
			t.Errorf("B waits since %s, its query began %s, now is %s", s.WaitSince, s.QueryAt, o.ServerTime)
		}
		if s := find(t, o, a.pid); s.State != IdleTx || !s.Wrote || s.Since.IsZero() || !slices.Contains(s.Holds, Held{"exams_copy", "RowExclusiveLock"}) {
			t.Errorf("the holder is %+v", s)
		}
		equal(t, "kinds", []Kind{Application, Person}, []Kind{find(t, o, a.pid).Kind, find(t, o, c.pid).Kind})
	})
}

// Two readers of a table, one that wants it alone, one that comes after.
func TestTwoBlockersOfOne(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	a, b, c, d := connect(t, db.DSN(), "a"), connect(t, db.DSN(), "b"), connect(t, db.DSN(), "c"), connect(t, db.DSN(), "d")
	for _, reader := range []*client{a, b} {
		reader.does("begin")
		reader.does("lock table grading_copylock in share mode")
	}
	c.does("begin")
	c.begins("lock table grading_copylock in access exclusive mode")
	waiting(t, db, c.pid)
	d.begins("select count(*) from grading_copylock")
	waiting(t, db, d.pid)

	o := sample(t, probe(t, db.DSN()))
	first, second := a, b // of two that block as many, the lower pid is first
	if b.pid < a.pid {
		first, second = b, a
	}
	names := map[int]string{first.pid: "1", second.pid: "2", c.pid: "C", d.pid: "D"}
	equal(t, "tree", "1(2) >C+2(1) >>D(0) 2(2)", tree(o, names))
	blocked, roots := o.Waiting()
	equal(t, "blocked by", [2]int{2, 2}, [2]int{blocked, roots})
	equal(t, "waits", "table of grading_copylock", find(t, o, c.pid).Waits)
	want := psql(t, db, fmt.Sprintf(`select string_agg(b::text, ' ' order by b) from unnest(pg_blocking_pids(%d)) b`, c.pid))
	equal(t, "blockers", want, []string{strings.Trim(fmt.Sprint(find(t, o, c.pid).BlockedBy), "[]")})
}

// A prepared transaction blocks without a session.
func TestPreparedTransactionBlocks(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{Settings: map[string]string{"max_prepared_transactions": "5"}})
	db := labtest.On(t, server, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED"})
	take := "update exams_copy set status = 'READY' where id = '" + id + "'"
	a, b := connect(t, db.DSN(), ""), connect(t, db.DSN(), "")
	a.does("begin")
	a.does(take)
	a.does("prepare transaction 'import 7'")
	t.Cleanup(func() { db.Exec("rollback prepared 'import 7'") })
	b.begins(take)
	waiting(t, db, b.pid)
	o := sample(t, probe(t, db.DSN()))
	equal(t, "chains", []Link{{PID: 0, Blocks: 1}, {PID: b.pid, Depth: 1}}, o.Chains)
	if len(o.Prepared) != 1 || o.Prepared[0].Name != "import 7" || o.Prepared[0].Database != db.Name {
		t.Errorf("%+v", o.Prepared)
	}
}

// Two that wait for each other have no root; they are shown, and once each.
func TestDeadlockIsACircle(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{Settings: map[string]string{"deadlock_timeout": "10min"}})
	db := labtest.On(t, server, lab.Deployed)
	one, two := db.AddCopy(lab.CopyRow{Anon: "1", Status: "READY"}), db.AddCopy(lab.CopyRow{Anon: "2", Status: "READY"})
	take := func(id string) string { return "update exams_copy set status = 'LOCKED' where id = '" + id + "'" }
	a, b := connect(t, db.DSN(), ""), connect(t, db.DSN(), "")
	a.does("begin")
	b.does("begin")
	a.does(take(one))
	b.does(take(two))
	a.begins(take(two))
	waiting(t, db, a.pid)
	b.begins(take(one))
	waiting(t, db, b.pid)
	o := sample(t, probe(t, db.DSN()))
	if len(o.Chains) != 2 || !o.Chains[0].Deadlock || o.Chains[1].Deadlock || o.Chains[0].Blocks != 1 || o.Chains[1].Depth != 1 {
		t.Errorf("%+v", o.Chains)
	}
}

func TestIdleInTransaction(t *testing.T) {
	both(t, func(t *testing.T, d lab.Dialect) {
		db := labtest.Postgres(t, d)
		id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED"})
		reads, writes, aborted := connect(t, db.DSN(), ""), connect(t, db.DSN(), ""), connect(t, db.DSN(), "")
		reads.does("begin")
		reads.does("select count(*) from grading_annotation")
		writes.does("begin")
		writes.does("update exams_copy set status = 'GRADING_IN_PROGRESS' where id = '" + id + "'")
		aborted.does("begin")
		if _, err := aborted.conn.Exec(labtest.Context(t), "select 1/0"); err == nil {
			t.Fatal("no error")
		}
		o := sample(t, probe(t, db.DSN()))
		r, w, x := find(t, o, reads.pid), find(t, o, writes.pid), find(t, o, aborted.pid)
		equal(t, "states", []State{IdleTx, IdleTx, Aborted}, []State{r.State, w.State, x.State})
		equal(t, "wrote", []bool{false, true}, []bool{r.Wrote, w.Wrote})
		equal(t, "finalizes", []Sureness{No, Yes, No}, []Sureness{r.Finalizes, w.Finalizes, x.Finalizes})
		equal(t, "what it holds", []Held{{"grading_annotation", "AccessShareLock"}}, r.Holds)
		equal(t, "what it last ran", "select count(*) from grading_annotation", r.Text)
		want := psql(t, db, fmt.Sprintf(`select extract(epoch from xact_start) * 1e6, extract(epoch from state_change) * 1e6 from pg_stat_activity where pid = %d`, writes.pid))
		equal(t, "since when", want, []string{fmt.Sprintf("%d.000000|%d.000000", w.Xact.UnixMicro(), w.Since.UnixMicro())})
		if oldest := psql(t, db, `select extract(epoch from min(xact_start)) * 1e6 from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'`); fmt.Sprintf("%d.000000", o.OldestTx.UnixMicro()) != oldest[0] {
			t.Errorf("oldest transaction %s, want %s", o.OldestTx, oldest)
		}

		// Later the last query names the copy and nothing else gives it away.
		writes.does("select count(*) from exams_copy_booklets where copy_id = '" + id + "'")
		equal(t, "finalizes", Perhaps, find(t, sample(t, probe(t, db.DSN())), writes.pid).Finalizes)
	})
}

func TestALongQueryIsActive(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	c := connect(t, db.DSN(), "report")
	c.begins("select\n  pg_sleep(600) /* " + strings.Repeat("x", 500) + " */")
	p := probe(t, db.DSN())
	var s Session
	labtest.Eventually(t, func() bool {
		found, ok := func() (*Session, bool) { o := sample(t, p); return o.Find(c.pid) }()
		if ok {
			s = *found
		}
		return ok && s.State == Active && s.Waits == "a timer: PgSleep"
	})
	if !strings.HasPrefix(s.Text, "select pg_sleep(600) /* xxx") || s.QueryAt.IsZero() || s.InTx() != true {
		t.Errorf("%+v", s)
	}
	d, err := p.Session(labtest.Context(t), s.ID())
	if err != nil || d.Session == nil || len(d.Session.Lines) != 2 || d.Session.Lines[0] != "select" {
		t.Errorf("%+v, %v", d.Session, err)
	}
	if d, err = p.Session(labtest.Context(t), fmt.Sprintf("%d/12345", c.pid)); err != nil || d.Session != nil || !d.Replaced {
		t.Errorf("another session of the same pid is taken for it: %+v, %v", d.Session, err)
	}
}

// A role without pg_monitor sees who blocks whom, counts what is hidden, and is
// told the GRANT; with it it sees all that a superuser does.
func TestWithAndWithoutMonitor(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	a, b := connect(t, db.DSN(), ""), connect(t, db.DSN(), "")
	a.does("begin")
	a.does("lock table grading_copylock")
	b.does("begin")
	b.begins("lock table grading_copylock")
	waiting(t, db, b.pid)

	o := sample(t, probe(t, db.ReaderDSN()))
	equal(t, "tree", "A(1) >B(0)", tree(o, map[int]string{a.pid: "A", b.pid: "B"}))
	hidden := psqlAs(t, db.ReaderDSN(), `select count(*) from pg_stat_activity where query = '<insufficient privilege>' and usesysid is not null and datid is not null`)
	equal(t, "hidden", hidden, []string{fmt.Sprint(o.Hidden)})
	s := find(t, o, a.pid)
	if !s.Hidden || s.Text != "" || s.State != Unseen || !s.Start.IsZero() || s.ID() != fmt.Sprint(a.pid) {
		t.Errorf("%+v", s)
	}
	equal(t, "waits", "table of grading_copylock", strings.Replace(find(t, o, b.pid).Waits, "lock of", "table of", 1))
	equal(t, "rights", Rights{Role: `"` + labtest.ReaderRole + `"`}, o.Rights)
	equal(t, "the GRANT", `GRANT pg_monitor TO "`+labtest.ReaderRole+`";`, o.Rights.SeeGrant())

	dsn := db.RoleDSN()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.Exec("grant pg_monitor to " + cfg.User)
	o = sample(t, probe(t, dsn))
	s = find(t, o, a.pid)
	if o.Hidden != 0 || s.Hidden || s.State != IdleTx || s.Text != "lock table grading_copylock" || !o.Rights.SeesAll || o.Rights.Signals {
		t.Errorf("hidden %d, rights %+v, session %+v", o.Hidden, o.Rights, s)
	}
	db.Exec("grant pg_signal_backend to " + cfg.User)
	if o = sample(t, probe(t, dsn)); !o.Rights.Signals {
		t.Error("pg_signal_backend is not seen")
	}
}

// Connections are counted against what an ordinary role can have: it can open
// exactly as many as are said to be free.
func TestConnectionsAgainstTheLimit(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{MaxConnections: 20, Settings: map[string]string{"superuser_reserved_connections": "4"}})
	db := labtest.On(t, server, lab.Deployed)
	p := probe(t, db.DSN())
	l := sample(t, p).Limits
	equal(t, "limits", [3]int{20, 4, 0}, [3]int{l.Max, l.Superuser, l.Reserved})
	equal(t, "limits of database and role", [2]int{-1, -1}, [2]int{l.Database, l.Role})
	for range l.Free() { // one by one, so that it is the last that is refused
		connect(t, db.ReaderDSN(), "leak")
	}
	var pg *pgconn.PgError
	if _, err := pgx.Connect(labtest.Context(t), db.ReaderDSN()); err == nil || !asPg(err, &pg) || pg.Code != "53300" {
		t.Fatalf("%v, want too many clients", err)
	}
	o := sample(t, p)
	if o.Limits.Free() != 0 || o.Limits.Full() < 1 {
		t.Errorf("%+v", o.Limits)
	}
	i := slices.IndexFunc(o.Groups, func(g Group) bool { return g.App == "leak" })
	if i < 0 {
		t.Fatalf("%+v", o.Groups)
	}
	want := psql(t, db, `select datname, usename, count(*), count(*) filter (where state = 'idle') from pg_stat_activity where application_name = 'leak' group by 1, 2`)
	g := o.Groups[i]
	equal(t, "group", want, []string{fmt.Sprintf("%s|%s|%d|%d", g.Database, g.User, g.Total, g.Idle)})
	total := 0
	for _, g := range o.Groups {
		total += g.Total
	}
	equal(t, "sum of the groups", o.Limits.Used, total)
}

// A cockpit, a standby and a parallel query, each told from the application.
func TestKinds(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{Settings: map[string]string{"max_wal_senders": "2", "wal_level": "replica"}})
	db := labtest.On(t, server, lab.Deployed)
	cockpit := connect(t, db.DSN(), "gradecockpit/act/mdupont")
	cockpit.does("begin")
	other := connect(t, db.RoleDSN(), "report")
	other.does("begin")
	cfg, err := pgconn.ParseConfig(db.DSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["replication"], cfg.RuntimeParams["application_name"] = "database", "standby1"
	standby, err := pgconn.ConnectConfig(labtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.Close(labtest.Context(t)) })
	parallel := connect(t, db.DSN(), "")
	parallel.does(`select set_config(name, 'on', false) from pg_settings where name in ('force_parallel_mode', 'debug_parallel_query')`)
	parallel.begins("select pg_sleep(600)")

	p := probe(t, db.DSN())
	labtest.Eventually(t, func() bool {
		o := sample(t, p)
		s, ok := o.Find(parallel.pid)
		return ok && s.Workers == 1
	})
	o := sample(t, p)
	for pid, want := range map[int]Kind{cockpit.pid: Cockpit, other.pid: Other, parallel.pid: Application} {
		equal(t, "kind", want, find(t, o, pid).Kind)
	}
	equal(t, "who", "cockpit mdupont", func() string { s := find(t, o, cockpit.pid); return s.Who() }())
	if s, ok := o.Find(int(standby.PID())); ok { // idle, it would not be here
		equal(t, "kind", Replication, s.Kind)
	}
	for _, s := range o.Sessions {
		if s.PID == o.Self || s.Backend == "parallel worker" {
			t.Errorf("%+v does not belong here", s)
		}
	}
}

// What older servers lack is not asked for; the newer ones answer it as well.
func TestColumnsOfOlderVersions(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	c := connect(t, db.DSN(), "")
	c.does("begin")
	real := labtest.Get[int](db, "select current_setting('server_version_num')::int")
	for _, version := range []int{120000, 130000, 140000, real} {
		if version > real {
			continue
		}
		l := newLook(version, []int{c.pid})
		err := pgx.BeginFunc(labtest.Context(t), db.Pool, func(tx pgx.Tx) error {
			for _, p := range l.parts {
				rows, err := tx.Query(labtest.Context(t), p.sql, append([]any{pgx.QueryExecModeSimpleProtocol}, p.args...)...)
				if err == nil {
					err = p.read(rows)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if _, ok := l.over.Find(c.pid); err != nil || !ok {
			t.Errorf("as for version %d: %v", version, err)
		}
		for column, since := range map[string]int{"leader_pid": 130000, "query_id": 140000, "waitstart": 140000} {
			whole := ""
			for _, p := range l.parts {
				whole += p.sql
			}
			equal(t, column+fmt.Sprint(version), version >= since, strings.Contains(whole, "."+column))
		}
	}
}

// Behind PgBouncer everything works; the sessions are the pooler's.
func TestThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	dsn, _ := labtest.PgBouncer(t, db)
	p := probe(t, dsn)
	c := connect(t, dsn, "")
	c.does("begin")
	c.does("lock table grading_copylock")
	server := labtest.Get[int](db, "select pid from pg_locks where relation = 'grading_copylock'::regclass")
	o := sample(t, p)
	if s := find(t, o, server); s.State != IdleTx || s.Text != "lock table grading_copylock" {
		t.Errorf("%+v", s)
	}
	if o.Pooled {
		t.Error("a pooler is seen without evidence")
	}
	// Another client takes the session that we had; we get another one.
	holder := connect(t, dsn, "")
	holder.does("begin")
	holder.does("select 1")
	labtest.Eventually(t, func() bool { return sample(t, p).Pooled })
	equal(t, "connections", uint64(1), p.reader.Generation())
}
