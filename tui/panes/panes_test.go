package panes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/panes/timeline"
	"gradecockpit/tui/ui"
)

func TestCatalogue(t *testing.T) {
	var ids []pane.ID
	table := keys.Default()
	for _, spec := range panes.All() {
		ids = append(ids, spec.ID())
		if len(spec.Needs()) == 0 || len(spec.Columns()) == 0 || spec.Title() == "" {
			t.Errorf("%s has no need, no column or no title", spec.ID())
		}
		for _, a := range spec.Actions() {
			if _, ok := table.ForAction(a); !ok {
				t.Errorf("%s offers %s, which no key starts", spec.ID(), a)
			}
		}
	}
	if diff := cmp.Diff([]pane.ID{"locks", "stuck", "queue", "latency", "timeline", "workers", "tasks", "logs", "sessions", "database", "host"}, ids); diff != "" {
		t.Error(diff)
	}
}

func spec(id pane.ID) pane.Spec {
	for _, s := range panes.All() {
		if s.ID() == id {
			return s
		}
	}
	return nil
}

// In every state: rows have keys of their own, no more cells than columns, and
// a pane without rows says why.
func TestEveryContentIsSound(t *testing.T) {
	for _, s := range panes.All() {
		for _, st := range states() {
			c := s.Content(input(st.Set()))
			seen := map[string]bool{}
			for _, r := range c.Rows {
				if seen[r.Key] || r.Key == "" {
					t.Errorf("%s/%s: the key %q is empty or there twice", s.ID(), st.Name, r.Key)
				}
				seen[r.Key] = true
				if !r.Span && len(r.Cells) != len(s.Columns()) {
					t.Errorf("%s/%s: row %q has %d cells", s.ID(), st.Name, r.Key, len(r.Cells))
				}
			}
			if st.Name != "never" && st.Name != "unreached" && len(c.Rows) == 0 && c.Empty == "" && c.Problem == "" {
				t.Errorf("%s/%s: no row and no sentence", s.ID(), st.Name)
			}
		}
	}
}

// lockCells gives the cells of the only lock, by column, some seconds after the
// database answered.
func lockCells(l grading.Lock, later time.Duration) map[string]string {
	o := grading.Overview{ServerTime: sample.Server, LocksInUse: grading.TriYes}
	o.Locks.Value = grading.Locks{Rows: []grading.Lock{l}, Total: 1}
	in := input(sample.Live(7, o, celery.Overview{}, warming(), sample.Logged()))
	in.Now = in.Now.Add(later)
	return cells(spec("locks"), in, 0)
}

func cells(s pane.Spec, in pane.Input, row int) map[string]string {
	out := map[string]string{}
	for i, c := range s.Columns() {
		out[c.Title] = s.Content(in).Rows[row].Cells[i].Text
	}
	return out
}

// Expiry is by the database's clock, which is an hour ahead of ours here.
func TestLocksGoByTheDatabaseClock(t *testing.T) {
	tests := []struct {
		name    string
		lock    grading.Lock
		later   time.Duration
		expires string
	}{
		{"live", grading.Lock{Expires: sample.Server.Add(8 * time.Minute)}, 0, "✓ in 8m"},
		{"live, a minute later", grading.Lock{Expires: sample.Server.Add(8 * time.Minute)}, time.Minute, "✓ in 7m"},
		{"expired", grading.Lock{Expires: sample.Server.Add(-52 * time.Minute), Expired: true}, 0, "✗ expired 52m ago"},
		{"run out since: it may have been renewed", grading.Lock{Expires: sample.Server.Add(20 * time.Second)}, 30 * time.Second, "? was due 10s ago"},
		{"abandoned", grading.Lock{Expires: sample.Server.Add(6 * time.Minute), Abandoned: true, LastBeat: sample.Server.Add(-4 * time.Minute)}, 0, "⚠ no heartbeat for 4m"},
		{"no time", grading.Lock{}, 0, "?"},
	}
	for _, tt := range tests {
		if got := lockCells(tt.lock, tt.later)["EXPIRES"]; got != tt.expires {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.expires)
		}
	}
	if got := lockCells(grading.Lock{Since: sample.Server.Add(-62 * time.Minute)}, 0)["AGE"]; got != "1h02m" {
		t.Errorf("age is %q", got)
	}
}

func TestALockTakenAnewIsAnotherRow(t *testing.T) {
	row := func(id string) pane.Row {
		o := grading.Overview{ServerTime: sample.Server}
		o.Locks.Value.Rows = []grading.Lock{{LockID: id, Copy: sample.Ref("A3F2-0001")}}
		return spec("locks").Content(input(sample.Live(7, o, celery.Overview{}, warming(), sample.Logged()))).Rows[0]
	}
	if row("1").Key == row("2").Key {
		t.Error("the cursor would stay on the new lock")
	}
	if diff := cmp.Diff(&actions.Target{Kind: actions.OnCopy, ID: "id-A3F2-0001", Label: "A3F2-0001"}, row("1").Target); diff != "" {
		t.Error(diff)
	}
}

