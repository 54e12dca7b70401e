package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var inf = math.Inf(1)

func TestQuantile(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name    string
		q       float64
		buckets []bucket
		want    Quantile
	}{
		{"no buckets", .95, nil, Quantile{}},
		{"only +Inf", .95, []bucket{{inf, 3}}, Quantile{}},
		{"no +Inf", .95, []bucket{{1, 3}, {2, 4}}, Quantile{}},
		{"no observation", .95, []bucket{{1, 0}, {inf, 0}}, Quantile{}},
		{"NaN counts", .95, []bucket{{1, nan}, {inf, nan}}, Quantile{}},
		{"linear from 0", .5, []bucket{{1, 10}, {inf, 10}}, Quantile{Seconds: .5, Upper: 1, Known: true}},
		{"linear inside", .5, []bucket{{1, 4}, {3, 8}, {inf, 8}}, Quantile{Seconds: 1, Upper: 1, Known: true}},
		{"inside the second", .75, []bucket{{1, 4}, {3, 8}, {inf, 8}}, Quantile{Seconds: 2, Lower: 1, Upper: 3, Known: true}},
		{"above the top", .95, []bucket{{1, 1}, {10, 5}, {inf, 10}}, Quantile{Seconds: 10, Lower: 10, Upper: inf, Above: true, Known: true}},
		{"just not above", .5, []bucket{{1, 1}, {10, 5}, {inf, 10}}, Quantile{Seconds: 10, Lower: 1, Upper: 10, Known: true}},
		{"empty buckets between", .5, []bucket{{1, 0}, {2, 0}, {4, 10}, {inf, 10}}, Quantile{Seconds: 3, Lower: 2, Upper: 4, Known: true}},
		{"falling counts are lifted", .9, []bucket{{1, 8}, {2, 3}, {4, 10}, {inf, 10}}, Quantile{Seconds: 3, Lower: 2, Upper: 4, Known: true}},
		{"+Inf below the rest", .5, []bucket{{1, 10}, {inf, 4}}, Quantile{Seconds: .5, Upper: 1, Known: true}},
		{"bound below zero", .5, []bucket{{-1, 9}, {1, 10}, {inf, 10}}, exactly(-1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := quantile(tt.q, tt.buckets); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestQuantileAgainstBisection compares with another way to the same number:
// bisect the distribution that spreads each bucket's observations evenly.
func TestQuantileAgainstBisection(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		durations := make([]float64, 1+rnd.IntN(300))
		for i := range durations {
			durations[i] = math.Exp(rnd.NormFloat64()*2 - 1)
		}
		var buckets []bucket
		for _, le := range bounds {
			buckets = append(buckets, bucket{le, float64(atMost(durations, le))})
		}
		buckets = append(buckets, bucket{inf, float64(len(durations))})
		q := rnd.Float64()
		got, want := quantile(q, buckets), bisect(q, buckets)
		if got.Above != want.Above || math.Abs(got.Seconds-want.Seconds) > 1e-6 || !got.Known {
			t.Fatalf("q %v of %v: got %+v, want %+v", q, buckets, got, want)
		}
		// The error bars hold what the q-quantile of the durations really is.
		if v := trueQuantile(q, durations); v <= got.Lower || v > got.Upper {
			t.Fatalf("q %v of %v is %v, not in (%v, %v]", q, durations, v, got.Lower, got.Upper)
		}
	}
}

// trueQuantile is the smallest duration that a share q of all do not exceed.
func trueQuantile(q float64, durations []float64) float64 {
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func bisect(q float64, buckets []bucket) Quantile {
	n, top := len(buckets), buckets[len(buckets)-2].le
	rank := q * buckets[n-1].count
	if buckets[n-2].count < rank {
		return Quantile{Seconds: top, Above: true, Known: true}
	}
	lo, hi := 0.0, top
	for range 100 {
		if mid := (lo + hi) / 2; spread(mid, buckets) >= rank {
			hi = mid
		} else {
			lo = mid
		}
	}
	return Quantile{Seconds: hi, Known: true}
}

// spread is how many observations are at most x, spread evenly in each bucket.
func spread(x float64, buckets []bucket) (n float64) {
	lower, before := 0.0, 0.0
	for _, b := range buckets[:len(buckets)-1] {
		part := min(1, max(0, (x-lower)/(b.le-lower)))
		n += part * (b.count - before)
		lower, before = b.le, b.count
	}
	return n
}
