package logs

import (
	"bytes"
	"strings"
	"time"

	"gradecockpit/probes/clean"
)

// The formats of a line.
const (
	formatJSON    = "json"
	formatVerbose = "verbose" // core.settings with DEBUG
	formatText    = "text"    // core.settings_prod
	formatCelery  = "celery"  // a worker's own console lines
)

const (
	maxMessage = 1000 // characters
	maxField   = 200
	maxOrigin  = 80 // bytes in which "backend-1  | " must end
)

// parseLine reads one line of any known format. ok is false for lines of a
// traceback and for anything else.
func parseLine(raw []byte) (line Line, format string, ok bool) {
	origin, raw := cutOrigin(bytes.TrimRight(raw, " \t\r"))
	switch {
	case len(raw) == 0:
		return Line{}, "", false
	case raw[0] == '{':
		line, ok = parseJSON(raw)
		format = formatJSON
	case raw[0] == '[':
		line, format, ok = parseBracket(string(raw))
	case raw[0] >= '0' && raw[0] <= '9':
		line, ok = parseText(string(raw))
		format = formatText
	}
	line.Origin = origin
	return line, format, ok
}

// cutOrigin takes off what docker compose puts before every line: the name of
// the container, "backend-1  | ". An empty line of a container ends at the bar.
func cutOrigin(raw []byte) (origin string, rest []byte) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return "", raw
	}
	bar := bytes.Index(raw[:min(len(raw), maxOrigin)], []byte(" |"))
	if bar < 0 {
		return "", raw
	}
	name := bytes.TrimRight(raw[:bar], " ")
	if !containerName(name) {
		return "", raw
	}
	return string(name), bytes.TrimPrefix(raw[bar+2:], []byte(" "))
}

// containerName says whether a name ends in a number, "backend-1" or
// "backend_1", and has nothing in it that a container's name may not have.
func containerName(name []byte) bool {
	digits := len(name) - len(bytes.TrimRight(name, "0123456789"))
	if stem := len(name) - digits - 1; digits == 0 || stem < 1 || name[stem] != '-' && name[stem] != '_' {
		return false
	}
	return !bytes.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' && r != '.'
	})
}

// parseBracket reads "[time] LEVEL logger module message" and a worker's
// "[time: LEVEL/process] message".
func parseBracket(s string) (Line, string, bool) {
	stamp, rest, found := strings.Cut(s[1:], "] ")
	if !found {
		return Line{}, "", false
	}
	if when, who, isWorker := strings.Cut(stamp, ": "); isWorker {
		level, process, _ := strings.Cut(who, "/")
		line, ok := textLine(when, level, "celery/"+process, rest)
		return line, formatCelery, ok
	}
	level, rest, _ := strings.Cut(rest, " ")
	logger, rest, _ := strings.Cut(rest, " ")
	_, message, _ := strings.Cut(rest, " ") // the module says no more than the logger
	line, ok := textLine(stamp, level, logger, message)
	return line, formatVerbose, ok
}

// parseText reads "date time LEVEL logger message".
func parseText(s string) (Line, bool) {
	f := strings.SplitN(s, " ", 5)
	if len(f) < 4 {
		return Line{}, false
	}
	f = append(f, "")
	return textLine(f[0]+" "+f[1], f[2], f[3], f[4])
}

// textLine builds a line whose time and level must be right: that is what
// tells a record from a line of a traceback.
func textLine(when, level, logger, message string) (Line, bool) {
	at := parseTime(when)
	level, ok := levelName(level)
	if at.IsZero() || !ok {
		return Line{}, false
	}
	l := Line{At: at, Level: level, Logger: clean.Capped(logger, maxField),
		Message: clean.Capped(message, maxMessage), CopyID: firstCopy(message)}
	l.derive()
	return l, true
}

// parseTime reads the formatter's "2026-11-22 19:50:26,972", which is UTC
// without saying so, and ISO 8601. It gives the zero time for anything else.
func parseTime(s string) time.Time {
	if at, ok := stamp(s); ok {
		return at
	}
	for _, layout := range []string{"2006-01-02 15:04:05", time.RFC3339} { // both take ",972" and ".972"
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// stamp reads the formatter's own form, which is that of nearly every line.
func stamp(s string) (time.Time, bool) {
	const form = "0000-00-00 00:00:00,000"
	if len(s) != len(form) {
		return time.Time{}, false
	}
	var n [7]int // year, month, day, hour, minute, second, millisecond
	part := 0
	for i := range len(form) {
		switch digit := s[i] - '0'; {
		case form[i] != '0':
			if s[i] != form[i] {
				return time.Time{}, false
			}
			part++
		case digit > 9:
			return time.Time{}, false
		default:
			n[part] = n[part]*10 + int(digit)
		}
	}
	if n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 28 && n[2] > daysIn(n[0], n[1]) || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return time.Time{}, false
	}
	return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1e6, time.UTC), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// severity gives Python's number of a level, 0 for anything else.
func severity(level string) int {
	switch level {
	case "DEBUG":
		return 10
	case "INFO":
		return 20
	case "WARNING":
		return 30
	case "ERROR":
		return 40
	case "CRITICAL":
		return 50
	}
	return 0
}

// levelName gives Python's name of a level.
func levelName(s string) (string, bool) {
	switch s = strings.ToUpper(s); s {
	case "WARN":
		s = "WARNING"
	case "FATAL":
		s = "CRITICAL"
	}
	return s, severity(s) > 0
}

// strayLine makes a line of what is in no known format and belongs to no
// record before it.
func strayLine(raw []byte) Line {
	origin, raw := cutOrigin(bytes.TrimRight(raw, " \t\r"))
	s := string(raw[:min(len(raw), 4*maxMessage)])
	l := Line{Message: clean.Capped(s, maxMessage), CopyID: firstCopy(s), Origin: origin}
	l.derive()
	return l
}

// leanLine is parseLine that makes no more than time, level, logger and origin,
// and of the application's own lines does so without reading the rest.
func leanLine(raw []byte) (l Line, format string, ok bool) {
	if len(raw) == 0 || raw[0] == ' ' {
		return Line{}, "", false
	}
	if l, ok := leanJSON(raw); ok {
		return l, formatJSON, true
	}
	l, format, ok = parseLine(raw)
	return Line{At: l.At, Level: l.Level, Logger: l.Logger, Origin: l.Origin}, format, ok
}

// leanJSON reads the keys that the application's formatter writes first.
func leanJSON(raw []byte) (l Line, ok bool) {
	stampText, rest, ok1 := leading(raw, `{"timestamp": "`)
	level, rest, ok2 := leading(rest, `, "level": "`)
	logger, _, ok3 := leading(rest, `, "logger": "`)
	if !ok1 || !ok2 || !ok3 {
		return Line{}, false
	}
	at, ok1 := stamp(string(stampText))
	name, ok2 := levelName(string(level))
	return Line{At: at, Level: name, Logger: clean.Capped(string(logger), maxField)}, ok1 && ok2
}

// leading reads a JSON string without escapes behind what stands before it.
func leading(raw []byte, before string) (value, rest []byte, ok bool) {
	if len(raw) < len(before) || string(raw[:len(before)]) != before {
		return nil, nil, false
	}
	raw = raw[len(before):]
	end := bytes.IndexByte(raw, '"')
	if end < 0 || bytes.IndexByte(raw[:end], '\\') >= 0 {
		return nil, nil, false
	}
	return raw[:end], raw[end+1:], true
}
