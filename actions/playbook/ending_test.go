package playbook

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	actions "gradecockpit/actions/catalogue"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// hostile are ids that a pupil or a mistake could make.
var hostile = []string{
	`$(rm -rf ~)`, "`id`", `'; DROP TABLE exams_copy; --`, `"quoted" level:error`, `-rf`, "a b !c /d/ since:1h", "new\nline", "\x1b[2J", `end\`, `{n}`, `\"`, "|| true", "é✓",
}

// TestAValueIsOneTermOfALogQuery: whatever a copy is called.
func TestAValueIsOneTermOfALogQuery(t *testing.T) {
	for _, id := range hostile {
		oneTerm(t, id, Place{Copy: grading.CopyRef{ID: id, Anon: id}}.query("level:error {copy} since:24h"))
	}
}

// oneTerm: the query has the value as one text, besides what the step asks.
func oneTerm(t *testing.T, id, query string) {
	t.Helper()
	q, err := logs.ParseQuery(query, noon, time.UTC)
	plain, _ := logs.ParseQuery("level:error since:24h", noon, time.UTC)
	if err != nil {
		t.Errorf("%q makes the query %s: %v", id, query, err)
		return
	}
	texts := q.Text
	q.Text = nil
	if want := strings.TrimRight(id, `\`); len(texts) != 1 || texts[0] != want || !reflect.DeepEqual(q, plain) {
		t.Errorf("%q makes the query %s: %q", id, query, texts)
	}
}

func TestRunSurvivesWhatItSees(t *testing.T) {
	step := parse(t, within(`    look: {pane: locks}
    verdicts: [{when: 'any(table, .held_by == "anna" && .age != "")', is: cause, says: "{n} rows"}]`)).Steps[0]
	for name, c := range map[string]struct {
		table Table
		want  Verdict
	}{
		"short rows":     {Table{Columns: []string{"held by", "age"}, Rows: [][]string{nil, {"anna"}, {}}}, OK},
		"long rows":      {Table{Columns: []string{"held by", "age"}, Rows: [][]string{{"anna", "1", "2"}}}, Cause},
		"a column twice": {Table{Columns: []string{"held by", "HELD BY", "age"}, Rows: [][]string{{"x", "anna", "1"}}}, Cause},
		"many":           {Table{Columns: []string{"held by", "age"}, Rows: slices.Repeat([][]string{{"\xff", ""}}, 5000)}, OK},
	} {
		r := Run(t.Context(), step, Place{}, seen{table: c.table}, input(probes.NewSet()), diagnosis.Report{}, clock)
		if r.Verdict != c.want {
			t.Errorf("%s: want %s, got %s: %s", name, c.want, r.Verdict, r.Says)
		}
	}
	r := Run(t.Context(), step, Place{}, torn{}, input(probes.NewSet()), diagnosis.Report{}, clock)
	if r.Verdict != Unknown || r.Err == nil || strings.Contains(r.Says, "\x1b") {
		t.Errorf("a source that panics: %+v", r)
	}
}

// torn is a source that panics.
type torn struct{ seen }

func (torn) Pane(context.Context, probes.Set, string, string) (Table, error) { panic("torn\x1b") }

// lateBook is a playbook as an outsider writes it; its rule needs the locks.
const lateBook = `
name: late
title: Late copies
when: [It is late]
asks: copy
rules:
  - id: late-lock
    title: A lock outlived its corrector
    when: locks_expired > 1 && waiting < 100
    says: Locks are past their time.
    severity: P1
    confidence: likely
    explains: [expired-locks]
    actions:
      - {action: clear-expired, on: locks, why: They hold nothing., consequence: None.}
steps:
  - id: look
    title: The copy
    why: We look at it.
    look: {page: "trace {copy}"}
  - id: tool
    title: Our tool
    why: It knows.
    look: {command: [tool]}
    verdicts:
      - {when: rows > 0, is: cause, says: "The tool found {n} of them."}
causes: [late-lock, expired-locks]
actions:
  - {action: purge, on: queue, target: celery, why: Last., consequence: All is gone.}
  - {action: force-unlock, on: copy, target: "{copy_id}", why: Frees it., consequence: Unsaved work is lost.}
  - {action: clear-expired, on: locks, why: Twice., consequence: Twice.}
advice:
  - {title: Ask, when: locks > 0, says: "Ask about {copy}.", text: {deployed: "mail {copy}", playbook: "post {copy}"}}
  - {title: Not now, when: locks > 100, says: Never.}
prevent: [Close the tab.]
escalate:
  - {to: Head, when: locks_expired > 1, says: Locks were left behind.}
  - {to: Nobody, when: locks_expired > 100, says: Too many.}
  - {to: Unknown, when: p95 > 1, says: Slow.}
`

// late judges lateBook with the probes given and walks through it.
func late(t *testing.T, place Place, snaps ...probes.Snapshot) (Walk, Conclusion) {
	t.Helper()
	book := parse(t, lateBook)
	in := input(probes.NewSet(snaps...))
	src := seen{table: Table{Columns: []string{"WHAT"}, Rows: [][]string{{"one"}, {"two"}}}}
	report := diagnosis.Judge(in, book.OwnRules()...)
	w := Walk{Book: book, Place: place, Started: noon}
	for _, s := range book.Steps {
		w.Steps = append(w.Steps, StepState{Status: Done, Runs: 1, Result: Run(t.Context(), s, place, src, in, report, clock)})
	}
	return w, Conclude(w, in, report)
}

func TestOwnCausesAreJudgedLikeTheOthers(t *testing.T) {
	snaps := all()
	_, c := late(t, Place{Copy: z7}, snaps[:2]...)
	i := slices.IndexFunc(c.Causes, func(f diagnosis.Finding) bool { return f.Rule == "late-lock" })
	if i < 0 {
		t.Fatal(c.Causes)
	}
	f := c.Causes[i]
	if f.Severity != diagnosis.P1 || f.Confidence != diagnosis.Likely || f.Scenario != "late" || len(f.Follows) == 0 || f.Follows[0].Rule != "expired-locks" {
		t.Errorf("%+v", f)
	}
	want := []diagnosis.Evidence{{From: "grading", Says: "locks expired: 2"}, {From: "queues", Says: "waiting: 7"}}
	if d := cmp.Diff(want, f.Evidence); d != "" {
		t.Error(d)
	}
	_, c = late(t, Place{Copy: z7}, snaps[0])
	if !slices.ContainsFunc(c.Open, func(s string) bool {
		return strings.Contains(s, "A lock outlived its corrector? Not known now: waiting.")
	}) {
		t.Errorf("what cannot be judged is said: %q", c.Open)
	}
}

func TestTheEndOffersTheSafestFirstAndEachOnce(t *testing.T) {
	_, c := late(t, Place{Copy: z7}, all()...)
	var offers []string
	for _, o := range c.Offers {
		offers = append(offers, o.Action+" "+o.ID)
	}
	if want := []string{"clear-expired expired", "force-unlock 11111111-2222-3333-4444-555555555555", "purge celery"}; !slices.Equal(offers, want) {
		t.Errorf("want %q, got %q", want, offers)
	}
	if len(c.Advice) != 1 || c.Advice[0].Says != "Ask about A3F2-0007." || len(c.Escalate) != 2 {
		t.Errorf("%+v %+v", c.Advice, c.Escalate)
	}
	if last := c.Causes[len(c.Causes)-1]; last.Rule != "tool" || last.Says != "The tool found 2 of them." || len(last.Evidence) != 2 {
		t.Errorf("a cause that only a step found: %+v", last)
	}
	w, c := late(t, Place{}, all()...)
	if !w.Steps[0].Result.Skipped || !strings.Contains(c.Open[0], "was skipped") {
		t.Errorf("%+v %q", w.Steps[0].Result, c.Open)
	}
	if slices.ContainsFunc(c.Offers, func(o Offer) bool { return o.Action == "force-unlock" }) {
		t.Error("nothing is offered for a copy that nobody chose")
	}
}

func TestEveryActionHasItsPlaceInTheOrder(t *testing.T) {
	known := slices.Concat(harms...)
	var all []string
	for _, a := range actions.All(actions.Deps{}) {
		all = append(all, a.ID())
	}
	for _, id := range all {
		if !slices.Contains(known, id) {
			t.Errorf("how much harm can %s do? Say it in harms.", id)
		}
	}
	for _, id := range known {
		if !slices.Contains(all, id) {
			t.Errorf("there is no action %s", id)
		}
	}
}
