package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// file is what the YAML file says, flattened to dotted keys with their lines.
type file struct {
	path string
	top  map[string]entry            // settings for every environment
	envs map[string]map[string]entry // settings by environment
	keys map[string][]string         // command → keys, for remapping
	def  string                      // the environment to take when none is named
}

type entry struct {
	value string
	line  int
}

// Error is a mistake in the configuration. It names the place and the cause and
// holds no value of a secret.
type Error struct {
	Where string // "config.yaml:12", "--locks", "DATABASE_URL"
	Why   string
}

// Error gives one line.
func (e *Error) Error() string { return e.Where + ": " + e.Why }

// readFile reads the YAML file. A file that is not there is an empty one,
// unless it was asked for by name.
func readFile(path string, asked bool) (*file, error) {
	f := &file{path: path, top: map[string]entry{}, envs: map[string]map[string]entry{}, keys: map[string][]string{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return f, nil
	}
	if err != nil {
		return nil, &Error{path, "cannot be read: " + reason(err)}
	}
	doc, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, &Error{path, "is not YAML: " + firstLine(err.Error())}
	}
	for _, d := range doc.Docs {
		if err := f.root(d.Body); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// root reads the top level: settings, environments, keys, default.
func (f *file) root(n ast.Node) error {
	return f.each(n, func(key string, line int, v ast.Node) error {
		switch key {
		case "default":
			f.def = scalar(v)
		case "environments":
			return f.each(v, func(name string, _ int, v ast.Node) error {
				f.envs[name] = map[string]entry{}
				return f.settings(v, "", f.envs[name])
			})
		case "keys":
			return f.each(v, func(command string, line int, v ast.Node) error {
				list, err := f.list(v, line)
				f.keys[command] = list
				return err
			})
		default:
			return f.setting(key, line, v, f.top, []string{"default", "environments", "keys"})
		}
		return nil
	})
}

// settings reads a mapping of settings; nested mappings give dotted keys.
func (f *file) settings(n ast.Node, prefix string, into map[string]entry) error {
	return f.each(n, func(key string, line int, v ast.Node) error {
		return f.setting(prefix+key, line, v, into, nil)
	})
}

// setting reads one setting, or the mapping that groups several.
func (f *file) setting(key string, line int, v ast.Node, into map[string]entry, also []string) error {
	known := also
	for _, s := range Settings() {
		if s.Key == key {
			return f.keep(s, line, v, into)
		}
		known = append(known, s.Key)
	}
	group := key + "."
	if slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, group) }) {
		return f.settings(v, group, into)
	}
	return &Error{fmt.Sprintf("%s:%d", f.path, line), unknown(key, known)}
}

func (f *file) keep(s Setting, line int, v ast.Node, into map[string]entry) error {
	value := scalar(v)
	if seq, ok := v.(*ast.SequenceNode); ok {
		var parts []string
		for _, n := range seq.Values {
			parts = append(parts, scalar(n))
		}
		if value = strings.Join(parts, ","); s.Words {
			value = join(parts)
		}
	}
	if err := s.validate(value); err != nil {
		return &Error{fmt.Sprintf("%s:%d", f.path, line), s.Key + ": " + err.Error()}
	}
	into[s.Key] = entry{value, line}
	return nil
}

// each walks a mapping. An empty one (null) is no mistake.
func (f *file) each(n ast.Node, do func(key string, line int, v ast.Node) error) error {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return &Error{fmt.Sprintf("%s:%d", f.path, n.GetToken().Position.Line), "a mapping (key: value) is expected here"}
	}
	for _, p := range pairs {
		key := scalar(p.Key)
		if err := do(key, p.Key.GetToken().Position.Line, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) list(n ast.Node, line int) ([]string, error) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		var out []string
		for _, v := range n.Values {
			out = append(out, scalar(v))
		}
		return out, nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return nil, &Error{fmt.Sprintf("%s:%d", f.path, line), "a key or a list of keys is expected here"}
	default:
		return []string{scalar(n)}, nil
	}
}

// scalar gives the text of a value as it was written, without quotes.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value)
	case ast.MapKeyNode:
		return strings.Trim(n.GetToken().Value, `"'`)
	default:
		return n.GetToken().Value
	}
}

// unknown says that a key is not known and which one was probably meant.
func unknown(key string, known []string) string {
	best, distance := "", len(key)/2+1
	for _, k := range known {
		if d := edits(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return fmt.Sprintf("unknown key %q; `gradecockpit config show` lists the known ones", key)
	}
	return fmt.Sprintf("unknown key %q; did you mean %q?", key, best)
}

// edits is the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
