package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// PgBouncer is a running pooler in transaction mode.
type PgBouncer struct {
	home *home
	port int
	proc *process
	once sync.Once
	err  error
}

// StartPgBouncer pools every database of the server for the given roles, on a
// random port of 127.0.0.1, in transaction mode, as the machine's own pgbouncer.
func StartPgBouncer(ctx context.Context, server *PostgresServer, roles ...string) (*PgBouncer, error) {
	program, err := Program("pgbouncer")
	if err != nil {
		return nil, fmt.Errorf("start pgbouncer: %w", err)
	}
	h, err := newHome(server.home.account) // it refuses root, too
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{home: h}
	err = withFreePort(func(port int) error {
		b.port = port
		return b.serve(ctx, program, server, roles)
	}, func() bool { return strings.Contains(b.Log(), "cannot listen") })
	if err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

func (b *PgBouncer) serve(ctx context.Context, program string, server *PostgresServer, roles []string) error {
	var users strings.Builder
	for _, r := range roles {
		fmt.Fprintf(&users, "%q \"\"\n", r)
	}
	ini := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
`, server.home.path, server.socketPort(), b.port, filepath.Join(b.home.path, "users.txt"))
	for name, text := range map[string]string{"users.txt": users.String(), "pgbouncer.ini": ini} {
		if err := b.home.write(name, text); err != nil {
			return fmt.Errorf("configure pgbouncer: %w", err)
		}
	}
	cmd, err := b.home.command("pgbouncer", program, filepath.Join(b.home.path, "pgbouncer.ini"))
	if err != nil {
		return err
	}
	if b.proc, err = b.home.spawn("pgbouncer", cmd); err != nil {
		return err
	}
	if err := b.proc.await(ctx, dialable("tcp", b.address())); err != nil {
		return fmt.Errorf("start pgbouncer: %w\n%s", err, b.Log())
	}
	return nil
}

func (b *PgBouncer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// DSN connects to a database through the pooler, as one of its roles.
func (b *PgBouncer) DSN(dbname, role string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Host: b.address(), Path: "/" + dbname, RawQuery: "sslmode=disable"}
	return u.String()
}

// Log is the end of the pooler's log.
func (b *PgBouncer) Log() string { return b.home.tail("pgbouncer") }

// Stop ends the pooler and removes its directory. Further calls return the same.
func (b *PgBouncer) Stop() error {
	b.once.Do(func() {
		if b.proc != nil {
			b.proc.stop(syscall.SIGTERM)
		}
		b.err = b.home.remove()
	})
	return b.err
}

// write makes a file of the home that the server's account can read.
func (h *home) write(name, text string) error {
	path := filepath.Join(h.path, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return h.account.own(path)
}

// dialable is the check that a server listens.
func dialable(network, addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}
