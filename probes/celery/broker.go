package celery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"gradecockpit/probes"
)

// Config says where the broker is and how its keys are spelled.
type Config struct {
	BrokerURL    string        // CELERY_BROKER_URL
	ResultURL    string        // CELERY_RESULT_BACKEND; "" is the broker
	Queues       []string      // queues known to exist beside those that are found
	KeyPrefix    string        // global_keyprefix of the broker
	ResultPrefix string        // how result keys begin; from Celery 5.5 on that is global_keyprefix and "_", unless it ends in one of : _ - .
	Sep          string        // transport option sep; "" is the default
	Steps        []int         // transport option priority_steps; nil is the default
	FanoutPrefix string        // transport option fanout_prefix: "" is the default, "False" none
	PlainFanout  bool          // transport option fanout_patterns is False
	MasterName   string        // transport option master_name, for sentinel://
	SentinelPass string        // password of the Sentinels themselves; "" none
	ReadOnly     string        // why nothing may be written: "--read-only"; "" when it may
	ReplyWait    time.Duration // how long a round waits for the workers; 0 is a second
	ClientName   string        // how the server lists this client; "" is gradecockpit
}

// Broker is a Redis server that Celery uses. It connects when first asked and
// holds three connections at most: two for questions and one that waits for
// the workers' replies. All methods may be called at once.
type Broker struct {
	Names
	cfg        Config
	where      string // address for messages
	rdb        *redis.Client
	results    *redis.Client // rdb itself when both are one
	resultsErr error         // why there is no results client
	control    *control
	watch      *watch
	secrets    []string
}

// Timeouts of one question to Redis; a context may cut them shorter.
const (
	dialTimeout = 2 * time.Second
	ioTimeout   = 2 * time.Second
	// scriptTimeout is for moving a whole queue: a million messages take
	// about a second inside Redis, and the answer must not be missed.
	scriptTimeout = 30 * time.Second
)

// ErrReadOnly is why a method that writes refused.
type ErrReadOnly struct{ Why string }

// Error names the setting that forbids it.
func (e *ErrReadOnly) Error() string { return "nothing is written: " + e.Why }

func (b *Broker) writable() error {
	if b.cfg.ReadOnly != "" {
		return &ErrReadOnly{b.cfg.ReadOnly}
	}
	return nil
}

// Open checks the addresses and makes the clients. It does not connect, so a
// server that is down is found by the first question.
func Open(cfg Config) (*Broker, error) {
	if cfg.BrokerURL == "" {
		return nil, probes.NotConfigured(probes.Redis, "CELERY_BROKER_URL")
	}
	at, err := locate(cfg.BrokerURL, cfg.MasterName)
	if err != nil {
		return nil, badAddress("CELERY_BROKER_URL", err)
	}
	logging.Disable() // it writes to stderr, across the screen
	b := &Broker{cfg: cfg, where: at.String(), Names: Names{
		Prefix: cfg.KeyPrefix, Sep: cfg.Sep, DB: at.opts.DB, Steps: cfg.Steps,
		FanoutPrefix: cfg.FanoutPrefix, PlainFanout: cfg.PlainFanout, Sentinel: at.sentinels != nil,
	}}
	b.rdb = b.client(at, 2)
	b.control = newControl(b, b.client(at, 1))
	b.openResults()
	b.watch = newWatch(b)
	return b, nil
}

// openResults leaves the broker usable when results are kept elsewhere.
func (b *Broker) openResults() {
	if b.cfg.ResultURL == "" || b.cfg.ResultURL == b.cfg.BrokerURL {
		b.results = b.rdb
		return
	}
	at, err := locate(b.cfg.ResultURL, b.cfg.MasterName)
	if err != nil {
		b.resultsErr = badAddress("CELERY_RESULT_BACKEND", err)
		return
	}
	b.results = b.client(at, 1)
}

func badAddress(setting string, err error) error {
	return &probes.Error{
		Source: probes.Redis, Op: "read " + setting, Cause: err.Error(),
		Next: "Set it to redis://[user:password@]host:port/db, or sentinel://host:port;sentinel://….", Err: err,
	}
}

// harden bounds what a client may cost: few connections, short waits, no
// retries (a push that is sent twice runs a task twice).
func (b *Broker) harden(o *redis.Options, conns int) *redis.Options {
	if o.Password != "" {
		b.secrets = append(b.secrets, o.Password)
	}
	name := orElse(b.cfg.ClientName, "gradecockpit")
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		_ = cn.ClientSetName(ctx, name).Err() // a tight ACL forbids it: no harm
		return nil
	}
	o.Dialer = dialWith(o.TLSConfig)
	o.Protocol = 2
	o.PoolSize, o.PipelinePoolSize = conns, -1
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DialTimeout, o.WriteTimeout = dialTimeout, ioTimeout
	o.ReadTimeout = ioTimeout + b.cfg.ReplyWait // a wait for replies is one read
	o.PoolTimeout = ioTimeout
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}

// Close takes the reply list away and closes all connections.
func (b *Broker) Close() error {
	b.watch.close()
	err := b.control.close()
	if b.results != nil && b.results != b.rdb {
		err = errors.Join(err, b.results.Close())
	}
	return errors.Join(err, b.rdb.Close())
}

// Ping asks Redis for a sign of life and its version, for example
// "redis 7.0.15". The version is "" where INFO is refused.
func (b *Broker) Ping(ctx context.Context) (server string, err error) {
	if err := b.rdb.Ping(ctx).Err(); err != nil {
		return "", b.describe("connect", err)
	}
	if b.clustered(ctx) {
		return "", b.describe("connect", errCluster)
	}
	return b.server(ctx), nil
}

// clustered: a user who may not know is told by the refusal of a transaction.
func (b *Broker) clustered(ctx context.Context) bool {
	info, err := b.rdb.InfoMap(ctx, "cluster").Result()
	return err == nil && info["Cluster"]["cluster_enabled"] == "1"
}

// script runs one Lua script with the patience that a big queue needs.
func (b *Broker) script(ctx context.Context, s *redis.Script, keys []string, args ...any) ([]any, error) {
	reply, err := s.Run(ctx, b.rdb.WithTimeout(scriptTimeout), keys, args...).Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("the script answered nothing")
	}
	return reply, nil
}
