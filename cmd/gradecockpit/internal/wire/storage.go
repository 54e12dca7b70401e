package wire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/explain"
	"gradecockpit/probes/postgres"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/pages/statement"
	"gradecockpit/tui/pane"
)

// nowAndThen is for what changes slowly and costs the server more: sizes are
// read from the file system.
var nowAndThen = probes.Schedule{Interval: 15 * time.Second, Deadline: 5 * time.Second}

// The text of a statement on its page.
const (
	statementLines = 80
	statementWidth = 2000
)

// addStorage adds sizes, indexes and statements.
func (c *Cockpit) addStorage() error {
	if c.reader == nil {
		c.add(absent{storage.ID, probes.Postgres, "DATABASE_URL"}, nowAndThen)
		return nil
	}
	c.storage = storage.New(c.reader)
	c.add(c.storage, nowAndThen)
	return nil
}

// readStatement reads the whole text of a statement, and its plan.
func (c *Cockpit) readStatement(ctx context.Context, ref pane.Ref) (any, error) {
	if c.storage == nil {
		return nil, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	id, err := strconv.ParseInt(ref.ID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no queryid: a number, as pg_stat_statements has it", clean.Capped(ref.ID, 80))
	}
	text, err := c.storage.Statement(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.explain(ctx, text)
}

// ExplainTyped plans a statement that is given by its text or by its queryid.
func (c *Cockpit) ExplainTyped(ctx context.Context, text string) (statement.Data, error) {
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return c.explain(ctx, text)
	}
	d, err := c.readStatement(ctx, pane.Ref{Kind: pane.KindStatement, ID: text})
	if err != nil {
		return statement.Data{}, err
	}
	return d.(statement.Data), nil
}

// explain plans a statement. That it has no plan is an answer, not an error.
func (c *Cockpit) explain(ctx context.Context, text string) (statement.Data, error) {
	d := statement.Data{Text: clean.Lines(clean.SQL(text), statementLines, statementWidth)}
	if c.reader == nil {
		return d, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	err := c.reader.Tx(ctx, func(tx pgx.Tx) (err error) {
		d.Plan, err = explain.Read(ctx, tx, text)
		return err
	})
	var no *explain.Refused
	if errors.As(err, &no) {
		d.Problem = no.Error()
		return d, nil
	}
	if err != nil {
		return d, postgres.Describe("plan a statement", err)
	}
	return d, nil
}
