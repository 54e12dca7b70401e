package panes_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// sizes are a tmux split, a whole small terminal, and a pane's place on a
// screen of 120x36 and of 200x50.
var sizes = [][2]int{{60, 15}, {80, 24}, {60, 12}, {100, 23}}

func TestGoldenFrames(t *testing.T) {
	theme := ui.NewTheme(ui.Dark, false)
	for i, spec := range panes.All() {
		for _, st := range states() {
			t.Run(string(spec.ID())+"/"+st.Name, func(t *testing.T) {
				var b strings.Builder
				for _, size := range sizes {
					table := pane.New(spec, theme, i+1)
					table.SetInput(input(st.Set()))
					lines := table.Render(size[0], size[1], size[1] == 24)
					shape(t, lines, size[0], size[1])
					fmt.Fprintf(&b, "%dx%d\n%s\n", size[0], size[1], ansi.Strip(strings.Join(lines, "\n")))
				}
				golden(t, string(spec.ID())+"_"+st.Name, b.String())
			})
		}
	}
}

// The colours and the ASCII variant once: what is in a cell does not change them.
func TestGoldenLooks(t *testing.T) {
	for _, look := range ui.Looks() {
		t.Run(string(look), func(t *testing.T) {
			ascii := look == ui.Mono
			table := pane.New(panes.All()[0], ui.NewTheme(look, ascii), 1)
			table.SetInput(input(states()[0].Set()))
			table.Render(60, 12, true)
			table.Handle(keys.Mark, 0)
			lines := table.Render(60, 12, true)
			shape(t, lines, 60, 12)
			golden(t, "look_"+string(look), strings.ReplaceAll(strings.Join(lines, "\n"), "\x1b", "␛")+"\n")
		})
	}
}

// shape is what holds for every frame: h lines of w cells, whichever way a
// terminal counts them, and no control but colours.
func shape(t *testing.T, lines []string, w, h int) {
	t.Helper()
	if len(lines) != h {
		t.Errorf("got %d lines, want %d", len(lines), h)
	}
	for i, l := range lines {
		if ansi.StringWidth(l) != w || ansi.StringWidthWc(l) != w {
			t.Errorf("line %d has %d (old terminals: %d) cells, want %d: %q", i, ansi.StringWidth(l), ansi.StringWidthWc(l), w, l)
		}
		for _, r := range uncoloured(l) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
				t.Errorf("line %d holds the control %U: %q", i, r, l)
			}
		}
	}
}

// uncoloured takes away exactly the colour sequences, unlike ansi.Strip, which
// would hide the others from the test.
func uncoloured(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		rest := strings.TrimLeft(s[i+2:], "0123456789;:")
		if rest == "" || rest[0] != 'm' {
			return s
		}
		s = s[:i] + rest[1:]
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no golden frame: %v; make it with -update and read it", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("frame differs (-want +got):\n%s", diff)
	}
}
