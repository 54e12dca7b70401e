package playbook

import (
	"cmp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// answer is a truth value of three: what rests on a fact that is not known is
// neither true nor false.
type answer int

const (
	no answer = iota
	unsure
	yes
)

// clause is a piece of a condition. Those that and, or and not join are told
// apart so that one which is not known takes away no more than it decides.
type clause struct {
	join    string // "and", "or", "not"; "" for a leaf
	of      []*clause
	rule    string // a leaf found("rule")
	known   string // a leaf known(fact)
	program *vm.Program
	facts   []string // that the program reads
}

var joins = map[string]string{"&&": "and", "and": "and", "||": "or", "or": "or", "!": "not", "not": "not"}

// split takes a condition apart. whole is the program of the node, nil where it
// has not been compiled yet.
func (c *condition) split(n ast.Node, s scope, whole *vm.Program) *clause {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if join := joins[n.Operator]; join != "" {
			return &clause{join: join, of: []*clause{c.split(n.Left, s, nil), c.split(n.Right, s, nil)}}
		}
	case *ast.UnaryNode:
		if join := joins[n.Operator]; join != "" {
			return &clause{join: join, of: []*clause{c.split(n.Node, s, nil)}}
		}
	case *ast.CallNode:
		if leaf := call(n); leaf != nil {
			return leaf
		}
	}
	leaf := &clause{program: whole}
	if whole == nil {
		leaf.program, _ = program(n.String(), s) // the whole was checked; nil never holds
	}
	var in survey
	ast.Walk(&n, &in)
	leaf.facts = in.facts
	return leaf
}

// call makes a leaf of found("rule") or known(fact); nil when it is neither.
func call(n *ast.CallNode) *clause {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 1 {
		return nil
	}
	switch arg := n.Arguments[0].(type) {
	case *ast.StringNode:
		if name.Value == "found" {
			return &clause{rule: arg.Value}
		}
	case *ast.IdentifierNode:
		if name.Value == "known" {
			return &clause{known: arg.Value}
		}
	}
	return nil
}

// eval gives the answer and, where it is unsure, why.
func (c *clause) eval(v *view) (answer, string) {
	switch {
	case c.join == "not":
		is, why := c.of[0].eval(v)
		return yes - is, why
	case c.join == "and":
		return c.decide(v, no)
	case c.join == "or":
		return c.decide(v, yes)
	case c.known != "":
		return truth(v.env[c.known] != nil), ""
	case c.rule != "":
		v.asked = ""
		is := v.env["found"].(func(string) bool)(c.rule)
		return v.unlessBlind(is)
	}
	return c.run(v)
}

// decide asks the clauses until one decides alone, whatever the others are.
func (c *clause) decide(v *view, alone answer) (answer, string) {
	out, because := yes-alone, ""
	for _, part := range c.of {
		switch is, why := part.eval(v); is {
		case alone:
			return alone, ""
		case unsure:
			out, because = unsure, cmp.Or(because, why)
		}
	}
	return out, because
}

func (c *clause) run(v *view) (answer, string) {
	if why := v.unknown(c.facts); why != "" {
		return unsure, why
	}
	v.asked = ""
	if c.program == nil {
		return unsure, notJudged
	}
	got, err := expr.Run(c.program, v.env)
	if err != nil {
		return unsure, notJudged
	}
	is, _ := got.(bool)
	return v.unlessBlind(is)
}

const notJudged = "It cannot be judged from what was seen."

// unlessBlind is an answer, unless it rests on a rule that could not be judged.
func (v *view) unlessBlind(is bool) (answer, string) {
	if v.asked != "" {
		return unsure, v.asked
	}
	return truth(is), ""
}

func truth(is bool) answer {
	if is {
		return yes
	}
	return no
}

// unknown says which of the facts are not known; "" all are.
func (v *view) unknown(facts []string) string {
	var names []string
	for _, f := range facts {
		if v.env[f] == nil {
			names = append(names, strings.ReplaceAll(f, "_", " "))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Not known now: " + strings.Join(names, ", ") + "."
}

// survey notes what an expression speaks of.
type survey struct {
	rules, facts []string
	loops        int
	ranges       bool
}

// Visit notes one node.
func (s *survey) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if isFact(n.Value) && !slices.Contains(s.facts, n.Value) {
			s.facts = append(s.facts, n.Value)
		}
	case *ast.CallNode:
		if leaf := call(n); leaf != nil && leaf.rule != "" {
			s.rules = append(s.rules, leaf.rule)
		}
	case *ast.PredicateNode:
		s.loops++
	case *ast.BinaryNode:
		s.ranges = s.ranges || n.Operator == ".."
	}
}

func isFact(name string) bool {
	_, ok := sampleEnv(withTable)[name]
	return ok && !slices.Contains([]string{"known", "found", "rows", "table", "lines"}, name)
}
