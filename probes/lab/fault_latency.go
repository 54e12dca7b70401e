package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// latencyFaults are the playbook's scenario 4.
func latencyFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioLatency, inject: inject}
	}
	return []Fault{
		fault("slow-endpoint", "The list of copies takes seconds.", slowEndpoint),
		fault("slow-finalize", "Large PDFs: a finalization takes a quarter of a minute and more.", slowFinalize),
		fault("http-504", "The proxy gives up on finalizations after a minute.", http504),
		fault("n-plus-one", "A page asks for the booklets of each copy one by one.", nPlusOne),
		fault("missing-index", "The index on the events of a copy is gone: each timeline reads the whole table.", missingIndex),
		fault("too-many-clients", "All connections of PostgreSQL are taken.", tooManyClients),
		fault("metrics-behind-nginx", "The metrics address leads to nginx, which answers with the web page.", metricsBehindNginx),
	}
}

// slowDown makes the background traffic of one path slow, and gives it a past,
// so that a first look at the histograms sees it.
func (in *injection) slowDown(path string, typical time.Duration, samples int) {
	in.w.app.trouble.set(func(t *trouble) {
		if t.slow == nil {
			t.slow = map[string]time.Duration{}
		}
		t.slow[path] = typical
	})
	in.undoing(func(context.Context) error {
		in.w.app.trouble.set(func(t *trouble) { delete(t.slow, path) })
		return nil
	})
	for _, e := range endpoints {
		for range samples {
			if e.path == path {
				in.w.request(e, in.rng)
			}
		}
	}
}

func slowEndpoint(_ context.Context, in *injection) error {
	in.slowDown(copiesPath, 2800*time.Millisecond, 40)
	return nil
}

func slowFinalize(_ context.Context, in *injection) error {
	in.slowDown(finalizePath, 16*time.Second, 20)
	for range 10 {
		in.w.metrics.finalized("success", 1, 12+in.rng.Float64()*30)
	}
	in.setDuration(func(t *trouble) *time.Duration { return &t.renderTime }, 14*time.Second)
	return nil
}

// setDuration changes one time of the application and brings it back.
func (in *injection) setDuration(which func(*trouble) *time.Duration, d time.Duration) {
	var before time.Duration
	in.w.app.trouble.set(func(t *trouble) { before, *which(t) = *which(t), d })
	in.undoing(func(context.Context) error {
		in.w.app.trouble.set(func(t *trouble) { *which(t) = before })
		return nil
	})
}

func http504(_ context.Context, in *injection) error {
	step := func(context.Context) {
		path := "/api/grading/copies/" + in.uuid() + "/finalize/"
		in.w.metrics.httpRequest("POST", finalizePath, 504, 60+in.rng.Float64()*5)
		in.w.logs.write(requestRefused(504, "POST", path))
	}
	for range 6 {
		step(nil)
	}
	in.loop(5*time.Second, step)
	return nil
}

// nPlusOne runs the queries for real, so that pg_stat_statements counts them,
// and logs them as Django's query log does.
func nPlusOne(ctx context.Context, in *injection) error {
	const sql = `SELECT b.id, b.pages_images FROM exams_booklet b INNER JOIN exams_copy_booklets l ON b.id = l.booklet_id WHERE l.copy_id = $1`
	step := func(ctx context.Context) {
		rows, _ := in.w.pool.Query(ctx, `SELECT id::text FROM exams_copy ORDER BY anonymous_id LIMIT 40`)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return
		}
		for _, id := range ids {
			if _, err := in.w.pool.Exec(ctx, sql, id); err != nil {
				return
			}
			in.w.logs.write(queryLogged(id))
		}
	}
	step(ctx)
	in.loop(3*time.Second, step)
	return nil
}

func queryLogged(copyID string) logRecord {
	sql := `SELECT "exams_booklet"."id", "exams_booklet"."pages_images" FROM "exams_booklet" INNER JOIN "exams_copy_booklets"` +
		` ON ("exams_booklet"."id" = "exams_copy_booklets"."booklet_id") WHERE "exams_copy_booklets"."copy_id" = '` + copyID + `'::uuid`
	return logRecord{
		level: "DEBUG", logger: "django.db.backends", message: fmt.Sprintf("(0.002) %s; args=(UUID('%s'),); alias=default", sql, copyID),
		extra:  []field{{"duration", 0.0021}, {"sql", sql}, {"alias", "default"}},
		module: "utils", function: "debug_sql", line: 151,
	}
}

const eventIndex = "grading_gra_copy_id_160cd8_idx"

func missingIndex(ctx context.Context, in *injection) error {
	if _, err := in.w.pool.Exec(ctx, "DROP INDEX "+eventIndex); err != nil {
		return err
	}
	in.undoing(func(ctx context.Context) error {
		_, err := in.w.pool.Exec(ctx, "CREATE INDEX "+eventIndex+" ON grading_gradingevent (copy_id, timestamp)")
		return err
	})
	return nil
}

// tooManyClients takes every slot that is not the superuser's, and each that
// gets free again.
func tooManyClients(ctx context.Context, in *injection) error {
	if err := in.takeSlots(ctx); err != nil {
		return err
	}
	in.loop(time.Second, func(ctx context.Context) { _ = in.takeSlots(ctx) })
	in.log(0, tooManyLogged("/api/copies/"))
	return nil
}

func (in *injection) takeSlots(ctx context.Context) error {
	for {
		_, err := in.session(ctx)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "53300" {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func tooManyLogged(path string) logRecord {
	r := requestRefused(500, "GET", path)
	r.exc = traceback("views.py", 71, "get_queryset", "django.db.utils.OperationalError: connection to server failed: FATAL:  sorry, too many clients already")
	return r
}

func metricsBehindNginx(_ context.Context, in *injection) error {
	in.w.metrics.setHTML(true)
	in.undoing(func(context.Context) error { in.w.metrics.setHTML(false); return nil })
	return nil
}
