package panes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// withBroker is a set of a broker and its tasks alone.
func withBroker(c celery.Overview, tasks celery.Tasks) pane.Input {
	good := func(id probes.ID, payload any) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: probes.Redis, Seq: 1, Good: sample.Now, Payload: payload}
	}
	return input(probes.NewSet(good(celery.ID, c), good(celery.TasksID, tasks)))
}

func notes(c pane.Content) string {
	var out []string
	for _, n := range c.Notes {
		out = append(out, n.Text)
	}
	return strings.Join(out, " | ")
}

// Whatever state a worker is in, the pane says the word, and why when it is not
// well. Nothing is said of a worker that does not answer as if it were known.
func TestWorkersSayTheirState(t *testing.T) {
	tests := []struct {
		state            celery.WorkerState
		word, runs, busy string
		under            bool
		tone             ui.Tone
	}{
		{celery.Healthy, "✓ healthy", "nothing", "0/2", false, ui.Good},
		{celery.Busy, "● busy", "nothing", "0/2", false, ui.Warn},
		{celery.PrefetchFull, "● prefetch full", "nothing", "0/2", false, ui.Warn},
		{celery.Frozen, "✗ frozen", "?", "?/2", true, ui.Bad},
		{celery.Stopping, "⚠ stopping", "?", "?/2", true, ui.Warn},
		{celery.Gone, "✗ gone", "nothing", "0/2", true, ui.Bad},
		{celery.Deaf, "✗ deaf", "?", "?/2", true, ui.Bad},
		{celery.WrongQueue, "✗ wrong queue", "nothing", "0/2", true, ui.Bad},
		{celery.Unsure, "? unknown", "?", "?/2", true, ui.Dim},
		{"", "? unknown", "nothing", "0/2", false, ui.Dim},
	}
	for _, tt := range tests {
		w := celery.Worker{Name: "w1@app1", State: tt.state, Why: "because", Pool: 2}
		in := withBroker(celery.Overview{Workers: []celery.Worker{w}, WorkersAt: sample.Now}, celery.Tasks{})
		c := spec("workers").Content(in)
		got := cells(spec("workers"), in, 0)
		if got["STATE"] != tt.word || got["RUNS"] != tt.runs || got["BUSY"] != tt.busy || c.Rows[0].Cells[0].Tone != tt.tone {
			t.Errorf("%q: %v in tone %d", tt.state, got, c.Rows[0].Cells[0].Tone)
		}
		if under := len(c.Rows) == 2 && c.Rows[1].Under && strings.Contains(c.Rows[1].Cells[0].Text, "because"); under != tt.under {
			t.Errorf("%q: reason under the row is %v", tt.state, under)
		}
		if diff := cmp.Diff(&actions.Target{Kind: actions.OnWorker, ID: "w1@app1", Label: "w1@app1"}, c.Rows[0].Target); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWorkersSayWhatIsWrongWithAll(t *testing.T) {
	one := []celery.Worker{{Name: "w1", State: celery.Healthy}}
	deployed := []celery.Queue{{Name: "celery", Consumed: celery.Yes}, {Name: "finalize", Depth: 12, Consumed: celery.No},
		{Name: "import", Depth: 3, Consumed: celery.No}, {Name: "maintenance", Consumed: celery.No}}
	tests := []struct {
		name string
		o    celery.Overview
		want string // notes, or the sentence in place of rows
	}{
		{"well", celery.Overview{Workers: one, WorkersAt: sample.Now, Receivers: 1}, ""},
		{"nobody takes", celery.Overview{Workers: one, WorkersAt: sample.Now, Receivers: 1, Queues: deployed},
			"⚠ nobody takes finalize (12 waiting), import (3 waiting): workers take celery"},
		{"one is mute", celery.Overview{Workers: one, WorkersAt: sample.Now, Receivers: 2}, "⚠ 1 of 2 workers did not answer in time; a busy one may be late"},
		{"failed, with rows", celery.Overview{Workers: one, WorkersErr: "timeout"}, "✗ workers: timeout"},
		{"failed", celery.Overview{WorkersErr: "timeout"}, "The workers could not be asked: timeout."},
		{"none", celery.Overview{WorkersAt: sample.Now, Waiting: 65}, "No worker listens: nothing runs. 65 tasks waiting. Start one"},
		{"all mute", celery.Overview{WorkersAt: sample.Now, Receivers: 2}, "2 workers on the control channel, and no answer."},
		{"not asked", celery.Overview{}, "The workers have not been asked yet."},
	}
	for _, tt := range tests {
		c := spec("workers").Content(withBroker(tt.o, celery.Tasks{}))
		if got := notes(c) + c.Problem; !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The reason stands under its worker however the rows are sorted and filtered.
func TestReasonStaysUnderItsWorker(t *testing.T) {
	o := celery.Overview{WorkersAt: sample.Now, Receivers: 2, Workers: []celery.Worker{
		{Name: "b", State: celery.Frozen, Why: "no heartbeat"}, {Name: "a", State: celery.Healthy}}}
	table := pane.New(spec("workers"), ui.NewTheme(ui.Mono, false), 6)
	table.SetInput(withBroker(o, celery.Tasks{}))
	text := func() string { return strings.Join(table.Render(90, 12, false), "\n") }
	for range 4 { // every column, and both directions
		table.Handle(keys.SortRight, 0)
		table.Handle(keys.SortFlip, 0)
		lines := strings.Split(text(), "\n")
		for i, l := range lines {
			if strings.Contains(l, "→ no heartbeat") && !strings.Contains(lines[i-1], "✗ frozen") {
				t.Fatalf("the reason is under another row:\n%s", text())
			}
		}
		if !strings.Contains(text(), "→ no heartbeat") {
			t.Fatalf("the reason is gone:\n%s", text())
		}
	}
	table.SetFilter("heartbeat")
	if got := text(); !strings.Contains(got, "✗ frozen") || strings.Contains(got, "✓ healthy") {
		t.Errorf("filtered by a reason:\n%s", got)
	}
	table.SetFilter("!heartbeat")
	if got := text(); strings.Contains(got, "✗ frozen") || !strings.Contains(got, "✓ healthy") {
		t.Errorf("filtered against a reason:\n%s", got)
	}
}

func TestTasksThatNeedALookComeFirst(t *testing.T) {
	in := withBroker(celery.Overview{}, sample.Tasks())
	c := spec("tasks").Content(in)
	var got []string
	for i := range c.Rows {
		got = append(got, cells(spec("tasks"), in, i)["STATE"])
	}
	want := []string{"✗ lost", "✗ failed, said success", "✗ failed", "⚠ orphaned", "⚠ cannot be decoded", "⚠ cannot be decoded", "⚠ past its limit",
		"⚠ retrying", "● running", "○ reserved", "○ waiting", "✓ done"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := "⚠ 1 lost · 2 failed · 1 orphaned · 2 cannot be decoded · 1 past the limit · 1 retrying · 2 running · 1 held · 65 waiting · 3121 done"; c.Summary != want {
		t.Errorf("summary is %q, want %q", c.Summary, want)
	}
	if got := notes(c); got != "⚠ 3,120 results: the newest 200 were read." {
		t.Errorf("notes are %q", got)
	}
}

// The result of a killed worker's task says STARTED until it expires: that must
// not look like work going on.
func TestDoubtIsSaid(t *testing.T) {
	in := withBroker(celery.Overview{}, celery.Tasks{Rows: []celery.TaskRow{
		{ID: "a", State: celery.TaskRunning}, {ID: "b", State: celery.TaskRunning, Says: "no worker that answers runs it"}}})
	first := spec("tasks").Content(in).Rows[0]
	if got := first.Cells[0]; first.Yank != "b" || got.Text != "⚠ running" || got.Tone != ui.Warn {
		t.Errorf("first comes %s: %+v", first.Yank, got)
	}
}

// An import names its copy by the anonymous id; once the copy is known, it is
// that one which enter opens and a retry is about.
func TestImportFindsItsCopy(t *testing.T) {
	in := input(sample.Live(7, sample.Grading(), broker(), sample.Traffic(), sample.Logged()))
	set := celery.Tasks{Rows: []celery.TaskRow{{ID: "i", State: celery.TaskLost, Args: "anonymous_id=a3f2-0042, user_id=1"}, {ID: "j", State: celery.TaskLost, Args: "anonymous_id=nobody"}}}
	in.Set = probes.NewSet(in.Set.Get(grading.ID), probes.Snapshot{ID: celery.TasksID, Seq: 1, Good: sample.Now, Payload: set})
	rows := spec("tasks").Content(in).Rows
	if rows[0].Copy != sample.UUIDA || rows[1].Copy != "" {
		t.Errorf("they open %q and %q", rows[0].Copy, rows[1].Copy)
	}
}

func TestUnackedSaysWhoseItIs(t *testing.T) {
	tests := []struct {
		tasks any
		want  string
	}{
		{nil, "⚠ 5 unacked: in workers' hands, beyond a purge"},
		{celery.Tasks{}, "5 unacked: in workers' hands, beyond a purge"},
		{celery.Tasks{Counts: map[celery.TaskState]int{celery.TaskOrphaned: 3}}, "⚠ 5 unacked, 3 of them orphaned: their worker is gone"},
	}
	for _, tt := range tests {
		set := probes.NewSet(probes.Snapshot{ID: celery.ID, Seq: 1, Good: sample.Now, Payload: celery.Overview{Unacked: 5, WorkersAt: sample.Now, Receivers: 1, Workers: []celery.Worker{{}}}},
			probes.Snapshot{ID: celery.TasksID, Seq: 1, Good: sample.Now, Payload: tt.tasks})
		rows := spec("queue").Content(input(set)).Rows
		if got := rows[len(rows)-1].Cells[0].Text; got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestTaskCells(t *testing.T) {
	limit := 10 * time.Minute
	tests := []struct {
		name         string
		row          celery.TaskRow
		column, want string
	}{
		{"running", celery.TaskRow{State: celery.TaskRunning, Since: sample.Now.Add(-3 * time.Minute)}, "FOR", "3m of 10m"},
		{"at the limit", celery.TaskRow{State: celery.TaskRunning, Since: sample.Now.Add(-limit)}, "STATE", "● running"},
		{"past it", celery.TaskRow{State: celery.TaskRunning, Since: sample.Now.Add(-limit - time.Second)}, "STATE", "⚠ past its limit"},
		{"waits longer than any limit", celery.TaskRow{State: celery.TaskWaiting, Since: sample.Now.Add(-time.Hour), AtLeast: true}, "FOR", "≥1h00m"},
		{"unknown since", celery.TaskRow{State: celery.TaskReserved}, "FOR", "?"},
		{"retry", celery.TaskRow{State: celery.TaskScheduled, Retries: 2, ETA: sample.Now.Add(time.Minute)}, "TRIES", "retry 2 · in 1m"},
		{"eta past", celery.TaskRow{State: celery.TaskScheduled, ETA: sample.Now.Add(-time.Minute)}, "TRIES", ""},
		{"worker before queue", celery.TaskRow{State: celery.TaskReserved, Worker: "w1", Queue: "celery"}, "WHERE", "w1"},
		{"queue", celery.TaskRow{State: celery.TaskWaiting, Queue: "celery"}, "WHERE", "celery"},
		{"import", celery.TaskRow{State: celery.TaskWaiting, Args: "anonymous_id=C09D-0042, user_id=1"}, "COPY", "C09D-0042"},
	}
	for _, tt := range tests {
		in := withBroker(celery.Overview{}, celery.Tasks{Rows: []celery.TaskRow{tt.row}, Limit: limit})
		if got := cells(spec("tasks"), in, 0)[tt.column]; got != tt.want {
			t.Errorf("%s: %s is %q, want %q", tt.name, tt.column, got, tt.want)
		}
	}
}

// A task is the target of what acts on tasks; what acts on copies finds its copy.
func TestTaskTargets(t *testing.T) {
	in := withBroker(celery.Overview{}, celery.Tasks{Rows: []celery.TaskRow{
		{ID: "t1", Task: "grading.tasks.async_finalize_copy", CopyID: sample.UUIDA, State: celery.TaskFailed}, {ID: "t2", State: celery.TaskDone}, {State: celery.TaskBad}}})
	rows := spec("tasks").Content(in).Rows
	want := []*actions.Target{
		{Kind: actions.OnTask, ID: "t1", Label: "finalize_copy " + grading.CopyRef{ID: sample.UUIDA}.Label()}, nil, {Kind: actions.OnTask, ID: "t2", Label: "t2"}}
	if diff := cmp.Diff(want, []*actions.Target{rows[0].Target, rows[1].Target, rows[2].Target}); diff != "" {
		t.Error(diff)
	}
	if rows[0].Copy != sample.UUIDA {
		t.Errorf("it opens copy %q", rows[0].Copy)
	}
}

// The traceback of the task under the cursor stands below the rows, its end
// first of all, and does not push the rows out.
func TestTracebackOfTheChosenTask(t *testing.T) {
	rows := []celery.TaskRow{{ID: "a", State: celery.TaskFailed, Trace: []string{"Traceback:", "  File x", "ValueError: the cause"}}}
	for i := range 40 {
		rows = append(rows, celery.TaskRow{ID: "w" + string(rune('A'+i)), State: celery.TaskWaiting})
	}
	table := pane.New(spec("tasks"), ui.NewTheme(ui.Mono, false), 7)
	table.SetInput(withBroker(celery.Overview{}, celery.Tasks{Rows: rows}))
	for _, h := range []int{8, 16, 24} {
		got := strings.Join(table.Render(90, h, true), "\n")
		if has := strings.Contains(got, "ValueError: the cause"); has != (h >= 16) {
			t.Errorf("at %d lines the traceback is shown: %v\n%s", h, has, got)
		}
		if waits := strings.Count(got, "waiting"); waits < h/3 {
			t.Errorf("at %d lines only %d rows wait\n%s", h, waits, got)
		}
	}
}

// A note that is about all rows stays when the filter hides them.
func TestNotesAreSaid(t *testing.T) {
	m := sample.Traffic()
	m.Note = "1 of 3 processes answered only once."
	l := sample.Logged()
	l.Note = "Still reading: 3 MB of log to go."
	in := input(sample.Live(7, sample.Grading(), broker(), m, l))
	for id, want := range map[pane.ID]string{"latency": "⚠ " + m.Note, "stuck": "logs: " + l.Note} {
		table := pane.New(spec(id), ui.NewTheme(ui.Mono, false), 0)
		table.SetInput(in)
		table.SetFilter("matches nothing at all")
		if got := strings.Join(table.Render(100, 12, true), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s does not say %q:\n%s", id, want, got)
		}
		if got := table.Report().Notes; !slices.Contains(got, want) {
			t.Errorf("%s for programs says %q", id, got)
		}
	}
}

// What matters is before the cut: the cause, without the way to it.
func TestStuckNamesTheCause(t *testing.T) {
	tests := []struct{ why, message, trace, want string }{
		{"no page yet", "Task raised", "fitz.FileDataError: cannot open broken document", "no page yet: cannot open broken document"},
		{"no page yet", "import failed for copy x: KeyError: 'page'", "", "no page yet: KeyError: 'page'"},
		{"no page yet", "[Errno 2] No such file or directory: '/media/a.pdf'", "", "no page yet: [Errno 2] No such file or directory: '/media/a.pdf'"},
		{"finalize failed (try 2): disk full", "finalize failed: disk full", "", "finalize failed (try 2): disk full"},
		{"lock expired: finalize fails", "boom: too many clients already", "", "lock expired: finalize fails · too many clients already"},
		{"no page yet", "", "", "no page yet"},
	}
	for _, tt := range tests {
		o := grading.Overview{ServerTime: sample.Server}
		o.Stuck.Value = grading.Stucks{Rows: []grading.Stuck{{Copy: sample.Ref("A"), Cause: grading.CauseFailed, Why: tt.why}}, Total: 1}
		line := logs.Line{At: sample.Now, Message: tt.message}
		if tt.trace != "" {
			line.Trace = []string{tt.trace}
		}
		in := input(sample.Live(7, o, celery.Overview{}, warming(), logs.Overview{ByCopy: map[string]logs.Line{"id-A": line}}))
		if got := cells(spec("stuck"), in, 0)["WHY"]; got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestStuckKnowsOfLostTasks(t *testing.T) {
	o := grading.Overview{ServerTime: sample.Server}
	o.Stuck.Value = grading.Stucks{Rows: []grading.Stuck{{Copy: grading.CopyRef{ID: sample.UUIDA}, Cause: grading.CauseImport, Why: "no page yet"}}, Total: 1}
	lost := celery.Tasks{Rows: []celery.TaskRow{{CopyID: strings.ToUpper(sample.UUIDA), State: celery.TaskLost}}}
	in := input(probes.NewSet(probes.Snapshot{ID: grading.ID, Seq: 1, Good: sample.Now, Payload: o}, probes.Snapshot{ID: celery.TasksID, Seq: 1, Good: sample.Now, Payload: lost}))
	if got, want := cells(spec("stuck"), in, 0)["WHY"], "no page yet · ⚠ its task is lost"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEmptyQueuesShareALine(t *testing.T) {
	o := celery.Overview{Queues: []celery.Queue{{Name: "celery", Consumed: celery.Yes}, {Name: "import", Consumed: celery.No}, {Name: "finalize"}}}
	table := pane.New(spec("queue"), ui.NewTheme(ui.Mono, false), 0)
	table.SetInput(withBroker(o, celery.Tasks{}))
	var b strings.Builder
	if err := table.Plain(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\nempty: import, finalize\n") || strings.Contains(b.String(), "takes it") {
		t.Errorf("it says:\n%s", b.String())
	}
	if n := len(table.Report().Rows); n != 3 {
		t.Errorf("programs get %d queues, want 3", n)
	}
}
