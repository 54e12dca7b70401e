package main_test

import (
	"slices"
	"testing"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// timed are faults that are seen by the requests which come while one looks: a
// quiet system has none.
var timed = []string{"slow-endpoint", "slow-finalize"}

// TestACockpitThatComesLaterNamesTheCause: practice makes its faults before the
// cockpit opens, and so does life. What is known only to whoever saw the system
// well must not be needed to name a cause.
func TestACockpitThatComesLaterNamesTheCause(t *testing.T) {
	labtest.Long(t)
	calm := newMatrix(t, quietly(setups[0].opts))
	busy := newMatrix(t, lab.Options{Dialect: lab.Deployed, Speed: 10, Seed: 3})
	for _, f := range lab.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			m := calm
			if slices.Contains(timed, f.Name) {
				m = busy
			}
			defer func(outer *testing.T) { m.t = outer }(m.t)
			m.t = t
			m.late(f.Name)
		})
	}
}

// late makes a fault before the cockpit has looked for the first time.
func (m *matrix) late(fault string) {
	m.t.Helper()
	if err := lab.CheckFault(fault, quietly(setups[0].opts)); err != nil {
		labtest.Missing(m.t, err.Error())
	}
	m.enter()
	ctx := labtest.Context(m.t)
	must(m.t, m.w.Inject(ctx, fault))
	if !m.until(func(r diagnosis.Report) bool { return first(r) == fault }) {
		m.t.Errorf("%s: found %s", fault, ranks(m.got.Findings))
	}
	must(m.t, m.w.Heal(ctx, fault))
}
