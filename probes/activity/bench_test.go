package activity

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// BenchmarkSample looks at 300 sessions, of which 40 stand in a transaction and
// 20 wait for locks, and prints how often PostgreSQL could have counted them in
// the same time, over the same connection and with the same settings.
func BenchmarkSample(b *testing.B) {
	server := labtest.Server(b, lab.PostgresOptions{MaxConnections: 340})
	db := labtest.On(b, server, lab.Deployed)
	crowd(b, db)
	p := probe(b, db.DSN())
	sample(b, p)
	count := func() time.Duration {
		batch := &pgx.Batch{}
		batch.Queue("select count(*)::int from pg_stat_activity")
		n, began := 0, time.Now()
		err := p.reader.Batch(labtest.Context(b), batch, func(r pgx.BatchResults) error { return r.QueryRow().Scan(&n) })
		if err != nil || n < 300 {
			b.Fatalf("%d sessions, %v", n, err)
		}
		return time.Since(began)
	}
	var counting time.Duration
	looks := 0
	for b.Loop() {
		sample(b, p)
		b.StopTimer()
		counting += count()
		looks++
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(counting), "×count(*)")
}

// crowd opens 300 sessions.
func crowd(b *testing.B, db *labtest.DB) {
	for range 240 {
		connect(b, db.DSN(), "").does("select 1")
	}
	for range 40 {
		c := connect(b, db.DSN(), "")
		c.does("begin")
		c.does("lock table grading_copylock in share mode")
	}
	for range 20 {
		c := connect(b, db.DSN(), "")
		c.begins("update grading_copylock set expires_at = now()")
		waiting(b, db, c.pid)
	}
}
