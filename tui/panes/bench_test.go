package panes_test

import (
	"fmt"
	"testing"

	"gradecockpit/probes/celery"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// A broker with thousands of results: what news of it, and the second's tick,
// cost on the screen.
func BenchmarkManyTasks(b *testing.B) {
	var rows []celery.TaskRow
	for i := range 5000 {
		rows = append(rows, celery.TaskRow{ID: fmt.Sprint(i), Task: "grading.tasks.async_finalize_copy", CopyID: sample.UUIDA, State: celery.TaskDone, Since: sample.Now})
	}
	table := pane.New(spec("tasks"), ui.NewTheme(ui.Dark, false), 7)
	in := withBroker(celery.Overview{}, celery.Tasks{Rows: rows})
	for b.Loop() {
		table.SetInput(in)
		table.Render(200, 12, false)
	}
}
