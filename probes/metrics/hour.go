package metrics

import (
	"slices"
	"time"

	"gradecockpit/probes/internal/rate"
)

// hourLen is how far back trends reach: 60 points of a minute.
const hourLen = time.Hour

// hour keeps a point a minute for each endpoint, and the domain counts of each
// minute. Only the minute that runs keeps histograms, so that its memory is
// bounded: the number of endpoints times 60 points.
type hour struct {
	open   *minute
	points map[key][]Point // of minutes that are over; rest has all endpoints together
	domain []domainMinute
}

// minute is what was counted in one minute.
type minute struct {
	at     time.Time
	sums   map[key]*series
	domain map[domainKey]*series
	over   map[*process]time.Duration // how much of it each process was watched for
}

type domainMinute struct {
	at   time.Time
	sums map[domainKey]*series
}

func newHour() *hour { return &hour{points: map[key][]Point{}} }

// add counts what a process did between two readings into the minute of the
// later one.
func (h *hour) add(p *process, from, to *reading) {
	h.turn(to.at)
	m := h.open
	m.over[p] += to.at.Sub(from.at)
	for k, s := range to.series {
		if d, ok := s.since(from.series[k]); ok {
			if k != rest {
				into(m.sums, k, d)
			}
			into(m.sums, rest, d)
		}
	}
	for k, s := range to.domain {
		if d, ok := s.since(from.domain[k]); ok && d.count() > 0 {
			into(m.domain, k, d)
		}
	}
}

func into[K comparable](sums map[K]*series, k K, d series) {
	if sums[k] == nil {
		sums[k] = newSeries()
	}
	sums[k].add(d)
}

// turn ends the minute that runs when now is in a later one.
func (h *hour) turn(now time.Time) {
	at := now.Truncate(time.Minute)
	if h.open != nil && !at.After(h.open.at) {
		return
	}
	if h.open != nil {
		h.close()
	}
	h.open = &minute{at: at, sums: map[key]*series{}, domain: map[domainKey]*series{}, over: map[*process]time.Duration{}}
	h.trim(at)
}

func (h *hour) close() {
	for k := range h.open.sums {
		if p, ok := h.open.point(k); ok {
			h.points[k] = append(h.points[k], p)
		}
	}
	if len(h.open.domain) > 0 {
		h.domain = append(h.domain, domainMinute{h.open.at, h.open.domain})
	}
}

// trim forgets what is more than an hour before the minute that runs. The
// arrays are copied, so that what was let go of is free.
func (h *hour) trim(now time.Time) {
	oldest := now.Add(-hourLen + time.Minute)
	for k, points := range h.points {
		i := slices.IndexFunc(points, func(p Point) bool { return !p.At.Before(oldest) })
		switch {
		case i < 0:
			delete(h.points, k)
		case i > 0:
			h.points[k] = slices.Clone(points[i:])
		}
	}
	h.domain = slices.DeleteFunc(h.domain, func(m domainMinute) bool { return m.at.Before(oldest) })
}

// watched is how much of the minute was seen: the longest of the processes.
func (m *minute) watched() (longest time.Duration) {
	for _, d := range m.over {
		longest = max(longest, d)
	}
	return longest
}

// point is one endpoint in the minute; below a second of it our own scrapes are
// most of the traffic.
func (m *minute) point(k key) (Point, bool) {
	over := m.watched()
	if over < minSpan || m.sums[k] == nil {
		return Point{}, false
	}
	p := m.sums[k].point(k == rest)
	p.At = m.at
	p.RPS, _ = rate.PerSecond(m.sums[k].count(), over)
	return p, true
}

// trend gives the points of an endpoint, the minute that runs last.
func (h *hour) trend(k key) []Point {
	out := slices.Clone(h.points[k])
	if h.open != nil {
		if p, ok := h.open.point(k); ok {
			out = append(out, p)
		}
	}
	return out
}

// recent adds up the domain counts of the hour.
func (h *hour) recent() map[domainKey]*series {
	sums := map[domainKey]*series{}
	for _, m := range h.domain {
		for k, s := range m.sums {
			into(sums, k, *s)
		}
	}
	if h.open != nil {
		for k, s := range h.open.domain {
			into(sums, k, *s)
		}
	}
	return sums
}
