package grading

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/clean"
)

//go:embed sql/catalog.sql
var catalogSQL string

// routedMigration is the migration of the generation whose tasks are routed to
// "finalize" and "import" (facts, section 1).
const routedMigration = `select exists (select from %s where app = 'grading' and name = '0010_perf_indexes_zf_aud_13')`

// Querier is what Discover asks: a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// NotGrading says that the database is not one of a grading system, or that
// our role cannot see its tables.
type NotGrading struct {
	Database, User string
	Missing        []string // the tables looked for
	// Elsewhere is a schema that has them but is not in our search path.
	Elsewhere string
}

// Error gives one sentence.
func (e *NotGrading) Error() string {
	if e.Elsewhere != "" {
		return fmt.Sprintf("database %q has the grading tables in schema %q, which role %q does not see", e.Database, e.Elsewhere, e.User)
	}
	return fmt.Sprintf("database %q is not a grading database: it has none of %s", e.Database, strings.Join(e.Missing, ", "))
}

// Next says what to do about it.
func (e *NotGrading) Next() string {
	if e.Elsewhere != "" {
		schema, role := readable(e.Elsewhere), readable(e.User)
		return fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s; ALTER ROLE %s SET search_path = %s, public;", schema, role, role, schema)
	}
	return "Check the database name in DATABASE_URL."
}

// attribute is one row of the catalog query.
type attribute struct {
	Column
	visible, readable         bool
	anyInsert, anyUpdate, del bool // rights on its table, or on any of its columns
	tail                      bool // a plain table whose ctid we may read
}

// Discover resolves every Field against the catalog. Only tables that the
// search path shows count, as they do for the application. The error is a
// *NotGrading when there is nothing to look at.
func Discover(ctx context.Context, q Querier) (*Schema, error) {
	s, attrs, err := readCatalog(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	seen := map[string]map[string]attribute{}
	for _, a := range attrs {
		if a.visible {
			if seen[a.Table] == nil {
				seen[a.Table] = map[string]attribute{}
			}
			seen[a.Table][a.Name] = a
		}
	}
	core := []string{tableCopy, tableLock, tableEvent}
	if !slices.ContainsFunc(core, func(t string) bool { return seen[t] != nil }) {
		return nil, &NotGrading{s.Database, s.User, core, elsewhere(attrs)}
	}
	s.resolve(seen)
	s.rights(seen)
	s.Dialect = s.dialect()
	s.EventTail = seen[tableEvent]["id"].tail
	if m := seen["django_migrations"]; m["app"].readable && m["name"].readable {
		err = s.readMarker(ctx, q, m["app"].Schema)
	}
	return s, err
}

// readCatalog gives one row a column, and the session's own facts on each.
func readCatalog(ctx context.Context, q Querier) (*Schema, []attribute, error) {
	s := &Schema{
		Columns: map[Field]Column{}, Absent: map[Field]string{}, Fixes: map[Field]string{},
		Rights: map[string]map[string]bool{}, Required: map[string][]string{}, Denied: map[string]bool{},
	}
	rows, err := q.Query(ctx, catalogSQL, tableNames())
	if err != nil {
		return nil, nil, err
	}
	attrs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (attribute, error) {
		var a attribute
		err := row.Scan(&s.Database, &s.User, &s.Server, &s.Replica, &a.Schema, &a.Table, &a.Name, &a.Type, &a.NotNull, &a.Default,
			&a.visible, &a.readable, &a.Insert, &a.Update, &a.anyInsert, &a.anyUpdate, &a.del, &a.tail)
		return a, err
	})
	s.Server, _, _ = strings.Cut(clean.Text(s.Server), " ") // "15.18 (Debian …)"
	return s, attrs, err
}

func elsewhere(attrs []attribute) string {
	for _, a := range attrs {
		if a.Table == tableCopy && !a.visible {
			return a.Schema
		}
	}
	return ""
}

// resolve finds each Field, or says why not.
func (s *Schema) resolve(seen map[string]map[string]attribute) {
	for field, place := range fields() {
		table := seen[place.table]
		if table == nil {
			s.Absent[field] = fmt.Sprintf("This database has no table %s.", place.table)
			continue
		}
		i := slices.IndexFunc(place.names, func(n string) bool { _, ok := table[n]; return ok })
		if i < 0 {
			s.Absent[field] = fmt.Sprintf("%s has no column %s.", place.table, strings.Join(place.names, " or "))
			continue
		}
		a := table[place.names[i]]
		if !a.readable {
			s.Absent[field] = clean.Text(fmt.Sprintf("Role %s may not read %s.%s.", s.User, a.Table, a.Name))
			s.Fixes[field] = s.Grant(fmt.Sprintf("SELECT (%s)", readable(a.Name)), a.Schema, a.Table)
			continue
		}
		s.Columns[field] = a.Column
	}
}

// rights notes what our role may write, and which columns an INSERT must give.
func (s *Schema) rights(seen map[string]map[string]attribute) {
	for table, columns := range seen {
		any := false
		for _, a := range columns {
			s.Rights[table] = map[string]bool{"insert": a.anyInsert, "update": a.anyUpdate, "delete": a.del}
			any = any || a.readable
			if a.NotNull && !a.Default {
				s.Required[table] = append(s.Required[table], a.Name)
			}
		}
		s.Denied[table] = !any
		slices.Sort(s.Required[table])
	}
}

// dialect judges by the fields whose names differ between the two.
func (s *Schema) dialect() Dialect {
	var deployed, playbook bool
	for field, place := range fields() {
		if c, ok := s.Columns[field]; ok && len(place.names) > 1 {
			deployed = deployed || c.Name == place.names[0]
			playbook = playbook || c.Name == place.names[1]
		}
	}
	switch {
	case deployed && playbook:
		return Mixed
	case playbook:
		return Playbook
	default:
		return Deployed
	}
}

func (s *Schema) readMarker(ctx context.Context, q Querier, schema string) error {
	rows, err := q.Query(ctx, fmt.Sprintf(routedMigration, quote(schema, "django_migrations")))
	if err != nil {
		return fmt.Errorf("read django_migrations: %w", err)
	}
	s.RoutedQueues, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	return err
}

// Grant composes the GRANT of a privilege on a table of ours to our role, as
// text for a person to run.
func (s *Schema) Grant(privilege, schema, table string) string {
	return clean.Text(fmt.Sprintf("GRANT %s ON %s.%s TO %s;", privilege, readable(schema), readable(table), readable(s.User)))
}

// plainName needs no quotes in SQL; "user" would, as the one reserved word that
// somebody might call a role.
var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// readable quotes a name only where SQL needs it.
func readable(name string) string {
	if plainName.MatchString(name) && name != "user" {
		return name
	}
	return quote(name)
}

// quote makes an SQL name of its parts.
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
