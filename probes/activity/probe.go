package activity

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes"
	"gradecockpit/probes/postgres"
)

// The bounds of a look: rows, and characters of each query text.
const (
	mostSessions = 300
	shortText    = 1000
	wholeText    = 100_000 // of one session on a page of its own
)

// Probe reads the sessions. It is safe for concurrent use: the hub samples it
// while the page of one session is read.
type Probe struct {
	reader *postgres.Reader

	mu      sync.Mutex // guards what follows; never held while the database is asked
	version int        // of the server; 0 not asked yet
	of      uint64     // the connection that said so
	self    int        // our pid at the last look
	selfOf  uint64
	pooled  bool
}

// New makes a Probe over a Reader; it does not read yet.
func New(r *postgres.Reader) *Probe { return &Probe{reader: r} }

// ID is "activity".
func (p *Probe) ID() probes.ID { return ID }

// Source is PostgreSQL.
func (p *Probe) Source() probes.SourceID { return probes.Postgres }

// Sample looks once: one round trip, and one more on a new connection to learn
// the server's version.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	l, err := p.look(ctx, nil)
	if err != nil {
		return nil, err
	}
	return l.over, nil
}

// look reads everything, with the sessions asked for even if they are idle, and
// the locks of the first of them.
func (p *Probe) look(ctx context.Context, pids []int) (*look, error) {
	version, err := p.server(ctx)
	if err != nil {
		return nil, err
	}
	l := newLook(version, pids)
	err = p.reader.Batch(ctx, l.batch(), func(results pgx.BatchResults) error {
		return l.read(func() (pgx.Rows, error) { return results.Query() })
	})
	if err != nil {
		return nil, postgres.Describe("read sessions", err)
	}
	l.over.Pooled = p.changedHands(l.over.Self)
	return l, nil
}

// server gives the version of the server, asked once a connection.
func (p *Probe) server(ctx context.Context) (int, error) {
	p.mu.Lock()
	version, of := p.version, p.of
	p.mu.Unlock()
	if version != 0 && of == p.reader.Generation() {
		return version, nil
	}
	err := p.reader.Tx(ctx, func(tx pgx.Tx) (err error) {
		version, err = askVersion(ctx, tx)
		return err
	})
	if err != nil {
		return 0, postgres.Describe("read the server's version", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version, p.of = version, p.reader.Generation()
	return version, nil
}

func askVersion(ctx context.Context, tx pgx.Tx) (version int, err error) {
	err = tx.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&version)
	return version, err
}

// changedHands tells whether our one connection has been served by different
// sessions: then a pooler is in between, and addresses are the pooler's.
func (p *Probe) changedHands(self int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.reader.Generation()
	if p.self != 0 && p.self != self && p.selfOf == now {
		p.pooled = true
	}
	p.self, p.selfOf = self, now
	return p.pooled
}

// Look reads all sessions in a transaction of somebody else's, as an action
// does that must see them now: those of the pids also when they are idle.
func Look(ctx context.Context, tx pgx.Tx, pids ...int) (Overview, error) {
	version, err := askVersion(ctx, tx)
	if err != nil {
		return Overview{}, err
	}
	l := newLook(version, pids)
	results := tx.SendBatch(ctx, l.batch())
	err = l.read(func() (pgx.Rows, error) { return results.Query() })
	if closing := results.Close(); err == nil {
		err = closing
	}
	return l.over, err
}

// look is one look: its questions in order, and what they gave.
type look struct {
	asked []int
	parts []part
	over  Overview
	locks []Lock // of the first session asked for
	more  int    // locks that were left out
}

// part is one question with what reads its answer.
type part struct {
	sql  string
	args []any
	read func(pgx.Rows) error
}

var (
	//go:embed sql/facts.sql
	factsSQL string
	//go:embed sql/groups.sql
	groupsSQL string
	//go:embed sql/sessions.sql
	sessionsSQL string
	//go:embed sql/prepared.sql
	preparedSQL string
	//go:embed sql/locks.sql
	locksSQL string
)

func newLook(version int, pids []int) *look {
	l := &look{asked: pids}
	l.over.Version = version
	c := columns(version)
	asked := make([]int32, len(pids)) // never nil: null is no array
	for i, pid := range pids {
		asked[i] = int32(pid)
	}
	l.parts = []part{
		{c.Replace(factsSQL), nil, l.readFacts},
		{c.Replace(groupsSQL), nil, l.readGroups},
		{c.Replace(sessionsSQL), []any{asked}, l.readSessions},
		{preparedSQL, nil, l.readPrepared},
	}
	if len(pids) > 0 {
		l.parts = append(l.parts, part{c.Replace(locksSQL), []any{asked[0]}, l.readLocks})
	}
	return l
}

// owner finds the role that the application's migrations ran as: the owner of
// its table of copies.
const owner = `(select c.relowner from pg_class c where c.relname = 'exams_copy' and c.relkind in ('r', 'p', 'f', 'v')
	order by pg_table_is_visible(c.oid) desc, c.oid limit 1)`

// columns fills in what differs between versions: leader_pid came with 13,
// query_id and waitstart with 14.
func columns(version int) *strings.Replacer {
	since := func(v int, column, none string) string {
		if version >= v {
			return column
		}
		return none
	}
	return strings.NewReplacer(
		"{leader}", since(130000, "coalesce(a.leader_pid, 0)", "0"),
		"{query_id}", since(140000, "coalesce(a.query_id::text, '')", "''"),
		"{waitstart}", since(140000, "l.waitstart", "null::timestamptz"),
		"{owner}", owner,
		"{app}", "coalesce(a.usesysid = "+owner+" or not r.rolsuper and pg_has_role(a.usesysid, "+owner+", 'member'), false)",
		// A role without rights sees no backend_type, but a role of its own only on
		// clients and their parallel workers.
		"{counted}", "(a.backend_type = 'client backend' or a.backend_type is null and a.usesysid is not null and a.datid is not null)",
		"{most}", fmt.Sprint(mostSessions), "{short}", fmt.Sprint(shortText), "{whole}", fmt.Sprint(wholeText),
	)
}

func (l *look) batch() *pgx.Batch {
	b := &pgx.Batch{}
	for _, p := range l.parts {
		b.Queue(p.sql, p.args...)
	}
	return b
}

// read takes the answers in the order of the questions.
func (l *look) read(next func() (pgx.Rows, error)) error {
	for _, p := range l.parts {
		rows, err := next()
		if err == nil {
			err = p.read(rows)
			rows.Close()
		}
		if err != nil {
			return err
		}
	}
	l.over.Connect()
	return nil
}
