// Package export serves what the probes see as Prometheus metrics, and makes
// alert rules and a Grafana dashboard for them. All three come from the one
// table in this package, [Metrics]: a rule cannot name a metric that is not
// served.
//
// The rules of the house hold here too. What is not known is no series, never
// 0. What is too old is withheld, and its age is a metric. No label holds a
// name of a person or of a copy, and every label has few values, whatever
// stands in the database. Nothing is written anywhere.
//
// Names begin with gradecockpit_, with one exception: grading_copies_by_status
// is what the playbook calls it, and what the application declares and never
// fills (its gauge lives in the worker, which nobody scrapes). It is served
// under that very name, so that alerts and dashboards written for it work. The
// playbook's other missing names (grading_import_duration_seconds,
// grading_finalize_duration_seconds, grading_lock_conflicts_total) measure what
// leaves no trace in the database, so they are not imitated here. Where the
// application has them, Prometheus reads them there, and what its several
// processes say of them together is served under names of our own.
package export

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gradecockpit/probes"
)

// Metric is one line of the table: a family that is served, and how the
// dashboard shows it.
type Metric struct {
	Name    string
	Help    string
	Labels  []string
	Counter bool
	Signed  bool   // may be below 0
	Group   string // row of the dashboard
	Unit    string // Grafana's id; "" is a plain number
	Query   string // for the dashboard; "" takes the metric itself, or its rate

	read func(look) []point
}

// Metrics is the table.
func Metrics() []Metric {
	return slices.Concat(aboutProbes(), aboutCopies(), aboutBroker(), aboutRequests(), aboutLogs(), aboutDatabase(), aboutHost())
}

// look is all that a metric may be read from.
type look struct {
	set     probes.Set
	now     time.Time
	patient time.Duration // what is older than this is withheld
	every   func(probes.ID) time.Duration
	sources []probes.SourceID
	build   []string
}

// missed is how many looks in a row may be lost before what was seen is old,
// where that is longer than the patience asked for.
const missed = 3

// bound is the age from which what a probe saw is old.
func (l look) bound(id probes.ID) time.Duration { return max(l.patient, missed*l.every(id)) }

// fresh tells whether what a probe saw last can still be served.
func (l look) fresh(s probes.Snapshot) bool {
	return !s.Good.IsZero() && l.now.Sub(s.Good) <= l.bound(s.ID)
}

// point is one series at one moment.
type point struct {
	value  float64
	labels []string
}

// just is a metric without labels.
func just(v float64) []point { return []point{{value: v}} }

// when gives the points of something that may not be known.
func when(known bool, v float64, labels ...string) []point {
	if !known {
		return nil
	}
	return []point{{v, labels}}
}

// truth is 1 or 0, as Prometheus wants it.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// sample is what one probe saw, and how long ago that was.
type sample[T any] struct {
	look
	seen T
	age  time.Duration
}

// from makes a metric of what one probe sees.
func from[T any](id probes.ID, m Metric, read func(sample[T]) []point) Metric {
	m.read = func(l look) []point {
		seen, snap, ok := probes.Of[T](l.set, id)
		if !ok || !l.fresh(snap) {
			return nil
		}
		return read(sample[T]{l, seen, l.now.Sub(snap.Good)})
	}
	return m
}

// family is a Metric with its descriptor.
type family struct {
	Metric
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// collector gives Prometheus the newest of every probe, in one look.
type collector struct {
	families []family
	look     func() look
}

func newCollector(metrics []Metric, look func() look) *collector {
	c := &collector{look: look}
	for _, m := range metrics {
		f := family{m, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil), prometheus.GaugeValue}
		if m.Counter {
			f.kind = prometheus.CounterValue
		}
		c.families = append(c.families, f)
	}
	return c
}

// Describe lists the families, also those that have no series now.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families {
		out <- f.desc
	}
}

// Collect gives the series. One that cannot be made is an error in the scrape's
// log and takes away only itself.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	l := c.look()
	for _, f := range c.families {
		for _, p := range f.read(l) {
			m, err := prometheus.NewConstMetric(f.desc, f.kind, p.value, p.labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(f.desc, err)
			}
			out <- m
		}
	}
}
