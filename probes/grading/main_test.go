package grading

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// probe reads through a Reader that is closed with the test.
func probe(t testing.TB, dsn string, o Options) *Probe {
	t.Helper()
	r := postgres.NewReader(postgres.Config{ConnString: dsn})
	t.Cleanup(func() {
		if err := r.Close(labtest.Context(t)); err != nil {
			t.Errorf("close the reader: %v", err)
		}
	})
	return NewProbe(r, o)
}

func sample(t testing.TB, p *Probe) Overview {
	t.Helper()
	v, err := p.Sample(labtest.Context(t))
	if err != nil {
		t.Fatalf("sample: %v", err)
	}
	return v.(Overview)
}

// both runs a test on both dialects.
func both(t *testing.T, run func(*testing.T, lab.Dialect)) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) { run(t, d) })
	}
}

// ago is a time by the database's clock.
func ago(db *labtest.DB, d time.Duration) time.Time { return db.Now().Add(-d) }

func equal(t *testing.T, what string, want, got any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// contains checks a sentence without fixing every word of it.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}
