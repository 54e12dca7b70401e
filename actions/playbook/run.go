package playbook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
)

// lookFor bounds one look.
const lookFor = 10 * time.Second

// Run makes one look of a step and judges it. It may be called for several
// steps at once. now is asked at the start and at the end.
func Run(ctx context.Context, s Step, place Place, src Sources, in diagnosis.Input, report diagnosis.Report, now func() time.Time) Result {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	start := now()
	if place.Copy.ID == "" && wantsCopy(append(s.Look.Command, s.Look.Page, s.Look.Logs)...) {
		return Result{Skipped: true, Verdict: Unknown, Says: "This step looks at one copy, and none was chosen.", At: start}
	}
	table, err := guarded(ctx, s.Look, place, src, in, report)
	r := Result{Table: table, Err: err, At: now()}
	r.Took = r.At.Sub(start)
	if err != nil {
		r.Verdict, r.Says = Unknown, err.Error()
		return r
	}
	r.Verdict, r.Says, r.Rule = judge(s, place, newView(in, place, report).over(table))
	return r
}

// guarded is a look whose source may fail in any way: a step that could not be
// looked at must not take the cockpit with it.
func guarded(ctx context.Context, l Look, place Place, src Sources, in diagnosis.Input, report diagnosis.Report) (t Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = Table{}, &probes.Error{Op: "look", Cause: clean.Capped(fmt.Sprintf("failed unexpectedly: %v", p), 200)}
		}
	}()
	return look(ctx, l, place, src, in, report)
}

func look(ctx context.Context, l Look, place Place, src Sources, in diagnosis.Input, report diagnosis.Report) (Table, error) {
	switch {
	case len(l.Causes) > 0:
		return findings(l.Causes, report), nil
	case src == nil:
		return Table{}, &probes.Error{Op: "look", Cause: "there is no source"}
	case l.Pane != "":
		filter := l.Filter
		if place.Copy.ID == "" && wantsCopy(filter) {
			filter = ""
		}
		return src.Pane(ctx, in.Set, l.Pane, place.fill(filter, -1))
	case l.SQL != BySchema{}:
		return sqlLook(ctx, l, place, src)
	case l.Page != "":
		words, err := place.words(strings.SplitN(l.Page, " ", 2))
		if err != nil {
			return Table{}, err
		}
		return src.Page(ctx, in.Set, words[0], strings.Join(words[1:], ""))
	case l.Logs != "":
		if err := place.missing(l.Logs); err != nil {
			return Table{}, err
		}
		return src.Logs(ctx, place.query(l.Logs))
	default:
		argv, err := place.words(l.Command)
		if err != nil {
			return Table{}, err
		}
		return src.Command(ctx, argv)
	}
}

// words fills in the words of a look. One that would become an option of a
// program, or whose name has no value here, is an error.
func (p Place) words(texts []string) ([]string, error) {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = p.fill(t, -1)
		if strings.HasPrefix(out[i], "-") && !strings.HasPrefix(t, "-") {
			return nil, &probes.Error{Source: "playbook", Op: "look", Cause: "the value of " + t + " begins with a hyphen, and a program would take it for an option"}
		}
		if err := p.missing(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// missing is an error where a name of a text has no value here.
func (p Place) missing(text string) error {
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		if p.value(m[1], -1) == "" {
			return &probes.Error{Source: "playbook", Op: "look", Cause: m[0] + " is not known here"}
		}
	}
	return nil
}

// sqlLook binds the arguments; a name that has no value is an empty text.
func sqlLook(ctx context.Context, l Look, place Place, src Sources) (Table, error) {
	text := place.sql(l.SQL)
	if text == "" {
		return Table{Note: "There is nothing to ask with these names of the tables."}, nil
	}
	args := make([]any, len(l.Args))
	for i, a := range l.Args {
		args[i] = named.ReplaceAllStringFunc(a, func(m string) string { return place.value(m[1:len(m)-1], -1) })
	}
	return src.SQL(ctx, text, args)
}

// findings is the table of what rules found.
func findings(rules []string, report diagnosis.Report) Table {
	t := Table{Columns: []string{"cause", "sure", "what was seen"}}
	for _, id := range rules {
		f, ok := report.Find(id)
		if !ok {
			continue
		}
		t.Rows = append(t.Rows, []string{f.Title, f.Confidence.String(), f.Says})
		for _, e := range f.Evidence {
			t.Rows = append(t.Rows, []string{"", "", e.Says})
		}
	}
	return t
}

// judge tries the verdicts in order. None holds: the step is ok, unless one of
// them could not be told. Nor is it ok by a verdict behind one of those.
func judge(s Step, place Place, v *view) (Verdict, string, string) {
	rows, _ := v.env["rows"].(int)
	unknown := ""
	for i := range s.Verdicts {
		c := &s.Verdicts[i]
		ok, why := v.holds(c.when, c.When, withTable)
		switch {
		case ok && (c.Is != OK || unknown == ""):
			return c.Is, clean.Text(place.fill(c.Says, rows)), c.Rule
		case unknown == "":
			unknown = why
		}
	}
	if unknown != "" {
		return Unknown, unknown, ""
	}
	return OK, fine(rows, v), ""
}

func fine(rows int, v *view) string {
	if lines, _ := v.env["lines"].([]string); len(lines) > 0 {
		return "Nothing in it says that something is wrong."
	}
	switch rows {
	case 0:
		return "Nothing here: that is as it should be."
	case 1:
		return "One row, and nothing wrong with it."
	}
	return fmt.Sprintf("%d rows, and nothing wrong with them.", rows)
}
