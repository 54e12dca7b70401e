package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// Each root cause is made alone on a running system and must be what the cockpit
// names first; in pairs both must be among the first two; a healthy system under
// load must show none. The probes are those of the cockpit, over real servers.

// matrix is a system with a cockpit that looks at it.
type matrix struct {
	t    *testing.T
	w    *lab.World
	env  map[string]string
	c    *wire.Cockpit
	seen probes.Set
	got  diagnosis.Report
}

func newMatrix(t *testing.T, opts lab.Options) *matrix {
	t.Helper()
	m := &matrix{t: t, w: world(t, opts)}
	m.env, _ = settings(t, m.w)
	t.Cleanup(m.leave)
	return m
}

// enter makes a cockpit without memory: what an earlier fault left in the logs
// and in the counters is no news to it.
func (m *matrix) enter() {
	m.t.Helper()
	m.leave()
	files, err := filepath.Glob(filepath.Join(m.env["GRADING_LOG_DIR"], "*.log*"))
	must(m.t, err)
	for _, f := range files {
		must(m.t, os.Truncate(f, 0))
	}
	if m.w.DB.HasLocks { // nobody sits at the browsers of a quiet system: the locks of its session live on
		_, err := m.w.DB.Conn.Exec(labtest.Context(m.t), "update grading_copylock set expires_at = now() + interval '10 minutes' where expires_at > now()")
		must(m.t, err)
	}
	cfg, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) { v, ok := m.env[name]; return v, ok }})
	must(m.t, err)
	m.c, err = wire.New(cfg, nil)
	must(m.t, err)
}

func (m *matrix) leave() {
	if m.c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		m.c.Close(ctx)
		m.c = nil
	}
}

// look samples every probe and judges.
func (m *matrix) look() diagnosis.Report {
	m.seen = m.c.Hub.SampleAll(labtest.Context(m.t))
	m.got = m.c.Judge(m.seen, time.Now())
	return m.got
}

// settled is how long a cause may take to be named. Rules wait for a second
// look, and some for what lasts; a machine may be busy.
const settled = 40 * time.Second

// until looks again and again until a condition holds.
func (m *matrix) until(holds func(diagnosis.Report) bool) bool {
	for end := time.Now().Add(settled); ; {
		switch ok := holds(m.look()); {
		case ok:
			return true
		case time.Now().After(end) || m.t.Context().Err() != nil:
			return false
		}
	}
}

// quiet is a system without its own movement, on which faults last.
func quietly(d lab.Dialect) lab.Options {
	return lab.Options{Dialect: d, Quiet: true, Speed: 10, Seed: 3}
}

// named gives the rule of a fault: the same name, but for these.
func named(fault string) string {
	return fault
}

func first(r diagnosis.Report) string {
	if len(r.Findings) == 0 {
		return "nothing"
	}
	return r.Findings[0].Rule
}

// ranks lists what was found, consequences behind their cause.
func ranks(all []diagnosis.Finding) string {
	var out []string
	for _, f := range all {
		s := f.Rule
		if len(f.Follows) > 0 {
			s += " (" + ranks(f.Follows) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// row is a line of the table that the test prints.
type row struct{ fault, result, rest string }

func table(t *testing.T, title string, rows []row) {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-52s %-8s %s\n", r.fault, r.result, r.rest)
	}
	t.Logf("%s\n%s", title, b.String())
}

func TestEveryCauseAloneRanksFirst(t *testing.T) {
	labtest.Long(t)
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel() // they mostly wait
			m := newMatrix(t, quietly(d))
			var rows []row
			for _, f := range lab.Faults() {
				r := row{fault: f.Name, result: "first"}
				if !m.alone(f.Name) {
					r.result = "MISSED"
					t.Errorf("%s: found %s", f.Name, ranks(m.got.Findings))
				}
				r.rest = ranks(m.got.Findings)
				must(t, m.w.Heal(labtest.Context(t), f.Name))
				rows = append(rows, r)
			}
			table(t, "cause, result, what was found", rows)
		})
	}
}

// alone makes a fault where nothing is wrong, and tells whether it is named first.
func (m *matrix) alone(fault string) bool {
	m.t.Helper()
	m.enter()
	if !m.until(func(r diagnosis.Report) bool { return len(r.Findings) == 0 }) {
		m.t.Errorf("before %s there is %s", fault, ranks(m.got.Findings))
	}
	must(m.t, m.w.Inject(labtest.Context(m.t), fault))
	return m.until(func(r diagnosis.Report) bool { return first(r) == named(fault) })
}

// together tells whether both are among the first two, or the one is told under
// the other.
func together(r diagnosis.Report, a, b string) bool {
	head := r.Findings[:min(2, len(r.Findings))]
	in := func(rule string) bool {
		return slices.ContainsFunc(head, func(f diagnosis.Finding) bool {
			_, ok := diagnosis.Report{Findings: []diagnosis.Finding{f}}.Find(rule)
			return ok
		})
	}
	return in(a) && in(b)
}

// apart are faults that cannot be made with any other, and why.
var apart = map[string]string{
	"too-many-clients":     "no other fault can reach the database then",
	"metrics-behind-nginx": "the measured faults need the metrics",
}

func TestTwoCausesAreBothInFront(t *testing.T) {
	labtest.Long(t)
	m := map[lab.Dialect]*matrix{}
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		m[d] = newMatrix(t, quietly(d))
	}
	var rows []row
	rng := rand.New(rand.NewPCG(1, 2))
	faults := slices.DeleteFunc(lab.Faults(), func(f lab.Fault) bool { return apart[f.Name] != "" })
	for n := 0; n < 30; n++ {
		a, b := faults[rng.IntN(len(faults))].Name, faults[rng.IntN(len(faults))].Name
		for a == b {
			b = faults[rng.IntN(len(faults))].Name
		}
		d := []lab.Dialect{lab.Deployed, lab.Playbook}[n%2]
		r := row{a + " + " + b, "both", ""}
		if !m[d].pair(a, b) {
			r.result = "MISSED"
			t.Errorf("%s + %s (%s): found %s", a, b, d, ranks(m[d].got.Findings))
		}
		r.rest = ranks(m[d].got.Findings)
		rows = append(rows, r)
	}
	table(t, "causes, result, what was found", rows)
}

func (m *matrix) pair(a, b string) bool {
	m.t.Helper()
	m.enter()
	m.until(func(r diagnosis.Report) bool { return len(r.Findings) == 0 })
	ctx := labtest.Context(m.t)
	for _, f := range []string{a, b} {
		must(m.t, m.w.Inject(ctx, f))
	}
	ok := m.until(func(r diagnosis.Report) bool { return together(r, named(a), named(b)) })
	for _, f := range []string{b, a} {
		must(m.t, m.w.Heal(ctx, f))
	}
	return ok
}

func TestAHealthySystemUnderLoadShowsNothing(t *testing.T) {
	labtest.Long(t)
	const speed = 40
	for seed := range uint64(10) {
		d := []lab.Dialect{lab.Deployed, lab.Playbook}[seed%2]
		t.Run(fmt.Sprintf("seed %d %s", seed, d), func(t *testing.T) {
			m := newMatrix(t, lab.Options{Dialect: d, Seed: seed, Speed: speed})
			m.enter()
			looks := 0
			for end := time.Now().Add(2 * time.Minute / speed); time.Now().Before(end) || looks < 5; looks++ {
				for _, f := range m.look().Findings {
					t.Errorf("look %d: %s: %s", looks, f.Rule, f.Says)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d looks, %d rules judged, %d blind", looks, m.got.Judged, len(m.got.Blind))
		})
	}
}
