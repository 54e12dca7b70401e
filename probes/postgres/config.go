package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says how to reach the database and how patient to be with it. Zero
// durations take the defaults of [Config.defaults].
type Config struct {
	// ConnString is a URL in any of Django's or libpq's forms, libpq's
	// key=value form, or empty: then PGHOST, PGSERVICE, ~/.pgpass and the other
	// means of libpq decide, as they do for what the string leaves out.
	ConnString string
	// AppName is the first part of application_name; "" is "gradecockpit".
	AppName string
	// User is the operator, the last part of application_name; may be empty.
	User string
	// StatementTimeout and LockTimeout bound each statement of the server's.
	// The Reader and the Writer have different defaults.
	StatementTimeout time.Duration
	LockTimeout      time.Duration
	// ConnectTimeout bounds reaching the server and logging in.
	ConnectTimeout time.Duration
	// ReadOnly says why nothing may be written ("--read-only"); "" allows it.
	ReadOnly string
}

// maxAppName is NAMEDATALEN - 1, where PostgreSQL cuts application_name off.
const maxAppName = 63

// defaults fills in what the caller left open.
func (c Config) defaults(statement, lock time.Duration) Config {
	if c.AppName == "" {
		c.AppName = "gradecockpit"
	}
	if c.StatementTimeout <= 0 {
		c.StatementTimeout = statement
	}
	if c.LockTimeout <= 0 {
		c.LockTimeout = lock
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	return c
}

// appName names our sessions in pg_stat_activity. Only printable ASCII, which
// is what the server keeps of it.
func (c Config) appName(role string) string {
	name := c.AppName + "/" + role
	if c.User != "" {
		name += "/" + c.User
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), maxAppName)]
}

// parse resolves a Config for one role of session, "read" or "act". No error
// of it holds any part of the connection string: a string that cannot be parsed
// cannot be trusted to show where its password begins.
func (c Config) parse(role string) (*pgx.ConnConfig, error) {
	dsn, err := keywords(c.ConnString)
	if err != nil {
		return nil, &ConfigError{Why: err.Error()}
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &ConfigError{Why: configReason(err)}
	}
	cfg.ConnectTimeout = c.ConnectTimeout
	cfg.RuntimeParams["application_name"] = c.appName(role)
	// pgx needs UTF-8; a LATIN1 database converts when asked to.
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	// PgBouncer in transaction mode gives each transaction another server
	// session, so nothing may be prepared on one.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.StatementCacheCapacity = 0
	cfg.DescriptionCacheCapacity = 0
	return cfg, nil
}

// Check tells whether a Config can be used, without connecting. The error is a
// *ConfigError.
func (c Config) Check() error {
	_, err := c.defaults(time.Second, time.Second).parse("read")
	return err
}

// Where names the database for the screen, as "viatique@db1:5432" without
// password or user; the port only where it is not 5432. It is empty when the
// configuration cannot be parsed.
func (c Config) Where() string {
	cfg, err := c.defaults(time.Second, time.Second).parse("read")
	if err != nil {
		return ""
	}
	database := cfg.Database
	if database == "" {
		database = cfg.User // libpq's rule
	}
	if cfg.Port == 5432 || strings.HasPrefix(cfg.Host, "/") {
		return database + "@" + cfg.Host
	}
	return fmt.Sprintf("%s@%s:%d", database, cfg.Host, cfg.Port)
}

// ConfigError is a connection setting that makes no sense. It quotes nothing.
type ConfigError struct{ Why string }

// Error gives one sentence.
func (e *ConfigError) Error() string { return "connection string: " + e.Why }

// configReasons are the failures of pgx's parser that can be told without
// quoting what it was given.
var configReasons = []struct{ sign, words string }{
	{"failed to parse as", "it is neither a URL (postgresql://user:password@host:5432/database) nor key=value pairs"},
	{"invalid port", "the port is not a number from 1 to 65535"},
	{"service", "the service of PGSERVICE or service= is not in the service file"},
	{"sslmode", "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"},
	{"TLS", "the TLS settings do not fit together, or a certificate file cannot be read"},
	{"target_session_attrs", "target_session_attrs has an unknown value"},
	{"require_auth", "require_auth has an unknown value"},
	{"channel_binding", "channel_binding has an unknown value"},
	{"connect_timeout", "connect_timeout must be a number of seconds"},
	{"protocol_version", "the protocol version settings are not valid"},
	{"passfile", "the password file cannot be read"},
}

// configReason maps an error of pgx to fixed words. It looks only behind the
// redacted string that pgx quotes first.
func configReason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i:]
	}
	for _, r := range configReasons {
		if strings.Contains(text, r.sign) {
			return r.words
		}
	}
	return "it cannot be used"
}
