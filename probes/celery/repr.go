package celery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxRepr is where Celery's producers cut argsrepr and kwargsrepr.
const maxRepr = 1024

// reprs gives a body's arguments as Python would print them, because event
// viewers show these headers and nothing else.
func reprs(body []byte) (args, kwargs string) {
	parts, err := values(body)
	if err != nil || len(parts) < 2 {
		return "()", "{}"
	}
	list, _ := parts[0].([]any)
	return cut(pyTuple(list)), cut(pyRepr(parts[1]))
}

func cut(s string) string {
	if len(s) <= maxRepr {
		return s
	}
	return strings.ToValidUTF8(s[:maxRepr-3], "") + "..."
}

func pyTuple(list []any) string {
	if len(list) == 1 {
		return "(" + pyRepr(list[0]) + ",)"
	}
	return "(" + pyJoin(list) + ")"
}

func pyJoin(list []any) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = pyRepr(v)
	}
	return strings.Join(parts, ", ")
}

func pyRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case json.Number:
		return v.String()
	case string:
		return pyString(v)
	case []any:
		return "[" + pyJoin(v) + "]"
	case map[string]any:
		return pyDict(v)
	}
	return fmt.Sprint(v)
}

func pyDict(m map[string]any) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = pyString(k) + ": " + pyRepr(m[k])
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

func pyString(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		b.WriteString(pyRune(r, quote))
	}
	b.WriteString(quote)
	return b.String()
}

func pyRune(r rune, quote string) string {
	switch {
	case string(r) == quote || r == '\\':
		return `\` + string(r)
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case unicode.IsPrint(r):
		return string(r)
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
