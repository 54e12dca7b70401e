package playbook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions/catalogue"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// hostile are ids that a pupil or a mistake could make.
var hostile = []string{
	`$(rm -rf ~)`, "`id`", `'; DROP TABLE exams_copy; --`, `"quoted" level:error`, `-rf`, "a b !c /d/ since:1h", "new\nline", "\x1b[2J", `end\`, `{n}`, `\"`, "|| true", "é✓",
}

func of(id string) Place {
	return Place{Dialect: grading.Deployed, Copy: grading.CopyRef{ID: id, Anon: id}, Names: map[string]string{"log_dir": "/srv/my logs"}}
}

// TestHostileCopies: whatever a copy is called, it is a value and nothing more.
func TestHostileCopies(t *testing.T) {
	steps := []Step{
		{ID: "sql", Look: Look{SQL: BySchema{"SELECT $1, $2", "SELECT $1, $2"}, Args: []string{"{copy_id}", "x{copy}"}}},
		{ID: "logs", Look: Look{Logs: "level:error {copy} since:24h"}},
		{ID: "command", Look: Look{Command: []string{"tool", "--copy", "{copy}"}}},
	}
	for _, id := range hostile {
		for _, s := range steps {
			r := Run(t.Context(), s, of(id), given{asked: func(what string, args ...any) {
				switch what {
				case "sql":
					if !slices.Equal(args, []any{"SELECT $1, $2", id, "x" + id}) {
						t.Errorf("%q reached SQL as %q", id, args)
					}
				case "logs":
					oneTerm(t, id, args[0].(string))
				case "command":
					if argv := args[0].([]string); len(argv) != 3 || argv[2] != id || strings.HasPrefix(argv[2], "-") {
						t.Errorf("%q reached a command as %q", id, argv)
					}
				}
			}}, diagnosis.Input{Now: moment}, diagnosis.Report{}, clock)
			if r.Verdict == Cause {
				t.Errorf("%q: %+v", id, r)
			}
		}
		text := of(id).FillCommand("ls {copy_id}")
		if strings.Contains(text, id) && id != "é✓" {
			t.Errorf("%q stands in a command to be pasted: %s", id, text)
		}
	}
	if got := of("A3F2-0001").Text(ByHand{Deployed: "grep {copy} {log_dir}"}); got != "grep A3F2-0001 {log_dir}" {
		t.Error(got)
	}
}

