package playbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
)

// seen is a source that gives what it was told and keeps what it was asked.
type seen struct {
	table Table
	err   error
	asked *[]string
}

func (s seen) ask(parts ...string) (Table, error) {
	if s.asked != nil {
		*s.asked = append(*s.asked, strings.Join(parts, "|"))
	}
	return s.table, s.err
}
func (s seen) Pane(_ context.Context, _ probes.Set, id, filter string) (Table, error) {
	return s.ask("pane", id, filter)
}
func (s seen) Page(_ context.Context, _ probes.Set, kind, id string) (Table, error) {
	return s.ask("page", kind, id)
}
func (s seen) SQL(_ context.Context, text string, args []any) (Table, error) {

	parts := []string{"sql", text}
	for _, a := range args {
		parts = append(parts, fmt.Sprint(a))
	}
	return s.ask(parts...)

}
func (s seen) Logs(_ context.Context, query string) (Table, error) { return s.ask("logs", query) }
func (s seen) Command(_ context.Context, argv []string) (Table, error) {
	return s.ask(append([]string{"command"}, argv...)...)
}

var (
	noon  = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	clock = func() time.Time { return noon }
	z7    = grading.CopyRef{ID: "11111111-2222-3333-4444-555555555555", Anon: "A3F2-0007"}
)

// set is what the probes saw: n locks, of them expired; the queue fails.
func set(n, expired int) probes.Set {
	o := grading.Overview{Schema: &grading.Schema{Dialect: grading.Playbook}}
	o.Locks.Value.Total, o.Locks.Value.Expired = n, expired
	return probes.NewSet(
		probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, Payload: o},
		probes.Snapshot{ID: celery.ID, Source: probes.Redis, Seq: 1, Payload: celery.Overview{Waiting: 7}, Err: errors.New("refused")})
}

func input(s probes.Set) diagnosis.Input { return diagnosis.Input{Set: s, Now: noon} }

// through goes through a playbook with nothing known.
func through(t *testing.T, p *Playbook) Conclusion {
	t.Helper()
	in := diagnosis.Input{Now: noon}
	report := diagnosis.Judge(in, p.OwnRules()...)
	w := Walk{Book: p, Steps: make([]StepState, len(p.Steps))}
	for i, s := range p.Steps {
		w.Steps[i] = StepState{Status: Done, Result: Run(t.Context(), s, w.Place, seen{}, in, report, clock)}
	}
	c := Conclude(w, in, report)
	HandOver(w, c, noon)
	return c
}

