package tui

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
)

func TestOlderEventsJoin(t *testing.T) {
	var asked []grading.Cursor
	old := grading.Event{ID: "85", At: sample.Ago(40 * time.Hour), Action: "IMPORT", Copy: sample.Ref("OLD-1"), Actor: sample.User("admin")}
	change := func(_ *stage, c *Config) {
		c.Older = func(_ context.Context, cur grading.Cursor, _ int) ([]grading.Event, error) {
			asked = append(asked, cur)
			if cur.ID == "85" {
				return nil, nil
			}
			return []grading.Event{old}, nil
		}
	}
	play(t, 80, 24, change, func(t *testing.T, s *stage) {
		s.press("5", "G")
		s.sees("OLD-1")
		o := sample.Grading()
		first := grading.Event{ID: "91", At: sample.Ago(0), Action: "LOCK", Copy: sample.Ref("NEW-1")}
		o.Events.Value.Rows = append([]grading.Event{first}, o.Events.Value.Rows[:5]...)
		s.news(sample.Live(8, o, sample.Broker(), sample.Traffic(), sample.Logged()))
		s.sees("NEW-1", "IMPORT-8c3b1f", "OLD-1") // the row that fell out of the page is kept
		s.press("G")
		s.sees("This is where the timeline begins.")
		if want := []grading.Cursor{{At: sample.Ago(30 * time.Hour), ID: "86"}, {At: old.At, ID: "85"}}; !cmp.Equal(want, asked) {
			t.Error(cmp.Diff(want, asked))
		}
		o.Events.Value.Rows = []grading.Event{{ID: "200", At: sample.Ago(0), Action: "LOCK", Copy: sample.Ref("NEW-2")}}
		s.news(sample.Live(9, o, sample.Broker(), sample.Traffic(), sample.Logged()))
		s.misses("OLD-1") // no more than what joins
	})
}
