package metrics

import (
	"cmp"
	"math"
	"slices"
)

// bucket is a cumulative histogram bucket: how many durations were at most le.
type bucket struct{ le, count float64 }

// combine adds b to a, or subtracts it with sign -1, bucket by bucket. It
// changes neither.
func combine(a, b []bucket, sign float64) []bucket {
	out := slices.Clone(a)
	for _, x := range b {
		i, found := slices.BinarySearchFunc(out, x.le, func(y bucket, le float64) int { return cmp.Compare(y.le, le) })
		if found {
			out[i].count += sign * x.count
		} else {
			out = slices.Insert(out, i, bucket{x.le, sign * x.count})
		}
	}
	return out
}

// quantile estimates the q-quantile (0…1) from sorted buckets, as PromQL's
// histogram_quantile does: linear inside a bucket, from 0 in the first one.
// Where the rank falls into +Inf, the top finite bound is all that is known.
func quantile(q float64, buckets []bucket) Quantile {
	last := len(buckets) - 1
	if last < 1 || !math.IsInf(buckets[last].le, 1) {
		return Quantile{}
	}
	buckets = rising(buckets)
	rank := q * buckets[last].count
	if !(buckets[last].count > 0) {
		return Quantile{}
	}
	i := slices.IndexFunc(buckets[:last], func(b bucket) bool { return b.count >= rank })
	if i < 0 {
		top := buckets[last-1].le
		return Quantile{Seconds: top, Lower: top, Upper: math.Inf(1), Above: true, Known: true}
	}
	var below bucket
	if i > 0 {
		below = buckets[i-1]
	} else if buckets[0].le <= 0 {
		return exactly(buckets[0].le)
	}
	share := (rank - below.count) / (buckets[i].count - below.count)
	return Quantile{Seconds: below.le + (buckets[i].le-below.le)*share, Lower: below.le, Upper: buckets[i].le, Known: true}
}

// exactly is a quantile that has no error of a bucket.
func exactly(seconds float64) Quantile {
	return Quantile{Seconds: seconds, Lower: seconds, Upper: seconds, Known: true}
}

// rising repairs counts that fall with le, as sums over different bucket
// layouts have: a cumulative count is at least the one before it.
func rising(buckets []bucket) []bucket {
	out := slices.Clone(buckets)
	floor := 0.0
	for i := range out {
		floor = max(floor, out[i].count)
		out[i].count = floor
	}
	return out
}
