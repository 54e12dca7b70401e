package grading

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"text/template"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

// aliases are the table aliases that the SQL files use, with the fields that
// tie each to the rest of a query. Where one of those is not here, the table is
// not joined and all that would come from it is null.
func aliases() map[string][]Field {
	return map[string][]Field{
		"c": {CopyID},
		"l": {LockCopy, LockExpires},
		"e": {EventID, EventCopy, EventAction, EventAt},
		"u": {UserID, UserName},
		"x": {ExamID},
		"d": {DraftCopy, DraftOwner},
		"b": {BookletID},
		"k": {LinkCopy, LinkBooklet},
		"a": {AnnCopy},
		"q": {QScoreCopy, QScoreValue},
		"s": {ScoreCopy, ScoreData},
	}
}

// statements are the queries for one schema. They are composed once after each
// discovery, of fixed text and of names quoted from the catalog; values are
// always bound.
type statements = map[string]string

const suffix = ".tmpl.sql"

// compose fills in the templates of the SQL files of this package.
func compose(s *Schema) (statements, error) { return Compose(s, sqlFiles) }

// Compose fills in the templates sql/*.tmpl.sql of files, for a probe that asks
// the grading tables in its own way: the functions and the parts are those of
// this package. The statements go by the names of the files.
func Compose(s *Schema, files fs.FS) (map[string]string, error) {
	t := template.New("").Funcs(composer{s, aliases(), fields()}.funcs())
	for _, from := range []struct {
		files   fs.FS
		pattern string
	}{{sqlFiles, "sql/parts" + suffix}, {files, "sql/*" + suffix}} {
		if _, err := t.ParseFS(from.files, from.pattern); err != nil {
			return nil, err
		}
	}
	out := map[string]string{}
	for _, one := range t.Templates() {
		if !strings.HasSuffix(one.Name(), suffix) {
			continue // a part that the others include
		}
		var b strings.Builder
		if err := one.Execute(&b, nil); err != nil {
			return nil, fmt.Errorf("compose %s: %w", one.Name(), err)
		}
		out[strings.TrimSuffix(one.Name(), suffix)] = strings.TrimSpace(b.String())
	}
	return out, nil
}

// composer holds what the templates can ask.
type composer struct {
	schema  *Schema
	aliases map[string][]Field
	fields  map[Field]where
}

func (c composer) funcs() template.FuncMap {
	return template.FuncMap{
		"has":    func(f Field) (bool, error) { return c.schema.Has(f), c.known(f) },
		"joined": c.joined,
		"tbl":    func(f Field) (string, error) { return c.schema.Table(f), c.known(f) },
		"raw":    c.column,
		"txt":    func(a string, f Field) (string, error) { return c.cast(a, f, "text") },
		"ts":     func(a string, f Field) (string, error) { return c.cast(a, f, "timestamptz") },
		"num":    func(a string, f Field) (string, error) { return c.cast(a, f, "float8") },
		"int": func(a string, f Field) (string, error) {
			return c.typed(a, f, "bigint", "smallint", "integer", "bigint")
		},
		"json":  func(a string, f Field) (string, error) { return c.typed(a, f, "jsonb", "json", "jsonb") },
		"type":  func(f Field) string { return c.schema.Columns[f].Type },
		"tail":  func() bool { return c.schema.EventTail },
		"reg":   c.regclass,
		"since": sinceSQL,
	}
}

// regclass gives the table of a field as a literal.
func (c composer) regclass(f Field) (string, error) {
	return "'" + strings.ReplaceAll(c.schema.Table(f), "'", "''") + "'::regclass", c.known(f)
}

// known catches a misspelt field in a template.
func (c composer) known(f Field) error {
	if _, ok := c.fields[f]; !ok {
		return fmt.Errorf("no such field: %s", f)
	}
	return nil
}

// joined tells whether a table can take part.
func (c composer) joined(alias string) (bool, error) {
	keys, ok := c.aliases[alias]
	if !ok {
		return false, fmt.Errorf("no such alias: %s", alias)
	}
	return c.schema.Has(keys...), nil
}

// column gives alias."name", or null where that cannot be read.
func (c composer) column(alias string, f Field) (string, error) {
	joined, err := c.joined(alias)
	if err == nil {
		err = c.known(f)
	}
	if err != nil || !joined || !c.schema.Has(f) {
		return "null", err
	}
	return alias + "." + c.schema.Col(f), nil
}

func (c composer) cast(alias string, f Field, typ string) (string, error) {
	col, err := c.column(alias, f)
	return col + "::" + typ, err
}

// typed casts a column of one of the given types, and gives null for any other:
// a cast that can fail on a value would take the whole batch with it.
func (c composer) typed(alias string, f Field, typ string, from ...string) (string, error) {
	for _, t := range from {
		if c.schema.Columns[f].Type == t {
			return c.cast(alias, f, typ)
		}
	}
	return "null::" + typ, c.known(f)
}
