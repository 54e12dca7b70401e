package practice_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/practice"
	"gradecockpit/probes/lab"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
)

// possible are the faults that a deployed grading system can have.
func possible() (out []string) {
	for _, f := range lab.Faults() {
		out = append(out, f.Name)
	}
	return out
}

func drill(t *testing.T, o practice.Options) practice.Drill {
	t.Helper()
	if o.Possible == nil {
		o.Possible = possible()
	}
	d, err := practice.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheSameSeedMakesTheSameDrill(t *testing.T) {
	other := 0
	for seed := range uint64(50) {
		o := practice.Options{Seed: seed, Distractors: true}
		d := drill(t, o)
		if diff := cmp.Diff(d, drill(t, o), cmp.AllowUnexported(practice.Drill{})); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		o.Seed += 1000
		if !slices.Equal(d.Faults, drill(t, o).Faults) {
			other++
		}
	}
	if other < 25 {
		t.Errorf("only %d of 50 other seeds made another drill", other)
	}
}

// TestDrillsAreOfManyKinds: one fault, two or none, and every fault comes up.
func TestDrillsAreOfManyKinds(t *testing.T) {
	count, seen := map[int]int{}, map[string]bool{}
	for seed := range uint64(800) {
		d := drill(t, practice.Options{Seed: seed})
		count[len(d.Faults)]++
		for _, f := range d.Faults {
			seen[f] = true
		}
	}
	if count[0] < 50 || count[1] < 300 || count[2] < 100 || len(count) != 3 {
		t.Errorf("drills by number of faults: %v", count)
	}
	for _, c := range practice.Cases() {
		if !seen[c.Fault] {
			t.Errorf("%s never comes up", c.Fault)
		}
	}
}

func TestAScenarioKeepsToItsFaults(t *testing.T) {
	for _, s := range practice.Scenarios() {
		for seed := range uint64(60) {
			d := drill(t, practice.Options{Seed: seed, Scenario: string(s.Name), Distractors: true})
			for _, f := range d.Faults {
				if c, _ := practice.Find(f); c.Scenario != s.Name {
					t.Errorf("%s, seed %d: %s is of %s", s.Name, seed, f, c.Scenario)
				}
			}
			if len(d.Distractors) > 1 || len(d.Distractors) == 1 && slices.Contains(d.Faults, d.Distractors[0]) {
				t.Errorf("%s, seed %d: distractors %v beside %v", s.Name, seed, d.Distractors, d.Faults)
			}
		}
	}
}

// TestFaultsOfADrillDoNotHideEachOther: never two of one group, and none beside
// one that stands alone.
func TestFaultsOfADrillDoNotHideEachOther(t *testing.T) {
	for seed := range uint64(800) {
		d := drill(t, practice.Options{Seed: seed, Distractors: true})
		all, groups := slices.Concat(d.Faults, d.Distractors), map[string]bool{}
		for _, f := range all {
			c, _ := practice.Find(f)
			if c.Alone && len(all) > 1 || !c.Alone && groups[c.Group] {
				t.Errorf("seed %d: %v", seed, all)
			}
			groups[c.Group] = true
		}
	}
}

// TestFaultsOfADrillCanBePutRight: none is beside one that the cockpit cannot
// end and that its remedy needs ended.
func TestFaultsOfADrillCanBePutRight(t *testing.T) {
	together := func(a, b string) (n int) {
		for seed := range uint64(80) {
			if d := drill(t, practice.Options{Seed: seed, Possible: []string{a, b}}); len(d.Faults) == 2 {
				n++
			}
		}
		return n
	}
	for _, stopped := range []string{"finalize-pymupdf-error", "finalize-idle-timeout"} {
		for _, f := range []string{"worker-down", "worker-frozen", "worker-deaf", "disk-full", "queue-backlog"} {
			if n := together(f, stopped); n > 0 {
				t.Errorf("%d drills have %s beside %s", n, f, stopped)
			}
		}
		if together("locked-no-lock", stopped) == 0 || together("poison-message", stopped) == 0 {
			t.Errorf("no drill has %s beside what can be put right first", stopped)
		}
	}
	if n := together("disk-full", "finalize-disk-full"); n > 0 {
		t.Errorf("%d drills have a full disk twice", n)
	}
	if together("worker-down", "expired-locks") == 0 {
		t.Error("no drill has expired locks without a worker, which they do not need")
	}
}

// blinding are faults beside which others are not to be seen.
var blinding = []string{"too-many-clients", "metrics-behind-nginx", "schema-drift"}

func TestWhatBlindsStandsAlone(t *testing.T) {
	for _, f := range blinding {
		if c, _ := practice.Find(f); !c.Alone {
			t.Errorf("%s may have others beside it", f)
		}
	}
}

func TestOnlyWhatCanBeMadeIsChosen(t *testing.T) {
	one := []string{"locked-no-lock"}
	for seed := range uint64(40) {
		d := drill(t, practice.Options{Seed: seed, Scenario: "lock-conflicts", Possible: one})
		if len(d.Faults) > 1 || len(d.Faults) == 1 && d.Faults[0] != one[0] {
			t.Errorf("seed %d: %v", seed, d.Faults)
		}
	}
	if _, err := practice.New(practice.Options{Scenario: "lock-conflicts", Possible: []string{"slow-endpoint"}}); err == nil {
		t.Error("a drill without a fault that can be made")
	}
	_, err := practice.New(practice.Options{Scenario: "lunch", Possible: one})
	if err == nil || !strings.Contains(err.Error(), "high-latency") {
		t.Errorf("an unknown scenario: %v", err)
	}
}

// unpractised are faults that no drill has, with the reason.
var unpractised = map[string]string{}

// TestEveryFaultIsPractised: what the simulated system can have, a drill can.
func TestEveryFaultIsPractised(t *testing.T) {
	faults := possible()
	for _, f := range faults {
		_, has := practice.Find(f)
		if why, left := unpractised[f]; has == left || left && why == "" {
			t.Errorf("%s: it has a case: %v; it is left out: %v, for %q", f, has, left, why)
		}
	}
	for f := range unpractised {
		if !slices.Contains(faults, f) {
			t.Errorf("there is no fault %s to leave out", f)
		}
	}
}

// TestCasesAreOfThisCockpit: every case is a fault that can be made, is seen on
// panes that there are, and names actions that there are, for their targets.
func TestCasesAreOfThisCockpit(t *testing.T) {
	all, faults, seen := map[string]actions.Action{}, possible(), map[string]bool{}
	for _, a := range catalogue.All(catalogue.Deps{}) {
		all[a.ID()] = a
	}
	var words []string
	for _, p := range pages.All() {
		words = append(words, ":"+p.Word)
	}
	for _, c := range practice.Cases() {
		if seen[c.Fault] || !slices.Contains(faults, c.Fault) {
			t.Errorf("%s is there twice, or cannot be made", c.Fault)
		}
		seen[c.Fault] = true
		if c.Cause == "" || c.Call == "" || c.Clue == "" || len(c.Panes) == 0 || c.About <= 0 || (c.Group == "") == !c.Alone {
			t.Errorf("%s is not told in full", c.Fault)
		}
		if len(c.Remedies) == 0 && c.Advice == "" {
			t.Errorf("%s has neither remedy nor advice", c.Fault)
		}
		for _, p := range c.Panes {
			if _, ok := panes.Find(pane.ID(p)); !ok && !slices.Contains(words, p) {
				t.Errorf("%s: no pane or page %s", c.Fault, p)
			}
		}
		for _, r := range slices.Concat(c.Remedies, c.Eases) {
			if a := all[r.Action]; a == nil || !slices.Contains(a.Kinds(), r.On) {
				t.Errorf("%s: no action %s on a %s", c.Fault, r.Action, r.On)
			}
		}
		for _, h := range c.Harms {
			if all[h.Action] == nil {
				t.Errorf("%s: no action %s", c.Fault, h.Action)
			}
		}
		for _, a := range c.Stops {
			if all[a] == nil {
				t.Errorf("%s: no action %s", c.Fault, a)
			}
		}
		for _, f := range c.Also {
			if _, ok := practice.Find(f); !ok {
				t.Errorf("%s: no case %s", c.Fault, f)
			}
		}
	}
}

// TestEveryCaseHasItsWalkthrough: the expert's way is one that the walkthrough of
// the scenario really goes.
func TestEveryCaseHasItsWalkthrough(t *testing.T) {
	books := playbook.Books()
	for _, c := range practice.Cases() {
		i := slices.IndexFunc(books, func(b *playbook.Playbook) bool { return b.Name == string(c.Scenario) })
		if i < 0 || !slices.Contains(books[i].Causes, c.Fault) {
			t.Errorf("the walkthrough %s does not tell %s", c.Scenario, c.Fault)
			continue
		}
		if h, _ := (practice.Drill{Faults: []string{c.Fault}}).NextHint(nil); !strings.Contains(h.Says, strconv.Quote(books[i].Title)) {
			t.Errorf("the hint %q does not name the walkthrough %q", h.Says, books[i].Title)
		}
		if practice.StepOf(books, c) == "" {
			t.Errorf("no step of %s names %s", c.Scenario, c.Fault)
		}
	}
	if got := practice.StepOf(books, practice.Case{Fault: "expired-locks", Scenario: "lock-conflicts"}); got != "All locks" {
		t.Errorf("the step that finds expired locks is %q", got)
	}
}

// TestTheBriefingGivesNothingAway: neither fault nor cause nor how many.
func TestTheBriefingGivesNothingAway(t *testing.T) {
	for seed := range uint64(200) {
		d := drill(t, practice.Options{Seed: seed})
		text := practice.Text(d.Briefing(false), 78)
		for _, f := range d.Faults {
			c, _ := practice.Find(f)
			if strings.Contains(text, c.Fault) || strings.Contains(text, c.Cause) {
				t.Errorf("seed %d tells %s:\n%s", seed, f, text)
			}
		}
		if !strings.Contains(text, d.Again()) {
			t.Errorf("seed %d does not say how to have it again", seed)
		}
	}
}

func TestHintsLeadFromWhereToWhat(t *testing.T) {
	for _, faults := range [][]string{{"expired-locks", "slow-endpoint"}, nil} {
		d := practice.Drill{Faults: faults}
		var log []practice.Event
		var says []string
		for h, ok := d.NextHint(log); ok; h, ok = d.NextHint(log) {
			log = append(log, practice.Event{Kind: practice.Hinted, What: h.What})
			says = append(says, h.Says)
		}
		if want := 3 * max(len(faults), 1); len(says) != want {
			t.Fatalf("%d hints, want %d: %q", len(says), want, says)
		}
		for i, f := range faults {
			c, _ := practice.Find(f)
			if strings.Contains(says[3*i], c.Cause) || !strings.Contains(says[3*i+2], c.Cause) {
				t.Errorf("%s: %q", f, says[3*i:3*i+3])
			}
		}
		if left := practice.Left(log); left != practice.Full-len(says)*practice.HintCosts {
			t.Errorf("%d points left after %d hints", left, len(says))
		}
	}
	d := practice.Drill{Faults: []string{"expired-locks", "slow-endpoint"}}
	h, _ := d.NextHint([]practice.Event{answered(1, "expired-locks")})
	if h.What != "slow-endpoint 1" {
		t.Errorf("the hint after the first was named is %q", h.What)
	}
}

func TestCausesToPickFrom(t *testing.T) {
	all := drill(t, practice.Options{}).Causes()
	some := drill(t, practice.Options{Scenario: "lock-conflicts"}).Causes()
	beside := drill(t, practice.Options{Scenario: "lock-conflicts", Distractors: true}).Causes()
	if len(some) >= len(all) || len(some) < 4 || all[len(all)-1].Fault != practice.Nothing || some[len(some)-1].Fault != practice.Nothing {
		t.Errorf("%d causes, %d of one scenario", len(all), len(some))
	}
	if diff := cmp.Diff(all, beside, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("with distractors not all can be named: %s", diff)
	}
}
