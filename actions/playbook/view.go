package playbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"

	"gradecockpit/probes/diagnosis"
)

// view is what expressions see at one moment. It is used from one goroutine.
type view struct {
	facts map[string]any // by name; nil: not known
	env   map[string]any
	table *Table // of the step; nil: there is none

	missing []string // what the run under way asked for in vain
	blind   string   // why a rule could not be judged that it asked for
}

func newView(in diagnosis.Input, place Place, report diagnosis.Report) *view {
	v := &view{facts: make(map[string]any)}
	for _, f := range Facts() {
		v.facts[f.Name] = f.of(in, place)
	}
	v.env = answers(func(name string) any {
		if v.facts[name] == nil {
			v.missing = append(v.missing, strings.ReplaceAll(name, "_", " "))
		}
		return v.facts[name]
	})
	v.env["found"] = func(rule string) (bool, error) {
		_, ok := report.Find(rule)
		return v.settled(ok, rule, report)
	}
	v.env["alone"] = func(rule string) (bool, error) { // and follows from nothing else that was found
		ok := slices.ContainsFunc(report.Findings, func(f diagnosis.Finding) bool { return f.Rule == rule })
		return v.settled(ok, rule, report)
	}
	return v
}

// settled answers for a rule. A blind one was not found, and may be there.
func (v *view) settled(found bool, rule string, report diagnosis.Report) (bool, error) {
	i := slices.IndexFunc(report.Blind, func(b diagnosis.Blind) bool { return b.Rule == rule })
	if found || i < 0 {
		return found, nil
	}
	v.blind = report.Blind[i].Why
	return false, errUnknown
}

// over adds the table of a step.
func (v *view) over(t Table) *view {
	rows := make([]map[string]string, len(t.Rows))
	for i, r := range t.Rows {
		row := make(map[string]string, len(t.Columns))
		for j, c := range t.Columns {
			if j < len(r) {
				row[columnName(c)] = r[j]
			}
		}
		rows[i] = row
	}
	v.table, v.env = &t, maps.Clone(v.env)
	v.env["rows"], v.env["table"], v.env["lines"] = t.count(), rows, slices.Concat([]string{}, t.Lines)
	return v
}

// columnName is how an expression names a column: "HELD BY" is held_by.
func columnName(title string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "_")
}

// holds tells whether a condition is true; why says what is not known that the
// answer hangs on. What is not known never makes it true.
func (v *view) holds(c *condition, text string, s scope) (ok bool, why string) {
	if c == nil {
		var err error
		if c, err = compile(text, s); err != nil {
			return false, err.Error()
		}
	}
	if c == nil {
		return true, ""
	}
	return v.judge(c)
}

// judge follows Kleene: one part that is false settles &&, one that is true ||.
func (v *view) judge(c *condition) (ok bool, why string) {
	if c.op == "" {
		return v.run(c)
	}
	for _, p := range c.parts {
		is, unknown := v.judge(p)
		switch {
		case unknown != "" && why == "":
			why = unknown
		case unknown != "":
		case is == (c.op == "||"):
			return is, ""
		}
	}
	return c.op == "&&" && why == "", why
}

func (v *view) run(c *condition) (bool, string) {
	if v.table != nil && len(v.table.Columns) > 0 {
		for _, name := range c.columns {
			if !slices.ContainsFunc(v.table.Columns, func(t string) bool { return columnName(t) == name }) {
				return false, "There is no column " + name + " in what was seen."
			}
		}
	}
	v.missing, v.blind = nil, ""
	got, err := expr.Run(c.program, v.env)
	switch ok, is := got.(bool); {
	case v.blind != "":
		return false, v.blind
	case len(v.missing) > 0:
		return false, "Not known now: " + strings.Join(v.missing, ", ") + "."
	case err != nil || !is:
		return false, "It cannot be judged from what was seen."
	default:
		return ok, ""
	}
}
