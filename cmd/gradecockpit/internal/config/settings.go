// Package config finds out where the grading system is and how the operator
// wants to see it: flags, then the environment (an --env-file before the
// process's own), then the file, then the default. Every setting is one line of
// [Settings]; flags, file keys, environment variables, `config show` and the
// README's table all come from there.
//
// A value remembers where it came from. A secret cannot print itself.
package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes/grading"
)

// Setting is one thing that can be configured.
type Setting struct {
	Key     string   // in the file, and the flag with - for _ and .
	Env     []string // environment variables, first one wins
	Default string
	Help    string
	Secret  bool // masked whenever it is shown
	NoFlag  bool // secrets of their own have no flag: they would stand in `ps`
	Bool    bool
	Words   bool // a command: a list in the file is joined so that Config.Words gives it back
	check   func(string) error
}

// Flag is the name of the command-line flag.
func (s Setting) Flag() string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(s.Key)
}

// The keys, as in the file.
const (
	Title            = "title"
	Colour           = "colour"
	ReadOnly         = "read_only"
	DatabaseURL      = "database_url"
	BrokerURL        = "broker_url"
	ResultBackend    = "result_backend"
	Queues           = "queues"
	KeyPrefix        = "key_prefix"
	ResultPrefix     = "result_prefix"
	FanoutPrefix     = "fanout_prefix"
	PlainFanout      = "plain_fanout"
	Separator        = "separator"
	PrioritySteps    = "priority_steps"
	MasterName       = "master_name"
	MetricsURL       = "metrics_url"
	MetricsToken     = "metrics_token"
	SentinelPassword = "sentinel_password"
	LogDir           = "log_dir"
	LogCommand       = "log_command"
	LokiURL          = "loki_url"
	LokiQuery        = "loki_query"
	LokiTenant       = "loki_tenant"
	LokiToken        = "loki_token"
	PrometheusURL    = "prometheus_url"
	PrometheusMatch  = "prometheus_match"
	PrometheusToken  = "prometheus_token"
	MediaDir         = "media_dir"
	TempDir          = "temp_dir"
	DataDir          = "data_dir"
	Locks            = "locks"
	As               = "as"
	Unsigned         = "unsigned"
	Refresh          = "refresh"
	Journal          = "journal"
	LogFile          = "log_file"
	Playbooks        = "playbooks"
	Theme            = "theme"
	ASCII            = "ascii"
	Mouse            = "mouse"

	RestartCommand = "restart_command"
	RestartTimeout = "restart_timeout"
)

