package metrics

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// rawKey is an endpoint by its labels as they stand, to ask for it again.
type rawKey struct{ method, path string }

func rawOf(m model.Metric) rawKey { return rawKey{string(m["method"]), string(m["path"])} }

func (k rawKey) clean() key { return keyOf(k.method, k.path) }

// answers gathers what the instant queries brought.
type answers struct {
	cfg       PrometheusConfig
	at        time.Time // by the server's clock; zero: nothing came
	sums      map[rawKey]*sum
	instances map[string]*Process
	domain    map[domainKey]domainSum
	down      []string
	mixed     int
	samples   int
	notes     []string
}

// instants asks what there is now. Only without the first answer is there
// nothing to show.
func (p *PrometheusProbe) instants(ctx context.Context, a *answers) error {
	a.sums, a.instances, a.domain = map[rawKey]*sum{}, map[string]*Process{}, map[domainKey]domainSum{}
	for i, part := range []struct {
		query string
		take  func(*model.Sample)
		lacks string
	}{
		{p.cfg.requestsQuery(), a.takeRequests, ""},
		{p.cfg.bucketsQuery(), a.takeBucket, "quantiles"},
		{p.cfg.processesQuery(), a.takeProcess, "processes"},
		{p.cfg.domainQuery(), a.takeDomain, "domain figures"},
	} {
		vector, warnings, err := p.query(ctx, part.query)
		switch {
		case err != nil && i == 0:
			return err
		case err != nil:
			a.notes = append(a.notes, "Without "+part.lacks+": "+probes.Brief(err)+".")
		}
		for _, w := range warnings {
			a.notes = append(a.notes, "Prometheus warns: "+clean.Capped(w, 120)+".")
		}
		a.samples += len(vector)
		for _, s := range vector {
			if s.Histogram == nil {
				a.at = s.Timestamp.Time()
				part.take(s)
			}
		}
	}
	return nil
}

func (a *answers) sum(m model.Metric) *sum {
	k := rawOf(m)
	if a.sums[k] == nil {
		a.sums[k] = newSum()
	}
	return a.sums[k]
}

func (a *answers) takeRequests(s *model.Sample) {
	v := float64(s.Value)
	if !sane(v) {
		return
	}
	switch x := a.sum(s.Metric); s.Metric["what"] {
	case whatRequests:
		x.addRequests(string(s.Metric["status"]), v)
	case whatCount:
		x.observed += v
		x.timed = true
	case whatSum:
		x.addSum(&v)
	}
}

func (a *answers) takeBucket(s *model.Sample) {
	le, err := strconv.ParseFloat(string(s.Metric["le"]), 64)
	if err != nil || math.IsNaN(le) || !sane(float64(s.Value)) {
		return
	}
	x := a.sum(s.Metric)
	x.buckets = combine(x.buckets, []bucket{{le, float64(s.Value)}}, 1)
}

// instanceOf names the process by its instance; the job only where it is asked
// for more than one.
func instanceOf(m model.Metric) string { return clean.Capped(string(m["instance"]), 60) }

func (a *answers) takeProcess(s *model.Sample) {
	name := instanceOf(s.Metric)
	p := a.instances[name]
	if p == nil {
		nan := math.NaN()
		p = &Process{Name: name, Address: name, Resident: nan, CPU: nan, CPUShare: nan, OpenFDs: nan, MaxFDs: nan, RPS: nan}
		a.instances[name] = p
	}
	v := float64(s.Value)
	if !sane(v) {
		return
	}
	switch s.Metric["what"] {
	case whatStart:
		p.Start = startTime(v)
	case whatRestarts:
		p.Restarts = int(v)
	case whatMixed:
		a.mixed += int(min(v, 1))
	case whatUp:
		p.LastSeen = s.Timestamp.Time()
		if v == 0 {
			p.LastSeen = time.Time{}
			a.down = append(a.down, name)
		}
	default:
		a.gauge(p, string(s.Metric["what"]), v)
	}
}

