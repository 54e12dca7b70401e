package logs

import (
	"strconv"
	"strings"
	"time"
)

// derive fills in what only the message says: the task that a worker's line is
// about, how long something took, and the request of a line of the metrics
// middleware, "POST /api/… 409".
func (l *Line) derive() {
	if l.TaskID == "" {
		l.TaskID = taskID(l.Message)
	}
	if l.Duration == 0 {
		l.Duration = took(l.Message)
	}
	if method, path, status := accessLine(l.Message); l.Logger == "metrics" && l.Path == "" && status != 0 {
		l.Method, l.Path, l.StatusCode = method, path, status
	}
}

// taskID reads "Task name[uuid] received" and "Task name[uuid] succeeded …".
func taskID(s string) string {
	if !strings.HasPrefix(s, "Task ") {
		return ""
	}
	open := strings.IndexByte(s, '[')
	if open < 0 || open+1+uuidLen >= len(s) || s[open+1+uuidLen] != ']' || !isUUID(s[open+1:open+1+uuidLen]) {
		return ""
	}
	return strings.ToLower(s[open+1 : open+1+uuidLen])
}

// tookWords stand before how long something took.
var tookWords = []string{"took ", "succeeded in ", "elapsed ", "elapsed: ", "duration: ", "duration="}

// durationTexts are texts one of which every record has that says how long
// something took.
var durationTexts = []string{"took ", "succeeded in ", "elapsed", "duration"}

// took reads "took 5.12s", "succeeded in 0.101s", "elapsed: 300 ms". 0: nothing.
func took(s string) time.Duration {
	for _, word := range tookWords {
		if _, after, found := strings.Cut(s, word); found {
			if d := leadingSpan(after); d > 0 {
				return d
			}
		}
	}
	return 0
}

// leadingSpan reads a number with its unit at the beginning of a text.
func leadingSpan(s string) time.Duration {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end <= 0 {
		return 0
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return 0
	}
	switch unit := strings.TrimLeft(s[end:], " "); {
	case strings.HasPrefix(unit, "ms"), strings.HasPrefix(unit, "milli"):
		return span(n, time.Millisecond)
	case strings.HasPrefix(unit, "s"):
		return span(n, time.Second)
	}
	return 0
}

func accessLine(s string) (method, path string, status int) {
	f := strings.Fields(s)
	if len(f) != 3 || !strings.HasPrefix(f[1], "/") {
		return "", "", 0
	}
	n, err := strconv.Atoi(f[2])
	if err != nil || n < 100 || n > 599 {
		return "", "", 0
	}
	return f[0], f[1], n
}
