package lab

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// sessionFaults are what goes wrong between database sessions; requests hang
// while every process looks healthy.
func sessionFaults() []Fault {
	return []Fault{{
		Name: "open-transaction", Scenario: ScenarioLatency, inject: openTransaction,
		Says: "Somebody changed a copy in psql and never committed: two requests wait behind it, one behind the other.",
	}}
}

func openTransaction(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return spec{status: "READY", age: 25 * time.Minute, pages: 4} })
	if err != nil {
		return err
	}
	psql, err := in.named(ctx, "psql")
	if err != nil {
		return err
	}
	in.holding = append(in.holding, psql.PgConn().PID())
	id := made[0].id
	if _, err := psql.Exec(ctx, "BEGIN; UPDATE exams_copy SET status = 'STAGING' WHERE id = '"+id+"';"); err != nil {
		return err
	}
	for range 2 {
		if err := in.waits(ctx, `SELECT "exams_copy"."id", "exams_copy"."status" FROM "exams_copy" WHERE "exams_copy"."id" = '`+id+`'::uuid FOR UPDATE`); err != nil {
			return err
		}
	}
	return nil
}

// waits sends a statement of the application's that waits until the fault is
// healed, and returns once it is seen to wait. Values stand in its text, as
// Django's driver sends them.
func (in *injection) waits(ctx context.Context, sql string) error {
	conn, err := in.dial(ctx, "")
	if err != nil {
		return err
	}
	in.loops.Go(func() { // the wait is cancelled with the fault, and the connection with it
		_, _ = conn.Exec(in.loopCtx, sql, pgx.QueryExecModeSimpleProtocol)
		closing, cancel := context.WithTimeout(context.WithoutCancel(in.loopCtx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	})
	for there := false; !there; {
		err := in.w.pool.QueryRow(ctx, `SELECT cardinality(pg_blocking_pids($1)) > 0`, int32(conn.PgConn().PID())).Scan(&there)
		if err == nil {
			err = nap(ctx, 5*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dial connects as the application's role; app is the application_name.
func (in *injection) dial(ctx context.Context, app string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(in.w.Postgres.DSN(databaseName, databaseRole))
	if err != nil {
		return nil, err
	}
	if app != "" {
		cfg.RuntimeParams["application_name"] = app
	}
	return pgx.ConnectConfig(ctx, cfg)
}
