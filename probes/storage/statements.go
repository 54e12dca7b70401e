package storage

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/clean"
)

var (
	//go:embed sql/statements.tmpl.sql
	statementsSQL string
	//go:embed sql/totals.tmpl.sql
	totalsSQL string
)

// maxStatements is how many statements are read by total time, and again by
// calls; maxText is what is kept of each, in characters.
const (
	maxStatements = 120
	maxText       = 2000
)

// Statements is what pg_stat_statements counted in this database.
type Statements struct {
	// Why says why there is nothing to read, as a sentence, and Fix what to do;
	// both "" where the extension works.
	Why, Fix string
	Since    time.Time // start of the counts; zero: not known (before PostgreSQL 14)
	Count    int       // statements that the server knows, the role's or all
	Hidden   int       // further ones that the role may not see
	Total    float64   // seconds, all statements together
	Rows     []Statement
}

// Statement is one normalised statement: literals are $1, $2, …
type Statement struct {
	ID    int64 // queryid
	Text  string
	Own   bool // one of the cockpit's
	Calls int64
	Rows  int64   // returned or changed, all calls together
	Total float64 // seconds of execution, all calls together
	Max   float64 // seconds of the longest call
	Share float64 // of the time of all statements, 0…1
	// Recent is what was counted in the window.
	Recent      Counts
	RecentKnown bool
}

// Counts is a part of what was counted.
type Counts struct {
	Calls, Rows int64
	Total       float64 // seconds
	Share       float64 // of all statements in the window, 0…1; NaN unknown
}

// Key is the ID as a page and a target name it.
func (s Statement) Key() string { return strconv.FormatInt(s.ID, 10) }

// Mean is the mean time of a call in seconds, since the statistics.
func (s Statement) Mean() float64 { return s.Total / float64(max(s.Calls, 1)) }

// Mean is the mean time of a call in seconds.
func (c Counts) Mean() float64 { return c.Total / float64(max(c.Calls, 1)) }

// extension is what was learned of pg_stat_statements.
type extension struct {
	version string // of its SQL objects: "1.10"; "" not created
	schema  string // quoted
	usage   bool   // the role may use the schema
	loaded  bool   // by shared_preload_libraries
}

// trouble says why it cannot be read, and what to do.
func (x extension) trouble() (why, fix string) {
	const load = "In postgresql.conf: shared_preload_libraries = 'pg_stat_statements', then a restart of PostgreSQL"
	const create = "CREATE EXTENSION pg_stat_statements; in this database, as superuser"
	switch {
	case x.version == "" && !x.loaded:
		return "pg_stat_statements is not installed: the server keeps no counts of statements.",
			load + "; then " + create + ". Debian has it in postgresql-contrib, the official image already."
	case x.version == "":
		return "pg_stat_statements is loaded but not created in this database.", create + ". No restart is needed."
	case !x.loaded:
		return "pg_stat_statements is created but not loaded: the server counts nothing.", load + "."
	case !x.usage:
		return "The role may not use the schema of pg_stat_statements.", "GRANT USAGE ON SCHEMA " + x.schema + " TO this role."
	}
	return "", ""
}

// queries gives the two statements that read it. The names of the columns
// changed with version 1.8 (PostgreSQL 13).
func (x extension) queries() (statements, totals string) {
	total, longest, since := "total_exec_time", "max_exec_time", "null::timestamptz"
	if x.before(1, 8) {
		total, longest = "total_time", "max_time"
	}
	if !x.before(1, 9) {
		since = "(select stats_reset from " + x.schema + ".pg_stat_statements_info)"
	}
	r := strings.NewReplacer("{schema}", x.schema, "{total}", total, "{max}", longest, "{since}", since)
	return r.Replace(statementsSQL), r.Replace(totalsSQL)
}

func (x extension) before(major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(x.version, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// oneLine is the text of a statement without its line breaks, secrets and the
// comments before it.
func oneLine(text string) string {
	text = clean.SQL(text)
	for {
		text = strings.TrimSpace(text)
		rest, found := "", false
		switch {
		case strings.HasPrefix(text, "--"):
			_, rest, found = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, rest, found = strings.Cut(text, "*/")
		}
		if !found {
			return clean.Capped(strings.Join(strings.Fields(text), " "), maxText)
		}
		text = rest
	}
}

// ErrNoStatement is that pg_stat_statements does not (or no longer) know a
// statement, or that the role may not see its text.
var ErrNoStatement = errors.New("pg_stat_statements has no text of this statement: it was evicted or reset, or the role may not see it")

// StatementText reads the whole text of a statement of this database, as the
// server has it, in the caller's transaction.
func StatementText(ctx context.Context, tx pgx.Tx, id int64) (string, error) {
	var schema string
	err := tx.QueryRow(ctx, `select quote_ident(n.nspname) from pg_extension x join pg_namespace n on n.oid = x.extnamespace
		where x.extname = 'pg_stat_statements'`).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNoStatement
	}
	if err != nil {
		return "", err
	}
	var text *string
	err = tx.QueryRow(ctx, `select min(query) from `+schema+`.pg_stat_statements
		where queryid = $1 and dbid = (select oid from pg_database where datname = current_database())`, id).Scan(&text)
	if err == nil && text == nil {
		err = ErrNoStatement
	}
	if err != nil {
		return "", err
	}
	return *text, nil
}
