package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load runs Load over a file's text and an environment of the test's own.
func load(t *testing.T, yaml string, s Sources, env map[string]string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if yaml != "" {
		s.File = filepath.Join(dir, "config.yaml")
		write(t, s.File, yaml)
	}
	s.Getenv = func(n string) (string, bool) {
		if n == "HOME" {
			return dir, true
		}
		v, ok := env[n]
		return v, ok
	}
	return Load(s)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const twoEnvironments = `
default: test
log_dir: /everywhere
environments:
  prod:
    title: PROD
    colour: red
    read_only: true
    database_url: postgresql://app:s3cret@db1/viatique
    thresholds:
      import: 15m
      stuck_critical: 3
  test:
    title: Test
keys:
  force-unlock: [U, F2]
`

func TestPrecedence(t *testing.T) {
	envFile := filepath.Join(t.TempDir(), ".env")
	write(t, envFile, "# Django\nexport DATABASE_URL='postgresql://from-env-file/x' # comment\nDB_HOST=ignored\n")
	cases := []struct {
		name   string
		s      Sources
		env    map[string]string
		want   string
		origin string
	}{
		{"default", Sources{}, nil, "", "default"},
		{"file", Sources{Environment: "prod"}, nil, "postgresql://app:s3cret@db1/viatique", "config.yaml:9 (prod)"},
		{"environment over file", Sources{Environment: "prod"}, map[string]string{"DATABASE_URL": "postgresql://e/x"}, "postgresql://e/x", "DATABASE_URL"},
		{"libpq's variables over file", Sources{Environment: "prod"}, map[string]string{"PGHOST": "h", "PGDATABASE": "it's"}, `host='h' dbname='it\'s'`, "PG* or DB_* in the environment"},
		{"a user alone is no place", Sources{}, map[string]string{"PGUSER": "me"}, "", "default"},
		{"env file over environment", Sources{EnvFile: envFile}, map[string]string{"DATABASE_URL": "postgresql://e/x"}, "postgresql://from-env-file/x", envFile + ":2"},
		{"flag over all", Sources{EnvFile: envFile, Flags: map[string]string{DatabaseURL: "postgresql://flag/x"}}, map[string]string{"DATABASE_URL": "y"}, "postgresql://flag/x", "--database-url"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, twoEnvironments, c.s, c.env)
			if err != nil {
				t.Fatal(err)
			}
			v := got.values[DatabaseURL]
			if v.Text != c.want || v.Origin != c.origin {
				t.Errorf("got %q from %q, want %q from %q", v.Text, v.Origin, c.want, c.origin)
			}
		})
	}
}

