// Package statements holds the action on a statement: EXPLAIN ANALYZE, which
// runs it once to measure its plan. It goes through the same steps as what
// writes, because running a statement costs, and can cost much.
package statements

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/explain"
	"gradecockpit/probes/postgres"
	"gradecockpit/probes/storage"
)

// maxShown is what a plan shows of a statement, in characters, and maxEvidence
// how many lines of the measured plan go to the journal.
const (
	maxShown    = 300
	maxEvidence = 60
)

// Deps is what this package needs.
type Deps struct{ Writer *postgres.Writer }

// All gives the actions of this package.
func All(d Deps) []actions.Action { return []actions.Action{analyze{d}} }

type analyze struct{ Deps }

func (analyze) ID() string                  { return "explain-analyze" }
func (analyze) Title() string               { return "Run the statement to measure its plan" }
func (analyze) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnStatement} }

// Lasts leaves the server's own time limit room to strike first.
func (analyze) Lasts() time.Duration { return explain.MeasureFor + 5*time.Second }

// Impossible says why nothing can be measured here.
func (a analyze) Impossible(set probes.Set) string {
	_, snap, ok := probes.Of[storage.Overview](set, storage.ID)
	switch {
	case a.Writer == nil:
		return "No database is configured: set DATABASE_URL."
	case !ok && snap.Err != nil:
		return "The database cannot be read: " + strings.TrimRight(snap.Err.Error(), ".") + "."
	case !ok:
		return "The database has not been looked at yet."
	}
	return ""
}

func (a analyze) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "One statement at a time."
	}
	return ""
}

// job is what a plan is about, and in the end what was measured.
type job struct {
	text     string
	plan     explain.Plan
	measured explain.Plan
}

func (a analyze) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, &actions.Refusal{Why: "There is no choice " + q.Choice + "."}
	}
	j := &job{}
	err := a.Writer.Read(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if j.text, err = textOf(ctx, tx, q.Target.ID); err != nil {
			return err
		}
		if j.plan, err = explain.Read(ctx, tx, j.text); err != nil {
			return err
		}
		return j.plan.Runnable()
	})
	if err != nil {
		return actions.Plan{}, told("plan the statement", err)
	}
	return a.state(q, j), nil
}

// state puts the plan into words.
func (a analyze) state(q actions.Request, j *job) actions.Plan {
	p := actions.NewPlan(a, q)
	p.Title, p.Private = "Run the statement once, to measure its plan", j
	p.Says = []string{
		"It is executed for real, in a READ ONLY transaction that ends after " + actions.Span(explain.MeasureFor) + " at the latest: " + shown(j.text),
		"It costs the server what the statement costs. No row is written; its rows are thrown away.",
	}
	if n := j.plan.Parameters; n > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("The values of its %s are not known: it runs with NULL for each, so a condition on one finds nothing and the times say little. "+
			"With real values: gradecockpit explain --analyze 'SELECT …'.", parameters(n)))
	}
	for _, says := range j.plan.Louds() {
		p.Warnings = append(p.Warnings, "The plan "+says+".")
	}
	p.Seen["statement"], p.Seen["parameters"] = shown(j.text), strconv.Itoa(j.plan.Parameters)
	p.Steps = []actions.Step{{Verb: "execute", Object: "EXPLAIN (ANALYZE, BUFFERS)", Detail: "read only, rolled back",
		Statement: "EXPLAIN (ANALYZE, BUFFERS) " + clean.Capped(oneLine(j.text), 4*maxShown)}}
	p.StopsIf = "Stops if the statement is another one by now, or calls something that can act."
	p.Undo = "Not needed: nothing is changed."
	return p
}

func parameters(n int) string {
	if n == 1 {
		return "1 parameter"
	}
	return fmt.Sprintf("%d parameters", n)
}

// textOf is the text of the statement with that queryid; what is no queryid is
// a statement itself.
func textOf(ctx context.Context, tx pgx.Tx, id string) (string, error) {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		return storage.StatementText(ctx, tx, n)
	}
	return id, nil
}

func (a analyze) Execute(ctx context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	j := p.Private.(*job)
	err := a.Writer.Read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		now, err := textOf(ctx, tx, p.Target.ID)
		if err != nil {
			return err
		}
		if now != j.text {
			return &actions.Moved{Says: "The statement is another one.", Diffs: []actions.Diff{{Name: "statement", Was: shown(j.text), Is: shown(now)}}}
		}
		j.measured, err = explain.Measure(ctx, tx, j.text)
		return err
	})
	if err != nil {
		return actions.Effect{}, told("measure the statement", err)
	}
	return actions.Effect{Did: []string{"ran the statement once, read only"}}, nil
}

// told turns a failure into what an action reports.
func told(op string, err error) error {
	var no *explain.Refused
	var moved *actions.Moved
	switch {
	case errors.As(err, &no):
		return &actions.Refusal{Why: no.Why, Next: no.Next}
	case errors.Is(err, storage.ErrNoStatement):
		return &actions.Refusal{Why: "There is no such statement: " + clean.Capped(err.Error(), maxShown) + "."}
	case errors.As(err, &moved):
		return err
	}
	return postgres.Describe(op, err)
}

// took is the last line of a measured plan.
var took = regexp.MustCompile(`^Execution Time: ([\d.]+) ms`)

// Verify has nothing to wait for: the measured plan is the evidence.
func (a analyze) Verify(_ context.Context, p actions.Plan, _ actions.Effect, _ func(string)) actions.Verdict {
	j := p.Private.(*job)
	v := actions.Verdict{Kind: actions.Fixed, Says: "Measured."}
	for i, l := range j.measured.Lines {
		if m := took.FindStringSubmatch(l.Text); m != nil {
			v.Says = "Measured: it ran for " + m[1] + " ms."
		}
		if i >= maxEvidence {
			continue
		}
		line := level(l.Text)
		if l.Loud != "" {
			line += "   <- " + l.Loud
		}
		v.Evidence = append(v.Evidence, line)
	}
	if n := j.measured.Parameters; n > 0 {
		v.Says += " With NULL for its " + parameters(n) + " this is the shape of the plan, not its usual time."
	}
	if says := j.measured.Louds(); len(says) > 0 {
		v.Next = "Look at what is loud: " + strings.Join(says, "; ") + "."
	}
	return v
}

// level keeps the depth of a line in sight where blanks are not kept.
func level(line string) string {
	text := strings.TrimLeft(line, " ")
	if n := (len(line) - len(text)) / 2; n > 0 {
		return strings.Repeat("·", n) + " " + text
	}
	return text
}

// Settle knows that nothing can have been written.
func (a analyze) Settle(context.Context, actions.Record) actions.Verdict {
	return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether the statement ran. It can have written nothing."}
}

// oneLine is a statement as it is shown and kept in the journal.
func oneLine(text string) string { return strings.Join(strings.Fields(clean.SQL(text)), " ") }

func shown(text string) string { return clean.Capped(oneLine(text), maxShown) }
