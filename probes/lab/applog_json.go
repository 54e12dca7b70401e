package lab

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// field is one key of a JSON object whose order matters.
type field struct {
	key   string
	value any
}

// object is a JSON object that keeps its order, as Python's dict does.
// encoding/json would sort the keys of a map and leave out the spaces, and the
// readers under test must meet the bytes that Python writes.
type object []field

// pyJSON writes v as Python's json.dumps does with its defaults: ", " and ": "
// between tokens, everything outside printable ASCII escaped.
func pyJSON(v any) string {
	var b strings.Builder
	writePyJSON(&b, v)
	return b.String()
}

func writePyJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		writePyString(b, v)
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(pyFloat(v))
	case object:
		writePyObject(b, v)
	case []string:
		writePyArray(b, v)
	case []int:
		writePyArray(b, v)
	case []object:
		writePyArray(b, v)
	case []any:
		writePyArray(b, v)
	case json.RawMessage:
		b.Write(v) // what came in as JSON goes out as it was
	default:
		panic(fmt.Sprintf("lab: no JSON form for %T", v)) // a fault of this package, never of data
	}
}

func writePyObject(b *strings.Builder, o object) {
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteString(", ")
		}
		writePyString(b, f.key)
		b.WriteString(": ")
		writePyJSON(b, f.value)
	}
	b.WriteByte('}')
}

func writePyArray[T any](b *strings.Builder, items []T) {
	b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		writePyJSON(b, item)
	}
	b.WriteByte(']')
}

func writePyString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		writePyRune(b, r)
	}
	b.WriteByte('"')
}

func writePyRune(b *strings.Builder, r rune) {
	if short, ok := pyEscape(r); ok {
		b.WriteString(short)
		return
	}
	switch {
	case r >= ' ' && r <= '~':
		b.WriteRune(r)
	case r > 0xffff:
		hi, lo := utf16.EncodeRune(r)
		fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// pyEscape gives the two-character escapes of JSON.
func pyEscape(r rune) (string, bool) {
	switch r {
	case '"':
		return `\"`, true
	case '\\':
		return `\\`, true
	case '\n':
		return `\n`, true
	case '\r':
		return `\r`, true
	case '\t':
		return `\t`, true
	case '\f':
		return `\f`, true
	case '\b':
		return `\b`, true
	}
	return "", false
}

// pyFloat writes a float as Python's repr does: shortest digits that round
// trip, always with a point or an exponent.
func pyFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if f == 0 || (f > 1e-5 && f < 1e16) || (f < -1e-5 && f > -1e16) {
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.ContainsAny(s, ".eIN") {
		s += ".0"
	}
	return s
}
