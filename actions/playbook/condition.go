package playbook

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// scope is what an expression may speak of.
type scope int

const (
	factsOnly scope = iota // a cause of one's own: judged all the time
	plain                  // and found(rule), alone(rule)
	withTable              // and the rows that the step saw
)

// maxNodes bounds an expression; a long one has fifty. What a run may cost is for
// [survey].
const maxNodes = 1000

// condition is a compiled expression; nil always holds. It is taken apart at
// its outer && and ||, so that an answer that does not hang on what is unknown
// is an answer.
type condition struct {
	op    string // "&&", "||"; "" a leaf
	parts []*condition

	program *vm.Program
	columns []string // of the table, that it speaks of
}

func compile(text string, s scope) (*condition, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, nil
	case len(text) > maxText: // the library takes as long as it is deep, squared
		return nil, fmt.Errorf("an expression has at most %d characters; this has %d", maxText, len(text))
	}
	about := surveyOf(text)
	if says := about.heavy(); says != "" {
		return nil, errors.New(says)
	}
	whole, err := leaf(text, s)
	if err != nil {
		return nil, err
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, oneLine(err)
	}
	if _, op := outer(tree.Node); op == "" {
		return whole, nil
	}
	return split(tree.Node, s)
}

// outer gives the operator at which an expression is taken apart.
func outer(n ast.Node) (*ast.BinaryNode, string) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil, ""
	}
	return b, map[string]string{"&&": "&&", "and": "&&", "||": "||", "or": "||"}[b.Operator]
}

func split(n ast.Node, s scope) (*condition, error) {
	b, op := outer(n)
	if op == "" {
		return leaf(n.String(), s)
	}
	c := &condition{op: op}
	for _, part := range []ast.Node{b.Left, b.Right} {
		p, err := split(part, s)
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, p)
	}
	return c, nil
}

func leaf(text string, s scope) (*condition, error) {
	facts := &factual{}
	p, err := expr.Compile(text, expr.Env(sampleEnv(s)), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(facts))
	if err == nil {
		err = facts.err
	}
	if err != nil {
		return nil, oneLine(err)
	}
	slices.Sort(facts.columns)
	return &condition{program: p, columns: slices.Compact(facts.columns)}, nil
}

// oneLine is an error without the picture of the place that the library draws.
func oneLine(err error) error {
	var e *file.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s (at character %d of the expression)", e.Message, e.Column+1)
	}
	return err
}

// factual turns each name of a fact into a question that can be answered by "not
// known", which ends the run: with a value that stands for it, a comparison of
// the wrong direction would hold.
type factual struct {
	columns []string
	err     error
}

// Visit is called for every node, the inner ones first.
func (f *factual) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			f.err = errors.New("$env is no name here")
		}
		for _, fact := range Facts() {
			if fact.Name == n.Value {
				ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: question(fact.sample)}, Arguments: []ast.Node{&ast.StringNode{Value: n.Value}}})
			}
		}
	case *ast.MemberNode:
		if _, row := n.Node.(*ast.PointerNode); row {
			if name, ok := n.Property.(*ast.StringNode); ok {
				f.columns = append(f.columns, name.Value)
			}
		}
	}
}

// question is the function that answers a fact of a type. No expression can
// write its name.
func question(sample any) string { return fmt.Sprintf("fact %T", sample) }

// answers are those functions over what is known.
func answers(known func(string) any) map[string]any {
	return map[string]any{
		question(0):     ask[int](known),
		question(0.0):   ask[float64](known),
		question(""):    ask[string](known),
		question(false): ask[bool](known),
	}
}

// errUnknown ends the run of an expression.
var errUnknown = errors.New("not known")

func ask[T any](known func(string) any) func(string) (T, error) {
	return func(name string) (T, error) {
		v, ok := known(name).(T)
		if !ok {
			return v, errUnknown
		}
		return v, nil
	}
}

// sampleEnv has every name with a value of its type.
func sampleEnv(s scope) map[string]any {
	env := answers(func(string) any { return nil })
	for _, f := range Facts() {
		env[f.Name] = f.sample
	}
	if s >= plain {
		is := func(string) (bool, error) { return false, nil }
		env["found"], env["alone"] = is, is
	}
	if s >= withTable {
		env["rows"], env["table"], env["lines"] = 0, []map[string]string{}, []string{}
	}
	return env
}