// oneTerm: the query has the value as one text, besides what the step asks.
func oneTerm(t *testing.T, id, query string) {
	t.Helper()
	q, err := logs.ParseQuery(query, moment, time.UTC)
	plain, _ := logs.ParseQuery("level:error since:24h", moment, time.UTC)
	if err != nil {
		t.Errorf("%q makes the query %s: %v", id, query, err)
		return
	}
	texts := q.Text
	q.Text = nil
	if want := strings.TrimRight(id, `\`); len(texts) != 1 || texts[0] != want || !cmp.Equal(q, plain) {
		t.Errorf("%q makes the query %s: %q", id, query, texts)
	}
}

func TestRunSurvivesWhatItSees(t *testing.T) {
	book, problems := Parse([]byte(within(`    look: {pane: locks}
    verdicts:
      - {when: 'any(table, .held_by == "anna" && .age != "")', is: cause, says: "{n} rows"}
`)), "f.yaml", Catalogue{})
	if book == nil {
		t.Fatal(problems)
	}
	for name, c := range map[string]struct {
		table Table
		want  Verdict
	}{
		"nothing":        {Table{}, OK},
		"short rows":     {Table{Columns: []string{"held by", "age"}, Rows: [][]string{nil, {"anna"}, {}}}, OK},
		"long rows":      {Table{Columns: []string{"held by", "age"}, Rows: [][]string{{"anna", "1", "2"}}}, Cause},
		"a column twice": {Table{Columns: []string{"held by", "HELD BY", "age"}, Rows: [][]string{{"x", "anna", "1"}}}, Cause},
		"many":           {Table{Columns: []string{"held by", "age"}, Rows: slices.Repeat([][]string{{"\xff", ""}}, 5000)}, OK},
	} {
		w, _, text := walked(book, Place{}, c.table)
		if got := w.Steps[0].Result; got.Verdict != c.want {
			t.Errorf("%s: want %s, got %s: %s", name, c.want, got.Verdict, got.Says)
		}
		if text != strings.Join(clean.Lines(text, 1<<20, 1<<20), "\n")+"\n" {
			t.Errorf("%s: the text for the next responder has controls:\n%q", name, text)
		}
	}
	r := Run(t.Context(), book.Steps[0], Place{}, given{asked: func(string, ...any) { panic("torn\x1b") }}, diagnosis.Input{}, diagnosis.Report{}, clock)
	if r.Verdict != Unknown || r.Err == nil || strings.Contains(r.Says, "\x1b") {
		t.Errorf("a source that panics: %+v", r)
	}
}

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
func late(t *testing.T, place Place, snaps ...probes.Snapshot) (Walk, Conclusion, string) {
	t.Helper()
	book, problems := Parse([]byte(lateBook), "late.yaml", Catalogue{})
	if book == nil {
		t.Fatal(problems)
	}
	in := diagnosis.Input{Set: probes.NewSet(snaps...), Now: moment}
	src := given{Table: Table{Columns: []string{"WHAT"}, Rows: [][]string{{"one"}, {"two"}}}}
	return walkedWith(book, place, src, in, diagnosis.Judge(in, book.OwnRules()...))
}

func TestOwnCausesAreJudgedLikeTheOthers(t *testing.T) {
	snaps := all()
	_, c, _ := late(t, of("A3F2-0001"), snaps[:2]...)
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
	_, c, _ = late(t, of("A3F2-0001"), snaps[0])
	if !slices.ContainsFunc(c.Open, func(s string) bool {
		return strings.Contains(s, "A lock outlived its corrector? Not known now: waiting.")
	}) {
		t.Errorf("what cannot be judged is said: %q", c.Open)
	}
}

func TestTheEndOffersTheSafestFirstAndEachOnce(t *testing.T) {
	_, c, _ := late(t, of("A3F2-0001"), all()...)
	var offers []string
	for _, o := range c.Offers {
		offers = append(offers, o.Action+" "+o.ID)
	}
	if want := []string{"clear-expired ", "force-unlock A3F2-0001", "purge celery"}; !slices.Equal(offers, want) {
		t.Errorf("want %q, got %q", want, offers)
	}
	if len(c.Advice) != 1 || c.Advice[0].Says != "Ask about A3F2-0001." || len(c.Escalate) != 2 {
		t.Errorf("%+v %+v", c.Advice, c.Escalate)
	}
	if last := c.Causes[len(c.Causes)-1]; last.Rule != "tool" || last.Says != "The tool found 2 of them." || len(last.Evidence) != 2 {
		t.Errorf("a cause that only a step found: %+v", last)
	}
	w, c, _ := late(t, Place{}, all()...)
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
	for _, a := range catalogue.All(catalogue.Deps{}) {
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

// TestHandOver: the text pastes into a ticket as it is.
func TestHandOver(t *testing.T) {
	w, c, _ := late(t, of("A3F2-0001"), all()...)
	w.Steps[1].Note = "seen by \x1b[31manna\n# not a heading"
	const want = `# Late copies

Copy: A3F2-0001
Begun 2026-02-01 14:00:00 UTC, handed over 2026-02-01 14:00:00 UTC

## What was looked at

1. The copy: ok. 2 rows, and nothing wrong with them.
2. Our tool: cause. The tool found 2 of them.
   Note: seen by \x1b[31manna # not a heading

## Causes

`
	got := HandOver(w, c, moment)
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s", cmp.Diff(want, got[:min(len(want), len(got))]))
	}
	for _, s := range []string{
		"- A lock outlived its corrector (P1, likely): Locks are past their time.\n  - locks expired: 2\n",
		"- Our tool (P2, likely): The tool found 2 of them.\n  - one\n",
		"## What fits now, safest first\n\n- clear-expired: They hold nothing",
		"- Ask: Ask about A3F2-0001.\n\n      mail A3F2-0001\n",
		"## Escalate\n\n- Head: Locks were left behind.\n",
	} {
		if !strings.Contains(got, s) {
			t.Errorf("no %q in\n%s", s, got)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if clean.Text(line) != line {
			t.Errorf("%q has controls", line)
		}
	}
}
