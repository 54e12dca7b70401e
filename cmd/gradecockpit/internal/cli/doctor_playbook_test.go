package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/cmd/gradecockpit/internal/reality"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// expected is what becomes of the steps: those that are not named run as they
// are written.
type expected map[reality.Outcome]string

// What the simulated systems come to. Both write the deployed system's logs
// and serve its metrics, so that these steps fare alike.
var (
	alike    = "3.4/3 4.4/1 5.2/4 5.4/4 6.2/1 6.2/2 6.2/5 6.4/1 6.4/5 6.4/6 7.2/2 7.4/3 7.4/4 7.4/5"
	renamed  = "4.2/1 4.2/2 4.2/5 4.4/2 4.4/3 4.4/4 5.2/1 5.2/2 5.4/2 6.4/2 6.4/4 7.2/5"
	ordinary = map[lab.Dialect]expected{
		lab.Deployed: {reality.Rewritten: alike + " " + renamed, reality.Impossible: "3.4/2 4.4/5", reality.Unknown: "3.4/1"},
		lab.Playbook: {reality.Rewritten: alike, reality.Impossible: "4.4/5", reality.Unknown: "3.4/1"},
	}
)

// table gives the outcome of all fifty; changes are further ones, the last
// one wins.
func (e expected) table(changes ...expected) map[string]reality.Outcome {
	out := map[string]reality.Outcome{}
	for _, s := range scenarios {
		for part, n := range map[string]int{".2/": 5, ".4/": s.actions} {
			for i := range n {
				out[s.section+part+string(rune('1'+i))] = reality.AsWritten
			}
		}
	}
	for _, change := range append([]expected{e}, changes...) {
		for outcome, sections := range change {
			for _, s := range strings.Fields(sections) {
				out[s] = outcome
			}
		}
	}
	return out
}

// steps runs doctor --playbook.
func steps(t *testing.T, env map[string]string) map[string]reality.Line {
	t.Helper()
	got := run(t, env, "doctor", "--playbook", "-o", "json")
	var all []reality.Line
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	by := map[string]reality.Line{}
	for _, l := range all {
		by[l.Section] = l
		if l.Outcome != reality.AsWritten && l.Why == "" {
			t.Errorf("%s %s without a reason", l.Section, l.Outcome)
		}
		if l.Outcome == reality.Rewritten && (l.How == "" || regexp.MustCompile(`\{[a-z_]+\}`).MatchString(l.How)) {
			t.Errorf("%s is rewritten to %q", l.Section, l.How)
		}
	}
	return by
}

func compare(t *testing.T, want map[string]reality.Outcome, got map[string]reality.Line) {
	t.Helper()
	outcomes := map[string]reality.Outcome{}
	for section, l := range got {
		outcomes[section] = l.Outcome
	}
	if d := cmp.Diff(want, outcomes); d != "" {
		t.Error(d)
	}
}

// because wants the reason of a step to hold words.
func because(t *testing.T, got map[string]reality.Line, section, words string) {
	t.Helper()
	if why := got[section].Why; !strings.Contains(why, words) {
		t.Errorf("%s: %q does not say %q", section, why, words)
	}
}

// TestDoctorPlaybook: the outcome of every step on systems of both dialects,
// and what changes with what is found there.
func TestDoctorPlaybook(t *testing.T) {
	for dialect, base := range ordinary {
		t.Run(string(dialect), func(t *testing.T) {
			w, err := lab.Start(labtest.Context(t), lab.Options{Quiet: true, Dialect: dialect})
			if errors.Is(err, lab.ErrNoPostgres) {
				labtest.Missing(t, err.Error())
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			})
			got := steps(t, w.Env())
			compare(t, base.table(), got)
			if dialect == lab.Deployed {
				because(t, got, "5.2/1", "locked_by_id is owner_id here")
			}
			inWorld{t, w, base}.changes()
			inWorld{t, w, base}.bySchema()
		})
	}
}

// inWorld is a simulated system with what is expected of it as it is.
type inWorld struct {
	*testing.T
	*lab.World
	base expected
}

func (w inWorld) inject(t *testing.T, fault string) {
	t.Helper()
	if err := w.Inject(labtest.Context(t), fault); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Heal(labtest.Context(t), fault); err != nil {
			t.Error(err)
		}
	})
}

