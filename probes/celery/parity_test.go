package celery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// asker asks one worker by hand, so that the replies are seen as they are.
type asker struct {
	t    *testing.T
	c    *redis.Client
	oid  string
	name string
}

func newAsker(t *testing.T, c *redis.Client, name string) asker {
	a := asker{t, c, uuid.NewString(), name}
	names := celery.Names{}
	c.SAdd(t.Context(), names.ReplyBindings(), names.ReplyBinding(a.oid))
	return a
}

func (a asker) ask(method string, args map[string]any) any {
	a.t.Helper()
	raw, err := celery.EncodeControl(celery.Control{Method: method, Arguments: args, Destination: []string{a.name}, Ticket: "t", ReplyTo: a.oid})
	if err != nil {
		a.t.Fatal(err)
	}
	ctx := labtest.Context(a.t)
	a.c.Publish(ctx, celery.Names{}.ControlChannel(), raw)
	got, err := a.c.BRPop(ctx, 20*time.Second, celery.Names{}.ReplyList(a.oid)).Result()
	if err != nil {
		a.t.Fatalf("%s: %v", method, err)
	}
	r, err := celery.DecodeReply([]byte(got[1]))
	if err != nil {
		a.t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(r.Value, &v); err != nil {
		a.t.Fatal(err)
	}
	return v
}

// shape gives the types of a JSON value by path: "pool.processes[]" is "number".
func shape(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		into[path] = "object"
		for k, e := range v {
			if _, err := uuid.Parse(k); err == nil {
				k = "<id>"
			}
			shape(e, strings.TrimPrefix(path+"."+k, "."), into)
		}
	case []any:
		into[path] = "list"
		for i, e := range v {
			if state, pair := e.(string); pair && len(v) == 2 && i == 0 && isRequest(v[1], state) { // [state, request]
				shape(e, path+"[0]", into)
				continue
			}
			shape(e, path+"[]", into)
		}
	case nil:
		into[path] = "null"
	default:
		into[path] = fmt.Sprintf("%T", v)
	}
}

