package logs

import (
	"context"
	"time"
)

// PatternCount is how often a named search found something.
type PatternCount struct {
	Pattern
	N      int
	Newest time.Time // zero: nothing, or nothing with a time
}

// PatternCounts are all named searches over one span of time.
type PatternCounts struct {
	Since  time.Time
	Counts []PatternCount
	Extent
}

// CountPatterns counts what each named search finds since a time, one search
// after the other.
func (p *Probe) CountPatterns(ctx context.Context, since, now time.Time) (PatternCounts, error) {
	all := PatternCounts{Since: since}
	for _, pattern := range Patterns() {
		q, err := ParseQuery(pattern.Query, now, time.UTC)
		if err != nil {
			return all, err
		}
		q.Since = since
		c := PatternCount{Pattern: pattern}
		all.Extent, err = p.scan(ctx, q, true, func(hits []hit) {
			c.N += len(hits)
			for i := range hits {
				if hits[i].At.After(c.Newest) {
					c.Newest = hits[i].At
				}
			}
		})
		if err != nil {
			return all, err
		}
		all.Counts = append(all.Counts, c)
	}
	return all, nil
}
