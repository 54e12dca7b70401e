package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// maxCause bounds what a server's message may take on the screen, in runes.
const maxCause = 300

// Describe puts a failure into a responder's words, with the next step. The
// result never holds a connection string or a password. An *probes.Error is
// given back as it is; nil stays nil.
func Describe(op string, err error) *probes.Error {
	if err == nil {
		return nil
	}
	var known *probes.Error
	if errors.As(err, &known) {
		return known
	}
	e := &probes.Error{Source: probes.Postgres, Op: op, Err: err}
	var pg *pgconn.PgError
	var cfg *ConfigError
	switch {
	case errors.As(err, &cfg):
		e.Op, e.Cause, e.Next = "configure", cfg.Error(), "Correct DATABASE_URL or the PG* variables."
	case errors.Is(err, ErrReadOnly), errors.Is(err, ErrUnknownOutcome), errors.Is(err, ErrClosed):
		e.Cause = clean.Capped(err.Error(), maxCause)
	case errors.As(err, &pg):
		describeServer(e, pg)
	default:
		describeNetwork(e, err)
	}
	return e
}

// Code is the SQLSTATE with which the server refused; "" when it did not, or did
// not answer.
func Code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// advice is what to say about an SQLSTATE. Where words is empty, the server's
// own message is the best there is.
type advice struct {
	words, next string
	denied      bool
}

// advices by SQLSTATE (appendix A of PostgreSQL's manual).
var advices = map[string]advice{
	"53300": {words: "too many clients: every connection slot of the server is taken",
		next: "This is the diagnosis, not a fault of the cockpit: see who holds connections (pg_stat_activity), restart what leaks them or raise max_connections."},
	"28P01": {words: "wrong password, or no such role", next: "Check the user and password of DATABASE_URL, or ~/.pgpass.", denied: true},
	"28000": {words: "this role may not log in from here", next: "Check the role (it needs LOGIN) and the server's pg_hba.conf.", denied: true},
	"3D000": {next: "Check the database name in DATABASE_URL.", denied: true},
	"42501": {next: "Ask for the GRANT; doctor prints the exact line.", denied: true},
	"57014": {words: "the server stopped the query at its time limit", next: "The database is slow or a table is locked: look at its activity."},
	"55P03": {words: "the row is locked: an operation is running on it now", next: "Wait until it is finished, then look again."},
	"25006": {words: "this server is a read-only replica, or the session is read-only", next: "Point DATABASE_URL at the primary to act."},
	"57P03": {words: "the server is starting up, shutting down or recovering", next: "Wait; the cockpit keeps trying."},
	"57P01": {words: "the server ended our session (shutdown or an administrator)", next: "The cockpit connects again by itself."},
	"57P02": {words: "the server crashed and is restarting", next: "Look at the server's log; the cockpit keeps trying."},
	"57P05": {words: "the server ended our session because it was idle", next: "The cockpit connects again by itself."},
	"25P03": {words: "the server ended our transaction because it was idle too long"},
	"40P01": {words: "deadlock: the server stopped our transaction", next: "Nothing was written. Try again."},
	"53100": {words: "the server's disk is full", next: "Free space on the database's volume first."},
	"53200": {words: "the server is out of memory"},
	"42P01": {next: "The schema changed; it is read again at the next look."},
	"42703": {next: "The schema changed; it is read again at the next look."},
}

func describeServer(e *probes.Error, pg *pgconn.PgError) {
	a := advices[pg.Code]
	e.Cause, e.Next, e.Denied = a.words, a.next, a.denied
	if e.Cause == "" {
		e.Cause = clean.Capped(pg.Message, maxCause)
	}
	if pg.Code == "42501" && pg.TableName == "" && strings.Contains(pg.Message, "schema") {
		e.Next = "Ask for GRANT USAGE ON SCHEMA; doctor prints the exact line."
	}
	if pg.Code == "08P01" && strings.Contains(pg.Message, "unsupported startup parameter") {
		e.Next = "PgBouncer refuses PGOPTIONS and the like: unset it, or add it to ignore_startup_parameters."
	}
}

func describeNetwork(e *probes.Error, err error) {
	var dns *net.DNSError
	var netErr net.Error
	var late *lateError
	switch {
	case errors.Is(err, context.Canceled):
		e.Cause = "cancelled"
	case errors.As(err, &dns):
		e.Cause = fmt.Sprintf("no such host: %s", clean.Capped(dns.Name, 80))
		e.Next = "Check the host in DATABASE_URL, and the VPN or the compose network."
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Cause, e.Next = "connection refused: nothing listens there", "Check host and port, and whether PostgreSQL runs."
	case errors.Is(err, os.ErrNotExist):
		e.Cause, e.Next = "there is no server socket there", "Check the socket folder (PGHOST), and whether PostgreSQL runs."
	case errors.Is(err, os.ErrPermission):
		e.Cause, e.Next, e.Denied = "the server's socket or the network may not be used", "Check the rights on the socket folder.", true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Cause, e.Next = "the host cannot be reached from here", "Check the VPN or the network."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		e.Cause, e.Next = "no answer in time", "The server hangs, is overloaded, or a firewall drops us; the cockpit keeps trying."
		if errors.As(err, &late) {
			e.Cause = "no answer within " + late.within().String()
			if late.within() == 0 {
				e.Cause, e.Next = "no time was left to ask", "Other questions to the server took it all; the cockpit keeps trying."
			}
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), isHangUp(err):
		e.Cause, e.Next = "the server closed the connection", "It may be restarting; the cockpit connects again by itself."
	default:
		e.Cause = clean.Capped(lastWords(err), maxCause)
	}
}

func isHangUp(err error) bool {
	text := err.Error()
	return strings.Contains(text, "unexpected EOF") || strings.Contains(text, "conn closed")
}

// lastWords gives the innermost message. The outer ones of pgx name user,
// database and host, which the screen shows already.
func lastWords(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
