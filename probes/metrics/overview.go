package metrics

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/rate"
)

// sum is an endpoint over all processes.
type sum struct {
	series
	rps float64
	by  []Share
}

func newSum() *sum { return &sum{series: *newSeries()} }

// overview adds up what each process did in the window.
func (t *tracker) overview(now time.Time) Overview {
	o := Overview{Via: probes.Metrics, Dropped: len(t.dropped), Restarts: t.begun(now), Domain: t.domain(now)}
	endpoints, total := map[key]*sum{}, newSum()
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
		delete(endpoints, rest)
		o.Endpoints, o.Total = rows(endpoints, t.hour.trend), total.endpoint(rest, t.hour.trend(rest))
	}
	o.Processes = t.list(total.by)
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
			endpoints[k] = newSum()
		}
		endpoints[k].addOver(d, p.span(), p.name())
		total.addOver(d, p.span(), p.name())
	}
}

// addOver adds the increase that one process had over a time.
func (s *sum) addOver(d series, over time.Duration, process string) {
	s.add(d)
	r, ok := rate.PerSecond(d.count(), over)
	if !ok || d.count() == 0 {
		return
	}
	s.rps += r
	i := slices.IndexFunc(s.by, func(x Share) bool { return x.Process == process })
	if i < 0 {
		s.by = append(s.by, Share{Process: process, RPS: r, Mean: d.mean()})
		return
	}
	of := &s.by[i] // the total meets a process once an endpoint
	of.Mean = (of.Mean*of.RPS + d.mean()*r) / (of.RPS + r)
	of.RPS += r
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

// rows makes the endpoints, worst first.
func rows(sums map[key]*sum, trend func(key) []Point) []Endpoint {
	out := make([]Endpoint, 0, len(sums))
	for k, s := range sums {
		out = append(out, s.endpoint(k, trend(k)))
	}
	slices.SortFunc(out, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(known(b.Pain), known(a.Pain)), cmp.Compare(b.RPS, a.RPS),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// known puts what is not known last.
func known(f float64) float64 {
	if math.IsNaN(f) {
		return -1
	}
	return f
}

func (s *sum) endpoint(k key, trend []Point) Endpoint {
	e := Endpoint{Method: k.method, Path: k.path, RPS: s.rps, Requests: s.count(), ErrorShare: s.share(s.server),
		ClientShare: s.share(s.client), TimeoutShare: s.share(s.timeout), Mean: s.mean(), ByStatus: s.codes, By: s.by, Trend: trend}
	for i, q := range []*Quantile{&e.P50, &e.P95, &e.P99} {
		*q = s.quantile(i, k == rest)
	}
	switch {
	case !math.IsNaN(e.Mean):
		e.Pain = e.RPS * e.Mean
	case e.P95.Known:
		e.Pain = e.RPS * e.P95.Seconds
	default:
		e.Pain = math.NaN()
	}
	return e
}

// list gives the processes, oldest first, each with its part of the requests.
func (t *tracker) list(by []Share) []Process {
	out := make([]Process, 0, len(t.processes))
	for _, p := range t.processes {
		last := p.last()
		x := Process{Name: p.name(), Address: hostOf(p.url), Start: startTime(p.start), Scrapes: p.scrapes, Resident: last.resident,
			CPU: last.cpu, CPUShare: math.NaN(), OpenFDs: last.openFDs, MaxFDs: last.maxFDs, RPS: math.NaN(),
			LastSeen: last.at, Memory: slices.Clone(p.memory), Restarts: -1}
		if p.span() >= minSpan {
			x.RPS = 0
			if used, ok := rate.Increase(p.first().cpu, last.cpu); ok {
				x.CPUShare, _ = rate.PerSecond(used, p.span())
			}
		}
		for _, s := range by {
			if s.Process == x.Name {
				x.RPS = s.RPS
			}
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Process) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	return out
}

// name tells a process from the others: where it answers, since when it runs,
// and a number where several say the same.
func (p *process) name() string {
	name := processName(hostOf(p.url), startTime(p.start))
	if p.twin > 0 {
		name += " #" + strconv.Itoa(p.twin+1)
	}
	return name
}

func processName(address string, start time.Time) string {
	if start.IsZero() {
		return address
	}
	return address + " " + start.Format("15:04:05.000")
}

// hostOf is the host and port of an address.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return clean.Capped(u.Host, 60)
}

// domain adds up the application's own families over the processes that still
// answer. Of a gauge the newest reading counts.
func (t *tracker) domain(now time.Time) Domain {
	sums := map[domainKey]domainSum{}
	for k, s := range t.hour.recent() {
		sums[k] = domainSum{recent: s}
	}
	began := now
	for _, p := range t.bySight() {
		for k, s := range p.last().domain {
			x := sums[k]
			if x.total == nil || k.family == famCopies {
				x.total = newSeries()
			}
			x.total.add(*s)
			sums[k] = x
		}
		if at := t.began[p.url]; at.Before(began) {
			began = at
		}
	}
	return domainOf(sums, min(now.Sub(began), hourLen))
}

// bySight gives the processes, the one that answered last at the end.
func (t *tracker) bySight() []*process {
	return slices.SortedFunc(slices.Values(t.processes), func(a, b *process) int { return a.last().at.Compare(b.last().at) })
}

// startTime turns seconds since 1970 into a time, as far as they make one.
func startTime(seconds float64) time.Time {
	if math.IsNaN(seconds) || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}
