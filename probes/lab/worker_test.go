package lab_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

const sep = "\x06\x16"

// control is a client of the control channel, written by hand.
type control struct {
	t   *testing.T
	ctx context.Context
	rdb *redis.Client
	oid string
}

func newControl(t *testing.T, w *lab.World) *control {
	rdb := redis.NewClient(w.Redis.Options())
	t.Cleanup(func() { rdb.Close() })
	c := &control{t: t, ctx: labtest.Context(t), rdb: rdb, oid: uuid.NewString()}
	if err := rdb.SAdd(c.ctx, "_kombu.binding.reply.celery.pidbox", c.oid+sep+sep+c.oid+".reply.celery.pidbox").Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *control) publish(method string, args map[string]any) int64 {
	c.t.Helper()
	if args == nil {
		args = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{
		"method": method, "arguments": args, "destination": nil, "pattern": nil, "matcher": nil, "ticket": "t-1",
		"reply_to": map[string]any{"exchange": "reply.celery.pidbox", "routing_key": c.oid},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{
		"body": base64.StdEncoding.EncodeToString(body), "content-encoding": "utf-8", "content-type": "application/json",
		"headers": map[string]any{"clock": 1, "expires": 0},
		"properties": map[string]any{
			"delivery_mode": 1, "delivery_info": map[string]any{"exchange": "celery.pidbox", "routing_key": ""},
			"priority": 0, "body_encoding": "base64", "delivery_tag": uuid.NewString(),
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.rdb.Publish(c.ctx, "/0.celery.pidbox", raw).Val()
}

// replyWithin gives one worker's answer, nil when none comes in that many seconds.
func (c *control) replyWithin(seconds string) map[string]json.RawMessage {
	c.t.Helper()
	got, err := c.rdb.Do(c.ctx, "BRPOP", c.oid+".reply.celery.pidbox", seconds).StringSlice()
	if err != nil {
		return nil
	}
	var e struct {
		Body    string
		Headers struct{ Ticket string }
	}
	if err := json.Unmarshal([]byte(got[1]), &e); err != nil || e.Headers.Ticket != "t-1" {
		c.t.Fatalf("reply %s: %v", got[1], err)
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var reply map[string]json.RawMessage
	if err := json.Unmarshal(body, &reply); err != nil {
		c.t.Fatal(err)
	}
	return reply
}

func (c *control) ask(method string, args map[string]any) string {
	c.t.Helper()
	if n := c.publish(method, args); n != 1 {
		c.t.Fatalf("%s: %d workers listen", method, n)
	}
	reply := c.replyWithin("2.5")
	return string(reply["celery@app1"])
}

// taskMessage is the minimum that runs, by hand.
func taskMessage(id, task string, args []any, kwargs map[string]any) []byte {
	body, _ := json.Marshal([]any{args, kwargs, map[string]any{}})
	raw, _ := json.Marshal(map[string]any{
		"body": base64.StdEncoding.EncodeToString(body), "content-type": "application/json",
		"headers": map[string]any{"id": id, "task": task},
		"properties": map[string]any{
			"body_encoding": "base64", "delivery_tag": uuid.NewString(),
			"delivery_info": map[string]any{"exchange": "", "routing_key": "celery"},
		},
	})
	return raw
}

// outcome awaits the final result of a task.
func outcome(t *testing.T, rdb *redis.Client, id string) (status, result string) {
	t.Helper()
	ctx := labtest.Context(t)
	var meta struct {
		Status string
		Result json.RawMessage
	}
	eventually(t, "the result of task "+id, func() bool {
		raw, err := rdb.Get(ctx, "celery-task-meta-"+id).Bytes()
		return err == nil && json.Unmarshal(raw, &meta) == nil && meta.Status != "STARTED"
	})
	return meta.Status, string(meta.Result)
}

func push(t *testing.T, rdb *redis.Client, raw ...[]byte) {
	t.Helper()
	for _, m := range raw {
		if err := rdb.LPush(labtest.Context(t), "celery", m).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkerRunsMessages(t *testing.T) {
	w := world(t, quiet(lab.Deployed))
	rdb := newControl(t, w).rdb
	ctx := labtest.Context(t)
	for _, c := range []struct {
		name           string
		raw            func(id string) []byte
		status, result string
	}{
		{"by hand, unknown copy", func(id string) []byte {
			return taskMessage(id, "grading.tasks.async_finalize_copy", []any{uuid.Nil.String(), 1}, map[string]any{})
		}, "SUCCESS", `"status": "error", "detail": "Copy matching query does not exist.", "attempt": 1}`},
		{"unknown task", func(id string) []byte { return taskMessage(id, "no.such.task", nil, nil) }, "FAILURE", `NotRegistered`},
		{"playbook's arguments", func(id string) []byte {
			return taskMessage(id, "grading.tasks.async_import_pdf", []any{}, map[string]any{"copy_id": "x", "user_id": 1})
		}, "FAILURE", `got an unexpected keyword argument 'copy_id'`},
		{"too few arguments", func(id string) []byte {
			return taskMessage(id, "grading.tasks.async_finalize_copy", []any{}, map[string]any{"copy_id": "x"})
		}, "FAILURE", `missing 1 required positional argument: 'user_id'`},
		{"uuid of newer kombu", func(id string) []byte {
			typed := map[string]any{"__type__": "uuid", "__value__": map[string]any{"hex": strings.ReplaceAll(uuid.Nil.String(), "-", "")}}
			return taskMessage(id, "grading.tasks.async_finalize_copy", []any{typed, 1, nil}, map[string]any{})
		}, "SUCCESS", `Copy matching query`},
		{"from probes/celery", func(id string) []byte {
			raw, err := celery.EncodeTask(celery.Task{
				ID: id, Name: "grading.tasks.async_finalize_copy", Queue: "celery", Origin: "gradecockpit@test",
				Kwargs: map[string]any{"copy_id": uuid.Nil.String(), "user_id": 1, "lock_token": nil},
			})
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}, "SUCCESS", `Copy matching query`},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := uuid.NewString()
			push(t, rdb, c.raw(id))
			status, result := outcome(t, rdb, id)
			if status != c.status || !strings.Contains(result, c.result) {
				t.Errorf("%s %s, want %s with %s", status, result, c.status, c.result)
			}
			eventually(t, "an empty unacked", func() bool { return rdb.HLen(ctx, "unacked").Val() == 0 })
			if ttl := rdb.TTL(ctx, "celery-task-meta-"+id).Val(); ttl <= 23*time.Hour || ttl > 24*time.Hour {
				t.Errorf("the result lives for %v", ttl)
			}
		})
	}
}

func TestWorkerTakesPrioritiesInOrder(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.NoWorker = true
	w := world(t, opts)
	rdb := newControl(t, w).rdb
	ctx := labtest.Context(t)
	sub := rdb.PSubscribe(ctx, "celery-task-meta-*")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{"p0-first", "p0-second", "p3", "p9"}
	for _, m := range []struct{ list, id string }{
		{"celery" + sep + "9", "p9"}, {"celery", "p0-first"}, {"celery" + sep + "3", "p3"}, {"celery", "p0-second"},
	} {
		if err := rdb.LPush(ctx, m.list, taskMessage(m.id, "no.such.task", nil, nil)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Worker.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for m := range sub.Channel() {
		got = append(got, strings.TrimPrefix(m.Channel, "celery-task-meta-"))
		if len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWorkerAnswersControl(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.Speed = 1
	opts.Faults = []string{"workers-busy"}
	w := world(t, opts)
	c := newControl(t, w)
	eventually(t, "two running tasks", func() bool { return w.Worker.Busy() == 2 })
	waitingID := uuid.NewString()
	push(t, c.rdb, taskMessage(waitingID, "core.celery.debug_task", nil, nil))
	eventually(t, "a reserved task", func() bool { return strings.Contains(c.ask("reserved", nil), waitingID) })
	for method, want := range map[string]string{
		"ping":          `{"ok": "pong"}`,
		"active":        `"name": "grading.tasks.async_import_pdf"`,
		"scheduled":     `[]`,
		"registered":    `"grading.tasks.async_finalize_copy"`,
		"active_queues": `"name": "celery"`,
		"stats":         `"max-concurrency": 2`,
		"conf":          `"task_track_started": true`,
		"report":        `software -> celery:`,
		"clock":         `"clock": `,
		"nosuchmethod":  `{"error": "KeyError('nosuchmethod')"}`,
	} {
		if got := c.ask(method, nil); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
	if got := c.ask("query_task", map[string]any{"ids": []string{waitingID}}); !strings.Contains(got, `["reserved", {`) {
		t.Errorf("query_task: %s", got)
	}
	if got := c.ask("revoke", map[string]any{"task_id": waitingID, "terminate": false}); !strings.Contains(got, "flagged as revoked") {
		t.Errorf("revoke: %s", got)
	}
	if got := c.ask("revoke", map[string]any{"task_id": uuid.Nil.String(), "terminate": true}); got != `{"ok": "terminate: tasks unknown"}` {
		t.Errorf("revoke: %s", got)
	}
	var active []struct{ ID string }
	if err := json.Unmarshal([]byte(c.ask("active", nil)), &active); err != nil || len(active) != 2 {
		t.Fatalf("active: %v %v", active, err)
	}
	if got := c.ask("revoke", map[string]any{"task_id": active[0].ID, "terminate": true}); got != `{"ok": "terminate: `+active[0].ID+`"}` {
		t.Errorf("terminate: %s", got)
	}
	for _, id := range []string{active[0].ID, waitingID} {
		if status, result := outcome(t, c.rdb, id); status != "REVOKED" || !strings.Contains(result, "TaskRevokedError") {
			t.Errorf("%s: %s %s", id, status, result)
		}
	}
}

func TestWorkerSendsHeartbeats(t *testing.T) {
	w := world(t, quiet(lab.Deployed))
	c := newControl(t, w)
	sub := c.rdb.PSubscribe(c.ctx, "/0.celeryev/*")
	defer sub.Close()
	if _, err := sub.Receive(c.ctx); err != nil {
		t.Fatal(err)
	}
	c.ask("heartbeat", nil)
	for m := range sub.Channel() {
		if m.Channel == "/0.celeryev/worker.online" {
			continue // the worker has just come
		}
		var e struct{ Body string }
		if err := json.Unmarshal([]byte(m.Payload), &e); err != nil || m.Channel != "/0.celeryev/worker.heartbeat" {
			t.Fatalf("%v %v", m, err)
		}
		body, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil || !strings.Contains(string(body), `"hostname": "celery@app1"`) || !strings.Contains(string(body), `"type": "worker-heartbeat"`) {
			t.Errorf("%s %v", body, err)
		}
		return
	}
}

func TestKilledWorkerLeavesOrphans(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.Speed = 1
	opts.Faults = []string{"queue-backlog"}
	w := world(t, opts)
	c := newControl(t, w)
	held := func() int64 { return c.rdb.HLen(c.ctx, "unacked").Val() }
	// Two run and are in no key, eight are held.
	eventually(t, "a full prefetch", func() bool { return w.Worker.Busy() == 2 && held() == 8 })
	left := c.rdb.LLen(c.ctx, "celery").Val()
	w.Worker.Kill()
	eventually(t, "the server sees it gone", func() bool { return c.publish("ping", nil) == 0 })
	if got := held(); got != 8 {
		t.Errorf("%d messages in unacked after the kill, want 8", got)
	}
	if got := c.rdb.LLen(c.ctx, "celery").Val(); got != left {
		t.Errorf("%d messages wait after the kill, %d before", got, left)
	}
	if !c.rdb.SIsMember(c.ctx, "_kombu.binding.celery.pidbox", sep+sep+"celery@app1.celery.pidbox").Val() {
		t.Error("a killed worker took its binding along")
	}
}

func TestWarmStopGivesBack(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.Speed = 10
	opts.Faults = []string{"queue-backlog"}
	w := world(t, opts)
	c := newControl(t, w)
	eventually(t, "a full prefetch", func() bool { return c.rdb.HLen(c.ctx, "unacked").Val() == 8 })
	next := c.rdb.LIndex(c.ctx, "celery", -1).Val()
	if err := w.Worker.Stop(c.ctx); err != nil {
		t.Fatal(err)
	}
	if n := c.rdb.HLen(c.ctx, "unacked").Val(); n != 0 {
		t.Errorf("%d messages still held", n)
	}
	waiting := c.rdb.LRange(c.ctx, "celery", -20, -1).Val()
	at := -1
	for i, m := range waiting {
		if m == next {
			at = i
		}
	}
	if at < 0 || !strings.Contains(waiting[len(waiting)-1], `"redelivered":true`) {
		t.Errorf("the held messages are not before the one that was next (at %d of %d)", at, len(waiting))
	}
}

func TestFrozenWorkerAnswersLater(t *testing.T) {
	w := world(t, quiet(lab.Deployed))
	c := newControl(t, w)
	w.Worker.Pause()
	if n := c.publish("ping", nil); n != 1 {
		t.Fatalf("%d receivers of a frozen worker, want 1", n)
	}
	if r := c.replyWithin("0.2"); r != nil {
		t.Fatalf("a frozen worker answered %v", r)
	}
	w.Worker.Resume()
	if r := c.replyWithin("2.5"); r == nil {
		t.Error("the command that waited was not answered after the thaw")
	}
}

func TestMalformedMessagesKillOrAreDropped(t *testing.T) {
	good := string(taskMessage("some-id", "core.celery.debug_task", nil, nil))
	for name, c := range map[string]struct {
		raw   string
		dies  bool
		stays int64
	}{
		"not JSON":        {"{", true, 0},
		"no properties":   {`{"body": "", "content-type": "application/json", "headers": {}}`, true, 0},
		"no delivery tag": {strings.Replace(good, "delivery_tag", "delivery_tug", 1), true, 0},
		"bad base64":      {strings.Replace(good, `"body":"`, `"body":"%`, 1), true, 0},
		"no id":           {strings.Replace(good, `"id":"some-id",`, ``, 1), true, 1},
		"no content type": {strings.Replace(good, `"content-type"`, `"content-typo"`, 1), true, 1},
		"no task":         {strings.Replace(good, `"task"`, `"tusk"`, 1), false, 0},
		"pickle":          {strings.Replace(good, "application/json", "application/x-python-serialize", 1), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := quiet(lab.Deployed)
			opts.Speed = 0.001 // a crashed worker comes back in an hour
			w := world(t, opts)
			rdb := newControl(t, w).rdb
			push(t, rdb, []byte(c.raw))
			if c.dies {
				eventually(t, "the end of the worker", func() bool { return !w.Worker.Alive() })
			} else {
				id := uuid.NewString()
				push(t, rdb, taskMessage(id, "core.celery.debug_task", nil, nil))
				outcome(t, rdb, id)
			}
			if n := rdb.LLen(labtest.Context(t), "celery").Val(); n != c.stays {
				t.Errorf("%d messages in the list, want %d", n, c.stays)
			}
		})
	}
}
