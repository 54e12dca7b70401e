package diagnosis

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes"
)

// says is a rule that finds one thing, or nothing.
func says(id string, f *Finding, explains ...string) Rule {
	return Rule{ID: id, Title: "T " + id, Scenario: LockConflicts, Explains: explains, Judge: func(Input) ([]Finding, string) {
		if f == nil {
			return nil, ""
		}
		return []Finding{*f}, ""
	}}
}

// outline is a report as text: consequences behind their cause.
func outline(all []Finding) string {
	var out []string
	for _, f := range all {
		s := f.Rule
		if len(f.Follows) > 0 {
			s += "(" + outline(f.Follows) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// judged runs only the given rules: no probe has been looked at, so that those
// of the program are blind or have nothing to speak of.
func judged(rules ...Rule) Report {
	r := Judge(Input{Now: time.Unix(0, 0)}, rules...)
	own := func(f Finding) bool { return !slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == f.Rule }) }
	r.Findings = slices.DeleteFunc(r.Findings, own)
	return r
}

func TestTheSameCauseIsToldOnce(t *testing.T) {
	f := func(s Severity, c Confidence) *Finding { return &Finding{Severity: s, Confidence: c} }
	for name, tt := range map[string]struct {
		rules []Rule
		want  string
	}{
		"worse, then surer, then as listed": {
			[]Rule{says("a", f(P2, Likely)), says("b", f(P2, Certain)), says("c", f(P0, Possible)), says("d", f(P2, Likely))}, "c b a d"},
		"a consequence stands under its cause, however bad": {
			[]Rule{says("cause", f(P3, Possible), "effect"), says("effect", f(P0, Certain))}, "cause(effect)"},
		"a cause that is not there explains nothing": {
			[]Rule{says("cause", nil, "effect"), says("effect", f(P2, Certain))}, "effect"},
		"over two steps": {
			[]Rule{says("a", f(P1, Certain), "b"), says("b", f(P1, Certain), "c"), says("c", f(P1, Certain))}, "a(b c)"},
		"the first of two that explain each other": {
			[]Rule{says("a", f(P3, Certain), "b"), says("b", f(P1, Certain), "a")}, "a(b)"},
		"three in a circle": {
			[]Rule{says("a", f(P3, Certain), "b"), says("b", f(P1, Certain), "c"), says("c", f(P1, Certain), "a")}, "a(b c)"},
		"of two causes the first has the consequence": {
			[]Rule{says("a", f(P3, Certain), "c"), says("b", f(P1, Certain), "c"), says("c", f(P0, Certain))}, "b a(c)"},
		"nobody explains itself": {[]Rule{says("a", f(P3, Certain), "a")}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outline(judged(tt.rules...).Findings); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatARuleLeavesOutIsFilledIn(t *testing.T) {
	r := judged(says("a", &Finding{Severity: P3}), says("b", &Finding{Severity: P2, Title: "special", Scenario: HighLatency}))
	got := r.Findings
	want := []Finding{
		{Rule: "b", Title: "special", Scenario: HighLatency, Severity: P2},
		{Rule: "a", Title: "T a", Scenario: LockConflicts, Severity: P3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARuleWithoutFreshDataIsBlind(t *testing.T) {
	rule := says("a", &Finding{})
	rule.Needs = []probes.ID{"x"}
	refusal := &probes.Error{Source: probes.Postgres, Op: "read locks", Cause: "permission denied"}
	for name, tt := range map[string]struct {
		snap probes.Snapshot
		why  string
	}{
		"never looked at": {probes.Snapshot{ID: "x"}, "x has not been looked at yet."},
		"refused":         {probes.Snapshot{ID: "x", Seq: 1, Err: refusal}, refusal.Error()},
		"old":             {probes.Snapshot{ID: "x", Seq: 2, Payload: 1, Err: errors.New("gone")}, "gone"},
		"fresh":           {probes.Snapshot{ID: "x", Seq: 2, Payload: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Judge(Input{Set: probes.NewSet(tt.snap)}, rule)
			i := slices.IndexFunc(r.Blind, func(b Blind) bool { return b.Rule == "a" })
			_, found := r.Find("a")
			switch {
			case tt.why == "" && (i >= 0 || !found):
				t.Error("it was not judged")
			case tt.why != "" && (i < 0 || found):
				t.Error("it was judged")
			case tt.why != "" && r.Blind[i].Why != tt.why:
				t.Errorf("because %q", r.Blind[i].Why)
			}
		})
	}
}

func TestFindLooksUnderCausesToo(t *testing.T) {
	r := judged(says("a", &Finding{}, "b"), says("b", &Finding{}))
	if f, ok := r.Find("b"); !ok || f.Rule != "b" {
		t.Errorf("%v %v", f, ok)
	}
	if _, ok := r.Find("c"); ok {
		t.Error("c was found")
	}
}

// The list itself: names that are no accident, and explanations that exist.
func TestRules(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range Rules() {
		if ids[r.ID] || r.ID != strings.ToLower(r.ID) || strings.ContainsAny(r.ID, " _") {
			t.Errorf("rule %q", r.ID)
		}
		ids[r.ID] = true
		if r.Title == "" || r.Scenario == "" || r.Judge == nil {
			t.Errorf("%s lacks its title, scenario or judgement", r.ID)
		}
	}
	for _, r := range Rules() {
		for _, e := range r.Explains {
			if !ids[e] {
				t.Errorf("%s explains %s, which is no rule", r.ID, e)
			}
		}
	}
}
