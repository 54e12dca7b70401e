package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Options say which grading system is simulated; the zero value is the
// deployed one with locks, calm, at its own pace.
type Options struct {
	Dialect      Dialect // "" is Deployed
	NoLocks      bool    // there is no table grading_copylock
	LocksRemoved bool    // the table is there and nobody uses it any more (HEAD)
	RoutedQueues bool    // tasks go to "finalize" and "import", the worker takes "celery"
	VerboseLogs  bool    // the log format of DEBUG

	Faults []string // names of Faults, injected before Start returns
	Seed   uint64   // the same seed gives the same rows
	Scale  int      // multiplies copies, locks, events, messages; 0 is 1

	// Dir gets logs/, media/ and tmp/; "" is a private folder that Close removes.
	Dir string
	// Quiet leaves out teachers, traffic and growing backlogs: what was seeded
	// stays as it is. The worker runs, but only on what it is sent.
	Quiet bool
	// NoWorker starts no worker; World.Worker can start one later.
	NoWorker bool
	// Speed divides the times of the simulation; 0 is 1.
	Speed float64
	// PostgresBin is where initdb and postgres are; "" looks for them.
	PostgresBin string
}

// World is a running simulation: real servers, the application on them, and
// the teachers who use it. Its fields are for tests.
type World struct {
	Postgres *PostgresServer
	Redis    *RedisServer
	DB       *DB // as the application's own role
	Worker   *Worker

	opts    Options
	app     *app
	logs    *appLog
	metrics *appMetrics
	pool    *pgxpool.Pool
	rdb     *redis.Client
	files   *home // nil when Options.Dir is given
	dir     string
	cast    cast
	inHand  []seeded // under a live lock since the start
	claims  claims
	counter int // of anonymous ids

	ctx       context.Context
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	closing   sync.Once
	closeErr  error
	faultLock sync.Mutex
	active    map[string]*injection
}

// The names that the application's compose file gives.
const (
	databaseName = "viatique"
	databaseRole = "viatique_user"
	metricsToken = "demo-metrics-token"
)

// Start makes a world and everything in it; it is ready when Start returns.
// ctx bounds the start only; the world's end is Close. The error wraps
// ErrNoPostgres when the machine has no PostgreSQL.
func Start(ctx context.Context, opts Options) (*World, error) {
	if opts.Dialect == "" {
		opts.Dialect = Deployed
	}
	opts.Scale = max(1, opts.Scale)
	if opts.Speed <= 0 {
		opts.Speed = 1
	}
	for _, name := range opts.Faults {
		if err := CheckFault(name, opts); err != nil {
			return nil, err
		}
	}
	w := &World{opts: opts, active: map[string]*injection{}}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		w.startServers, w.openFiles, w.openDatabase, w.startApp, w.seed, w.startWorker,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, name := range w.opts.Faults {
		if err := w.Inject(ctx, name); err != nil {
			return err
		}
	}
	if !w.opts.Quiet {
		w.play()
	}
	return nil
}

// startServers starts both at once: PostgreSQL's second is the longest part.
func (w *World) startServers(ctx context.Context) error {
	var pgErr, redisErr error
	var both sync.WaitGroup
	both.Go(func() { w.Postgres, pgErr = StartPostgres(ctx, PostgresOptions{BinDir: w.opts.PostgresBin}) })
	both.Go(func() { w.Redis, redisErr = StartRedis(ctx, RedisOptions{}) })
	both.Wait()
	return errors.Join(pgErr, redisErr)
}

func (w *World) openFiles(context.Context) (err error) {
	w.dir = w.opts.Dir
	if w.dir == "" {
		if w.files, err = newHome(nil); err != nil {
			return err
		}
		w.dir = w.files.path
	}
	if err = os.MkdirAll(w.tempDir(), 0o755); err != nil {
		return err
	}
	if w.logs, err = newAppLog(filepath.Join(w.dir, "logs"), w.opts.VerboseLogs); err != nil {
		return err
	}
	uptime := 2*time.Hour + 7*time.Minute
	w.metrics, err = newAppMetrics(w.ctx, w.stream("metrics"), metricsToken, uptime)
	return err
}

