package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/clean"
)

// Result is what a worker wrote about a task. A missing result means waiting,
// running without tracking, or never heard of: nothing is written when a task
// is sent.
type Result struct {
	TaskID    string
	State     string         // STARTED, SUCCESS, FAILURE, RETRY, REVOKED, …
	Payload   map[string]any // what the task returned, when that is an object; cleaned
	Error     string         // "RuntimeError: PDF flatten failed"; "" without one
	Traceback string         // cleaned lines
	Done      time.Time      // UTC; zero while not done
	Worker    string         // of a STARTED task

	// These are there only with the setting result_extended.
	Task    string
	CopyID  string
	Args    string
	Queue   string
	Retries int
}

// Row is the result as a task. One that is not done carries no time.
func (r Result) Row() TaskRow {
	row := TaskRow{ID: r.TaskID, Task: r.Task, CopyID: orElse(r.CopyID, payloadCopy(r.Payload)), Args: r.Args,
		Worker: r.Worker, Queue: r.Queue, Retries: r.Retries, Since: r.Done}
	row.State, row.Says = outcome(r)
	if r.Traceback != "" {
		row.Trace = shortTrace(r.Traceback)
	}
	return row
}

// resultKey is the key and the channel of a task's result.
func resultKey(prefix, taskID string) string { return prefix + "celery-task-meta-" + taskID }

// ResultTTL is how long Celery keeps a result by default.
const ResultTTL = 24 * time.Hour

// EncodeResult makes what a worker writes about a task. result is what the
// task returned; for FAILURE and RETRY an object with exc_type, exc_message
// (a list) and exc_module.
func EncodeResult(taskID, state string, result any, traceback string, done time.Time) ([]byte, error) {
	m := map[string]any{
		"status": state, "result": result, "traceback": nil, "children": []any{},
		"date_done": nil, "task_id": taskID,
	}
	if traceback != "" {
		m["traceback"] = traceback
	}
	if !done.IsZero() {
		m["date_done"] = done.UTC().Format("2006-01-02T15:04:05.000000")
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode result of %s: %w", taskID, err)
	}
	return raw, nil
}

// DecodeResult reads a result. Its text is cleaned.
func DecodeResult(raw []byte) (Result, error) {
	var m map[string]json.RawMessage
	if len(raw) > maxMessage || json.Unmarshal(standard(raw), &m) != nil || text(m["status"]) == "" {
		return Result{}, fmt.Errorf("decode result: not a result in JSON (%d bytes)", len(raw))
	}
	r := Result{
		TaskID: clean.Capped(text(m["task_id"]), 80), State: clean.Capped(text(m["status"]), 40),
		Traceback: strings.Join(clean.Lines(text(m["traceback"]), 200, 400), "\n"),
		Done:      parseTime(text(m["date_done"])),
	}
	r.extended(m)
	var value any
	if decodeInto(m["result"], &value) != nil {
		return r, nil
	}
	value = cleaned(value)
	payload, isObject := value.(map[string]any)
	switch {
	case isObject && payload["exc_type"] != nil:
		r.Error = exception(payload)
	case isObject && r.State == "STARTED":
		r.Worker = scalar(payload["hostname"])
	case isObject:
		r.Payload = payload
	case value != nil:
		r.Payload = map[string]any{"result": value}
	}
	return r, nil
}

// extended reads what result_extended adds.
func (r *Result) extended(m map[string]json.RawMessage) {
	if m["name"] == nil {
		return
	}
	h := heldTask(m, "", "")
	r.Task, r.CopyID, r.Args = h.Task, h.CopyID, h.Args
	r.Worker = clean.Capped(text(m["worker"]), 100)
	r.Queue, r.Retries = clean.Capped(text(m["queue"]), 200), whole(m["retries"])
}

// exception gives the error of a failed task; exc_message is a list or text.
func exception(p map[string]any) string {
	var parts []string
	switch msg := p["exc_message"].(type) {
	case []any:
		for _, m := range msg {
			parts = append(parts, shown(m))
		}
	case nil:
	default:
		parts = append(parts, shown(msg))
	}
	return clean.Capped(strings.TrimSuffix(scalar(p["exc_type"])+": "+strings.Join(parts, ", "), ": "), 500)
}

func shown(v any) string {
	if s := scalar(v); s != "" {
		return s
	}
	return pyRepr(v)
}

// cleaned gives a JSON value with all its text cleaned.
func cleaned(v any) any {
	switch v := v.(type) {
	case string:
		return clean.Text(v)
	case []any:
		for i := range v {
			v[i] = cleaned(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[clean.Text(k)] = cleaned(e)
		}
		return out
	}
	return v
}

// Result reads what a worker wrote about a task. found is false when nothing
// was written, or it is older than a day.
func (b *Broker) Result(ctx context.Context, taskID string) (r Result, found bool, err error) {
	if b.resultsErr != nil {
		return Result{}, false, b.resultsErr
	}
	raw, err := b.results.Get(ctx, resultKey(b.cfg.ResultPrefix, taskID)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return Result{}, false, nil
	case err != nil:
		return Result{}, false, b.describe("read the result of a task", err)
	}
	r, err = DecodeResult(raw)
	return r, err == nil, err
}
