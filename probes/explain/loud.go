package explain

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/internal/lazy"
)

// What is loud in a plan. A sequential scan of a small table is the planner's
// right choice.
const (
	largeRows  = 10_000
	largePages = 1_000 // of 8 kB
	manyLoops  = 1_000
	wrongBy    = 10 // times as many rows as planned, or as few
)

var (
	seqScan   = lazy.Regexp(`Seq Scan on (\S+)`)
	planned   = lazy.Regexp(`\(cost=[^)]* rows=(\d+) `)
	measured  = lazy.Regexp(`\(actual (?:time=\S+ )?rows=([\d.]+) loops=(\d+)\)`)
	onDisk    = lazy.Regexp(`Sort Method: external \S+\s+Disk: (\d+)kB`)
	hashSpill = lazy.Regexp(`Batches: (\d+) .*Memory Usage`)
	removed   = lazy.Regexp(`Rows Removed by (?:Filter|Join Filter): (\d+)`)
)

// relation is how large a table is, by the server's estimate.
type relation struct{ rows, pages int64 }

// relations looks up the tables that are read from end to end.
func relations(ctx context.Context, tx pgx.Tx, lines []string) (map[string]relation, error) {
	sizes := map[string]relation{}
	for _, l := range lines {
		m := seqScan().FindStringSubmatch(l)
		if m == nil {
			continue
		}
		var r relation
		err := tx.QueryRow(ctx, `select coalesce(max(greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid))), 0), coalesce(max(c.relpages), 0)
			from pg_class c where c.oid = to_regclass($1)`, m[1]).Scan(&r.rows, &r.pages)
		if err != nil {
			return nil, err
		}
		sizes[m[1]] = r
	}
	return sizes, nil
}

// loud says what is worth a look in a line; "" nothing.
func loud(line string, sizes map[string]relation) string {
	var says []string
	add := func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) }
	if m := seqScan().FindStringSubmatch(line); m != nil {
		if r := sizes[m[1]]; r.rows >= largeRows || r.pages >= largePages {
			add("reads all of %s, about %s rows", m[1], grouped(r.rows))
		}
	}
	if m := onDisk().FindStringSubmatch(line); m != nil {
		add("sorts on disk (%s kB): work_mem is too small for it", grouped(number(m[1])))
	}
	if m := hashSpill().FindStringSubmatch(line); m != nil && number(m[1]) > 1 {
		add("the hash table does not fit into work_mem: %s batches", m[1])
	}
	if m := removed().FindStringSubmatch(line); m != nil && number(m[1]) >= largeRows {
		add("reads %s rows to throw them away", grouped(number(m[1])))
	}
	return strings.Join(append(says, rowsOf(line)...), "; ")
}

// rowsOf judges the numbers of rows of a line.
func rowsOf(line string) (says []string) {
	p := planned().FindStringSubmatch(line)
	if p == nil {
		return nil
	}
	expected := number(p[1])
	m := measured().FindStringSubmatch(line)
	if m == nil {
		if expected >= 10*largeRows {
			says = append(says, "expects "+grouped(expected)+" rows")
		}
		return says
	}
	got, loops := number(m[1]), number(m[2])
	if got >= wrongBy*max(expected, 1) || loops > 0 && expected >= 100 && expected >= wrongBy*max(got, 1) {
		says = append(says, "planned "+grouped(expected)+" rows, got "+grouped(got))
	}
	if loops >= manyLoops {
		says = append(says, "runs "+grouped(loops)+" times")
	}
	return says
}

// number reads digits; PostgreSQL 18 gives measured rows with decimals.
func number(s string) int64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return int64(f)
}

// grouped writes 120000 as 120,000.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
