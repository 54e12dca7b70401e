package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The Writer's bounds. A copy row that we hold makes users' requests fail
// after 5 s (the application's own lock_timeout), and one that somebody else
// holds means that an operation runs on it: waiting longer than 1 s helps nobody.
const (
	writeStatement = 5 * time.Second
	writeLock      = time.Second
	writeIdle      = 5 * time.Second
	writeWhole     = 15 * time.Second // when the caller's context has no deadline
	commitWait     = 5 * time.Second
)

// ErrReadOnly is what a Writer gives when nothing may be written.
var ErrReadOnly = errors.New("nothing may be written here")

// ErrUnknownOutcome says that COMMIT was sent and no answer came: the writes
// may be there or not. Only reading the rows again can tell.
var ErrUnknownOutcome = errors.New("the connection was lost while committing: it is not known whether the change was made")

// Writer opens one connection for one transaction of an action, and closes it.
// It is safe for concurrent use. Plans are read, and outcomes verified, with a
// Reader or with Read here; Read does not wait for a probe that is being slow.
type Writer struct{ cfg Config }

// NewWriter makes a Writer; it never connects by itself.
func NewWriter(cfg Config) *Writer {
	return &Writer{cfg: cfg.defaults(writeStatement, writeLock)}
}

// ReadOnly says why nothing may be written; "" when it may.
func (w *Writer) ReadOnly() string { return w.cfg.ReadOnly }

// Tx runs fn in one transaction and commits it when fn gives nil. What fn
// wrote is undone on any error but [ErrUnknownOutcome]. A ctx that ends before
// COMMIT is sent undoes too; from then on the answer is waited for, up to 5 s.
func (w *Writer) Tx(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if w.cfg.ReadOnly != "" {
		return fmt.Errorf("%w: %s", ErrReadOnly, w.cfg.ReadOnly)
	}
	return w.with(ctx, "begin", fn, commit)
}

// Read runs fn in one read-only transaction on a connection of its own. It
// works where writing is not allowed.
func (w *Writer) Read(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return w.with(ctx, "begin read only", fn, func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) })
}

func (w *Writer) with(ctx context.Context, begin string, fn, end func(context.Context, pgx.Tx) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, writeWhole)
		defer cancel()
	}
	cfg, err := w.cfg.parse("act")
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer hangUp(ctx, conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: w.begin(begin)})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return end(ctx, tx)
}

func (w *Writer) begin(begin string) string {
	return joined([]string{
		begin,
		setLocal("statement_timeout", w.cfg.StatementTimeout),
		setLocal("lock_timeout", w.cfg.LockTimeout),
		setLocal("idle_in_transaction_session_timeout", writeIdle),
		isoDates,
	})
}

// commit tells apart "not made" from "not known".
func commit(ctx context.Context, tx pgx.Tx) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before commit: %w", err)
	}
	if tx.Conn().IsClosed() {
		return errors.New("before commit: the connection was lost")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer cancel()
	err := tx.Commit(ctx)
	if err == nil || refused(err) {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrUnknownOutcome, err)
}

// refused tells whether an error of COMMIT proves that nothing was written. A
// FATAL one does not: the server may end a session after its commit is made,
// while it waits for a standby. pgconn.SafeToRetry does not either: in the
// simple protocol it is true of a connection that was cut after COMMIT was sent.
func refused(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return severity(pg) == "ERROR"
	}
	return errors.Is(err, pgx.ErrTxCommitRollback)
}

// severity is the untranslated one where the server gives it (from 9.6).
func severity(pg *pgconn.PgError) string {
	if pg.SeverityUnlocalized != "" {
		return pg.SeverityUnlocalized
	}
	return pg.Severity
}

// hangUp undoes what is still open and says goodbye, within a second; then it
// just leaves, which undoes too.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if !conn.IsClosed() && conn.PgConn().TxStatus() != idle {
		conn.Exec(ctx, "rollback")
	}
	conn.Close(ctx)
}

// isoDates is the only format of dates that pgx reads; a role or a database may
// be set to another.
const isoDates = "set local datestyle = 'ISO, YMD'"

// setLocal bounds something until the end of the transaction. The value cannot
// be a bound parameter in SET.
func setLocal(name string, d time.Duration) string {
	return fmt.Sprintf("set local %s = %d", name, d.Milliseconds())
}

// joined makes one message, and so one round trip, of several statements.
func joined(statements []string) string { return strings.Join(statements, "; ") }