// Settings are all of them, in the order in which they are shown.
func Settings() []Setting {
	def := grading.DefaultThresholds()
	return []Setting{
		{Key: DatabaseURL, Env: []string{"DATABASE_URL"}, Secret: true, Help: "PostgreSQL of the grading system; empty: libpq's PG* variables, PGSERVICE, .pgpass"},
		{Key: BrokerURL, Env: []string{"CELERY_BROKER_URL", "REDIS_URL"}, Secret: true, Help: "Redis that Celery uses as broker", check: oneOfSchemes("redis", "rediss", "unix", "redis+socket", "sentinel")},
		{Key: ResultBackend, Env: []string{"CELERY_RESULT_BACKEND"}, Secret: true, Help: "Redis with the task results; empty: the broker", check: oneOfSchemes("redis", "rediss", "unix", "redis+socket", "sentinel")},
		{Key: Queues, Env: []string{"GRADECOCKPIT_QUEUES"}, Help: "more Celery queues to look at, by comma"},
		{Key: KeyPrefix, Env: []string{"GRADECOCKPIT_KEY_PREFIX"}, Help: "global_keyprefix of the broker"},
		{Key: ResultPrefix, Env: []string{"GRADECOCKPIT_RESULT_PREFIX"}, Help: "prefix of the result keys, as they stand in Redis"},
		{Key: FanoutPrefix, Env: []string{"GRADECOCKPIT_FANOUT_PREFIX"}, Help: "fanout_prefix of the broker; False for none"},
		{Key: PlainFanout, Env: []string{"GRADECOCKPIT_PLAIN_FANOUT"}, Default: "false", Bool: true, Help: "the broker has fanout_patterns=False"},
		{Key: Separator, Env: []string{"GRADECOCKPIT_SEPARATOR"}, Help: "sep between a queue and its priority; empty: Celery's own"},
		{Key: PrioritySteps, Env: []string{"GRADECOCKPIT_PRIORITY_STEPS"}, Help: "priority_steps by comma; empty: 0,3,6,9", check: numbers},
		{Key: MasterName, Env: []string{"GRADECOCKPIT_MASTER_NAME"}, Help: "master_name, for a broker behind sentinel://"},
		{Key: SentinelPassword, Env: []string{"GRADECOCKPIT_SENTINEL_PASSWORD"}, Secret: true, NoFlag: true, Help: "password of the Sentinels themselves"},
		{Key: MetricsURL, Env: []string{"METRICS_URL"}, Help: "the application's /metrics; several by comma", check: oneOfSchemes("http", "https")},
		{Key: MetricsToken, Env: []string{"METRICS_TOKEN"}, Secret: true, NoFlag: true, Help: "sent as X-Metrics-Token"},
		{Key: LogDir, Env: []string{"GRADING_LOG_DIR"}, Help: "folder with django.log and audit.log"},
		{Key: LogCommand, Env: []string{"GRADECOCKPIT_LOG_COMMAND"}, Words: true, Help: "a command whose output is the log, run without a shell: docker compose logs -f --no-color backend", check: aCommand},
		{Key: LokiURL, Env: []string{"LOKI_URL"}, Secret: true, Help: "Loki with the application's logs", check: oneOfSchemes("http", "https")},
		{Key: LokiQuery, Env: []string{"GRADECOCKPIT_LOKI_QUERY"}, Default: `{compose_service=~"backend|celery"}`, Help: "LogQL that selects the application's streams"},
		{Key: LokiTenant, Env: []string{"GRADECOCKPIT_LOKI_TENANT"}, Help: "sent as X-Scope-OrgID"},
		{Key: LokiToken, Env: []string{"LOKI_TOKEN"}, Secret: true, NoFlag: true, Help: "bearer token of Loki"},
		{Key: PrometheusURL, Env: []string{"PROMETHEUS_URL"}, Secret: true, Help: "Prometheus that scrapes the application: the last hour at once", check: oneOfSchemes("http", "https")},
		{Key: PrometheusMatch, Env: []string{"GRADECOCKPIT_PROMETHEUS_MATCH"}, Help: `label matchers that pick the application's series, such as job="backend"`},
		{Key: PrometheusToken, Env: []string{"PROMETHEUS_TOKEN"}, Secret: true, NoFlag: true, Help: "bearer token of Prometheus"},
		{Key: MediaDir, Env: []string{"MEDIA_ROOT"}, Help: "the application's media folder, where it is mounted here"},
		{Key: TempDir, Env: []string{"GRADECOCKPIT_TEMP_DIR"}, Help: "the application's folder for temporary files; empty: the system's"},
		{Key: DataDir, Env: []string{"GRADECOCKPIT_DATA_DIR"}, Help: "PostgreSQL's data folder, where it is mounted here; empty: as the server says, when it is on this machine"},
		{Key: Title, Env: []string{"GRADECOCKPIT_TITLE"}, Help: "name of the environment in the first line, such as PROD"},
		{Key: Colour, Env: []string{"GRADECOCKPIT_COLOUR"}, Help: "colour of the title: red, yellow, green, blue, magenta, cyan", check: oneOf("red", "yellow", "green", "blue", "magenta", "cyan")},
		{Key: ReadOnly, Env: []string{"GRADECOCKPIT_READ_ONLY"}, Default: "false", Bool: true, Help: "nothing is written, whatever is pressed"},
		{Key: As, Env: []string{"GRADECOCKPIT_AS"}, Help: "who acts: an auth_user.username; empty: SUDO_USER, then USER"},
		{Key: Unsigned, Env: []string{"GRADECOCKPIT_UNSIGNED"}, Default: "false", Bool: true, Help: "act even if no auth_user can sign: the audit trail gets a gap"},
		{Key: Locks, Env: []string{"GRADECOCKPIT_LOCKS"}, Default: "auto", Help: "whether the application uses locks: auto, on, off", check: oneOf("auto", "on", "off")},
		{Key: Refresh, Env: []string{"GRADECOCKPIT_REFRESH"}, Default: "2s", Help: "time between two looks: 1s, 2s, 5s, 10s, 30s or 1m", check: oneOf("1s", "2s", "5s", "10s", "30s", "1m")},
		{Key: Journal, Env: []string{"GRADECOCKPIT_JOURNAL"}, Help: "file that keeps every action; empty: journal.jsonl in the state folder"},
		{Key: LogFile, Env: []string{"GRADECOCKPIT_LOG_FILE"}, Help: "file for the cockpit's own log; empty: gradecockpit.log in the state folder"},
		{Key: Playbooks, Env: []string{"GRADECOCKPIT_PLAYBOOKS"}, Help: "folder with own playbooks (*.yaml); empty: playbooks beside the configuration file"},
		{Key: Theme, Env: []string{"GRADECOCKPIT_THEME"}, Default: "dark", Help: "dark, light, or 16 (the terminal's own colours)", check: oneOf("dark", "light", "16")},
		{Key: ASCII, Env: []string{"GRADECOCKPIT_ASCII"}, Default: "false", Bool: true, Help: "only ASCII signs and frames"},
		{Key: Mouse, Env: []string{"GRADECOCKPIT_MOUSE"}, Default: "false", Bool: true, Help: "take the mouse (the terminal loses its own selection)"},
		{Key: RestartCommand, Env: []string{"GRADECOCKPIT_RESTART_COMMAND"}, Words: true, Help: "the supervisor's command that restarts the workers, run without a shell: docker compose restart celery", check: aCommand},
		{Key: RestartTimeout, Env: []string{"GRADECOCKPIT_RESTART_TIMEOUT"}, Default: "60s", Help: "how long that command may take", check: aDuration},
		threshold("import", def.Import, "STAGING without pages for longer is stuck"),
		threshold("in_progress", def.InProgress, "GRADING_IN_PROGRESS for longer is stuck"),
		threshold("locked", def.Locked, "LOCKED without a usable lock for longer is stuck"),
		threshold("lock_ttl", def.LockTTL, "time a lock lives without a heartbeat (600 s; 1800 s from 2026-02-20)"),
		limit("stuck_warning", "1", "check: this many stuck copies are a warning"),
		limit("stuck_critical", "5", "check: this many are critical"),
		limit("expired_warning", "1", "check: this many expired locks are a warning"),
		limit("waiting_warning", "25", "check: this many waiting tasks are a warning"),
		limit("waiting_critical", "50", "check: this many are critical"),
		limit("disk_warning", "80", "host: this many percent of a volume in use are a warning"),
		limit("disk_critical", "90", "host: this many are critical (the playbook's rule)"),
		threshold("p95_warning", 5*time.Second, "check: a slower P95 over all requests is a warning"),
	}
}

