package playbook

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// maxLoops bounds the loops of an expression: each goes over all rows, and one
// inside another multiplies. No built-in playbook has more than one.
const maxLoops = 3

// survey is what an expression speaks of.
type survey struct {
	rules  []string // that it asks for by found("…") or alone("…")
	facts  []string // that it reads, each once
	loops  int
	ranges bool
}

// surveyOf looks through an expression; one that cannot be read speaks of nothing.
func surveyOf(text string) (s survey) {
	if tree, err := parser.Parse(text); err == nil {
		ast.Walk(&tree.Node, &s)
	}
	return s
}

// heavy says what of an expression could take long; "" nothing.
func (s *survey) heavy() string {
	switch {
	case s.loops > maxLoops:
		return fmt.Sprintf("an expression has at most %d loops (any, all, filter, …); this has %d", maxLoops, s.loops)
	case s.ranges:
		return "there are no ranges (1..9) here"
	}
	return ""
}

// Visit notes one node.
func (s *survey) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if isFact(n.Value) && !slices.Contains(s.facts, n.Value) {
			s.facts = append(s.facts, n.Value)
		}
	case *ast.CallNode:
		if name, ok := n.Callee.(*ast.IdentifierNode); ok && (name.Value == "found" || name.Value == "alone") && len(n.Arguments) == 1 {
			if rule, ok := n.Arguments[0].(*ast.StringNode); ok {
				s.rules = append(s.rules, rule.Value)
			}
		}
	case *ast.PredicateNode:
		s.loops++
	case *ast.BinaryNode:
		s.ranges = s.ranges || n.Operator == ".."
	}
}

func isFact(name string) bool {
	return slices.ContainsFunc(Facts(), func(f Fact) bool { return f.Name == name })
}
