package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

const password = "hunter2"

// connectError is what a real attempt to connect gives.
func connectError(t *testing.T, dsn string) error {
	t.Helper()
	r := reader(t, Config{ConnString: dsn, ConnectTimeout: 2 * time.Second})
	_, err := value[int](labtest.Context(t), r, "select 1")
	if err == nil {
		t.Fatalf("%s: connected", dsn)
	}
	return err
}

func TestDescribeConnecting(t *testing.T) {
	noEnvironment(t)
	server := labtest.Server(t, lab.PostgresOptions{TCP: true, Password: "right"})
	tests := []struct {
		name, dsn, cause string
		denied           bool
	}{
		{"wrong password", server.TCPDSN("postgres", lab.AdminUser, password), "wrong password", true},
		{"no such role", server.TCPDSN("postgres", "nobody_here", password), "wrong password, or no such role", true},
		{"no such role on the socket", server.DSN("postgres", "nobody_here"), "may not log in", true},
		{"no such database", server.TCPDSN("nowhere", lab.AdminUser, "right"), `database "nowhere" does not exist`, true},
		{"refused", "postgres://u:" + password + "@127.0.0.1:1/x?sslmode=disable", "connection refused", false},
		{"no such host", "postgres://u:" + password + "@nowhere.invalid/x", "no such host: nowhere.invalid", false},
		{"no socket", "postgres://u:" + password + "@/x?host=" + t.TempDir(), "no server socket", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := Describe("connect", connectError(t, tt.dsn))
			if !strings.Contains(e.Cause, tt.cause) || e.Denied != tt.denied || e.Next == "" || e.Source != probes.Postgres {
				t.Errorf("%+v, want %q", e, tt.cause)
			}
			if strings.Contains(e.Error(), password) || strings.Contains(e.Err.Error(), password) {
				t.Errorf("the password is in %q", e)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	server := func(code, message string) error {
		return &pgconn.PgError{Severity: "ERROR", Code: code, Message: message}
	}
	tests := []struct {
		name        string
		err         error
		cause, next string
		denied      bool
	}{
		{"statement timeout", server("57014", "canceling statement due to statement timeout"), "time limit", "slow", false},
		{"permission", server("42501", "permission denied for table exams_copy"), "permission denied for table exams_copy", "GRANT", true},
		{"schema permission", server("42501", "permission denied for schema app"), "schema app", "USAGE", true},
		{"replica", server("25006", "cannot execute DELETE in a read-only transaction"), "read-only", "primary", false},
		{"starting", server("57P03", "the database system is starting up"), "starting up", "Wait", false},
		{"unknown code, hostile message", server("XX000", "a\x1b[31mb\nc"), `a\x1b[31mb`, "", false},
		{"refused by PgBouncer", server("08P01", "unsupported startup parameter: options"), "unsupported", "PGOPTIONS", false},
		{"cancelled", context.Canceled, "cancelled", "", false},
		{"deadline", context.DeadlineExceeded, "no answer in time", "hangs", false},
		{"late", &lateError{1960 * time.Millisecond, context.DeadlineExceeded}, "no answer within 2s", "hangs", false},
		{"asked too late", &lateError{time.Millisecond, context.DeadlineExceeded}, "no time was left", "Other questions", false},
		{"anything else", errors.New("odd\x07"), `odd\x07`, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := Describe("read locks", tt.err)
			if !strings.Contains(e.Cause, tt.cause) || !strings.Contains(e.Next, tt.next) || e.Denied != tt.denied {
				t.Errorf("%+v", e)
			}
			if !errors.Is(e, tt.err) {
				t.Error("the cause is not kept")
			}
			if strings.ContainsAny(e.Error(), "\x1b\x07\n") {
				t.Errorf("a control byte in %q", e)
			}
		})
	}
	if Describe("x", nil) != nil {
		t.Error("nil must stay nil")
	}
	if known := (&probes.Error{Op: "mine"}); Describe("x", known) != known {
		t.Error("an error that is described already must stay")
	}
}

// A FATAL answer to COMMIT proves nothing; an ERROR does.
func TestRefused(t *testing.T) {
	for err, want := range map[error]bool{
		&pgconn.PgError{Severity: "ERROR", Code: "23503"}:                                       true,
		&pgconn.PgError{Severity: "FATAL", Code: "57P01"}:                                       false,
		&pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "40001"}:        true,
		&pgconn.PgError{Severity: "SCHWERWIEGEND", SeverityUnlocalized: "FATAL", Code: "57P01"}: false,
		pgx.ErrTxCommitRollback:   true,
		context.DeadlineExceeded:  false,
		errors.New("broken pipe"): false,
	} {
		if got := refused(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
