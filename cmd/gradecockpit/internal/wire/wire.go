// Package wire builds the cockpit from its configuration: clients, probes,
// actions, runner, screen. It is the only package that knows all the others.
package wire

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/journal"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/pdf"
	"gradecockpit/probes/postgres"
	"gradecockpit/probes/storage"
	"gradecockpit/tui"
)

// Cockpit is everything that runs together. Sources that are not configured
// have a probe that says so; their clients are nil.
type Cockpit struct {
	Config *config.Config
	Hub    *probes.Hub
	Runner *actions.Runner
	Env    tui.Environment

	grading  *grading.Probe
	broker   *celery.Broker
	logs     *logs.Probe
	reader   *postgres.Reader
	activity *activity.Probe
	storage  *storage.Probe
	audit    *audit.Probe
	pdfs     *pdf.Checker
	entries  []probes.Entry
	closers  []func() // of what runs or listens besides
	shelf    library
}

// The schedules: the interval at the ordinary pace, and the deadline that one
// look may take. The metrics are scraped less often because each scrape makes
// the application render all of its series.
var (
	often  = probes.Schedule{Interval: 2 * time.Second, Deadline: 1800 * time.Millisecond}
	seldom = probes.Schedule{Interval: 5 * time.Second, Deadline: 4 * time.Second}
)

// New builds a cockpit. It connects to nothing; an error is a setting that
// makes no sense, in one sentence without secrets.
func New(cfg *config.Config, log *slog.Logger) (*Cockpit, error) {
	c := &Cockpit{Config: cfg}
	readOnly := c.readOnly()
	writer, err := c.postgres(readOnly)
	if err != nil {
		return nil, err
	}
	if err := c.redis(readOnly); err != nil {
		return nil, err
	}
	for _, add := range []func() error{c.addMetrics, c.addLogs, c.addDatabase, c.addHost, c.addAudit} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	c.Hub = probes.NewHub(c.entries, log)
	c.pace()
	if err := c.actions(writer, readOnly); err != nil {
		return nil, err
	}
	c.Env = c.environment(readOnly)
	c.shelf = c.library()
	return c, nil
}

// pace brings the hub to the configured refresh interval.
func (c *Cockpit) pace() {
	want := c.Config.Duration(config.Refresh)
	for c.Hub.Interval() > want {
		c.Hub.Faster()
	}
	for c.Hub.Interval() < want {
		c.Hub.Slower()
	}
}

func (c *Cockpit) readOnly() string {
	if !c.Config.Bool(config.ReadOnly) {
		return ""
	}
	return "read-only by " + c.Config.Value(config.ReadOnly).Origin
}

func (c *Cockpit) postgres(readOnly string) (*postgres.Writer, error) {
	cfg := postgres.Config{ConnString: c.Config.Text(config.DatabaseURL), User: c.Config.Operator(), ReadOnly: readOnly}
	if cfg.ConnString == "" {
		c.add(absent{grading.ID, probes.Postgres, "DATABASE_URL, or PGHOST and PGDATABASE"}, often)
		return nil, nil
	}
	if err := cfg.Check(); err != nil {
		return nil, &config.Error{Where: c.Config.Value(config.DatabaseURL).Origin, Why: err.Error()}
	}
	c.reader = postgres.NewReader(cfg)
	c.grading = grading.NewProbe(c.reader, grading.Options{
		Locks: grading.LockMode(c.Config.Text(config.Locks)), Thresholds: c.Config.Thresholds()})
	c.add(c.grading, often)
	return postgres.NewWriter(cfg), nil
}

func (c *Cockpit) redis(readOnly string) error {
	url := c.Config.Text(config.BrokerURL)
	if url == "" {
		c.add(absent{celery.ID, probes.Redis, "CELERY_BROKER_URL"}, often)
		c.add(absent{celery.TasksID, probes.Redis, "CELERY_BROKER_URL"}, seldom)
		return nil
	}
	t := c.Config.Text
	broker, err := celery.Open(celery.Config{
		BrokerURL: url, ResultURL: t(config.ResultBackend), Queues: c.Config.List(config.Queues), ReadOnly: readOnly,
		KeyPrefix: t(config.KeyPrefix), ResultPrefix: t(config.ResultPrefix), Sep: t(config.Separator), Steps: c.Config.Ints(config.PrioritySteps),
		FanoutPrefix: t(config.FanoutPrefix), PlainFanout: c.Config.Bool(config.PlainFanout),
		MasterName: t(config.MasterName), SentinelPass: t(config.SentinelPassword),
	})
	if err != nil {
		return &config.Error{Where: c.Config.Value(config.BrokerURL).Origin, Why: probes.Brief(err)}
	}
	c.broker = broker
	c.add(celery.NewProbe(broker), often)
	c.add(celery.NewTasksProbe(broker), seldom)
	return nil
}

