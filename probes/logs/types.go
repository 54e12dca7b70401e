// Package logs follows the application's log folder: django.log and audit.log
// (and a worker's celery.log) with their rotated parts, JSON or text, written
// and rotated by several processes at once.
package logs

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that follows the folder. Its payload is an Overview.
const ID probes.ID = "logs"

// Overview is what the tail of the logs says.
type Overview struct {
	Dir    string
	Files  []File
	Recent []Line // newest last, bounded
	Errors []Line // ERROR and worse, newest last, bounded
	// ByCopy is the last ERROR line about a copy, by copy uuid. A failed
	// finalization leaves no other trace than this line on the deployed system.
	ByCopy map[string]Line
	// ErrorsLastHour and WarningsLastHour count only what was read since Since.
	ErrorsLastHour, WarningsLastHour int
	Since                            time.Time // oldest line that was read
	Unparsed                         int       // lines in no known format
	// Note says what could not be read, as a sentence; "" most of the time.
	Note string
}

// File is one file of the folder.
type File struct {
	Name   string
	Size   int64
	Format string // of the last line read: "json", "verbose", "text", "celery"; "" unknown
}

// Line is one log record; a traceback belongs to its record.
type Line struct {
	At        time.Time // zero when the line has no time that can be read
	Level     string
	Logger    string
	Message   string
	RequestID string
	CopyID    string // first copy uuid in message or path, lower case
	Path      string
	UserID    int64    // 0: anonymous, or not said
	Trace     []string // the traceback, a line each, cleaned
	File      string
}
