package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/grading"
)

// Look judges single copies by the rules of the probe, within a transaction of
// the caller's.
func Look(ctx context.Context, tx pgx.Tx, s *grading.Schema, locks bool, ids []string) ([]Row, error) {
	sql, err := grading.Compose(s, files)
	if err != nil {
		return nil, err
	}
	if sql["again"] == "" {
		return nil, nil
	}
	rows, err := tx.Query(ctx, sql["again"], ids, len(ids), locks, len(ids))
	if err == nil {
		defer rows.Close()
		var a answer
		if a, err = readAnswer(rows); err == nil {
			return a.rows, nil
		}
	}
	return nil, fmt.Errorf("look for missing events: %w", err)
}
