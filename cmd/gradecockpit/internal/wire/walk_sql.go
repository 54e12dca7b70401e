package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/explain"
	"gradecockpit/probes/postgres"
)

// The bounds of a cell and of a query's columns. The server cuts the cells, so
// that a big value never comes over.
const (
	cellMost    = 300 // characters
	columnsMost = 40
)

// onlyRead are functions that PostgreSQL calls volatile because each call may
// give another value, and that change nothing.
var onlyRead = []string{
	"pg_lock_status", "pg_blocking_pids", "pg_safe_snapshot_blocking_pids", "pg_prepared_xact", "pg_prepared_statement", "pg_cursor",
	"pg_database_size", "pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size", "pg_tablespace_size",
	"pg_is_in_recovery", "pg_current_wal_lsn", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
	"pg_stat_get_wal_senders", "pg_stat_get_wal_receiver", "pg_show_all_settings",
}

// SQL runs one SELECT with its values bound, in a read-only transaction of the
// connection that all reads share. What could do more than read is refused.
func (l looks) SQL(ctx context.Context, text string, args []any) (playbook.Table, error) {
	var t playbook.Table
	if l.reader == nil {
		return t, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	text = strings.TrimSuffix(strings.TrimSpace(text), ";")
	err := l.reader.Tx(ctx, func(tx pgx.Tx) (err error) {
		if err := harmless(ctx, tx, text); err != nil {
			return err
		}
		t, err = ask(ctx, tx, text, args)
		return err
	})
	var no *explain.Refused
	if errors.As(err, &no) {
		return playbook.Table{}, &probes.Error{Source: probes.Postgres, Op: "look", Cause: strings.TrimSuffix(no.Why, "."), Err: err}
	}
	if err != nil {
		return playbook.Table{}, postgres.Describe("look", err)
	}
	return t, nil
}

// harmless plans a statement and refuses one that could act.
func harmless(ctx context.Context, tx pgx.Tx, text string) error {
	plan, err := explain.Read(ctx, tx, text)
	if err != nil {
		return err
	}
	plan.Volatile = slices.DeleteFunc(plan.Volatile, func(f string) bool { return slices.Contains(onlyRead, f) })
	return plan.Runnable()
}

// ask runs a statement that was found harmless. It stands inside another one
// that bounds rows and cells; the server takes one statement only, so that it
// cannot break out.
func ask(ctx context.Context, tx pgx.Tx, text string, args []any) (playbook.Table, error) {
	about, err := tx.Conn().PgConn().Prepare(ctx, "", postgres.Tag+text, nil)
	if err != nil {
		return playbook.Table{}, err
	}
	if n := len(about.Fields); n == 0 || n > columnsMost {
		return playbook.Table{}, &explain.Refused{Why: fmt.Sprintf("It gives %d columns; a look has 1 to %d.", n, columnsMost)}
	}
	if len(about.ParamOIDs) != len(args) {
		return playbook.Table{}, &explain.Refused{Why: fmt.Sprintf("It has %d parameters, and %d values are given.", len(about.ParamOIDs), len(args))}
	}
	rows, err := tx.Query(ctx, wrapped(text, about.Fields), append([]any{pgx.QueryExecModeDescribeExec}, args...)...)
	if err != nil {
		return playbook.Table{}, err
	}
	return read(rows, about.Fields)
}

// wrapped puts a statement into one that gives all as text, cut, and no more
// rows than are shown, besides one that tells of further ones.
func wrapped(text string, fields []pgconn.FieldDescription) string {
	var names, cells []string
	for i := range fields {
		names = append(names, fmt.Sprintf("c%d", i))
		cells = append(cells, fmt.Sprintf("left(c%d::text, %d)", i, cellMost+1))
	}
	return fmt.Sprintf("%sselect %s from (\n%s\n) as look(%s) limit %d", postgres.Tag, strings.Join(cells, ", "), text, strings.Join(names, ", "), seenRows+1)
}

func read(rows pgx.Rows, fields []pgconn.FieldDescription) (playbook.Table, error) {
	var t playbook.Table
	for _, f := range fields {
		t.Columns = append(t.Columns, clean.Capped(f.Name, 40))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]string, error) {
		values := make([]pgtype.Text, len(fields))
		into := make([]any, len(fields))
		for i := range values {
			into[i] = &values[i]
		}
		err := row.Scan(into...)
		cells := make([]string, len(fields))
		for i, v := range values {
			cells[i] = clean.Capped(v.String, cellMost) // NULL is empty
		}
		return cells, err
	})
	if t.Rows = all; len(all) > seenRows {
		t.Rows, t.Note = all[:seenRows], fmt.Sprintf("The first %d rows; there are more.", seenRows)
		t.More = 1
	}
	return t, err
}
