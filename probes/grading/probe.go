package grading

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/postgres"
)

// Options shape a Probe; the zero value is a good one.
type Options struct {
	Locks      LockMode   // "" is LocksAuto
	Thresholds Thresholds // zero: DefaultThresholds
	Limit      int        // rows of each part; 0 is 200
}

func (o Options) defaults() Options {
	if o.Locks == "" {
		o.Locks = LocksAuto
	}
	if o.Thresholds == (Thresholds{}) {
		o.Thresholds = DefaultThresholds()
	}
	if o.Limit <= 0 {
		o.Limit = 200
	}
	return o
}

// Probe reads the grading tables. It is safe for concurrent use: the hub
// samples it while a page of one copy is read.
type Probe struct {
	reader  *postgres.Reader
	opts    Options
	started time.Time

	mu    sync.Mutex // guards what follows; never held while the database is asked
	found found
	locks Tri // what the last sample said, for Older and Dossier

	// Only Sample uses these, which the hub never overlaps.
	sampling sync.Mutex
	tail     tail
	seen     sightings
}

// found is what a discovery gave, and when.
type found struct {
	schema     *Schema
	sql        statements
	generation uint64
	at         time.Time
}

// rediscoverEvery bounds how long a new table, column, GRANT or migration goes
// unnoticed that makes no query fail. BenchmarkDiscover tells what it costs.
const rediscoverEvery = time.Minute

// NewProbe makes a Probe over a Reader; it does not read yet.
func NewProbe(r *postgres.Reader, o Options) *Probe {
	locks, _ := evidence{table: true}.inUse(o.Locks) // until the first sample
	return &Probe{reader: r, opts: o.defaults(), started: time.Now(), locks: locks}
}

// ID is "grading".
func (p *Probe) ID() probes.ID { return ID }

// Source is PostgreSQL.
func (p *Probe) Source() probes.SourceID { return probes.Postgres }

// Schema is what was discovered last; nil before the first discovery.
func (p *Probe) Schema() *Schema {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found.schema
}

// LocksInUse is what the last sample said; before the first one, what is set.
func (p *Probe) LocksInUse() Tri {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locks
}

// EnsureSchema discovers the schema unless what is known is fresh and of the
// present connection. The error is an *probes.Error; a *NotGrading is in it
// where the database is not a grading system's.
func (p *Probe) EnsureSchema(ctx context.Context) (*Schema, error) {
	f, err := p.ensure(ctx)
	return f.schema, err
}

func (p *Probe) ensure(ctx context.Context) (found, error) {
	p.mu.Lock()
	f := p.found
	p.mu.Unlock()
	if f.schema != nil && f.generation == p.reader.Generation() && time.Since(f.at) < rediscoverEvery {
		return f, nil
	}
	err := p.reader.Tx(ctx, func(tx pgx.Tx) (err error) {
		f.schema, err = Discover(ctx, tx)
		return err
	})
	if err != nil {
		return found{}, discovery(err)
	}
	if f.sql, err = compose(f.schema); err != nil {
		return found{}, discovery(err)
	}
	f.generation, f.at = p.reader.Generation(), time.Now()
	p.mu.Lock()
	p.found = f
	p.mu.Unlock()
	return f, nil
}

// discovery puts a failed discovery into words.
func discovery(err error) error {
	var not *NotGrading
	if errors.As(err, &not) {
		return &probes.Error{Source: probes.Postgres, Op: "look for the grading tables", Cause: not.Error(), Next: not.Next(), Denied: true, Err: err}
	}
	return postgres.Describe("read the schema", err)
}

// with runs read with the composed queries, and once more after a new discovery
// when the schema or our rights turn out to have changed.
func (p *Probe) with(ctx context.Context, op string, read func(found) error) error {
	for again := false; ; again = true {
		f, err := p.ensure(ctx)
		if err != nil {
			return err
		}
		if err = read(f); err == nil {
			return nil
		}
		if again || !schemaMoved(err) {
			return described(op, err)
		}
		p.mu.Lock()
		p.found = found{}
		p.mu.Unlock()
	}
}

// described leaves our own typed errors alone.
func described(op string, err error) error {
	var none *NotFound
	var many *Ambiguous
	if errors.As(err, &none) || errors.As(err, &many) {
		return err
	}
	return postgres.Describe(op, err)
}

// schemaMoved tells whether an error can be the work of a migration or of a
// REVOKE: undefined column or table, wrong type, insufficient privilege.
func schemaMoved(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "42703", "42P01", "42883", "42804", "42846", "42501":
		return true
	}
	return false
}

// question is one query of a batch with what reads its answer. A query that the
// schema does not allow is empty and is not asked.
type question struct {
	sql  string
	args []any
	read func(pgx.Rows) error
}

// ask puts all questions in one round trip.
func (p *Probe) ask(ctx context.Context, questions ...question) error {
	batch := &pgx.Batch{}
	var asked []question
	for _, q := range questions {
		if q.sql != "" {
			batch.Queue(q.sql, q.args...)
			asked = append(asked, q)
		}
	}
	return p.reader.Batch(ctx, batch, func(results pgx.BatchResults) error {
		for _, q := range asked {
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

// one reads a question's only row.
func one(scan func(pgx.Row) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		_, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, scan(row) })
		return err
	}
}
