package explain

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// calls are the names of what may be functions, without their schemas.
type calls map[string]bool

// quotes are literals in single quotes, in which a name calls nothing; called
// is a name before a parenthesis.
var (
	quotes = regexp.MustCompile(`'(?:[^']|'')*'`)
	called = regexp.MustCompile(`(?:"((?:[^"]|"")+)"|([\pL_][\pL\pN_$]*))\s*\(`)
)

// in collects the names that an expression calls.
func (c calls) in(expression string) {
	for _, m := range called.FindAllStringSubmatch(quotes.ReplaceAllString(expression, "''"), -1) {
		name := strings.ReplaceAll(m[1], `""`, `"`)
		if m[1] == "" {
			name = strings.ToLower(m[2])
		}
		c[name] = true
	}
}

// harmless are volatile functions that only compute: they are volatile because
// each call gives another value.
var harmless = []string{"random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "uuid_generate_v4"}

// volatile gives the names of functions that can act. A name counts when any
// function of that name is volatile, in whatever schema: that errs on the safe
// side.
func (c calls) volatile(ctx context.Context, tx pgx.Tx) ([]string, error) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(c)), func(n string) bool { return slices.Contains(harmless, n) })
	rows, err := tx.Query(ctx, `select distinct proname::text from pg_proc where proname = any($1::text[]) and provolatile = 'v' order by 1`, names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
