package lab

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// This is the far side of the wire. It is written apart from probes/celery on
// purpose, and in the bytes that Python writes: were both ends one encoder, a
// mistake in it would cancel out in every test.

// sep stands between the name of a queue and its priority step.
const sep = "\x06\x16"

// prioritySteps are the lists of a queue, most urgent first.
var prioritySteps = []string{"", sep + "3", sep + "6", sep + "9"}

// envelope is a message as kombu reads it. Pointers tell absent from empty:
// the difference decides whether a worker dies.
type envelope struct {
	Body        string          `json:"body"`
	ContentType string          `json:"content-type"`
	Headers     json.RawMessage `json:"headers"`
	Properties  *struct {
		BodyEncoding string  `json:"body_encoding"`
		DeliveryTag  *string `json:"delivery_tag"`
		DeliveryInfo *struct {
			Exchange   json.RawMessage `json:"exchange"`
			RoutingKey *string         `json:"routing_key"`
		} `json:"delivery_info"`
		Priority int `json:"priority"`
	} `json:"properties"`
}

// job is a task message in a worker's hands.
type job struct {
	id, task, tag, queue string
	priority             int
	redelivered          bool
	eta                  time.Time
	args                 []json.RawMessage
	kwargs               map[string]json.RawMessage
	raw                  []byte

	started time.Time // zero while it waits
	acked   bool
	cancel  func() // ends it while it runs
	revoked bool
}

// The three ways in which a message can be wrong.
var (
	errDropped  = errors.New("dropped")           // a warning, the worker lives
	errLost     = errors.New("kills, is lost")    // the worker dies
	errRestored = errors.New("kills, comes back") // the worker dies, and its successor too
)

// openTask reads a task message as a real worker does, defects included.
func openTask(raw []byte) (*job, error) {
	e, body, err := openEnvelope(raw)
	if err != nil {
		return nil, errors.Join(errLost, err)
	}
	j := &job{
		tag: *e.Properties.DeliveryTag, queue: *e.Properties.DeliveryInfo.RoutingKey,
		priority: e.Properties.Priority, raw: raw,
	}
	if e.ContentType == "" {
		return j, errRestored
	}
	if e.ContentType != "application/json" {
		return j, errDropped
	}
	return j, j.read(e.Headers, body)
}

func openEnvelope(raw []byte) (e envelope, body []byte, err error) {
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, nil, err
	}
	if e.Properties == nil || e.Properties.DeliveryTag == nil ||
		e.Properties.DeliveryInfo == nil || e.Properties.DeliveryInfo.Exchange == nil || e.Properties.DeliveryInfo.RoutingKey == nil {
		return e, nil, errors.New("no delivery tag, exchange or routing key")
	}
	if e.Properties.BodyEncoding != "base64" {
		return e, []byte(e.Body), nil
	}
	body, err = base64.StdEncoding.DecodeString(e.Body)
	return e, body, err
}

// read takes id, name and arguments from headers and body: protocol 2, or
// protocol 1 when the headers say nothing.
func (j *job) read(headers json.RawMessage, body []byte) error {
	var h struct {
		Task, ID    string
		ETA         string
		Redelivered bool
	}
	if json.Unmarshal(headers, &h) != nil || h.Task == "" {
		return j.readProtocol1(body)
	}
	if h.ID == "" {
		return errRestored
	}
	j.id, j.task, j.redelivered = h.ID, h.Task, h.Redelivered
	j.eta, _ = time.Parse(time.RFC3339Nano, h.ETA)
	var parts []json.RawMessage
	if len(body) > 0 && !json.Valid(body) {
		return errDropped
	}
	if json.Unmarshal(body, &parts) != nil || len(parts) != 3 {
		return errRestored
	}
	if json.Unmarshal(parts[0], &j.args) != nil || json.Unmarshal(parts[1], &j.kwargs) != nil {
		return errLost
	}
	return nil
}

func (j *job) readProtocol1(body []byte) error {
	var b struct {
		Task, ID string
		Args     []json.RawMessage
		Kwargs   map[string]json.RawMessage
	}
	if json.Unmarshal(body, &b) != nil || b.Task == "" || b.ID == "" {
		return errDropped
	}
	j.id, j.task, j.args, j.kwargs = b.ID, b.Task, b.Args, b.Kwargs
	return nil
}

// message is a task as the application's own producers send it.
type message struct {
	id, tag, task, queue string
	args                 []any
	kwargs               object
	priority             int
}

// bytes writes the envelope with the keys and separators of Python's json.
func (m message) bytes() []byte {
	args := m.args
	if args == nil {
		args = []any{}
	}
	nothing := object{{"callbacks", nil}, {"errbacks", nil}, {"chain", nil}, {"chord", nil}}
	body := pyJSON([]any{args, m.kwargs, nothing})
	return []byte(pyJSON(object{
		{"body", base64.StdEncoding.EncodeToString([]byte(body))},
		{"content-encoding", "utf-8"},
		{"content-type", "application/json"},
		{"headers", object{
			{"lang", "py"}, {"task", m.task}, {"id", m.id}, {"shadow", nil}, {"eta", nil}, {"expires", nil},
			{"group", nil}, {"group_index", nil}, {"retries", 0}, {"timelimit", []any{nil, nil}},
			{"root_id", m.id}, {"parent_id", nil}, {"argsrepr", pyRepr(m.args, "(", ")")},
			{"kwargsrepr", pyReprDict(m.kwargs)}, {"origin", "gen31@backend"}, {"ignore_result", false},
		}},
		{"properties", object{
			{"correlation_id", m.id}, {"reply_to", m.tag}, {"delivery_mode", 2},
			{"delivery_info", object{{"exchange", ""}, {"routing_key", m.queue}}},
			{"priority", m.priority}, {"body_encoding", "base64"}, {"delivery_tag", m.tag},
		}},
	}))
}

// pyRepr and pyReprDict print arguments as Python's repr does, as far as the
// application's own tasks need it: strings, numbers, None.
func pyRepr(items []any, left, right string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = pyReprValue(item)
	}
	if len(parts) == 1 && left == "(" {
		right = ",)"
	}
	return left + strings.Join(parts, ", ") + right
}

func pyReprDict(o object) string {
	parts := make([]string, len(o))
	for i, f := range o {
		parts[i] = "'" + f.key + "': " + pyReprValue(f.value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func pyReprValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	case []string:
		parts := make([]any, len(v))
		for i, s := range v {
			parts[i] = s
		}
		return pyRepr(parts, "[", "]")
	default:
		return fmt.Sprint(v)
	}
}

// redelivered marks a message that goes back into its list, as kombu does.
func redelivered(raw []byte) []byte {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	if h, ok := m["headers"].(map[string]any); ok {
		h["redelivered"] = true
	}
	if p, ok := m["properties"].(map[string]any); ok {
		if d, ok := p["delivery_info"].(map[string]any); ok {
			d["redelivered"] = true
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return out
}