// The demo's worker and a real one answer alike: the same keys with the same
// types. Of settings and statistics the demo has the part that is read here.
func TestSimulatedWorkerAnswersLikeARealOne(t *testing.T) {
	python(t)
	w, err := lab.Start(labtest.Context(t), lab.Options{Dialect: lab.Playbook, Quiet: true, Speed: 0.02})
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	sim := open(t, celery.Config{BrokerURL: w.Redis.URL()})
	simulated := newAsker(t, client(t, w.Redis), w.Worker.Name())
	eventually(t, func() bool { return w.Worker.Busy() == 0 })
	simIDs := slowImports(t, w, sim, 3)
	later(t, simulated.c)
	eventually(t, func() bool { return w.Worker.Busy() == 2 && simulated.c.HLen(t.Context(), "unacked").Val() == 2 })

	s := labtest.Redis(t)
	c := client(t, s)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	startWorker(t, s, c, workerOptions{dialect: "playbook", args: []string{"-c", "2", "--time-limit", "300", "--soft-time-limit", "270"}, conf: map[string]any{"accept_content": []string{"json"}}})
	var realIDs []string
	for range 3 {
		send := celery.Task{ID: uuid.NewString(), Name: "grading.tasks.async_import_pdf", Args: []any{copyA, 1}, Queue: "celery", Origin: "test"}
		publish(t, b, send)
		realIDs = append(realIDs, send.ID)
	}
	later(t, c)
	eventually(t, func() bool {
		return c.LLen(t.Context(), "ran:"+copyA).Val() == 2 && c.HLen(t.Context(), "unacked").Val() == 2
	})
	real := newAsker(t, c, "w1@test")

	part := map[string]bool{"stats": true, "conf": true}
	for _, q := range []struct {
		method string
		args   func(ids []string) map[string]any
	}{
		{"ping", none}, {"active", none}, {"reserved", none}, {"scheduled", none}, {"registered", none}, {"active_queues", none},
		{"stats", none}, {"conf", func([]string) map[string]any { return map[string]any{"with_defaults": true} }}, {"report", none}, {"clock", none}, {"nosuchmethod", none},
		{"query_task", func(ids []string) map[string]any { return map[string]any{"ids": ids} }},
		{"pool_grow", number}, {"pool_shrink", number}, {"enable_events", none}, {"enable_events", none}, {"disable_events", none}, {"disable_events", none},
		{"rate_limit", limit("grading.tasks.async_import_pdf", "1/h")}, {"rate_limit", limit("grading.tasks.async_import_pdf", 0)}, {"rate_limit", limit("no.such", 0)},
		{"add_consumer", func([]string) map[string]any { return map[string]any{"queue": "notes"} }},
		{"cancel_consumer", func([]string) map[string]any { return map[string]any{"queue": "notes"} }},
		{"revoke", func(ids []string) map[string]any { return map[string]any{"task_id": ids[2], "terminate": false} }},
		{"revoke", func(ids []string) map[string]any { return map[string]any{"task_id": ids[0], "terminate": true} }},
		{"revoke", func([]string) map[string]any { return map[string]any{"task_id": "unheard-of", "terminate": true} }},
		{"revoked", none},
	} {
		if q.method == "pool_shrink" { // what was reserved runs in the new process
			eventually(t, func() bool {
				a, _ := real.ask("active", nil).([]any)
				b, _ := simulated.ask("active", nil).([]any)
				return len(a) == 3 && len(b) == 3
			})
		}
		theirs, ours := real.ask(q.method, q.args(realIDs)), simulated.ask(q.method, q.args(simIDs))
		if said, ok := ours.(map[string]any); ok && said["ok"] != nil && q.method != "report" {
			for i := range realIDs {
				said["ok"] = strings.ReplaceAll(fmt.Sprint(said["ok"]), simIDs[i], realIDs[i])
			}
			if fmt.Sprint(said) != fmt.Sprint(theirs) {
				t.Errorf("%s: the real worker says %v, the simulated one %v", q.method, theirs, said)
			}
		}
		alike(t, q.method, theirs, ours, part[q.method])
	}
}

func none([]string) map[string]any { return map[string]any{} }

func number([]string) map[string]any { return map[string]any{"n": 1} }

func limit(task string, rate any) func([]string) map[string]any {
	return func([]string) map[string]any { return map[string]any{"task_name": task, "rate_limit": rate} }
}

// later sends a task that is held until its eta.
func later(t *testing.T, c *redis.Client) {
	t.Helper()
	raw := encoded(t, celery.Task{ID: uuid.NewString(), Name: "grading.tasks.async_import_pdf", Args: []any{copyA, 1}, Queue: "celery", Origin: "test"})
	c.LPush(t.Context(), "celery", strings.Replace(raw, `"eta":null`, `"eta":"2099-01-01T00:00:00+00:00"`, 1))
}

func alike(t *testing.T, method string, theirs, ours any, part bool) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	shape(theirs, "", want)
	shape(ours, "", got)
	for _, path := range slices.Sorted(maps.Keys(got)) {
		switch {
		case want[path] == "" && !freeKeys(path):
			t.Errorf("%s: the real worker has no %s", method, strconv.Quote(path))
		case want[path] != got[path] && want[path] != "null" && got[path] != "null" && want[path] != "":
			t.Errorf("%s: %s is %s, of the real worker %s", method, path, got[path], want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if !part && got[path] == "" && !freeKeys(path) {
			t.Errorf("%s: the simulated worker has no %s", method, path)
		}
	}
}

// freeKeys are objects whose keys are data: task names, keyword arguments.
func freeKeys(path string) bool {
	return strings.HasPrefix(path, "total.") || strings.Contains(path, "kwargs.") || strings.Contains(path, "task_routes.") ||
		path == "pool.implementation" // newer than the real one here
}

func isRequest(v any, state string) bool {
	_, ok := v.(map[string]any)
	return ok && state != ""
}
