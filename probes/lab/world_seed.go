package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cast is who and what the session is about.
type cast struct {
	operator int64
	users    []int64 // correctors, in the order of correctors
	exams    []seedExam
	late     []seedExam // uploaded during the session, youngest first
}

// person is an auth_user of the session.
type person struct {
	username, first, last string
	staff                 bool
}

var (
	operator   = person{Operator, "Camille", "Démo", true}
	correctors = []person{
		{"mdupont", "Marie", "Dupont", false},
		{"jmartin", "Jérôme", "Martin", false},
		{"hlefèvre", "Hélène", "Lefèvre", false},
		{"bnoël", "Benoît", "Noël", false},
		{"fgarçon", "François", "Garçon", false},
		{"zbérard", "Zoé", "Bérard", false},
	}
	exams = []seedExam{
		{prefix: "A3F2", title: "Mathématiques – bac blanc TG2", age: 3 * time.Hour},
		{prefix: "B771", title: "Physique-chimie – épreuve nº 4", age: 3 * time.Hour},
		{prefix: "C09D", title: "NSI – écrit de février", age: 3 * time.Hour},
	}
	lateExams = []seedExam{
		{prefix: "D417", title: "SVT – rattrapage", age: 15 * time.Minute},
		{prefix: "E52B", title: "Philosophie – copies oubliées", age: 38 * time.Minute},
	}
)

// openDatabase makes the application's role, database and tables, and the
// pool that the whole simulation shares.
func (w *World) openDatabase(ctx context.Context) error {
	if err := w.createDatabase(ctx); err != nil {
		return err
	}
	cfg, err := pgxpool.ParseConfig(w.Postgres.DSN(databaseName, databaseRole))
	if err != nil {
		return fmt.Errorf("open the application's database: %w", err)
	}
	cfg.MaxConns, cfg.MinConns = 12, 6
	// What core.settings gives the application's own sessions.
	for name, value := range map[string]string{
		"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	if w.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return fmt.Errorf("open the application's database: %w", err)
	}
	w.DB = &DB{Conn: w.pool, Dialect: w.opts.Dialect, HasLocks: !w.opts.NoLocks}
	return CreateSchema(ctx, w.pool, SchemaOptions{
		Dialect: w.opts.Dialect, NoLocks: w.opts.NoLocks, RoutedQueues: w.opts.RoutedQueues,
	})
}

