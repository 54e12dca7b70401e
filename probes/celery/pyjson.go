package celery

import (
	"bytes"
	"encoding/json"
)

// standard gives JSON as Python writes it in the form that everybody reads:
// NaN and the infinities, which Python has and JSON has not, become null. A
// worker's own settings hold one.
func standard(raw []byte) []byte {
	if json.Valid(raw) || !bytes.ContainsAny(raw, "NI") {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		switch n := token(raw[i:]); {
		case raw[i] == '"':
			end := i + stringEnd(raw[i:])
			out, i = append(out, raw[i:end]...), end
		case n > 0:
			out, i = append(out, "null"...), i+n
		default:
			out, i = append(out, raw[i]), i+1
		}
	}
	return out
}

// token is the length of one of Python's own numbers at the start of raw.
func token(raw []byte) int {
	for _, t := range []string{"NaN", "-Infinity", "Infinity"} {
		if bytes.HasPrefix(raw, []byte(t)) {
			return len(t)
		}
	}
	return 0
}

// stringEnd is where the string that raw begins with ends.
func stringEnd(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}
