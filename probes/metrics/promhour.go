package metrics

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"gradecockpit/probes"
)

// history is the last hour as Prometheus told it last. It is asked for once a
// minute, because in between it does not change.
type history struct {
	asked  time.Time
	points map[key][]Point
	memory map[string][]Memory
	by     map[key][]Share
	notes  []string
}

// ask brings the hour of the worst endpoints, and of all together.
func (p *PrometheusProbe) ask(ctx context.Context, a *answers, o Overview) {
	h := history{asked: p.now(), points: map[key][]Point{}, memory: map[string][]Memory{}, by: map[key][]Share{}}
	keys := a.worst(o)
	lacks := func(what string, err error) {
		if err != nil {
			h.notes = append(h.notes, "Without "+what+": "+probes.Brief(err)+".")
		}
	}
	m, err := p.hourOf(ctx, p.cfg.ratesQuery(keys), a.at)
	lacks("the last hour", err)
	h.takeRates(m, a)
	m, err = p.hourOf(ctx, p.cfg.p95Query(keys), a.at)
	lacks("the last hour of P95", err)
	h.takeP95(m, a)
	m, err = p.hourOf(ctx, p.cfg.memoryQuery(), a.at)
	lacks("the last hour of memory", err)
	h.takeMemory(m, a)
	v, _, err := p.query(ctx, p.cfg.sharesQuery(keys))
	lacks("the instances of each endpoint", err)
	h.takeShares(v, a)
	p.history = h
}

// worst are the endpoints whose history is asked for.
func (a *answers) worst(o Overview) []rawKey {
	place := map[key]int{}
	for i, e := range o.Endpoints[:min(len(o.Endpoints), a.cfg.MaxHistory)] {
		place[key{e.Method, e.Path}] = i + 1
	}
	var keys []rawKey
	for k := range a.sums {
		if place[k.clean()] > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b rawKey) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	return keys[:min(len(keys), 2*a.cfg.MaxHistory)]
}

// at finds the point of a minute, or makes it, in order.
func (h *history) at(k key, t time.Time) *Point {
	points := h.points[k]
	i, found := slices.BinarySearchFunc(points, t, func(p Point, t time.Time) int { return p.At.Compare(t) })
	if !found {
		points = slices.Insert(points, i, Point{At: t})
		h.points[k] = points
	}
	return &points[i]
}

// takeRates reads requests a second by class of status, then makes shares of
// them. The value at a moment is of the minutes before it.
func (h *history) takeRates(m model.Matrix, a *answers) {
	for _, s := range m {
		k := rawOf(s.Metric).clean()
		a.samples += len(s.Values)
		for _, v := range s.Values {
			rate := float64(v.Value)
			if !sane(rate) {
				continue
			}
			p := h.at(k, v.Timestamp.Time().Add(-step))
			p.RPS += rate
			switch s.Metric["class"] {
			case "4":
				p.Client += rate
			case "5":
				p.Server += rate
			}
		}
	}
	for _, points := range h.points {
		for i := range points {
			points[i].Client, points[i].Server = part(points[i].Client, points[i].RPS), part(points[i].Server, points[i].RPS)
		}
	}
}

func part(of, all float64) float64 {
	if all == 0 {
		return math.NaN()
	}
	return of / all
}

// takeP95 reads quantiles. Prometheus gives the top finite bound for what is
// beyond it; which bucket a value lies in is known from the buckets of now.
func (h *history) takeP95(m model.Matrix, a *answers) {
	bounds := a.bounds()
	for _, s := range m {
		k := rawOf(s.Metric).clean()
		a.samples += len(s.Values)
		for _, v := range s.Values {
			if q := float64(v.Value); sane(q) {
				h.at(k, v.Timestamp.Time().Add(-step)).P95 = within(q, bounds)
			}
		}
	}
}

// bounds are the finite bounds of all buckets that came.
func (a *answers) bounds() []float64 {
	var all []bucket
	for _, s := range a.sums {
		all = combine(all, s.buckets, 1)
	}
	var out []float64
	for _, b := range all {
		if !math.IsInf(b.le, 1) {
			out = append(out, b.le)
		}
	}
	return out
}

// within puts the error bars on a quantile that was computed from buckets with
// such bounds.
func within(q float64, bounds []float64) Quantile {
	i, _ := slices.BinarySearch(bounds, q)
	switch {
	case len(bounds) == 0 || i == len(bounds):
		return exactly(q)
	case q == bounds[len(bounds)-1]:
		return Quantile{Seconds: q, Lower: q, Upper: math.Inf(1), Above: true, Known: true}
	case i == 0:
		return Quantile{Seconds: q, Upper: bounds[0], Known: true}
	}
	return Quantile{Seconds: q, Lower: bounds[i-1], Upper: bounds[i], Known: true}
}

func (h *history) takeMemory(m model.Matrix, a *answers) {
	for _, s := range m {
		name := instanceOf(s.Metric)
		a.samples += len(s.Values)
		for _, v := range s.Values {
			if b := float64(v.Value); sane(b) {
				h.memory[name] = append(h.memory[name], Memory{v.Timestamp.Time(), b})
			}
		}
	}
}

func (h *history) takeShares(vector model.Vector, a *answers) {
	a.samples += len(vector)
	for _, s := range vector {
		if v := float64(s.Value); sane(v) && v > 0 {
			k := rawOf(s.Metric).clean()
			h.by[k] = append(h.by[k], Share{Process: instanceOf(s.Metric), RPS: v, Mean: math.NaN()})
		}
	}
	for _, by := range h.by {
		slices.SortFunc(by, func(a, b Share) int { return cmp.Compare(a.Process, b.Process) })
	}
}

// into gives each endpoint and process its last hour.
func (h *history) into(o *Overview) {
	for i := range o.Endpoints {
		e := &o.Endpoints[i]
		e.Trend, e.By = h.points[key{e.Method, e.Path}], h.by[key{e.Method, e.Path}]
	}
	o.Total.Trend = h.points[rest]
	for i := range o.Processes {
		o.Processes[i].Memory = h.memory[o.Processes[i].Name]
	}
}
