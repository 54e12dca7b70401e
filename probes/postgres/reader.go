package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// The Reader's defaults: below the refresh interval, so that a slow server is
// left alone rather than asked again.
const (
	readStatement = 2 * time.Second
	readLock      = 500 * time.Millisecond
	readWhole     = 10 * time.Second // when the caller's context has no deadline
)

// Tag begins every statement of a batch, so that pg_stat_statements and
// pg_stat_activity tell the cockpit's reads from the application's.
const Tag = "/* gradecockpit */ "

// ErrClosed is what a closed Reader gives.
var ErrClosed = errors.New("postgres: the reader is closed")

// Reader is the one connection that all reads share. It is opened at the first
// use, kept, and opened anew when it breaks. Every read is one read-only
// transaction, and its settings are local to it, so that it works through
// PgBouncer in transaction mode. It is safe for concurrent use; calls wait for
// each other as long as their context allows.
type Reader struct {
	cfg Config

	turn   chan struct{} // holds one token: whose turn it is has it
	conn   *pgx.Conn     // guarded by turn
	broken *pgx.Conn     // the last one given up, which may still be closing
	closed bool

	generation atomic.Uint64
}

// NewReader makes a Reader; it does not connect yet.
func NewReader(cfg Config) *Reader {
	return &Reader{cfg: cfg.defaults(readStatement, readLock), turn: make(chan struct{}, 1)}
}

// Where names the database, see [Config.Where].
func (r *Reader) Where() string { return r.cfg.Where() }

// Generation counts the connections made. When it moves, what was learned from
// an earlier connection (the schema) has to be learned again.
func (r *Reader) Generation() uint64 { return r.generation.Load() }

// Batch runs the queries in one read-only transaction and one round trip. read
// takes their results in order and need not take them all; the results are of
// no use once it returns.
func (r *Reader) Batch(ctx context.Context, queries *pgx.Batch, read func(pgx.BatchResults) error) error {
	return r.do(ctx, func(ctx context.Context, conn *pgx.Conn) (begun bool, err error) {
		begin := r.begin()
		whole := &pgx.Batch{}
		for _, sql := range begin {
			whole.Queue(Tag + sql)
		}
		for _, q := range queries.QueuedQueries {
			whole.Queue(Tag+q.SQL, q.Arguments...)
		}
		whole.Queue(Tag + "commit")

		results := conn.SendBatch(ctx, whole)
		defer results.Close()
		for range begin {
			if _, err := results.Exec(); err != nil {
				return false, err
			}
		}
		if err := read(results); err != nil {
			return true, errors.Join(err, results.Close())
		}
		return true, results.Close()
	})
}

// Tx runs fn in one read-only transaction, for reads where one query depends
// on the answer to another. Nothing else is read meanwhile, so fn has to be
// quick and must not call the Reader.
func (r *Reader) Tx(ctx context.Context, fn func(pgx.Tx) error) error {
	return r.do(ctx, func(ctx context.Context, conn *pgx.Conn) (begun bool, err error) {
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: joined(r.begin())})
		if err != nil {
			return false, err
		}
		if err := fn(tx); err != nil {
			return true, err // do rolls back
		}
		return true, tx.Commit(ctx)
	})
}

func (r *Reader) begin() []string {
	return []string{
		"begin read only",
		setLocal("statement_timeout", r.cfg.StatementTimeout),
		setLocal("lock_timeout", r.cfg.LockTimeout),
		isoDates,
		"set local jit = off", // compiling our queries takes longer than running them
	}
}

// do takes a turn on the connection. A kept connection may have died since its
// last use (server restarted, PgBouncer closed it), so a failure before
// anything was read is tried once more on a new one.
func (r *Reader) do(ctx context.Context, use func(context.Context, *pgx.Conn) (bool, error)) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readWhole)
		defer cancel()
	}
	asked := time.Now()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return late(ctx, ctx.Err(), asked)
	}
	kept := r.conn != nil
	begun, err := r.once(ctx, use)
	if err != nil && kept && !begun && r.conn == nil && ctx.Err() == nil {
		_, err = r.once(ctx, use)
	}
	return late(ctx, err, asked)
}

// lateError is a read that its context ended, with how long it was waited for.
type lateError struct {
	after time.Duration
	err   error
}

func (e *lateError) Error() string { return fmt.Sprintf("no answer within %s: %v", e.within(), e.err) }
func (e *lateError) Unwrap() error { return e.err }

// within is rounded as a person would say it.
func (e *lateError) within() time.Duration {
	if e.after < time.Second {
		return e.after.Round(10 * time.Millisecond)
	}
	return e.after.Round(100 * time.Millisecond)
}

func late(ctx context.Context, err error, asked time.Time) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return &lateError{time.Since(asked), err}
}

// once connects if needed, uses the connection, and keeps it only if it is
// idle afterwards.
func (r *Reader) once(ctx context.Context, use func(context.Context, *pgx.Conn) (bool, error)) (begun bool, err error) {
	if r.closed {
		return false, ErrClosed
	}
	if err := r.connect(ctx); err != nil {
		return false, err
	}
	defer r.settle(ctx)
	return use(ctx, r.conn)
}

func (r *Reader) connect(ctx context.Context) error {
	if r.conn != nil {
		return nil
	}
	cfg, err := r.cfg.parse("read")
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	r.conn = conn
	r.generation.Add(1)
	return nil
}

// settle leaves the connection idle or gives it up. It runs also when a
// callback panics.
func (r *Reader) settle(ctx context.Context) {
	if !r.conn.IsClosed() && r.conn.PgConn().TxStatus() != idle {
		r.conn.Exec(ctx, "rollback") // a failure shows in the status, looked at next
	}
	if !r.conn.IsClosed() && r.conn.PgConn().TxStatus() == idle && !r.conn.PgConn().IsBusy() {
		return
	}
	drop(r.conn)
	r.broken, r.conn = r.conn, nil
}

// idle is the transaction status of a session outside any transaction.
const idle = 'I'

// drop gives a connection up without waiting for the server. pgx itself closes
// one whose context ended in the background, and bounds that by 15 s.
func drop(conn *pgx.Conn) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	conn.Close(ended)
}

// Close ends the connection and waits, within ctx, for what is still closing.
// Later calls of Batch and Tx give ErrClosed.
func (r *Reader) Close(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r.closed = true
	var err error
	if r.conn != nil {
		err = r.conn.Close(ctx)
		r.broken, r.conn = r.conn, nil
	}
	if r.broken != nil {
		select {
		case <-r.broken.PgConn().CleanupDone():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}
