package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestACommandIsTakenApartWithoutAShell(t *testing.T) {
	for text, want := range map[string][]string{
		"systemctl restart celery":        {"systemctl", "restart", "celery"},
		"  a\t b ":                        {"a", "b"},
		`docker compose -f "my file" up`:  {"docker", "compose", "-f", "my file", "up"},
		`a 'it''s' b\ c ''`:               {"a", "its", "b c", ""},
		`$HOME; rm -rf * | cat > $(date)`: {"$HOME;", "rm", "-rf", "*", "|", "cat", ">", "$(date)"},
	} {
		got, err := split(text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, d)
		}
		if again, err := split(join(want)); cmp.Diff(want, again) != "" || err != nil {
			t.Errorf("%q: joined and split it is %q, %v", text, again, err)
		}
	}
	for _, text := range []string{`a "b`, `a 'b`, `a \`, "''"} {
		if aCommand(text) == nil {
			t.Errorf("%q passes", text)
		}
	}
}

func TestTheRestartCommandIsALineOrAList(t *testing.T) {
	for _, yaml := range []string{
		"restart_command: [docker, compose, -f, 'my file.yml', restart, celery]\n",
		"restart_command: docker compose -f 'my file.yml' restart celery\n",
		"restart_command:\n  - docker\n  - compose\n  - -f\n  - my file.yml\n  - restart\n  - celery\n",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Sources{File: path, Getenv: func(string) (string, bool) { return "", false }})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"docker", "compose", "-f", "my file.yml", "restart", "celery"}, c.Words(RestartCommand)); d != "" {
			t.Error(d)
		}
	}
}
