package celery

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// Body is what a task message asks for, exactly as it was sent: nothing in it
// is cleaned, numbers are json.Number. It is for who runs tasks, not for show.
type Body struct {
	ID      string
	Task    string
	Args    []any
	Kwargs  map[string]any
	Retries int
	ETA     time.Time
}

// DecodeBody reads a task message of protocol 2 or 1 as a worker does.
func DecodeBody(raw []byte) (Body, error) {
	e, err := open(raw)
	if err != nil {
		return Body{}, err
	}
	b, _, err := e.task()
	return b, err
}

// task reads headers and body. What the headers say is there even when the
// body cannot be read.
func (e envelope) task() (b Body, protocol int, err error) {
	b = Body{
		ID: text(e.Headers["id"]), Task: text(e.Headers["task"]),
		Retries: whole(e.Headers["retries"]), ETA: parseTime(text(e.Headers["eta"])),
	}
	if kind := text(e.ContentType); kind != "" && kind != "application/json" && kind != "json" {
		return b, 2, fmt.Errorf("the body is %.60q, which is not read here", kind)
	}
	inner, err := e.body()
	if err != nil {
		return b, 2, err
	}
	inner = standard(inner)
	if isObject(inner) {
		return b.protocol1(inner)
	}
	parts, err := values(inner)
	if err != nil || len(parts) < 2 {
		return b, 2, errors.New("the body is not a JSON list of arguments")
	}
	args, okArgs := parts[0].([]any)
	kwargs, okKwargs := parts[1].(map[string]any)
	if !okArgs || !okKwargs {
		return b, 2, errors.New("the body's arguments are not a list and an object")
	}
	b.Args, b.Kwargs = args, kwargs
	if b.Task == "" {
		return b, 2, errors.New("the envelope lacks headers.task: a worker drops the message")
	}
	return b, 2, nil
}

// protocol1 reads the older form, whose body names the task.
func (b Body) protocol1(inner []byte) (Body, int, error) {
	var old struct {
		Task    string
		ID      string
		Args    []any
		Kwargs  map[string]any
		Retries int
		ETA     string
	}
	if decodeInto(inner, &old) != nil || old.Task == "" || old.ID == "" {
		return b, 1, errors.New("the body is not a task of protocol 1")
	}
	return Body{old.ID, old.Task, old.Args, old.Kwargs, old.Retries, parseTime(old.ETA)}, 1, nil
}

// DecodeTask reads a task message for show. It takes any bytes, gives cleaned
// text and keeps Raw as it came. What cannot be read, or would kill a worker,
// is told in Bad; the other fields then hold what could be read all the same.
func DecodeTask(raw []byte) Message {
	e, err := open(raw)
	if err != nil {
		return Message{Bad: clean.Text(err.Error()), Kills: kills(err), Raw: raw}
	}
	b, _, err := e.task()
	m := Message{
		ID: clean.Capped(b.ID, 80), Task: clean.Capped(b.Task, 200), Retries: b.Retries, ETA: b.ETA,
		CopyID: copyID(b.Args, b.Kwargs), Priority: whole(e.Properties["priority"]), Raw: raw,
	}
	m.Args = shortArgs(b.Args, b.Kwargs, m.CopyID)
	var delivery map[string]json.RawMessage
	if json.Unmarshal(e.Properties["delivery_info"], &delivery) == nil {
		m.Queue = clean.Capped(text(delivery["routing_key"]), 200)
	}
	if why := e.fatal(); why != nil && !kills(err) {
		err = why
	}
	if err != nil {
		m.Bad, m.Kills = clean.Text(err.Error()), kills(err)
	}
	return m
}

// parseTime reads the times that Celery writes: with an offset, or naive and
// then in UTC. The zero time is "none".
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

var uuidLike = lazy.Regexp(`^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`)

// NormalCopyID spells a uuid with dashes in lower case; other ids stay as they
// are, cleaned.
func NormalCopyID(id string) string {
	if !uuidLike().MatchString(id) {
		return clean.Capped(strings.TrimSpace(id), 80)
	}
	h := strings.ToLower(strings.ReplaceAll(id, "-", ""))
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// copyID finds the copy that a task is about: the argument of that name, else
// the first that looks like a uuid.
func copyID(args []any, kwargs map[string]any) string {
	if id := scalar(kwargs["copy_id"]); id != "" {
		return NormalCopyID(id)
	}
	for _, a := range args {
		if id := scalar(a); uuidLike().MatchString(id) {
			return NormalCopyID(id)
		}
	}
	return ""
}

// scalar gives a plain argument as text, and a uuid in the typed form that
// kombu writes from 5.3 on.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case map[string]any:
		value, _ := v["__value__"].(map[string]any)
		hex, _ := value["hex"].(string)
		if v["__type__"] == "uuid" {
			return hex
		}
	}
	return ""
}

const maxShortArgs = 200

// shortArgs gives the arguments in one line. Ids other than the copy's are
// cut: one of them is the lock token, which must not be shown or journaled.
func shortArgs(args []any, kwargs map[string]any, copyID string) string {
	var parts []string
	for _, a := range args[:min(len(args), 20)] {
		parts = append(parts, shortArg(a, copyID))
	}
	keys := make([]string, 0, len(kwargs))
	for k := range kwargs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys[:min(len(keys), 20)] {
		value := shortArg(kwargs[k], copyID)
		if secretName().MatchString(k) {
			value = cutSecret(scalar(kwargs[k]))
		}
		parts = append(parts, fmt.Sprintf("%.60s=%s", k, value))
	}
	return clean.Capped(strings.Join(parts, ", "), maxShortArgs)
}

var secretName = lazy.Regexp(`(?i)token|secret|passw`)

// opaque is what a lock token can look like where it is no uuid (the playbook's
// column is text): long, without a blank or a dot.
var opaque = lazy.Regexp(`[A-Za-z0-9_+=-]{20,}`)

func shortArg(v any, copyID string) string {
	s := scalar(v)
	switch {
	case uuidLike().MatchString(s) && NormalCopyID(s) == copyID:
		return copyID
	case uuidLike().MatchString(s), opaque().FindString(s) == s && s != "":
		return cutSecret(s)
	case s != "":
		return fmt.Sprintf("%.120s", s)
	}
	return fmt.Sprintf("%.120s", pyRepr(v))
}

func cutSecret(s string) string {
	if s == "" {
		return "None"
	}
	return fmt.Sprintf("%.8s…", s)
}

// AnonIn finds the anonymous id in a task's arguments ("anonymous_id=…, …"):
// imports name their copy so, because it has no row of its own yet.
func AnonIn(args string) string {
	_, rest, ok := strings.Cut(args, "anonymous_id=")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(id)
}
