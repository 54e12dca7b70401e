package celery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	copyA  = "c0ffee00-0000-4000-8000-000000000001"
	taskA  = "11111111-2222-4333-8444-555555555555"
	finale = "grading.tasks.async_finalize_copy"
)

func sampleTask() Task {
	return Task{
		ID: taskA, Name: finale, Queue: "celery", Priority: 5, Origin: "gradecockpit@test",
		Args: []any{copyA, 7, "99999999-2222-4333-8444-555555555555"}, Kwargs: map[string]any{"note": "it's", "flag": true, "x": nil},
	}
}

func mustEncode(t testing.TB, task Task) []byte {
	t.Helper()
	raw, err := EncodeTask(task)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEncodeTaskReadsBack(t *testing.T) {
	raw := mustEncode(t, sampleTask())
	got := DecodeTask(raw)
	want := Message{
		ID: taskA, Task: finale, CopyID: copyA, Queue: "celery", Priority: 5, Raw: raw,
		Args: copyA + ", 7, 99999999…, flag=True, note=it's, x=None",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, header := range []string{
		`"argsrepr":"('` + copyA + `', 7, '99999999-2222-4333-8444-555555555555')"`,
		`"kwargsrepr":"{'flag': True, 'note': \"it's\", 'x': None}"`,
		`"timelimit":[null,null]`, `"delivery_info":{"exchange":"","routing_key":"celery"}`,
		`"reply_to":""`, `"root_id":"` + taskA + `"`, `"body_encoding":"base64"`,
	} {
		if !strings.Contains(string(raw), strings.ReplaceAll(header, `\"`, `\"`)) {
			t.Errorf("no %s in %s", header, raw)
		}
	}
	if string(raw) == string(mustEncode(t, sampleTask())) {
		t.Error("two messages have the same delivery tag")
	}
}

func TestEncodeTaskRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Task){
		"no id":        func(t *Task) { t.ID = "" },
		"bare hex id":  func(t *Task) { t.ID = strings.ReplaceAll(taskA, "-", "") },
		"no name":      func(t *Task) { t.Name = "" },
		"odd name":     func(t *Task) { t.Name = "a b" },
		"no queue":     func(t *Task) { t.Queue = "" },
		"control byte": func(t *Task) { t.Queue = "celery\x06\x163" },
		"priority":     func(t *Task) { t.Priority = 10 },
		"bad text":     func(t *Task) { t.Args = []any{"\xff"} },
		"not JSON":     func(t *Task) { t.Kwargs = map[string]any{"f": func() {}} },
		"too large":    func(t *Task) { t.Args = []any{strings.Repeat("x", maxBody)} },
	} {
		task := sampleTask()
		spoil(&task)
		if _, err := EncodeTask(task); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestControlAndReplyReadBack(t *testing.T) {
	want := Control{Method: "active", Arguments: map[string]any{}, Destination: []string{"w1@a"}, Ticket: "t1", ReplyTo: "oid"}
	raw, err := EncodeControl(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeControl(raw)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	raw, err = EncodeReply("t1", "oid", "w1@a", map[string]any{"ok": "pong"})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := DecodeReply(raw)
	if d := cmp.Diff(Reply{"t1", "w1@a", []byte(`{"ok":"pong"}`)}, reply); d != "" || err != nil {
		t.Error(err, d)
	}
}
