package logs

import (
	"context"
	"time"
)

// Source is where log records come from: a folder, a command's output, Loki.
// Sample is called by one goroutine at a time; the others may run beside it.
// Errors are [*probes.Error].
type Source interface {
	// Where says for people where the records are: a folder, a command, a URL
	// without secrets.
	Where() string
	// Sample reads what was written since the last call, adds it to what it
	// tallied before, and gives the whole.
	Sample(ctx context.Context) (Overview, error)
	// Search finds the newest records, newest first, at most q.Limit. It hands
	// over through say, from the calling goroutine and a few times a second at
	// most, what it found so far; say may be nil. When ctx ends first, it gives
	// what it has with Truncated set, and an error.
	Search(ctx context.Context, q Query, say func(Result)) (Result, error)
	// Each gives every record that q finds, newest first, without looking at
	// q.Limit, until do says false.
	Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error)
	// ReadLine reads the whole record at a place that this source gave. It fails
	// with fs.ErrNotExist in its chain when the place is not one of its own or
	// the record is gone.
	ReadLine(ctx context.Context, place string) (Record, error)
}

// Extent says how far a search looked.
type Extent struct {
	// Truncated: it ended before the oldest record, because of a limit or a deadline.
	Truncated bool
	Bytes     int64     // how much was looked at
	Total     int64     // how much there is; 0 unknown
	Oldest    time.Time // time of the oldest record looked at; zero when unknown
	Skipped   []string  // what could not be read, and why, as sentences
}

// Follower is a source that can hand over records as they are written.
type Follower interface {
	// Follow hands over the last so many records that q finds, as far as they
	// are close to the end, and from then on, until ctx ends, every one that is
	// written. Nothing is lost in between. It calls do from one goroutine.
	Follow(ctx context.Context, q Query, last int, do func(Line)) error
}

// Result is what a search found.
type Result struct {
	Query Query  `json:"-"`
	Lines []Line // newest first
	Extent
	// Done: this is the end, nothing comes after it.
	Done bool
}
