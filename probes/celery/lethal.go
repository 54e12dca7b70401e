package celery

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// lethal is a defect of which the worker that takes the message dies.
type lethal struct{ why string }

// Error says what is wrong and what it does.
func (l *lethal) Error() string { return l.why + ": it kills the worker that takes it" }

func kills(err error) bool {
	var l *lethal
	return errors.As(err, &l)
}

// fatal says why a worker would die of the message; nil when it would not. The
// rules were each tried on real workers. Neighbours that look as bad are
// survived: a body that is no JSON, one that cannot be unpacked, a bad eta.
func (e envelope) fatal() error {
	var delivery map[string]json.RawMessage
	_ = json.Unmarshal(e.Properties["delivery_info"], &delivery) // something else: nothing is in it
	switch {
	case none(e.Properties["delivery_tag"]):
		return lacks("properties.delivery_tag")
	case delivery["exchange"] == nil:
		return lacks("properties.delivery_info.exchange")
	case delivery["routing_key"] == nil:
		return lacks("properties.delivery_info.routing_key")
	case text(e.ContentType) == "":
		return lacks("content-type")
	case e.Headers["task"] == nil:
		return e.fatal1()
	case e.Headers["id"] == nil:
		return lacks("headers.id")
	}
	return e.fatal2()
}

func lacks(what string) error { return &lethal{"the envelope lacks " + what} }

func none(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// fatal1 judges protocol 1: a worker looks for the id of what names a task.
func (e envelope) fatal1() error {
	inner, err := e.body()
	var old map[string]json.RawMessage
	if err == nil && json.Unmarshal(standard(inner), &old) == nil && old["task"] != nil && old["id"] == nil {
		return &lethal{"the body names a task and lacks its id"}
	}
	return nil
}

// fatal2 judges protocol 2: a worker takes the body apart in its main process.
func (e envelope) fatal2() error {
	var limits []json.RawMessage
	if raw := e.Headers["timelimit"]; !none(raw) && (json.Unmarshal(raw, &limits) != nil || len(limits) != 2) {
		return &lethal{"headers.timelimit is not a pair"}
	}
	if kind := text(e.ContentType); kind != "application/json" && kind != "json" {
		return nil
	}
	inner, err := e.body()
	switch {
	case len(e.Body) == 0, err == nil && len(inner) == 0:
		return &lethal{"the message has no body"}
	case err == nil && !threefold(inner):
		return &lethal{"the body is not a list of arguments, keywords and options"}
	}
	return nil
}

// threefold says that Python could take a body apart into three, or would not
// come to try it.
func threefold(inner []byte) bool {
	var v any
	if decodeInto(standard(inner), &v) != nil {
		return true
	}
	switch v := v.(type) {
	case []any:
		return len(v) == 3
	case string:
		return utf8.RuneCountInString(v) == 3
	case map[string]any:
		return v["args"] != nil || len(v) == 3
	}
	return false
}
