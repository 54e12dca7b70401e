package tui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gradecockpit/actions"
	"gradecockpit/probes/celery"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/ui"
)

var update = flag.Bool("update", false, "write the golden frames anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares frames with the recorded ones.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// planID is random at its end.
var planID = regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{8}`)

type size struct{ w, h int }

// text gives the frame without the blanks at the ends of its lines.
func (s *stage) text() string {
	lines := strings.Split(s.frame(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	text := planID.ReplaceAllString(strings.Join(lines, "\n"), "20260201T143045Z-00000000")
	return fmt.Sprintf("== %dx%d\n%s\n", s.app.w, s.app.h, text)
}

func TestGoldenSituations(t *testing.T) {
	for _, sit := range situations() {
		t.Run(sit.Name, func(t *testing.T) {
			sizes := []size{{80, 24}, {120, 36}}
			if sit.Name == "normal" {
				sizes = append(sizes, size{200, 50}, size{60, 15}, size{30, 6})
			}
			var out strings.Builder
			for _, z := range sizes {
				play(t, z.w, z.h, func(s *stage, c *Config) { c.Hub = newHub(sit.Set()) }, func(t *testing.T, s *stage) {
					out.WriteString(s.text())
				})
			}
			golden(t, "situation_"+sit.Name, out.String())
		})
	}
}

// scene is something that one gets to with keys.
type scene struct {
	name   string
	sizes  []size
	change func(*stage, *Config)
	reach  func(*stage)
}

func scenes() []scene {
	press := func(keys ...string) func(*stage) {
		return func(s *stage) { s.press(keys...) }
	}
	dialogs := []size{{80, 24}, {120, 36}, {60, 15}}
	return []scene{
		{"alone", []size{{60, 15}, {80, 24}}, func(_ *stage, c *Config) { c.Only = "locks" }, press()},
		{"zoom", []size{{120, 36}}, nil, press("3", "f")},
		{"workers", dialogs, nil, press("6")},
		{"workers_alone", dialogs[2:], func(_ *stage, c *Config) { c.Only = "workers" }, press("down")},
		{"tasks", dialogs[:2], nil, press("7", "down", "down")},
		{"help", dialogs, nil, press("?")},
		{"menu", dialogs, nil, press("a")},
		{"filter", dialogs[:1], nil, press("/", "'martin'")},
		{"command", dialogs[:1], nil, press(":", "'copy a3'", "tab")},
		{"copy", []size{{80, 24}, {120, 36}, {60, 15}, {120, 80}}, nil, press("enter")},
		{"copy_unknown", dialogs[:1], nil, press(":", "'copy nope'", "enter")},
		{"copy_results", []size{{120, 80}}, withResults, press("enter")},
		{"confirm_early", dialogs[:1], nil, press("C")},
		{"confirm_typed_early", dialogs[:1], nil, press("U")},
		{"confirm_low", dialogs, nil, func(s *stage) { s.press("C"); s.pass(time.Second) }},
		{"confirm_high", dialogs, nil, func(s *stage) { s.press("U"); s.pass(time.Second); s.press("'left early'") }},
		{"confirm_statements", dialogs[:1], nil, func(s *stage) { s.press("C"); s.pass(time.Second); s.press("ctrl+t", "pgdown") }},
		{"running", dialogs[:1], func(s *stage, _ *Config) { s.bench.clear.watch = make(chan struct{}) },
			func(s *stage) { s.press("C"); s.pass(time.Second); s.press("y"); s.pass(3 * time.Second) }},
		{"outcome", dialogs[:2], func(s *stage, _ *Config) {
			s.bench.clear.verdict = actions.Verdict{Kind: actions.NotFixed, Says: "Two locks came back.", Evidence: []string{"A3F2-0010 is locked again by mdupont"}, Next: "Ask them to close the browser."}
		}, func(s *stage) { s.press("C"); s.pass(time.Second); s.press("y") }},
		{"read_only", dialogs[:2], func(s *stage, _ *Config) { s.bench.readOnly = "--read-only" }, press("U")},
		{"ascii", dialogs[:1], func(_ *stage, c *Config) { c.Theme = ui.NewTheme(ui.Mono, true) }, press()},
	}
}

// withResults has a copy page with what became of its tasks.
func withResults(_ *stage, c *Config) {
	read := c.Dossier
	c.Dossier = func(ctx context.Context, id string) (CopyPage, error) {
		page, err := read(ctx, id)
		page.Results = append(sample.Tasks().Rows[2:5], celery.TaskRow{ID: "7b1f", State: celery.TaskWaiting}) // the last one waits already
		return page, err
	}
}

func TestGoldenScenes(t *testing.T) { goldenScenes(t, "scene_", scenes()) }

// goldenScenes compares the frames of scenes, in each of their sizes.
func goldenScenes(t *testing.T, prefix string, all []scene) {
	for _, sc := range all {
		t.Run(sc.name, func(t *testing.T) {
			var out strings.Builder
			for _, z := range sc.sizes {
				play(t, z.w, z.h, sc.change, func(t *testing.T, s *stage) {
					sc.reach(s)
					out.WriteString(s.text())
				})
			}
			golden(t, prefix+sc.name, out.String())
		})
	}
}

// One frame with its colours, in each look: what the tones become.
func TestGoldenColours(t *testing.T) {
	for _, look := range ui.Looks() {
		play(t, 80, 24, func(_ *stage, c *Config) { c.Theme = ui.NewTheme(look, false) }, func(t *testing.T, s *stage) {
			golden(t, "look_"+string(look), strings.ReplaceAll(s.app.View().Content, "\x1b", "␛"))
		})
	}
}

func TestASCIIHasOnlyASCII(t *testing.T) {
	play(t, 120, 36, func(_ *stage, c *Config) { c.Theme = ui.NewTheme(ui.Mono, true) }, func(t *testing.T, s *stage) {
		s.press("enter")
		s.press("esc", "U")
		for _, r := range s.frame() {
			if r > '~' {
				t.Fatalf("the frame holds %q", r)
			}
		}
	})
}
