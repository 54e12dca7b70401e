// Package audit looks for what is missing in the audit trail: it goes through
// all copies and compares what is on each with the events that the application
// writes in the same transaction. By these rules an exam upload without IMPORT,
// a lock that ran out without UNLOCK and a grade that was given again raise no
// alarm, and a transaction under way cannot: one statement sees one moment.
//
// A look reads one piece of the copies after the other, in the order of their
// keys, and stops after a second; the next look goes on behind it. What was
// found is looked at again each time, so that it goes when it is mended.
//
// Measured with 100,000 copies, 1,000,000 events in the worst order (those of a
// copy on ten different pages) and 500,000 annotations, PostgreSQL 15 with 128
// MB of buffers on 2 busy cores: 170 µs a copy, 17 s for all, in pieces of 900
// copies. A session of 2,000 copies takes one look of 0.3 s.
package audit

import (
	"context"
	"embed"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

//go:embed sql/*.sql
var files embed.FS

// How much one statement reads: so many copies that it takes about pieceFor,
// because the other probes share its connection. A look asks until lookFor has
// been spent.
const (
	firstPiece = 1_000
	minPiece   = 200
	maxPiece   = 20_000
	pieceFor   = 150 * time.Millisecond
	lookFor    = time.Second
)

// Probe reads copies and their events. It is safe for concurrent use.
type Probe struct {
	reader  *postgres.Reader
	grading *grading.Probe

	mu     sync.Mutex // the hub never overlaps two looks, a command may
	schema *grading.Schema
	sql    map[string]string
	piece  int
	cursor *string // where the pass under way is; nil: at the beginning
	pass   *tally  // under way; nil: none
	last   *tally  // the last pass that came to its end; nil: none
}

// New makes a Probe over the connection that all probes share. g knows the
// schema, and whether locks are in use.
func New(r *postgres.Reader, g *grading.Probe) *Probe {
	return &Probe{reader: r, grading: g, piece: firstPiece}
}

// ID is "audit".
func (p *Probe) ID() probes.ID { return ID }

// Source is PostgreSQL.
func (p *Probe) Source() probes.SourceID { return probes.Postgres }

// Sample looks for about a second, or half of the time that ctx leaves. The
// payload is an Overview.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	budget := lookFor
	if end, ok := ctx.Deadline(); ok {
		budget = min(budget, time.Until(end)/2)
	}
	return p.look(ctx, budget)
}

// All looks at every copy, however long that takes within ctx.
func (p *Probe) All(ctx context.Context) (Overview, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass, p.cursor, p.last = nil, nil, nil
	for {
		o, err := p.look(ctx, lookFor)
		if err != nil || o.Whole || !o.Here() {
			return o, err
		}
	}
}

func (p *Probe) look(ctx context.Context, budget time.Duration) (Overview, error) {
	if err := p.compose(ctx); err != nil {
		return Overview{}, err
	}
	if p.sql["scan"] == "" {
		why, fix := p.schema.Why(grading.CopyID, grading.CopyStatus, grading.EventID, grading.EventCopy, grading.EventAction, grading.EventAt)
		return Overview{Missing: why, Fix: fix}, nil
	}
	locks := p.grading.LocksInUse()
	if err := p.read(ctx, locks, budget); err != nil {
		p.schema = nil // it may have changed
		return Overview{}, postgres.Describe("look for missing events", err)
	}
	t := p.last
	if t == nil {
		t = p.pass
	}
	o := t.overview()
	o.Whole, o.LocksInUse, o.Blind = t == p.last, locks, blind(p.schema, locks)
	return o, nil
}

// compose makes the statements for the schema as it is now. What was read by
// another schema counts no more.
func (p *Probe) compose(ctx context.Context) error {
	s, err := p.grading.EnsureSchema(ctx)
	if err != nil || s == p.schema {
		return err
	}
	sql, err := grading.Compose(s, files)
	if err != nil {
		return err
	}
	if sql["scan"] != p.sql["scan"] {
		p.pass, p.cursor, p.last = nil, nil, nil
	}
	p.schema, p.sql = s, sql
	return nil
}

// read goes on with the pass, and looks again at what the last one found.
func (p *Probe) read(ctx context.Context, locks grading.Tri, budget time.Duration) error {
	began := time.Now()
	for {
		over, err := p.next(ctx, locks)
		if err != nil {
			return err
		}
		if over {
			p.last, p.pass, p.cursor = p.pass, nil, nil
			return nil
		}
		if time.Since(began) >= budget {
			return p.again(ctx, locks)
		}
	}
}

// next reads one piece. over tells that it was the last one of the pass.
func (p *Probe) next(ctx context.Context, locks grading.Tri) (over bool, err error) {
	if p.pass == nil {
		p.pass = newTally()
	}
	for {
		asked, size := time.Now(), p.piece
		a, err := p.ask(ctx, p.sql["scan"], p.cursor, size, locks == grading.TriYes, MostRows)
		if tooLong(err) && size > minPiece {
			p.piece = max(minPiece, size/4)
			continue
		}
		if err != nil {
			return false, err
		}
		p.fit(time.Since(asked), size)
		p.pass.add(a)
		p.cursor = a.ended
		return a.looked < size, nil
	}
}

// fit makes a piece take the time that it should, in steps that one odd
// measurement does not throw far.
func (p *Probe) fit(took time.Duration, size int) {
	want := float64(size) * float64(pieceFor) / float64(max(took, time.Millisecond))
	want = min(want, 4*float64(size), maxPiece)
	p.piece = max(int(want), size/4, minPiece)
}

// tooLong tells whether the server ended a statement for its length.
func tooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57014"
}

// maxAgain bounds the copies that are looked at again.
const maxAgain = 500

// again takes away what was mended since the last pass.
func (p *Probe) again(ctx context.Context, locks grading.Tri) error {
	if p.last == nil {
		return nil
	}
	ids := p.last.ids(maxAgain)
	if len(ids) == 0 {
		return nil
	}
	a, err := p.ask(ctx, p.sql["again"], ids, maxAgain, locks == grading.TriYes, maxAgain)
	if err == nil {
		p.last.mend(ids, a)
	}
	return err
}

func (p *Probe) ask(ctx context.Context, sql string, args ...any) (a answer, err error) {
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	err = p.reader.Batch(ctx, b, func(results pgx.BatchResults) error {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		a, err = readAnswer(rows)
		return err
	})
	return a, err
}
