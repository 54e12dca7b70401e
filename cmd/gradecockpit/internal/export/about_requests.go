package export

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
)

const (
	httpP95     = "gradecockpit_http_request_p95_seconds"
	finalizeP95 = "gradecockpit_finalize_p95_seconds"
)

// The operations of which the requests stand for themselves: the ends of the
// paths that the application has for them (facts, sections 3 and 6).
var operations = []struct{ name, path string }{
	{"finalize", "/finalize/"},
	{"import", "/copies/import/"},
	{"lock", "/lock/"},
}

// aboutRequests is what the application's own counters say, put together over
// its processes. Prometheus alone cannot do that: every scrape is answered by
// one of several processes with counters of its own.
func aboutRequests() []Metric {
	const group = "Requests"
	op := []string{"operation"}
	return []Metric{
		traffic(Metric{Name: "gradecockpit_http_requests_per_second", Help: "Requests a second over about the last minute, all processes together.", Unit: units.RequestsPerSecond, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.RPS, true }),
		traffic(Metric{Name: "gradecockpit_http_request_p50_seconds", Help: "Median duration of all requests; the top finite bucket where it lies beyond.", Unit: units.Seconds, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.P50.Seconds, e.P50.Known }),
		traffic(Metric{Name: httpP95, Help: "95th percentile of the durations of all requests; the top finite bucket where it lies beyond.", Unit: units.Seconds, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.P95.Seconds, e.P95.Known }),
		traffic(Metric{Name: "gradecockpit_http_server_error_ratio", Help: "Share of answers with status 5xx.", Unit: units.PercentUnit, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.ErrorShare, !math.IsNaN(e.ErrorShare) }),
		traffic(Metric{Name: "gradecockpit_http_client_error_ratio", Help: "Share of answers with status 4xx; a lock conflict is a 409.", Unit: units.PercentUnit, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.ClientShare, !math.IsNaN(e.ClientShare) }),
		operation(Metric{Name: "gradecockpit_operation_requests_per_second", Labels: op, Help: "Requests a second of the paths that finalize, import or lock.", Unit: units.RequestsPerSecond, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.RPS, true }),
		operation(Metric{Name: "gradecockpit_operation_p95_seconds", Labels: op, Unit: units.Seconds, Group: group,
			Help: "95th percentile of the durations of those requests, the slowest of their endpoints; the top finite bucket (10 s) where it lies beyond."},
			func(e metrics.Endpoint) (float64, bool) { return e.P95.Seconds, e.P95.Known }),
		domain(Metric{Name: finalizeP95, Labels: []string{"status"}, Unit: units.Seconds, Group: group,
			Help: "95th percentile of recent finalizations, where the application measures them (from 2026-02-04); the top finite bucket (120 s) where it lies beyond."},
			func(d metrics.Domain) []point { return slowest(d.Finalize) }),
		domain(Metric{Name: "gradecockpit_import_p95_seconds", Labels: []string{"status"}, Unit: units.Seconds, Group: group,
			Help: "95th percentile of recent imports, where the application measures them: the writing of rows alone, not the rendering."},
			func(d metrics.Domain) []point { return slowest(d.Import) }),
		domain(Metric{Name: "gradecockpit_lock_conflicts_per_second", Labels: []string{"conflict_type"}, Unit: units.CountsPerSecond, Group: group,
			Help: "Recent lock conflicts a second, where the application counts them."},
			func(d metrics.Domain) []point { return perSecond(d.Conflicts, d.Over, conflictTypes) }),
		domain(Metric{Name: "gradecockpit_ocr_errors_per_second", Labels: []string{"error_type"}, Unit: units.CountsPerSecond, Group: group,
			Help: "Recent OCR errors a second, where the application counts them."},
			func(d metrics.Domain) []point { return perSecond(d.OCR, d.Over, nil) }),
	}
}

// aboutLogs is what the application's log lines add up to.
func aboutLogs() []Metric {
	const group = "Logs"
	return []Metric{
		from(logs.ID, Metric{Name: "gradecockpit_log_errors_last_hour", Help: "Lines of level ERROR or worse in the last hour, as far as the logs reach back.", Group: group},
			func(s sample[logs.Overview]) []point { return just(float64(s.seen.ErrorsLastHour)) }),
		from(logs.ID, Metric{Name: "gradecockpit_log_warnings_last_hour", Help: "Lines of level WARNING in the last hour, as far as the logs reach back.", Group: group},
			func(s sample[logs.Overview]) []point { return just(float64(s.seen.WarningsLastHour)) }),
	}
}

// conflictTypes are the application's (facts, section 6).
var conflictTypes = []string{"missing", "expired", "owner_mismatch", "token_mismatch", "already_locked", "already_graded", "db_contention"}

// measured makes a metric of what measures the requests: the processes scraped
// here, else a Prometheus, which has the rest of it anyway.
func measured(m Metric, read func(metrics.Overview) []point) Metric {
	m.read = func(l look) []point {
		for _, id := range []probes.ID{metrics.ID, metrics.PrometheusID} {
			if o, snap, ok := probes.Of[metrics.Overview](l.set, id); ok && l.fresh(snap) && o.Warming == "" {
				return read(o)
			}
		}
		return nil
	}
	return m
}

// traffic makes a metric of all requests.
func traffic(m Metric, read func(metrics.Endpoint) (float64, bool)) Metric {
	return measured(m, func(o metrics.Overview) []point {
		v, known := read(o.Total)
		return when(known, v)
	})
}

// operation makes a metric of the endpoints of each operation: a rate adds up,
// of other figures the highest counts. One without requests has no series.
func operation(m Metric, read func(metrics.Endpoint) (float64, bool)) Metric {
	adds := m.Unit == units.RequestsPerSecond
	return measured(m, func(o metrics.Overview) (out []point) {
		for _, op := range operations {
			sum, any := 0.0, false
			for _, e := range o.Endpoints {
				v, known := read(e)
				switch {
				case !known || !strings.HasSuffix(e.Path, op.path):
					continue
				case adds:
					sum += v
				default:
					sum = max(sum, v)
				}
				any = true
			}
			out = append(out, when(any, sum, op.name)...)
		}
		return out
	})
}

func domain(m Metric, read func(metrics.Domain) []point) Metric {
	return measured(m, func(o metrics.Overview) []point { return read(o.Domain) })
}

// slowest gives for each outcome the P95 of the slowest kind that was seen of late.
func slowest(all []metrics.Timing) (out []point) {
	p95 := map[string]float64{}
	for _, t := range all {
		status := t.Status
		if status != "success" && status != "failed" {
			status = other
		}
		if t.Recent > 0 && t.P95.Known {
			p95[status] = max(p95[status], t.P95.Seconds)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(p95)) {
		out = append(out, point{p95[status], []string{status}})
	}
	return out
}

// perSecond turns counts into rates. Nothing counted at all is not known to be
// none: the application may not count.
func perSecond(all []metrics.Tally, over time.Duration, known []string) []point {
	if len(all) == 0 || over <= 0 {
		return nil
	}
	t := &tally{names: known, sums: map[string]float64{}}
	for _, c := range all {
		t.add(c.Name, c.Recent/over.Seconds())
	}
	return t.points()
}
