package practice

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"gradecockpit/probes/diagnosis"
)

// Drill is one exercise. The same seed and scenario make the same one.
type Drill struct {
	Seed     uint64
	Scenario diagnosis.Scenario // asked for; "" any
	// Faults are what users call about, hidden until the end; none: a false alarm.
	Faults []string
	// Distractors are wrong as well, and nobody called about them: finding one
	// neither counts nor costs.
	Distractors []string
	calls       []string
	flags       []string
}

// Options choose a drill.
type Options struct {
	Seed        uint64
	Scenario    string   // "" any
	Distractors bool     // with one more fault that nobody called about
	Possible    []string // the faults that can be made in this world
	Flags       []string // further words of the command that starts the same again
}

// The chances of a drill, of eight: one is a false alarm, two have two faults.
const (
	chances    = 8
	falseAlarm = 1
	two        = 2
)

// New chooses a drill.
func New(o Options) (Drill, error) {
	scenario := diagnosis.Scenario(o.Scenario)
	if _, known := findScenario(scenario); o.Scenario != "" && !known {
		return Drill{}, fmt.Errorf("no scenario is called %q; there are %s", o.Scenario, strings.Join(names(), ", "))
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(o.Scenario))
	rng := rand.New(rand.NewPCG(o.Seed, h.Sum64()))
	d := Drill{Seed: o.Seed, Scenario: scenario, flags: o.Flags}
	inside, outside := split(scenario, o.Possible)
	if len(inside) == 0 {
		return Drill{}, fmt.Errorf("no fault of %s can be made in such a grading system", o.Scenario)
	}
	n := 1
	switch draw := rng.IntN(chances); {
	case draw < falseAlarm:
		n = 0
	case draw < falseAlarm+two:
		n = 2
	}
	d.Faults = draw(rng, inside, n, nil)
	if o.Distractors {
		d.Distractors = draw(rng, outside, 1, d.Faults)
	}
	d.calls = d.reports(rng)
	return d, nil
}

func names() (out []string) {
	for _, s := range Scenarios() {
		out = append(out, string(s.Name))
	}
	return out
}

// split gives the cases that can be made within a scenario, and those beside it;
// without a scenario all are both.
func split(scenario diagnosis.Scenario, possible []string) (inside, outside []Case) {
	for _, c := range Cases() {
		if !slices.Contains(possible, c.Fault) {
			continue
		}
		if scenario == "" || c.Scenario == scenario {
			inside = append(inside, c)
		}
		if scenario == "" || c.Scenario != scenario {
			outside = append(outside, c)
		}
	}
	return inside, outside
}

// draw takes up to n cases that neither hide each other nor those beside which
// they are to be seen.
func draw(rng *rand.Rand, from []Case, n int, beside []string) (out []string) {
	for _, i := range rng.Perm(len(from)) {
		if len(out) == n {
			break
		}
		if !slices.ContainsFunc(slices.Concat(out, beside), func(f string) bool { return hides(from[i], f) }) {
			out = append(out, from[i].Fault)
		}
	}
	return out
}

// hides tells whether one of two faults would keep the other from being seen or
// put right.
func hides(c Case, fault string) bool {
	o, _ := Find(fault)
	return c.Alone || o.Alone || c.Group == o.Group || c.stops(o) || o.stops(c)
}

// reports are what users call about: of each fault, or a false alarm.
func (d Drill) reports(rng *rand.Rand) (out []string) {
	for _, f := range d.Faults {
		c, _ := Find(f)
		out = append(out, c.Call)
	}
	if len(out) > 0 {
		return out
	}
	all := Scenarios()
	if s, ok := findScenario(d.Scenario); ok {
		all = []Scenario{s}
	}
	return []string{all[rng.IntN(len(all))].FalseAlarm}
}

// Causes are what an answer may name, those of the drill's scenario or all.
func (d Drill) Causes() []Case {
	scenario := d.Scenario
	if len(d.Distractors) > 0 {
		scenario = "" // they come from anywhere
	}
	causes, _ := split(scenario, faults())
	return append(causes, Case{Fault: Nothing, Cause: "Nothing is wrong"})
}

func faults() (out []string) {
	for _, c := range Cases() {
		out = append(out, c.Fault)
	}
	return out
}

// cases are the drill's faults with all that is known of them.
func (d Drill) cases() (out []Case) {
	for _, f := range d.Faults {
		c, _ := Find(f)
		out = append(out, c)
	}
	return out
}

// Again is the command that starts the same drill.
func (d Drill) Again() string {
	words := []string{"gradecockpit practice"}
	if d.Scenario != "" {
		words = append(words, string(d.Scenario))
	}
	words = append(words, fmt.Sprintf("--seed %d", d.Seed))
	if len(d.Distractors) > 0 {
		words = append(words, "--distractors")
	}
	return strings.Join(append(words, d.flags...), " ")
}
