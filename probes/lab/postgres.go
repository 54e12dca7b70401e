package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// AdminUser is the superuser of every throwaway server.
const AdminUser = "gradecockpit_admin"

const (
	dataDir    = "data" // in the home
	socketPort = 5432   // only part of the socket's name: the directory is private
)

// PostgresOptions shape a throwaway server; the zero value is a good one.
type PostgresOptions struct {
	// BinDir holds initdb and postgres; "" looks for them.
	BinDir string
	// TCP makes it listen on a random port of 127.0.0.1 as well, where
	// passwords are asked for (scram-sha-256) and Password is AdminUser's.
	TCP      bool
	Password string
	// MaxConnections is 60 when 0; 3 of them are the superuser's.
	MaxConnections int
	// Settings are further server settings, stronger than ours.
	Settings map[string]string
}

// PostgresServer is a running server; its end is Stop's, or ours.
type PostgresServer struct {
	home *home
	opts PostgresOptions
	bin  string
	port int // of 127.0.0.1; 0 without TCP
	proc *process
	once sync.Once
	err  error // of the one Stop that worked
}

// StartPostgres makes a new cluster and serves it until Stop: about a second,
// most of it initdb. ctx bounds the start only. As root the server runs as
// another user, as PostgreSQL refuses root. The error wraps ErrNoPostgres when
// the machine has no PostgreSQL.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*PostgresServer, error) {
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	bin, err := findPostgres(opts.BinDir, as)
	if err != nil {
		return nil, err
	}
	h, err := newHome(as)
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{home: h, opts: opts, bin: bin}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *PostgresServer) start(ctx context.Context) error {
	if err := s.initdb(ctx); err != nil {
		return err
	}
	if !s.opts.TCP {
		return s.serve(ctx)
	}
	return withFreePort(func(port int) error {
		s.port = port
		return s.serve(ctx)
	}, func() bool { return strings.Contains(s.Log(), "could not bind") })
}

func (s *PostgresServer) initdb(ctx context.Context) error {
	args := []string{
		"-D", filepath.Join(s.home.path, dataDir), "-U", AdminUser, "--no-sync", "--no-locale", "-E", "UTF8",
		"--auth-local=trust", "--auth-host=scram-sha-256",
	}
	if s.opts.Password != "" {
		if err := s.home.write("pw", s.opts.Password+"\n"); err != nil {
			return fmt.Errorf("write the password for initdb: %w", err)
		}
		args = append(args, "--pwfile="+filepath.Join(s.home.path, "pw"))
	} else {
		args[len(args)-1] = "--auth-host=trust" // initdb asks for a password else
	}
	cmd, err := s.home.command("initdb", filepath.Join(s.bin, "initdb"), args...)
	if err != nil {
		return err
	}
	if err := s.home.run(ctx, "initdb", cmd); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, s.home.tail("initdb"))
	}
	return nil
}

// serve starts the server and waits until it takes connections.
func (s *PostgresServer) serve(ctx context.Context) error {
	cmd, err := s.serverCommand()
	if err != nil {
		return err
	}
	if s.proc, err = s.home.spawn("postgres", cmd); err != nil {
		return err
	}
	err = s.proc.await(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.DSN("postgres", AdminUser))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("start postgres: %w\n%s", err, s.Log())
	}
	return nil
}

func (s *PostgresServer) serverCommand() (*exec.Cmd, error) {
	args := []string{"-D", filepath.Join(s.home.path, dataDir), "-k", s.home.path}
	settings := s.settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return s.home.command("postgres", filepath.Join(s.bin, "postgres"), args...)
}

// settings trade durability, of which a throwaway server needs none, for speed.
func (s *PostgresServer) settings() map[string]string {
	set := map[string]string{
		"port":                    strconv.Itoa(s.socketPort()),
		"listen_addresses":        "",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"wal_level":               "minimal",
		"max_wal_senders":         "0",
		"shared_buffers":          "32MB",
		"max_connections":         "60",
		"jit":                     "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
		"unix_socket_permissions": "0700",
		// Files in the data directory instead of /dev/shm: gone with it.
		"dynamic_shared_memory_type": "mmap",
	}
	if s.opts.TCP {
		set["listen_addresses"] = "127.0.0.1"
	}
	if s.opts.MaxConnections > 0 {
		set["max_connections"] = strconv.Itoa(s.opts.MaxConnections)
	}
	if hasModule(s.bin, "pg_stat_statements") {
		set["shared_preload_libraries"] = "pg_stat_statements"
	}
	maps.Copy(set, s.opts.Settings)
	return set
}

func (s *PostgresServer) socketPort() int {
	if s.port != 0 {
		return s.port
	}
	return socketPort
}

// DSN connects to a database as a role through the socket, without a password.
func (s *PostgresServer) DSN(dbname, user string) string {
	q := url.Values{"host": {s.home.path}, "port": {strconv.Itoa(s.socketPort())}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + dbname, RawQuery: q.Encode()}
	return u.String()
}

// TCPDSN connects over 127.0.0.1, where the password is checked. Only with the
// option TCP.
func (s *PostgresServer) TCPDSN(dbname, user, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Path: "/" + dbname,
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Log is the end of the server's own log.
func (s *PostgresServer) Log() string { return s.home.tail("postgres") }

// Dir is the server's private directory; the socket is in it.
func (s *PostgresServer) Dir() string { return s.home.path }

// Pause freezes the server: connections stay open and are answered no more.
func (s *PostgresServer) Pause() { s.proc.pause() }

// Resume lets a paused server go on.
func (s *PostgresServer) Resume() { s.proc.resume() }

// Stop ends the server (SIGINT: sessions are ended, then SIGQUIT) and removes
// its directory. Further calls return the same.
func (s *PostgresServer) Stop() error {
	s.once.Do(func() {
		if s.proc != nil {
			s.proc.stop(syscall.SIGINT, syscall.SIGQUIT)
		}
		s.err = s.home.remove()
	})
	return s.err
}

// await polls ready until it succeeds, the child ends, or ctx does.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %w", cmpErr(p.err, err))
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", err)
		case <-tick.C:
		}
	}
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// withFreePort tries start with ports that were free a moment ago, again while
// taken says that another process was faster.
func withFreePort(start func(port int) error, taken func() bool) error {
	var err error
	for range 5 {
		port, perr := freePort()
		if perr != nil {
			return perr
		}
		if err = start(port); err == nil || !taken() {
			return err
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
