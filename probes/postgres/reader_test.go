package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// value reads the one value of a batch of one query.
func value[T any](ctx context.Context, r *Reader, sql string, args ...any) (v T, err error) {
	batch := &pgx.Batch{}
	batch.Queue(sql, args...)
	err = r.Batch(ctx, batch, func(results pgx.BatchResults) error { return results.QueryRow().Scan(&v) })
	return v, err
}

func must[T any](t *testing.T, r *Reader, sql string, args ...any) T {
	t.Helper()
	v, err := value[T](labtest.Context(t), r, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestBatchIsOneRoundTrip(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	tap, dsn := tapped(t, db)
	r := reader(t, Config{ConnString: dsn})
	must[int](t, r, "select 1") // connects

	before := tap.RoundTrips()
	batch := &pgx.Batch{}
	for i := range 5 {
		batch.Queue("select $1::int + g from generate_series(1, 1000) g", i)
	}
	rows := 0
	err := r.Batch(labtest.Context(t), batch, func(results pgx.BatchResults) error {
		for range 5 {
			got, err := results.Query()
			if err != nil {
				return err
			}
			for got.Next() {
				rows++
			}
			if got.Err() != nil {
				return got.Err()
			}
		}
		return nil
	})
	if err != nil || rows != 5000 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if trips := tap.RoundTrips() - before; trips != 1 {
		t.Errorf("%d round trips, want 1", trips)
	}
}

func TestReaderSession(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN(), User: "mdupont", StatementTimeout: 1500 * time.Millisecond, LockTimeout: 250 * time.Millisecond})
	for setting, want := range map[string]string{
		"transaction_read_only": "on", "statement_timeout": "1500ms", "lock_timeout": "250ms",
		"application_name": "gradecockpit/read/mdupont", "jit": "off", "client_encoding": "UTF8",
	} {
		if got := must[string](t, r, "select current_setting($1)", setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if n := r.Generation(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A role may have its own format of dates, which pgx cannot read.
func TestDatesOfAnyRole(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec("alter database " + db.Name + " set datestyle = 'German'")
	r := reader(t, Config{ConnString: db.DSN()})
	want := time.Date(2026, 2, 1, 14, 30, 0, 0, time.UTC)
	if got := must[time.Time](t, r, "select timestamptz '2026-02-01 14:30:00+00'"); !got.Equal(want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestReaderCannotWrite(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN()})
	_, inBatch := value[int](labtest.Context(t), r, "insert into django_migrations (app, name, applied) values ('x', 'y', now()) returning 1")
	inTx := r.Tx(labtest.Context(t), func(tx pgx.Tx) error {
		_, err := tx.Exec(labtest.Context(t), "delete from django_migrations")
		return err
	})
	for _, err := range []error{inBatch, inTx} {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "25006" {
			t.Errorf("%v, want SQLSTATE 25006", err)
		}
	}
}

// An error or a panic in the middle leaves a connection that works.
func TestReaderSurvivesErrors(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN()})
	if _, err := value[int](labtest.Context(t), r, "select 1/0"); err == nil {
		t.Error("a division by zero gave no error")
	}
	mine := errors.New("mine")
	if err := r.Tx(labtest.Context(t), func(pgx.Tx) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%v, want the callback's error", err)
	}
	func() {
		defer func() { recover() }()
		batch := &pgx.Batch{}
		batch.Queue("select 1")
		r.Batch(labtest.Context(t), batch, func(pgx.BatchResults) error { panic("in the callback") })
	}()
	if got := must[int](t, r, "select 7"); got != 7 {
		t.Errorf("%d, want 7", got)
	}
	if open := labtest.Get[int](db, "select count(*)::int from pg_stat_activity where application_name = 'gradecockpit/read' and state <> 'idle'"); open != 0 {
		t.Errorf("%d sessions are left in a transaction", open)
	}
}

// A kept connection that the server ended is replaced without an error.
func TestReaderConnectsAgain(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN()})
	pid := must[int](t, r, "select pg_backend_pid()")
	db.Exec("select pg_terminate_backend($1, 5000)", pid)
	if got := must[int](t, r, "select pg_backend_pid()"); got == pid {
		t.Error("still the session that was ended")
	}
	if n := r.Generation(); n != 2 {
		t.Errorf("generation %d, want 2", n)
	}
}

