package pages_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// logPages are pages with what their readers gave.
var logPages = []struct {
	name string
	ref  pane.Ref
	data any
}{
	{"trace", pane.TraceRef("request", sample.RequestA), sample.Traced()},
	{"line", pane.Ref{Kind: pane.KindLogLine, ID: "x", Label: "14:26:45 grading.services"}, sample.Record()},
	{"records", pane.Ref{Kind: pane.KindLogs, ID: "pattern:finalize", Label: "Finalizations"}, sample.Found()},
	{"times", pane.Ref{Kind: pane.KindLogTimes, ID: "level:info"}, sample.Counted()},
	{"patterns", pane.Ref{Kind: pane.KindPatterns}, sample.Searched()},
	{"requests", pane.Ref{Kind: pane.KindRequests, ID: "level:info"}, sample.Asked()},
	{"slow", pane.Ref{Kind: pane.KindSlow}, sample.Slowest()},
	{"file", pane.Ref{Kind: pane.KindFile, ID: sample.CutOff().Path}, sample.CutOff()},
	{"file_hostile", pane.Ref{Kind: pane.KindFile, ID: "x"}, sample.Unfit()},
}

// find gives the page of a kind.
func find(t *testing.T, k pane.Kind) page.Spec {
	t.Helper()
	for _, p := range pages.All() {
		if p.Kind == k {
			return p
		}
	}
	t.Fatalf("no page of kind %s", k)
	return page.Spec{}
}

func input(data any) pane.Input {
	set := sample.Live(7, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged())
	read := probes.Snapshot{ID: pane.ReadID, Seq: 1, At: sample.Now, Good: sample.Now, Payload: data}
	return pane.Input{Set: set.With(read), Data: data, Now: sample.Now, Zone: time.UTC}
}

// frame draws a page as the app does.
func frame(t *testing.T, ref pane.Ref, data any, theme *ui.Theme, w, h int) []string {
	t.Helper()
	spec := find(t, ref.Kind)
	if spec.Rows != nil {
		table := pane.New(spec.Rows(ref), theme, 0)
		table.SetInput(input(data))
		return table.Render(w, h, true)
	}
	in := page.Input{Input: input(data), Ref: ref, Height: h - 2, Read: sample.Now}
	in.Width = w - 4
	text := spec.Text(in)
	box := dialog.Text{Title: spec.Title + " " + ref.Name(), Mark: text.Mark, MarkTone: text.Tone, Paras: text.Paras, Full: true}
	return box.Lines(theme, w, h)
}

func TestGoldenPages(t *testing.T) {
	for _, s := range logPages {
		t.Run(s.name, func(t *testing.T) {
			var b strings.Builder
			for _, size := range [][2]int{{80, 24}, {120, 36}} {
				lines := frame(t, s.ref, s.data, ui.NewTheme(ui.Dark, false), size[0], size[1])
				sized(t, lines, size[0], size[1])
				fmt.Fprintf(&b, "%dx%d\n%s\n", size[0], size[1], ansi.Strip(strings.Join(lines, "\n")))
			}
			golden(t, s.name, b.String())
		})
	}
}

// The page about the audit trail shows what the probes saw: it has no reader.
func TestGoldenAudit(t *testing.T) {
	var b strings.Builder
	for _, size := range [][2]int{{80, 24}, {120, 36}} {
		table := pane.New(find(t, pane.KindEvents).Rows(pane.Ref{}), ui.NewTheme(ui.Dark, false), 0)
		in := input(nil)
		g := sample.Grading()
		g.Events.Value.ByAction = []grading.ActionCount{{Action: "CREATE_ANN", Total: 12345, LastHour: 34, Last: sample.Ago(time.Minute)}, {Action: "LOCK", Total: 210, LastHour: 9, Last: sample.Ago(time.Hour)}}
		in.Set = sample.Audited(in.Set.With(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 7, At: sample.Now, Good: sample.Now, Payload: g}), sample.Audit())
		table.SetInput(in)
		lines := table.Render(size[0], size[1], true)
		sized(t, lines, size[0], size[1])
		fmt.Fprintf(&b, "%dx%d\n%s\n", size[0], size[1], ansi.Strip(strings.Join(lines, "\n")))
	}
	golden(t, "events", b.String())
}

// A terminal that has only ASCII tells the levels of a bar apart as well.
func TestBarsInASCII(t *testing.T) {
	lines := frame(t, pane.Ref{Kind: pane.KindLogTimes}, sample.Counted(), ui.NewTheme(ui.Mono, true), 80, 24)
	sized(t, lines, 80, 24)
	golden(t, "times_ascii", ansi.Strip(strings.Join(lines, "\n"))+"\n")
}

func sized(t *testing.T, lines []string, w, h int) {
	t.Helper()
	if len(lines) != h {
		t.Errorf("got %d lines, want %d", len(lines), h)
	}
	for i, l := range lines {
		if ansi.StringWidth(l) != w {
			t.Errorf("line %d has %d cells, want %d: %q", i, ansi.StringWidth(l), w, l)
		}
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
