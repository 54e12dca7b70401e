package endpoint_test

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
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/domain"
	"gradecockpit/tui/pages/endpoint"
	"gradecockpit/tui/pages/processes"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

var update = flag.Bool("update", false, "write the golden frames anew")

const finalize = "POST /api/grading/copies/<uuid>/finalize/"

// byPrometheus adds a Prometheus that answers, failed or has nothing of ours.
func byPrometheus(set probes.Set, o metrics.Overview, err error) probes.Set {
	s := probes.Snapshot{ID: metrics.PrometheusID, Source: probes.Prometheus, Seq: 2, At: sample.Now, Good: sample.Now, Payload: o}
	if err != nil {
		s.Payload, s.Err, s.FailedSince = nil, err, sample.Now.Add(-time.Minute)
	}
	return set.With(s)
}

func situations() []sample.Situation {
	all := sample.Situations(sample.Broker, "It is tried again.")
	live := func(m metrics.Overview) probes.Set {
		return sample.Live(7, sample.Grading(), sample.Broker(), m, logged())
	}
	return append(all,
		sample.Situation{Name: "old_version", Set: func() probes.Set {
			m := sample.Traffic()
			m.Domain = metrics.Domain{}
			return live(m)
		}},
		sample.Situation{Name: "prometheus", Set: func() probes.Set {
			m := sample.Traffic()
			m.Via, m.Window, m.Cost.Requests = probes.Prometheus, 5*time.Minute, 4
			return byPrometheus(live(metrics.Overview{Warming: "Rates need two scrapes."}), m, nil)
		}},
		sample.Situation{Name: "prometheus_failed", Set: func() probes.Set {
			return byPrometheus(live(sample.Traffic()), metrics.Overview{}, &probes.Error{Source: probes.Prometheus, Op: "ask", Cause: "answers 403"})
		}},
	)
}

func logged() logs.Overview {
	o := sample.Logged()
	o.Recent = []logs.Line{{At: sample.Now.Add(-time.Minute), Message: "Conflict: /api/copies/1/lock/"}, {At: sample.Now.Add(-2 * time.Hour), Message: "OCR failed"}}
	return o
}

// lines draws a page as the app does.
func lines(spec page.Spec, id string, set probes.Set, w, h int) []string {
	theme, ref := ui.NewTheme(ui.Mono, false), pane.Ref{Kind: spec.Kind, ID: id}
	in := pane.Input{Set: set, Now: sample.Now, Zone: time.UTC}
	if spec.Rows != nil {
		table := pane.New(spec.Rows(ref), theme, 0)
		table.SetInput(in)
		return table.Render(w, h, true)
	}
	in.Width = w - 4
	text := spec.Text(page.Input{Input: in, Ref: ref, Height: h - 2})
	box := dialog.Text{Title: spec.Title + " " + id, Mark: text.Mark, MarkTone: text.Tone, Paras: text.Paras, Full: true}
	return box.Lines(theme, w, h)
}

func TestGoldenPages(t *testing.T) {
	for _, spec := range []page.Spec{endpoint.New(), processes.New(), domain.New()} {
		for _, st := range situations() {
			t.Run(string(spec.Kind)+"/"+st.Name, func(t *testing.T) {
				id := ""
				if spec.Kind == pane.KindEndpoint {
					id = finalize
				}
				var b strings.Builder
				for _, size := range [][2]int{{80, 24}, {120, 50}, {60, 15}} {
					got := lines(spec, id, st.Set(), size[0], size[1])
					shape(t, got, size[0], size[1])
					fmt.Fprintf(&b, "%dx%d\n%s\n", size[0], size[1], ansi.Strip(strings.Join(got, "\n")))
				}
				golden(t, string(spec.Kind)+"_"+st.Name, b.String())
			})
		}
	}
}

// Data of strangers neither moves a border nor reaches the terminal.
func TestHostilePagesKeepTheirShape(t *testing.T) {
	set := situations()[6].Set()
	for _, spec := range []page.Spec{endpoint.New(), processes.New(), domain.New()} {
		for _, size := range [][2]int{{80, 24}, {20, 5}, {200, 50}} {
			shape(t, lines(spec, sample.Hostile+" "+sample.Hostile, set, size[0], size[1]), size[0], size[1])
		}
	}
}

func shape(t *testing.T, lines []string, w, h int) {
	t.Helper()
	if len(lines) != h {
		t.Errorf("%d lines, want %d", len(lines), h)
	}
	for i, l := range lines {
		if ansi.StringWidth(l) != w || ansi.StringWidthWc(l) != w {
			t.Errorf("line %d has %d cells, want %d: %q", i, ansi.StringWidth(l), w, l)
		}
		if strings.ContainsAny(ansi.Strip(l), "\x1b\x07\u009b\u202e\r\n") {
			t.Errorf("line %d holds a control: %q", i, l)
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

// Each figure that the application does not measure comes from somewhere else,
// and says from where.
func TestDerivedFigures(t *testing.T) {
	g := sample.Grading()
	g.Status.Value = []grading.StatusCount{{Status: "LOCKED", Count: 12}}
	g.Events.Value.Rows = append(g.Events.Value.Rows, grading.Event{ID: "1", At: sample.Ago(time.Minute), Action: "IMPORT"})
	g.Locks.Value.Expired = 3
	c := sample.Broker()
	c.WorkersErr = ""
	c.Workers[0].Running = []celery.Running{{ID: "r", Task: "processing.tasks.async_import_pdf", State: "running", Started: sample.Now.Add(-2 * time.Minute)}}
	m := sample.Traffic()
	m.Domain = metrics.Domain{}
	table := pane.New(domain.New().Rows(pane.Ref{}), ui.NewTheme(ui.Mono, false), 0)
	table.SetInput(pane.Input{Set: sample.Live(7, g, c, m, logged()), Now: sample.Now, Zone: time.UTC})
	got := map[string]any{}
	for _, r := range table.Report().Rows {
		if r["derived"] != true || !strings.HasPrefix(r["how"].(string), "derived: ") {
			t.Errorf("not marked as derived: %v", r)
		}
		got[r["section"].(string)+": "+r["what"].(string)] = r["count"]
	}
	for what, want := range map[string]float64{
		"finalize: requests":                     24,
		"finalize: requests answered 5xx":        6,
		"import: IMPORT events":                  1,
		"import: tasks running, oldest 2m":       1,
		"lock conflicts: answers 409":            2,
		"lock conflicts: log lines on conflicts": 1,
		"lock conflicts: expired locks":          3,
		"ocr errors: log lines on OCR":           0,
		"copies by status: LOCKED":               12,
	} {
		if got[what] != want {
			t.Errorf("%s is %v, want %v (all: %v)", what, got[what], want, got)
		}
	}
}
