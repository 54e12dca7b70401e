package explain

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes/clean"
)

// refusal puts an error of the server about the statement into a sentence. What
// is not about the statement stays as it is. before is what stands before the
// statement in the text that was sent, which the position counts.
func refusal(err error, before string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	says := clean.Capped(pg.Message, maxLine)
	r := &Refused{Err: err}
	switch {
	case pg.Code == "42601" && strings.Contains(pg.Message, "multiple commands"):
		r.Why, r.Next = "There is more than one statement.", "Give one."
	case pg.Code == "42601":
		r.Why = "PostgreSQL cannot read it: " + says + place(pg, before) + "."
		r.Next = "Only one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE has a plan. Text that pg_stat_statements normalised (interval $1) can be unreadable; type it with values."
	case pg.Code == "42P18" || pg.Code == "42725":
		r.Why, r.Next = "The type of a parameter is not known: "+says+".", "Type the statement with values in place of $1, $2, …"
	case pg.Code == "42501":
		r.Why, r.Next = "The role may not: "+says+".", "PostgreSQL plans only what the role may do itself. GRANT SELECT on the table is enough for a SELECT."
	case pg.Code == "25006":
		r.Why = "It would write: " + says + "."
	case pg.Code == "57014":
		r.Why, r.Next = "It took longer than its time limit and was ended.", "Its plan without ANALYZE runs nothing."
	case pg.Code == "55P03":
		r.Why, r.Next = "A table of it is locked by somebody else (ALTER TABLE, VACUUM FULL).", "See the blocking sessions."
	case strings.HasPrefix(pg.Code, "42") || strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "0A") || strings.HasPrefix(pg.Code, "26"):
		r.Why = "PostgreSQL refuses it: " + says + place(pg, before) + "."
	default:
		return err
	}
	return r
}

// place is where in the statement the error is, counted in characters from 1.
func place(pg *pgconn.PgError, before string) string {
	at := int(pg.Position) - len(before)
	if at < 1 || before == "" {
		return ""
	}
	return fmt.Sprintf(" (character %d)", at)
}
