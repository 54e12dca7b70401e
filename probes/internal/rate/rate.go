// Package rate turns readings of counters into increases and rates. What
// cannot be known (a first reading, a counter that fell, NaN) is "not ok",
// never zero and never negative.
package rate

import (
	"math"
	"time"
)

// Increase is how much a counter grew from one reading to a later one of the
// same process. ok is false when the counter fell, because then it was reset
// and what it counted in between is lost.
func Increase(prev, next float64) (delta float64, ok bool) {
	if !counts(prev) || !counts(next) || next < prev {
		return 0, false
	}
	return next - prev, true
}

// PerSecond spreads an increase over a time. No time, no rate.
func PerSecond(delta float64, over time.Duration) (rate float64, ok bool) {
	if !counts(delta) || over <= 0 {
		return 0, false
	}
	return delta / over.Seconds(), true
}

// counts says whether v can be the value of a counter.
func counts(v float64) bool {
	return v >= 0 && !math.IsInf(v, 1) // NaN is not >= 0
}
