package logs

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Query says which records to find. What is set must all hold; the zero Query
// finds every record.
type Query struct {
	// Text are texts that must all occur in the record as it is written, its
	// traceback included; case is ignored. What JSON escapes is also found by
	// what it stands for.
	Text []string
	// Not are texts of which none may occur.
	Not []string
	// Any are texts of which one must occur.
	Any []string
	// Regexp must match the record as it is written; nil: anything.
	Regexp *regexp.Regexp
	Level  string // this level or a worse one
	Logger string // this logger or one below it
	Since  time.Time
	Until  time.Time // exclusive
	// Fields are keys of the record with their values, such as status_code=504.
	Fields    []Field
	CopyID    string // uuid, anywhere in the record or its traceback
	RequestID string // exactly
	Limit     int    // 100 when 0; 1000 at most

	// whole: those of Any are ids, which must not stand in a longer one.
	whole bool
	// index is filled in by a scan; a later one with near, which are times in
	// their order, passes over blocks without a record within besides of one.
	index *timeIndex
	near  []time.Time
}

func (q Query) withDefaults() Query {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	q.Level, _ = levelName(q.Level)
	return q
}

// Matches says whether a record, with its bytes as they stand in the source,
// is one of those that q asks for. A record without a time is outside every
// span of time.
func (q Query) Matches(l Line, raw []byte) bool {
	if q.Level != "" {
		level, _ := levelName(q.Level)
		q.Level = level
	}
	return q.head(l) && q.text(raw) && q.fields(l)
}

// head looks at what every parse of a record gives: time, level, logger.
func (q *Query) head(l Line) bool {
	return (q.Level == "" || severity(l.Level) >= severity(q.Level)) &&
		(q.Logger == "" || under(l.Logger, q.Logger)) &&
		(q.Since.IsZero() || !l.At.Before(q.Since)) &&
		(q.Until.IsZero() || !l.At.IsZero() && l.At.Before(q.Until))
}

// under says whether a logger is the one given or below it.
func under(logger, root string) bool {
	return len(logger) >= len(root) && strings.EqualFold(logger[:len(root)], root) &&
		(len(logger) == len(root) || logger[len(root)] == '.' || logger[len(root)] == '/')
}

// text looks at the bytes of a record.
func (q *Query) text(raw []byte) bool {
	occurs := func(s string) bool { return contains(raw, s) }
	return (q.CopyID == "" || occurs(q.CopyID)) &&
		!slices.ContainsFunc(q.Text, func(s string) bool { return !occurs(s) }) &&
		!slices.ContainsFunc(q.Not, occurs) &&
		(len(q.Any) == 0 || slices.ContainsFunc(q.Any, occurs) && (!q.whole || slices.ContainsFunc(q.Any, func(s string) bool { return containsID(raw, s) }))) &&
		(q.Regexp == nil || q.Regexp.Match(raw))
}

// fields looks at what only the whole parse of a record gives.
func (q *Query) fields(l Line) bool {
	if q.RequestID != "" && l.RequestID != q.RequestID {
		return false
	}
	return !slices.ContainsFunc(q.Fields, func(f Field) bool {
		value, ok := l.Value(f.Name)
		return !ok || !strings.EqualFold(value, f.Value)
	})
}

// needsFields says whether a record must be parsed whole to know.
func (q *Query) needsFields() bool { return q.RequestID != "" || len(q.Fields) > 0 }

