package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes/clean"
)

const (
	maxFields = 24
	maxName   = 40 // characters of a field's name
)

// members goes through the members of a JSON object in their order, without
// building anything: a line is read whole even where a value is of a type that
// nobody expects, and up to the cut where it was cut. It gives false when the
// object does not end.
func members(raw []byte, do func(name, value []byte)) bool {
	i := skipSpace(raw, 1) // after the {
	for i < len(raw) && raw[i] == '"' {
		end := stringEnd(raw, i)
		if end < 0 {
			return false
		}
		name := raw[i+1 : end-1]
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return false
		}
		i = skipSpace(raw, i+1)
		if end = valueEnd(raw, i); end < 0 {
			return false
		}
		do(name, raw[i:end])
		if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return i < len(raw) && raw[i] == '}'
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t') {
		i++
	}
	return i
}

// stringEnd gives where the string that begins at i has ended, or -1.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i += 2 {
		next := bytes.IndexAny(raw[i:], `"\`)
		if next < 0 {
			return -1
		}
		if i += next; raw[i] == '"' {
			return i + 1
		}
	}
	return -1
}

// valueEnd gives where the value that begins at i has ended, or -1.
func valueEnd(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch c := raw[i]; c {
		case '"':
			if i = stringEnd(raw, i); i < 0 || depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}

// text gives a JSON value as text: a string without its quotes, anything else
// as it stands.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return strings.TrimSpace(string(value))
	}
	var s string
	if bytes.IndexByte(value, '\\') >= 0 && json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value[1 : len(value)-1])
}

// parseJSON reads a production line. A value of another type than expected
// costs that value only; a line that was cut keeps what stood before the cut.
func parseJSON(raw []byte) (Line, bool) {
	l, found := Line{}, jsonLine{message: "(the line is cut or damaged)"}
	whole := members(raw, func(name, value []byte) { found.take(&l, name, value) })
	if whole && !found.said {
		found.message = ""
	}
	level, ok := levelName(l.Level)
	if !ok {
		return Line{}, false
	}
	l.Level, l.Message = level, clean.Capped(found.full(&l), maxMessage)
	if l.Method == "" && l.Path == "" {
		l.Method, l.Path = found.request()
	}
	l.CopyID = firstCopy("copy "+found.copyID, found.message, l.Path)
	l.derive()
	return l, true
}

// jsonLine is what the keys of a record say together.
type jsonLine struct {
	message, copyID        string
	action, resource, user string // of audit.log
	wsgi                   string // django.request's repr of the request
	said, timed            bool   // there is a message, a duration_ms
}

// take takes in one key.
func (j *jsonLine) take(l *Line, name, value []byte) {
	isText := value[0] == '"'
	switch string(name) {
	case "timestamp":
		l.At = parseTime(text(value))
	case "level":
		l.Level = text(value)
	case "logger":
		l.Logger = capped(value)
	case "message":
		j.message, j.said = text(value), true
	case "exc_info":
		if isText {
			l.Trace = clean.Lines(text(value), maxTrace, maxWidth)
		}
	case "request_id":
		if isText {
			l.RequestID = capped(value)
		}
	case "path":
		if isText {
			l.Path = capped(value)
		}
	case "method":
		if isText {
			l.Method = capped(value)
		}
	case "user_id":
		l.UserID, _ = strconv.ParseInt(string(value), 10, 64)
	case "status_code":
		l.StatusCode, _ = strconv.Atoi(string(value))
	case "duration_ms":
		if ms, err := strconv.ParseFloat(string(value), 64); err == nil {
			l.Duration, j.timed = span(ms, time.Millisecond), true
		}
	default:
		j.takeOther(l, string(name), value)
	}
}

// takeOther takes in a key without a place of its own.
func (j *jsonLine) takeOther(l *Line, name string, value []byte) {
	switch name {
	case "copy_id": // not on the deployed system
		j.copyID = text(value)
	case "task_id":
		if s := text(value); len(s) == uuidLen && isUUID(s) {
			l.TaskID = strings.ToLower(s)
		}
	case "action":
		j.action = text(value)
	case "resource":
		j.resource = text(value)
	case "user":
		j.user = text(value)
	case "request":
		j.wsgi = text(value)
	}
	if len(l.Fields) < maxFields {
		l.Fields = append(l.Fields, Field{clean.Capped(name, maxName), capped(value)})
	}
}

func capped(value []byte) string { return clean.Capped(text(value), maxField) }

// full adds what the formatter keeps in keys of their own: who did what for
// audit records, which only say "audit", and how slow a slow request was.
func (j *jsonLine) full(l *Line) string {
	switch {
	case l.Logger == "audit" && j.action != "":
		return fmt.Sprintf("%s %s by %s", j.action, j.resource, j.user)
	case j.timed && !strings.Contains(j.message, " took "): // which says it already
		return fmt.Sprintf("%s (%d, %.0f ms)", j.message, l.StatusCode, float64(l.Duration)/1e6)
	}
	return j.message
}

// request reads "<WSGIRequest: POST '/path'>", all that django.request says of
// the request.
func (j *jsonLine) request() (method, path string) {
	s, ok := strings.CutPrefix(j.wsgi, "<WSGIRequest: ")
	method, path, ok2 := strings.Cut(s, " '")
	path, ok3 := strings.CutSuffix(path, "'>")
	if !ok || !ok2 || !ok3 {
		return "", ""
	}
	return clean.Capped(method, maxName), clean.Capped(path, maxField)
}

// span is a number of units as a time, 0 where that makes no sense.
func span(n float64, unit time.Duration) time.Duration {
	if !(n > 0 && n < 1e9) {
		return 0
	}
	return time.Duration(n * float64(unit))
}
