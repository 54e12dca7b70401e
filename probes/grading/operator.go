package grading

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// UserID finds the auth_user of a name, as the application spells it; 0 when it
// has none. The event table demands an existing user as actor, so this decides
// whether an operator can sign.
func (p *Probe) UserID(ctx context.Context, name string) (id int64, err error) {
	err = p.with(ctx, "find the operator's account", func(f found) error {
		s := f.schema
		if why, fix := s.Why(UserID, UserName); why != "" {
			return missing(why, fix)
		}
		sql := fmt.Sprintf("select %s from %s where %s = $1", s.Col(UserID), s.Table(UserID), s.Col(UserName))
		return p.ask(ctx, question{sql, []any{name}, func(rows pgx.Rows) error {
			ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if err == nil && len(ids) > 0 {
				id = ids[0]
			}
			return err
		}})
	})
	return id, err
}
