package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

const addRow = "insert into django_migrations (app, name, applied) values ('cockpit', $1, now())"

func rows(db *labtest.DB) int {
	return labtest.Get[int](db, "select count(*)::int from django_migrations where app = 'cockpit'")
}

func add(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, addRow, "it's")
	return err
}

func TestWriterCommits(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	w := NewWriter(Config{ConnString: db.DSN(), User: "mdupont"})
	var name, lock, statement, idle string
	err := w.Tx(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
		if err := add(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select current_setting('application_name'), current_setting('lock_timeout'),
			current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')`).Scan(&name, &lock, &statement, &idle)
	})
	if err != nil || rows(db) != 1 {
		t.Fatalf("%d rows, %v", rows(db), err)
	}
	if got := strings.Join([]string{name, lock, statement, idle}, " "); got != "gradecockpit/act/mdupont 1s 5s 5s" {
		t.Errorf("session: %s", got)
	}
	await(t, "the end of the session", func() bool {
		return labtest.Get[int](db, "select count(*)::int from pg_stat_activity where application_name like 'gradecockpit/act%'") == 0
	})
}

func TestWriterUndoes(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	w := NewWriter(Config{ConnString: db.DSN()})
	refuse := errors.New("something moved")
	cancelled, cancel := context.WithCancel(labtest.Context(t))
	for name, tt := range map[string]struct {
		ctx context.Context
		fn  func(context.Context, pgx.Tx) error
		is  error
	}{
		"an error": {labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(add(ctx, tx), refuse)
		}, refuse},
		"the context ends before COMMIT": {cancelled, func(ctx context.Context, tx pgx.Tx) error {
			defer cancel()
			return add(ctx, tx)
		}, context.Canceled},
	} {
		err := w.Tx(tt.ctx, tt.fn)
		if !errors.Is(err, tt.is) || errors.Is(err, ErrUnknownOutcome) || rows(db) != 0 {
			t.Errorf("%s: %d rows, %v", name, rows(db), err)
		}
	}
}

func TestReadOnlyWriter(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	w := NewWriter(Config{ConnString: db.DSN(), ReadOnly: "--read-only"})
	called := false
	err := w.Tx(labtest.Context(t), func(context.Context, pgx.Tx) error { called = true; return nil })
	if !errors.Is(err, ErrReadOnly) || called || !strings.Contains(Describe("act", err).Cause, "--read-only") {
		t.Errorf("called %v, %v; want ErrReadOnly with the reason", called, err)
	}
	if err := w.Read(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error { return add(ctx, tx) }); err == nil || rows(db) != 0 {
		t.Errorf("wrote in Read: %v", err)
	}
	var n int
	err = w.Read(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, "select 3").Scan(&n) })
	if err != nil || n != 3 {
		t.Errorf("read %d, %v", n, err)
	}
}

// A refusal of COMMIT itself is no unknown outcome: the server said no.
func TestCommitRefused(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	w := NewWriter(Config{ConnString: db.DSN()})
	err := w.Tx(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
			values (gen_random_uuid(), 'UNLOCK', now(), '{}', gen_random_uuid(), 1)`)
		return err // the foreign keys are deferred: only COMMIT looks
	})
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "23503" || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("%v, want a refused foreign key", err)
	}
}

// COMMIT reaches the server and the answer is lost: the row is there, and the
// error says that nobody knows.
func TestUnknownOutcome(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	tap, dsn := tapped(t, db)
	w := NewWriter(Config{ConnString: dsn})
	err := w.Tx(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
		err := add(ctx, tx)
		tap.CutAfter("commit")
		return err
	})
	if !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("%v, want ErrUnknownOutcome", err)
	}
	await(t, "the row", func() bool { return rows(db) == 1 })
}

// A copy that an operation holds is refused within the lock timeout.
func TestLockedRow(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{})
	w := NewWriter(Config{ConnString: db.DSN()})
	const hold = "select id from exams_copy where id = $1 for update nowait"
	var inner error
	err := w.Tx(labtest.Context(t), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, hold, id); err != nil {
			return err
		}
		inner = w.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, hold, id)
			return err
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if e := Describe("act", inner); e == nil || !strings.Contains(e.Cause, "an operation is running on it now") {
		t.Errorf("%v, want the row to be locked", inner)
	}
}

func TestWriterThroughPgBouncer(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	dsn, _ := labtest.PgBouncer(t, db)
	w := NewWriter(Config{ConnString: dsn})
	for range 10 {
		if err := w.Tx(labtest.Context(t), add); err != nil {
			t.Fatal(err)
		}
	}
	if n := rows(db); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}
