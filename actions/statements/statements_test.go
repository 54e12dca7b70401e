package statements_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/internal/bench"
	"gradecockpit/probes"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
	"gradecockpit/probes/storage"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// stage is a bench with what the probe of the database saw.
type stage struct {
	*bench.Bench
	set probes.Set
	t   *testing.T
}

func newStage(t *testing.T, o bench.Options) stage {
	t.Helper()
	b := bench.New(t, o)
	r := postgres.NewReader(postgres.Config{ConnString: b.DSN(), StatementTimeout: 20 * time.Second})
	defer r.Close(labtest.Context(t))
	v, err := storage.New(r).Sample(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return stage{b, probes.NewSet(probes.Snapshot{ID: storage.ID, Source: probes.Postgres, Seq: 1, Payload: v}), t}
}

// measure plans, confirms and runs.
func (s stage) measure(id string) (actions.Plan, actions.Verdict, error) {
	s.t.Helper()
	p, err := s.Runner.Plan(labtest.Context(s.t), s.set, "explain-analyze", actions.Target{Kind: actions.OnStatement, ID: id}, "")
	if err != nil {
		return p, actions.Verdict{}, err
	}
	r := s.Runner.Run(labtest.Context(s.t), p, actions.Confirmation{Yes: true, Reason: "slow"}, func(actions.Progress) {})
	return p, r.Verdict, nil
}

func TestTheEvidenceIsTheMeasuredPlan(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		s := newStage(t, bench.Options{Dialect: d})
		p, v, err := s.measure("SELECT count(*) FROM exams_copy WHERE status = 'LOCKED'")
		if err != nil {
			t.Fatal(err)
		}
		evidence := strings.Join(v.Evidence, "\n")
		if v.Kind != actions.Fixed || !strings.HasPrefix(v.Says, "Measured: it ran for ") || !strings.Contains(evidence, "exams_copy") || !strings.Contains(evidence, "actual time=") {
			t.Errorf("%s: %+v", d, v)
		}
		if !strings.Contains(p.Says[0], "executed for real, in a READ ONLY transaction") || len(p.Warnings) != 0 {
			t.Errorf("%s: the plan says %q, warns %q", d, p.Says, p.Warnings)
		}
		records, err := s.Journal.Records()
		if err != nil || len(records) != 3 || !strings.Contains(records[0].Steps[0].Statement, "EXPLAIN (ANALYZE, BUFFERS) SELECT count(*)") || records[0].Reason != "slow" {
			t.Errorf("%s: the journal has %+v, %v", d, records, err)
		}
	}
}

func TestAStatementOfTheListHasNoValues(t *testing.T) {
	s := newStage(t, bench.Options{})
	if labtest.Get[string](s.DB, "SHOW shared_preload_libraries") == "" {
		labtest.Missing(t, "this test needs pg_stat_statements, which is in postgresql-contrib")
	}
	s.Exec("CREATE EXTENSION pg_stat_statements")
	s.Exec("SELECT id FROM exams_copy WHERE anonymous_id = 'A3F2-0042'")
	id := labtest.Get[int64](s.DB, `SELECT queryid FROM pg_stat_statements WHERE query = 'SELECT id FROM exams_copy WHERE anonymous_id = $1'
		AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	p, v, err := s.measure(strconv.FormatInt(id, 10))
	if err != nil || v.Kind != actions.Fixed {
		t.Fatalf("%v %+v", err, v)
	}
	if !strings.Contains(strings.Join(p.Warnings, " "), "it runs with NULL for each") || !strings.Contains(v.Says, "With NULL for its 1 parameter") {
		t.Errorf("warns %q, says %q", p.Warnings, v.Says)
	}
	if _, _, err := s.measure("42"); err == nil || !strings.Contains(err.Error(), "There is no such statement") {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestWhatMustNotRunIsRefused(t *testing.T) {
	s := newStage(t, bench.Options{})
	s.AddCopy(lab.CopyRow{Anon: "A3F2-0042"})
	for sql, want := range map[string]string{
		"DELETE FROM exams_copy":              "The statement writes",
		"SELECT pg_reload_conf()":             "pg_reload_conf",
		"SELECT 1; DELETE FROM x":             "more than one statement",
		"VACUUM":                              "cannot read it",
		"SELECT * FROM exams_copy FOR UPDATE": "locks rows",
	} {
		_, _, err := s.measure(sql)
		if _, ok := err.(*actions.Refusal); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if n := labtest.Get[int](s.DB, "SELECT count(*)::int FROM exams_copy"); n != 1 {
		t.Errorf("%d copies", n)
	}
	records, _ := s.Journal.Records()
	if len(records) != 5 || records[0].Kind != actions.Refused {
		t.Errorf("the journal has %+v", records)
	}
}

// What was harmless when the plan was made can be harmful when it runs.
func TestAViewThatChangedSinceThePlanStopsIt(t *testing.T) {
	s := newStage(t, bench.Options{})
	s.Exec("CREATE VIEW turns AS SELECT true AS x")
	p, err := s.Runner.Plan(labtest.Context(t), s.set, "explain-analyze", actions.Target{Kind: actions.OnStatement, ID: "SELECT x FROM turns"}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Exec("CREATE OR REPLACE VIEW turns AS SELECT pg_reload_conf() AS x")
	r := s.Runner.Run(labtest.Context(t), p, actions.Confirmation{Yes: true}, func(actions.Progress) {})
	if r.Verdict.Kind != actions.WasRefuse || !strings.Contains(r.Verdict.Says, "pg_reload_conf") {
		t.Errorf("%+v", r.Verdict)
	}
}

func TestReadOnlyRunsNothing(t *testing.T) {
	s := newStage(t, bench.Options{ReadOnly: "--read-only"})
	if _, _, err := s.measure("SELECT 1"); err == nil || !strings.Contains(err.Error(), "--read-only") {
		t.Errorf("%v", err)
	}
}
