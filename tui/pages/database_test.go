package pages_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/explain"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pages/statement"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// prose is a page of prose about the sample database, w cells wide.
func prose(t *testing.T, kind pane.Kind, id string, data any, set probes.Set, w int) (page.Text, string) {
	t.Helper()
	all := pages.All()
	spec := all[slices.IndexFunc(all, func(s page.Spec) bool { return s.Kind == kind })]
	text := spec.Text(page.Input{Input: pane.Input{Set: set, Now: sample.Now, Zone: time.UTC, Data: data, Width: w}, Ref: pane.Ref{Kind: kind, ID: id}})
	lines := dialog.Lay(ui.NewTheme(ui.Mono, false), text.Paras, w)
	for _, l := range lines {
		if ui.Width(l) > w {
			t.Errorf("%s %s: %d cells: %q", kind, id, ui.Width(l), l)
		}
	}
	return text, strings.Join(lines, "\n")
}

func live() probes.Set {
	return probes.NewSet(probes.Snapshot{ID: storage.ID, Source: probes.Postgres, Seq: 1, At: sample.Now, Good: sample.Now, Payload: sample.Storage()})
}

func TestTablePage(t *testing.T) {
	for id, want := range map[string][]string{
		"public.grading_gradingevent": {"about 2,410,332", "sequential 124/min", "grew by 9.0M in 1h00m", "⚠ No index on (copy_id, timestamp). The timeline of a copy is read by it.",
			"CREATE INDEX CONCURRENTLY ON public.grading_gradingevent (copy_id, timestamp);", "Advice: nothing here runs it."},
		"grading_copylock":        {"the same as uniq_copylock_copy", "never used", "CREATE UNIQUE INDEX uniq_copylock_copy"},
		"grading_draftstate":      {"dead 96,000 (70%)", "vacuumed never"},
		"archive.exams_copy_2024": {"Locked by ALTER TABLE", "heap ?"},
		"nowhere":                 {"This database has no table nowhere"},
	} {
		_, got := prose(t, pane.KindTable, id, struct{}{}, live(), 100)
		flat := strings.Join(strings.Fields(got), " ")
		for _, w := range want {
			if !strings.Contains(flat, w) {
				t.Errorf("%s: no %q in\n%s", id, w, got)
			}
		}
	}
	if _, got := prose(t, pane.KindTable, "x", struct{}{}, probes.NewSet(), 60); !strings.Contains(got, "Waiting for the first answer of postgres") {
		t.Errorf("before the first look: %q", got)
	}
}

func TestStatementPage(t *testing.T) {
	plan := explain.Plan{Parameters: 1, Lines: []explain.Line{
		{Text: "Sort  (cost=9.1..9.2 rows=20 width=8)"},
		{Text: "  ->  Seq Scan on grading_gradingevent  (cost=0.00..61000.00 rows=20 width=8)", Loud: "reads all of grading_gradingevent, about 2,410,332 rows"},
	}}
	data := statement.Data{Text: []string{"SELECT id FROM grading_gradingevent", "WHERE copy_id = $1"}, Plan: plan}
	text, got := prose(t, pane.KindStatement, "7311402231190234771", data, live(), 100)
	for _, want := range []string{"9120 calls in the last 3d3h", "mean 373ms", "66% of all time", "124 calls a minute", "SELECT id FROM grading_gradingevent", "Plan for any value of its 1 parameter. It was not run.",
		"  ->  Seq Scan on grading_gradingevent", "  ⚠ reads all of grading_gradingevent"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if text.Target == nil || text.Target.ID != "7311402231190234771" || text.Mark != "⚠ 1 loud line" || text.Yank != "SELECT id FROM grading_gradingevent\nWHERE copy_id = $1" {
		t.Errorf("%+v", text)
	}
	data = statement.Data{Text: []string{sample.Hostile}, Problem: "The role may not: permission denied for table exams_copy."}
	if text, got = prose(t, pane.KindStatement, "1", data, probes.NewSet(), 60); !strings.Contains(got, "There is no plan. The role may not") || text.Mark != "no plan" {
		t.Errorf("%q %s", text.Mark, got)
	}
}
