package celery_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func tasksOf(t testing.TB, p *celery.TasksProbe) celery.Tasks {
	t.Helper()
	payload, err := p.Sample(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return payload.(celery.Tasks)
}

// row gives the row of a task, and an empty one when there is none.
func row(all []celery.TaskRow, id string) celery.TaskRow {
	i := slices.IndexFunc(all, func(r celery.TaskRow) bool { return r.ID == id })
	if i < 0 {
		return celery.TaskRow{}
	}
	return all[i]
}

// becomes looks until a task is in a state and all that can be known of it is.
func becomes(t testing.TB, p *celery.TasksProbe, id string, want celery.TaskState) celery.TaskRow {
	t.Helper()
	var last celery.TaskRow
	for start := time.Now(); time.Since(start) < 40*time.Second; time.Sleep(200 * time.Millisecond) {
		last = row(tasksOf(t, p).Rows, id)
		named := last.Task != "" && (want != celery.TaskReserved || last.Worker != "")
		if last.State == want && named {
			return last
		}
	}
	t.Fatalf("the task is %+v, want it %q", last, want)
	return last
}

func TestRealTasksInEveryState(t *testing.T) {
	st := stageWorker(t, workerOptions{args: []string{"-E"}}) // else nobody would know what the quick ones are about
	p, ctx := celery.NewTasksProbe(st.b), labtest.Context(t)
	ids := map[string]string{}
	for _, how := range []string{"swallow", "raise", "retry", "succeed"} {
		copyID := uuid.NewString()
		st.c.Set(ctx, "behave:"+copyID, how, 0)
		sent := task("celery", 0, copyID, 7)
		ids[how] = sent.ID
		publish(t, st.b, sent)
		if how == "retry" {
			r := becomes(t, p, sent.ID, celery.TaskRetrying)
			if r.ETA.IsZero() || r.Retries != 1 || r.CopyID != copyID || r.Says != "ValueError: not yet" || len(r.Trace) == 0 {
				t.Errorf("%+v", r)
			}
		}
	}
	for how, want := range map[string]celery.TaskState{
		"swallow": celery.TaskSwallowed, "raise": celery.TaskFailed, "retry": celery.TaskDone, "succeed": celery.TaskDone,
	} {
		r := becomes(t, p, ids[how], want)
		if r.Task != finale || r.CopyID == "" || r.Since.IsZero() || r.Worker != "w1@test" {
			t.Errorf("%s: %+v", how, r)
		}
		says := map[string]string{"swallow": "said by the task", "raise": "RuntimeError: PDF flatten failed", "retry": "final_score 13.5", "succeed": "status done"}[how]
		if !strings.Contains(r.Says, says) || (how == "raise") != (len(r.Trace) > 0) {
			t.Errorf("%s says %q, traceback of %d lines", how, r.Says, len(r.Trace))
		}
		found, err := st.b.CopyTasks(ctx, r.CopyID)
		if err != nil || len(found) != 1 || found[0].State != want {
			t.Errorf("by copy: %+v, %v", found, err)
		}
	}
	sent := st.runs(t, 7)
	if r := becomes(t, p, sent[0].ID, celery.TaskRunning); r.Worker != "w1@test" || r.Since.IsZero() || r.CopyID != copyA {
		t.Errorf("%+v", r)
	}
	if r := becomes(t, p, sent[1].ID, celery.TaskReserved); r.Worker != "w1@test" || r.Since.IsZero() || r.Queue != "celery" {
		t.Errorf("%+v", r)
	}
	if r := becomes(t, p, sent[6].ID, celery.TaskWaiting); !r.AtLeast || r.Queue != "celery" {
		t.Errorf("%+v", r)
	}
	all := tasksOf(t, p)
	want := map[celery.TaskState]int{
		celery.TaskRunning: 1, celery.TaskReserved: 4, celery.TaskWaiting: 2, celery.TaskDone: 2, celery.TaskFailed: 1, celery.TaskSwallowed: 1,
	}
	if d := cmp.Diff(want, all.Counts); d != "" || all.Sampled != "" {
		t.Errorf("%s, sampled %q", d, all.Sampled)
	}
	if all.Rows[0].State != celery.TaskFailed || all.Rows[len(all.Rows)-1].State != celery.TaskDone {
		t.Errorf("from %q to %q", all.Rows[0].State, all.Rows[len(all.Rows)-1].State)
	}
	found, err := st.b.CopyTasks(ctx, copyA)
	if err != nil || len(found) != 7 {
		t.Errorf("by copy: %d rows, %v", len(found), err)
	}
	// A cockpit that starts now has seen no event; it knows what is written.
	fresh := celery.NewTasksProbe(open(t, celery.Config{BrokerURL: st.s.URL()}))
	if d := cmp.Diff(want, tasksOf(t, fresh).Counts); d != "" {
		t.Errorf("a fresh look: %s", d)
	}
}

func TestRealTasksOfAKilledWorker(t *testing.T) {
	st := stageWorker(t, workerOptions{args: []string{"--time-limit", "2"}})
	p := celery.NewTasksProbe(st.b)
	sent := st.runs(t, 3)
	becomes(t, p, sent[0].ID, celery.TaskRunning)
	becomes(t, p, sent[1].ID, celery.TaskReserved)
	st.w.kill()
	for _, s := range sent[1:] {
		if r := becomes(t, p, s.ID, celery.TaskOrphaned); r.CopyID != copyA || r.Says == "" || r.Since.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	lost := becomes(t, p, sent[0].ID, celery.TaskLost)
	t.Log(lost.Says)
	if lost.CopyID != copyA || lost.Worker != "w1@test" || !strings.Contains(lost.Says, "w1@test began it and is gone") || !strings.Contains(lost.Says, "ignore_result") {
		t.Errorf("%+v", lost)
	}
	if all := tasksOf(t, p); all.Limit != 2*time.Second || all.Rows[0].State != celery.TaskLost {
		t.Errorf("limit %v, first %q", all.Limit, all.Rows[0].State)
	}
	startWorker(t, st.s, st.c, workerOptions{args: []string{"--time-limit", "2"}})
	eventually(t, func() bool {
		lost = row(tasksOf(t, p).Rows, sent[0].ID)
		return strings.Contains(lost.Says, "has been started anew since")
	})
	// A cockpit that starts now finds it too, without knowing what it was about.
	fresh := celery.NewTasksProbe(open(t, celery.Config{BrokerURL: st.s.URL()}))
	if r := row(tasksOf(t, fresh).Rows, sent[0].ID); r.State != celery.TaskLost {
		t.Errorf("a fresh look: %+v", r)
	}
	becomes(t, p, sent[1].ID, celery.TaskOrphaned)
}

func TestTasksOnEach(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
		p := celery.NewTasksProbe(b)
		waits, held := task("celery", 3, copyA, 7), task("finalize", 0, copyA, 7)
		publish(t, b, waits)
		raw, err := celery.EncodeTask(held)
		if err != nil {
			t.Fatal(err)
		}
		unacked(t, c, "tag", raw)
		c.ZAdd(t.Context(), "unacked_index", redisZ(time.Now().Add(-time.Hour), "tag"))
		c.LPush(t.Context(), "import", "junk")
		done := uuid.NewString()
		result(t, b, c, done, "SUCCESS", map[string]any{"status": "done", "copy_id": copyA})
		all := tasksOf(t, p)
		want := map[celery.TaskState]int{celery.TaskWaiting: 1, celery.TaskOrphaned: 1, celery.TaskBad: 1, celery.TaskDone: 1}
		if d := cmp.Diff(want, all.Counts); d != "" {
			t.Error(d)
		}
		if r := row(all.Rows, waits.ID); r.Priority != 3 || r.CopyID != copyA || !r.AtLeast || r.Since.IsZero() {
			t.Errorf("%+v", r)
		}
		found, err := b.CopyTasks(labtest.Context(t), copyA)
		if err != nil || len(found) != 3 || found[0].State != celery.TaskOrphaned {
			t.Errorf("%+v, %v", found, err)
		}

		// What is announced is seen, without another search.
		failed := uuid.NewString()
		eventually(t, func() bool {
			announce(t, c, failed, "FAILURE", map[string]any{"exc_type": "ValueError", "exc_message": "\x1b[31mred", "exc_module": "builtins"})
			return row(tasksOf(t, p).Rows, failed).State == celery.TaskFailed
		})
		if r := row(tasksOf(t, p).Rows, failed); r.Says != `ValueError: \x1b[31mred` {
			t.Errorf("%+v", r)
		}
	})
}

