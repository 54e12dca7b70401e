package grading

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gradecockpit/probes/clean"
)

const maxDetail = 200 // characters

// detail says what the metadata of an event holds, in words, and whether it is
// a failed finalization. Metadata is hostile: any JSON of any shape.
func detail(action, metadata string) (words string, failed bool) {
	var m meta
	if json.Unmarshal([]byte(metadata), &m) != nil {
		return "", false
	}
	switch action {
	case "IMPORT":
		words = join(m.text("filename"), m.plural("pages", "page"))
	case "VALIDATE":
		words = m.labelled("method", "method ")
	case "LOCK":
		words = m.labelled("token_prefix", "token ")
	case "UNLOCK":
		words = m.unlock()
	case "CREATE_ANN":
		words = m.labelled("page", "page ")
	case "UPDATE_ANN":
		words = m.changes()
	case "DELETE_ANN":
		words = m.labelled("annotation_id", "annotation ")
	case "FINALIZE":
		words, failed = m.finalize()
	default:
		words = m.other()
	}
	return clean.Capped(words, maxDetail), failed
}

// meta is a JSON object; a metadata of another shape has no keys.
type meta map[string]json.RawMessage

// text gives a scalar as text: "", for null, arrays and objects. Numbers come
// as people write them: 14, not 14.0.
func (m meta) text(key string) string {
	raw := m[key]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var f float64
	if json.Unmarshal(raw, &f) == nil && len(raw) > 0 && raw[0] != 'n' {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil && len(raw) > 0 && raw[0] != 'n' {
		return strconv.FormatBool(b)
	}
	return ""
}

func (m meta) labelled(key, label string) string {
	if s := m.text(key); s != "" {
		return label + s
	}
	return ""
}

func (m meta) plural(key, noun string) string {
	switch s := m.text(key); s {
	case "":
		return ""
	case "1":
		return "1 " + noun
	default:
		return s + " " + noun + "s"
	}
}

// unlock knows the cockpit's own keys (forced, reason) and the oldest
// generation's previous_locker.
func (m meta) unlock() string {
	forced := ""
	if m.text("forced") == "true" {
		forced = "forced"
	}
	return join(forced, m.text("reason"), m.labelled("previous_locker", "was locked by "))
}

func (m meta) changes() string {
	var c meta
	if json.Unmarshal(m["changes"], &c) != nil || len(c) == 0 {
		return ""
	}
	return "changed " + strings.Join(c.keys(), ", ")
}

// finalize: a success has no "success" key at all; a failure has "detail" on
// the deployed system and "error" in the playbook.
func (m meta) finalize() (string, bool) {
	try := ""
	if s := m.text("retries"); s != "" {
		try = " (try " + s + ")"
	}
	if m.text("success") != "false" {
		return strings.TrimSpace(m.labelled("final_score", "score ") + try), false
	}
	reason := m.text("detail")
	if reason == "" {
		reason = m.text("error")
	}
	return strings.TrimSuffix("failed"+try+": "+reason, ": "), true
}

// other lists a few scalars of a kind of event that we do not know. Keys that
// name a person are left out: the timeline is read over shoulders.
func (m meta) other() string {
	var parts []string
	for _, k := range m.keys() {
		if s := m.text(k); s != "" && !strings.Contains(k, "name") && !strings.Contains(k, "student") && len(parts) < 4 {
			parts = append(parts, fmt.Sprintf("%s %s", k, s))
		}
	}
	return strings.Join(parts, ", ")
}

// keys gives the first keys in order.
func (m meta) keys() []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys[:min(len(keys), 12)]
}

// join puts what is not empty together.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
