package trace

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// TestBuild: a request's beginning comes from how long it took, a record
// without a time stays behind the one before it, and what is now comes last.
func TestBuild(t *testing.T) {
	record := func(ms int, l logs.Line) logs.Traced {
		if l.Level != "" {
			l.At = at(ms)
		}
		return logs.Traced{Line: l, When: at(ms)}
	}
	got := Build(Parts{
		ID: "x",
		Logs: logs.Trace{Tasks: []string{"t1"}, Extent: logs.Extent{Truncated: true, Skipped: []string{"audit.log is damaged"}}, Records: []logs.Traced{
			record(400, logs.Line{Level: "ERROR", Logger: "grading.services", Message: "failed"}),
			record(400, logs.Line{Message: "stray"}),
			record(900, logs.Line{Level: "INFO", Logger: "grading", Message: "starts", Fields: []logs.Field{{Name: "module", Value: "tasks"}}}),
			record(1000, logs.Line{Level: "WARNING", Logger: "metrics", Message: "slow", Method: "POST", Path: "/x/", Duration: 800 * time.Millisecond}),
		}},
		Events: []grading.Event{
			{At: at(1000), Action: "FINALIZE", Actor: grading.User{Name: "mdupont"}, Detail: "score 4"},
			{At: at(300), Gap: "IMPORT → FINALIZE: no LOCK"},
		},
		Tasks: []celery.TaskRow{
			{ID: "t2", Task: "grading.tasks.async_finalize_copy", State: celery.TaskWaiting, Queue: "finalize", CopyID: "c1"},
			{ID: "t1", State: celery.TaskSwallowed, Says: "no pages", Since: at(2000), Worker: "w1"},
		},
		Problems: []string{"Database: postgres: refused"},
	})
	var steps []string
	for _, s := range got.Steps {
		steps = append(steps, fmt.Sprintf("%s|%s|%s|%v|%v", s.Kind, s.From, s.Text, s.Failed, s.Gap))
	}
	want := []string{
		"http|metrics|POST /x/ begins, from how long it took|false|0s",
		"service|grading.services|failed|true|200ms",
		"service||stray|false|0s",
		"task|grading|starts|false|500ms",
		"event|mdupont|FINALIZE: score 4|false|100ms",
		"http|metrics|slow|false|0s",
		"task|w1|task failed, said success: no pages|true|1s",
		"queue|finalize|async_finalize_copy waiting|false|0s",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Error(diff)
	}
	if got.Took != 1800*time.Millisecond || len(got.Problems) != 3 {
		t.Errorf("took %v, problems %q", got.Took, got.Problems)
	}
	if diff := cmp.Diff([][]string{{"t1", "t2"}, {"c1"}}, [][]string{got.Tasks, got.Copies}); diff != "" {
		t.Error(diff)
	}
}
