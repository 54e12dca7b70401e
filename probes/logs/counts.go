package logs

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Histogram counts records over time.
type Histogram struct {
	Query  Query `json:"-"`
	Bucket time.Duration
	// Bars are the spans in order of time, without gaps, newest last.
	Bars []Bar
	// ByLevel and ByLogger count all records, the most first; loggers beyond
	// the bound count as "others".
	ByLevel, ByLogger []Count
	Records           int // all of them, also those without a time
	Timeless          int // those without a time, which are in no bar
	Extent
}

// Bar is one span of time.
type Bar struct {
	From time.Time
	// Levels counts the records by level: the index is that of Levels(). One
	// without a level counts in Other.
	Levels [5]int
	Other  int
}

// Total is how many records the bar has.
func (b Bar) Total() int {
	n := b.Other
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

const (
	maxBars    = 120
	maxLoggers = 100
	// maxBuckets bounds what is kept while counting: 60 days of minutes.
	maxBuckets = 86_400
)

// spans are the widths that bars may have.
var spans = []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Histogram counts the records that q finds by level over time. A bucket of 0
// takes the round span that gives at most 120 bars; a given one is widened
// where it would give more bars than 60 days have minutes.
func (p *Probe) Histogram(ctx context.Context, q Query, bucket time.Duration) (Histogram, error) {
	c := newCounter(bucket)
	extent, err := p.scan(ctx, q, true, func(hits []hit) {
		for i := range hits {
			c.add(&hits[i].Line)
		}
	})
	h := c.histogram()
	h.Query, h.Extent = q, extent
	return h, err
}

// counter counts by level into spans that grow with the time that is covered.
type counter struct {
	auto    bool
	bucket  time.Duration
	bars    map[int64]*Bar // by number of buckets since 1970
	levels  map[string]int
	loggers map[string]int
	records int
	noTime  int
}

func newCounter(bucket time.Duration) *counter {
	c := &counter{auto: bucket <= 0, bucket: bucket, bars: map[int64]*Bar{}, levels: map[string]int{}, loggers: map[string]int{}}
	if c.auto {
		c.bucket = spans[0]
	}
	return c
}

func (c *counter) add(l *Line) {
	c.records++
	c.levels[l.Level]++
	if _, known := c.loggers[l.Logger]; known || len(c.loggers) < maxLoggers {
		c.loggers[l.Logger]++
	} else {
		c.loggers["others"]++
	}
	if l.At.IsZero() {
		c.noTime++
		return
	}
	bar := c.bar(floorDiv(l.At.UnixNano(), int64(c.bucket)))
	if i := severity(l.Level)/10 - 1; i >= 0 {
		bar.Levels[i]++
	} else {
		bar.Other++
	}
	if len(c.bars) > maxBuckets || c.auto && len(c.bars) > 8*maxBars {
		c.widen()
	}
}

func (c *counter) bar(n int64) *Bar {
	b := c.bars[n]
	if b == nil {
		b = &Bar{}
		c.bars[n] = b
	}
	return b
}

// floorDiv divides towards the past, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// widen takes the next wider span, in which every bar has its place.
func (c *counter) widen() {
	next := 2 * c.bucket
	for _, s := range spans {
		if s > c.bucket && s%c.bucket == 0 {
			next = s
			break
		}
	}
	old := c.bars
	c.bars = map[int64]*Bar{}
	for n, b := range old {
		into := c.bar(floorDiv(n*int64(c.bucket), int64(next)))
		into.Other += b.Other
		for i, k := range b.Levels {
			into.Levels[i] += k
		}
	}
	c.bucket = next
}

// histogram lays the bars out without gaps.
func (c *counter) histogram() Histogram {
	first, last := c.ends()
	limit := int64(maxBuckets)
	if c.auto {
		limit = maxBars
	}
	for last-first >= limit {
		c.widen()
		first, last = c.ends()
	}
	h := Histogram{Bucket: c.bucket, Records: c.records, Timeless: c.noTime, ByLevel: most(c.levels), ByLogger: most(c.loggers)}
	for n := first; len(c.bars) > 0 && n <= last; n++ {
		bar := Bar{}
		if b := c.bars[n]; b != nil {
			bar = *b
		}
		bar.From = time.Unix(0, n*int64(c.bucket)).UTC()
		h.Bars = append(h.Bars, bar)
	}
	return h
}

func (c *counter) ends() (first, last int64) {
	any := false
	for n := range c.bars {
		if !any {
			first, last, any = n, n, true
		}
		first, last = min(first, n), max(last, n)
	}
	return first, last
}

// most lists counts, the most first.
func most(counts map[string]int) []Count {
	out := make([]Count, 0, len(counts))
	for name, n := range counts {
		out = append(out, Count{name, n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Name, b.Name)) })
	return out
}
