package playbook

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// mostNodes bounds a playbook with all its aliases written out; a built-in one
// has a fiftieth of it.
const mostNodes = 50_000

// shape compares a document with the types that it is read into, and gathers
// every key that is none and every value of the wrong kind. The YAML library
// would stop at the first.
type shape struct {
	anchors  map[string]ast.Node
	nodes    int
	wrong    func(n ast.Node, says string)
	unusable bool // it cannot be read into the types
}

// check walks a value; path names it for people.
func (s *shape) check(n ast.Node, t reflect.Type, what string) {
	if s.nodes++; s.nodes > mostNodes {
		if s.nodes == mostNodes+1 {
			s.bad(n, "the playbook is too large with all its aliases written out")
		}
		return
	}
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.AnchorNode:
		s.anchors[n.Name.String()] = n.Value
		s.check(n.Value, t, what)
	case *ast.AliasNode:
		if to, ok := s.anchors[n.Value.String()]; ok {
			s.check(to, t, what)
		} else {
			s.bad(n, fmt.Sprintf("there is no anchor &%s above", n.Value))
		}
	case *ast.TagNode:
		s.bad(n, "tags (!…) are not used here")
	case *ast.MappingNode:
		s.mapping(n, n.Values, t, what)
	case *ast.MappingValueNode:
		s.mapping(n, []*ast.MappingValueNode{n}, t, what)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			s.bad(n, fmt.Sprintf("%s is a list; it should be %s", what, kindOf(t)))
			return
		}
		for _, v := range n.Values {
			s.check(v, t.Elem(), what)
		}
	default:
		if t.Kind() != reflect.String && t != reflect.TypeFor[BySchema]() {
			s.bad(n, fmt.Sprintf("%s is a text; it should be %s", what, kindOf(t)))
		}
	}
}

func (s *shape) bad(n ast.Node, says string) {
	s.unusable = true
	s.wrong(n, says)
}

func (s *shape) mapping(n ast.Node, values []*ast.MappingValueNode, t reflect.Type, what string) {
	if t.Kind() != reflect.Struct {
		s.bad(n, fmt.Sprintf("%s has keys of its own; it should be %s", what, kindOf(t)))
		return
	}
	keys := keysOf(t)
	for _, v := range values {
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			s.check(v.Value, t, what)
			continue
		}
		name := strings.Trim(v.Key.String(), `"'`)
		if f, ok := keys[name]; ok {
			s.check(v.Value, f, name)
			continue
		}
		s.wrong(v.Key, fmt.Sprintf("there is no key %q in %s; there are %s", name, what, strings.Join(slices.Sorted(maps.Keys(keys)), ", ")))
	}
}

// keysOf are the keys of a mapping with the types of their values.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.IsExported() && name != "-" {
			keys[name] = f.Type
		}
	}
	return keys
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[BySchema]():
		return "a text, or deployed: and playbook:"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct:
		return "keys with values"
	}
	return "a text"
}
