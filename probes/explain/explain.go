// Package explain reads query plans. [Read] never runs a statement: it has it
// planned, in a transaction that can write nothing and is undone. [Measure]
// runs a SELECT once in such a transaction, and only for the action that asked
// and was confirmed.
//
// A statement is a text that PREPARE takes: one SELECT, VALUES, INSERT, UPDATE,
// DELETE or MERGE. PostgreSQL's own parser decides that, because the text goes
// through the extended protocol, which takes one command only. Parameters ($1)
// are planned for any value (a generic plan), in all versions alike.
package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/clean"
)

// Bounds of a plan on the screen, and of the text of a statement in bytes.
const (
	maxLines = 200
	maxLine  = 400
	maxText  = 100_000
)

// MeasureFor bounds the run of a measured statement, on the server.
const MeasureFor = 10 * time.Second

// Plan is how PostgreSQL would run a statement, or ran it.
type Plan struct {
	Lines      []Line `json:"lines"`
	Parameters int    `json:"parameters"` // $1, $2, …: planned for any value
	Measured   bool   `json:"measured"`   // it was run
	Writes     bool   `json:"writes"`     // it changes rows
	Locks      bool   `json:"locks"`      // it locks rows: SELECT … FOR UPDATE
	Foreign    bool   `json:"foreign"`    // it reads a foreign table: another server's, or what a program prints
	// Volatile names functions in it that may do more than compute; Concealed
	// those that operators, casts and domains of the database may run for it.
	Volatile  []string `json:"volatile"`
	Concealed []string `json:"concealed"`
}

// Line is one line of the plan, with what is loud about it.
type Line struct {
	Text string `json:"text"`
	Loud string `json:"loud"` // "reads all of exams_copy: 120,000 rows"; "" nothing
}

// Louds are the loud things, each once.
func (p Plan) Louds() []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range p.Lines {
		if l.Loud != "" && !seen[l.Loud] {
			seen[l.Loud] = true
			out = append(out, l.Loud)
		}
	}
	return out
}

// prepared is the name of our prepared statement, for as long as a transaction.
const prepared = "gradecockpit_explain"

// Read plans a statement in the caller's read-only transaction. The error is a
// *Refused where the statement is to blame.
func Read(ctx context.Context, tx pgx.Tx, text string) (p Plan, err error) {
	err = with(ctx, tx, text, func(execute string, parameters int) error {
		p.Parameters = parameters
		return p.read(ctx, tx, text, execute)
	})
	return p, err
}

// Measure runs a statement once with EXPLAIN ANALYZE, in the caller's read-only
// transaction and for at most [MeasureFor]. It refuses what could act outside
// of the transaction. Parameters are NULL.
func Measure(ctx context.Context, tx pgx.Tx, text string) (p Plan, err error) {
	err = with(ctx, tx, text, func(execute string, parameters int) error {
		p.Parameters = parameters
		if err := p.read(ctx, tx, text, execute); err != nil {
			return err
		}
		if err := p.Runnable(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf("set local statement_timeout = %d", MeasureFor.Milliseconds())); err != nil {
			return err
		}
		p.Measured, p.Lines = true, nil
		return p.show(ctx, tx, "ANALYZE, BUFFERS", execute)
	})
	return p, err
}

// Runnable says why a planned statement must not be run, as a *Refused; nil
// when it may. The read-only transaction stops every write to tables; what a
// function does elsewhere it does not.
func (p Plan) Runnable() error {
	switch {
	case p.Writes:
		return &Refused{Why: "The statement writes, and running it would write.", Next: "Its plan without ANALYZE shows the same steps."}
	case p.Locks:
		return &Refused{Why: "The statement locks rows, which stops the application meanwhile.", Next: "Leave FOR UPDATE out."}
	case p.Foreign:
		return &Refused{Why: "It reads a foreign table, and what that runs elsewhere no read-only transaction here undoes.", Next: "Its plan without ANALYZE runs nothing."}
	case len(p.Concealed) > 0:
		return &Refused{Why: "Operators, casts, aggregates or domains of this database call " + strings.Join(p.Concealed, ", ") +
			", which can do things that no read-only transaction undoes, and a statement does not show that it uses them.", Next: "Its plan without ANALYZE runs nothing."}
	case len(p.Volatile) > 0:
		return &Refused{Why: "It calls " + strings.Join(p.Volatile, ", ") + ", which can do things that no read-only transaction undoes.", Next: "Its plan without ANALYZE runs nothing."}
	}
	return nil
}

