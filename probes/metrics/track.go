package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	window       = time.Minute      // what rates look back on
	grain        = 10 * time.Second // how far apart readings of a process are kept
	minSpan      = time.Second      // below it our own scrapes are most of the traffic
	forgetAfter  = 10 * time.Minute // a process not seen for so long is gone
	maxProcesses = 32               // a bound on memory, should counters make no sense
)

// tracker keeps the last readings of each process.
type tracker struct {
	maxSeries int
	admitted  map[key]bool // endpoints kept apart; decided once, so that counters stay comparable
	dropped   map[key]bool // those that are not, to count them; ten times maxSeries at most
	processes []*process
	hour      *hour
	began     map[string]time.Time // first reading of each URL
	restarts  []seenRestart
}

// process is one gunicorn process behind one URL.
type process struct {
	url      string
	start    float64
	twin     int // how many others said the same start when it was first seen
	scrapes  int
	readings []*reading // oldest first, at least one; the first is what is subtracted
	memory   []Memory   // a point a minute of the last hour
}

func (p *process) first() *reading     { return p.readings[0] }
func (p *process) last() *reading      { return p.readings[len(p.readings)-1] }
func (p *process) span() time.Duration { return p.last().at.Sub(p.first().at) }

func newTracker(maxSeries int) *tracker {
	return &tracker{maxSeries: maxSeries, admitted: map[key]bool{}, dropped: map[key]bool{},
		hour: newHour(), began: map[string]time.Time{}}
}

// observe adds a reading to the process that gave it, and says whether that
// process had answered since a moment already.
func (t *tracker) observe(r *reading, since time.Time) (again bool) {
	t.fold(r)
	if t.began[r.url].IsZero() {
		t.began[r.url] = r.at
	}
	p := t.owner(r)
	if p == nil {
		p = &process{url: r.url, start: r.start, twin: t.twins(r)}
		t.noteRestart(r)
		t.processes = append(t.processes, p)
	} else {
		again = !p.last().at.Before(since)
		t.hour.add(p, p.last(), r)
	}
	p.scrapes++
	p.keep(r)
	p.remember(r)
	t.forget(r.at)
	return again
}

// twins counts the processes that a reading cannot be told from by its start.
func (t *tracker) twins(r *reading) (n int) {
	for _, p := range t.processes {
		if p.url == r.url && same(p.start, r.start) {
			n = max(n, p.twin+1)
		}
	}
	return n
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

// remember keeps the memory of each minute.
func (p *process) remember(r *reading) {
	if math.IsNaN(r.resident) {
		return
	}
	now, n := Memory{r.at, r.resident}, len(p.memory)
	if n > 1 && p.memory[n-1].At.Sub(p.memory[n-2].At) < time.Minute {
		p.memory[n-1] = now
	} else {
		p.memory = append(p.memory, now)
	}
	p.memory = slices.DeleteFunc(p.memory, func(m Memory) bool { return r.at.Sub(m.At) > hourLen })
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