func threshold(name string, d time.Duration, help string) Setting {
	return Setting{Key: "thresholds." + name, Env: []string{"GRADECOCKPIT_" + strings.ToUpper(name)},
		Default: short(d), Help: help, check: aDuration}
}

func aDuration(s string) error {
	if v, err := time.ParseDuration(s); err != nil || v <= 0 {
		return fmt.Errorf("%q is not a duration such as 90s, 10m or 1h", s)
	}
	return nil
}

func limit(name, def, help string) Setting {
	return Setting{Key: "thresholds." + name, Env: []string{"GRADECOCKPIT_" + strings.ToUpper(name)},
		Default: def, Help: help, check: func(s string) error {
			if v, err := strconv.Atoi(s); err != nil || v <= 0 {
				return fmt.Errorf("%q is not a number above 0", s)
			}
			return nil
		}}
}

// short writes a duration without its empty parts: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func oneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q is not one of %s", s, strings.Join(words, ", "))
		}
		return nil
	}
}

// numbers checks a list of whole numbers.
func numbers(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(part)); err != nil || n < 0 {
			return fmt.Errorf("%q is not a list of whole numbers such as 0,3,6,9", s)
		}
	}
	return nil
}

// oneOfSchemes checks the scheme of a URL without quoting the URL, which may
// hold a password.
func oneOfSchemes(schemes ...string) func(string) error {
	return func(s string) error {
		for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' }) {
			scheme, _, ok := strings.Cut(strings.TrimSpace(part), "://")
			if !ok || !slices.Contains(schemes, scheme) {
				return fmt.Errorf("not a URL that begins with %s://", strings.Join(schemes, ":// or "))
			}
		}
		return nil
	}
}

// validate checks a value against its setting.
func (s Setting) validate(v string) error {
	if v == "" {
		return nil
	}
	if s.Bool {
		if _, err := strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
	}
	if s.check != nil {
		return s.check(v)
	}
	return nil
}
