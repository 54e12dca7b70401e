package grading

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes"
	"gradecockpit/probes/internal/wiretap"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

var _ probes.Probe = (*Probe)(nil)

func TestSampleIsOneRoundTrip(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	tap := wiretap.New(t, "unix", filepath.Join(db.Server.Dir(), ".s.PGSQL.5432"))
	p := probe(t, fmt.Sprintf("host=%s port=%d dbname=%s user=%s sslmode=disable", tap.Host, tap.Port, db.Name, labtest.ReaderRole), Options{})
	sample(t, p) // connects and discovers
	before := tap.RoundTrips()
	sample(t, p)
	equal(t, "round trips", 1, tap.RoundTrips()-before)
}

func TestSampleThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED"})
	db.AddLock(lab.LockRow{Copy: id, Owner: db.AddUser("u")})
	_, dsn := labtest.PgBouncer(t, db)
	p := probe(t, dsn, Options{})
	for range 5 {
		o := sample(t, p)
		equal(t, "locks", 1, o.Locks.Value.Total)
		if d, err := p.Dossier(labtest.Context(t), "A3F2-0042"); err != nil || d.Lock == nil {
			t.Errorf("%+v, %v", d, err)
		}
	}
	equal(t, "connections", uint64(1), p.reader.Generation())
}

func TestStatusAndTime(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	for i, status := range []string{"READY", "GRADED", "READY"} {
		db.AddCopy(lab.CopyRow{Anon: fmt.Sprint(i), Status: status})
	}
	o := sample(t, probe(t, db.ReaderDSN(), Options{}))
	equal(t, "status", []StatusCount{{"GRADED", 1}, {"READY", 2}}, o.Status.Value)
	if o.ServerTime.IsZero() || o.Started.IsZero() || o.Schema == nil {
		t.Errorf("%+v", o)
	}
}

// The database ahead of us is a positive skew; the time it worked is no skew.
func TestSkew(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))) }
	for _, tt := range []struct{ sent, received, now, done, want float64 }{
		{0, 2, 11, 12, 10.5},
		{0, 2, 0.5, 1.5, 0},
		{100, 101, 90.5, 90.5, -10},
		{0, 30, 0, 30, 0},
	} {
		r := reading{sent: at(tt.sent), received: at(tt.received), now: at(tt.now), done: at(tt.done)}
		if got := r.skew().Seconds(); got != tt.want {
			t.Errorf("%+v: %g", tt, got)
		}
	}
}

// A migration while the cockpit runs: the failing read is done again with what
// is found then.
func TestSchemaChangesAtRunTime(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED"})
	db.AddLock(lab.LockRow{Copy: id, Owner: db.AddUser("jmartin")})
	p := probe(t, db.ReaderDSN(), Options{})
	sample(t, p)
	db.Exec("alter table grading_copylock rename column owner_id to locked_by_id")
	o := sample(t, p)
	equal(t, "owner", "jmartin", o.Locks.Value.Rows[0].Owner.Name)
	equal(t, "dialect", Mixed, o.Schema.Dialect)
	if p.Schema() != o.Schema {
		t.Error("Schema() is not the one of the last sample")
	}
	db.Exec("drop table grading_copylock")
	contains(t, sample(t, p).Locks.Missing, "no table grading_copylock")
	db.Exec("revoke select on grading_gradingevent from " + labtest.ReaderRole)
	o = sample(t, p)
	contains(t, o.Events.Missing+" "+o.Events.Fix, "may not read", "GRANT SELECT")
	db.Exec("drop table exams_copy cascade")
	if _, err := p.Dossier(labtest.Context(t), "A3F2-0042"); err == nil {
		t.Error("a copy was found without a table of copies")
	}
}

