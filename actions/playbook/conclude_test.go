package playbook

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
)

var update = flag.Bool("update", false, "write the golden files anew")

// report is what is wrong in the test of the conclusion: one cause with a
// consequence of another scenario, one that is not of this walkthrough at all.
func report() diagnosis.Report {
	clear := diagnosis.Offer{Action: "clear-expired", Kind: "locks", Why: "They hold nothing.", Consequence: "The copies stay LOCKED."}
	return diagnosis.Report{
		Findings: []diagnosis.Finding{
			{Rule: "worker-down", Title: "No worker", Scenario: diagnosis.ImportStuck, Severity: diagnosis.P1, Confidence: diagnosis.Certain, Says: "Nobody works.",
				Offers:  []diagnosis.Offer{{Action: "restart", Kind: "worker", ID: "w1", Label: "w1@a"}},
				Follows: []diagnosis.Finding{{Rule: "expired-locks", Title: "Expired", Scenario: diagnosis.LockConflicts, Says: "One expired.", Offers: []diagnosis.Offer{clear}}}},
			{Rule: "disk-full", Title: "Disk", Scenario: diagnosis.HighLatency, Says: "Full."},
			{Rule: "own", Title: "Own", Scenario: "mine", Severity: diagnosis.P2, Confidence: diagnosis.Likely, Says: "It is.",
				Evidence: []diagnosis.Evidence{{Says: "Two of them."}}, Offers: []diagnosis.Offer{clear}, Advice: []string{"Wait."}},
		},
		Blind: []diagnosis.Blind{{Rule: "dark", Title: "It is dark", Why: "The lamp is off.", Scenario: "mine"}, {Rule: "far", Why: "Elsewhere.", Scenario: "x"}},
	}
}

const whole = `name: mine
title: Mine
causes: [expired-locks]
steps:
  - id: one
    title: First
    why: To see.
    look: {causes: [expired-locks]}
    verdicts: [{when: found("expired-locks"), is: cause, rule: expired-locks, says: Some are expired.}]
  - {id: two, title: Second, why: To see., look: {page: "copy {copy}"}}
  - id: three
    title: Third
    why: To see.
    look: {logs: x}
    verdicts: [{when: waiting > 0, is: cause, says: Many wait.}]
  - {id: four, title: Fourth, why: To see., look: {logs: x}}
rules:
  - {id: own, title: Own, when: locks > 1, says: It is., severity: P2, confidence: likely}
actions:
  - {action: clear-expired, on: locks, why: Again., consequence: None.}
  - {action: force-unlock, on: copy, target: "{copy_id}", why: Free it., consequence: Work is lost.}
  - {action: purge, on: queue, target: celery, when: waiting > 0, why: Empty it., consequence: Work is lost.}
advice:
  - {title: Ask, when: locks > 1, says: "Ask who has {copy}.", text: {deployed: "mail -s {copy}\nwait"}}
  - {title: Never, when: locks > 9, says: No.}
prevent: [Close the tab.]
escalate:
  - {to: Developers, when: failed_attempts >= 2, says: A remedy failed twice.}
  - {to: Admin, when: found("worker-down"), says: Nobody works.}
  - {to: Users, when: waiting > 0, says: It takes longer.}
`

// concluded is that walkthrough, gone through but for the last step.
func concluded(t *testing.T, copy grading.CopyRef, failed int) (Walk, Conclusion) {
	w := Walk{Book: parse(t, whole), Place: Place{Copy: copy, Failed: failed}, Started: noon, Steps: make([]StepState, 4)}
	in := input(set(2, 1))
	for i := range 3 {
		w.Steps[i] = StepState{Status: Done, Result: Run(t.Context(), w.Book.Steps[i], w.Place, seen{}, in, report(), clock)}
	}
	return w, Conclude(w, in, report())
}

func TestConclusion(t *testing.T) {
	_, c := concluded(t, z7, 2)
	var got []string
	for _, f := range c.Causes {
		got = append(got, "cause "+f.Rule)
	}
	for _, o := range c.Offers {
		got = append(got, fmt.Sprintf("offer %s %s %q for %q, step %d", o.Action, o.ID, o.Label, o.Finding, o.Step))
	}
	for _, a := range c.Advice {
		got = append(got, "advice "+a.Says)
	}
	for _, e := range c.Escalate {
		got = append(got, "escalate "+e.To)
	}
	got = append(append(got, c.Prevent...), c.Open...)
	want := []string{
		"cause worker-down", // its consequence is of this walkthrough: it is what has to be put right
		"cause own",
		`offer clear-expired  "" for "expired-locks", step 0`, // once, though three offer it
		`offer force-unlock ` + z7.ID + ` "A3F2-0007" for "", step -1`,
		`offer restart w1 "w1@a" for "worker-down", step -1`,
		"advice Ask who has A3F2-0007.",
		"escalate Developers", "escalate Admin",
		"Close the tab.",
		"Step 3 (Third): Not known now: waiting.",
		"Step 4 (Fourth) has not ended.",
		"It is dark? The lamp is off.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConclusionWithoutACopy(t *testing.T) {
	w, c := concluded(t, grading.CopyRef{}, -1) // and the journal cannot be read
	for _, o := range c.Offers {
		if o.Action == "force-unlock" {
			t.Errorf("%+v is aimed at no copy", o)
		}
	}
	if len(c.Escalate) != 1 || c.Escalate[0].To != "Admin" {
		t.Errorf("due: %+v", c.Escalate)
	}
	if !w.Steps[1].Result.Skipped || !strings.Contains(strings.Join(c.Open, "\n"), "Step 2 (Second) was skipped.") {
		t.Errorf("%q", c.Open)
	}
}

func TestNothingWrong(t *testing.T) {
	w := Walk{Book: parse(t, whole), Steps: make([]StepState, 4)}
	c := Conclude(w, input(set(0, 0)), diagnosis.Report{})
	if len(c.Causes) != 0 || len(c.Advice) != 0 || len(c.Escalate) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestHandOver(t *testing.T) {
	w, _ := concluded(t, z7, 2)
	w.Steps[0].Note = "Called\x1b[2J\nthe corrector."
	got := HandOver(w, Conclude(w, input(set(2, 1)), report()), noon.Add(time.Hour))
	path := "testdata/handover.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestOwnRulesAreJudgedLikeThoseOfTheProgram(t *testing.T) {
	p := parse(t, whole)
	for n, want := range map[int]int{0: 0, 1: 0, 2: 1} {
		r := diagnosis.Judge(input(set(n, 0)), p.OwnRules()...)
		f, ok := r.Find("own")
		if ok != (want == 1) || ok && (f.Severity != diagnosis.P2 || f.Confidence != diagnosis.Likely || f.Scenario != "mine" || f.Title != "Own" || f.CopyCount != -1) {
			t.Errorf("%d locks: %+v", n, f)
		}
	}
	r := diagnosis.Judge(diagnosis.Input{Now: noon}, p.OwnRules()...)
	if i := slices.IndexFunc(r.Blind, func(b diagnosis.Blind) bool { return b.Rule == "own" }); i < 0 || r.Blind[i].Why != "Not known now: locks." {
		t.Errorf("%+v", r.Blind)
	}
}