func why(c celery.Overview, s grading.Stuck) string {
	o := grading.Overview{ServerTime: sample.Server}
	o.Stuck.Value = grading.Stucks{Rows: []grading.Stuck{s}, Total: 1}
	return cells(spec("stuck"), input(sample.Live(7, o, c, warming(), sample.Logged())), 0)["WHY"]
}

// That a copy has no task may only be said where none could hide.
func TestStuckSaysWhatTheBrokerKnows(t *testing.T) {
	s := grading.Stuck{Copy: grading.CopyRef{ID: strings.ToUpper(sample.UUIDA), Anon: "A3F2-0042"}, Cause: grading.CauseImport, Why: "no page yet."}
	waiting := celery.Overview{Queues: []celery.Queue{{Name: "import", Consumed: celery.No, Sample: []celery.Message{{CopyID: sample.UUIDA}}}}}
	tests := []struct {
		name string
		c    celery.Overview
		want string
	}{
		{"nothing hides", celery.Overview{}, "no page yet · no task waits or runs for it"},
		{"waits where nobody takes it", waiting, "no page yet · task waits in import, which no worker takes"},
		{"runs", broker(), "no page yet · ⚠ task running on w1@app1 for 3m"},
		{"waits, under its other name", celery.Overview{Queues: []celery.Queue{{Name: "celery", Sample: []celery.Message{{Args: "anonymous_id=A3F2-0042, user_id=1"}}}}}, "no page yet · task waits in celery"},
		{"unacked could be it", celery.Overview{Unacked: 1}, "no page yet"},
		{"a worker is mute", celery.Overview{Receivers: 1}, "no page yet"},
		{"workers failed", celery.Overview{WorkersErr: "timeout"}, "no page yet"},
		{"only a sample was read", celery.Overview{Queues: []celery.Queue{{Sampled: true}}}, "no page yet"},
	}
	for _, tt := range tests {
		if got := why(tt.c, s); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	failed := grading.Stuck{Copy: sample.Ref("A3F2-0007"), Cause: grading.CauseFailed, Why: "finalize failed"}
	if got, want := why(celery.Overview{}, failed), "finalize failed: cannot open broken document"; got != want {
		t.Errorf("with a log line: %q, want %q", got, want)
	}
}

// A number of running tasks may only be given when every worker answered.
func TestQueueNeverTakesUnknownForZero(t *testing.T) {
	for name, c := range map[string]celery.Overview{
		"workers failed": {WorkersErr: "timeout"}, "one is mute": {Receivers: 1, WorkersAt: sample.Now},
	} {
		got := spec("queue").Content(input(sample.Live(7, sample.Grading(), c, warming(), sample.Logged())))
		if !strings.Contains(got.Summary, "? running") {
			t.Errorf("%s: %q", name, got.Summary)
		}
	}
}

func TestQueueForPrograms(t *testing.T) {
	table := pane.New(spec("queue"), ui.NewTheme(ui.Mono, false), 3)
	table.SetInput(input(states()[0].Set()))
	rows := table.Report().Rows
	kinds := map[any]int{}
	for _, r := range rows {
		kinds[r["kind"]]++
	}
	want := map[any]int{"queue": 3, "worker": 2, "unacked": 1, "quarantine": 1, "message": 4}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	if got := rows[1]; got["consumed"] != false || got["depth"] != int64(12) || got["sampled"] != true {
		t.Errorf("finalize is %v", got)
	}
}

func TestTimelineGoesOnBackwards(t *testing.T) {
	in := input(states()[0].Set())
	at, more := timeline.Before(in)
	if want := (grading.Cursor{At: sample.Ago(30 * time.Hour), ID: "86"}); at != want || !more {
		t.Fatalf("older ones are before %+v (%v), want %+v", at, more, want)
	}
	in.Older = grading.Events{Rows: []grading.Event{{ID: "86", At: sample.Ago(30 * time.Hour)}, {ID: "85", At: sample.Ago(31 * time.Hour)}}}
	if at, more = timeline.Before(in); at.ID != "85" || more {
		t.Errorf("after one page: before %+v (%v)", at, more)
	}
	var ids []string
	for _, r := range spec("timeline").Content(in).Rows {
		ids = append(ids, r.Key)
	}
	want := []string{"90", "89", "gap 88 IMPORT → FINALIZE: no VALIDATE, no LOCK", "88", "87", "86", "85"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if _, more := timeline.Before(input(probes.NewSet())); more {
		t.Error("there is more of nothing")
	}
}