// What appears while the cockpit runs makes no query fail: it is found once what
// is known is old, and not before.
func TestSchemaGrowsAtRunTime(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect)
		id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED"})
		db.AddLock(lab.LockRow{Copy: id, Owner: db.AddUser("jmartin")})
		db.Exec("alter table grading_copylock rename to put_away")
		db.Exec("alter table exams_exam rename created_at to put_away")
		p := probe(t, db.ReaderDSN(), Options{})
		contains(t, sample(t, p).Locks.Missing, "no table grading_copylock")
		db.Exec("alter table put_away rename to grading_copylock")
		db.Exec("alter table exams_exam rename put_away to created_at")
		contains(t, sample(t, p).Locks.Missing, "no table grading_copylock")
		p.found.at = p.found.at.Add(-rediscoverEvery)
		o := sample(t, p)
		equal(t, "locks", 1, o.Locks.Value.Total)
		equal(t, "column", true, o.Schema.Has(ExamCreated))
	})
}

// A new connection may lead to another server: what was learned is forgotten.
func TestDiscoversAgainOnANewConnection(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	p := probe(t, db.ReaderDSN(), Options{})
	first := sample(t, p).Schema
	equal(t, "kept", true, sample(t, p).Schema == first)
	db.Exec("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'gradecockpit/read' and datname = current_database()")
	sample(t, p) // connects
	equal(t, "discovered again", false, sample(t, p).Schema == first)
}

func TestProbeErrors(t *testing.T) {
	p := probe(t, "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable", Options{})
	if p.Schema() != nil {
		t.Error("a schema before any discovery")
	}
	_, err := p.Sample(labtest.Context(t))
	var e *probes.Error
	if !errors.As(err, &e) || e.Source != probes.Postgres || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// A paused server costs one deadline, and the probe goes on afterwards.
func TestPausedServer(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{})
	db := labtest.On(t, server, lab.Deployed)
	p := probe(t, db.ReaderDSN(), Options{})
	sample(t, p)
	db.Pool.Reset()
	server.Pause()
	t.Cleanup(server.Resume)
	ctx, cancel := context.WithTimeout(labtest.Context(t), 200*time.Millisecond)
	defer cancel()
	_, err := p.Sample(ctx)
	contains(t, fmt.Sprint(err), "no answer within")
	server.Resume()
	sample(t, p)
}

// A table too big to be read within the deadline costs one sample: from then on
// only its end is read.
func TestTooBigForTheDeadline(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id, u := db.AddCopy(lab.CopyRow{}), db.AddUser("u")
	db.Exec(`insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		select gen_random_uuid(), 'CREATE_ANN', now() - (40000 - i) * interval '1 minute', '{"page": 1}', $1, $2 from generate_series(1, 40000) i order by i`, id, u)
	p := probe(t, db.ReaderDSN(), Options{})
	if _, err := p.EnsureSchema(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	late := fmt.Errorf("read: %w", context.DeadlineExceeded)
	if !tookTooLong(late) || tookTooLong(errors.New("other")) || tookTooLong(nil) {
		t.Error("a deadline is not told apart")
	}
	ended, cancel := context.WithDeadline(labtest.Context(t), time.Unix(1, 0))
	defer cancel()
	if _, err := p.Sample(ended); err == nil {
		t.Fatal("a sample within no time")
	}
	e := sample(t, p).Events.Value
	if newest, _ := p.tail.next(time.Now()); newest != minBlocks || len(e.Rows) < 200 || !e.More {
		t.Errorf("%d blocks, %d rows, more %v", newest, len(e.Rows), e.More)
	}
}

// Nothing that the database holds reaches the screen as a control byte.
func TestHostileRows(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		const evil = "\x1b]0;x\x07\u009b31m\u202eé\r\n\t\u2066"
		db := labtest.Postgres(t, dialect)
		u := db.AddUser("u" + evil)
		id := db.AddCopy(lab.CopyRow{Anon: "a" + evil, Status: "LOCKED", Exam: db.AddExam("e" + evil), Error: evil, FinalPDF: evil, LockedBy: u, Corrector: u})
		db.AddCopy(lab.CopyRow{Anon: "b" + evil, Status: "S" + evil[:4]})
		failed := db.AddCopy(lab.CopyRow{Anon: "c" + evil, Status: "GRADING_FAILED", Error: evil})
		db.AddLock(lab.LockRow{Copy: id, Owner: u, Since: ago(db, time.Hour), Expires: ago(db, 50*time.Minute)})
		meta := map[string]any{"detail": evil, "filename": evil, evil: evil, "success": false, "retries": evil, "changes": map[string]any{evil: evil}}
		for _, action := range []string{"IMPORT", "FINALIZE", "UPDATE_ANN", evil[:6]} {
			db.AddEvent(lab.EventRow{Copy: id, Action: action, Actor: u, Meta: meta})
			db.AddEvent(lab.EventRow{Copy: failed, Action: action, Actor: u, Meta: meta})
		}
		p := probe(t, db.ReaderDSN(), Options{})
		o := sample(t, p)
		if len(o.Stuck.Value.Rows) < 2 || len(o.Events.Value.Rows) < 8 || len(o.Locks.Value.Rows) != 1 {
			t.Fatalf("too little to look at: %+v", o)
		}
		d, err := p.Dossier(labtest.Context(t), id)
		if err != nil {
			t.Fatal(err)
		}
		noControls(t, o)
		noControls(t, d)
		_, err = p.Find(labtest.Context(t), "zz"+evil)
		noControls(t, err.Error())
	})
}

