package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noEnvironment takes libpq's variables of the machine away.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
}

// target is what a test looks at in a parsed configuration.
type target struct {
	Host     string
	Port     uint16
	Database string
	User     string
	Password string
	TLS      bool
	Params   map[string]string // beside the two that we always set
}

func parsed(t *testing.T, cfg Config) target {
	t.Helper()
	c, err := cfg.defaults(time.Second, time.Second).parse("read")
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	params := map[string]string{}
	for k, v := range c.RuntimeParams {
		if k != "application_name" && k != "client_encoding" {
			params[k] = v
		}
	}
	return target{c.Host, c.Port, c.Database, c.User, c.Password, c.TLSConfig != nil, params}
}

func TestConnectionStrings(t *testing.T) {
	full := target{Host: "db1", Port: 5433, Database: "viatique", User: "u", Password: "p", Params: map[string]string{}}
	with := func(change func(*target)) target {
		w := full
		w.Params = map[string]string{}
		change(&w)
		return w
	}
	tests := []struct {
		name, dsn string
		want      target
	}{
		{"libpq URL", "postgresql://u:p@db1:5433/viatique?sslmode=disable", full},
		{"postgres", "postgres://u:p@db1:5433/viatique?sslmode=disable", full},
		{"django postgis", "postgis://u:p@db1:5433/viatique?sslmode=disable", full},
		{"django pgsql", "pgsql://u:p@db1:5433/viatique?sslmode=disable", full},
		{"driver in the scheme", "postgresql+psycopg2://u:p@db1:5433/viatique?sslmode=disable", full},
		{"white space around", " postgres://u:p@db1:5433/viatique?sslmode=disable\n", full},
		{"key=value", "host=db1 port=5433 dbname=viatique user=u password=p sslmode=disable", full},
		{"key=value with a URL inside", "host=db1 port=5433 dbname=viatique user=u password='a://b' sslmode=disable", with(func(w *target) { w.Password = "a://b" })},
		{"Django's own options", "postgres://u:p@db1:5433/viatique?conn_max_age=600&conn_health_checks=true&sslmode=disable", full},
		{"ssl_require", "postgres://u:p@db1:5433/viatique?ssl_require=true", with(func(w *target) { w.TLS = true })},
		{"currentSchema", "postgres://u:p@db1:5433/viatique?sslmode=disable&currentSchema=grading", with(func(w *target) { w.Params["search_path"] = "grading" })},
		{"options", "postgres://u:p@db1:5433/viatique?sslmode=disable&options=-c%20search_path%3Dg", with(func(w *target) { w.Params["options"] = "-c search_path=g" })},
		{"escaped password", "postgres://u:p%40%2F%27%5C@db1:5433/viatique?sslmode=disable", with(func(w *target) { w.Password = `p@/'\` })},
		{"unescaped password", "postgres://u:p[^%%' @x@db1:5433/viatique?sslmode=disable", with(func(w *target) { w.Password = `p[^%%' @x` })},
		{"escaped socket", "postgres://u:p@%2Frun%2Fpg:5433/viatique", with(func(w *target) { w.Host = "/run/pg" })},
		{"socket as an option", "postgres://u:p@/viatique?host=/run/pg&port=5433", with(func(w *target) { w.Host = "/run/pg" })},
		{"IPv6", "postgres://u:p@[::1]:5433/viatique?sslmode=disable", with(func(w *target) { w.Host = "::1" })},
		{"several hosts", "postgres://u:p@db1:5433,db2:5434/viatique?sslmode=disable", full},
		{"no port", "postgres://u:p@db1/viatique?sslmode=disable", with(func(w *target) { w.Port = 5432 })},
		{"no database", "postgres://u:p@db1:5433?sslmode=disable", with(func(w *target) { w.Database = "" })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noEnvironment(t)
			if diff := cmp.Diff(tt.want, parsed(t, Config{ConnString: tt.dsn})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLibpqEnvironment(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PGHOST", "db1")
	t.Setenv("PGPORT", "5433")
	t.Setenv("PGUSER", "u")
	t.Setenv("PGDATABASE", "viatique")
	t.Setenv("PGSSLMODE", "disable")
	t.Setenv("PGOPTIONS", "-c search_path=g")
	t.Setenv("PGPASSFILE", write("pgpass", "db1:5433:*:u:from the file\n"))
	want := target{"db1", 5433, "viatique", "u", "from the file", false, map[string]string{"options": "-c search_path=g"}}
	if diff := cmp.Diff(want, parsed(t, Config{})); diff != "" {
		t.Error(diff)
	}

	t.Run("a connection string is stronger", func(t *testing.T) {
		w := want
		w.Database = "other"
		if diff := cmp.Diff(w, parsed(t, Config{ConnString: "postgres:///other"})); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("PGSERVICE", func(t *testing.T) {
		t.Setenv("PGSERVICEFILE", write("services", "[prod]\nhost=db9\nport=6000\ndbname=served\nuser=s\npassword=q\n"))
		t.Setenv("PGSERVICE", "prod")
		for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGDATABASE"} {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
		w := want
		w.Host, w.Port, w.Database, w.User, w.Password = "db9", 6000, "served", "s", "q"
		if diff := cmp.Diff(w, parsed(t, Config{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestApplicationName(t *testing.T) {
	noEnvironment(t)
	t.Setenv("PGAPPNAME", "somebody else")
	for _, tt := range []struct{ cfg, want string }{
		{"mdupont", "gradecockpit/read/mdupont"},
		{"", "gradecockpit/read"},
		{"émile\x1b", "gradecockpit/read/?mile?"},
		{strings.Repeat("x", 100), "gradecockpit/read/" + strings.Repeat("x", 63-18)},
	} {
		c, err := Config{ConnString: "host=db1", User: tt.cfg}.defaults(1, 1).parse("read")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.RuntimeParams["application_name"]; got != tt.want {
			t.Errorf("user %q: application_name %q, want %q", tt.cfg, got, tt.want)
		}
	}
}

func TestWhere(t *testing.T) {
	noEnvironment(t)
	for dsn, want := range map[string]string{
		"postgres://u:secret@db1/viatique":      "viatique@db1",
		"postgres://u:secret@db1:6432/viatique": "viatique@db1:6432",
		"host=/run/pg port=6432 dbname=v":       "v@/run/pg",
		"postgres://u@db1":                      "u@db1",
		"mysql://u:secret@db1/viatique":         "",
	} {
		if got := (Config{ConnString: dsn}).Where(); got != want {
			t.Errorf("%s: %q, want %q", dsn, got, want)
		}
	}
}

// Whatever is wrong with a connection string, its error quotes no piece of it.
func TestConfigErrorsKeepTheSecret(t *testing.T) {
	noEnvironment(t)
	const secret = "hunter2"
	tests := []struct{ dsn, says string }{
		{"mysql://u:hunter2@db1/x", "scheme"},
		{"postgres://u:hunter2@db1:notaport/x", "port"},
		{"postgres://u:hunter2/x@db1/x", "port"},
		{"postgres://u@db1/x?password=hunter2;;%zz", "key=value"},
		{"host=db1 password='hunter2", "neither a URL"},
		{"host=db1 password=hunter2 garbage", "neither a URL"},
		{"hunter2", "neither a URL"},
		{"host=db1 password=hunter2 sslmode=maybe", "sslmode"},
		{"host=db1 password=hunter2 service=nowhere", "service"},
		{"host=db1 password=hunter2 sslmode=verify-full sslrootcert=/nonexistent/hunter2", "TLS"},
		{"host=db1 password=hunter2 connect_timeout=soon", "connect_timeout"},
		{"host=db1 password=hunter2 target_session_attrs=hunter2", "target_session_attrs"},
		{"postgres://u:hunter2@db1/x?sslmode=hunter2", "sslmode"},
	}
	for _, tt := range tests {
		err := (Config{ConnString: tt.dsn}).Check()
		var cfg *ConfigError
		if !errors.As(err, &cfg) {
			t.Errorf("%s: %v, want a ConfigError", tt.dsn, err)
			continue
		}
		described := Describe("connect", err)
		for _, text := range []string{err.Error(), described.Error()} {
			if strings.Contains(text, secret) || !strings.Contains(text, tt.says) {
				t.Errorf("%s: %q must say %q and not the secret", tt.dsn, text, tt.says)
			}
		}
	}
}

func FuzzConfigErrorsKeepTheSecret(f *testing.F) {
	f.Add("postgres://u:", "@db1/x")
	f.Add("host=db1 password=", " port=x")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2"
		if err := (Config{ConnString: before + secret + after}).Check(); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q tells the secret", err)
		}
	})
}
