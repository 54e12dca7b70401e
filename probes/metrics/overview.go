package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"gradecockpit/probes/internal/rate"
)

// sum is an endpoint over all processes.
type sum struct {
	series
	rps float64
}

// overview adds up what each process did in the window.
func (t *tracker) overview(now time.Time) Overview {
	o := Overview{Processes: t.list(), Dropped: len(t.dropped)}
	endpoints, total := map[key]*sum{}, &sum{series: *newSeries()}
	waiting := 0
	for _, p := range t.processes {
		switch {
		case p.span() < minSpan:
			waiting++
		case now.Sub(p.last().at) <= window:
			o.Window = max(o.Window, p.span())
			addProcess(p, endpoints, total)
		}
	}
	o.Warming, o.Note = t.sentences(waiting, o.Window)
	if o.Warming == "" {
		o.Endpoints, o.Total = t.endpoints(endpoints), t.endpoint(rest, total)
	}
	return o
}

// addProcess adds the increase of every series of one process.
func addProcess(p *process, endpoints map[key]*sum, total *sum) {
	for k, s := range p.last().series {
		d, ok := s.since(p.first().series[k])
		if !ok {
			continue
		}
		if endpoints[k] == nil {
			endpoints[k] = &sum{series: *newSeries()}
		}
		endpoints[k].addOver(d, p.span())
		total.addOver(d, p.span())
	}
}

// addOver adds an increase. The quantiles of a summary count only where there
// was traffic: an idle process repeats its old ones.
func (s *sum) addOver(d series, over time.Duration) {
	if d.observed == 0 {
		d.quantiles = newSeries().quantiles
	}
	s.add(d)
	if r, ok := rate.PerSecond(d.count(), over); ok {
		s.rps += r
	}
}

// count is the number of requests; without a counter of them, of durations.
func (s *series) count() float64 {
	if s.counted {
		return s.requests
	}
	return s.observed
}

// sentences says what is not known yet and what is only an estimate.
func (t *tracker) sentences(waiting int, window time.Duration) (warming, note string) {
	if window == 0 {
		return fmt.Sprintf("Rates need the same process scraped twice, a second apart; so far %d answered.", waiting), ""
	}
	if waiting > 0 {
		note = fmt.Sprintf("%d of %d processes answered only once: their requests are not in the rates yet.", waiting, len(t.processes))
	}
	if slices.ContainsFunc(t.processes, func(p *process) bool { return math.IsNaN(p.start) }) {
		note = "The answers do not tell their process (no process_start_time_seconds): rates are an estimate."
	}
	return "", note
}

// endpoints makes the rows, worst first, and extends their histories.
func (t *tracker) endpoints(sums map[key]*sum) []Endpoint {
	out := make([]Endpoint, 0, len(sums))
	for k, s := range sums {
		if k != rest {
			out = append(out, t.endpoint(k, s))
		}
	}
	slices.SortFunc(out, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(b.RPS, a.RPS),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// weight is the time spent waiting on an endpoint; unknown comes last.
func weight(e Endpoint) float64 {
	if !e.P95.Known {
		return -1
	}
	return e.RPS * e.P95.Seconds
}

func (t *tracker) endpoint(k key, s *sum) Endpoint {
	e := Endpoint{Method: k.method, Path: k.path, RPS: s.rps, Requests: s.count(),
		ErrorShare: s.share(s.server), ClientShare: s.share(s.client)}
	for i, q := range []*Quantile{&e.P50, &e.P95, &e.P99} {
		*q = s.quantile(i, k == rest)
	}
	e.History = t.remember(k, e.P95)
	return e
}

// share is NaN where nothing was counted: no request is not "0 % errors".
func (s *sum) share(part float64) float64 {
	if !s.counted || s.requests == 0 {
		return math.NaN()
	}
	return part / s.requests
}

// quantile takes the histogram's, else the summary's. Over all endpoints a
// summary has none.
func (s *sum) quantile(level int, overAll bool) Quantile {
	if q := quantile(levels[level], s.buckets); q.Known || overAll {
		return q
	}
	v := s.quantiles[level]
	if math.IsNaN(v) {
		return Quantile{}
	}
	return Quantile{Seconds: v, Known: true}
}

// remember extends the history of an endpoint and gives a copy.
func (t *tracker) remember(k key, q Quantile) []float64 {
	v := math.NaN()
	if q.Known {
		v = q.Seconds
	}
	h := append(t.history[k], v)
	h = slices.Clone(h[max(0, len(h)-historyLen):])
	t.history[k] = h
	return slices.Clone(h)
}

// list gives the processes, oldest first.
func (t *tracker) list() []Process {
	out := make([]Process, 0, len(t.processes))
	for _, p := range t.processes {
		out = append(out, Process{Start: startTime(p.start), Scrapes: p.scrapes,
			Resident: p.last().resident, CPU: p.last().cpu, LastSeen: p.last().at})
	}
	slices.SortFunc(out, func(a, b Process) int { return a.Start.Compare(b.Start) })
	return out
}

// startTime turns seconds since 1970 into a time, as far as they make one.
func startTime(seconds float64) time.Time {
	if math.IsNaN(seconds) || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}
