package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"

	"gradecockpit/probes/internal/rate"
)

const (
	window       = time.Minute      // what rates look back on
	grain        = 10 * time.Second // how far apart readings of a process are kept
	minSpan      = time.Second      // below it our own scrapes are most of the traffic
	forgetAfter  = 10 * time.Minute // a process not seen for so long is gone
	maxProcesses = 32               // a bound on memory, should counters make no sense
	historyLen   = 30
)

// tracker keeps the last readings of each process.
type tracker struct {
	maxSeries int
	admitted  map[key]bool // endpoints kept apart; decided once, so that counters stay comparable
	dropped   map[key]bool // those that are not, to count them; ten times maxSeries at most
	processes []*process
	history   map[key][]float64
}

// process is one gunicorn process behind one URL.
type process struct {
	url      string
	start    float64
	scrapes  int
	readings []*reading // oldest first, at least one; the first is what is subtracted
}

func (p *process) first() *reading     { return p.readings[0] }
func (p *process) last() *reading      { return p.readings[len(p.readings)-1] }
func (p *process) span() time.Duration { return p.last().at.Sub(p.first().at) }

func newTracker(maxSeries int) *tracker {
	return &tracker{maxSeries: maxSeries, admitted: map[key]bool{}, dropped: map[key]bool{}, history: map[key][]float64{}}
}

// observe adds a reading to the process that gave it, and says whether that
// process had answered since a moment already.
func (t *tracker) observe(r *reading, since time.Time) (again bool) {
	t.fold(r)
	p := t.owner(r)
	if p == nil {
		p = &process{url: r.url, start: r.start}
		t.processes = append(t.processes, p)
	} else {
		again = !p.last().at.Before(since)
	}
	p.scrapes++
	p.keep(r)
	t.forget(r.at)
	return again
}

// owner finds the process of a reading: same URL, same start time, and no
// counter falls. The start time alone would do, but processes forked from one
// loaded parent (preload_app) share it, and some endpoints do not tell it. Of
// several that fit, the one that did the least in between is the likeliest.
func (t *tracker) owner(r *reading) *process {
	var best *process
	for _, p := range t.processes {
		if p.url != r.url || !same(p.start, r.start) || !r.follows(p.last()) {
			continue
		}
		if best == nil || p.last().requests() > best.last().requests() {
			best = p
		}
	}
	return best
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// follows says whether r can be a later reading of the process of prev.
func (r *reading) follows(prev *reading) bool {
	if r.cpu < prev.cpu {
		return false
	}
	for k, before := range prev.series {
		now := r.series[k]
		if now == nil || now.requests < before.requests || now.observed < before.observed {
			return false
		}
	}
	return true
}

func (r *reading) requests() (sum float64) {
	for _, s := range r.series {
		sum += max(s.requests, s.observed)
	}
	return sum
}

// keep adds a reading, drops what left the window and thins out the rest. One
// reading from before the window stays: it is where the window starts.
func (p *process) keep(r *reading) {
	n := len(p.readings)
	if n > 1 && p.last().at.Sub(p.readings[n-2].at) < grain {
		p.readings[n-1] = r
	} else {
		p.readings = append(p.readings, r)
	}
	for len(p.readings) > 2 && r.at.Sub(p.readings[1].at) >= window {
		p.readings = slices.Delete(p.readings, 0, 1)
	}
}

// forget drops processes that are gone, and the longest unseen of too many.
func (t *tracker) forget(now time.Time) {
	t.processes = slices.DeleteFunc(t.processes, func(p *process) bool { return now.Sub(p.last().at) > forgetAfter })
	if len(t.processes) > maxProcesses {
		oldest := slices.MinFunc(t.processes, func(a, b *process) int { return a.last().at.Compare(b.last().at) })
		t.processes = slices.DeleteFunc(t.processes, func(p *process) bool { return p == oldest })
	}
}

// rest is the endpoint under which all those beyond the limit are counted, and
// metrics without the labels of one.
var rest = key{}

// fold keeps the first maxSeries endpoints that were ever seen, the busiest
// first, and adds the others up.
func (t *tracker) fold(r *reading) {
	for _, k := range r.busiest() {
		if t.admitted[k] {
			continue
		}
		if len(t.admitted) < t.maxSeries {
			t.admitted[k] = true
			continue
		}
		if len(t.dropped) < 10*t.maxSeries {
			t.dropped[k] = true
		}
		s := r.series[k]
		delete(r.series, k)
		if r.series[rest] == nil {
			r.series[rest] = newSeries()
		}
		r.series[rest].add(*s)
	}
}

// busiest lists the endpoints of a reading by requests.
func (r *reading) busiest() []key {
	keys := make([]key, 0, len(r.series))
	for k := range r.series {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(r.series[b].requests, r.series[a].requests),
			cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	})
	return keys
}

// add sums two series; of quantiles, which have no sum, the worst stays.
func (s *series) add(o series) {
	s.requests, s.client, s.server = s.requests+o.requests, s.client+o.client, s.server+o.server
	s.observed += o.observed
	s.counted, s.timed = s.counted || o.counted, s.timed || o.timed
	s.buckets = combine(s.buckets, o.buckets, 1)
	for i, q := range o.quantiles {
		if !math.IsNaN(q) {
			s.quantiles[i] = worse(s.quantiles[i], q)
		}
	}
}

// since subtracts an earlier series of the same process; nil means that there
// was none, so it began at 0. ok is false where a counter fell after all.
func (s *series) since(before *series) (d series, ok bool) {
	if before == nil {
		return *s, true
	}
	d = *s
	oks := make([]bool, 4)
	d.requests, oks[0] = rate.Increase(before.requests, s.requests)
	d.client, oks[1] = rate.Increase(before.client, s.client)
	d.server, oks[2] = rate.Increase(before.server, s.server)
	d.observed, oks[3] = rate.Increase(before.observed, s.observed)
	d.buckets = combine(s.buckets, before.buckets, -1)
	return d, !slices.Contains(oks, false)
}

// allMet says whether every process of a URL that was seen in the last window
// answered since a moment.
func (t *tracker) allMet(url string, since time.Time) bool {
	for _, p := range t.processes {
		if seen := p.last().at; p.url == url && seen.Before(since) && since.Sub(seen) < window {
			return false
		}
	}
	return true
}