func (w *World) createDatabase(ctx context.Context) error {
	statements := map[string][]string{
		"postgres": {
			"CREATE ROLE " + databaseRole + " LOGIN",
			"GRANT pg_monitor TO " + databaseRole,
			"CREATE DATABASE " + databaseName + " OWNER " + databaseRole,
		},
		databaseName: {"CREATE EXTENSION IF NOT EXISTS pg_stat_statements"},
	}
	for _, db := range []string{"postgres", databaseName} {
		err := w.asAdmin(ctx, db, func(conn *pgx.Conn) error {
			for _, sql := range statements[db] {
				if _, err := conn.Exec(ctx, sql); err != nil && db == "postgres" {
					return err
				} // the extension is a bonus: not every machine has it
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("create the application's database: %w", err)
		}
	}
	return nil
}

// asAdmin runs do on a connection of the superuser, for which PostgreSQL keeps
// slots when all others are taken.
func (w *World) asAdmin(ctx context.Context, db string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, w.Postgres.DSN(db, AdminUser))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}

// seed fills the session as it stands two hours after it began.
func (w *World) seed(ctx context.Context) error {
	if err := w.seedCast(ctx); err != nil {
		return fmt.Errorf("seed the cast: %w", err)
	}
	b, err := w.newBatch(ctx, "session")
	if err != nil {
		return err
	}
	w.seedCopies(b)
	if err := b.flush(ctx, w.pool); err != nil {
		return err
	}
	if err := w.seedFiles(b); err != nil {
		return err
	}
	w.seedLogs()
	w.seedTraffic()
	return nil
}

func (w *World) seedCast(ctx context.Context) error {
	id, err := w.addPerson(ctx, operator)
	if err != nil {
		return err
	}
	w.cast.operator = id
	for _, p := range correctors {
		if id, err = w.addPerson(ctx, p); err != nil {
			return err
		}
		w.cast.users = append(w.cast.users, id)
	}
	rng := w.stream("exams")
	if w.cast.exams, err = w.addExams(ctx, rng, exams); err != nil {
		return err
	}
	w.cast.late, err = w.addExams(ctx, rng, lateExams)
	return err
}

// addExams makes the exams with ids that the seed decides. An uploaded copy
// has no time of its own on the deployed system: its exam's is the best there is.
func (w *World) addExams(ctx context.Context, rng *rand.Rand, list []seedExam) ([]seedExam, error) {
	made := slices.Clone(list)
	for i := range made {
		e := &made[i]
		e.id = (&batch{rng: rng}).uuid()
		_, err := w.pool.Exec(ctx, w.app.byDialect(
			`INSERT INTO exams_exam (id, name, date, is_processed, grading_structure, pages_per_booklet, upload_mode, created_at, updated_at)
			 VALUES ($1, $2, current_date, true, '[]', 4, 'BATCH_A3', now() - $3::interval, now() - $3::interval)`,
			`INSERT INTO exams_exam (id, title, date, created_at) VALUES ($1, $2, current_date, now() - $3::interval)`),
			e.id, e.title, e.age)
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

func (w *World) addPerson(ctx context.Context, p person) (id int64, err error) {
	err = w.pool.QueryRow(ctx, `
		INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
		VALUES ('!', $4, $1::text, $2, $3, $1::text || '@lycee.example', $4, true, now() - interval '200 days') RETURNING id`,
		p.username, p.first, p.last, p.staff).Scan(&id)
	return id, err
}

// newBatch draws from the stream of its purpose, in the database's time.
func (w *World) newBatch(ctx context.Context, purpose string) (*batch, error) {
	now, err := w.DB.Now(ctx)
	if err != nil {
		return nil, err
	}
	return &batch{
		dialect: w.opts.Dialect, locking: w.app.locking, rng: w.stream(purpose), now: now,
		users: w.cast.users, exams: w.cast.exams, late: w.cast.late, counter: &w.counter,
	}, nil
}

// seedCopies makes a session in full swing: most of the copies on their way,
// one lock for each of the first five correctors.
func (w *World) seedCopies(b *batch) {
	minute := time.Minute
	for range w.opts.Scale {
		for i := range 9 {
			b.add(spec{status: "GRADED", age: b.between(3*minute, 95*minute), pages: 4, holder: i, annotations: 3 + b.rng.IntN(6)})
		}
		for i := range 10 {
			b.add(spec{status: "READY", age: b.between(2*minute, 40*minute), pages: 4, holder: i})
		}
		for i := range 5 {
			w.inHand = append(w.inHand, b.add(w.beingCorrected(b, i)))
		}
		for i := range 3 {
			b.add(spec{status: "STAGING", age: b.between(10*time.Second, 4*minute), pages: 4, holder: i})
		}
	}
}

// beingCorrected is a copy in a teacher's hands: LOCKED under a live lock, or,
// where locks are not used, READY with annotations.
func (w *World) beingCorrected(b *batch, i int) spec {
	s := spec{status: "READY", age: b.between(time.Minute, 14*time.Minute), pages: 4, holder: i, annotations: 2 + b.rng.IntN(4)}
	if w.app.locking {
		s.status, s.owner = "LOCKED", true
		s.expires = ptr(lockTTL - b.between(0, heartbeat))
	}
	return s
}

// seedFiles writes the PDFs of the first graded copies; ten thousand files
// would tell nobody more.
func (w *World) seedFiles(b *batch) error {
	for _, c := range b.made[:9] {
		for _, name := range []string{sourceOf(c.id), filepath.Join("copies/final", "copy_"+c.id+"_corrected.pdf")} {
			if err := w.app.saveMedia(name, tinyPDF); err != nil {
				return fmt.Errorf("seed the media folder: %w", err)
			}
		}
	}
	return nil
}

// sourceOf is where a copy's upload is kept in the media folder.
func sourceOf(id string) string { return filepath.Join("copies/source", "copy_"+id+".pdf") }

// seedLogs writes what the last two hours left: little, as success over HTTP
// leaves nothing in django.log.
func (w *World) seedLogs() {
	rng := w.stream("logs")
	b := batch{rng: rng}
	now := w.logs.now()
	for ago := 2 * time.Hour; ago > time.Minute; ago -= time.Duration(60+rng.IntN(240)) * time.Second {
		id := b.uuid()
		at := now.Add(-ago)
		path := "/api/grading/copies/" + id + "/final-pdf/"
		q := &request{id: b.uuid(), path: path, method: "GET", user: w.cast.users[rng.IntN(len(w.cast.users))]}
		w.logs.writeAt(at, copyDownloaded(id[24:], "eleve"+id[:4], q))
		if rng.IntN(4) == 0 {
			w.logs.writeAt(at, requestRefused(409, "POST", "/api/grading/copies/"+id+"/lock/"))
		}
	}
}

// seedTraffic gives every process counters to start with.
func (w *World) seedTraffic() {
	rng := w.stream("traffic of the past")
	for _, e := range endpoints {
		for range int(120 * e.rate) {
			w.metrics.httpRequest(e.method, e.path, e.status(rng), e.seconds(rng, 1))
		}
	}
}

// poisson draws how many events of a rate fall into one step.
func poisson(rng *rand.Rand, mean float64) int {
	n := 0
	for sum := rng.ExpFloat64(); sum < mean; sum += rng.ExpFloat64() {
		n++
	}
	return n
}
