package playbook

import (
	"fmt"
	"maps"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"gradecockpit/probes/diagnosis"
)

// scope is what an expression may speak of.
type scope int

const (
	factsOnly scope = iota // a cause of one's own: judged all the time
	plain                  // and found(rule)
	withTable              // and the rows that the step saw
)

// The bounds of an expression: a long one has fifty nodes, and none in the
// built-in playbooks has a loop inside another. The library bounds the memory
// of a run by itself.
const (
	maxNodes = 1000
	maxLoops = 3
)

// condition is a compiled expression; nil always holds.
type condition struct {
	root  *clause
	rules []string // that it asks for by found("…")
	facts []string // that it reads, each once
}

func compile(text string, s scope) (*condition, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	whole, err := program(text, s)
	if err != nil {
		return nil, err
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	c := &condition{}
	if err := c.survey(&tree.Node); err != nil {
		return nil, err
	}
	c.root = c.split(tree.Node, s, whole)
	return c, nil
}

// program compiles an expression with all its names and types checked. No
// function of it reads a clock, a file or anything else from outside.
func program(text string, s scope) (*vm.Program, error) {
	p, err := expr.Compile(text, expr.Env(sampleEnv(s)), expr.AsBool(), expr.MaxNodes(maxNodes),
		expr.DisableBuiltin("now"), expr.DisableBuiltin("date"), expr.DisableBuiltin("timezone"), expr.DisableBuiltin("repeat"))
	if err != nil {
		if e, ok := err.(*file.Error); ok { // its Error draws a picture of the place over lines
			return nil, fmt.Errorf("%s (at character %d of the expression)", e.Message, e.Column+1)
		}
		return nil, err
	}
	return p, nil
}

// sampleEnv has every name with a value of its type.
func sampleEnv(s scope) map[string]any {
	env := map[string]any{"known": func(any) bool { return true }}
	for _, f := range Facts() {
		env[f.Name] = f.sample
	}
	if s >= plain {
		env["found"] = func(string) bool { return false }
	}
	if s >= withTable {
		env["rows"], env["table"], env["lines"] = 0, []map[string]string{}, []string{}
	}
	return env
}

// survey notes what an expression speaks of and refuses what could take long.
func (c *condition) survey(root *ast.Node) error {
	var s survey
	ast.Walk(root, &s)
	c.rules, c.facts = s.rules, s.facts
	switch {
	case s.loops > maxLoops:
		return fmt.Errorf("an expression has at most %d loops (any, all, filter, …); this has %d", maxLoops, s.loops)
	case s.ranges:
		return fmt.Errorf("there are no ranges (1..9) here")
	}
	return nil
}

// view is what expressions see at one moment.
type view struct {
	env   map[string]any
	blind map[string]string // rules that could not be judged, and why
	asked string            // why a rule that was asked for is blind; "" none was
}

func newView(in diagnosis.Input, place Place, report diagnosis.Report) *view {
	v := &view{env: make(map[string]any), blind: make(map[string]string)}
	for _, f := range Facts() {
		v.env[f.Name] = f.of(in, place)
	}
	for _, b := range report.Blind {
		v.blind[b.Rule] = b.Why
	}
	v.env["found"] = func(rule string) bool {
		_, ok := report.Find(rule)
		if why := v.blind[rule]; !ok && why != "" && v.asked == "" {
			v.asked = why
		}
		return ok
	}
	v.env["known"] = func(value any) bool { return value != nil }
	return v
}

// columnName is how an expression names a column: "HELD BY" is held_by.
func columnName(title string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "_")
}

// over adds the table of a step.
func (v *view) over(t Table) *view {
	table := make([]map[string]string, len(t.Rows))
	for i, r := range t.Rows {
		row := make(map[string]string, len(t.Columns))
		for j, c := range t.Columns {
			if j < len(r) {
				row[columnName(c)] = r[j]
			}
		}
		table[i] = row
	}
	lines := t.Lines
	if lines == nil {
		lines = []string{}
	}
	out := &view{env: maps.Clone(v.env), blind: v.blind}
	out.env["rows"], out.env["table"], out.env["lines"] = t.count(), table, lines
	out.env["found"] = func(rule string) bool {
		ok := v.env["found"].(func(string) bool)(rule)
		out.asked, v.asked = v.asked, ""
		return ok
	}
	return out
}

// holds tells whether a condition is true; why says what is not known that it
// would have needed. What is not known never makes it true, nor its opposite.
func (v *view) holds(c *condition, text string, s scope) (ok bool, why string) {
	if c == nil {
		var err error
		if c, err = compile(text, s); err != nil {
			return false, err.Error()
		}
		if c == nil {
			return true, ""
		}
	}
	is, why := c.root.eval(v)
	return is == yes, why
}