func (c *Cockpit) add(p probes.Probe, s probes.Schedule) {
	c.entries = append(c.entries, probes.Entry{Probe: p, Schedule: s})
}

// absent stands for a source that nobody told us the address of.
type absent struct {
	id      probes.ID
	source  probes.SourceID
	setting string
}

func (a absent) ID() probes.ID           { return a.id }
func (a absent) Source() probes.SourceID { return a.source }
func (a absent) Sample(context.Context) (any, error) {
	return nil, probes.NotConfigured(a.source, a.setting)
}

// JournalPath is where the journal is kept.
func JournalPath(cfg *config.Config) string {
	if p := cfg.Text(config.Journal); p != "" {
		return p
	}
	return filepath.Join(config.StateDir(), "journal.jsonl")
}

func (c *Cockpit) actions(writer *postgres.Writer, readOnly string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	path := JournalPath(c.Config)
	c.Runner = actions.NewRunner(actions.Config{
		Actions: catalogue.All(catalogue.Deps{
			Writer: writer, Grading: c.grading, Broker: c.broker,
			Journal: journal.Lazy(path), // to count earlier attempts
			LockTTL: c.Config.Duration("thresholds.lock_ttl"),
			SaveDir: filepath.Join(filepath.Dir(path), "quarantine"),
			Restart: c.Config.Words(config.RestartCommand), RestartFor: c.Config.Duration(config.RestartTimeout),
		}),
		Journal:  journal.Lazy(path),
		Actor:    actions.Actor{Name: c.Config.Operator(), Host: host, Unsigned: c.Config.Bool(config.Unsigned)},
		Identify: c.Identify,
		ReadOnly: readOnly,
		Env:      c.env(),
	})
	return nil
}

// Identify finds the auth_user that signs for the operator.
func (c *Cockpit) Identify(ctx context.Context, name string) (int64, error) {
	if c.grading == nil {
		return 0, probes.NotConfigured(probes.Postgres, "DATABASE_URL")
	}
	return c.grading.UserID(ctx, name)
}

// env tells environments apart in the journal, which several may share.
func (c *Cockpit) env() string { return c.Config.Environment + "@" + c.place() }

// place names the database without user and password.
func (c *Cockpit) place() string {
	return clean.Text(postgres.Config{ConnString: c.Config.Text(config.DatabaseURL)}.Where())
}

// where names the database for people.
func (c *Cockpit) where() string {
	place := c.place()
	if database, host, ok := strings.Cut(place, "@"); ok && strings.HasPrefix(host, "/") {
		place = database + "@localhost" // a socket's path says nothing to a responder
	}
	return place
}

func (c *Cockpit) environment(readOnly string) tui.Environment {
	title := c.Config.Text(config.Title)
	if title == "" {
		title = c.Config.Environment
	}
	if w := c.where(); w != "" && c.grading != nil {
		title = clean.Text(fmt.Sprintf("%s %s", title, w))
	}
	return tui.Environment{Title: title, Colour: c.Config.Text(config.Colour), ReadOnly: readOnly, Actor: clean.Text(c.Config.Operator())}
}

// Close lets go of every connection; it waits for none longer than ctx.
func (c *Cockpit) Close(ctx context.Context) {
	if c.reader != nil {
		c.reader.Close(ctx)
	}
	if c.broker != nil {
		c.broker.Close()
	}
	for _, end := range c.closers {
		end()
	}
}

// Look samples every source once, for commands that print and end. Rates need
// the same process scraped twice, so the metrics alone are looked at again one
// second and three seconds after the first time, unless they have them by then
// or Prometheus has. The others take most of that second anyway.
func (c *Cockpit) Look(ctx context.Context) probes.Set {
	set := c.Hub.SampleAll(ctx)
	first := set.Get(metrics.ID).Good
	for _, after := range []time.Duration{time.Second, 3 * time.Second} {
		m, snap, ok := probes.Of[metrics.Overview](set, metrics.ID)
		if !ok || snap.Err != nil || m.Warming == "" || metrics.Choose(set) == metrics.PrometheusID {
			break
		}
		select {
		case <-ctx.Done():
			return set
		case <-time.After(time.Until(first.Add(after))):
		}
		set = c.Hub.Sample(ctx, metrics.ID)
	}
	return set
}

// Configured tells whether somebody said where a source is.
func (c *Cockpit) Configured(source probes.SourceID) bool {
	for _, e := range c.entries {
		if _, missing := e.Probe.(absent); e.Probe.Source() == source && missing {
			return false
		}
	}
	return true
}
