package storage

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/postgres"
)

// maxName bounds names and definitions, in characters.
const (
	maxName       = 128
	maxDefinition = 600
)

// look is an Overview on its way, with what only the judging needs.
type look struct {
	Overview
	ext        extension
	hits, read int64 // blocks, since the statistics
	allStats   bool  // the role sees the statistics of all roles
	allSet     bool  // and all settings
	foreignKey []foreignKey
}

// foreignKey is a constraint's own columns.
type foreignKey struct {
	table   string // schema.table
	columns []string
}

func (l *look) facts() question {
	return question{sql: factsSQL, read: func(rows pgx.Rows) error {
		_, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, l.scanFacts(row) })
		return err
	}}
}

func (l *look) scanFacts(row pgx.Row) error {
	d := &l.Database
	var dir *string
	var since *time.Time
	var lag *float64
	var unreplayed *int64
	err := row.Scan(&l.At, &d.Name, &d.Role, &d.Version, &d.Size, &l.hits, &l.read, &since, &d.XIDAge, &d.OldestName, &d.FreezeMax,
		&dir, &d.Local, &l.allStats, &l.allSet, &l.Replication.Replica, &lag, &unreplayed, &l.TableCount,
		&l.ext.version, &l.ext.schema, &l.ext.usage, &l.ext.loaded)
	if err != nil {
		return err
	}
	d.Name, d.Role, d.OldestName = name(d.Name), name(d.Role), name(d.OldestName)
	d.Version = firstWord(clean.Capped(d.Version, maxName))
	d.CacheHits, d.StatsSince = ratio(l.hits, l.hits+l.read), at(since)
	if dir != nil {
		d.DataDir = clean.Capped(*dir, maxDefinition)
	}
	l.Replication.LagSize = Unknown
	if unreplayed != nil {
		l.Replication.LagSize = *unreplayed
	}
	if lag != nil && l.Replication.LagSize != 0 {
		l.Replication.Lag = seconds(*lag)
	}
	return nil
}

func (l *look) tables() question {
	return question{tablesSQL, []any{gradingTables(), maxTables}, each(func(row pgx.Row) error {
		var t Table
		var vacuumed, analyzed *time.Time
		err := row.Scan(&t.Schema, &t.Name, &t.Grading, &t.Locked, &t.Heap, &t.Indexes, &t.Toast, &t.Rows, &t.Dead,
			&t.Scans.Seq, &t.Scans.SeqRows, &t.Scans.Index, &vacuumed, &analyzed, &t.XIDAge, &t.Columns)
		t.Schema, t.Name = name(t.Schema), name(t.Name)
		t.Vacuumed, t.Analyzed = at(vacuumed), at(analyzed)
		l.Tables = append(l.Tables, t)
		return err
	})}
}

func (l *look) indexes() question {
	return question{indexesSQL, []any{gradingTables(), maxIndexes}, each(func(row pgx.Row) error {
		var i Index
		var schema, table string
		var last *time.Time
		err := row.Scan(&schema, &table, &i.Name, &i.Definition, &i.Columns, &i.Size, &i.Scans, &last,
			&i.Unique, &i.Primary, &i.Constraint, &i.Valid, &i.Partial, &i.keys)
		i.Name, i.Definition, i.LastScan = name(i.Name), clean.Capped(i.Definition, maxDefinition), at(last)
		for at := range i.Columns {
			i.Columns[at] = name(i.Columns[at])
		}
		if t := l.table(name(schema) + "." + name(table)); t != nil {
			t.List = append(t.List, i)
		}
		return err
	})}
}

func (l *look) foreign() question {
	return question{foreignSQL, []any{gradingTables(), maxForeign}, each(func(row pgx.Row) error {
		var schema, table string
		var k foreignKey
		err := row.Scan(&schema, &table, &k.columns)
		k.table = name(schema) + "." + name(table)
		l.foreignKey = append(l.foreignKey, k)
		return err
	})}
}

func (l *look) replication() question {
	return question{replicationSQL, nil, each(func(row pgx.Row) error {
		var s Standby
		var lag float64
		err := row.Scan(&s.Name, &s.Address, &s.State, &s.Sync, &lag, &s.Behind)
		s.Name, s.Address, s.State, s.Sync = name(s.Name), name(s.Address), name(s.State), name(s.Sync)
		s.Lag = seconds(lag)
		l.Replication.Standbys = append(l.Replication.Standbys, s)
		return err
	})}
}

func (l *look) settings() question {
	return question{settingsSQL, []any{settingNames()}, each(func(row pgx.Row) error {
		var s Setting
		var unit string
		err := row.Scan(&s.Name, &s.Value, &unit, &s.Restart)
		s.Value, s.Says = inWords(s.Name, clean.Capped(s.Value, maxName), clean.Text(unit))
		l.Settings = append(l.Settings, s)
		return err
	})}
}

// statements are none while the extension is not known to be of use.
func (l *look) statements(x extension) []question {
	if why, _ := x.trouble(); why != "" {
		return nil
	}
	list, totals := x.queries()
	return []question{
		{list, []any{maxStatements}, each(func(row pgx.Row) error {
			var s Statement
			err := row.Scan(&s.ID, &s.Text, &s.Calls, &s.Rows, &s.Total, &s.Max)
			s.Own, s.Text = strings.HasPrefix(s.Text, strings.TrimSpace(postgres.Tag)), oneLine(s.Text)
			l.Statements.Rows = append(l.Statements.Rows, s)
			return err
		})},
		{totals, nil, each(func(row pgx.Row) error {
			var since *time.Time
			err := row.Scan(&l.Statements.Count, &l.Statements.Hidden, &l.Statements.Total, &since)
			l.Statements.Since = at(since)
			return err
		})},
	}
}

// table finds a table by its ref.
func (o *Overview) table(ref string) *Table {
	for i := range o.Tables {
		if o.Tables[i].Ref() == ref {
			return &o.Tables[i]
		}
	}
	return nil
}

// each reads all rows of an answer.
func each(scan func(pgx.Row) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

func name(s string) string { return clean.Capped(s, maxName) }

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

// firstWord leaves the packager's name away: "15.18 (Debian …)".
func firstWord(s string) string {
	for i, r := range s {
		if r == ' ' {
			return s[:i]
		}
	}
	return s
}
