package storage

import (
	"context"
	_ "embed"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/postgres"
)

var (
	//go:embed sql/facts.sql
	factsSQL string
	//go:embed sql/tables.sql
	tablesSQL string
	//go:embed sql/indexes.sql
	indexesSQL string
	//go:embed sql/foreign.sql
	foreignSQL string
	//go:embed sql/replication.sql
	replicationSQL string
	//go:embed sql/settings.sql
	settingsSQL string
)

// What one look reads at most, the grading tables first.
const (
	maxTables  = 150
	maxIndexes = 600
	maxForeign = 400
)

// Probe looks at the database. A look is one round trip, but for the first one
// where pg_stat_statements is there, which is found out by it.
type Probe struct {
	reader *postgres.Reader

	mu         sync.Mutex // the hub never overlaps two looks, a page may
	ext        extension
	generation uint64
	past       past
}

// New makes a Probe over the connection that all probes share.
func New(r *postgres.Reader) *Probe { return &Probe{reader: r, past: past{least: leastOver}} }

// ID is "storage".
func (p *Probe) ID() probes.ID { return ID }

// Source is PostgreSQL.
func (p *Probe) Source() probes.SourceID { return probes.Postgres }

// Sample looks once.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.reader.Generation(); g != p.generation {
		p.ext = extension{}
	}
	l, err := p.look(ctx)
	if p.ext != (extension{}) && refused(err) { // DROP EXTENSION since the last look, or too slow to read
		p.ext = extension{}
		l, err = p.look(ctx)
	}
	if err != nil {
		return nil, postgres.Describe("look at the database", err)
	}
	p.generation = p.reader.Generation()
	p.past.fill(&l)
	l.judge()
	return l.Overview, nil
}

// Statement reads the whole text of a statement.
func (p *Probe) Statement(ctx context.Context, id int64) (text string, err error) {
	err = p.reader.Tx(ctx, func(tx pgx.Tx) error {
		text, err = StatementText(ctx, tx, id)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoStatement) {
		err = postgres.Describe("read a statement", err)
	}
	return text, err
}

// look asks everything that is known to be there. Statements that turn out to
// be there are asked for on their own.
func (p *Probe) look(ctx context.Context) (look, error) {
	l := look{}
	before := p.ext
	questions := append([]question{l.facts(), l.tables(), l.indexes(), l.foreign(), l.replication(), l.settings()}, l.statements(before)...)
	if err := p.ask(ctx, questions); err != nil {
		return l, err
	}
	p.ext = l.ext
	l.Statements.Why, l.Statements.Fix = l.ext.trouble()
	if l.ext == before || l.Statements.Why != "" {
		return l, nil
	}
	l.Statements = Statements{}
	err := p.ask(ctx, l.statements(l.ext))
	if refused(err) { // the rest is worth showing without it
		l.Statements = Statements{Why: "pg_stat_statements cannot be read: " + probes.Brief(postgres.Describe("read statements", err)) + ".",
			Fix: "SELECT count(*) FROM " + l.ext.schema + ".pg_stat_statements; as this role shows the server's whole answer"}
		p.ext, err = extension{}, nil
	}
	return l, err
}

// question is one query with what reads its answer.
type question struct {
	sql  string
	args []any
	read func(pgx.Rows) error
}

// ask puts all questions in one round trip.
func (p *Probe) ask(ctx context.Context, questions []question) error {
	batch := &pgx.Batch{}
	for _, q := range questions {
		batch.Queue(q.sql, q.args...)
	}
	return p.reader.Batch(ctx, batch, func(results pgx.BatchResults) error {
		for _, q := range questions {
			rows, err := results.Query()
			if err == nil {
				err = q.read(rows)
				rows.Close()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// refused tells that the server answered, and with an error: the connection and
// the other questions are not to blame.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Severity == "ERROR"
}
