package cli

import (
	"encoding/json"
	stdflag "flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/places"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/tui/keys"
)

var update = stdflag.Bool("update", false, "write the README's generated tables anew")

const readmePath = "../../../../README.md"

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(readmePath))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestREADMETables: what the README says of keys and settings is what is true.
func TestREADMETables(t *testing.T) {
	text := readme(t)
	acl := "```\nuser gradecockpit_reader on >secret " + celery.ReaderACL + "\nuser gradecockpit_operator on >secret " + celery.OperatorACL + "\n```\n"
	for name, table := range map[string]string{"keys": keys.Default().Markdown(), "settings": config.Markdown(), "acl": acl, "places": places.Markdown(), "guides": places.GuideMarkdown(),
		"causes": diagnosis.Markdown(), "facts": playbook.FactsMarkdown()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		i, j := strings.Index(text, begin), strings.Index(text, end)
		if i < 0 || j < i {
			t.Fatalf("the README has no place for %s", name)
		}
		i += len(begin)
		if *update {
			text = text[:i] + table + text[j:]
			continue
		}
		if got := text[i:j]; got != table {
			t.Errorf("the table of %s is not as the code has it; write it anew with -update", name)
		}
	}
	if *update {
		if err := os.WriteFile(readmePath, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// block gives the fenced code block of the README that holds a text.
func block(t *testing.T, holds string) string {
	t.Helper()
	for _, b := range regexp.MustCompile("(?s)```[a-z]*\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		if strings.Contains(b[1], holds) {
			return b[1]
		}
	}
	t.Fatalf("the README has no block with %q", holds)
	return ""
}

// findings runs doctor and gives its findings by part and name.
func findings(t *testing.T, env map[string]string) map[string]finding {
	t.Helper()
	got := run(t, env, "doctor", "-o", "json")
	var all []finding
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	by := map[string]finding{}
	for _, f := range all {
		by[f.Part+" "+f.Name] = f
	}
	return by
}

// TestREADMERoles: the roles of the README are enough for what it says, and not
// for more.
func TestREADMERoles(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.AddUser("mdupont")
	sql := strings.ReplaceAll(block(t, "CREATE ROLE"), "gradecockpit_", db.Name+"_")
	db.Exec(sql)
	redis := labtest.Redis(t, lab.RedisOptions{TCP: true, ACL: strings.Split(strings.TrimSpace(block(t, "user gradecockpit_reader")), "\n")})
	for _, role := range []string{"reader", "operator"} {
		t.Run(role, func(t *testing.T) {
			by := findings(t, map[string]string{
				"DATABASE_URL":      db.Server.DSN(db.Name, db.Name+"_"+role),
				"CELERY_BROKER_URL": strings.Replace(redis.URL(), "redis://", "redis://gradecockpit_"+role+":secret@", 1),
				"GRADECOCKPIT_AS":   "mdupont",
			})
			for _, name := range []string{"source postgres", "source redis", "pane tasks", "pane locks", "pane stuck", "pane queue", "pane timeline", "operator mdupont"} {
				if f := by[name]; !f.OK {
					t.Errorf("%s: %s %s", name, f.Says, f.Fix)
				}
			}
			for _, action := range []string{"force-unlock", "clear-expired", "release-locked", "retry"} {
				if f := by["action "+action]; f.OK != (role == "operator") {
					t.Errorf("%s may %s: %v: %s", role, action, f.OK, f.Says)
				} else if !f.OK && !strings.Contains(f.Says, "GRANT ") {
					t.Errorf("%s is not told the GRANT for %s: %s", role, action, f.Says)
				}
			}
		})
	}
}
