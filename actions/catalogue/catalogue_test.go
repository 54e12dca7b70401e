package catalogue_test

import (
	"testing"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
)

func TestEveryActionIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range catalogue.All(catalogue.Deps{}) {
		if a.ID() == "" || a.Title() == "" || len(a.Kinds()) == 0 || seen[a.ID()] {
			t.Errorf("%T: id %q, title %q, kinds %v", a, a.ID(), a.Title(), a.Kinds())
		}
		seen[a.ID()] = true
		if _, ok := a.(actions.Settler); !ok {
			t.Errorf("%s cannot be settled after a crash", a.ID())
		}
	}
	for _, id := range []string{"force-unlock", "clear-expired", "release-locked", "relock", "retry", "purge", "restore"} {
		if !seen[id] {
			t.Errorf("there is no %s", id)
		}
	}
}

// With no source configured, or none that answered, every action says so in a
// sentence and none breaks.
func TestWithoutSourcesEveryActionSaysWhyNot(t *testing.T) {
	failed := func(id probes.ID, s probes.SourceID) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: s, Seq: 1, Err: probes.NotConfigured(s, "X")}
	}
	sets := map[string]probes.Set{
		"not read": probes.NewSet(),
		"failed":   probes.NewSet(failed(grading.ID, probes.Postgres), failed(celery.ID, probes.Redis)),
	}
	r := actions.NewRunner(actions.Config{Actions: catalogue.All(catalogue.Deps{}), Journal: none{}})
	for name, set := range sets {
		for _, a := range r.Actions() {
			target := actions.Target{Kind: a.Kinds()[0], ID: "x", Label: "x"}
			for call, why := range map[string]string{"disabled": r.Disabled(set, a.ID(), target), "impossible": r.Impossible(set, a.ID())} {
				if why == "" || why[len(why)-1] != '.' {
					t.Errorf("%s, %s %s: %q", name, a.ID(), call, why)
				}
			}
			rec := actions.Record{Kind: actions.Intent, ActionID: "1", Action: a.ID(), Target: target}
			if v := a.(actions.Settler).Settle(t.Context(), rec); v.Kind != actions.Unverdict || v.Says == "" {
				t.Errorf("%s settled as %+v", a.ID(), v)
			}
		}
	}
}

type none struct{}

func (none) Append(actions.Record) error        { return nil }
func (none) Records() ([]actions.Record, error) { return nil, nil }