func (w *World) startApp(context.Context) error {
	logging.Disable() // it writes to stderr, across whatever screen is open
	opts := w.Redis.Options()
	opts.DisableIdentity = true
	w.rdb = redis.NewClient(opts)
	w.app = &app{
		db: w.pool, dialect: w.opts.Dialect, table: !w.opts.NoLocks,
		locking: !w.opts.NoLocks && !w.opts.LocksRemoved, routed: w.opts.RoutedQueues,
		media: filepath.Join(w.dir, "media"), speed: w.opts.Speed, logs: w.logs, metrics: w.metrics,
	}
	cfg := workerConfig{
		name: "celery@app1", concurrency: 2, prefetch: 8, redis: w.Redis.Options(), tasks: w.app.tasks(),
		crashDelay: w.app.after(3 * time.Second),
	}
	if w.opts.RoutedQueues {
		cfg.prefetch, cfg.routes, cfg.rateLimits = 2, taskRoutes, taskRates
	}
	w.Worker = newWorker(cfg)
	return nil
}

// The settings of the generation that routes its tasks.
var (
	taskRoutes = object{
		{"grading.tasks.async_finalize_copy", object{{"queue", "finalize"}}},
		{"grading.tasks.async_import_pdf", object{{"queue", "import"}}},
		{"grading.tasks.async_batch_import", object{{"queue", "import"}}},
		{"grading.tasks.cleanup_orphaned_files", object{{"queue", "maintenance"}}},
	}
	taskRates = map[string]string{
		"grading.tasks.async_finalize_copy": "5/m", "grading.tasks.async_import_pdf": "10/m",
	}
)

// startWorker starts it as the compose file does: without -Q, so it takes
// "celery" only, whatever the routes say.
func (w *World) startWorker(ctx context.Context) error {
	if w.opts.NoWorker {
		return nil
	}
	return w.Worker.Start(ctx)
}

// stream is a source of randomness of its own for one purpose, so that what
// one part draws does not change what another gets.
func (w *World) stream(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(w.opts.Seed, h.Sum64()))
}

// Env is how a cockpit is told where this world is.
func (w *World) Env() map[string]string {
	return map[string]string{
		"DATABASE_URL":          w.Postgres.DSN(databaseName, databaseRole),
		"CELERY_BROKER_URL":     w.Redis.URL(),
		"CELERY_RESULT_BACKEND": w.Redis.URL(),
		"METRICS_URL":           w.metrics.url,
		"METRICS_TOKEN":         metricsToken,
		"GRADING_LOG_DIR":       filepath.Join(w.dir, "logs"),
		"MEDIA_ROOT":            w.MediaDir(),
		"GRADECOCKPIT_TEMP_DIR": w.tempDir(),
	}
}

// Operator is the auth_user who acts in the demo: a member of the staff.
const Operator = "demo"

// MediaDir is where the application keeps its files.
func (w *World) MediaDir() string { return w.app.media }

// tempDir is the application's own: what else lies in this machine's is not its
// business, and takes time to add up.
func (w *World) tempDir() string { return filepath.Join(w.dir, "tmp") }

// RestartWebProcess gives one of the processes behind /metrics a new start
// time and empty counters.
func (w *World) RestartWebProcess(i int) { w.metrics.restart(i) }

// Close ends everything and leaves nothing. Further calls return the same.
func (w *World) Close() error {
	w.closing.Do(func() { w.closeErr = w.shut() })
	return w.closeErr
}

func (w *World) shut() error {
	w.cancel()
	if w.Worker != nil {
		w.Worker.close()
	}
	w.closeFaults()
	w.wg.Wait()
	if w.metrics != nil {
		w.metrics.close()
	}
	if w.rdb != nil {
		_ = w.rdb.Close()
	}
	if w.pool != nil {
		w.pool.Close()
	}
	if w.logs != nil {
		w.logs.close()
	}
	return w.stopServers()
}

func (w *World) stopServers() error {
	var errs []error
	if w.Redis != nil {
		errs = append(errs, w.Redis.Stop())
	}
	if w.Postgres != nil {
		errs = append(errs, w.Postgres.Stop())
	}
	if w.files != nil {
		errs = append(errs, w.files.remove())
	}
	if err := errors.Join(slices.DeleteFunc(errs, func(e error) bool { return e == nil })...); err != nil {
		return fmt.Errorf("close the world: %w", err)
	}
	return nil
}