// A broken connection is made again; announcements are heard as before.
func TestEventsAfterAnOutage(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b := open(t, celery.Config{BrokerURL: s.URL()})
		p := celery.NewTasksProbe(b)
		tasksOf(t, p)
		if err := s.Restart(labtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		c, id := client(t, s), uuid.NewString()
		eventually(t, func() bool {
			announce(t, c, id, "SUCCESS", map[string]any{"status": "done"})
			payload, err := p.Sample(labtest.Context(t))
			return err == nil && row(payload.(celery.Tasks).Rows, id).State == celery.TaskDone
		})
	})
}

// Whatever lies in the lists is shown and left alone.
func TestFuzzedEntriesAreShownAndLeftAlone(t *testing.T) {
	s := labtest.Redis(t)
	b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
	good, err := celery.EncodeTask(task("celery", 0, copyA, 7))
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	raws := make([]any, 100_000)
	for i := range raws {
		raw := slices.Clone(good)
		if i%2 == 0 {
			raw = raw[:rnd.IntN(len(raw))]
		}
		for range rnd.IntN(4) {
			if len(raw) > 0 {
				raw[rnd.IntN(len(raw))] = byte(rnd.IntN(256))
			}
		}
		raws[i] = raw
	}
	for page := range slices.Chunk(raws, 10_000) {
		if err := c.LPush(t.Context(), "celery", page...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, raw := range raws[:500] {
		c.HSet(t.Context(), "unacked", fmt.Sprint("tag", i), raw)
	}
	for i, raw := range raws[:500] {
		c.Set(t.Context(), fmt.Sprint("celery-task-meta-", i), raw, time.Hour)
	}
	for _, raw := range raws { // the decoder itself sees every one
		if m := celery.DecodeTask(raw.([]byte)); m.Bad == "" && m.Task == "" {
			t.Fatalf("neither readable nor bad: %q", raw)
		}
	}
	before := snapshotOf(t, c)
	p := celery.NewTasksProbe(b)
	all := tasksOf(t, p)
	if all.Counts[celery.TaskBad] < 500 || !strings.Contains(all.Sampled, "100 of 100000 waiting tasks") {
		t.Errorf("%v, %s", all.Counts, all.Sampled)
	}
	for _, r := range all.Rows {
		if r.State == celery.TaskBad && r.Says == "" {
			t.Errorf("no word about %+v", r)
		}
	}
	var short *celery.ErrIncomplete
	if _, err := b.CopyTasks(labtest.Context(t), copyA); err != nil && !errors.As(err, &short) {
		t.Error(err)
	}
	if snapshotOf(t, c) != before {
		t.Error("something was altered")
	}
}
