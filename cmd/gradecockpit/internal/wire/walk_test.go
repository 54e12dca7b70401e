package wire

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// cockpit is one over an environment; it is closed with the test.
func cockpit(t *testing.T, env map[string]string) *Cockpit {
	t.Helper()
	home := t.TempDir()
	cfg, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) {
		if v, ok := env[name]; ok {
			return v, ok
		}
		return home, name == "HOME"
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

func TestSQLOfAStep(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			db := labtest.Postgres(t, dialect)
			evil := "Z'); DROP TABLE exams_copy; --"
			id := db.AddCopy(lab.CopyRow{Anon: evil, Status: "LOCKED"})
			c := cockpit(t, map[string]string{"DATABASE_URL": db.DSN()})
			ask := func(sql string, args ...any) (playbook.Table, error) {
				return c.Sources().SQL(labtest.Context(t), sql, args)
			}

			got, err := ask("SELECT c.anonymous_id, status, $2 AS status, NULL, ARRAY[1,2], now() > '2020-01-01' FROM exams_copy c WHERE anonymous_id = $1 ORDER BY 1;", evil, evil)
			if err != nil || len(got.Rows) != 1 || !slices.Equal(got.Rows[0], []string{evil, "LOCKED", evil, "", "{1,2}", "true"}) {
				t.Errorf("%v %+v", err, got)
			}
			if got, err = ask("SELECT status FROM exams_copy WHERE id = $1", id); err != nil || got.Rows[0][0] != "LOCKED" {
				t.Errorf("an id by its own type: %v %+v", err, got)
			}
			if got, err = ask("SELECT i, repeat('x', 100000) || E'\\e[31m' FROM generate_series(1, 100000) i"); err != nil || len(got.Rows) != seenRows || got.More == 0 || len(got.Rows[0][1]) > 4*cellMost {
				t.Errorf("many rows: %v %d %d", err, len(got.Rows), got.More)
			}
			if got, err = ask("WITH l AS (TABLE pg_locks) SELECT count(*) > 0 FROM l -- and no more"); err != nil || got.Rows[0][0] != "true" {
				t.Errorf("%v %+v", err, got)
			}
			for sql, why := range map[string]string{
				"DELETE FROM exams_copy":                     "writes",
				"SELECT 1; DELETE FROM exams_copy":           "more than one statement",
				"SELECT 1) AS x; DELETE FROM exams_copy; --": "",
				"COMMIT":                                                 "",
				"SELECT pg_terminate_backend(1)":                         "pg_terminate_backend",
				"SELECT pg_advisory_lock(1)":                             "pg_advisory_lock",
				"SELECT set_config('role', 'postgres', false)":           "set_config",
				"SELECT pg_read_file('/etc/passwd')":                     "pg_read_file",
				"SELECT * FROM exams_copy FOR UPDATE":                    "",
				"WITH x AS (DELETE FROM exams_copy RETURNING 1) TABLE x": "writes",
				"SELECT $1 = 'x'":                                        "1 parameter",
				"SELECT":                                                 "0 columns",
				"SELECT nothing FROM exams_copy":                         "nothing",
			} {
				got, err := ask(sql)
				var e *probes.Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), why) || got.Rows != nil {
					t.Errorf("%s: %v %+v", sql, err, got)
				}
			}
			if n := labtest.Get[int](db, "SELECT count(*)::int FROM exams_copy"); n == 0 {
				t.Error("the copies are gone")
			}
			everyBook(t, c, grading.Dialect(dialect))
		})
	}
}

// everyBook asks what the built-in playbooks ask: none of it is refused.
func everyBook(t *testing.T, c *Cockpit, dialect grading.Dialect) {
	t.Helper()
	place := playbook.Place{Dialect: dialect}
	for _, b := range playbook.Books() {
		for _, s := range b.Steps {
			if s.Look.SQL == (playbook.BySchema{}) {
				continue
			}
			r := playbook.Run(labtest.Context(t), s, place, c.Sources(), diagnosis.Input{}, diagnosis.Report{}, time.Now)
			if r.Err != nil {
				t.Errorf("%s, %s: %v", b.Name, s.ID, r.Err)
			}
		}
	}
}