func TestNamedEnvironment(t *testing.T) {
	c, err := load(t, twoEnvironments, Sources{Environment: "prod"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Bool(ReadOnly) || c.Text(Title) != "PROD" || c.Thresholds().Import.Minutes() != 15 || c.Int("thresholds.stuck_critical") != 3 {
		t.Errorf("prod is not as written: %+v", c.values)
	}
	if got := c.Text(LogDir); got != "/everywhere" {
		t.Errorf("a setting outside the environments must count for all: %q", got)
	}
	if diff := cmp.Diff(map[string][]string{"force-unlock": {"U", "F2"}}, c.Keys); diff != "" {
		t.Error(diff)
	}
	if c, err = load(t, twoEnvironments, Sources{}, nil); err != nil || c.Environment != "test" {
		t.Errorf("the default environment: %v %v", c, err)
	}
}

func TestSettingsProdOfTheDeployedApplication(t *testing.T) {
	envFile := filepath.Join(t.TempDir(), ".env")
	write(t, envFile, "DB_NAME=grading\nDB_USER=app\nDB_PASSWORD=\"p'w\"\nDB_HOST=db\nDB_PORT=5432\nCELERY_BROKER_URL=redis://redis:6379/0\n")
	c, err := load(t, "", Sources{EnvFile: envFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Text(DatabaseURL), `host='db' port='5432' dbname='grading' user='app' password='p\'w'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := c.values[DatabaseURL].Masked(); strings.Contains(got, "p'w") || strings.Contains(got, `p\'w`) {
		t.Errorf("the password shows: %s", got)
	}
}

func TestMistakesAreOneClearSentence(t *testing.T) {
	cases := []struct{ name, yaml, want string }{
		{"typo", "databse_url: x\n", `config.yaml:1: unknown key "databse_url"; did you mean "database_url"?`},
		{"typo in an environment", "environments:\n  prod:\n    colur: red\n", `config.yaml:3: unknown key "colur"; did you mean "colour"?`},
		{"typo in a group", "thresholds:\n  imprt: 3m\n", `config.yaml:2: unknown key "thresholds.imprt"; did you mean "thresholds.import"?`},
		{"nothing near", "zzzzzzzz: 1\n", "unknown key \"zzzzzzzz\"; `gradecockpit config show` lists the known ones"},
		{"value", "locks: maybe\n", `config.yaml:1: locks: "maybe" is not one of auto, on, off`},
		{"duration", "thresholds:\n  import: soon\n", `config.yaml:2: thresholds.import: "soon" is not a duration`},
		{"bool", "read_only: perhaps\n", `"perhaps" is neither true nor false`},
		{"not YAML", "a: [\n", "is not YAML"},
		{"no mapping", "- a\n- b\n", "a mapping (key: value) is expected here"},
		{"no such environment", "default: nowhere\nenvironments:\n  prod: {}\n", `no environment "nowhere"`},
		{"secret", "broker_url: postgres://:hunter2@x\n", "broker_url: not a URL that begins with redis:// or"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.yaml, Sources{}, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want …%s…", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("several lines or a secret: %q", err)
			}
		})
	}
}

func TestMissingFiles(t *testing.T) {
	if _, err := load(t, "", Sources{}, nil); err != nil {
		t.Errorf("no file at all is fine: %v", err)
	}
	if _, err := load(t, "", Sources{File: "/nowhere/c.yaml"}, nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file asked for by name must be there: %v", err)
	}
	if _, err := load(t, "", Sources{EnvFile: "/nowhere/.env"}, nil); err == nil {
		t.Error("an env file must be there")
	}
}

func TestEnvFileNeverQuotesItsLines(t *testing.T) {
	envFile := filepath.Join(t.TempDir(), ".env")
	write(t, envFile, "A=1\nhunter2 is secret\n")
	_, err := load(t, "", Sources{EnvFile: envFile}, nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), ".env:2") {
		t.Errorf("got %v", err)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"postgresql://app:s3cret@db1/viatique":       "postgresql://app:••••@db1/viatique",
		"postgresql://app:p@ss/w?rd#x@db1/viatique":  "postgresql://app:••••@db1/viatique",
		"redis://:s3cret@redis:6379/0":               "redis://:••••@redis:6379/0",
		"redis://redis:6379/0":                       "redis://redis:6379/0",
		"postgresql://db/x?user=a&password=s3cret&b": "postgresql://db/x?user=a&password=••••&b",
		"host=db password='s3 cret' user=x":          "host=db password=•••• user=x",
		"s3cret":                                     "••••",
	} {
		if got := (Value{Setting: Setting{Secret: true}, Text: in}).Masked(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestHiddenValuesAreNamed(t *testing.T) {
	c, err := load(t, twoEnvironments, Sources{Environment: "prod"}, map[string]string{"DATABASE_URL": "postgresql://other/x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"config.yaml:9 (prod)"}, c.values[DatabaseURL].Hidden); diff != "" {
		t.Error(diff)
	}
}

func TestEverySettingIsComplete(t *testing.T) {
	flags, keys := map[string]bool{}, map[string]bool{}
	for _, s := range Settings() {
		if s.Help == "" || len(s.Env) == 0 {
			t.Errorf("%s has no help or no variable", s.Key)
		}
		if err := s.validate(s.Default); err != nil {
			t.Errorf("the default of %s: %v", s.Key, err)
		}
		if flags[s.Flag()] || keys[s.Key] {
			t.Errorf("%s is there twice", s.Key)
		}
		flags[s.Flag()], keys[s.Key] = true, true
	}
}