// Value gives what a record says under the name of a key of the application's
// JSON; ok is false where it says nothing.
func (l *Line) Value(name string) (value string, ok bool) {
	switch name = strings.ToLower(name); name {
	case "level":
		value = l.Level
	case "logger":
		value = l.Logger
	case "message":
		value = l.Message
	case "request_id":
		value = l.RequestID
	case "copy_id":
		value = l.CopyID
	case "task_id":
		value = l.TaskID
	case "path":
		value = l.Path
	case "method":
		value = l.Method
	case "file":
		value = l.File
	case "origin":
		value = l.Origin
	case "status_code":
		value = number(l.StatusCode)
	case "user_id":
		value = number(int(l.UserID))
	default:
		for _, f := range l.Fields {
			if strings.EqualFold(f.Name, name) {
				return f.Value, true
			}
		}
	}
	return value, value != ""
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// contains says whether a text occurs in a record, case ignored, as it is
// written or as what JSON's escapes stand for.
func contains(raw []byte, s string) bool {
	if s == "" {
		return true
	}
	if simple(s) {
		return containsFold(raw, s)
	}
	want := strings.ToLower(s)
	return bytes.Contains(bytes.ToLower(raw), []byte(want)) || bytes.Contains(bytes.ToLower(unescape(raw)), []byte(want))
}

// simple tells of a text that stands in a record as it is: ASCII of which JSON
// escapes nothing.
func simple(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// containsFold looks for an ASCII text, first as it stands, which is how most
// of them are written.
func containsFold(raw []byte, s string) bool {
	return bytes.Contains(raw, []byte(s)) || indexFold(raw, lowerASCII(s)) >= 0
}

// containsID says whether an id stands in a record, and not as a part of a
// longer one: req-4 is not in req-42.
func containsID(raw []byte, id string) bool {
	if !simple(id) {
		return contains(raw, id)
	}
	lower := lowerASCII(id)
	for from := 0; from < len(raw); {
		i := indexFold(raw[from:], lower)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(id)
		if (start == 0 || !inID(raw[start-1])) && (end == len(raw) || !inID(raw[end])) {
			return true
		}
		from = start + 1
	}
	return false
}

func inID(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}

// unescape resolves JSON's escapes wherever they stand.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'u':
			if r, err := strconv.ParseUint(string(raw[i+1:min(i+5, len(raw))]), 16, 32); err == nil && i+5 <= len(raw) {
				out = utf8.AppendRune(out, rune(r))
				i += 4
			}
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
	}
	return out
}

// literals gives texts of which at least one stands in every record that q
// finds, as it is written up to the case: what a scan can look for before it
// parses anything. None: every record must be looked at.
func (q *Query) literals() (best []string) {
	if q.CopyID != "" && simple(q.CopyID) {
		return []string{q.CopyID}
	}
	consider := func(texts ...string) {
		if shortest(texts) > shortest(best) {
			best = texts
		}
	}
	for _, s := range q.Text {
		consider(longestSimple(s))
	}
	consider(longestSimple(q.RequestID))
	for _, f := range q.Fields {
		if !derived(f.Name) {
			consider(longestSimple(f.Value))
		}
	}
	consider(requiredTexts(q.Regexp)...)
	if !slices.ContainsFunc(q.Any, func(s string) bool { return !simple(s) }) {
		consider(q.Any...)
	}
	if shortest(best) < 3 {
		consider(levelTexts(q.Level)...)
	}
	return best
}

// derived tells of values that need not stand in the record as they are: those
// the record's place gives, and levels, which have other names.
func derived(name string) bool {
	switch strings.ToLower(name) {
	case "level", "file", "origin", "message":
		return true
	}
	return false
}

// longestSimple gives the longest piece of a text that stands in a record as
// it is. The letters after a cut might be those of an escape, so they go too.
func longestSimple(s string) (best string) {
	for piece := range strings.FieldsFuncSeq(s, func(r rune) bool { return !simple(string(r)) }) {
		if len(piece) > len(best) {
			best = piece
		}
	}
	return best
}

// levelTexts are the names that a level and the worse ones are written by; none
// for levels that nearly every record has.
func levelTexts(level string) []string {
	switch level {
	case "WARNING":
		return []string{"warn", "error", "critical", "fatal"}
	case "ERROR":
		return []string{"error", "critical", "fatal"}
	case "CRITICAL":
		return []string{"critical", "fatal"}
	}
	return nil
}
