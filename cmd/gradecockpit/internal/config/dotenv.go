package config

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// readEnvFile reads a Django project's .env: NAME=value lines, optional
// `export`, quotes, comments. It gives the values with their lines.
func readEnvFile(path string) (map[string]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{path, "cannot be read: " + reason(err)}
	}
	defer f.Close()
	out := map[string]entry{}
	scan := bufio.NewScanner(f)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(scan.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(text, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			// The text is not quoted: it may be the second line of a secret.
			return nil, &Error{fmt.Sprintf("%s:%d", path, line), "is not NAME=value"}
		}
		out[name] = entry{unquote(strings.TrimSpace(value)), line}
	}
	if err := scan.Err(); err != nil {
		return nil, &Error{path, "cannot be read: " + err.Error()}
	}
	return out, nil
}

// unquote takes quotes off, or an inline comment where there are none.
func unquote(v string) string {
	if len(v) > 1 && (v[0] == '"' || v[0] == '\'') {
		if end := strings.IndexByte(v[1:], v[0]); end >= 0 {
			return v[1 : end+1]
		}
	}
	if i := strings.Index(v, " #"); i >= 0 {
		v = strings.TrimSpace(v[:i])
	}
	return v
}

// libpq maps the variables that make a connection to libpq's keywords: PG* as
// libpq reads them, DB_* as the deployed production settings name them.
var libpq = []struct{ name, keyword string }{
	{"PGSERVICE", "service"},
	{"PGHOST", "host"}, {"DB_HOST", "host"},
	{"PGPORT", "port"}, {"DB_PORT", "port"},
	{"PGDATABASE", "dbname"}, {"DB_NAME", "dbname"},
	{"PGUSER", "user"}, {"DB_USER", "user"},
	{"PGPASSWORD", "password"}, {"DB_PASSWORD", "password"},
	{"PGPASSFILE", "passfile"},
	{"PGSSLMODE", "sslmode"},
}

// connString composes a connection string from single variables; "" when they
// do not say which database: a PGUSER or PGSSLMODE alone is a habit of the
// shell, not a place.
func connString(lookup func(string) (string, bool)) string {
	var parts []string
	seen := map[string]bool{}
	for _, p := range libpq {
		if v, ok := lookup(p.name); ok && v != "" && !seen[p.keyword] {
			seen[p.keyword] = true
			parts = append(parts, p.keyword+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v)+"'")
		}
	}
	if !seen["host"] && !seen["dbname"] && !seen["service"] {
		return ""
	}
	return strings.Join(parts, " ")
}
