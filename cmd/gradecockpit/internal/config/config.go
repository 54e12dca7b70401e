package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes/grading"
)

// Value is what a setting came to be and from where.
type Value struct {
	Setting Setting
	Text    string
	Origin  string // "flag", "DATABASE_URL", "config.yaml:12 (prod)", "default"
	// Hidden lists further places that give another value and lost, nearest
	// first: the one that surprises people at night.
	Hidden []string
}

// Config is the whole configuration.
type Config struct {
	Environment string // the named environment in force; "" none
	Path        string // the file
	Keys        map[string][]string
	values      map[string]Value
	order       []string
}

// Sources is where Load looks. The zero Getenv is os.LookupEnv.
type Sources struct {
	File        string // --config; "" is the default place
	Environment string // --env
	EnvFile     string // --env-file
	Flags       map[string]string
	Getenv      func(string) (string, bool)
}

// Load puts the configuration together. Every error is an *Error.
func Load(s Sources) (*Config, error) {
	if s.Getenv == nil {
		s.Getenv = os.LookupEnv
	}
	path, asked := s.File, s.File != ""
	if !asked {
		path = filepath.Join(dir(s.Getenv, "XDG_CONFIG_HOME", ".config"), "config.yaml")
	}
	f, err := readFile(path, asked)
	if err != nil {
		return nil, err
	}
	named, err := f.pick(s.Environment)
	if err != nil {
		return nil, err
	}
	var env map[string]entry
	if s.EnvFile != "" {
		if env, err = readEnvFile(s.EnvFile); err != nil {
			return nil, err
		}
	}
	c := &Config{Environment: named, Path: path, Keys: f.keys, values: map[string]Value{}}
	for _, set := range Settings() {
		v, err := resolve(set, s, env, f, named)
		if err != nil {
			return nil, err
		}
		c.values[set.Key] = v
		c.order = append(c.order, set.Key)
	}
	return c, nil
}

// pick chooses the named environment.
func (f *file) pick(name string) (string, error) {
	where := "--env"
	if name == "" {
		name, where = f.def, f.path
	}
	if name == "" {
		return "", nil
	}
	if _, ok := f.envs[name]; !ok {
		var known []string
		for k := range f.envs {
			known = append(known, k)
		}
		slices.Sort(known)
		return "", &Error{where, "no environment " + strconv.Quote(name) + " in " + f.path + "; it has: " + strings.Join(known, ", ")}
	}
	return name, nil
}

// candidate is a value that one of the sources offers.
type candidate struct{ text, origin string }

// resolve asks the sources in order of precedence.
func resolve(set Setting, s Sources, env map[string]entry, f *file, named string) (Value, error) {
	var found []candidate
	add := func(text, origin string) { found = append(found, candidate{text, origin}) }
	if v, ok := s.Flags[set.Key]; ok {
		add(v, "--"+set.Flag())
	}
	// A file named on the command line is more deliberate than what the shell
	// happens to export, so it goes first.
	for _, name := range set.Env {
		if e, ok := env[name]; ok {
			add(e.value, s.EnvFile+":"+strconv.Itoa(e.line))
		}
	}
	if set.Key == DatabaseURL {
		if dsn := connString(func(n string) (string, bool) { e, ok := env[n]; return e.value, ok }); dsn != "" {
			add(dsn, s.EnvFile+" (DB_* or PG*)")
		}
	}
	for _, name := range set.Env {
		if v, ok := s.Getenv(name); ok && v != "" {
			add(v, name)
		}
	}
	if set.Key == DatabaseURL {
		if dsn := connString(s.Getenv); dsn != "" {
			add(dsn, "PG* or DB_* in the environment")
		}
	}
	if e, ok := f.envs[named][set.Key]; ok {
		add(e.value, filepath.Base(f.path)+":"+strconv.Itoa(e.line)+" ("+named+")")
	}
	if e, ok := f.top[set.Key]; ok {
		add(e.value, filepath.Base(f.path)+":"+strconv.Itoa(e.line))
	}
	add(set.Default, "default")

	v := Value{Setting: set, Text: found[0].text, Origin: found[0].origin}
	if err := set.validate(v.Text); err != nil {
		return v, &Error{v.Origin, err.Error()}
	}
	for _, c := range found[1:] {
		if c.text != v.Text && c.origin != "default" {
			v.Hidden = append(v.Hidden, c.origin)
		}
	}
	return v, nil
}

