package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "gradecockpit/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages listed", len(all))
	}
	return all
}

// rule forbids imports to packages.
type rule struct {
	from   string   // packages at or below this path
	except []string // but not these
	never  []string // prefixes they may not import
	why    string
}

var rules = []rule{
	{"gradecockpit/probes", nil, []string{"gradecockpit/actions", "gradecockpit/tui", "gradecockpit/cmd"}, "probes know nothing above them"},
	{"gradecockpit/actions", nil, []string{"gradecockpit/tui", "gradecockpit/cmd"}, "actions know no screen and no command line"},
	{"gradecockpit/tui", nil, []string{"gradecockpit/cmd", "github.com/jackc/pgx", "github.com/redis/go-redis", "net"}, "the screen reads payloads, it talks to no server"},
	{"gradecockpit/probes", nil, []string{"charm.land/"}, "only the screen and the command line know the terminal"},
	{"gradecockpit/actions", nil, []string{"charm.land/"}, "only the screen and the command line know the terminal"},
	{"gradecockpit", []string{"gradecockpit/probes/lab", "gradecockpit/cmd/gradecockpit/internal/cli", "gradecockpit/actions/internal/bench"},
		[]string{"gradecockpit/probes/lab"}, "throwaway servers are for the demo command and for tests"},
	{"gradecockpit", nil, []string{"gradecockpit/tui/internal/sample"}, "sample data is for tests"},
	{"gradecockpit/tui/internal/sample", nil, []string{"gradecockpit/tui", "gradecockpit/actions", "charm.land/"}, "samples are what probes saw, whoever shows it"},
	{"gradecockpit/tui/ui", nil, []string{"charm.land/bubbletea", "gradecockpit/"}, "text of exact size knows no program"},
	{"gradecockpit", nil, []string{"charm.land/lipgloss/v2/compat"}, "it asks the terminal and blocks for seconds on a mute one"},
	{"gradecockpit/tui/panes", nil, []string{"os", "net", "gradecockpit/tui/dialog"}, "a pane is a pure function"},
	{"gradecockpit/cmd/gradecockpit/internal/practice", nil, []string{"os", "net", "charm.land/"}, "a drill is chosen and judged by pure functions"},
	{"gradecockpit/tui/pages", nil, []string{"os", "net"}, "a page is a pure function of what was read"},
	{"gradecockpit/tui/guide", nil, []string{"os", "io", "net", "syscall", "context", "sync", "charm.land/", "gradecockpit/tui/page"},
		"the guide only lays out a report and a walkthrough: the app runs the steps"},
}

func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

func (r rule) covers(path string) bool {
	return below(path, r.from) && !slices.ContainsFunc(r.except, func(e string) bool { return below(path, e) })
}

// TestImports keeps the direction of imports that design and README promise.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, r := range rules {
			if !r.covers(p.ImportPath) {
				continue
			}
			for _, imported := range p.Imports {
				for _, never := range r.never {
					if below(imported, never) {
						t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.why)
					}
				}
			}
		}
	}
}

// TestImportRulesCanFail: a rule that covers nothing keeps nothing.
func TestImportRulesCanFail(t *testing.T) {
	all := packages(t)
	for _, r := range rules {
		if !slices.ContainsFunc(all, func(p pkg) bool { return r.covers(p.ImportPath) && len(p.Imports) > 0 }) {
			t.Errorf("no package is at or below %s", r.from)
		}
	}
}

// TestTopLevel: the folders are the parts, and nothing else lies about.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case slices.Contains([]string{"cmd", "tui", "probes", "actions", "go.mod", "go.sum", "README.md"}, name):
		default:
			t.Errorf("%s does not belong at the top", name)
		}
	}
}