// changes makes one thing different at a time.
func (w inWorld) changes() {
	w.Run("tasks on queues that nobody takes", func(t *testing.T) {
		w.inject(t, "queue-nobody-takes")
		got := steps(t, w.Env())
		compare(t, w.base.table(expected{reality.Rewritten: "3.2/4"}), got)
		because(t, got, "3.2/4", "which no worker takes")
	})
	w.Run("metrics behind nginx", func(t *testing.T) {
		w.inject(t, "metrics-behind-nginx")
		got := steps(t, w.Env())
		compare(t, w.base.table(expected{reality.Unknown: "5.4/5"}), got)
		because(t, got, "6.2/1", "answers with the web page")
	})
	w.Run("conflicts by the playbook's words", func(t *testing.T) {
		env := maps.Clone(w.Env())
		s := &site{t: t, env: env}
		s.log("django.log", "ERROR", "grading.services", "LockConflictError: already_locked by async_finalize_copy ERROR GradingEvent", nil)
		got := steps(t, env)
		for _, section := range []string{"4.4/1", "5.2/4", "5.4/4", "7.2/2"} {
			if got[section].Outcome != reality.AsWritten {
				t.Errorf("%s %s: %s", section, got[section].Outcome, got[section].Why)
			}
		}
	})
	w.Run("console output for a log", func(t *testing.T) {
		env := maps.Clone(w.Env())
		file := filepath.Join(env["GRADING_LOG_DIR"], "django.log")
		delete(env, "GRADING_LOG_DIR")
		env["GRADECOCKPIT_LOG_COMMAND"] = "tail -n +1 -f " + file
		got := steps(t, env)
		compare(t, w.base.table(expected{reality.Rewritten: "3.2/1 3.2/4 3.2/5 4.2/3 4.2/4 7.2/4 7.4/1"}), got)
		because(t, got, "3.2/1", "There is no django.log")
	})
}

// bySchema changes one thing of the tables at a time, and back.
func (w inWorld) bySchema() {
	const locks = "4.2/5 4.4/3 5.2/1 5.2/2 5.2/5 5.4/1 5.4/2 5.4/3 5.4/4"
	rename := func(table, from, to string) (there, back string) {
		const sql = "ALTER TABLE %s RENAME %s TO %s"
		return fmt.Sprintf(sql, table, from, to), fmt.Sprintf(sql, table, to, from)
	}
	type change struct {
		only        lab.Dialect
		name        string
		there, back string
		want        expected
	}
	all := []change{
		{name: "no lock table", there: "ALTER TABLE grading_copylock RENAME TO elsewhere", back: "ALTER TABLE elsewhere RENAME TO grading_copylock", want: expected{reality.Impossible: locks}},
		{name: "tasks are routed", there: "INSERT INTO django_migrations (app, name, applied) VALUES ('grading', '0010_perf_indexes_zf_aud_13', now())",
			back: "DELETE FROM django_migrations WHERE name = '0010_perf_indexes_zf_aud_13'", want: expected{reality.Rewritten: "4.4/4"}},
		{only: lab.Deployed, name: "the holder by the playbook's name", want: expected{reality.AsWritten: "4.2/5 4.4/3 5.2/1"}},
		{only: lab.Deployed, name: "an exam's title", want: expected{reality.AsWritten: "6.4/4"}},
		{only: lab.Playbook, name: "the page by the deployed name", want: expected{reality.Rewritten: "4.4/2"}},
	}
	all[2].there, all[2].back = rename("grading_copylock", "owner_id", "locked_by_id")
	all[3].there, all[3].back = rename("exams_exam", "name", "title")
	all[4].there, all[4].back = rename("grading_annotation", "page", "page_index")
	for _, c := range all {
		if c.only != "" && c.only != w.DB.Dialect {
			continue
		}
		w.Run(c.name, func(t *testing.T) {
			w.exec(t, c.there)
			t.Cleanup(func() { w.exec(t, c.back) })
			got := steps(t, w.Env())
			if c.name == "tasks are routed" && w.DB.Dialect == lab.Playbook {
				c.want[reality.Rewritten] += " 3.4/2"
				because(t, got, "3.4/2", "It goes to import, which no worker takes")
			}
			compare(t, w.base.table(c.want), got)
		})
	}
}

func (w inWorld) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := w.DB.Conn.Exec(labtest.Context(t), sql); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorPlaybookKnowsNothing: with nothing to look at, it claims nothing
// of the system.
func TestDoctorPlaybookKnowsNothing(t *testing.T) {
	for section, l := range steps(t, map[string]string{"PGHOST": t.TempDir()}) {
		always := []string{"3.4/3", "3.4/4", "4.4/5", "6.4/1", "6.4/6", "7.4/2", "7.4/4", "7.4/5"}
		if l.Outcome != reality.Unknown && !slices.Contains(always, section) {
			t.Errorf("%s %s: %s", section, l.Outcome, l.Why)
		}
	}
}

// A source that nobody named says which setting is missing.
func TestDoctorPlaybookSaysWhatToSet(t *testing.T) {
	all := steps(t, nil)
	for section, setting := range map[string]string{"3.2/1": "Set GRADING_LOG_DIR", "3.2/2": "Set DATABASE_URL", "4.4/4": "Set CELERY_BROKER_URL"} {
		because(t, all, section, "cannot be read: not configured. "+setting)
	}
}
