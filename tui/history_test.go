package tui

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/grading"
)

func TestOlderEventsJoin(t *testing.T) {
	var asked []grading.Cursor
	old := grading.Event{ID: "85", At: ago(40 * time.Hour), Action: "IMPORT", Copy: ref("OLD-1"), Actor: user("admin")}
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
		o := overview()
		first := grading.Event{ID: "91", At: ago(0), Action: "LOCK", Copy: ref("NEW-1")}
		o.Events.Value.Rows = append([]grading.Event{first}, o.Events.Value.Rows[:5]...)
		s.news(live(8, o, broker(), traffic()))
		s.sees("NEW-1", "IMPORT-8c3b1f", "OLD-1") // the row that fell out of the page is kept
		s.press("G")
		s.sees("This is where the timeline begins.")
		if want := []grading.Cursor{{At: ago(30 * time.Hour), ID: "86"}, {At: old.At, ID: "85"}}; !cmp.Equal(want, asked) {
			t.Error(cmp.Diff(want, asked))
		}
		o.Events.Value.Rows = []grading.Event{{ID: "200", At: ago(0), Action: "LOCK", Copy: ref("NEW-2")}}
		s.news(live(9, o, broker(), traffic()))
		s.misses("OLD-1") // no more than what joins
	})
}