func parse(t *testing.T, text string) *Playbook {
	t.Helper()
	p, problems := Parse([]byte(text), "test.yaml", Catalogue{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func TestConditions(t *testing.T) {
	report := diagnosis.Report{Findings: []diagnosis.Finding{{Rule: "expired-locks", Follows: []diagnosis.Finding{{Rule: "follows"}}}},
		Blind: []diagnosis.Blind{{Rule: "dark", Why: "The lamp is off."}}}
	table := Table{Columns: []string{"COPY", "HELD BY"}, Rows: [][]string{{"A3F2-0007", "mdupont"}, {"B", ""}}, More: 3}
	for _, c := range []struct {
		when string
		ok   bool
		why  string
	}{
		{"", true, ""},
		{"locks == 2 && locks_expired == 1", true, ""},
		{"locks > 2", false, ""},
		{"copy == 'A3F2-0007' && dialect == 'playbook'", true, ""},
		{"rows == 5", true, ""},
		{"any(table, .held_by == 'mdupont')", true, ""},
		{"any(table, .nothing == 'x')", false, "There is no column nothing in what was seen."},
		{"rows > 0 || any(table, .nothing == '')", true, ""},
		{"len(lines) == 0", true, ""},
		{"found('expired-locks') && found('follows')", true, ""},
		{"alone('expired-locks')", true, ""},
		{"alone('follows')", false, ""},
		{"alone('dark')", false, "The lamp is off."},
		{"found('never-heard-of')", false, ""},
		{"found('dark')", false, "The lamp is off."},
		{"(found('dark') or locks == 2) and rows >= 5", true, ""},
		{"found('dark') || locks == 2", true, ""},
		// What is not known makes no comparison true, in either direction.
		{"waiting > 0", false, "Not known now: waiting."},
		{"waiting < 1000", false, "Not known now: waiting."},
		{"waiting == 0", false, "Not known now: waiting."},
		{"waiting != 5", false, "Not known now: waiting."},
		{"!(waiting > 5)", false, "Not known now: waiting."},
		{"not (waiting == 0)", false, "Not known now: waiting."},
		{"waiting in [1, 2]", false, "Not known now: waiting."},
		{"waiting not in [1, 2]", false, "Not known now: waiting."},
		{"waiting > 1 ? true : true", false, "Not known now: waiting."},
		{"p95 > 5 || unacked > 0", false, "Not known now: p95."},
		{"!found('dark')", false, "The lamp is off."},
		{"!found('never-heard-of')", true, ""},
		{"copy_status != 'LOCKED'", false, "Not known now: copy status."},
		{"locks == 2 || waiting > 0", true, ""},
		{"waiting > 0 || locks == 2", true, ""},
		{"locks > 9 && waiting > 0", false, ""},
		{"locks_in_use", false, "Not known now: locks in use."},
		{"!locks_in_use", false, "Not known now: locks in use."},
	} {
		v := newView(input(set(2, 1)), Place{Copy: z7, Dialect: grading.Playbook}, report).over(table)
		ok, why := v.holds(nil, c.when, withTable)
		if ok != c.ok || why != c.why {
			t.Errorf("%s: %v %q, want %v %q", c.when, ok, why, c.ok, c.why)
		}
	}
}

const steps = `name: mine
title: Mine
steps:
  - id: one
    title: One
    why: To see.
    look: {causes: [expired-locks]}
    verdicts:
`

// one runs a playbook's first step over what was seen.
func one(t *testing.T, look, verdicts string, place Place, src Sources, report diagnosis.Report) Result {
	t.Helper()
	text := strings.Replace(steps, "{causes: [expired-locks]}", look, 1) + verdicts
	return Run(t.Context(), parse(t, text).Steps[0], place, src, input(set(2, 1)), report, clock)
}

func TestTheFirstVerdictThatHoldsSpeaks(t *testing.T) {
	const all = `
      - {when: rows > 10, is: suspicious, says: Many.}
      - {when: rows > 1, is: cause, says: "{n} rows of {copy}.", rule: expired-locks}
      - {when: rows > 0, is: suspicious, says: Some.}`
	for _, c := range []struct {
		name, verdicts string
		rows           int
		want           Verdict
		says, rule     string
	}{
		{"the second of three", all, 2, Cause, "2 rows of A3F2-0007.", "expired-locks"},
		{"the first", all, 11, Suspicious, "Many.", ""},
		{"none", all, 0, OK, "Nothing here: that is as it should be.", ""},
		{"none, over a row", "\n      - {when: rows > 1, is: cause, says: X.}", 1, OK, "One row, and nothing wrong with it.", ""},
		{"one that is not known", "\n      - {when: waiting > 1, is: cause, says: X.}", 1, Unknown, "Not known now: waiting.", ""},
		{"one that holds behind one that is not known", "\n      - {when: waiting > 1, is: cause, says: X.}\n      - {when: rows == 1, is: suspicious, says: Y.}", 1, Suspicious, "Y.", ""},
		{"a cause that could not be judged", "\n      - {when: found('dark'), is: cause, says: X.}", 1, Unknown, "The lamp is off.", ""},
		{"always", "\n      - {is: unknown, says: Nobody knows.}", 1, Unknown, "Nobody knows.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := Table{Columns: []string{"a"}}
			for range c.rows {
				table.Rows = append(table.Rows, []string{"x"})
			}
			report := diagnosis.Report{Blind: []diagnosis.Blind{{Rule: "dark", Why: "The lamp is off."}}}
			r := one(t, "{pane: locks}", c.verdicts, Place{Copy: z7}, seen{table: table}, report)
			if r.Verdict != c.want || r.Says != c.says || r.Rule != c.rule {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestASourceThatFailsMakesAStepUnknown(t *testing.T) {
	fails := &probes.Error{Source: probes.Logs, Op: "search", Cause: "permission denied"}
	r := one(t, "{logs: 'x'}", "\n      - {when: rows == 0, is: cause, says: X.}", Place{}, seen{err: fails}, diagnosis.Report{})
	if r.Verdict != Unknown || !errors.Is(r.Err, fails) || r.Says != "logs: search: permission denied" {
		t.Errorf("%+v", r)
	}
	r = one(t, "{logs: 'x'}", "\n      - {when: rows == 0, is: cause, says: X.}", Place{}, nil, diagnosis.Report{})
	if r.Verdict != Unknown || r.Err == nil {
		t.Errorf("%+v", r)
	}
}

// What is filled in stays what it is: a value of SQL, a word of a command.
func TestHostileNamesStayValues(t *testing.T) {
	evil := Place{Copy: grading.CopyRef{ID: z7.ID, Anon: `x'; DROP TABLE a; -- $(id) "`}}
	for _, c := range []struct {
		look  string
		place Place
		asked string
		fails string
	}{
		{"{sql: 'SELECT $1, $2', args: ['{copy}', 'a literal']}", evil, "sql|SELECT $1, $2|" + evil.Copy.Anon + "|a literal", ""},
		{"{sql: 'SELECT $1', args: ['{copy_id}']}", Place{}, "sql|SELECT $1|", ""},
		{"{command: [tool, '{copy}', '--id={copy_id}']}", evil, "command|tool|" + evil.Copy.Anon + "|--id=" + z7.ID, ""},
		{"{command: [tool, '{copy}']}", Place{Copy: grading.CopyRef{ID: "1", Anon: "--output=/etc/passwd"}}, "", "hyphen"},
		{"{command: [tool, '{media_dir}']}", evil, "", "{media_dir} is not known here"},
		{"{page: 'trace {copy_id}'}", evil, "page|trace|" + z7.ID, ""},
		{"{page: events}", Place{}, "page|events|", ""},
		{"{pane: locks, filter: '{copy}'}", Place{}, "pane|locks|", ""},
		{"{pane: locks, filter: 'x {queue}'}", Place{Names: map[string]string{"queue": "celery"}}, "pane|locks|x celery", ""},
		{"{logs: 'copy:{copy_id}'}", evil, "logs|copy:" + z7.ID, ""},
	} {
		var asked []string
		r := one(t, c.look, "\n      - {is: ok, says: X.}", c.place, seen{asked: &asked}, diagnosis.Report{})
		if got := strings.Join(asked, "\n"); got != c.asked {
			t.Errorf("%s: asked %q", c.look, got)
		}
		if c.fails == "" != (r.Err == nil) || r.Err != nil && !strings.Contains(r.Err.Error(), c.fails) {
			t.Errorf("%s: %+v", c.look, r)
		}
	}
}

func TestAStepThatNeedsACopyIsSkippedWithoutOne(t *testing.T) {
	for _, look := range []string{"{page: 'copy {copy}'}", "{logs: 'copy:{copy_id}'}", "{command: [tool, '{copy}']}"} {
		var asked []string
		r := one(t, look, "\n      - {is: ok, says: X.}", Place{}, seen{asked: &asked}, diagnosis.Report{})
		if !r.Skipped || r.Verdict != Unknown || asked != nil {
			t.Errorf("%s: %+v, asked %q", look, r, asked)
		}
	}
}

// A command that is shown to be pasted never holds what a shell could take for
// more than a word.
func TestCommandsToPasteHoldOnlyHarmlessValues(t *testing.T) {
	const text = "grep {copy} {log_dir}/django.log | {nothing}"
	for anon, want := range map[string]string{
		"A3F2-0042":     "grep A3F2-0042 /var/log/django.log | {nothing}",
		"x; rm -rf /":   "grep {copy} /var/log/django.log | {nothing}",
		"$(id)":         "grep {copy} /var/log/django.log | {nothing}",
		"`id`":          "grep {copy} /var/log/django.log | {nothing}",
		"a'b":           "grep {copy} /var/log/django.log | {nothing}",
		`a"b`:           "grep {copy} /var/log/django.log | {nothing}",
		"a\nb":          "grep {copy} /var/log/django.log | {nothing}",
		"a|b":           "grep {copy} /var/log/django.log | {nothing}",
		"a>b":           "grep {copy} /var/log/django.log | {nothing}",
		"a*":            "grep {copy} /var/log/django.log | {nothing}",
		"-rf":           "grep {copy} /var/log/django.log | {nothing}",
		"{log_dir}":     "grep {copy} /var/log/django.log | {nothing}",
		"A3F2\x00-0042": "grep {copy} /var/log/django.log | {nothing}",
	} {
		p := Place{Copy: grading.CopyRef{ID: "1", Anon: anon}, Names: map[string]string{"log_dir": "/var/log"}}
		if got := p.FillCommand(text); got != want {
			t.Errorf("%q: %q", anon, got)
		}
	}
}
