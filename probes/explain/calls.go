package explain

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/internal/lazy"
)

// calls are the names of what may be functions, without their schemas.
type calls map[string]bool

// token is a literal, a comment or a name. What stands in literals and comments
// calls nothing; the last group is the parenthesis after a name.
var token = lazy.Regexp(`'(?:[^']|'')*'|--[^\n]*|(?:"((?:[^"]|"")+)"|([\pL_][\pL\pN_$]*))(\s*\()?`)

// in collects the names that an expression calls, as PostgreSQL writes it.
func (c calls) in(expression string) {
	for _, m := range token().FindAllStringSubmatch(expression, -1) {
		if m[3] != "" {
			c.add(m[1], m[2])
		}
	}
}

func (c calls) add(quoted, plain string) {
	if quoted != "" {
		c[strings.ReplaceAll(quoted, `""`, `"`)] = true
		return
	}
	if plain != "" {
		c[strings.ToLower(plain)] = true
	}
}

var (
	// tricky is how a text that somebody typed can hide where a literal ends.
	tricky = lazy.Regexp(`\\|/\*|\$[\pL_\pN]*\$`)
	name   = lazy.Regexp(`"((?:[^"]|"")+)"|([\pL_][\pL\pN_$]*)`)
	// escaped is a name by the codes of its characters.
	escaped = lazy.Regexp(`(?i)\bU&"`)
)

// words collects every name of a statement as it was typed, because a plan does
// not show all expressions (LIMIT, VALUES). It reads no SQL: where it cannot
// tell literals from names, all of them are names.
func (c calls) words(text string) {
	if escaped().MatchString(text) {
		c[codes] = true
	}
	if tricky().MatchString(text) {
		for _, m := range name().FindAllStringSubmatch(text, -1) {
			c.add(m[1], m[2])
		}
		for _, m := range name().FindAllStringSubmatch(strings.ReplaceAll(text, `"`, " "), -1) {
			c.add("", m[2])
		}
		return
	}
	for _, m := range token().FindAllStringSubmatch(text, -1) {
		c.add(m[1], m[2])
	}
}

// codes stands for a name that cannot be read.
const codes = "a name written with U&"

// views adds what the views call that the transaction has planned: it holds a
// lock on each. A plan has the views resolved, and hides some of their parts.
func (c calls) views(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `select pg_get_viewdef(v.oid) from pg_locks l join pg_class v on v.oid = l.relation and v.relkind = 'v'
		where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
		and v.relnamespace not in (select oid from pg_namespace where nspname in ('pg_catalog', 'information_schema'))`)
	if err != nil {
		return err
	}
	definitions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, d := range definitions {
		c.in(d)
	}
	return err
}

// acting is the condition for a function that can do more than compute: one
// that is volatile, and one that somebody wrote here in SQL or a procedural
// language, which can call such a one whatever it is declared to be. Functions
// that are volatile because each call gives another value are not, nor the one
// behind the view from which the statement's own text was read.
const acting = `(p.provolatile = 'v' or p.oid >= 16384 and g.lanname not in ('internal', 'c') and x.objid is null)
	and not (p.proname in ('random', 'random_normal', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'uuid_generate_v4', 'pg_stat_statements') and (p.oid < 16384 or x.objid is not null))`

const functions = `pg_proc p join pg_language g on g.oid = p.prolang
	left join pg_depend x on x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype = 'e'`

// volatile gives the names of functions that can act. A name counts when any
// function of that name can, in whatever schema: that errs on the safe side.
func (c calls) volatile(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `select distinct p.proname::text from `+functions+` where p.proname = any($1::text[]) and `+acting+` order by 1`,
		slices.Sorted(maps.Keys(c)))
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if c[codes] {
		names = append(names, codes)
	}
	return names, err
}

// concealed gives what can act behind operators, casts, aggregates, index
// support and the checks of domains that were made in this database: a
// statement runs those without naming them, and a cast not even visibly.
func concealed(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `select pg_get_constraintdef(oid) from pg_constraint where contypid <> 0 and oid >= 16384`)
	if err != nil {
		return nil, err
	}
	checks, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	inChecks := calls{}
	for _, check := range checks {
		inChecks.in(check)
	}
	rows, err = tx.Query(ctx, `select distinct p.proname::text from `+functions+`
		where (p.proname = any($1::text[]) or p.oid in (
			select oprcode::oid from pg_operator where oid >= 16384
			union all select castfunc from pg_cast where oid >= 16384
			union all select amproc::oid from pg_amproc where oid >= 16384
			union all select unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggmtransfn, aggminvtransfn, aggmfinalfn]::oid[]) from pg_aggregate where aggfnoid >= 16384)
		) and `+acting+` order by 1`, slices.Sorted(maps.Keys(inChecks)))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