// A server that is stopped in its tracks costs no more than the deadline, and
// is used again when it goes on.
func TestPausedServer(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{})
	db := labtest.On(t, server, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN()})
	must[int](t, r, "select 1")
	db.Pool.Reset()

	server.Pause()
	t.Cleanup(server.Resume)
	for _, what := range []string{"on the kept connection", "connecting anew"} {
		ctx, cancel := context.WithTimeout(labtest.Context(t), 300*time.Millisecond)
		_, err := value[int](ctx, r, "select 1")
		cancel()
		if e := Describe("read", err); e == nil || !strings.HasPrefix(e.Cause, "no answer within ") {
			t.Errorf("%s: %v, want no answer within its time", what, err)
		}
	}
	server.Resume()
	if got := must[int](t, r, "select 2"); got != 2 {
		t.Errorf("%d, want 2", got)
	}
}

// Whoever waits for the connection stops waiting with its context.
func TestWaitingForTheConnection(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, Config{ConnString: db.DSN()})
	err := r.Tx(labtest.Context(t), func(pgx.Tx) error {
		ctx, cancel := context.WithTimeout(labtest.Context(t), 20*time.Millisecond)
		defer cancel()
		_, err := value[int](ctx, r, "select 1")
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
}

func TestClosedReader(t *testing.T) {
	r := NewReader(Config{ConnString: "host=nowhere.invalid"})
	if err := r.Close(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := value[int](labtest.Context(t), r, "select 1"); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

func TestTooManyClients(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{MaxConnections: 6})
	db := labtest.On(t, server, lab.Deployed)
	var held []*pgx.Conn
	for {
		conn, err := pgx.Connect(labtest.Context(t), db.ReaderDSN())
		if err != nil {
			break // full
		}
		held = append(held, conn)
	}
	r := reader(t, Config{ConnString: db.ReaderDSN()})
	_, err := value[int](labtest.Context(t), r, "select 1")
	e := Describe("connect", err)
	if e == nil || !strings.Contains(e.Cause, "too many clients") || !strings.Contains(e.Next, "diagnosis") {
		t.Fatalf("%v, want too many clients as the diagnosis", err)
	}
	for _, conn := range held {
		conn.Close(labtest.Context(t))
	}
	await(t, "a free slot", func() bool {
		_, err = value[int](labtest.Context(t), r, "select 1")
		return err == nil
	})
}

// await waits for what has to become true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for ctx := labtest.Context(t); ; {
		if ok() {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Through PgBouncer in transaction mode each transaction may be on another
// server session: settings must not leak, nothing may be prepared.
func TestThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	dsn, _ := labtest.PgBouncer(t, db)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r := reader(t, Config{ConnString: dsn, User: fmt.Sprint(i)})
			for n := range 20 {
				if got := must[int](t, r, "select $1::int", n); got != n {
					t.Errorf("%d, want %d", got, n)
				}
				err := r.Tx(labtest.Context(t), func(tx pgx.Tx) error {
					var timeout string
					return tx.QueryRow(labtest.Context(t), "select current_setting($1)", "statement_timeout").Scan(&timeout)
				})
				if err != nil {
					t.Error(err)
				}
			}
			if got := must[string](t, r, "select current_setting('application_name')"); got != fmt.Sprintf("gradecockpit/read/%d", i) {
				t.Errorf("application_name %q", got)
			}
		})
	}
	all.Wait()
	var timeout string
	conn, err := pgx.Connect(labtest.Context(t), dsn+"&default_query_exec_mode=simple_protocol")
	if err == nil {
		defer conn.Close(labtest.Context(t))
		err = conn.QueryRow(labtest.Context(t), "select current_setting('statement_timeout')").Scan(&timeout)
	}
	if err != nil || timeout != "0" {
		t.Errorf("another client of the pool has statement_timeout %q (%v): ours leaked", timeout, err)
	}
}
