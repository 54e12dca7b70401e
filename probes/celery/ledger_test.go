package celery

import (
	"encoding/json"
	"testing"
	"time"
)

func rowOf(l *ledger, id string) TaskRow { return l.byID[id].Value.(*entry).row }

// Events of a quick task come in a batch, after its result was announced.
func TestALateEventDoesNotUndoAResult(t *testing.T) {
	l, now := newLedger(), time.Now()
	begun := func(id string) {
		l.event("task-started", map[string]json.RawMessage{"uuid": json.RawMessage(`"` + id + `"`), "hostname": json.RawMessage(`"w1@a"`)}, now)
	}
	for _, state := range []string{"SUCCESS", "RETRY"} {
		l.finish(Result{TaskID: state, State: state}, now, false)
		want := rowOf(l, state)
		begun(state)
		if row := rowOf(l, state); row.State != want.State || row.State == TaskRunning {
			t.Errorf("%s became %q", state, row.State)
		}
	}
	begun("untracked")
	if row := rowOf(l, "untracked"); row.State != TaskRunning || row.Worker != "w1@a" {
		t.Errorf("without a result: %+v", row)
	}
	l.finish(Result{TaskID: "untracked", State: "SUCCESS"}, now, false)
	if row := rowOf(l, "untracked"); row.State != TaskDone {
		t.Errorf("it stays %q", row.State)
	}
}

// TestAStaleReadingDoesNotUndoAnEnd: a result that was read as STARTED and filed
// after its end was announced is old news.
func TestAStaleReadingDoesNotUndoAnEnd(t *testing.T) {
	l, now := newLedger(), time.Now()
	l.finish(Result{TaskID: "a", State: "FAILURE", Error: "no"}, now, false)
	l.finishUnless(final, Result{TaskID: "a", State: "STARTED"}, now, true)
	if got := rowOf(l, "a").State; got != TaskFailed {
		t.Errorf("it is %q", got)
	}
	if !l.ended("a") {
		t.Error("the end is forgotten")
	}
	l.finishUnless(final, Result{TaskID: "b", State: "STARTED"}, now, true)
	l.finish(Result{TaskID: "b", State: "SUCCESS"}, now, false)
	if !l.ended("b") {
		t.Error("an end that is announced must count")
	}
}
