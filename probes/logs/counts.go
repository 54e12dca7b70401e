package logs

import (
	"context"
	"errors"
	"time"
)

// Histogram counts records over time.
type Histogram struct {
	Query  Query
	Bucket time.Duration
	// Bars are the spans in order of time, without gaps, newest last.
	Bars []Bar
	// ByLevel and ByLogger count all records, the most first; a logger beyond
	// the bound counts as "others".
	ByLevel, ByLogger []Count
	Records           int // all of them, also those without a time
	Timeless          int // those without a time, which are in no bar
	Extent
}

// Bar is one span of time.
type Bar struct {
	From time.Time
	// Levels counts the records by level: the index is that of Levels().
	Levels [5]int
}

// Total is how many records the bar has.
func (b Bar) Total() (n int) {
	for _, c := range b.Levels {
		n += c
	}
	return n
}

// Levels are the names of the levels, mildest first.
func Levels() [5]string { return [5]string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"} }

// Count is how often something occurs.
type Count struct {
	Name string
	N    int
}

// Histogram counts the records that q finds by level over time. A bucket of 0
// takes the round span that gives at most 120 bars.
func (p *Probe) Histogram(ctx context.Context, q Query, bucket time.Duration) (Histogram, error) {
	return Histogram{}, errors.ErrUnsupported
}

// Request is one request id with what its records say.
type Request struct {
	ID          string
	Records     int
	First, Last time.Time
	Worst       string // the worst level
	Method      string
	Path        string
	StatusCode  int // 0 not said
	Duration    time.Duration
	UserID      int64
	CopyID      string
}

// Requests are the distinct request ids of records, newest first.
type Requests struct {
	Query    Query
	Requests []Request
	Records  int // records looked at, those without a request id included
	Extent
}

// Requests lists the distinct request ids of the newest records that q finds:
// of `last` of them, or with 0 of all, at most 10,000 ids.
func (p *Probe) Requests(ctx context.Context, q Query, last int) (Requests, error) {
	return Requests{}, errors.ErrUnsupported
}

// Slow are the records that say how long something took, slowest first.
type Slow struct {
	Query   Query
	Lines   []Line // their Duration is set
	Records int    // how many said how long
	Extent
}

// Slow finds the slowest of the records that q finds, at most q.Limit.
func (p *Probe) Slow(ctx context.Context, q Query) (Slow, error) {
	return Slow{}, errors.ErrUnsupported
}
