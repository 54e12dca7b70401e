package playbook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"gradecockpit/probes/clean"
)

// MaxFile bounds a playbook, in bytes; the built-in ones have a tenth of it.
const MaxFile = 256 << 10

// Problem is one mistake in a playbook.
type Problem struct {
	Origin       string
	Line, Column int // from 1; 0 where the mistake has no place
	Says         string
}

// String gives "file.yaml:12:5: what is wrong".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Origin + ": " + p.Says
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Origin, p.Line, p.Column, p.Says)
}

// Parse reads a playbook and gives every mistake in it; with one it gives no
// playbook. origin names the file. What is not in the catalogue is a mistake.
func Parse(data []byte, origin string, cat Catalogue) (*Playbook, []Problem) {
	one := func(line, column int, says string) (*Playbook, []Problem) {
		return nil, []Problem{{clean.Text(origin), line, column, clean.Text(says)}}
	}
	if len(data) > MaxFile {
		return one(0, 0, fmt.Sprintf("the file has more than %d KB", MaxFile>>10))
	}
	if line := tooDeep(data); line > 0 {
		return one(line, 1, "brackets or signs of lists stand too deep in one another")
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return one(place(err))
	}
	if len(file.Docs) > 1 {
		return one(0, 0, "a file holds one playbook")
	}
	c := &checker{book: &Playbook{Origin: clean.Text(origin)}, file: file, cat: cat}
	if c.read() {
		c.check()
	}
	for _, d := range file.Docs {
		if d.Body != nil {
			ast.Walk(seeable{c}, d.Body)
		}
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.book, nil
}

// seeable finds what a terminal would obey or a reader could not see: all texts
// of a playbook are printed.
type seeable struct{ *checker }

func (s seeable) Visit(n ast.Node) ast.Visitor {
	t, ok := n.(*ast.StringNode)
	if !ok {
		return s
	}
	for l := range strings.SplitSeq(t.Value, "\n") {
		if shown := clean.Text(l); utf8.RuneCountInString(shown) != utf8.RuneCountInString(l) {
			line, column := at(t)
			s.add(line, column, "it holds a character that cannot be seen: "+clean.Capped(l, 80))
			break
		}
	}
	return s
}

// The bounds of what stands inside one another: the YAML library takes as long
// as that is deep, squared, and as much of the stack. A built-in one needs four.
const (
	mostOpen    = 100 // brackets, those in texts too
	mostLeading = 20  // signs that begin a line, of lists and keys
)

// tooDeep gives the line where a file goes deeper than a playbook does; 0 none.
func tooDeep(data []byte) (line int) {
	open := 0
	for l := range bytes.Lines(data) {
		line++
		leading := 0
		for _, word := range bytes.Fields(l) {
			if !slices.Contains([]string{"-", "?", ":"}, string(word)) {
				break
			}
			if leading++; leading > mostLeading {
				return line
			}
		}
		for _, b := range l {
			switch b {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			if open > mostOpen {
				return line
			}
		}
	}
	return 0
}

// read fills the playbook in and tells whether it could. A key that there is not
// is a problem that leaves the rest to be checked.
func (c *checker) read() bool {
	s := &shape{anchors: make(map[string]ast.Node), wrong: func(n ast.Node, says string) {
		line, column := at(n)
		c.add(line, column, says)
	}}
	for _, d := range c.file.Docs {
		s.check(d.Body, reflect.TypeFor[Playbook](), "a playbook")
	}
	if s.unusable {
		return false
	}
	if len(c.file.Docs) == 0 || c.file.Docs[0].Body == nil {
		return true
	}
	if err := yaml.NewDecoder(bytes.NewReader(nil)).DecodeFromNode(c.file.Docs[0].Body, c.book); err != nil && !errors.Is(err, io.EOF) {
		line, column, says := place(err)
		c.add(line, column, says)
		return false
	}
	return true
}

// place finds where an error of the YAML library is.
func place(err error) (line, column int, says string) {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil || e.GetToken().Position == nil {
		return 0, 0, err.Error()
	}
	at := e.GetToken().Position
	return at.Line, at.Column, e.GetMessage()
}

// where finds the place of a value by its path: "$.steps[2].why".
func where(file *ast.File, path string) (line, column int) {
	p, err := yaml.PathString(path)
	if err != nil {
		return 0, 0
	}
	n, err := p.FilterFile(file)
	if err != nil {
		return 0, 0
	}
	return at(n)
}

// at is the place of a node; of a mapping it is its first key.
func at(n ast.Node) (line, column int) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return at(m.Values[0].Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0, 0
	}
	return n.GetToken().Position.Line, n.GetToken().Position.Column
}

// UnmarshalYAML takes one text for both schemas, or one for each.
func (b *BySchema) UnmarshalYAML(unmarshal func(any) error) error {
	var both string
	if err := unmarshal(&both); err == nil {
		b.Deployed, b.Playbook = both, both
		return nil
	}
	type plain BySchema
	return unmarshal((*plain)(b))
}
