package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
)

// parseLine reads one line of any known format. ok is false for lines of a
// traceback and for anything else.
func parseLine(raw []byte) (line Line, format string, ok bool) {
	raw = bytes.TrimRight(raw, " \t")
	switch {
	case len(raw) == 0:
		return Line{}, "", false
	case raw[0] == '{':
		line, ok = parseJSON(raw)
		return line, formatJSON, ok
	case raw[0] == '[':
		return parseBracket(string(raw))
	default:
		line, ok = parseText(string(raw))
		return line, formatText, ok
	}
}

// jsonLine has the keys of the application's JSON formatter that are shown.
type jsonLine struct {
	Timestamp  string   `json:"timestamp"`
	Level      string   `json:"level"`
	Logger     string   `json:"logger"`
	Message    string   `json:"message"`
	ExcInfo    string   `json:"exc_info"`
	RequestID  string   `json:"request_id"`
	Path       string   `json:"path"`
	UserID     int64    `json:"user_id"`
	CopyID     string   `json:"copy_id"` // not on the deployed system
	Action     string   `json:"action"`  // audit.log
	Resource   string   `json:"resource"`
	User       string   `json:"user"`
	StatusCode int      `json:"status_code"`
	DurationMS *float64 `json:"duration_ms"`
}

// parseJSON reads a production line. A value of another type than expected
// costs that value only; a line that was cut keeps what stood before the cut.
func parseJSON(raw []byte) (Line, bool) {
	var j jsonLine
	var other *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, &j); err != nil && !errors.As(err, &other) {
		j = salvage(raw)
	}
	level, ok := levelName(j.Level)
	if !ok {
		return Line{}, false
	}
	line := Line{
		At: parseTime(j.Timestamp), Level: level, Logger: clean.Capped(j.Logger, maxField),
		Message: clean.Capped(j.message(), maxMessage), RequestID: clean.Capped(j.RequestID, maxField),
		Path: clean.Capped(j.Path, maxField), UserID: j.UserID,
		Trace: clean.Lines(j.ExcInfo, maxTrace, maxWidth),
	}
	line.CopyID = firstCopy("copy "+j.CopyID, j.Message, j.Path)
	return line, true
}

// message adds what the formatter keeps in keys of their own: who did what for
// audit records, which only say "audit", and how slow a slow request was.
func (j *jsonLine) message() string {
	switch {
	case j.Logger == "audit" && j.Action != "":
		return fmt.Sprintf("%s %s by %s", j.Action, j.Resource, j.User)
	case j.DurationMS != nil:
		return fmt.Sprintf("%s (%d, %.0f ms)", j.Message, j.StatusCode, *j.DurationMS)
	}
	return j.Message
}

// salvage reads the leading strings of an object that does not end.
func salvage(raw []byte) (j jsonLine) {
	fields := map[string]*string{"timestamp": &j.Timestamp, "level": &j.Level, "logger": &j.Logger, "message": &j.Message}
	j.Message = "(the line is cut or damaged)"
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return j
	}
	for dec.More() {
		name, err := dec.Token()
		value, err2 := dec.Token()
		if err != nil || err2 != nil {
			return j
		}
		if _, nested := value.(json.Delim); nested {
			return j
		}
		key, _ := name.(string)
		if text, ok := value.(string); ok && fields[key] != nil {
			*fields[key] = text
		}
	}
	return j
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
	return Line{At: at, Level: level, Logger: clean.Capped(logger, maxField),
		Message: clean.Capped(message, maxMessage), CopyID: firstCopy(message)}, true
}

// parseTime reads the formatter's "2026-11-22 19:50:26,972", which is UTC
// without saying so, and ISO 8601. It gives the zero time for anything else.
func parseTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05", time.RFC3339} { // both take ",972" and ".972"
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
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