func (a *answers) gauge(p *Process, what string, v float64) {
	field := map[string]*float64{whatResident: &p.Resident, whatOpenFDs: &p.OpenFDs, whatMaxFDs: &p.MaxFDs,
		whatCPU: &p.CPU, whatCPUShare: &p.CPUShare, whatRPS: &p.RPS}[what]
	if field != nil {
		*field = v
	}
}

// takeDomain reads the application's own families.
func (a *answers) takeDomain(s *model.Sample) {
	v := float64(s.Value)
	name, total := strings.CutSuffix(string(s.Metric["what"]), whatTotal)
	i := slices.IndexFunc(domainFamilies, func(f domainFamily) bool { return strings.HasPrefix(name, f.name) })
	if i < 0 || !sane(v) {
		return
	}
	f := domainFamilies[i]
	k := domainKey{f.name, domainLabel(string(s.Metric[model.LabelName(f.labels[0])])), domainLabel(string(s.Metric[model.LabelName(f.labels[1])]))}
	x := a.domain[k]
	if x.recent == nil {
		x = domainSum{newSeries(), newSeries()}
		a.domain[k] = x
	}
	switch {
	case total || f.gauge:
		x.total.addRequests("", v)
	case strings.HasSuffix(name, "_bucket"):
		le, err := strconv.ParseFloat(string(s.Metric["le"]), 64)
		if err == nil && !math.IsNaN(le) {
			x.recent.buckets = combine(x.recent.buckets, []bucket{{le, v}}, 1)
			if math.IsInf(le, 1) {
				x.recent.observed, x.recent.timed = x.recent.observed+v, true
			}
		}
	case strings.HasSuffix(name, "_sum"):
		x.recent.addSum(&v)
	default:
		x.recent.addRequests("", v)
	}
}

// overview puts the answers together.
func (a *answers) overview() Overview {
	o := Overview{Via: probes.Prometheus, Window: a.cfg.Window, Domain: domainOf(a.domain, hourLen), Mixed: a.mixed > 0}
	if len(a.sums) == 0 {
		o.Warming = "Prometheus has no " + a.cfg.of(familyRequests) + " scraped twice in the last " + minutes(a.cfg.Window) +
			": check PROMETHEUS_MATCH, and that it scrapes the application."
		return o
	}
	sums, total := map[key]*sum{}, newSum()
	for k, s := range a.sums {
		if sums[k.clean()] == nil {
			sums[k.clean()] = newSum()
		}
		for _, into := range []*sum{sums[k.clean()], total} {
			into.add(s.series)
			into.rps += s.count() / a.cfg.Window.Seconds()
		}
	}
	delete(sums, rest)
	o.Endpoints = rows(sums, func(key) []Point { return nil })
	if left := len(o.Endpoints) - a.cfg.MaxSeries; left > 0 {
		o.Endpoints, o.Dropped = o.Endpoints[:a.cfg.MaxSeries], left
	}
	o.Total = total.endpoint(rest, nil)
	o.Processes, o.Restarts = a.processes()
	a.judge(&o)
	return o
}

func minutes(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%g seconds", d.Seconds())
	}
	return fmt.Sprintf("%g minutes", d.Minutes())
}

// judge says what is wrong with the answers as a whole.
func (a *answers) judge(o *Overview) {
	if a.mixed > 0 {
		a.notes = append(a.notes, "Several processes answer Prometheus' scrapes under one address in turn (their start time jumps back), so its rates are too high. "+
			"Have it scrape each process, or use prometheus_client's multiprocess mode.")
	}
	if len(a.down) > 0 {
		slices.Sort(a.down)
		a.notes = append(a.notes, fmt.Sprintf("%d of %d instances did not answer Prometheus: %s.", len(a.down), len(a.instances), strings.Join(a.down[:min(3, len(a.down))], ", ")))
	}
}

func (a *answers) processes() (all []Process, restarts []Restart) {
	for _, p := range a.instances {
		all = append(all, *p)
		if p.Restarts > 0 && a.at.Sub(p.Start) < hourLen {
			restarts = append(restarts, Restart{At: p.Start, Address: p.Address})
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	slices.SortFunc(restarts, func(a, b Restart) int { return a.At.Compare(b.At) })
	return all[:min(len(all), 4*maxProcesses)], restarts
}
