package metrics

import (
	"cmp"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/rate"
)

// key is one endpoint.
type key struct{ method, path string }

// series is what is counted for an endpoint, or under some labels of another
// family: since the process started in a reading, in a window after a
// subtraction.
type series struct {
	requests, client, server float64 // a counter: all; of http_requests_total also 4xx, 5xx
	timeout                  float64 // 504, a part of server
	counted                  bool    // there is a counter
	codes                    []Count // requests by status code, sorted
	observed                 float64 // how many durations were measured
	sum                      float64 // of the durations in seconds; NaN: not told
	timed                    bool    // there is a histogram or a summary
	buckets                  []bucket
	quantiles                [3]float64 // of a summary, as in levels; NaN: not there
}

// levels are the quantiles that are shown.
var levels = [3]float64{0.50, 0.95, 0.99}

// maxCodes bounds the status codes that are kept apart.
const maxCodes = 24

func newSeries() *series {
	nan := math.NaN()
	return &series{quantiles: [3]float64{nan, nan, nan}}
}

// addRequests adds n requests that were answered with a status.
func (s *series) addRequests(status string, n float64) {
	if !sane(n) {
		return
	}
	s.counted = true
	s.requests += n
	switch status[:min(1, len(status))] {
	case "4":
		s.client += n
	case "5":
		s.server += n
	}
	if status == "504" {
		s.timeout += n
	}
	if status != "" {
		s.codes = tally(s.codes, clean.Capped(status, 8), n)
	}
}

// tally adds n to the count of a name. Beyond maxCodes names the others are
// counted together.
func tally(counts []Count, name string, n float64) []Count {
	i, found := slices.BinarySearchFunc(counts, name, func(c Count, name string) int { return cmp.Compare(c.Name, name) })
	switch {
	case found:
		counts[i].Count += n
	case len(counts) >= maxCodes && name != others:
		return tally(counts, others, n)
	default:
		counts = slices.Insert(counts, i, Count{name, n})
	}
	return counts
}

const others = "others"

func (s *series) addDurations(m *dto.Metric) {
	if h := m.GetHistogram(); h != nil {
		s.addHistogram(h)
	}
	if q := m.GetSummary(); q != nil {
		s.addSummary(q)
	}
}

// addHistogram takes the buckets in any order. A missing +Inf bucket is what
// the count says.
func (s *series) addHistogram(h *dto.Histogram) {
	s.timed = true
	var bs []bucket
	for _, b := range h.GetBucket() {
		n := max(float64(b.GetCumulativeCount()), b.GetCumulativeCountFloat())
		if sane(n) && !math.IsNaN(b.GetUpperBound()) {
			bs = combine(bs, []bucket{{b.GetUpperBound(), n}}, 1)
		}
	}
	total := max(float64(h.GetSampleCount()), h.GetSampleCountFloat())
	if len(bs) > 0 && !math.IsInf(bs[len(bs)-1].le, 1) && sane(total) && total > 0 {
		bs = append(bs, bucket{math.Inf(1), total})
	}
	if len(bs) > 0 {
		total = max(total, bs[len(bs)-1].count)
	}
	if sane(total) {
		s.observed += total
	}
	s.addSum(h.SampleSum)
	s.buckets = combine(s.buckets, bs, 1)
}

// addSummary keeps the worst where several summaries fall on one endpoint:
// quantiles cannot be added up.
func (s *series) addSummary(q *dto.Summary) {
	s.timed = true
	if n := float64(q.GetSampleCount()); sane(n) {
		s.observed += n
	}
	s.addSum(q.SampleSum)
	for _, quantile := range q.GetQuantile() {
		for i, level := range levels {
			if math.Abs(quantile.GetQuantile()-level) < 1e-9 && sane(quantile.GetValue()) {
				s.quantiles[i] = worse(s.quantiles[i], quantile.GetValue())
			}
		}
	}
}

// addSum adds the total of durations; one that is not told makes it unknown.
func (s *series) addSum(sum *float64) {
	if sum == nil || !sane(*sum) {
		s.sum = math.NaN()
		return
	}
	s.sum += *sum
}

// worse is the greater of two values, of which NaN is none.
func worse(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// add sums two series; of quantiles, which have no sum, the worst stays.
func (s *series) add(o series) {
	s.requests, s.client, s.server = s.requests+o.requests, s.client+o.client, s.server+o.server
	s.timeout, s.observed, s.sum = s.timeout+o.timeout, s.observed+o.observed, s.sum+o.sum
	s.counted, s.timed = s.counted || o.counted, s.timed || o.timed
	for _, c := range o.codes {
		s.codes = tally(s.codes, c.Name, c.Count)
	}
	s.buckets = combine(s.buckets, o.buckets, 1)
	for i, q := range o.quantiles {
		if !math.IsNaN(q) {
			s.quantiles[i] = worse(s.quantiles[i], q)
		}
	}
}

// since subtracts an earlier series of the same process; nil means that there
// was none, so it began at 0. ok is false where a counter fell after all. The
// quantiles of a summary count only where there was traffic: an idle process
// repeats its old ones.
func (s *series) since(before *series) (d series, ok bool) {
	if before == nil {
		before = newSeries()
	}
	d = *s
	oks := make([]bool, 5)
	d.requests, oks[0] = rate.Increase(before.requests, s.requests)
	d.client, oks[1] = rate.Increase(before.client, s.client)
	d.server, oks[2] = rate.Increase(before.server, s.server)
	d.timeout, oks[3] = rate.Increase(before.timeout, s.timeout)
	d.observed, oks[4] = rate.Increase(before.observed, s.observed)
	d.sum = s.sum - before.sum
	d.buckets = combine(s.buckets, before.buckets, -1)
	d.codes = nil
	for _, c := range s.codes {
		if n := c.Count - countOf(before.codes, c.Name); n > 0 {
			d.codes = tally(d.codes, c.Name, n)
		}
	}
	if d.observed == 0 {
		d.quantiles = newSeries().quantiles
	}
	return d, !slices.Contains(oks, false)
}

func countOf(counts []Count, name string) float64 {
	for _, c := range counts {
		if c.Name == name {
			return c.Count
		}
	}
	return 0
}

// count is the number of requests; without a counter of them, of durations.
func (s *series) count() float64 {
	if s.counted {
		return s.requests
	}
	return s.observed
}

// share is NaN where nothing was counted: no request is not "0 % errors".
func (s *series) share(part float64) float64 {
	if !s.counted || s.requests == 0 {
		return math.NaN()
	}
	return part / s.requests
}

// mean is the average duration in seconds, NaN where there is none.
func (s *series) mean() float64 {
	if !s.timed || !(s.observed > 0) || s.sum < 0 {
		return math.NaN()
	}
	return s.sum / s.observed
}

// quantile takes the histogram's, else the summary's. Over all endpoints a
// summary has none.
func (s *series) quantile(level int, overAll bool) Quantile {
	if q := quantile(levels[level], s.buckets); q.Known || overAll {
		return q
	}
	if v := s.quantiles[level]; !math.IsNaN(v) {
		return exactly(v)
	}
	return Quantile{}
}

// point is a minute of the series.
func (s *series) point(overAll bool) Point {
	return Point{Client: s.share(s.client), Server: s.share(s.server), P95: s.quantile(1, overAll)}
}

// sane says whether v can be a count, a duration or a size.
func sane(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