func TestWithoutSourcesEveryLookSaysWhatToSet(t *testing.T) {
	c := cockpit(t, nil)
	set := c.Hub.SampleAll(labtest.Context(t))
	src, ctx := c.Sources(), labtest.Context(t)
	for name, look := range map[string]func() (playbook.Table, error){
		"DATABASE_URL":    func() (playbook.Table, error) { return src.SQL(ctx, "SELECT 1", nil) },
		"GRADING_LOG_DIR": func() (playbook.Table, error) { return src.Logs(ctx, "x") },
		"PGHOST":          func() (playbook.Table, error) { return src.Pane(ctx, set, "locks", "") },
		"DATABASE_URL,":   func() (playbook.Table, error) { return src.Page(ctx, set, "events", "") },
		"no pane":         func() (playbook.Table, error) { return src.Pane(ctx, set, "nothing", "") },
		"no page":         func() (playbook.Table, error) { return src.Page(ctx, set, "", "") },
	} {
		if got, err := look(); err == nil || !strings.Contains(err.Error(), name) || got.Rows != nil {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
	place, err := c.Place(ctx, set, "")
	if err != nil || place.Dialect != grading.Deployed || place.Failed != 0 {
		t.Errorf("%v %+v", err, place)
	}
	if _, err := c.Place(ctx, set, "A3F2-0001"); err == nil {
		t.Error("a copy is found in no database")
	}
}

// What nobody has looked at yet has no rows, and that is not "nothing is wrong".
func TestALookBeforeTheFirstAnswerKnowsNothing(t *testing.T) {
	c := cockpit(t, nil)
	src, ctx, set := c.Sources(), labtest.Context(t), c.Hub.Latest()
	for name, look := range map[string]func() (playbook.Table, error){
		"pane": func() (playbook.Table, error) { return src.Pane(ctx, set, "locks", "") },
		"page": func() (playbook.Table, error) { return src.Page(ctx, set, "events", "") },
	} {
		if got, err := look(); err == nil || !strings.Contains(err.Error(), "has not been looked at yet") {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

// A page goes on without what it only adds, as on the screen: events are counted
// where no logs are read.
func TestAPageNeedsOnlyItsMainSource(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			db := labtest.Postgres(t, dialect)
			c := cockpit(t, map[string]string{"DATABASE_URL": db.DSN()})
			set := c.Hub.SampleAll(labtest.Context(t))
			if _, err := c.Sources().Page(labtest.Context(t), set, "events", ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCommandOfAStep(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgresql://u:hunter2@db/x")
	src := cockpit(t, nil).Sources()
	for _, c := range []struct {
		limit time.Duration // counted from its own start; 0 none
		argv  []string
		lines []string
		fails string
	}{
		{0, []string{"echo", "$(id); x", "a\x1b[31mb"}, []string{`$(id); x a\x1b[31mb`}, ""},
		{0, []string{"sh", "-c", "env | grep -c hunter2; exit 3"}, []string{"0"}, ""},
		{0, []string{"sh", "-c", "echo half; echo no such thing >&2; exit 2"}, []string{"half"}, "exit status 2: no such thing"},
		{0, []string{"no-such-program"}, nil, "not on PATH"},
		{2 * time.Second, []string{"sleep", "60"}, nil, "time limit"},
	} {
		ctx := labtest.Context(t)
		if c.limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.limit)
			defer cancel()
		}
		got, err := src.Command(ctx, c.argv)
		if !slices.Equal(got.Lines, c.lines) || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%q: %v %+v", c.argv, err, got)
		}
	}
	got, err := src.Command(labtest.Context(t), []string{"sh", "-c", "i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done"})
	if err != nil || len(got.Lines) != 200 || got.More != 800 {
		t.Errorf("%v %d lines and %d", err, len(got.Lines), got.More)
	}
}

// The names that texts are filled in with hold no secret.
func TestPlaceHoldsNoSecret(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state", "journal.jsonl")
	c := cockpit(t, map[string]string{
		"DATABASE_URL": "postgresql://user:hunter2@db1:5433/viatique", "CELERY_BROKER_URL": "redis://:hunter2@redis:6379/3",
		"METRICS_URL": "http://u:hunter2@app:8000/metrics?token=hunter2,http://other/metrics", "GRADING_LOG_DIR": "/var/log/\x1b[31mgrading", "GRADECOCKPIT_JOURNAL": state,
	})
	j := journal.Lazy(state)
	for _, r := range []actions.Record{
		{Kind: actions.Outcome, Verdict: actions.NotFixed, At: time.Now(), Env: c.env()},
		{Kind: actions.Outcome, Verdict: actions.Failed, At: time.Now(), Env: c.env()},
		{Kind: actions.Outcome, Verdict: actions.Fixed, At: time.Now(), Env: c.env()},
		{Kind: actions.Outcome, Verdict: actions.NotFixed, At: time.Now().Add(-2 * time.Hour), Env: c.env()},
		{Kind: actions.Outcome, Verdict: actions.NotFixed, At: time.Now(), Env: "elsewhere"},
	} {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	p, err := c.Place(labtest.Context(t), probes.NewSet(), "")
	if err != nil || p.Failed != 2 {
		t.Errorf("%v %+v", err, p)
	}
	want := map[string]string{"database": "viatique", "database_host": "db1:5433", "broker_db": "3", "metrics_url": "http://app:8000/metrics", "log_dir": `/var/log/\x1b[31mgrading`, "queue": "celery"}
	for k, v := range p.Names {
		if v != want[k] {
			t.Errorf("%s: %q, want %q", k, v, want[k])
		}
	}
	if len(p.Names) != len(want) {
		t.Errorf("%v", p.Names)
	}
}

const ownBook = `name: %s
title: Own
rules:
  - {id: %s, title: Own, when: failed_attempts < 0 || locks > 0, says: It is., severity: P2, confidence: likely}
`

func TestOwnPlaybooks(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	book := func(name, rule string) string {
		return strings.Replace(strings.Replace(ownBook, "%s", name, 1), "%s", rule, 1)
	}
	put("a.yaml", book("mine", "my-cause"), 0o600)
	put("b.yml", book("lock-conflicts", "other-cause"), 0o644)
	put("broken.yaml", "name: broken\ntitle: Broken\nsteps:\n  - {id: x, title: X, why: Y., look: {pane: lokcs}}\n", 0o600)
	put("c-twice.yaml", book("mine", "third-cause"), 0o600)
	put("d-cause.yaml", book("fourth", "my-cause"), 0o600)
	put("open.yaml", book("open", "open-cause"), 0o666)
	put("group.yaml", book("group", "group-cause"), 0o664)
	put("notes.txt", "no playbook", 0o666)
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := cockpit(t, map[string]string{"GRADECOCKPIT_PLAYBOOKS": dir})
	var names []string
	for _, b := range c.Books() {
		names = append(names, b.Name+" from "+filepath.Base(b.Origin))
	}
	want := "import-stuck from built in: import-stuck, finalization-failing from built in: finalization-failing, lock-conflicts from b.yml, " +
		"high-latency from built in: high-latency, missing-audit-events from built in: missing-audit-events, mine from a.yaml"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("%s", got)
	}
	for _, says := range []string{
		`broken.yaml:4:45: there is no pane "lokcs"`, `c-twice.yaml: there is another playbook "mine" in the folder`, `d-cause.yaml: another playbook has a cause "my-cause"`,
		"open.yaml: others can write it (mode 0666)", "group.yaml: others can write it (mode 0664)", "folder.yaml: ",
	} {
		if !slices.ContainsFunc(c.BookProblems(), func(p playbook.Problem) bool { return strings.Contains(p.String(), says) }) {
			t.Errorf("%q is not said: %v", says, c.BookProblems())
		}
	}
	if n := len(c.BookProblems()); n != 6 {
		t.Errorf("%d problems: %v", n, c.BookProblems())
	}
	o := grading.Overview{}
	o.Locks.Value.Total = 1
	set := probes.NewSet(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, Payload: o})
	if _, ok := c.Judge(set, time.Now()).Find("my-cause"); !ok {
		t.Error("an own cause is not judged")
	}
}

func TestAFolderThatOthersCanWriteIsNotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(strings.ReplaceAll(ownBook, "%s", "mine")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	c := cockpit(t, map[string]string{"GRADECOCKPIT_PLAYBOOKS": dir})
	if len(c.Books()) != 5 || len(c.BookProblems()) != 1 {
		t.Errorf("%d playbooks, %v", len(c.Books()), c.BookProblems())
	}
	missing := cockpit(t, map[string]string{"GRADECOCKPIT_PLAYBOOKS": dir + "/nowhere"})
	if len(missing.Books()) != 5 || len(missing.BookProblems()) != 1 {
		t.Errorf("a folder that was named and is not there: %v", missing.BookProblems())
	}
	if none := cockpit(t, nil); len(none.Books()) != 5 || none.BookProblems() != nil {
		t.Errorf("without a folder: %v", none.BookProblems())
	}
}

// The rules of the built-in playbooks are those of package diagnosis: judging
// need not read them.
func TestBuiltInPlaybooksHaveNoCausesOfTheirOwn(t *testing.T) {
	for _, b := range playbook.Books() {
		if len(b.Rules) > 0 {
			t.Errorf("%s has causes of its own, which nobody judges", b.Name)
		}
	}
}