// Values lists all settings in order.
func (c *Config) Values() []Value {
	out := make([]Value, len(c.order))
	for i, k := range c.order {
		out[i] = c.values[k]
	}
	return out
}

// Text gives a setting as text.
func (c *Config) Text(key string) string { return c.values[key].Text }

// Bool gives a setting as a truth value.
func (c *Config) Bool(key string) bool {
	b, _ := strconv.ParseBool(c.Text(key)) // checked by validate
	return b
}

// Duration gives a setting as a duration.
func (c *Config) Duration(key string) time.Duration {
	d, _ := time.ParseDuration(c.Text(key)) // checked by validate
	return d
}

// Int gives a setting as a number.
func (c *Config) Int(key string) int {
	n, _ := strconv.Atoi(c.Text(key)) // checked by validate
	return n
}

// List gives a setting that holds several values by comma.
func (c *Config) List(key string) []string {
	var out []string
	for part := range strings.SplitSeq(c.Text(key), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Ints gives a setting that holds several numbers by comma; nil when empty.
func (c *Config) Ints(key string) []int {
	var out []int
	for _, s := range c.List(key) {
		n, _ := strconv.Atoi(s) // checked by validate
		out = append(out, n)
	}
	return out
}

// Thresholds are those for stuck copies.
func (c *Config) Thresholds() grading.Thresholds {
	return grading.Thresholds{
		Import:     c.Duration("thresholds.import"),
		InProgress: c.Duration("thresholds.in_progress"),
		Locked:     c.Duration("thresholds.locked"),
		LockTTL:    c.Duration("thresholds.lock_ttl"),
	}
}

// Operator is who acts: --as, the environment or the file, else SUDO_USER,
// else USER.
func (c *Config) Operator() string {
	for _, name := range []string{c.Text(As), os.Getenv("SUDO_USER"), os.Getenv("USER"), os.Getenv("LOGNAME")} {
		if name != "" {
			return name
		}
	}
	return ""
}

// StateDir is where the journal and the cockpit's log live.
func StateDir() string { return dir(os.LookupEnv, "XDG_STATE_HOME", ".local/state") }

// CacheDir is where fetched servers for the demo live.
func CacheDir() string { return dir(os.LookupEnv, "XDG_CACHE_HOME", ".cache") }

// dir is our folder below an XDG base folder.
func dir(getenv func(string) (string, bool), variable, fallback string) string {
	if base, ok := getenv(variable); ok && filepath.IsAbs(base) {
		return filepath.Join(base, "gradecockpit")
	}
	home, _ := getenv("HOME")
	return filepath.Join(home, fallback, "gradecockpit")
}

// Masked gives a value as it may be shown.
func (v Value) Masked() string {
	if !v.Setting.Secret || v.Text == "" {
		return v.Text
	}
	return mask(v.Text)
}

var (
	// Greedy up to the last @: a password may hold any of / ? # @ unescaped, and
	// hiding a little too much is the cheaper mistake.
	userinfo = regexp.MustCompile(`(://[^:@/]*:).*@`)
	keyword  = regexp.MustCompile(`(?i)((?:pass\w*|sslpassword|token)\s*=\s*)('(?:\\.|[^'])*'|[^&\s]*)`)
	isURL    = regexp.MustCompile(`^[a-z][a-z0-9+]*://`)
)

const dots = "••••"

// mask hides the password of a URL or of key=value pairs, and everything else
// whole: what cannot be taken apart may be all secret.
func mask(s string) string {
	if !isURL.MatchString(s) && !strings.Contains(s, "=") {
		return dots
	}
	s = userinfo.ReplaceAllString(s, "${1}"+dots+"@")
	s = keyword.ReplaceAllString(s, "${1}"+dots)
	return s
}

// Value gives a setting with its origin.
func (c *Config) Value(key string) Value { return c.values[key] }
