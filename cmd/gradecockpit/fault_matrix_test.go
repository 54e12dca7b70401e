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
	"gradecockpit/probes/host"
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
	m.seen = ourOwn(m.c.Hub.SampleAll(labtest.Context(m.t)))
	m.got = m.c.Judge(m.seen, time.Now())
	return m.got
}

// ourOwn leaves out what the other tests' servers on this machine do: they start
// and stop, and an application's that did would be found.
func ourOwn(set probes.Set) probes.Set {
	snap := set.Get(host.ID)
	if o, ok := snap.Payload.(host.Overview); ok {
		o.Groups = nil
		snap.Payload = o
		return set.With(snap)
	}
	return set
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

// setup is one of the ways in which the grading system is met.
type setup struct {
	name string
	opts lab.Options
}

// setups are both dialects of the schema, with locks and without: nobody uses
// the table any more, or there is none.
var setups = []setup{
	{"deployed", lab.Options{Dialect: lab.Deployed}},
	{"playbook", lab.Options{Dialect: lab.Playbook}},
	{"deployed, locks unused", lab.Options{Dialect: lab.Deployed, LocksRemoved: true}},
	{"playbook, no lock table", lab.Options{Dialect: lab.Playbook, NoLocks: true}},
}

// quietly is a system without its own movement, on which faults last.
func quietly(opts lab.Options) lab.Options {
	opts.Quiet, opts.Speed, opts.Seed = true, 10, 3
	return opts
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

// row is a line of the table of pairs.
type row struct{ fault, result, rest string }

func table(t *testing.T, title string, rows []row) {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-52s %-8s %s\n", r.fault, r.result, r.rest)
	}
	t.Logf("%s\n%s", title, b.String())
}

// The results of a fault alone, a rule's confidence where it ranks first.
const (
	missed     = "MISSED"
	needsLocks = "-"
)

func TestEveryCauseAloneRanksFirst(t *testing.T) {
	labtest.Long(t)
	results := map[string][]string{} // by fault, one for each setup
	for _, f := range lab.Faults() {
		results[f.Name] = make([]string, len(setups))
	}
	t.Run("setup", func(t *testing.T) { // returns when all have ended
		for i, s := range setups {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel() // they mostly wait
				m := newMatrix(t, quietly(s.opts))
				for _, f := range lab.Faults() {
					t.Run(f.Name, func(t *testing.T) {
						m.t = t
						results[f.Name][i] = m.alone(f.Name, s.opts)
					})
				}
				m.t = t
			})
		}
	})
	var b strings.Builder
	for _, s := range setups {
		fmt.Fprintf(&b, "%-26s", s.name)
	}
	b.WriteString("cause\n")
	for _, f := range lab.Faults() {
		for _, r := range results[f.Name] {
			fmt.Fprintf(&b, "%-26s", r)
		}
		b.WriteString(f.Name + "\n")
	}
	t.Logf("confidence where the cause ranks first (%s: the fault needs locks)\n%s", needsLocks, b.String())
}

// alone makes a fault where nothing is wrong, and takes it away again. It gives
// how sure the cockpit is of it where it names it first.
func (m *matrix) alone(fault string, opts lab.Options) string {
	m.t.Helper()
	if lab.CheckFault(fault, opts) != nil {
		return needsLocks
	}
	m.enter()
	if !m.until(func(r diagnosis.Report) bool { return len(r.Findings) == 0 }) {
		m.t.Errorf("before %s there is %s", fault, ranks(m.got.Findings))
	}
	ctx := labtest.Context(m.t)
	must(m.t, m.w.Inject(ctx, fault))
	result := missed
	if m.until(func(r diagnosis.Report) bool { return first(r) == fault }) {
		result = m.got.Findings[0].Confidence.String()
	} else {
		m.t.Errorf("%s: found %s", fault, ranks(m.got.Findings))
	}
	must(m.t, m.w.Heal(ctx, fault))
	return result
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
	const pairs = 30
	faults := slices.DeleteFunc(lab.Faults(), func(f lab.Fault) bool { return apart[f.Name] != "" })
	drawn := make([][2]string, pairs)
	for n, rng := 0, rand.New(rand.NewPCG(1, 2)); n < pairs; n++ {
		a, b := rng.IntN(len(faults)), rng.IntN(len(faults)-1)
		if b >= a {
			b++
		}
		drawn[n] = [2]string{faults[a].Name, faults[b].Name}
	}
	rows := make([]row, pairs)
	t.Run("setup", func(t *testing.T) {
		for i, s := range setups[:2] { // what needs locks can be drawn
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				m := newMatrix(t, quietly(s.opts))
				for n := i; n < pairs; n += 2 {
					a, b := drawn[n][0], drawn[n][1]
					r := row{a + " + " + b, "both", ""}
					if !m.pair(a, b) {
						r.result = missed
						t.Errorf("%s + %s: found %s", a, b, ranks(m.got.Findings))
					}
					r.rest = ranks(m.got.Findings)
					rows[n] = r
				}
			})
		}
	})
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
	ok := m.until(func(r diagnosis.Report) bool { return together(r, a, b) })
	for _, f := range []string{b, a} {
		must(m.t, m.w.Heal(ctx, f))
	}
	return ok
}

func TestAHealthySystemUnderLoadShowsNothing(t *testing.T) {
	labtest.Long(t)
	const speed = 40
	for seed := range uint64(10) {
		s := setups[seed%uint64(len(setups))]
		t.Run(fmt.Sprintf("seed %d %s", seed, s.name), func(t *testing.T) {
			t.Parallel()
			s.opts.Seed, s.opts.Speed = seed, speed
			m := newMatrix(t, s.opts)
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
