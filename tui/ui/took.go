package ui

import (
	"math"
	"strconv"
)

// Took is a latency of what is often quicker than a millisecond: 0.45ms, 9.10ms,
// and from 10 ms on as [Seconds] says it.
func Took(s float64) string {
	if math.IsNaN(s) || s >= 0.009995 || s < 0.000005 {
		return Seconds(s)
	}
	return strconv.FormatFloat(s*1000, 'f', 2, 64) + "ms"
}

// Times is how many, with a decimal only where that tells: 40, 2.5.
func Times(f float64) string {
	if math.Abs(f-math.Round(f)) < 0.05 && !math.IsInf(f, 0) {
		return Count(int64(math.Round(f)))
	}
	return Rate(f)
}
