package metrics

import (
	"bytes"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gradecockpit/probes/clean"
)

// The families that are read; the names are the application's.
const (
	familyRequests = "http_requests_total"
	familyDuration = "http_request_duration_seconds"
)

// reading is one answer of one process.
type reading struct {
	url                  string
	at                   time.Time
	start, cpu, resident float64 // NaN: not said
	series               map[key]*series
}

// key is one endpoint.
type key struct{ method, path string }

// series is what is counted for an endpoint: since the process started in a
// reading, in a window after a subtraction.
type series struct {
	requests, client, server float64 // http_requests_total: all, 4xx, 5xx
	counted                  bool    // http_requests_total has it
	observed                 float64 // how many durations were measured
	timed                    bool    // http_request_duration_seconds has it
	buckets                  []bucket
	quantiles                [3]float64 // of a summary, as in levels; NaN: not there
}

// levels are the quantiles that are shown.
var levels = [3]float64{0.50, 0.95, 0.99}

func newSeries() *series {
	nan := math.NaN()
	return &series{quantiles: [3]float64{nan, nan, nan}}
}

// parse reads the text format.
func parse(body []byte) (*reading, error) {
	// UTF8Validation is the wider scheme: an odd metric next to ours is no
	// reason to see nothing.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r := &reading{
		start:    gauge(families["process_start_time_seconds"]),
		cpu:      gauge(families["process_cpu_seconds_total"]),
		resident: gauge(families["process_resident_memory_bytes"]),
		series:   map[key]*series{},
	}
	for _, m := range families[familyRequests].GetMetric() {
		r.endpoint(m).addRequests(m)
	}
	for _, m := range families[familyDuration].GetMetric() {
		r.endpoint(m).addDurations(m)
	}
	return r, nil
}

// endpoint gives the series of a metric's endpoint. Labels other than method and
// path are summed over.
func (r *reading) endpoint(m *dto.Metric) *series {
	k := key{clean.Capped(label(m, "method"), 16), clean.Capped(label(m, "path"), 200)}
	s := r.series[k]
	if s == nil {
		s = newSeries()
		r.series[k] = s
	}
	return s
}

func (s *series) addRequests(m *dto.Metric) {
	n := value(m)
	if !sane(n) {
		return
	}
	s.counted = true
	s.requests += n
	switch label(m, "status")[:min(1, len(label(m, "status")))] {
	case "4":
		s.client += n
	case "5":
		s.server += n
	}
}

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
	s.buckets = combine(s.buckets, bs, 1)
}

// addSummary keeps the worst where several summaries fall on one endpoint:
// quantiles cannot be added up.
func (s *series) addSummary(q *dto.Summary) {
	s.timed = true
	if n := float64(q.GetSampleCount()); sane(n) {
		s.observed += n
	}
	for _, quantile := range q.GetQuantile() {
		for i, level := range levels {
			if math.Abs(quantile.GetQuantile()-level) < 1e-9 && sane(quantile.GetValue()) {
				s.quantiles[i] = worse(s.quantiles[i], quantile.GetValue())
			}
		}
	}
}

// worse is the greater of two values, of which NaN is none.
func worse(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// value reads a counter whatever its TYPE line says; OpenMetrics calls the
// family by another name than its samples, which makes them untyped here.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return math.NaN()
}

// gauge reads the only metric of a family; NaN when there is none.
func gauge(f *dto.MetricFamily) float64 {
	if len(f.GetMetric()) == 0 || !sane(value(f.GetMetric()[0])) {
		return math.NaN()
	}
	return value(f.GetMetric()[0])
}

// sane says whether v can be a count, a duration or a size.
func sane(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