// noControls looks at every text in a value, by way of JSON.
func noControls(t *testing.T, v any) {
	t.Helper()
	encoded, err := json.Marshal(v)
	var decoded any
	if err == nil {
		err = json.Unmarshal(encoded, &decoded)
	}
	if err != nil {
		t.Fatal(err)
	}
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			if i := strings.IndexFunc(v, func(r rune) bool {
				return unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
			}); i >= 0 {
				t.Errorf("%q holds a control", v)
			}
		case []any:
			for _, one := range v {
				look(one)
			}
		case map[string]any:
			for k, one := range v {
				look(k)
				look(one)
			}
		}
	}
	look(decoded)
}

// BenchmarkDiscover tells what reading the schema anew costs.
func BenchmarkDiscover(b *testing.B) {
	db := labtest.Postgres(b, lab.Deployed)
	p := probe(b, db.ReaderDSN(), Options{})
	sample(b, p)
	for b.Loop() {
		p.found.at = time.Time{}
		if _, err := p.EnsureSchema(labtest.Context(b)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSample tells what a sample costs, in round trips of SELECT 1 as well.
func BenchmarkSample(b *testing.B) {
	db := labtest.Postgres(b, lab.Deployed)
	u := db.AddUser("u")
	exam := db.AddExam("e")
	db.Exec(`insert into exams_copy (id, anonymous_id, status, exam_id, is_identified, grading_retries, locked_by_id, locked_at)
		select gen_random_uuid(), 'A' || i, 'LOCKED', $1, true, 0, $2, now() - interval '1 hour' from generate_series(1, 10000) i`, exam, u)
	db.Exec(`insert into grading_copylock (token, locked_at, expires_at, copy_id, owner_id)
		select gen_random_uuid(), now() - interval '1 hour', now() + (random() * 20 - 10) * interval '1 minute', id, $1 from exams_copy`, u)
	db.Exec(`insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		select gen_random_uuid(), 'CREATE_ANN', now() - (10 - i) * interval '3 minutes', '{"page": 3}', id, $1
		from generate_series(1, 10) i cross join exams_copy order by i`, u)
	db.Exec("analyze")
	p := probe(b, db.ReaderDSN(), Options{})
	sample(b, p)
	var whole, trivial time.Duration
	for b.Loop() {
		start := time.Now()
		sample(b, p)
		whole += time.Since(start)
		start = time.Now()
		if err := p.ask(labtest.Context(b), question{"select 1", nil, one(func(row pgx.Row) error { var n int; return row.Scan(&n) })}); err != nil {
			b.Fatal(err)
		}
		trivial += time.Since(start)
	}
	b.ReportMetric(float64(whole)/float64(trivial), "x/select-1")
}
