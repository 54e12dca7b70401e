package logs

import (
	"errors"
	"time"
)

// Language says in a few words what ParseQuery reads, for a line being typed.
const Language = `words "a text" !not /regexp/ level:error logger:grading since:10m until:14:02 status_code=504 copy:… req:…`

// ParseQuery reads what a person types: words and "quoted texts" that must all
// occur, !word for what may not, /regexp/, level:error, logger:grading.services,
// since: and until: with a span (10m), a time of day (14:02) or a date and time
// (2026-02-01T14:02), in the zone given, copy:uuid, req:id, and key=value for
// any key of a JSON record. An error is one sentence that says what is wrong.
func ParseQuery(text string, now time.Time, zone *time.Location) (Query, error) {
	return Query{}, errors.ErrUnsupported
}
