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
	return s.ask("sql", text, fmt.Sprint(args...))
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