// with prepares the text, hands over the EXECUTE for it, and takes the
// preparation back: PREPARE outlives a rollback. The savepoint keeps the
// transaction usable for that.
func with(ctx context.Context, tx pgx.Tx, text string, do func(execute string, parameters int) error) (err error) {
	if len(text) > maxText {
		return &Refused{Why: "The statement is longer than 100 kB."}
	}
	if strings.TrimSpace(text) == "" {
		return &Refused{Why: "There is no statement."}
	}
	if strings.Contains(text, "\x00") { // ends the text in the protocol
		return &Refused{Why: "The statement holds a NUL byte.", Next: "Leave it out."}
	}
	if _, err := tx.Exec(ctx, "set local plan_cache_mode = force_generic_plan; savepoint explain"); err != nil {
		return err
	}
	one := tx.Conn().PgConn().ExecParams(ctx, "PREPARE "+prepared+" AS "+text, nil, nil, nil, nil)
	if _, err := one.Close(); err != nil {
		return refusal(err, "PREPARE "+prepared+" AS ")
	}
	defer func() {
		if _, back := tx.Exec(ctx, "rollback to savepoint explain; deallocate "+prepared); err == nil && back != nil {
			err = back
		}
	}()
	var n int
	if err := tx.QueryRow(ctx, "select cardinality(parameter_types) from pg_prepared_statements where name = $1", prepared).Scan(&n); err != nil {
		return err
	}
	execute := "EXECUTE " + prepared
	if n > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	return refusal(do(execute, n), "")
}

// read looks at the plan as a tree, for what it would do, and then as text.
func (p *Plan) read(ctx context.Context, tx pgx.Tx, text, execute string) error {
	var raw []byte
	if err := tx.QueryRow(ctx, "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) "+execute).Scan(&raw); err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err
	}
	found := calls{}
	found.words(text)
	p.walk(tree, found)
	if err := found.views(ctx, tx); err != nil {
		return err
	}
	var err error
	if p.Volatile, err = found.volatile(ctx, tx); err != nil {
		return err
	}
	if p.Concealed, err = concealed(ctx, tx); err != nil {
		return err
	}
	return p.show(ctx, tx, "COSTS", execute)
}

// walk notes what the nodes of a plan do and which functions they call.
func (p *Plan) walk(v any, found calls) {
	switch v := v.(type) {
	case map[string]any:
		switch v["Node Type"] {
		case "ModifyTable":
			p.Writes = true
		case "LockRows":
			p.Locks = true
		case "Foreign Scan":
			p.Foreign = true
		}
		if f, ok := v["Function Name"].(string); ok {
			found[f] = true
		}
		for _, part := range v {
			p.walk(part, found)
		}
	case []any:
		for _, part := range v {
			p.walk(part, found)
		}
	case string:
		found.in(v)
	}
}

// show reads the plan as text and marks it.
func (p *Plan) show(ctx context.Context, tx pgx.Tx, options, execute string) error {
	rows, err := tx.Query(ctx, "EXPLAIN ("+options+") "+execute)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	sizes, err := relations(ctx, tx, lines)
	if err != nil {
		return err
	}
	for _, l := range clean.Lines(strings.Join(lines, "\n"), maxLines, maxLine) {
		p.Lines = append(p.Lines, Line{Text: l, Loud: loud(l, sizes)})
	}
	return nil
}

// Refused is a statement that cannot be planned, or must not be run.
type Refused struct {
	Why, Next string
	Err       error
}

// Error gives both sentences.
func (r *Refused) Error() string { return strings.TrimSpace(r.Why + " " + r.Next) }

// Unwrap gives the cause.
func (r *Refused) Unwrap() error { return r.Err }

// IsRefused tells whether the statement itself is to blame.
func IsRefused(err error) bool {
	var r *Refused
	return errors.As(err, &r)
}
