// Package logs reads the application's logs: django.log and audit.log (and a
// worker's celery.log) with their rotated parts, JSON or text, written and
// rotated by several processes at once.
//
// A [Source] is where records come from; the log folder is one ([Folder]). The
// [Probe] follows one or several for the screen. A [Query] says which records
// to find, [ParseQuery] reads it from what a person types. Everything that is
// counted or found is read from the logs at that moment: there is no index.
package logs

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that follows the logs. Its payload is an Overview.
const ID probes.ID = "logs"

// Overview is what the tail of the logs says.
type Overview struct {
	Dir    string // where the logs are, for people; several sources by comma
	Files  []File
	Recent []Line // newest last, bounded
	Errors []Line // ERROR and worse, newest last, bounded
	// ByCopy is the last ERROR line about a copy, by copy uuid. A failed
	// finalization leaves no other trace than this line on the deployed system.
	ByCopy map[string]Line
	// Troubles are what failed in the last hour, the most frequent first; only
	// what was read since Since.
	Troubles []Trouble
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
	TaskID    string // the Celery task that a worker's line is about, lower case
	Path      string
	Method    string // of the HTTP request; "" not said
	// StatusCode is that of the HTTP answer; 0 not said.
	StatusCode int
	// Duration is how long what the record tells of took; 0 not said.
	Duration time.Duration
	UserID   int64    // 0: anonymous, or not said
	Fields   []Field  // the other keys of a JSON record, in their order, bounded
	Trace    []string // the traceback, a line each, cleaned
	File     string   // name of the file, or of the source that is none
	Origin   string   // who printed it where that is said before the line: "backend-1"
	// Place names this record for ReadLine; it stays right when the file is
	// rotated. "" where the source cannot read a record again.
	Place  string
	Length int // bytes of the record in its source, with its traceback
}

// Field is a key of a JSON record with its value as text, cleaned.
type Field struct{ Name, Value string }

// Record is one record whole.
type Record struct {
	Line
	// Text is the record as it stands in its source, cleaned, a line each; Cut
	// tells that only the first MaxRecord bytes are here.
	Text []string
	Cut  bool
}

// MaxRecord is how many bytes of a record a page can show.
const MaxRecord = 1 << 20
