package labtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gradecockpit/probes/lab"
)

// ReaderRole may only SELECT.
const ReaderRole = "gradecockpit_reader"

// Option changes the tables that Postgres makes.
type Option func(*lab.SchemaOptions)

// NoLocks leaves out grading_copylock.
func NoLocks(o *lab.SchemaOptions) { o.NoLocks = true }

// NoDrafts leaves out grading_draftstate.
func NoDrafts(o *lab.SchemaOptions) { o.NoDrafts = true }

// NoScores leaves out grading_score.
func NoScores(o *lab.SchemaOptions) { o.NoScores = true }

// QuestionScores adds grading_questionscore.
func QuestionScores(o *lab.SchemaOptions) { o.QuestionScores = true }

// RoutedQueues adds the mark of the generation with queues "finalize" and "import".
func RoutedQueues(o *lab.SchemaOptions) { o.RoutedQueues = true }

// DB is one test's own database, dropped at the test's end.
type DB struct {
	lab.DB
	Name   string
	Pool   *pgxpool.Pool // as superuser; the test's, not the code's under test
	Server *lab.PostgresServer

	t testing.TB
}

// Postgres makes a database with the dialect's tables, empty but for Django's
// migrations. The server is the test binary's; for one to pause or stop, or
// with settings of its own, see Server and On.
func Postgres(t testing.TB, dialect lab.Dialect, opts ...Option) *DB {
	t.Helper()
	c, err := shared.get(Context(t))
	failWithout(t, err)
	return c.database(t, dialect, opts)
}

// Server starts a server for this test alone.
func Server(t testing.TB, opts lab.PostgresOptions) *lab.PostgresServer {
	t.Helper()
	s, err := lab.StartPostgres(Context(t), opts)
	failWithout(t, err)
	stopAfter(t, s.Stop)
	return s
}

// On is Postgres on the test's own server.
func On(t testing.TB, server *lab.PostgresServer, dialect lab.Dialect, opts ...Option) *DB {
	t.Helper()
	c, err := newCluster(Context(t), server)
	failWithout(t, err)
	return c.database(t, dialect, opts)
}

func failWithout(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, lab.ErrNoPostgres) {
		Missing(t, "this test needs PostgreSQL: "+err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shared is the one server of the test binary. A package variable, as nothing
// else outlives a test; Main ends it, and the kernel should Main be missing.
var shared lazyCluster

type lazyCluster struct {
	once    sync.Once
	cluster *cluster
	err     error
}

func (l *lazyCluster) get(ctx context.Context) (*cluster, error) {
	l.once.Do(func() {
		server, err := lab.StartPostgres(ctx, lab.PostgresOptions{})
		if err != nil {
			l.err = err
			return
		}
		l.cluster, l.err = newCluster(ctx, server)
	})
	return l.cluster, l.err
}

func (l *lazyCluster) stop() error {
	if l.cluster == nil {
		return nil
	}
	return l.cluster.server.Stop()
}

// cluster is a server with template databases, one for each set of options.
type cluster struct {
	server *lab.PostgresServer

	mu        sync.Mutex
	templates map[lab.SchemaOptions]string
}

func newCluster(ctx context.Context, server *lab.PostgresServer) (*cluster, error) {
	c := &cluster{server: server, templates: map[lab.SchemaOptions]string{}}
	return c, c.exec(ctx, "postgres", `DO $$ BEGIN
		CREATE ROLE `+ReaderRole+` LOGIN;
	EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
}

// exec runs statements as superuser, one at a time: CREATE DATABASE refuses company.
func (c *cluster) exec(ctx context.Context, db string, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.server.DSN(db, lab.AdminUser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (c *cluster) database(t testing.TB, dialect lab.Dialect, opts []Option) *DB {
	t.Helper()
	o := lab.SchemaOptions{Dialect: dialect}
	for _, opt := range opts {
		opt(&o)
	}
	ctx := Context(t)
	name, err := c.create(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(ctx, c.server.DSN(name, lab.AdminUser)+"&pool_max_conns=4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		if err := c.exec(Context(t), "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("drop the test's database (a test may have stopped its server): %v", err)
		}
	})
	return &DB{DB: lab.DB{Conn: pool, Dialect: dialect, HasLocks: !o.NoLocks}, Name: name, Pool: pool, Server: c.server, t: t}
}

// create copies the template of these options, which is made the first time.
func (c *cluster) create(ctx context.Context, o lab.SchemaOptions) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	template, ok := c.templates[o]
	if !ok {
		template = unique("template")
		if err := c.createTemplate(ctx, template, o); err != nil {
			return "", err
		}
		c.templates[o] = template
	}
	name := unique("test")
	return name, c.exec(ctx, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
}

func (c *cluster) createTemplate(ctx context.Context, name string, o lab.SchemaOptions) error {
	if err := c.exec(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, c.server.DSN(name, lab.AdminUser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := lab.CreateSchema(ctx, conn, o); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+ReaderRole)
	return err
}

// DSN connects as superuser.
func (d *DB) DSN() string { return d.Server.DSN(d.Name, lab.AdminUser) }

// ReaderDSN connects as a role that may only SELECT.
func (d *DB) ReaderDSN() string { return d.Server.DSN(d.Name, ReaderRole) }

// RoleDSN connects as a new role that has exactly the given rights in this
// database: RoleDSN("SELECT ON exams_copy", "DELETE ON grading_copylock").
func (d *DB) RoleDSN(grants ...string) string {
	d.t.Helper()
	role := unique("role")
	d.Exec("CREATE ROLE " + role + " LOGIN")
	d.t.Cleanup(func() {
		if _, err := d.Pool.Exec(Context(d.t), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			d.t.Logf("drop the test's role: %v", err)
		}
	})
	for _, g := range grants {
		d.Exec("GRANT " + g + " TO " + role)
	}
	return d.Server.DSN(d.Name, role)
}

// PgBouncer puts a pooler in transaction mode in front of the database and
// gives DSNs through it, as superuser and as reader.
func PgBouncer(t testing.TB, db *DB) (dsn, readerDSN string) {
	t.Helper()
	Need(t, "pgbouncer")
	b, err := lab.StartPgBouncer(Context(t), db.Server, lab.AdminUser, ReaderRole)
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, b.Stop)
	return b.DSN(db.Name, lab.AdminUser), b.DSN(db.Name, ReaderRole)
}

// unique makes a name that needs no quotes.
func unique(what string) string { return what + "_" + strings.ToLower(rand.Text()) }

// short cuts a statement for a message.
func short(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	return sql[:min(len(sql), 80)]
}
