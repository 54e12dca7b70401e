package playbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// The bounds of what an expression costs. A loop goes over all rows, and one
// inside another multiplies: three of them take minutes. No built-in playbook has
// more than one loop, or a tenth of the text.
const (
	maxLoops = 3
	maxDepth = 2 // of loops inside one another
	maxText  = 2000
)

// plainFunctions are those that give back no more than they were given. With the
// others, or with names of its own, an expression of a line can make a text that
// doubles at each step, and the library bounds lists only.
var plainFunctions = []string{
	"all", "any", "none", "one", "filter", "find", "findIndex", "findLast", "findLastIndex", "count", "sum", "len", "first", "last", "get",
	"abs", "ceil", "floor", "round", "int", "float", "max", "min", "mean", "median",
	"lower", "upper", "trim", "trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "indexOf", "lastIndexOf", "split",
}

// survey is what an expression speaks of.
type survey struct {
	rules  []string // that it asks for by found("…") or alone("…")
	facts  []string // that it reads, each once
	loops  int
	nested int    // how many loops stand inside one another
	other  string // a function that is not plain; "let" for a name of its own
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
	case s.nested > maxDepth:
		return fmt.Sprintf("loops (any, all, filter, …) stand at most %d deep in one another", maxDepth)
	case s.other != "":
		return fmt.Sprintf("there is no %s here; there are %s", s.other, strings.Join(plainFunctions, ", "))
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
	case *ast.BuiltinNode:
		if !slices.Contains(plainFunctions, n.Name) {
			s.other = n.Name
		}
	case *ast.VariableDeclaratorNode:
		s.other = "let"
	case *ast.PredicateNode:
		s.loop(n)
	case *ast.BinaryNode:
		s.ranges = s.ranges || n.Operator == ".."
	}
}

// loop counts a loop with those inside it, as long as their number is bounded.
func (s *survey) loop(n *ast.PredicateNode) {
	if s.loops++; s.loops > maxLoops {
		return
	}
	var inside survey
	ast.Walk(&n.Node, &inside)
	s.nested = max(s.nested, inside.nested+1)
}

func isFact(name string) bool {
	return slices.ContainsFunc(Facts(), func(f Fact) bool { return f.Name == name })
}
