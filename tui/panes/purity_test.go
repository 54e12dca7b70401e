package panes_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// What a pane or a page of the guide shows hangs on its input alone, so that it
// can be replayed: no clock, no environment, no network, no goroutine of its own.
func TestPanesGuideAndUIArePure(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go", "../ui/*.go", "../pane/*.go", "../keys/*.go", "../guide/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	checked := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		checked++
		for _, sin := range sins(t, path) {
			t.Errorf("%s: %s", path, sin)
		}
	}
	if checked < 20 {
		t.Errorf("only %d files were looked at", checked)
	}
}

func sins(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return append(badImports(file, strings.Contains(path, "../")), badNodes(file)...)
}

// badImports also keeps panes from importing each other; only the catalogue
// and the tests know them all.
func badImports(file *ast.File, shared bool) []string {
	var out []string
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		root, _, _ := strings.Cut(path, "/")
		switch {
		case root == "os" || root == "net" || root == "syscall" || path == "math/rand" || root == "sync" || root == "context":
			out = append(out, "imports "+path)
		case root == "charm.land" && !shared:
			out = append(out, "imports "+path)
		case path == "charm.land/bubbletea/v2":
			out = append(out, "imports "+path)
		case strings.HasPrefix(path, "gradecockpit/tui/panes/") && file.Name.Name != "panes":
			out = append(out, "imports another pane: "+path)
		}
	}
	return out
}

func badNodes(file *ast.File) []string {
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, "starts a goroutine")
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			clock := strings.Contains(" Now Since Until Sleep After Tick NewTimer NewTicker Local ", " "+n.Sel.Name+" ")
			if ok && pkg.Name == "time" && clock {
				out = append(out, "uses time."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}

// The check must be able to fail.
func TestSinsAreFound(t *testing.T) {
	src := `package x
import ("os"; "time"; "gradecockpit/tui/panes/locks")
func f() { go f(); _ = time.Now() }`
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := append(badImports(file, false), badNodes(file)...)
	if len(got) != 4 {
		t.Errorf("found %v", got)
	}
}
