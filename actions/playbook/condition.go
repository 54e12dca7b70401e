package playbook

import (
	"fmt"
	"maps"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
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

// maxNodes bounds an expression; a long one has fifty. The library bounds the
// memory of a run by itself.
const maxNodes = 1000

// condition is a compiled expression; nil always holds.
type condition struct {
	program *vm.Program
	text    string
}

func compile(text string, s scope) (*condition, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p, err := expr.Compile(text, expr.Env(sampleEnv(s)), expr.AsBool(), expr.MaxNodes(maxNodes), expr.DisableBuiltin("now"))
	if err != nil {
		if e, ok := err.(*file.Error); ok { // its Error draws a picture of the place over lines
			return nil, fmt.Errorf("%s (at character %d of the expression)", e.Message, e.Column+1)
		}
		return nil, err
	}
	return &condition{p, text}, nil
}

// sampleEnv has every name with a value of its type.
func sampleEnv(s scope) map[string]any {
	env := make(map[string]any)
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
		out.asked = v.asked
		return ok
	}
	return out
}

// holds tells whether a condition is true; why says what is not known that it
// would have needed. What is not known never makes it true.
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
	v.asked = ""
	got, err := expr.Run(c.program, v.env)
	if err != nil {
		return false, v.unknown(c)
	}
	if ok, _ := got.(bool); ok {
		return true, ""
	}
	return false, v.asked
}

// unknown says which facts of an expression are not known.
func (v *view) unknown(c *condition) string {
	var names []string
	for _, f := range Facts() {
		if v.env[f.Name] == nil && strings.Contains(c.text, f.Name) {
			names = append(names, strings.ReplaceAll(f.Name, "_", " "))
		}
	}
	if len(names) == 0 {
		return "It cannot be judged from what was seen."
	}
	return "Not known now: " + strings.Join(names, ", ") + "."
}
