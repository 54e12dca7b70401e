package logs

import (
	"strings"
	"time"
)

// Narrow gives a query, as it was typed, for one span of time only: what it
// said of time before goes. A text that is no query stays as it is, and fails
// where it is read.
func Narrow(query string, from, until time.Time) string {
	var kept []string
	for rest := strings.TrimSpace(query); rest != ""; {
		t, after, err := nextTerm(rest)
		if err != nil {
			kept = append(kept, rest)
			break
		}
		if t.key != "since" && t.key != "until" {
			kept = append(kept, rest[:len(rest)-len(after)])
		}
		rest = strings.TrimLeft(after, " \t")
	}
	kept = append(kept, "since:"+moment(from), "until:"+moment(until))
	return strings.Join(kept, " ")
}

// moment is a time that ParseQuery reads in whatever zone it is told.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
