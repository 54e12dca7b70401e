package cli

import (
	"encoding/json"
	"errors"
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
	alike    = "4.4/1 5.2/4 5.4/4 6.2/1 6.2/2 6.2/5 6.4/1 6.4/5 6.4/6 7.2/2 7.4/3 7.4/4 7.4/5"
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

// TestDoctorPlaybookBySchema: columns and tables decide one at a time.
func TestDoctorPlaybookBySchema(t *testing.T) {
	const blind = "3.2/1 3.2/4 3.2/5 3.4/1 3.4/2 4.2/3 4.2/4 4.4/1 4.4/4 5.2/4 5.4/4 5.4/5 6.2/1 6.2/2 6.2/5 6.4/5 7.2/2 7.2/4 7.4/1"
	const locks = "4.2/5 4.4/3 5.2/1 5.2/2 5.2/5 5.4/1 5.4/2 5.4/3 5.4/4"
	unread := expected{reality.Unknown: blind, reality.Rewritten: "3.4/3 3.4/4 6.2/3"}
	without := func(sections, these string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(sections), func(s string) bool { return slices.Contains(strings.Fields(these), s) }), " ")
	}
	for _, c := range []struct {
		name    string
		dialect lab.Dialect
		options []labtest.Option
		sql     string
		changes expected
	}{
		{"deployed, no lock table", lab.Deployed, []labtest.Option{labtest.NoLocks}, "", expected{reality.Impossible: locks + " 3.4/2"}},
		{"playbook, no lock table", lab.Playbook, []labtest.Option{labtest.NoLocks}, "", expected{reality.Impossible: locks}},
		{"the lock's holder by the playbook's name", lab.Deployed, nil, "ALTER TABLE grading_copylock RENAME owner_id TO locked_by_id",
			expected{reality.AsWritten: "4.2/5 4.4/3 5.2/1", reality.Impossible: "3.4/2"}},
		{"the annotation's page by the deployed name", lab.Playbook, nil, "ALTER TABLE grading_annotation RENAME page TO page_index", expected{reality.Rewritten: "4.4/2"}},
		{"an exam's title", lab.Deployed, nil, "ALTER TABLE exams_exam RENAME name TO title", expected{reality.AsWritten: "6.4/4", reality.Impossible: "3.4/2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := labtest.Postgres(t, c.dialect, c.options...)
			if c.sql != "" {
				db.Exec(c.sql)
			}
			base := maps.Clone(ordinary[c.dialect])
			base[reality.Rewritten] = without(base[reality.Rewritten], blind)
			compare(t, base.table(unread, c.changes), steps(t, map[string]string{"DATABASE_URL": db.DSN()}))
		})
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
