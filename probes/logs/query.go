package logs

import (
	"regexp"
	"time"
)

// Query says which records to find. What is set must all hold; the zero Query
// finds every record.
type Query struct {
	// Text are texts that must all occur in the record as it is written, its
	// traceback included; case is ignored.
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
}
