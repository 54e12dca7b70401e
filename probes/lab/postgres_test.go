package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestStopLeavesNothing(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{})
	connect(t, s.DSN("postgres", lab.AdminUser))
	first, err := postmaster(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second does nothing
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if alive(first) {
		t.Error("the server is still there")
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", s.Dir())
	}
}

func TestNothingListensByDefault(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{})
	if got := query[string](t, s.DSN("postgres", lab.AdminUser), "SHOW listen_addresses"); got != "" {
		t.Errorf("listens on %q", got)
	}
	if n := len(filepath.Join(s.Dir(), ".s.PGSQL.5432")); n >= 104 {
		t.Errorf("the socket's path has %d bytes", n)
	}
}

func TestPausedServerIsAskedInVain(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{})
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if conn, err := pgx.Connect(ctx, s.DSN("postgres", lab.AdminUser)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want the deadline", conn, err)
	}
	s.Resume()
	connect(t, s.DSN("postgres", lab.AdminUser))
}

func TestPasswordsOverTCP(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{TCP: true, Password: "right pässword"})
	connect(t, s.TCPDSN("postgres", lab.AdminUser, "right pässword"))
	for _, tc := range []struct{ name, dsn, code string }{
		{"wrong password", s.TCPDSN("postgres", lab.AdminUser, "wrong"), "28P01"},
		{"no such role", s.TCPDSN("postgres", "nobody_here", "x"), "28P01"},
		{"no such database", s.TCPDSN("nowhere", lab.AdminUser, "right pässword"), "3D000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := pgx.Connect(labtest.Context(t), tc.dsn)
			if code := sqlState(err); code != tc.code {
				t.Errorf("got %v, want SQLSTATE %s", err, tc.code)
			}
		})
	}
}

func TestOptionsReachTheServer(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{MaxConnections: 7, Settings: map[string]string{"lock_timeout": "1234ms"}})
	dsn := s.DSN("postgres", lab.AdminUser)
	if got := query[string](t, dsn, "SHOW max_connections"); got != "7" {
		t.Errorf("max_connections is %s, want 7", got)
	}
	if got := query[string](t, dsn, "SHOW lock_timeout"); got != "1234ms" {
		t.Errorf("lock_timeout is %s, want 1234ms", got)
	}
}

func TestBadSettingIsExplained(t *testing.T) {
	_, err := lab.StartPostgres(labtest.Context(t), lab.PostgresOptions{Settings: map[string]string{"no_such_setting": "1"}})
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
		t.Errorf("the error does not carry the server's reason: %v", err)
	}
}

func TestWithoutProgramsTheErrorSaysWhatToInstall(t *testing.T) {
	dir := t.TempDir()
	_, err := lab.StartPostgres(labtest.Context(t), lab.PostgresOptions{BinDir: dir})
	if !errors.Is(err, lab.ErrNoPostgres) {
		t.Fatalf("got %v, want ErrNoPostgres", err)
	}
	for _, part := range []string{dir, "install", "--fetch-postgres"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %q", part, err)
		}
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := lab.StartPostgres(ctx, lab.PostgresOptions{})
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

// postmaster reads the number of the server's first process.
func postmaster(dir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return strconv.Atoi(first)
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(labtest.Context(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	var v T
	if err := connect(t, dsn).QueryRow(labtest.Context(t), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
